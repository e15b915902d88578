//! All mutants of a module: small changes that keep every shape.

use std::collections::BTreeMap;

use bitmosaic_rtl::hardware::Units;
use bitmosaic_rtl::netlist::{Design, Module, NetId, Op, Register};

use super::{Edit, Mutant};

/// Every mutant of both units, modules in order. Those that break a rule of the netlist are left out.
pub fn mutants(units: &Units) -> Vec<Mutant> {
    let modules = units.designs().flat_map(Design::modules_in_order);
    modules.flat_map(mutants_of_module).collect()
}

/// Mutants of the modules that a whole machine has around its tiles and aligner, in order: about one of `every`, chosen by what
/// they are, so that a change of one module leaves the others' sample alone.
pub fn array_mutants(units: &Units, every: usize) -> Vec<Mutant> {
    let below: Vec<&str> = units.designs().flat_map(Design::modules_in_order).map(|m| m.name.as_str()).collect();
    let modules = units.array.iter().flat_map(Design::modules_in_order);
    let own = modules.filter(|module| !below.contains(&module.name.as_str()));
    let chosen = |mutant: &Mutant| {
        let text = [&mutant.module, &mutant.place, mutant.change].join(" ");
        fnv1a(text.as_bytes()).is_multiple_of(every.max(1) as u64)
    };
    own.flat_map(mutants_of_module).filter(chosen).collect()
}

/// Hash of Fowler, Noll and Vo, FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

impl Edit {
    pub(super) fn apply(&self, module: &mut Module) {
        match self {
            Edit::Operation(index, op) => module.ops[*index].op = op.clone(),
            Edit::Register(index, register) => module.registers[*index] = register.clone(),
            Edit::Connection(instance, input, net) => module.instances[*instance].inputs[*input].1 = *net,
        }
    }
}

pub(super) fn mutants_of_module(module: &Module) -> Vec<Mutant> {
    let places = places(module);
    let mut all: Vec<(String, &'static str, Edit)> = Vec::new();
    for (index, operation) in module.ops.iter().enumerate() {
        // Nothing reads a net without a place.
        let Some(place) = places.get(&operation.result) else { continue };
        for (change, op) in changes(module, &operation.op, operation.result) {
            all.push((place.clone(), change, Edit::Operation(index, op)));
        }
    }
    for (index, register) in module.registers.iter().enumerate() {
        let place = module.nets[register.net.index()].name.clone();
        if register.enable.is_some() {
            let change = Edit::Register(index, Register { enable: None, ..register.clone() });
            all.push((place.clone(), "always loads", change));
        }
        if let Some(value) = register.reset {
            let change = Edit::Register(index, Register { reset: Some(value ^ 1), ..register.clone() });
            all.push((place, "other reset value", change));
        }
    }
    // An input of an instance shows what the next instance of the same module sees there.
    for (index, instance) in module.instances.iter().enumerate() {
        let Some(next) = module.instances[index + 1..].iter().find(|i| i.module == instance.module) else { continue };
        for (input, ((port, net), (_, other))) in instance.inputs.iter().zip(&next.inputs).enumerate() {
            if net != other {
                let place = format!("{}.{port}", instance.name);
                all.push((place, "the next instance's", Edit::Connection(index, input, *other)));
            }
        }
    }
    let mut mutants = Vec::new();
    for (place, change, edit) in all {
        let mut changed = module.clone();
        edit.apply(&mut changed);
        if changed.check().is_ok() {
            mutants.push(Mutant { module: module.name.clone(), place, change, edit });
        }
    }
    mutants
}

/// For every net that something reads or that has a name: see [`Mutant::place`].
fn places(module: &Module) -> BTreeMap<NetId, String> {
    let mut places: BTreeMap<NetId, String> = BTreeMap::new();
    let named = module.nets.iter().enumerate().filter(|(_, net)| net.named);
    places.extend(named.map(|(i, net)| (NetId(i as u32), net.name.clone())));
    for port in &module.outputs {
        places.entry(port.net).or_insert_with(|| port.name.clone());
    }
    for register in &module.registers {
        let name = &module.nets[register.net.index()].name;
        places.entry(register.next).or_insert_with(|| format!("{name}.next"));
        if let Some(enable) = register.enable {
            places.entry(enable).or_insert_with(|| format!("{name}.enable"));
        }
    }
    for ram in &module.rams {
        for (net, input) in
            ram.inputs().into_iter().zip(["write_enable", "write_address", "write_data", "read_enable", "read_address"])
        {
            places.entry(net).or_insert_with(|| format!("{}.{input}", ram.name));
        }
    }
    for instance in &module.instances {
        for (port, net) in &instance.inputs {
            places.entry(*net).or_insert_with(|| format!("{}.{port}", instance.name));
        }
    }
    // Operands follow the operations that read them, the last first.
    let order = module.drivers().and_then(|drivers| module.combinational_order(&drivers)).unwrap_or_default();
    let by_result: BTreeMap<NetId, &Op> = module.ops.iter().map(|o| (o.result, &o.op)).collect();
    for net in order.iter().rev() {
        let (Some(op), Some(place)) = (by_result.get(net), places.get(net).cloned()) else { continue };
        for (i, operand) in op.operands().into_iter().enumerate() {
            places.entry(operand).or_insert_with(|| format!("{place}/{}.{i}", op.kind()));
        }
    }
    places
}

/// Small changes of an operation that keep its shape. Those that change nothing (reductions of one bit) are left out.
fn changes(module: &Module, op: &Op, result: NetId) -> Vec<(&'static str, Op)> {
    let width = module.shape(result).width;
    let one_bit = |net: &NetId| module.shape(*net).width == 1;
    let (first, second) = ("only the first", "only the second");
    match op {
        Op::Constant(value) => vec![("lowest bit", Op::Constant(value ^ 1))],
        Op::Not(a) => vec![("not inverted", Op::Reinterpret(*a))],
        Op::And(a, b) => vec![("or", Op::Or(*a, *b)), (first, Op::Reinterpret(*a)), (second, Op::Reinterpret(*b))],
        Op::Or(a, b) => vec![("and", Op::And(*a, *b)), (first, Op::Reinterpret(*a)), (second, Op::Reinterpret(*b))],
        Op::Xor(a, b) => vec![("or", Op::Or(*a, *b)), ("and", Op::And(*a, *b))],
        Op::ReduceOr(a) | Op::ReduceAnd(a) | Op::ReduceXor(a) if one_bit(a) => vec![],
        Op::ReduceOr(a) => vec![("all bits", Op::ReduceAnd(*a))],
        Op::ReduceAnd(a) => vec![("any bit", Op::ReduceOr(*a))],
        Op::ReduceXor(a) => vec![("any bit", Op::ReduceOr(*a))],
        Op::Add(a, b) | Op::Mul(a, b) => vec![(first, Op::Extend(*a)), (second, Op::Extend(*b))],
        Op::Sub(a, b) => vec![("swapped", Op::Sub(*b, *a))],
        Op::Negate(a) => vec![("not negated", Op::Extend(*a))],
        Op::Eq(a, b) => vec![("unequal", Op::Ne(*a, *b))],
        Op::Ne(a, b) => vec![("equal", Op::Eq(*a, *b))],
        Op::Lt(a, b) => vec![("swapped", Op::Lt(*b, *a))],
        Op::Mux { select, when_true, when_false } => {
            vec![("swapped", Op::Mux { select: *select, when_true: *when_false, when_false: *when_true })]
        }
        Op::Select { index, choices } if choices.iter().any(|c| *c != choices[0]) => {
            let mut rotated = choices.clone();
            rotated.rotate_left(1);
            vec![("rotated", Op::Select { index: *index, choices: rotated })]
        }
        Op::Select { .. } => vec![],
        Op::ShiftLeft { a, amount } => vec![("to the right", Op::ShiftRight { a: *a, amount: *amount })],
        Op::ShiftRight { a, amount } => {
            vec![("to the left", Op::ShiftLeft { a: *a, amount: *amount }), ("not shifted", Op::Reinterpret(*a))]
        }
        Op::Slice { a, low } => {
            let up = low + width < module.shape(*a).width;
            let down = *low > 0 && !up;
            let up = up.then_some(("one bit up", Op::Slice { a: *a, low: low + 1 }));
            let down = down.then_some(("one bit down", Op::Slice { a: *a, low: low.saturating_sub(1) }));
            up.into_iter().chain(down).collect()
        }
        Op::Concat(parts) => {
            // Neighbours of equal width swap places.
            let swap =
                parts.windows(2).position(|p| p[0] != p[1] && module.shape(p[0]).width == module.shape(p[1]).width);
            let swapped = swap.map(|at| {
                let mut parts = parts.clone();
                parts.swap(at, at + 1);
                ("two parts swapped", Op::Concat(parts))
            });
            swapped.into_iter().collect()
        }
        Op::Replicate(_) | Op::Extend(_) | Op::Truncate(_) | Op::Reinterpret(_) | Op::ShiftLeftConst { .. } => vec![],
    }
}
