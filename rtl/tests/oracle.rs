//! The netlist simulator against a bit-by-bit evaluation of the same modules: every operation
//! alone and random networks with state; both forms of the simulator. Needs no external tools.

#[allow(dead_code)] // The test bench is for `operators.rs`.
#[path = "operators/generate.rs"]
mod generate;

use bitmosaic_rtl::netlist::{Design, Driver, Module, NetId, Op};
use bitmosaic_rtl::simulate::Simulator;
use generate::Stimulus;

const WARM_UP: usize = 320;
const CYCLES: usize = WARM_UP + 60;

/// Bits of a value, lowest first.
type Bits = Vec<bool>;

#[test]
fn the_simulator_agrees_with_bit_by_bit_evaluation() {
    for seed in [3, 50] {
        let design = generate::design(seed);
        for module in design.modules_in_order().iter().filter(|m| m.instances.is_empty()) {
            compare(module, seed);
        }
    }
}

fn compare(module: &Module, seed: u64) {
    let design = Design::new(module.clone(), vec![]).unwrap();
    let mut simulator = Simulator::new(&design, seed).unwrap();
    let mut native = Simulator::new(&design, seed).unwrap();
    assert_eq!(native.compile(), cfg!(feature = "compiled"), "native code");
    let stimulus = Stimulus::new(module, CYCLES, WARM_UP, seed);
    let mut oracle = Oracle::new(module);
    for cycle in 0..CYCLES {
        for (name, value) in stimulus.inputs(cycle) {
            oracle.set(name, value);
            if let Some(port) = simulator.input(name) {
                simulator.set_wide(port, value);
                native.set_wide(port, value);
            }
        }
        oracle.settle();
        simulator.settle();
        native.settle();
        for port in module.outputs.iter().filter(|_| cycle >= WARM_UP) {
            let found = simulator.get_wide(&simulator.output(&port.name).unwrap());
            let expected = words(&oracle.values[port.net.index()]);
            assert_eq!(found, expected, "{} {} ({}) in cycle {cycle}", module.name, port.name, port.doc);
            let found = native.get_wide(&native.output(&port.name).unwrap());
            assert_eq!(found, expected, "{} {} ({}), native, cycle {cycle}", module.name, port.name, port.doc);
        }
        // Nets that no output needs, too.
        for net in module.nets.iter().filter(|net| net.named) {
            let [plain, found] = [&simulator, &native].map(|s| s.probe(&net.name).map(|probe| s.get_wide(&probe)));
            assert_eq!(found, plain, "{} {}, native, cycle {cycle}", module.name, net.name);
        }
        oracle.edge();
        simulator.edge();
        native.edge();
    }
    assert_eq!((simulator.hazards(), native.hazards()), (0, 0));
}

fn words(bits: &[bool]) -> Vec<u64> {
    bits.chunks(64).map(|word| word.iter().rev().fold(0, |w, &bit| w << 1 | u64::from(bit))).collect()
}

fn bits(words: &[u64], width: u32) -> Bits {
    (0..width).map(|i| words[i as usize / 64] >> (i % 64) & 1 == 1).collect()
}

/// A module without instances, as bits.
struct Oracle<'a> {
    module: &'a Module,
    order: Vec<NetId>,
    drivers: Vec<Driver>,
    values: Vec<Bits>,
    memories: Vec<Vec<Bits>>,
    reset: bool,
}

impl<'a> Oracle<'a> {
    fn new(module: &'a Module) -> Oracle<'a> {
        let drivers = module.drivers().unwrap();
        let memories = module.rams.iter();
        Oracle {
            module,
            order: module.combinational_order(&drivers).unwrap(),
            drivers,
            values: module.nets.iter().map(|n| vec![false; n.shape.width as usize]).collect(),
            memories: memories.map(|r| vec![vec![false; r.shape.width as usize]; r.shape.depth as usize]).collect(),
            reset: false,
        }
    }

    fn set(&mut self, name: &str, value: &[u64]) {
        match self.module.input(name) {
            None => self.reset = value[0] == 1,
            Some(port) => {
                self.values[port.net.index()] = bits(value, self.module.shape(port.net).width);
            }
        }
    }

    fn settle(&mut self) {
        for &net in &self.order {
            if let Driver::Op(i) = self.drivers[net.index()] {
                self.values[net.index()] = self.evaluate(&self.module.ops[i].op, net);
            }
        }
    }

    fn edge(&mut self) {
        let is = |net: NetId| self.values[net.index()][0];
        let number = |net: NetId| words(&self.values[net.index()])[0] as usize;
        let mut next = vec![];
        for register in &self.module.registers {
            let width = self.module.shape(register.net).width;
            match (self.reset, register.reset) {
                (true, Some(value)) => next.push((register.net, bits(&[value, 0, 0, 0, 0], width))),
                _ if register.enable.is_none_or(is) => {
                    next.push((register.net, self.values[register.next.index()].clone()));
                }
                _ => {}
            }
        }
        for (ram, memory) in self.module.rams.iter().zip(&self.memories) {
            if is(ram.read_enable) {
                next.push((ram.read_data, memory[number(ram.read_address)].clone()));
            }
        }
        let mut writes = vec![];
        for ram in &self.module.rams {
            let write = (number(ram.write_address), self.values[ram.write_data.index()].clone());
            writes.push(is(ram.write_enable).then_some(write));
        }
        for (memory, write) in self.memories.iter_mut().zip(writes) {
            if let Some((address, word)) = write {
                memory[address] = word;
            }
        }
        for (net, value) in next {
            self.values[net.index()] = value;
        }
    }

    fn evaluate(&self, op: &Op, net: NetId) -> Bits {
        let shape = self.module.shape(net);
        let width = shape.width as usize;
        let of = |a: &NetId| self.values[a.index()].clone();
        let is = |a: &NetId| self.values[a.index()][0];
        let resized = |a: &NetId, width: usize| {
            let mut value = of(a);
            let fill = self.module.shape(*a).signed && value[value.len() - 1];
            value.resize(width, fill);
            value
        };
        let zip = |a: &NetId, b: &NetId, f: fn(bool, bool) -> bool| {
            of(a).into_iter().zip(of(b)).map(|(a, b)| f(a, b)).collect()
        };
        match op {
            Op::Constant(value) => bits(&[*value], shape.width),
            Op::Not(a) => of(a).into_iter().map(|bit| !bit).collect(),
            Op::And(a, b) => zip(a, b, |a, b| a && b),
            Op::Or(a, b) => zip(a, b, |a, b| a || b),
            Op::Xor(a, b) => zip(a, b, |a, b| a != b),
            Op::ReduceOr(a) => vec![of(a).contains(&true)],
            Op::ReduceAnd(a) => vec![!of(a).contains(&false)],
            Op::ReduceXor(a) => vec![of(a).iter().filter(|&&bit| bit).count() % 2 == 1],
            Op::Add(a, b) => sum(&resized(a, width), &resized(b, width), false),
            Op::Sub(a, b) => sum(&resized(a, width), &inverted(&resized(b, width)), true),
            Op::Negate(a) => sum(&vec![false; width], &inverted(&resized(a, width)), true),
            Op::Mul(a, b) => {
                let (a, b) = (resized(a, width), resized(b, width));
                let mut product = vec![false; width];
                for i in (0..width).filter(|&i| b[i]) {
                    product = sum(&product, &moved_up(&a, i), false);
                }
                product
            }
            Op::Eq(a, b) => vec![of(a) == of(b)],
            Op::Ne(a, b) => vec![of(a) != of(b)],
            Op::Lt(a, b) => {
                let width = of(a).len().max(of(b).len()) + 1;
                let difference = sum(&resized(a, width), &inverted(&resized(b, width)), true);
                vec![difference[width - 1]]
            }
            Op::Mux { select, when_true, when_false } => of(if is(select) { when_true } else { when_false }),
            Op::Select { index, choices } => of(&choices[(words(&of(index))[0] as usize).min(choices.len() - 1)]),
            Op::ShiftLeft { a, amount } => moved_up(&resized(a, width), words(&of(amount))[0] as usize),
            Op::ShiftRight { a, amount } => {
                let amount = words(&of(amount))[0] as usize;
                let long = resized(a, width + amount.min(width));
                long[amount.min(width)..].to_vec()
            }
            Op::Slice { a, low } => of(a)[*low as usize..*low as usize + width].to_vec(),
            Op::Concat(parts) => parts.iter().flat_map(of).collect(),
            Op::Replicate(a) => vec![is(a); width],
            Op::Extend(a) | Op::Truncate(a) | Op::Reinterpret(a) => resized(a, width),
            Op::ShiftLeftConst { a, amount } => {
                let mut value = vec![false; *amount as usize];
                value.extend(of(a));
                value
            }
        }
    }
}

fn inverted(a: &[bool]) -> Bits {
    a.iter().map(|bit| !bit).collect()
}

fn moved_up(a: &[bool], amount: usize) -> Bits {
    (0..a.len()).map(|i| i >= amount && a[i - amount]).collect()
}

fn sum(a: &[bool], b: &[bool], mut carry: bool) -> Bits {
    let bits = a.iter().zip(b).map(|(&a, &b)| {
        let bit = a ^ b ^ carry;
        carry = (a && b) || (carry && (a || b));
        bit
    });
    bits.collect()
}
