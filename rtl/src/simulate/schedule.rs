//! The order of the instructions: runs of one kind, so that the interpreter decides what to do
//! once a run and not once an instruction.

use std::collections::BTreeMap;

use super::compile::{Compiler, Origin, Word};
use super::run::{Code, Operands, Program, Run};

impl Compiler {
    /// Orders the instructions that `roots` need. Sources and constants get the first places.
    pub(super) fn schedule(&self, roots: &[Word]) -> Schedule {
        let live = self.live(roots);
        let mut place = vec![u32::MAX; self.words.len()];
        let (mut initial, mut constants) = (vec![], BTreeMap::new());
        for (word, origin) in self.words.iter().enumerate() {
            let value = match origin {
                Origin::Source => 0,
                Origin::Constant(value) => {
                    constants.insert(initial.len() as u32, *value);
                    *value
                }
                Origin::Instruction(..) => continue,
            };
            place[word] = initial.len() as u32;
            initial.push(value);
        }
        let mut program = Program { tables: self.tables.clone(), ..Program::default() };
        let mut next = initial.len() as u32;
        for (code, members) in self.runs(&live) {
            let start = program.operands.len() as u32;
            let to = next;
            for word in members {
                place[word as usize] = next;
                next += 1;
                if let Origin::Instruction(_, operands) = self.words[word as usize] {
                    program.operands.push(operands);
                }
            }
            let end = program.operands.len() as u32;
            program.runs.push(Run { code, start, end, to });
        }
        for run in program.runs.clone() {
            for operands in &mut program.operands[run.start as usize..run.end as usize] {
                let at = |word: u32| place[word as usize];
                let Operands { a, b, c } = *operands;
                *operands = match run.code {
                    Code::Mux => Operands { a: at(a), b: at(b), c: at(c) },
                    Code::Select => Operands { a: at(a), b, c },
                    _ => Operands { a: at(a), b: at(b), c },
                };
            }
        }
        for word in &mut program.tables {
            *word = place[*word as usize];
        }
        initial.resize(next as usize, 0);
        Schedule { program, place, initial, constants }
    }

    /// Words that an instruction reads.
    fn reads(&self, word: Word) -> Vec<Word> {
        match self.words[word as usize] {
            Origin::Instruction(Code::Mux, Operands { a, b, c }) => vec![a, b, c],
            Origin::Instruction(Code::Select, Operands { a, b, c }) => {
                let mut all = self.tables[b as usize..=c as usize].to_vec();
                all.push(a);
                all
            }
            Origin::Instruction(_, Operands { a, b, .. }) if a != b => vec![a, b],
            Origin::Instruction(_, Operands { a, .. }) => vec![a],
            _ => vec![],
        }
    }

    fn live(&self, roots: &[Word]) -> Vec<bool> {
        let mut live = vec![false; self.words.len()];
        for &root in roots {
            live[root as usize] = true;
        }
        // An instruction only reads words made before it.
        for word in (0..self.words.len()).rev().filter(|&w| !matches!(self.words[w], Origin::Source)) {
            if live[word] {
                for read in self.reads(word as Word) {
                    live[read as usize] = true;
                }
            }
        }
        live
    }

    /// Live instructions in runs of one kind: a run takes all that are ready, also those that
    /// become ready by it; the kind with most ready instructions comes next.
    fn runs(&self, live: &[bool]) -> Vec<(Code, Vec<Word>)> {
        let mut missing = vec![0u32; self.words.len()];
        let mut readers: Vec<Vec<Word>> = vec![vec![]; self.words.len()];
        let mut ready: BTreeMap<Code, Vec<Word>> = BTreeMap::new();
        let is_live = |word: &usize| live[*word];
        for word in (0..self.words.len()).filter(is_live) {
            let Origin::Instruction(code, _) = self.words[word] else { continue };
            for read in self.reads(word as Word) {
                if matches!(self.words[read as usize], Origin::Instruction(..)) {
                    missing[word] += 1;
                    readers[read as usize].push(word as Word);
                }
            }
            if missing[word] == 0 {
                ready.entry(code).or_default().push(word as Word);
            }
        }
        let mut runs = vec![];
        while let Some((&code, _)) = ready.iter().max_by_key(|(_, words)| words.len()) {
            let mut members = ready.remove(&code).unwrap_or_default();
            let mut at = 0;
            while at < members.len() {
                for &reader in &readers[members[at] as usize] {
                    missing[reader as usize] -= 1;
                    if missing[reader as usize] > 0 {
                        continue;
                    }
                    match self.words[reader as usize] {
                        Origin::Instruction(kind, _) if kind == code => members.push(reader),
                        Origin::Instruction(kind, _) => ready.entry(kind).or_default().push(reader),
                        _ => {}
                    }
                }
                at += 1;
            }
            runs.push((code, members));
        }
        runs
    }
}

/// A program with the place of every word it keeps.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) program: Program,
    /// Place of each `Word` of the compiler; `u32::MAX` for dead ones.
    pub(super) place: Vec<u32>,
    /// Values to start with: constants, and zeros elsewhere.
    pub(super) initial: Vec<u64>,
    /// Values of the places of constants.
    pub(super) constants: BTreeMap<u32, u64>,
}
