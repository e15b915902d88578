//! Building a module: the operations.

use super::builder::ModuleBuilder;
use super::error::Problem;
use super::module::Net;
use super::op::{NetId, Op, Shape, low_mask};

fn unsigned(width: u32) -> Shape {
    Shape { width, signed: false }
}

impl ModuleBuilder {
    /// An unsigned constant of `width` bits, which must hold `value`. Wider than 64 bits is
    /// zero-extended.
    pub fn constant(&mut self, value: u64, width: u32) -> Net {
        if width > 64 {
            let low = self.constant(value, 64);
            return self.extend(low, width);
        }
        self.push(Op::Constant(value), unsigned(width))
    }

    /// A two's complement constant of `width` bits, which must hold `value`. Wider than 64
    /// bits is sign-extended.
    pub fn constant_signed(&mut self, value: i64, width: u32) -> Net {
        if width > 64 {
            let low = self.constant_signed(value, 64);
            return self.extend(low, width);
        }
        let shape = Shape { width, signed: true };
        let above = 64 - width.clamp(1, 64);
        if (value << above) >> above != value {
            self.fail(Problem::ValueTooLarge { value: value.to_string(), shape });
        }
        self.push(Op::Constant(value as u64 & low_mask(width)), shape)
    }

    /// Bitwise complement; at most 64 bits.
    pub fn not(&mut self, a: Net) -> Net {
        self.unary(Op::Not, a, a.shape())
    }

    /// Bitwise and of nets of equal width and signedness, at most 64 bits.
    pub fn and(&mut self, a: Net, b: Net) -> Net {
        self.binary(Op::And, a, b, a.shape())
    }

    /// Bitwise or of nets of equal width and signedness, at most 64 bits.
    pub fn or(&mut self, a: Net, b: Net) -> Net {
        self.binary(Op::Or, a, b, a.shape())
    }

    /// Bitwise exclusive or of nets of equal width and signedness, at most 64 bits.
    pub fn xor(&mut self, a: Net, b: Net) -> Net {
        self.binary(Op::Xor, a, b, a.shape())
    }

    /// 1 bit: some bit of `a` (at most 64) is set.
    pub fn reduce_or(&mut self, a: Net) -> Net {
        self.unary(Op::ReduceOr, a, unsigned(1))
    }

    /// 1 bit: every bit of `a` (at most 64) is set.
    pub fn reduce_and(&mut self, a: Net) -> Net {
        self.unary(Op::ReduceAnd, a, unsigned(1))
    }

    /// 1 bit: an odd number of bits of `a` (at most 64) is set.
    pub fn reduce_xor(&mut self, a: Net) -> Net {
        self.unary(Op::ReduceXor, a, unsigned(1))
    }

    /// And of 1-bit nets; 1 for none.
    pub fn and_all(&mut self, bits: &[Net]) -> Net {
        match bits {
            [] => self.constant(1, 1),
            [first, rest @ ..] => rest.iter().fold(*first, |all, &bit| self.and(all, bit)),
        }
    }

    /// Or of 1-bit nets; 0 for none.
    pub fn or_all(&mut self, bits: &[Net]) -> Net {
        match bits {
            [] => self.constant(0, 1),
            [first, rest @ ..] => rest.iter().fold(*first, |any, &bit| self.or(any, bit)),
        }
    }

    /// Sum of nets of equal signedness: one bit wider than the wider, so never an overflow.
    pub fn add(&mut self, a: Net, b: Net) -> Net {
        let shape = Shape { width: a.width.max(b.width).saturating_add(1), signed: a.signed };
        self.binary(Op::Add, a, b, shape)
    }

    /// Difference `a - b` of nets of equal signedness: one bit wider than the wider, signed.
    pub fn sub(&mut self, a: Net, b: Net) -> Net {
        let shape = Shape { width: a.width.max(b.width).saturating_add(1), signed: true };
        self.binary(Op::Sub, a, b, shape)
    }

    /// Product of nets of equal signedness, as wide as both together.
    pub fn mul(&mut self, a: Net, b: Net) -> Net {
        let shape = Shape { width: a.width.saturating_add(b.width), signed: a.signed };
        self.binary(Op::Mul, a, b, shape)
    }

    /// Minus `a`: one bit wider, signed.
    pub fn negate(&mut self, a: Net) -> Net {
        self.unary(Op::Negate, a, Shape { width: a.width.saturating_add(1), signed: true })
    }

    /// 1 bit: `a` equals `b`; equal width and signedness.
    pub fn eq(&mut self, a: Net, b: Net) -> Net {
        self.binary(Op::Eq, a, b, unsigned(1))
    }

    /// 1 bit: `a` differs from `b`; equal width and signedness.
    pub fn ne(&mut self, a: Net, b: Net) -> Net {
        self.binary(Op::Ne, a, b, unsigned(1))
    }

    /// 1 bit: `a < b` as numbers; equal signedness, any two widths up to 64.
    pub fn lt(&mut self, a: Net, b: Net) -> Net {
        self.binary(Op::Lt, a, b, unsigned(1))
    }

    /// One of two nets of equal width and signedness (at most 64 bits) by a 1-bit `select`.
    pub fn mux(&mut self, select: Net, when_true: Net, when_false: Net) -> Net {
        let known = self.known(select) && self.known(when_true) && self.known(when_false);
        let op = match known {
            true => Op::Mux { select: select.id, when_true: when_true.id, when_false: when_false.id },
            false => Op::Constant(0),
        };
        self.push(op, when_true.shape())
    }

    /// The choice with number `index`, a balanced tree of 2-way choices in Verilog.
    ///
    /// 1 to `2^width(index)` choices of equal width and signedness, at most 64 bits; `index`
    /// is unsigned with at most 32 bits. An index beyond the last choice gives the last.
    pub fn select(&mut self, index: Net, choices: &[Net]) -> Net {
        let known = self.known(index) && choices.iter().all(|&c| self.known(c));
        let shape = choices.first().map_or(unsigned(1), |c| c.shape());
        let op = match known {
            true => Op::Select { index: index.id, choices: choices.iter().map(|c| c.id).collect() },
            false => Op::Constant(0),
        };
        self.push(op, shape)
    }

    /// Bits `low .. low + width` of a net of any width; unsigned.
    pub fn slice(&mut self, a: Net, low: u32, width: u32) -> Net {
        self.unary(|a| Op::Slice { a, low }, a, unsigned(width))
    }

    /// Bit `i` of a net of any width; unsigned.
    pub fn bit(&mut self, a: Net, i: u32) -> Net {
        self.slice(a, i, 1)
    }

    /// The parts joined, the first in the lowest bits; any widths; unsigned.
    pub fn concat(&mut self, parts_low_first: &[Net]) -> Net {
        let known = parts_low_first.iter().all(|&p| self.known(p));
        let width = parts_low_first.iter().fold(0u32, |sum, p| sum.saturating_add(p.width));
        let op = match known {
            true => Op::Concat(parts_low_first.iter().map(|p| p.id).collect()),
            false => Op::Constant(0),
        };
        self.push(op, unsigned(width.max(1)))
    }

    /// A 1-bit net repeated `n` times; unsigned.
    pub fn replicate(&mut self, a: Net, n: u32) -> Net {
        self.unary(Op::Replicate, a, unsigned(n))
    }

    /// `a` in `width` bits (no fewer than it has), zero- or sign-extended by its signedness,
    /// which stays.
    pub fn extend(&mut self, a: Net, width: u32) -> Net {
        match width == a.width {
            true => a,
            false => self.unary(Op::Extend, a, Shape { width, signed: a.signed }),
        }
    }

    /// The low `width` bits of `a` (no more than it has); the signedness stays.
    pub fn truncate(&mut self, a: Net, width: u32) -> Net {
        match width == a.width {
            true => a,
            false => self.unary(Op::Truncate, a, Shape { width, signed: a.signed }),
        }
    }

    /// The same bits as a two's complement number.
    pub fn as_signed(&mut self, a: Net) -> Net {
        match a.signed {
            true => a,
            false => self.unary(Op::Reinterpret, a, Shape { width: a.width, signed: true }),
        }
    }

    /// The same bits as an unsigned number.
    pub fn as_unsigned(&mut self, a: Net) -> Net {
        match a.signed {
            true => self.unary(Op::Reinterpret, a, unsigned(a.width)),
            false => a,
        }
    }

    /// `a * 2^n`: `n` bits wider, signedness of `a`.
    pub fn shift_left_const(&mut self, a: Net, n: u32) -> Net {
        let shape = Shape { width: a.width.saturating_add(n), signed: a.signed };
        match n {
            0 => a,
            _ => self.unary(|a| Op::ShiftLeftConst { a, amount: n }, a, shape),
        }
    }

    /// `a * 2^amount` modulo `2^width`: `a` extended (or cut) to `width` bits, at most 64,
    /// then moved up with zeros entering. `amount` is unsigned with at most 32 bits; amounts
    /// from `width` on give 0. Signedness of `a`.
    pub fn shift_left(&mut self, a: Net, amount: Net, width: u32) -> Net {
        let shape = Shape { width, signed: a.signed };
        self.binary(|a, amount| Op::ShiftLeft { a, amount }, a, amount, shape)
    }

    /// `a / 2^amount` rounded down, in the shape of `a` (at most 64 bits). `amount` is
    /// unsigned with at most 32 bits; amounts from the width on leave only sign bits or zeros.
    pub fn shift_right(&mut self, a: Net, amount: Net) -> Net {
        self.binary(|a, amount| Op::ShiftRight { a, amount }, a, amount, a.shape())
    }

    fn unary(&mut self, op: impl FnOnce(NetId) -> Op, a: Net, shape: Shape) -> Net {
        let op = match self.known(a) {
            true => op(a.id),
            false => Op::Constant(0),
        };
        self.push(op, shape)
    }

    fn binary(&mut self, op: impl FnOnce(NetId, NetId) -> Op, a: Net, b: Net, shape: Shape) -> Net {
        let op = match self.known(a) && self.known(b) {
            true => op(a.id, b.id),
            false => Op::Constant(0),
        };
        self.push(op, shape)
    }
}
