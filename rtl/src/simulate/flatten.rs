//! A design without hierarchy: one list of nets, each with what drives it.

use std::collections::BTreeMap;

use crate::netlist::wiring::Nets;
use crate::netlist::{Design, Module, NetId, NetlistError, Op, Problem, RESET, Ram, Register, Shape};

/// The flattened design. Net ids are positions in `shapes`.
#[derive(Debug)]
pub(super) struct Flat {
    pub(super) shapes: Vec<Shape>,
    /// The operation that drives a net; a port of an instance is a copy of the net behind it.
    /// `None` for inputs of the top, registers and read data.
    pub(super) ops: Vec<Option<Op>>,
    /// Nets with a given name, which must keep a value.
    pub(super) named: Vec<bool>,
    pub(super) registers: Vec<Register>,
    pub(super) rams: Vec<Ram>,
    /// `rst_i` of the top, if it has one.
    pub(super) reset: Option<NetId>,
    /// The top first.
    pub(super) scopes: Vec<Scope>,
}

/// One instance of a module.
#[derive(Debug)]
pub(super) struct Scope {
    /// Nets and output ports.
    names: BTreeMap<String, NetId>,
    pub(super) children: BTreeMap<String, usize>,
    /// Ports, then nets with a given name, which the Verilog text has too.
    pub(super) shown: Vec<(String, NetId)>,
    /// Registers of the module, as names.
    registers: Vec<String>,
    /// Positions in `rams` of those of the module.
    rams: std::ops::Range<usize>,
}

impl Nets for Flat {
    fn shape(&self, net: NetId) -> Shape {
        self.shapes[net.index()]
    }

    fn wiring(&self, net: NetId) -> Option<&Op> {
        self.ops[net.index()].as_ref().filter(|op| op.is_wiring())
    }
}

impl Flat {
    /// Flattens a design that passes `Design::check`.
    pub(super) fn new(design: &Design) -> Result<Flat, NetlistError> {
        design.check()?;
        let mut flat = Flat {
            shapes: vec![],
            ops: vec![],
            named: vec![],
            registers: vec![],
            rams: vec![],
            reset: None,
            scopes: vec![],
        };
        flat.add(design, design.top())?;
        if design.top().is_resettable() {
            let net = flat.declare(Shape { width: 1, signed: false }, true);
            flat.reset = Some(net);
            flat.scopes[0].names.insert(RESET.to_string(), net);
            flat.scopes[0].shown.insert(0, (RESET.to_string(), net));
        }
        Ok(flat)
    }

    fn declare(&mut self, shape: Shape, named: bool) -> NetId {
        let id = NetId(self.shapes.len() as u32);
        self.shapes.push(shape);
        self.ops.push(None);
        self.named.push(named);
        id
    }

    /// Adds the module and everything below it; its scope and the position of its first net.
    fn add(&mut self, design: &Design, module: &Module) -> Result<(usize, u32), NetlistError> {
        let base = self.shapes.len() as u32;
        let at = |net: NetId| NetId(base + net.0);
        for net in &module.nets {
            self.declare(net.shape, net.named);
        }
        for operation in &module.ops {
            self.ops[at(operation.result).index()] = Some(operation.op.map_operands(at));
        }
        self.registers.extend(module.registers.iter().map(|r| Register {
            net: at(r.net),
            next: at(r.next),
            enable: r.enable.map(at),
            reset: r.reset,
        }));
        let first_ram = self.rams.len();
        self.rams.extend(module.rams.iter().map(|r| Ram {
            write_enable: at(r.write_enable),
            write_address: at(r.write_address),
            write_data: at(r.write_data),
            read_enable: at(r.read_enable),
            read_address: at(r.read_address),
            read_data: at(r.read_data),
            ..r.clone()
        }));
        let nets = module.nets.iter().enumerate();
        let nets = nets.map(|(i, net)| (net.name.clone(), at(NetId(i as u32))));
        let outputs = module.outputs.iter().map(|p| (p.name.clone(), at(p.net)));
        let registers = module.registers.iter();
        let ports = module.inputs.iter().chain(&module.outputs).map(|p| (p.name.clone(), at(p.net)));
        let inner = (0..module.nets.len() as u32).filter(|i| module.inputs.iter().all(|p| p.net.0 != *i));
        let inner = inner.map(|i| (&module.nets[i as usize], at(NetId(i)))).filter(|(net, _)| net.named);
        let shown = ports.chain(inner.map(|(net, id)| (net.name.clone(), id))).collect();
        let scope = self.scopes.len();
        self.scopes.push(Scope {
            names: nets.chain(outputs).collect(),
            children: BTreeMap::new(),
            shown,
            registers: registers.map(|r| module.nets[r.net.index()].name.clone()).collect(),
            rams: first_ram..self.rams.len(),
        });
        for instance in &module.instances {
            let Some(child) = design.module(&instance.module) else {
                let (instance, of) = (instance.name.clone(), instance.module.clone());
                let problem = Problem::UnknownModule { instance, of };
                return Err(NetlistError { module: module.name.clone(), problem });
            };
            let (child_scope, child_base) = self.add(design, child)?;
            self.scopes[scope].children.insert(instance.name.clone(), child_scope);
            for (port, (_, net)) in child.inputs.iter().zip(&instance.inputs) {
                let inside = child_base + port.net.0;
                self.ops[inside as usize] = Some(Op::Reinterpret(at(*net)));
            }
            for (port, output) in child.outputs.iter().zip(&instance.outputs) {
                let inside = NetId(child_base + port.net.0);
                self.ops[at(output.net).index()] = Some(Op::Reinterpret(inside));
            }
        }
        Ok((scope, base))
    }

    /// The net at a path of instance names and a net, port or register name, joined by dots.
    pub(super) fn find(&self, path: &str) -> Option<NetId> {
        let mut scope = &self.scopes[0];
        let mut rest = path;
        while let Some((instance, below)) = rest.split_once('.') {
            scope = &self.scopes[*scope.children.get(instance)?];
            rest = below;
        }
        scope.names.get(rest).copied()
    }

    /// Paths and nets of all registers, a module's own before its instances'.
    pub(super) fn register_paths(&self) -> Vec<(String, NetId)> {
        let own = |scope: &Scope| -> Vec<(String, NetId)> {
            scope.registers.iter().filter_map(|n| Some((n.clone(), *scope.names.get(n)?))).collect()
        };
        self.paths(own)
    }

    /// Paths of all memories, likewise, with their positions in `rams`.
    pub(super) fn ram_paths(&self) -> Vec<(String, usize)> {
        self.paths(|scope| scope.rams.clone().map(|ram| (self.rams[ram].name.clone(), ram)).collect())
    }

    /// What each scope has, by path.
    fn paths<T>(&self, own: impl Fn(&Scope) -> Vec<(String, T)>) -> Vec<(String, T)> {
        let mut paths = vec![];
        let mut stack = vec![(String::new(), 0)];
        while let Some((prefix, scope)) = stack.pop() {
            let scope = &self.scopes[scope];
            paths.extend(own(scope).into_iter().map(|(name, of)| (format!("{prefix}{name}"), of)));
            let children = scope.children.iter().rev();
            stack.extend(children.map(|(name, &child)| (format!("{prefix}{name}."), child)));
        }
        paths
    }
}
