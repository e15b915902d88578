//! The code the simulator runs: one 64-bit word a value.
//!
//! A net of up to 64 bits is one word, sign-extended if the net is signed and zero-extended
//! otherwise, so sums, products, comparisons and extensions need no masks. A wider net is a run
//! of words, lowest first, the last zero-extended.

/// What a run of instructions does. `a`, `b`, `c` are positions of words unless stated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Code {
    /// `a`
    Copy,
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a & b`
    And,
    /// `a | b`
    Or,
    /// `a ^ b`
    Xor,
    /// `a == b`
    Eq,
    /// `a != b`
    Ne,
    /// `a < b`, unsigned
    LtUnsigned,
    /// `a < b`, signed
    LtSigned,
    /// Parity of `a << c`, `c` a number.
    Parity,
    /// `a` is set: `b`, else `c`.
    Mux,
    /// Word number `a` of a table that starts at `b` and whose last entry is `c`.
    Select,
    /// `a << b`, kept to the bits below `64 - c` (`c` a number).
    ShlUnsigned,
    /// As `ShlUnsigned`, sign-extended.
    ShlSigned,
    /// `a >> b`, zeros enter.
    ShrUnsigned,
    /// `a >> b`, sign bits enter.
    ShrSigned,
    /// `(a << up) >> down`, zeros enter; `c` is a `Field`.
    Field,
    /// `(a << up) >> down`, sign bits enter; `c` is a `Field`.
    FieldSigned,
    /// `a | (((b << up) >> down) << at)`; `c` is a `Field`.
    Deposit,
}

/// Bits of a word, packed into an operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Field(pub(super) u32);

impl Field {
    /// Bits `low .. low + width` (`width` 1 to 64), to be put at bit `at`.
    pub(super) fn new(low: u32, width: u32, at: u32) -> Field {
        Field((64 - low - width) | ((64 - width) << 8) | (at << 16))
    }

    pub(super) fn up(self) -> u32 {
        self.0 & 63
    }

    pub(super) fn down(self) -> u32 {
        (self.0 >> 8) & 63
    }

    pub(super) fn at(self) -> u32 {
        (self.0 >> 16) & 63
    }

    /// The bits of a word, moved to their place.
    pub(super) fn of(self, word: u64) -> u64 {
        ((word << self.up()) >> self.down()) << self.at()
    }
}

/// Operands of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Operands {
    pub(super) a: u32,
    pub(super) b: u32,
    pub(super) c: u32,
}

/// Instructions `start .. end` of one kind; their results go to consecutive words from `to` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) code: Code,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) to: u32,
}

/// A program: runs in order.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) runs: Vec<Run>,
    pub(super) operands: Vec<Operands>,
    /// Positions of words, for `Code::Select`.
    pub(super) tables: Vec<u32>,
}

impl Program {
    /// Computes every word the program defines.
    pub(super) fn run(&self, words: &mut [u64]) {
        for run in &self.runs {
            let operands = &self.operands[run.start as usize..run.end as usize];
            self.step(run.code, operands, run.to as usize, words);
        }
    }

    fn step(&self, code: Code, operands: &[Operands], to: usize, w: &mut [u64]) {
        macro_rules! each {
            (|$a:ident, $b:ident, $c:ident| $value:expr) => {
                for (i, operands) in operands.iter().enumerate() {
                    let ($a, $b, $c) = (operands.a as usize, operands.b as usize, operands.c as usize);
                    w[to + i] = $value;
                }
            };
        }
        match code {
            Code::Copy => each!(|a, _b, _c| w[a]),
            Code::Add => each!(|a, b, _c| w[a].wrapping_add(w[b])),
            Code::Sub => each!(|a, b, _c| w[a].wrapping_sub(w[b])),
            Code::Mul => each!(|a, b, _c| w[a].wrapping_mul(w[b])),
            Code::And => each!(|a, b, _c| w[a] & w[b]),
            Code::Or => each!(|a, b, _c| w[a] | w[b]),
            Code::Xor => each!(|a, b, _c| w[a] ^ w[b]),
            Code::Eq => each!(|a, b, _c| u64::from(w[a] == w[b])),
            Code::Ne => each!(|a, b, _c| u64::from(w[a] != w[b])),
            Code::LtUnsigned => each!(|a, b, _c| u64::from(w[a] < w[b])),
            Code::LtSigned => each!(|a, b, _c| u64::from((w[a] as i64) < (w[b] as i64))),
            Code::Parity => each!(|a, _b, c| u64::from((w[a] << (c & 63)).count_ones() & 1)),
            Code::Mux => each!(|a, b, c| {
                let (when_true, when_false) = (w[b], w[c]);
                let mask = 0u64.wrapping_sub(w[a]);
                (when_true & mask) | (when_false & !mask)
            }),
            Code::Select => each!(|a, b, c| {
                let at = (w[a].min((c - b) as u64)) as usize + b;
                w[self.tables[at] as usize]
            }),
            Code::ShlUnsigned => each!(|a, b, c| (shl(w[a], w[b]) << (c & 63)) >> (c & 63)),
            Code::ShlSigned => {
                each!(|a, b, c| (((shl(w[a], w[b]) << (c & 63)) as i64) >> (c & 63)) as u64)
            }
            Code::ShrUnsigned => each!(|a, b, _c| if w[b] < 64 { w[a] >> w[b] } else { 0 }),
            Code::ShrSigned => each!(|a, b, _c| ((w[a] as i64) >> w[b].min(63)) as u64),
            Code::Field => each!(|a, _b, c| {
                let field = Field(c as u32);
                (w[a] << field.up()) >> field.down()
            }),
            Code::FieldSigned => each!(|a, _b, c| {
                let field = Field(c as u32);
                (((w[a] << field.up()) as i64) >> field.down()) as u64
            }),
            Code::Deposit => each!(|a, b, c| w[a] | Field(c as u32).of(w[b])),
        }
    }
}

fn shl(word: u64, amount: u64) -> u64 {
    if amount < 64 { word << amount } else { 0 }
}
