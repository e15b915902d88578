//! Whether a module is a netlist: names, shapes, drivers, loops.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{NetlistError, Operand, Problem};
use super::module::{Driver, Module, RamShape};
use super::op::{MAX_NET_BITS, NetId, Shape};
use super::{name, rule};

impl Module {
    /// Checks every rule of a single module: names, operand and result shapes, exactly one
    /// driver a net, no combinational loop (a net counts as a whole, not bit by bit).
    pub fn check(&self) -> Result<(), NetlistError> {
        self.check_all().map_err(|problem| NetlistError { module: self.name.clone(), problem })
    }

    fn check_all(&self) -> Result<(), Problem> {
        self.check_names()?;
        self.check_references()?;
        for operation in &self.ops {
            let operands: Vec<Operand> = operation.op.operands().into_iter().map(|id| self.operand(id)).collect();
            rule::check(&operation.op, &operands, &self.operand(operation.result))?;
        }
        self.check_state()?;
        let drivers = self.drivers()?;
        self.combinational_order(&drivers)?;
        Ok(())
    }

    fn check_names(&self) -> Result<(), Problem> {
        name::check(&self.name)?;
        let nets = self.nets.iter().map(|n| n.name.clone());
        let outputs = self.outputs.iter().map(|p| p.name.clone());
        let instances = self.instances.iter().map(|i| i.name.clone());
        let rams = self.rams.iter().map(|r| r.instance_name());
        let mut seen = BTreeSet::new();
        for name in nets.chain(outputs).chain(instances).chain(rams) {
            name::check(&name)?;
            if !seen.insert(name.clone()) {
                return Err(Problem::DuplicateName { name });
            }
        }
        Ok(())
    }

    fn check_references(&self) -> Result<(), Problem> {
        let operations = self.ops.iter().flat_map(|o| {
            let mut ids = o.op.operands();
            ids.push(o.result);
            ids
        });
        let registers = self.registers.iter().flat_map(|r| [r.net, r.next].into_iter().chain(r.enable));
        let rams = self.rams.iter().flat_map(|r| r.inputs().into_iter().chain([r.read_data]));
        let instances =
            self.instances.iter().flat_map(|i| i.inputs.iter().map(|p| p.1).chain(i.outputs.iter().map(|o| o.net)));
        let ports = self.inputs.iter().chain(&self.outputs).map(|p| p.net);
        let all = operations.chain(registers).chain(rams).chain(instances).chain(ports);
        for id in all.chain(self.ignored.iter().copied()) {
            if id.index() >= self.nets.len() {
                return Err(Problem::UnknownNet { id: id.0 });
            }
        }
        match self.nets.iter().find(|n| !(1..=MAX_NET_BITS).contains(&n.shape.width)) {
            Some(net) => Err(Problem::BadWidth { name: net.name.clone(), width: net.shape.width }),
            None => Ok(()),
        }
    }

    fn check_state(&self) -> Result<(), Problem> {
        for register in &self.registers {
            let shape = self.shape(register.net);
            if self.shape(register.next) != shape {
                return Err(Problem::ShapeMismatch {
                    operation: "register",
                    a: self.operand(register.net),
                    b: self.operand(register.next),
                });
            }
            if let Some(enable) = register.enable {
                self.expect("register", "an enable", "1 unsigned bit", enable, 1)?;
            }
            if let Some(value) = register.reset
                && shape.width < 64
                && value >> shape.width != 0
            {
                return Err(Problem::ValueTooLarge { value: value.to_string(), shape });
            }
        }
        for ram in &self.rams {
            let RamShape { depth, width } = ram.shape;
            if !ram.shape.is_possible() {
                return Err(Problem::BadMemory { name: ram.name.clone(), depth, width });
            }
            let address = ram.shape.address_bits();
            let address_text = "exactly the unsigned bits that its depth needs";
            let word_text = "exactly one unsigned word";
            self.expect("ram", "a write enable", "1 unsigned bit", ram.write_enable, 1)?;
            self.expect("ram", "a read enable", "1 unsigned bit", ram.read_enable, 1)?;
            self.expect("ram", "a write address", address_text, ram.write_address, address)?;
            self.expect("ram", "a read address", address_text, ram.read_address, address)?;
            self.expect("ram", "write data", word_text, ram.write_data, width)?;
            self.expect("ram", "read data", word_text, ram.read_data, width)?;
        }
        Ok(())
    }

    fn expect(
        &self,
        operation: &'static str,
        role: &'static str,
        expected: &'static str,
        id: NetId,
        width: u32,
    ) -> Result<(), Problem> {
        match self.shape(id) == (Shape { width, signed: false }) {
            true => Ok(()),
            false => Err(Problem::WrongOperand { operation, role, expected, found: self.operand(id) }),
        }
    }

    /// The one driver of every net, by net.
    pub fn drivers(&self) -> Result<Vec<Driver>, Problem> {
        let inputs = self.inputs.iter().enumerate().map(|(i, p)| (p.net, Driver::Input(i)));
        let ops = self.ops.iter().enumerate().map(|(i, o)| (o.result, Driver::Op(i)));
        let registers = self.registers.iter().enumerate().map(|(i, r)| (r.net, Driver::Register(i)));
        let rams = self.rams.iter().enumerate().map(|(i, r)| (r.read_data, Driver::Ram(i)));
        let instances = self.instances.iter().enumerate().flat_map(|(i, instance)| {
            let outputs = instance.outputs.iter().enumerate();
            outputs.map(move |(k, o)| (o.net, Driver::Instance(i, k)))
        });
        let mut drivers = vec![None; self.nets.len()];
        for (net, driver) in inputs.chain(ops).chain(registers).chain(rams).chain(instances) {
            if drivers[net.index()].replace(driver).is_some() {
                return Err(Problem::DrivenTwice { net: self.operand(net) });
            }
        }
        let named = drivers
            .into_iter()
            .enumerate()
            .map(|(i, driver)| driver.ok_or_else(|| Problem::Undriven { net: self.operand(NetId(i as u32)) }));
        named.collect()
    }

    /// Nets that a net depends on within the same cycle.
    fn sources(&self, driver: Driver) -> Vec<NetId> {
        match driver {
            Driver::Input(_) | Driver::Register(_) | Driver::Ram(_) => vec![],
            Driver::Op(i) => self.ops[i].op.operands(),
            Driver::Instance(i, k) => {
                let instance = &self.instances[i];
                let inputs = instance.outputs[k].depends_on.iter();
                inputs.filter_map(|&n| instance.inputs.get(n).map(|p| p.1)).collect()
            }
        }
    }

    /// All nets ordered so that each follows what it depends on within a cycle.
    pub fn combinational_order(&self, drivers: &[Driver]) -> Result<Vec<NetId>, Problem> {
        let sources: Vec<Vec<NetId>> = drivers.iter().map(|&d| self.sources(d)).collect();
        order(&sources).map_err(|nets| Problem::CombinationalLoop {
            nets: nets.into_iter().map(|id| self.operand(id).name).collect(),
        })
    }

    /// For each output port, the input ports (by index) that reach it within a cycle.
    /// Empty lists where the module does not pass `check`.
    pub fn combinational_inputs(&self) -> Vec<Vec<usize>> {
        let (reach, nets) = match self.drivers() {
            Ok(drivers) => match self.combinational_order(&drivers) {
                Ok(order) => (drivers, order),
                Err(_) => return vec![vec![]; self.outputs.len()],
            },
            Err(_) => return vec![vec![]; self.outputs.len()],
        };
        let mut inputs: BTreeMap<NetId, BTreeSet<usize>> = BTreeMap::new();
        for net in nets {
            let driver = reach[net.index()];
            let mut set = BTreeSet::new();
            if let Driver::Input(i) = driver {
                set.insert(i);
            }
            for source in self.sources(driver) {
                set.extend(inputs.get(&source).into_iter().flatten());
            }
            if !set.is_empty() {
                inputs.insert(net, set);
            }
        }
        let of = |net| inputs.get(&net).map(|s| s.iter().copied().collect()).unwrap_or_default();
        self.outputs.iter().map(|p| of(p.net)).collect()
    }
}

/// Orders nodes after their sources, otherwise by index; the error is a loop.
pub(crate) fn order(sources: &[Vec<NetId>]) -> Result<Vec<NetId>, Vec<NetId>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; sources.len()];
    let mut result = Vec::with_capacity(sources.len());
    let mut stack: Vec<(usize, usize)> = vec![];
    for root in 0..sources.len() {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::Open;
        stack.push((root, 0));
        while let Some((node, next)) = stack.pop() {
            let Some(&source) = sources[node].get(next) else {
                marks[node] = Mark::Done;
                result.push(NetId(node as u32));
                continue;
            };
            stack.push((node, next + 1));
            match marks[source.index()] {
                Mark::Done => {}
                Mark::New => {
                    marks[source.index()] = Mark::Open;
                    stack.push((source.index(), 0));
                }
                Mark::Open => {
                    let path = stack.iter().map(|s| NetId(s.0 as u32));
                    let mut path: Vec<NetId> = path.skip_while(|&n| n != source).collect();
                    path.push(source);
                    return Err(path);
                }
            }
        }
    }
    Ok(result)
}
