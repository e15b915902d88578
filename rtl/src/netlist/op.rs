//! Operations and their width rules.

/// Index of a net in its module.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct NetId(pub u32);

impl NetId {
    /// As an index into `Module::nets`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Width in bits and signedness of a net.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Number of bits, at least 1.
    pub width: u32,
    /// Two's complement.
    pub signed: bool,
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.width == 1 { "" } else { "s" };
        let sign = if self.signed { "signed" } else { "unsigned" };
        write!(f, "{} bit{plural}, {sign}", self.width)
    }
}

/// Widest operand and result of arithmetic and logic, in bits.
pub const MAX_ARITHMETIC_BITS: u32 = 64;

/// Widest net, in bits.
pub const MAX_NET_BITS: u32 = 1 << 20;

/// All ones in the low `width` bits; `width` up to 64.
pub fn low_mask(width: u32) -> u64 {
    match width {
        0 => 0,
        1..=63 => (1 << width) - 1,
        _ => u64::MAX,
    }
}

/// An operation. Each drives one net, whose shape the rules below fix.
///
/// In the rules `w` is a width, `s` a signedness, `max` the larger operand width.
/// Arithmetic, logic, comparisons, muxes and dynamic shifts take at most 64 bits; the
/// operations that only move bits (from `Slice` on) take any width.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// The low `w` bits of the value; at most 64 bits.
    Constant(u64),
    /// Bitwise complement: `w`, `s` of the operand.
    Not(NetId),
    /// Bitwise and of equal shapes.
    And(NetId, NetId),
    /// Bitwise or of equal shapes.
    Or(NetId, NetId),
    /// Bitwise exclusive or of equal shapes.
    Xor(NetId, NetId),
    /// 1 if any bit is set; 1 bit.
    ReduceOr(NetId),
    /// 1 if every bit is set; 1 bit.
    ReduceAnd(NetId),
    /// Parity; 1 bit.
    ReduceXor(NetId),
    /// Sum without loss: `max + 1` bits, `s` of both.
    Add(NetId, NetId),
    /// Difference without loss: `max + 1` bits, signed.
    Sub(NetId, NetId),
    /// Product without loss: sum of widths, `s` of both.
    Mul(NetId, NetId),
    /// Minus the operand: `w + 1` bits, signed.
    Negate(NetId),
    /// Equality of equal shapes; 1 bit.
    Eq(NetId, NetId),
    /// Inequality of equal shapes; 1 bit.
    Ne(NetId, NetId),
    /// First below second, equal signedness; 1 bit.
    Lt(NetId, NetId),
    /// One of two equal shapes.
    Mux {
        /// 1 bit.
        select: NetId,
        /// Result where `select` is 1.
        when_true: NetId,
        /// Result where `select` is 0.
        when_false: NetId,
    },
    /// One of several equal shapes; an index beyond the last takes the last.
    Select {
        /// Unsigned, at most 32 bits.
        index: NetId,
        /// 1 to `2^w(index)` nets.
        choices: Vec<NetId>,
    },
    /// `a` extended or cut to the result width, then moved up; zeros enter. `s` of `a`.
    ShiftLeft {
        /// The value.
        a: NetId,
        /// Unsigned, at most 32 bits; amounts from the result width on give 0.
        amount: NetId,
    },
    /// `a` moved down, sign bits (signed) or zeros (unsigned) enter. Shape of `a`.
    ShiftRight {
        /// The value.
        a: NetId,
        /// Unsigned, at most 32 bits.
        amount: NetId,
    },
    /// The bits from `low` on; unsigned.
    Slice {
        /// The value.
        a: NetId,
        /// First bit taken.
        low: u32,
    },
    /// The parts joined, lowest bits first; sum of widths, unsigned.
    Concat(Vec<NetId>),
    /// A single bit repeated; unsigned.
    Replicate(NetId),
    /// Zero- or sign-extension by the operand's signedness, which stays.
    Extend(NetId),
    /// The low bits; the signedness stays.
    Truncate(NetId),
    /// The same bits, signed or unsigned as the result says.
    Reinterpret(NetId),
    /// Zeros below: `w + amount` bits, `s` of the operand.
    ShiftLeftConst {
        /// The value.
        a: NetId,
        /// Number of zero bits.
        amount: u32,
    },
}

impl Op {
    /// Short name, as in error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Op::Constant(_) => "constant",
            Op::Not(_) => "not",
            Op::And(..) => "and",
            Op::Or(..) => "or",
            Op::Xor(..) => "xor",
            Op::ReduceOr(_) => "reduce_or",
            Op::ReduceAnd(_) => "reduce_and",
            Op::ReduceXor(_) => "reduce_xor",
            Op::Add(..) => "add",
            Op::Sub(..) => "sub",
            Op::Mul(..) => "mul",
            Op::Negate(_) => "negate",
            Op::Eq(..) => "eq",
            Op::Ne(..) => "ne",
            Op::Lt(..) => "lt",
            Op::Mux { .. } => "mux",
            Op::Select { .. } => "select",
            Op::ShiftLeft { .. } => "shift_left",
            Op::ShiftRight { .. } => "shift_right",
            Op::Slice { .. } => "slice",
            Op::Concat(_) => "concat",
            Op::Replicate(_) => "replicate",
            Op::Extend(_) => "extend",
            Op::Truncate(_) => "truncate",
            Op::Reinterpret(_) => "reinterpret",
            Op::ShiftLeftConst { .. } => "shift_left_const",
        }
    }

    /// Stem of the generated name of the result, e.g. `sum`.
    pub(super) fn stem(&self) -> &'static str {
        match self {
            Op::Constant(_) => "constant",
            Op::Not(_) => "inverted",
            Op::And(..) | Op::ReduceAnd(_) => "all",
            Op::Or(..) | Op::ReduceOr(_) => "any",
            Op::Xor(..) => "differing",
            Op::ReduceXor(_) => "parity",
            Op::Add(..) => "sum",
            Op::Sub(..) => "difference",
            Op::Mul(..) => "product",
            Op::Negate(_) => "negated",
            Op::Eq(..) => "equal",
            Op::Ne(..) => "unequal",
            Op::Lt(..) => "below",
            Op::Mux { .. } => "choice",
            Op::Select { .. } => "selected",
            Op::ShiftLeft { .. } | Op::ShiftLeftConst { .. } => "shifted_up",
            Op::ShiftRight { .. } => "shifted_down",
            Op::Slice { .. } | Op::Truncate(_) => "part",
            Op::Concat(_) => "joined",
            Op::Replicate(_) => "repeated",
            Op::Extend(_) => "extended",
            Op::Reinterpret(_) => "copy",
        }
    }

    /// Whether the operation only moves bits (and then takes any width).
    pub fn is_wiring(&self) -> bool {
        matches!(
            self,
            Op::Constant(_)
                | Op::Slice { .. }
                | Op::Concat(_)
                | Op::Replicate(_)
                | Op::Extend(_)
                | Op::Truncate(_)
                | Op::Reinterpret(_)
                | Op::ShiftLeftConst { .. }
        )
    }

    /// The operands in order.
    pub fn operands(&self) -> Vec<NetId> {
        match self {
            Op::Constant(_) => vec![],
            Op::Not(a)
            | Op::ReduceOr(a)
            | Op::ReduceAnd(a)
            | Op::ReduceXor(a)
            | Op::Negate(a)
            | Op::Slice { a, .. }
            | Op::Replicate(a)
            | Op::Extend(a)
            | Op::Truncate(a)
            | Op::Reinterpret(a)
            | Op::ShiftLeftConst { a, .. } => vec![*a],
            Op::And(a, b)
            | Op::Or(a, b)
            | Op::Xor(a, b)
            | Op::Add(a, b)
            | Op::Sub(a, b)
            | Op::Mul(a, b)
            | Op::Eq(a, b)
            | Op::Ne(a, b)
            | Op::Lt(a, b)
            | Op::ShiftLeft { a, amount: b }
            | Op::ShiftRight { a, amount: b } => vec![*a, *b],
            Op::Mux { select, when_true, when_false } => vec![*select, *when_true, *when_false],
            Op::Select { index, choices } => {
                let mut all = vec![*index];
                all.extend(choices);
                all
            }
            Op::Concat(parts) => parts.clone(),
        }
    }

    /// The same operation on renumbered operands.
    pub fn map_operands(&self, mut f: impl FnMut(NetId) -> NetId) -> Op {
        match self {
            Op::Constant(value) => Op::Constant(*value),
            Op::Not(a) => Op::Not(f(*a)),
            Op::And(a, b) => Op::And(f(*a), f(*b)),
            Op::Or(a, b) => Op::Or(f(*a), f(*b)),
            Op::Xor(a, b) => Op::Xor(f(*a), f(*b)),
            Op::ReduceOr(a) => Op::ReduceOr(f(*a)),
            Op::ReduceAnd(a) => Op::ReduceAnd(f(*a)),
            Op::ReduceXor(a) => Op::ReduceXor(f(*a)),
            Op::Add(a, b) => Op::Add(f(*a), f(*b)),
            Op::Sub(a, b) => Op::Sub(f(*a), f(*b)),
            Op::Mul(a, b) => Op::Mul(f(*a), f(*b)),
            Op::Negate(a) => Op::Negate(f(*a)),
            Op::Eq(a, b) => Op::Eq(f(*a), f(*b)),
            Op::Ne(a, b) => Op::Ne(f(*a), f(*b)),
            Op::Lt(a, b) => Op::Lt(f(*a), f(*b)),
            Op::Mux { select, when_true, when_false } => {
                Op::Mux { select: f(*select), when_true: f(*when_true), when_false: f(*when_false) }
            }
            Op::Select { index, choices } => {
                Op::Select { index: f(*index), choices: choices.iter().map(|&c| f(c)).collect() }
            }
            Op::ShiftLeft { a, amount } => Op::ShiftLeft { a: f(*a), amount: f(*amount) },
            Op::ShiftRight { a, amount } => Op::ShiftRight { a: f(*a), amount: f(*amount) },
            Op::Slice { a, low } => Op::Slice { a: f(*a), low: *low },
            Op::Concat(parts) => Op::Concat(parts.iter().map(|&p| f(p)).collect()),
            Op::Replicate(a) => Op::Replicate(f(*a)),
            Op::Extend(a) => Op::Extend(f(*a)),
            Op::Truncate(a) => Op::Truncate(f(*a)),
            Op::Reinterpret(a) => Op::Reinterpret(f(*a)),
            Op::ShiftLeftConst { a, amount } => Op::ShiftLeftConst { a: f(*a), amount: *amount },
        }
    }
}
