//! Building a module: ports, state, memories, instances. Operations are in `builder_ops`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::error::{NetlistError, Problem};
use super::module::{Instance, InstanceOutput, Module, ModulePort, Net, NetInfo, Operation, Ram, RamShape, Register};
use super::op::{MAX_NET_BITS, NetId, Op, Shape};

/// The first error of a builder, shared with the `Outputs` it handed out.
type FirstError = Rc<RefCell<Option<NetlistError>>>;

/// Stands for the result of a failed call; any use of it is an error too.
const NOWHERE: NetId = NetId(u32::MAX);

/// Builds one module.
///
/// No call panics. The first broken rule is kept and returned by `finish`; calls after it
/// still return nets of the right shape, so a generator needs no error handling of its own.
/// Names live in one namespace a module: ports, nets, registers and instances.
#[derive(Debug)]
pub struct ModuleBuilder {
    module: Module,
    pending: Vec<PendingRegister>,
    /// Combinational paths of the modules that were instantiated, by name.
    paths: BTreeMap<String, Vec<Vec<usize>>>,
    error: FirstError,
}

#[derive(Debug)]
struct PendingRegister {
    net: NetId,
    driven: Option<(NetId, Option<NetId>, Option<u64>)>,
}

/// The outputs of an instance, by port name.
#[derive(Debug)]
pub struct Outputs {
    instance: String,
    of: String,
    nets: Vec<(String, Net)>,
    error: FirstError,
    parent: String,
}

impl Outputs {
    /// The net that the output port `port` drives. An unknown port is an error of the module
    /// that is being built.
    pub fn get(&self, port: &str) -> Net {
        if let Some((_, net)) = self.nets.iter().find(|(name, _)| name == port) {
            return *net;
        }
        let problem = Problem::UnknownPort {
            instance: self.instance.clone(),
            of: self.of.clone(),
            port: port.to_string(),
            direction: "output",
        };
        let error = NetlistError { module: self.parent.clone(), problem };
        self.error.borrow_mut().get_or_insert(error);
        Net { id: NOWHERE, width: 1, signed: false }
    }
}

impl ModuleBuilder {
    /// Starts a module; `doc` becomes the comment above it.
    pub fn new(name: &str, doc: &str) -> Self {
        let module = Module {
            name: name.to_string(),
            doc: doc.to_string(),
            nets: vec![],
            ops: vec![],
            registers: vec![],
            rams: vec![],
            instances: vec![],
            inputs: vec![],
            outputs: vec![],
            ignored: vec![],
        };
        ModuleBuilder { module, pending: vec![], paths: BTreeMap::new(), error: Rc::default() }
    }

    /// Adds an unsigned input port of `width` bits.
    pub fn input(&mut self, name: &str, width: u32, doc: &str) -> Net {
        self.add_input(name, Shape { width, signed: false }, doc)
    }

    /// Adds a two's complement input port of `width` bits.
    pub fn input_signed(&mut self, name: &str, width: u32, doc: &str) -> Net {
        self.add_input(name, Shape { width, signed: true }, doc)
    }

    fn add_input(&mut self, name: &str, shape: Shape, doc: &str) -> Net {
        let net = self.declare(name, true, shape, doc);
        let (name, doc) = (name.to_string(), doc.to_string());
        self.module.inputs.push(ModulePort { name, net: net.id, doc });
        net
    }

    /// Adds an output port that shows `value`, with its width and signedness.
    pub fn output(&mut self, name: &str, value: Net, doc: &str) {
        if self.known(value) {
            let (name, doc) = (name.to_string(), doc.to_string());
            self.module.outputs.push(ModulePort { name, net: value.id, doc });
        }
    }

    /// Gives a net a name and a comment. A net that already has a given name (a port, a
    /// register, a net named before) keeps it and the new name becomes a copy.
    pub fn name(&mut self, net: Net, name: &str, doc: &str) -> Net {
        if !self.known(net) {
            return net;
        }
        if self.module.nets[net.id.index()].named {
            let copy = self.push(Op::Reinterpret(net.id), net.shape());
            return self.name(copy, name, doc);
        }
        let info = &mut self.module.nets[net.id.index()];
        info.name = name.to_string();
        info.named = true;
        info.doc = doc.to_string();
        net
    }

    /// Declares that bits of `net` which nothing reads are meant to be unread. Needed for
    /// inputs only; the Verilog writer takes care of operations, registers and instances.
    pub fn ignore(&mut self, net: Net) {
        if self.known(net) {
            self.module.ignored.push(net.id);
        }
    }

    /// Declares a register, so that its next value may depend on it. `drive` must follow.
    pub fn register(&mut self, name: &str, width: u32, signed: bool, doc: &str) -> Net {
        let net = self.declare(name, true, Shape { width, signed }, doc);
        self.pending.push(PendingRegister { net: net.id, driven: None });
        net
    }

    /// Gives a declared register its next value (of the register's shape), enable (1 bit;
    /// none loads at every edge) and reset value (a bit pattern of at most the register's
    /// width; none ignores reset and powers up unknown). Reset wins over enable.
    pub fn drive(&mut self, register: Net, next: Net, enable: Option<Net>, reset: Option<u64>) {
        if !self.known(register) || !self.known(next) || !enable.is_none_or(|e| self.known(e)) {
            return;
        }
        let operand = self.module.operand(register.id);
        match self.pending.iter_mut().rev().find(|p| p.net == register.id) {
            None => self.fail(Problem::NotARegister { net: operand }),
            Some(PendingRegister { driven: Some(_), .. }) => self.fail(Problem::DrivenTwice { net: operand }),
            Some(pending) => pending.driven = Some((next.id, enable.map(|e| e.id), reset)),
        }
        if register.shape() != next.shape() {
            let (a, b) = (self.module.operand(register.id), self.module.operand(next.id));
            self.fail(Problem::ShapeMismatch { operation: "register", a, b });
        }
    }

    /// Declares and drives a register with the shape of `next`.
    pub fn reg(&mut self, name: &str, next: Net, enable: Option<Net>, reset: Option<u64>, doc: &str) -> Net {
        let register = self.register(name, next.width, next.signed, doc);
        self.drive(register, next, enable, reset);
        register
    }

    /// Declares an unsigned net that `assign` drives later, for instances that see each other's
    /// outputs.
    pub fn wire(&mut self, name: &str, width: u32, doc: &str) -> Net {
        self.declare(name, true, Shape { width, signed: false }, doc)
    }

    /// Drives a net declared with `wire`.
    pub fn assign(&mut self, wire: Net, value: Net) {
        if !self.known(wire) || !self.known(value) {
            return;
        }
        if wire.shape() != value.shape() {
            let (a, b) = (self.module.operand(wire.id), self.module.operand(value.id));
            self.fail(Problem::ShapeMismatch { operation: "assign", a, b });
        }
        self.module.ops.push(Operation { result: wire.id, op: Op::Reinterpret(value.id) });
    }

    /// Adds a memory of `depth` words of `width` bits with one write and one read port and
    /// returns its read data, named `<name>_rdata`; the instance is called `u_<name>`.
    ///
    /// Addresses are unsigned and exactly `address_bits(depth)` wide. The read data shows the
    /// word from the edge with `read_enable` on and holds it until the next such edge. Reading
    /// a word at the edge that writes it, or beyond `depth`, gives an unspecified value: the
    /// user of the memory avoids it, the simulator counts it (`Simulator::hazards`).
    #[allow(clippy::too_many_arguments)]
    pub fn ram(
        &mut self,
        name: &str,
        depth: u32,
        width: u32,
        write_enable: Net,
        write_address: Net,
        write_data: Net,
        read_enable: Net,
        read_address: Net,
        doc: &str,
    ) -> Net {
        let shape = Shape { width, signed: false };
        let read_data = self.declare(&format!("{name}_rdata"), true, shape, doc);
        let inputs = [write_enable, write_address, write_data, read_enable, read_address];
        if !(RamShape { depth, width }).is_possible() {
            self.fail(Problem::BadMemory { name: name.to_string(), depth, width });
        }
        if inputs.iter().all(|&n| self.known(n)) {
            self.module.rams.push(Ram {
                name: name.to_string(),
                shape: RamShape { depth, width },
                write_enable: write_enable.id,
                write_address: write_address.id,
                write_data: write_data.id,
                read_enable: read_enable.id,
                read_address: read_address.id,
                read_data: read_data.id,
                doc: doc.to_string(),
            });
        }
        read_data
    }

    /// Adds an instance of `module`, connecting the named inputs; clock and reset follow by
    /// themselves. Its output nets are called `<instance>_<port>` unless `name` renames them.
    pub fn instance(&mut self, name: &str, module: &Module, inputs: &[(&str, Net)]) -> Outputs {
        let connected = self.connect(name, module, inputs);
        let known = self.paths.get(&module.name).filter(|p| p.len() == module.outputs.len());
        let paths = known.cloned().unwrap_or_else(|| module.combinational_inputs());
        self.paths.insert(module.name.clone(), paths.clone());
        let mut nets = vec![];
        let mut outputs = vec![];
        for (port, depends_on) in module.outputs.iter().zip(paths) {
            let net_name = format!("{name}_{}", port.name);
            let net = self.declare(&net_name, false, module.shape(port.net), &port.doc);
            nets.push((port.name.clone(), net));
            outputs.push(InstanceOutput { port: port.name.clone(), net: net.id, depends_on });
        }
        self.module.instances.push(Instance {
            name: name.to_string(),
            module: module.name.clone(),
            inputs: connected,
            outputs,
            clocked: module.is_clocked(),
            resettable: module.is_resettable(),
        });
        Outputs {
            instance: name.to_string(),
            of: module.name.clone(),
            nets,
            error: Rc::clone(&self.error),
            parent: self.module.name.clone(),
        }
    }

    fn connect(&mut self, instance: &str, module: &Module, inputs: &[(&str, Net)]) -> Vec<(String, NetId)> {
        let (instance, of) = (instance.to_string(), module.name.clone());
        for (i, (port, _)) in inputs.iter().enumerate() {
            let (instance, of, port) = (instance.clone(), of.clone(), port.to_string());
            if module.input(&port).is_none() {
                self.fail(Problem::UnknownPort { instance, of, port, direction: "input" });
            } else if inputs[..i].iter().any(|(earlier, _)| *earlier == port) {
                self.fail(Problem::ConnectedTwice { instance, port });
            }
        }
        let mut connected = vec![];
        for port in &module.inputs {
            let (instance, of, name) = (instance.clone(), of.clone(), port.name.clone());
            let Some(&(_, net)) = inputs.iter().find(|(n, _)| *n == port.name) else {
                self.fail(Problem::MissingConnection { instance, of, port: name });
                continue;
            };
            if !self.known(net) {
                continue;
            }
            let expected = module.shape(port.net);
            if net.shape() != expected {
                let found = self.module.operand(net.id);
                self.fail(Problem::ConnectionShape { instance, port: name, expected, found });
                continue;
            }
            connected.push((name, net.id));
        }
        connected
    }

    /// Ends the module: the first error met, or the module with every rule checked.
    pub fn finish(mut self) -> Result<Module, NetlistError> {
        for pending in std::mem::take(&mut self.pending) {
            match pending.driven {
                None => {
                    let net = self.module.operand(pending.net);
                    self.fail(Problem::Undriven { net });
                }
                Some((next, enable, reset)) => {
                    self.module.registers.push(Register { net: pending.net, next, enable, reset });
                }
            }
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        self.separate_generated_names();
        self.module.check()?;
        Ok(self.module)
    }

    /// Generated names give way to given ones.
    fn separate_generated_names(&mut self) {
        let module = &mut self.module;
        let mut taken: BTreeSet<String> = BTreeSet::new();
        taken.extend(module.outputs.iter().map(|p| p.name.clone()));
        taken.extend(module.instances.iter().map(|i| i.name.clone()));
        taken.extend(module.rams.iter().map(|r| r.instance_name()));
        taken.extend(module.nets.iter().filter(|n| n.named).map(|n| n.name.clone()));
        for net in module.nets.iter_mut().filter(|n| !n.named) {
            while !taken.insert(net.name.clone()) {
                net.name.push('_');
            }
        }
    }

    pub(super) fn fail(&mut self, problem: Problem) {
        let error = NetlistError { module: self.module.name.clone(), problem };
        self.error.borrow_mut().get_or_insert(error);
    }

    /// Whether a handle is this module's; records the error otherwise.
    pub(super) fn known(&mut self, net: Net) -> bool {
        let known = self.module.nets.get(net.id.index()).is_some_and(|n| n.shape == net.shape());
        if !known {
            self.fail(Problem::UnknownNet { id: net.id.0 });
        }
        known
    }

    pub(super) fn declare(&mut self, name: &str, named: bool, shape: Shape, doc: &str) -> Net {
        let id = NetId(self.module.nets.len() as u32);
        if !(1..=MAX_NET_BITS).contains(&shape.width) {
            self.fail(Problem::BadWidth { name: name.to_string(), width: shape.width });
        }
        let (name, doc) = (name.to_string(), doc.to_string());
        self.module.nets.push(NetInfo { name, named, shape, doc });
        Net { id, width: shape.width, signed: shape.signed }
    }

    /// Appends an operation whose result is expected to be of `shape`.
    pub(super) fn push(&mut self, op: Op, shape: Shape) -> Net {
        let name = format!("{}_{}", op.stem(), self.module.nets.len());
        let result = self.declare(&name, false, shape, "");
        let operands: Vec<_> = op.operands().into_iter().map(|id| self.module.operand(id)).collect();
        let unknown = operands.iter().zip(op.operands()).find(|(o, _)| o.shape.width == 0);
        if let Some((_, id)) = unknown {
            self.fail(Problem::UnknownNet { id: id.0 });
        } else if let Err(problem) = super::rule::check(&op, &operands, &self.module.operand(result.id)) {
            self.fail(problem);
        }
        self.module.ops.push(Operation { result: result.id, op });
        result
    }
}
