//! From the flattened netlist to words and instructions.
//!
//! Wiring costs nothing where it only renames: extensions in the signedness of their operand
//! are the operand, slices and joins are resolved to fields of the words they come from.
//! Equal instructions are made once; those on constants are evaluated here.

use std::collections::BTreeMap;

use super::flatten::Flat;
use super::run::{Code, Field, Operands, Program, Run};
use crate::netlist::wiring::{self, Nets, Piece};
use crate::netlist::{NetId, Op, Shape, low_mask};

/// A word while compiling: a source (input, state, constant) or the result of an instruction.
pub(super) type Word = u32;

/// Words, in the order they were made.
#[derive(Debug)]
pub(super) enum Origin {
    /// Set from outside or by a clock edge.
    Source,
    Constant(u64),
    Instruction(Code, Operands),
}

/// The compiled netlist, still in terms of `Word`s of the compiler.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    pub(super) words: Vec<Origin>,
    made: BTreeMap<(Code, Operands), Word>,
    constants: BTreeMap<u64, Word>,
    pub(super) tables: Vec<u32>,
    known_tables: BTreeMap<Vec<Word>, u32>,
    /// First word of a net that is an origin of bits.
    origins: Vec<Option<Word>>,
    /// Words of narrow wiring nets already made.
    narrow: BTreeMap<NetId, Word>,
}

impl Compiler {
    /// Compiles the live nets in `order`; everything they depend on comes before them.
    pub(super) fn new(flat: &Flat, order: &[NetId]) -> Compiler {
        let origins = vec![None; flat.shapes.len()];
        let mut compiler = Compiler { origins, ..Compiler::default() };
        for &net in order {
            let word = match &flat.ops[net.index()] {
                None => {
                    let first = compiler.words.len() as Word;
                    let count = flat.shape(net).width.div_ceil(64);
                    compiler.words.extend((0..count).map(|_| Origin::Source));
                    first
                }
                Some(op) if op.is_wiring() => continue,
                Some(op) => compiler.operation(flat, op, flat.shape(net)),
            };
            compiler.origins[net.index()] = Some(word);
        }
        compiler
    }

    /// The first word of a net that is an origin of bits; `None` for wiring and dead nets.
    pub(super) fn origin(&self, net: NetId) -> Option<Word> {
        self.origins[net.index()]
    }

    /// Whether the word changes only from outside or at a clock edge.
    pub(super) fn is_source(&self, word: Word) -> bool {
        matches!(self.words[word as usize], Origin::Source)
    }

    pub(super) fn constant(&mut self, value: u64) -> Word {
        let words = &mut self.words;
        *self.constants.entry(value).or_insert_with(|| {
            words.push(Origin::Constant(value));
            words.len() as Word - 1
        })
    }

    /// A word of its own with the value of another.
    pub(super) fn copy(&mut self, word: Word) -> Word {
        self.words.push(Origin::Instruction(Code::Copy, Operands { a: word, b: word, c: word }));
        self.words.len() as Word - 1
    }

    fn emit(&mut self, code: Code, a: Word, b: Word, c: u32) -> Word {
        if code == Code::Mux
            && let Origin::Constant(select) = self.words[a as usize]
        {
            return if select == 0 { c } else { b };
        }
        if let Some(value) = self.evaluate(code, a, b, c) {
            return self.constant(value);
        }
        let operands = Operands { a, b, c };
        let words = &mut self.words;
        *self.made.entry((code, operands)).or_insert_with(|| {
            words.push(Origin::Instruction(code, operands));
            words.len() as Word - 1
        })
    }

    /// The value of an instruction on constants.
    fn evaluate(&self, code: Code, a: Word, b: Word, c: u32) -> Option<u64> {
        let value = |word: Word| match self.words[word as usize] {
            Origin::Constant(value) => Some(value),
            _ => None,
        };
        if matches!(code, Code::Select | Code::Mux) {
            return None;
        }
        let mut words = [value(a)?, value(b)?, 0];
        let run = Run { code, start: 0, end: 1, to: 2 };
        let operands = vec![Operands { a: 0, b: 1, c }];
        Program { runs: vec![run], operands, tables: vec![] }.run(&mut words);
        Some(words[2])
    }

    /// The word of a net of up to 64 bits, extended by its signedness.
    pub(super) fn narrow(&mut self, flat: &Flat, net: NetId) -> Word {
        if let Some(word) = self.origins[net.index()].or(self.narrow.get(&net).copied()) {
            return word;
        }
        let word = self.gather(flat, &wiring::whole(flat, net), flat.shape(net));
        self.narrow.insert(net, word);
        word
    }

    /// The words of a net of any width, zero-extended if it is wider than 64 bits.
    pub(super) fn wide(&mut self, flat: &Flat, net: NetId) -> Vec<Word> {
        let width = flat.shape(net).width;
        if width <= 64 {
            return vec![self.narrow(flat, net)];
        }
        let limbs = (0..width).step_by(64).map(|low| (low, (width - low).min(64)));
        let words = limbs.map(|(low, width)| {
            let pieces = wiring::bits(flat, net, low, width);
            self.gather(flat, &pieces, Shape { width, signed: false })
        });
        words.collect()
    }

    /// Joins pieces of up to 64 bits together to one word of the given shape.
    fn gather(&mut self, flat: &Flat, pieces: &[Piece], shape: Shape) -> Word {
        let rest = &pieces[..pieces.len().saturating_sub(1)];
        match (pieces.last(), rest.last()) {
            // Zeros on top: a number that is not negative, whatever the shape.
            (Some(Piece::Constant { value: 0, .. }), Some(_)) => {
                let width = rest.iter().map(|p| p.width()).sum();
                self.gather(flat, rest, Shape { width, signed: false })
            }
            // The sign repeated on top: a narrower signed number.
            (Some(&Piece::Repeat { net, bit, .. }), Some(&Piece::Net { net: n, low, width }))
                if n == net && low + width == bit + 1 =>
            {
                let width = rest.iter().map(|p| p.width()).sum();
                let word = self.gather(flat, rest, Shape { width, signed: true });
                match shape.signed {
                    true => word,
                    false => self.field(word, 0, shape.width, false),
                }
            }
            (Some(&Piece::Net { net, low, width }), None) => {
                if flat.shape(net) == shape && width == shape.width {
                    return self.origins[net.index()].unwrap_or(0);
                }
                let parts = self.split(flat, &[Piece::Net { net, low, width }]);
                match &parts[..] {
                    &[Piece::Net { net, low, width }] => {
                        let word = self.limb(net, low);
                        let whole = flat.shape(net).width <= 64 && width == flat.shape(net).width;
                        match whole && flat.shape(net).signed == shape.signed {
                            true => word,
                            false => self.field(word, low % 64, width, shape.signed),
                        }
                    }
                    parts => self.join(flat, parts, shape),
                }
            }
            _ => self.join(flat, pieces, shape),
        }
    }

    fn join(&mut self, flat: &Flat, pieces: &[Piece], shape: Shape) -> Word {
        let (mut at, mut constant, mut deposits) = (0, 0, vec![]);
        for piece in self.split(flat, pieces) {
            match piece {
                Piece::Constant { value, .. } => constant |= value << at,
                Piece::Net { net, low, width } => {
                    deposits.push((self.limb(net, low), Field::new(low % 64, width, at)));
                }
                Piece::Repeat { net, bit, count } => {
                    let word = self.limb(net, bit);
                    let ones = self.field(word, bit % 64, 1, true);
                    deposits.push((ones, Field::new(0, count, at)));
                }
            }
            at += piece.width();
        }
        let mut word = self.constant(constant);
        for (from, field) in deposits {
            let first = constant == 0 && matches!(self.words[word as usize], Origin::Constant(0));
            word = match first && field.at() == 0 {
                true => self.emit(Code::Field, from, from, field.0),
                false => self.emit(Code::Deposit, word, from, field.0),
            };
        }
        match shape.signed {
            true => self.field(word, 0, shape.width, true),
            false => word,
        }
    }

    /// Pieces that stay within one word of a wide net.
    fn split(&self, flat: &Flat, pieces: &[Piece]) -> Vec<Piece> {
        let mut parts = vec![];
        for &piece in pieces {
            let Piece::Net { net, mut low, mut width } = piece else {
                parts.push(piece);
                continue;
            };
            while flat.shape(net).width > 64 && low % 64 + width > 64 {
                let inside = 64 - low % 64;
                parts.push(Piece::Net { net, low, width: inside });
                (low, width) = (low + inside, width - inside);
            }
            parts.push(Piece::Net { net, low, width });
        }
        parts
    }

    fn limb(&self, net: NetId, bit: u32) -> Word {
        self.origins[net.index()].unwrap_or(0) + bit / 64
    }

    fn field(&mut self, word: Word, low: u32, width: u32, signed: bool) -> Word {
        let code = if signed { Code::FieldSigned } else { Code::Field };
        match width {
            64 => word,
            _ => self.emit(code, word, word, Field::new(low, width, 0).0),
        }
    }

    /// All ones as a word of that shape.
    fn ones(&mut self, shape: Shape) -> Word {
        self.constant(if shape.signed { u64::MAX } else { low_mask(shape.width) })
    }

    fn operation(&mut self, flat: &Flat, op: &Op, shape: Shape) -> Word {
        let words: Vec<Word> = op.operands().into_iter().map(|n| self.narrow(flat, n)).collect();
        let two = |this: &mut Self, code| this.emit(code, words[0], words[1], 0);
        match op {
            Op::Not(_) => {
                let ones = self.ones(shape);
                self.emit(Code::Xor, words[0], ones, 0)
            }
            Op::And(..) => two(self, Code::And),
            Op::Or(..) => two(self, Code::Or),
            Op::Xor(..) => two(self, Code::Xor),
            Op::Add(..) => two(self, Code::Add),
            Op::Sub(..) => two(self, Code::Sub),
            Op::Mul(..) => two(self, Code::Mul),
            Op::Eq(..) => two(self, Code::Eq),
            Op::Ne(..) => two(self, Code::Ne),
            Op::Lt(a, _) if flat.shape(*a).signed => two(self, Code::LtSigned),
            Op::Lt(..) => two(self, Code::LtUnsigned),
            Op::Negate(_) => {
                let zero = self.constant(0);
                self.emit(Code::Sub, zero, words[0], 0)
            }
            Op::ReduceOr(_) => {
                let zero = self.constant(0);
                self.emit(Code::Ne, words[0], zero, 0)
            }
            Op::ReduceAnd(a) => {
                let ones = self.ones(flat.shape(*a));
                self.emit(Code::Eq, words[0], ones, 0)
            }
            Op::ReduceXor(a) => {
                let above = 64 - flat.shape(*a).width;
                self.emit(Code::Parity, words[0], words[0], above)
            }
            Op::Mux { .. } => self.emit(Code::Mux, words[0], words[1], words[2]),
            Op::Select { .. } => self.select(words[0], &words[1..]),
            Op::ShiftLeft { .. } => {
                let code = if shape.signed { Code::ShlSigned } else { Code::ShlUnsigned };
                self.emit(code, words[0], words[1], 64 - shape.width)
            }
            Op::ShiftRight { .. } if shape.signed => two(self, Code::ShrSigned),
            Op::ShiftRight { .. } => two(self, Code::ShrUnsigned),
            _ => self.constant(0),
        }
    }

    fn select(&mut self, index: Word, choices: &[Word]) -> Word {
        if let Origin::Constant(index) = self.words[index as usize] {
            return choices[(index as usize).min(choices.len() - 1)];
        }
        if choices.iter().all(|c| *c == choices[0]) {
            return choices[0];
        }
        let tables = &mut self.tables;
        let first = *self.known_tables.entry(choices.to_vec()).or_insert_with(|| {
            tables.extend(choices);
            (tables.len() - choices.len()) as u32
        });
        self.emit(Code::Select, index, first, first + choices.len() as u32 - 1)
    }
}
