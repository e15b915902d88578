//! What a clock edge does: registers and memories.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::compile::{Compiler, Word};
use super::flatten::Flat;
use super::schedule::Schedule;
use crate::netlist::low_mask;
use crate::netlist::wiring::Nets;

/// Registers of one enable and one kind of reset, loaded word by word.
#[derive(Debug)]
pub(super) struct Group {
    /// Position of the enable; `None` loads at every edge.
    pub(super) enable: Option<u32>,
    /// From here, to there.
    pub(super) loads: Vec<(u32, u32)>,
    /// To there, this value; empty for registers without reset.
    resets: Vec<(u32, u64)>,
}

/// A memory: words of one or more 64-bit limbs.
#[derive(Debug)]
pub(super) struct Memory {
    limbs: usize,
    depth: u64,
    width: u32,
    pub(super) write_enable: u32,
    pub(super) write_address: u32,
    pub(super) write_data: Vec<u32>,
    pub(super) read_enable: u32,
    pub(super) read_address: u32,
    read_data: u32,
    cells: Vec<u64>,
}

/// All state of a netlist.
#[derive(Debug)]
pub(super) struct State {
    reset: Option<u32>,
    groups: Vec<Group>,
    memories: Vec<Memory>,
    random: ChaCha8Rng,
    /// Unspecified values read and addresses beyond a memory used.
    pub(super) hazards: u64,
}

/// Words the state reads, in terms of the compiler.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// For each register: enable, next value.
    registers: Vec<(Option<Word>, Vec<Word>)>,
    /// For each memory: write enable, write address, read enable, read address; write data.
    memories: Vec<([Word; 4], Vec<Word>)>,
}

impl Plan {
    /// Compiles what the state reads. A value that is itself state gets a copy, so that an edge
    /// can store in any order.
    pub(super) fn new(flat: &Flat, compiler: &mut Compiler) -> Plan {
        let mut copies: BTreeMap<Word, Word> = BTreeMap::new();
        let mut stable = |compiler: &mut Compiler, words: Vec<Word>| -> Vec<Word> {
            let copied = words.into_iter().map(|w| match compiler.is_source(w) {
                true => *copies.entry(w).or_insert_with(|| compiler.copy(w)),
                false => w,
            });
            copied.collect()
        };
        let mut plan = Plan::default();
        for register in &flat.registers {
            let next = compiler.wide(flat, register.next);
            let next = stable(compiler, next);
            let enable = register.enable.map(|net| {
                let word = compiler.narrow(flat, net);
                stable(compiler, vec![word])[0]
            });
            plan.registers.push((enable, next));
        }
        for ram in &flat.rams {
            let [enable, address, _, read_enable, read_address] = ram.inputs();
            let nets = [enable, address, read_enable, read_address];
            let words = nets.map(|n| {
                let word = compiler.narrow(flat, n);
                stable(compiler, vec![word])[0]
            });
            let data = compiler.wide(flat, ram.write_data);
            plan.memories.push((words, stable(compiler, data)));
        }
        plan
    }

    /// Every word the state reads.
    pub(super) fn words(&self) -> Vec<Word> {
        let registers = self.registers.iter().flat_map(|r| r.0.into_iter().chain(r.1.clone()));
        let memories = self.memories.iter().flat_map(|m| m.0.into_iter().chain(m.1.clone()));
        registers.chain(memories).collect()
    }
}

impl State {
    /// The state at power-up: registers, read data and memories hold random bits.
    pub(super) fn new(
        flat: &Flat,
        compiler: &Compiler,
        plan: &Plan,
        schedule: &Schedule,
        mut random: ChaCha8Rng,
        words: &mut [u64],
    ) -> State {
        let at = |word: Word| schedule.place[word as usize];
        let of = |net| compiler.origin(net).map_or(0, at);
        let mut groups: Vec<Group> = vec![];
        let mut keys: Vec<(Option<u32>, bool)> = vec![];
        for (register, (enable, next)) in flat.registers.iter().zip(&plan.registers) {
            let shape = flat.shape(register.net);
            let first = of(register.net);
            let key = (enable.map(at), register.reset.is_some());
            let known = keys.iter().rposition(|k| *k == key);
            let index = known.unwrap_or_else(|| {
                keys.push(key);
                groups.push(Group { enable: key.0, loads: vec![], resets: vec![] });
                keys.len() - 1
            });
            let group = &mut groups[index];
            for (limb, &word) in next.iter().enumerate() {
                let to = first + limb as u32;
                let width = (shape.width - 64 * limb as u32).min(64);
                group.loads.push((at(word), to));
                if let Some(value) = register.reset {
                    let value = if limb == 0 { value } else { 0 };
                    group.resets.push((to, extend(value, width, shape.signed && shape.width <= 64)));
                }
                let signed = shape.signed && shape.width <= 64;
                words[to as usize] = extend(random.next_u64() & low_mask(width), width, signed);
            }
        }
        let mut memories = vec![];
        for (ram, ([we, wa, re, ra], data)) in flat.rams.iter().zip(&plan.memories) {
            let limbs = data.len();
            let mut memory = Memory {
                limbs,
                depth: u64::from(ram.shape.depth),
                width: ram.shape.width,
                write_enable: at(*we),
                write_address: at(*wa),
                write_data: data.iter().map(|&w| at(w)).collect(),
                read_enable: at(*re),
                read_address: at(*ra),
                read_data: of(ram.read_data),
                cells: vec![0; limbs * ram.shape.depth as usize],
            };
            for i in 0..memory.cells.len() {
                memory.cells[i] = random.next_u64() & memory.limb_mask(i % limbs);
            }
            for limb in 0..limbs {
                let bits = random.next_u64() & memory.limb_mask(limb);
                words[memory.read_data as usize + limb] = bits;
            }
            memories.push(memory);
        }
        let reset = flat.reset.map(of);
        State { reset, groups, memories, random, hazards: 0 }
    }

    /// Sets all cells of all memories to zero.
    pub(super) fn clear_memories(&mut self) {
        self.memories.iter_mut().for_each(|memory| memory.cells.fill(0));
    }

    /// Registers with what they load.
    #[cfg(feature = "compiled")]
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    #[cfg(feature = "compiled")]
    pub(super) fn memories(&self) -> &[Memory] {
        &self.memories
    }

    pub(super) fn in_reset(&self, words: &[u64]) -> bool {
        self.reset.is_some_and(|reset| words[reset as usize] != 0)
    }

    /// Takes the clock edge of the memories, before that of the registers.
    pub(super) fn edge_of_memories(&mut self, words: &mut [u64]) {
        for memory in &mut self.memories {
            self.hazards += memory.edge(words, &mut self.random);
        }
    }

    /// Loads the registers.
    pub(super) fn edge_of_registers(&self, words: &mut [u64]) {
        let in_reset = self.in_reset(words);
        for group in &self.groups {
            if in_reset && !group.resets.is_empty() {
                for &(to, value) in &group.resets {
                    words[to as usize] = value;
                }
            } else if group.enable.is_none_or(|enable| words[enable as usize] != 0) {
                for &(from, to) in &group.loads {
                    words[to as usize] = words[from as usize];
                }
            }
        }
    }
}

impl Memory {
    fn limb_mask(&self, limb: usize) -> u64 {
        low_mask((self.width - 64 * limb as u32).min(64))
    }

    /// Reads and writes; the number of hazards met.
    fn edge(&mut self, words: &mut [u64], random: &mut ChaCha8Rng) -> u64 {
        let write = words[self.write_enable as usize] != 0;
        let address = words[self.write_address as usize];
        let mut hazards = 0;
        if words[self.read_enable as usize] != 0 {
            let from = words[self.read_address as usize];
            let unspecified = from >= self.depth || write && from == address;
            hazards += u64::from(unspecified);
            for limb in 0..self.limbs {
                words[self.read_data as usize + limb] = match unspecified {
                    true => random.next_u64() & self.limb_mask(limb),
                    false => self.cells[from as usize * self.limbs + limb],
                };
            }
        }
        if write && address >= self.depth {
            hazards += 1;
        } else if write {
            for (limb, &from) in self.write_data.iter().enumerate() {
                self.cells[address as usize * self.limbs + limb] = words[from as usize];
            }
        }
        hazards
    }
}

/// A value of `width` bits as a word.
pub(super) fn extend(value: u64, width: u32, signed: bool) -> u64 {
    let above = 64 - width.clamp(1, 64);
    match signed {
        true => (((value << above) as i64) >> above) as u64,
        false => (value << above) >> above,
    }
}
