//! What native code computes, where and in which order.
//!
//! Before an edge only what outputs need is computed; the edge computes the rest. What only registers of one enable (or one
//! port of a memory) need is computed only where it is set. The order follows the needs depth first, so that values are used
//! soon after they are made.

use std::collections::BTreeMap;

use super::edge::State;
use super::run::{Code, Operands, Program};

/// Fewest instructions that are worth a branch.
const LEAST_GUARDED: usize = 6;

/// Most instructions of a function: what registers hold does not outlive one.
pub(super) const LONGEST: usize = 600;

/// A program as single instructions, and what the state takes of it.
pub(super) struct Source<'a> {
    pub(super) program: &'a Program,
    /// Values of the places that are constants.
    pub(super) constants: &'a BTreeMap<u32, u64>,
    pub(super) outputs: Vec<u32>,
    pub(super) state: &'a State,
    /// Kinds of the instructions.
    pub(super) codes: Vec<Code>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        program: &'a Program,
        constants: &'a BTreeMap<u32, u64>,
        outputs: Vec<u32>,
        state: &'a State,
    ) -> Source<'a> {
        let runs = program.runs.iter();
        let codes = runs.flat_map(|run| (run.start..run.end).map(|_| run.code)).collect();
        Source { program, constants, outputs, state, codes }
    }

    /// Place of the first instruction's result; the others follow in order.
    pub(super) fn first(&self) -> u32 {
        self.program.runs.first().map_or(0, |run| run.to)
    }

    /// The instruction whose result is at a place; `None` for sources and constants.
    pub(super) fn instruction(&self, place: u32) -> Option<usize> {
        let index = place.checked_sub(self.first())? as usize;
        (index < self.codes.len()).then_some(index)
    }

    /// Places an instruction reads.
    pub(super) fn reads(&self, index: usize) -> Vec<u32> {
        let Operands { a, b, c } = self.program.operands[index];
        match self.codes[index] {
            Code::Mux => vec![a, b, c],
            Code::Select => {
                let mut all = vec![a];
                all.extend(&self.program.tables[b as usize..=c as usize]);
                all
            }
            _ if a == b => vec![a],
            _ => vec![a, b],
        }
    }

    /// What the state reads: the enable without which it does not matter, if any, and the places.
    pub(super) fn needs(&self) -> Vec<(Option<u32>, Vec<u32>)> {
        let registers = self.state.groups().iter();
        let mut needs: Vec<(Option<u32>, Vec<u32>)> =
            registers.map(|group| (group.enable, group.loads.iter().map(|load| load.0).collect())).collect();
        for memory in self.state.memories() {
            let mut written = memory.write_data.clone();
            written.push(memory.write_address);
            needs.push((Some(memory.write_enable), written));
            needs.push((Some(memory.read_enable), vec![memory.read_address]));
        }
        needs
    }
}

/// Instructions of a function in order, all computed or all only where an enable is set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) enable: Option<u32>,
    pub(super) instructions: Vec<usize>,
}

/// Blocks of the functions before the edge and at it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) settle: Vec<Vec<Block>>,
    pub(super) edge: Vec<Vec<Block>>,
}

/// Who needs an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Need {
    Nothing,
    /// Only what this enable loads.
    Enabled(u32),
    Always,
}

impl Need {
    fn and(self, other: Need) -> Need {
        match (self, other) {
            (Need::Nothing, need) | (need, Need::Nothing) => need,
            (one, two) if one == two => one,
            _ => Need::Always,
        }
    }
}

impl Plan {
    pub(super) fn new(source: &Source) -> Plan {
        let needs = needs(source);
        let mut walk =
            Walk { source, needs: &needs, seen: vec![false; needs.len()], functions: vec![vec![]], length: 0 };
        walk.all(&source.outputs);
        let settle = std::mem::replace(&mut walk.functions, vec![vec![]]);
        walk.length = 0;
        for (enable, places) in source.needs() {
            walk.all(enable.as_slice());
            walk.all(&places);
        }
        Plan { settle, edge: walk.functions }
    }
}

fn needs(source: &Source) -> Vec<Need> {
    let mut needs = vec![Need::Nothing; source.codes.len()];
    let mut add = |place: u32, need: Need| {
        if let Some(index) = source.instruction(place) {
            needs[index] = needs[index].and(need);
        }
    };
    source.outputs.iter().for_each(|&place| add(place, Need::Always));
    for (enable, places) in source.needs() {
        enable.into_iter().for_each(|enable| add(enable, Need::Always));
        let need = enable.map_or(Need::Always, Need::Enabled);
        places.into_iter().for_each(|place| add(place, need));
    }
    let spread = |needs: &mut Vec<Need>| {
        // An instruction only reads what comes before it.
        for index in (0..needs.len()).rev().filter(|&i| source.codes.len() > i) {
            if needs[index] != Need::Nothing {
                for read in source.reads(index).into_iter().filter_map(|place| source.instruction(place)) {
                    needs[read] = needs[read].and(needs[index]);
                }
            }
        }
    };
    spread(&mut needs);
    let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
    for need in &needs {
        if let Need::Enabled(enable) = need {
            *sizes.entry(*enable).or_default() += 1;
        }
    }
    for need in &mut needs {
        if let Need::Enabled(enable) = need
            && sizes[enable] < LEAST_GUARDED
        {
            *need = Need::Always;
        }
    }
    needs
}

struct Walk<'a> {
    source: &'a Source<'a>,
    needs: &'a [Need],
    seen: Vec<bool>,
    functions: Vec<Vec<Block>>,
    /// Instructions of the last function.
    length: usize,
}

impl Walk<'_> {
    /// Adds what places need and is not there yet: first what is always computed, then what one enable wants.
    fn all(&mut self, places: &[u32]) {
        let mut guarded: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for &place in places {
            let mut order = vec![];
            self.visit(place, &mut order);
            for index in order {
                match self.needs[index] {
                    Need::Enabled(enable) => guarded.entry(enable).or_default().push(index),
                    _ => self.push(None, index),
                }
            }
        }
        for (enable, instructions) in guarded {
            instructions.into_iter().for_each(|index| self.push(Some(enable), index));
        }
    }

    /// Instructions of a place not seen yet, each after what it reads.
    fn visit(&mut self, place: u32, order: &mut Vec<usize>) {
        let mut stack = vec![(place, false)];
        while let Some((place, read)) = stack.pop() {
            let Some(index) = self.source.instruction(place) else { continue };
            if read {
                order.push(index);
            } else if !std::mem::replace(&mut self.seen[index], true) {
                stack.push((place, true));
                stack.extend(self.source.reads(index).into_iter().rev().map(|place| (place, false)));
            }
        }
    }

    fn push(&mut self, enable: Option<u32>, index: usize) {
        if self.length == LONGEST {
            self.functions.push(vec![]);
            self.length = 0;
        }
        self.length += 1;
        let Some(function) = self.functions.last_mut() else { return };
        match function.last_mut() {
            Some(block) if block.enable == enable => block.instructions.push(index),
            _ => function.push(Block { enable, instructions: vec![index] }),
        }
    }
}
