//! What of a module appears in the text: which nets get a declaration, how wide, which bits
//! nothing reads.

use std::collections::BTreeSet;

use super::table::Table;
use crate::netlist::wiring::{self, Nets, Piece};
use crate::netlist::{Driver, Module, NetId, Op, Shape};

/// A generated net of moved bits used more than once is declared when it has more pieces.
const SHARED_PIECES: usize = 3;

/// One operand of a written expression: the bits the text refers to.
pub(super) type Pieces = Vec<Piece>;

/// The plan of one module.
pub(super) struct Plan<'a> {
    pub(super) module: &'a Module,
    pub(super) drivers: Vec<Driver>,
    /// All nets in an order in which they can be declared.
    pub(super) order: Vec<NetId>,
    /// The net is an origin: it has a name in the text, or its expression is written in place.
    origin: Vec<bool>,
    /// Bits of the net that are computed (fewer than the net has where nothing reads the rest
    /// of a generated net), by net; 0 for nets that do not appear.
    pub(super) width: Vec<u32>,
    /// How often the text refers to the net.
    references: Vec<u32>,
    /// The bits that the last reference takes, as `(low, width)`.
    last: Vec<(u32, u32)>,
    /// The net stands alone right of an assignment somewhere.
    pub(super) assigned: Vec<bool>,
    /// Bits read, by net.
    read: Vec<Vec<bool>>,
    /// The different tables that nets look up, written as functions.
    pub(super) tables: Vec<Table>,
}

impl Nets for Plan<'_> {
    fn shape(&self, net: NetId) -> Shape {
        self.module.shape(net)
    }

    fn wiring(&self, net: NetId) -> Option<&Op> {
        match self.origin[net.index()] {
            true => None,
            false => self.op(net),
        }
    }
}

impl<'a> Plan<'a> {
    /// Plans a module; `None` if it does not pass `Module::check`.
    pub(super) fn new(module: &'a Module) -> Option<Plan<'a>> {
        let drivers = module.drivers().ok()?;
        let order = module.combinational_order(&drivers).ok()?;
        let count = module.nets.len();
        let mut plan = Plan {
            module,
            drivers,
            order,
            origin: vec![true; count],
            width: vec![0; count],
            references: vec![0; count],
            last: vec![(0, 0); count],
            assigned: vec![false; count],
            read: module.nets.iter().map(|n| vec![false; n.shape.width as usize]).collect(),
            tables: vec![],
        };
        plan.choose_origins();
        plan.trace_reads();
        for net in plan.order.clone() {
            if let Some(table) = Table::of(&plan, net)
                && !plan.tables.contains(&table)
            {
                plan.tables.push(table);
            }
        }
        Some(plan)
    }

    /// The operation that drives a net.
    pub(super) fn op(&self, net: NetId) -> Option<&'a Op> {
        match self.drivers[net.index()] {
            Driver::Op(i) => Some(&self.module.ops[i].op),
            _ => None,
        }
    }

    pub(super) fn named(&self, net: NetId) -> bool {
        self.module.nets[net.index()].named
    }

    /// Moved bits are written where they are used, unless they have a name or the text would
    /// repeat something long.
    fn choose_origins(&mut self) {
        let mut uses = vec![0u32; self.module.nets.len()];
        for operation in &self.module.ops {
            for operand in operation.op.operands() {
                uses[operand.index()] += 1;
            }
        }
        for (sink, _) in sinks(self.module) {
            uses[sink.index()] += 1;
        }
        for &net in &self.order.clone() {
            let Some(op) = self.op(net).filter(|op| op.is_wiring()) else { continue };
            if self.named(net) {
                continue;
            }
            let long = wiring::result(self, op, self.shape(net).width).len() > SHARED_PIECES;
            self.origin[net.index()] = long && uses[net.index()] > 1;
        }
    }

    /// Walks from what is always written back to what it reads.
    fn trace_reads(&mut self) {
        for (sink, assigned) in sinks(self.module) {
            self.reference(&wiring::whole(self, sink), assigned);
        }
        for &net in self.order.clone().iter().rev() {
            let index = net.index();
            let full = self.shape(net).width;
            let Some(op) = self.op(net) else {
                self.width[index] = full;
                continue;
            };
            let read = self.read[index].iter().rposition(|&r| r).map_or(0, |top| top as u32 + 1);
            self.width[index] = match (self.named(net), self.origin[index]) {
                (true, _) => full,
                (false, false) => 0,
                (false, true) if read > 0 && !cuttable(op) => full,
                (false, true) => read,
            };
            if self.width[index] > 0 {
                for operand in self.operands(net) {
                    self.reference(&operand, op.is_wiring());
                }
                if let Op::Select { index, choices } = op
                    && choices.len() > 2
                    && Table::of(self, net).is_none()
                {
                    // Its bits are written more than once.
                    self.reference(&wiring::whole(self, *index), false);
                }
            }
        }
    }

    fn reference(&mut self, pieces: &[Piece], assigned: bool) {
        for piece in pieces {
            let (net, low, width) = match *piece {
                Piece::Net { net, low, width } => (net.index(), low, width),
                Piece::Repeat { net, bit, .. } => (net.index(), bit, 1),
                Piece::Constant { .. } => continue,
            };
            for bit in low..low + width {
                self.read[net][bit as usize] = true;
            }
            self.references[net] += 1;
            self.last[net] = (low, width);
            self.assigned[net] |= assigned && pieces.len() == 1 && matches!(piece, Piece::Net { .. });
        }
    }

    /// Whether the expression of the net may be written where the net is used: there is one
    /// such place and it takes all computed bits.
    pub(super) fn used_once(&self, net: NetId) -> bool {
        let whole = self.last[net.index()] == (0, self.width[net.index()]);
        self.references[net.index()] == 1 && whole && !self.named(net)
    }

    /// The tables as functions.
    pub(super) fn functions(&self) -> String {
        self.tables.iter().enumerate().map(|(place, table)| table.text(place) + "\n").collect()
    }

    /// The operands of the expression for a net as they are written.
    pub(super) fn operands(&self, net: NetId) -> Vec<Pieces> {
        let Some(op) = self.op(net) else { return vec![] };
        let width = self.width[net.index()];
        let whole = |a: NetId| wiring::whole(self, a);
        let resized = |a: NetId| wiring::resized(self, a, width);
        match op {
            Op::Not(a) | Op::Negate(a) => vec![resized(*a)],
            Op::And(a, b) | Op::Or(a, b) | Op::Xor(a, b) | Op::Add(a, b) | Op::Sub(a, b) => {
                vec![resized(*a), resized(*b)]
            }
            // As narrow as they are: the product gets its width from the assignment.
            Op::Mul(a, b) => [a, b].map(|&x| wiring::bits(self, x, 0, self.shape(x).width.min(width))).to_vec(),
            Op::Eq(a, b) | Op::Ne(a, b) => vec![whole(*a), whole(*b)],
            Op::Lt(a, b) => {
                let width = self.shape(*a).width.max(self.shape(*b).width);
                [a, b].map(|&x| wiring::resized(self, x, width)).to_vec()
            }
            Op::ReduceOr(a) | Op::ReduceAnd(a) | Op::ReduceXor(a) => vec![whole(*a)],
            Op::Mux { select, when_true, when_false } => {
                vec![whole(*select), resized(*when_true), resized(*when_false)]
            }
            Op::Select { index, choices } => {
                // The only choice needs no index.
                let mut all = vec![if choices.len() == 1 { vec![] } else { whole(*index) }];
                all.extend(choices.iter().map(|&c| resized(c)));
                all
            }
            Op::ShiftLeft { a, amount } => vec![resized(*a), whole(*amount)],
            Op::ShiftRight { a, amount } => vec![whole(*a), whole(*amount)],
            wires => vec![wiring::result(self, wires, width)],
        }
    }

    /// The bits of a net that nothing reads, as `(low, width)`, lowest first.
    pub(super) fn unread(&self, net: NetId) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = vec![];
        let width = self.width[net.index()];
        for bit in (0..width).filter(|&b| !self.read[net.index()][b as usize]) {
            match runs.last_mut() {
                Some((low, width)) if *low + *width == bit => *width += 1,
                _ => runs.push((bit, 1)),
            }
        }
        runs
    }
}

/// Whether the low bits of the result need only the low bits of the operands.
fn cuttable(op: &Op) -> bool {
    match op {
        Op::Not(_) | Op::And(..) | Op::Or(..) | Op::Xor(..) => true,
        Op::Add(..) | Op::Sub(..) | Op::Mul(..) | Op::Negate(_) => true,
        Op::Mux { .. } | Op::Select { .. } | Op::ShiftLeft { .. } => true,
        op => op.is_wiring(),
    }
}

/// The nets read by ports, state and instances, with whether the text assigns them.
fn sinks(module: &Module) -> Vec<(NetId, bool)> {
    let next = module.registers.iter().map(|r| (r.next, true));
    // An enable is written once for all registers with a reset, once for all without.
    let enables = module.registers.iter().filter_map(|r| Some((r.enable?, r.reset.is_some())));
    let enables = enables.collect::<BTreeSet<_>>().into_iter().map(|e| (e.0, false));
    let rams = module.rams.iter().flat_map(|r| r.inputs()).map(|n| (n, false));
    let instances = module.instances.iter().flat_map(|i| i.inputs.iter().map(|p| (p.1, false)));
    let outputs = module.outputs.iter().map(|p| (p.net, true));
    next.chain(enables).chain(rams).chain(instances).chain(outputs).collect()
}
