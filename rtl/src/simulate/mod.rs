//! The netlist simulator: two-valued, cycle by cycle, one clock.
//!
//! A design is flattened, ordered, compiled to words and instructions (`compile`) and then
//! interpreted (`run`), from some length of run on in native code (`native`), which is the same
//! program in another order; the interpreter is its oracle. State powers up with seeded random bits, so that a result that depends on an
//! uninitialised bit differs between seeds.

mod compile;
mod edge;
mod flatten;
mod handle;
#[cfg(feature = "compiled")]
mod lower;
#[cfg(feature = "compiled")]
mod native;
#[cfg(not(feature = "compiled"))]
#[path = "interpreted.rs"]
mod native;
#[cfg(feature = "compiled")]
mod plan;
mod run;
mod schedule;
mod vcd;

use std::cell::OnceCell;
use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use self::compile::{Compiler, Word};
use self::flatten::Flat;
use self::handle::{Part, Source, limbs};
pub use self::handle::{Port, Probe};
use self::native::Native;
use self::run::Program;
pub use self::vcd::VcdWriter;
use crate::netlist::wiring::{self, Nets, Piece};
use crate::netlist::{Design, NetId, NetlistError, Problem, RESET, low_mask, order};

/// Size of a compiled netlist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Nets of the flattened design.
    pub nets: u64,
    /// Operations of the flattened design that compute (not only move bits).
    pub operations: u64,
    /// Instructions a cycle.
    pub instructions: u64,
    /// Runs of equal instructions a cycle.
    pub runs: u64,
    /// 64-bit words of values.
    pub words: u64,
    /// Bits in registers.
    pub register_bits: u64,
    /// Bits in memories.
    pub ram_bits: u64,
}

/// A design under simulation.
///
/// One cycle: `set` inputs, `settle`, read outputs, `edge`. What is read after `set` or `edge`
/// without `settle` is of before or of after. In native code only outputs and state are at hand:
/// reading another net in a cycle costs as much as interpreting the cycle.
#[derive(Debug)]
pub struct Simulator {
    flat: Flat,
    /// Place of the first word of each net that is an origin of bits; `u32::MAX` for others.
    places: Vec<u32>,
    program: Program,
    words: Vec<u64>,
    state: edge::State,
    /// The same program in native code, once it pays.
    native: Option<Native>,
    /// With native code: all words of the settled state, computed by the program once one is read that nothing else needs.
    all: OnceCell<Vec<u64>>,
    /// Values of the places of constants.
    constants: BTreeMap<u32, u64>,
    inputs: Vec<(String, Port)>,
    outputs: Vec<(String, Probe)>,
    settled: bool,
    evaluations: u64,
    stats: Stats,
}

/// Evaluations after which a simulator compiles itself.
pub const COMPILE_AFTER: u64 = 20_000;

impl Simulator {
    /// Compiles a design; registers, read data and memories start with bits of a ChaCha8 stream
    /// seeded with `seed`. All inputs start at 0.
    ///
    /// # Errors
    /// A design that does not pass `Design::check` any more.
    pub fn new(design: &Design, seed: u64) -> Result<Simulator, NetlistError> {
        let flat = Flat::new(design)?;
        let outputs = design.top().outputs.iter().map(|p| (p.name.clone(), p.net));
        let outputs: Vec<(String, NetId)> = outputs.collect();
        let order = live_order(&flat, &outputs).map_err(|nets| {
            let nets = nets.into_iter().map(|n| format!("net {}", n.0)).collect();
            let problem = Problem::CombinationalLoop { nets };
            NetlistError { module: design.top().name.clone(), problem }
        })?;
        let mut compiler = Compiler::new(&flat, &order);
        let plan = edge::Plan::new(&flat, &mut compiler);
        let mut roots = plan.words();
        for &net in &order {
            let kept = flat.named[net.index()] || outputs.iter().any(|o| o.1 == net);
            roots.extend(compiler.origin(net).filter(|_| kept));
        }
        let output_words: Vec<Vec<Word>> = outputs.iter().map(|o| compiler.wide(&flat, o.1)).collect();
        roots.extend(output_words.iter().flatten());
        let schedule = compiler.schedule(&roots);
        let place = |word: Word| schedule.place[word as usize];
        let ids = (0..flat.shapes.len()).map(|i| NetId(i as u32));
        let places = ids.map(|n| compiler.origin(n).map_or(u32::MAX, place)).collect();
        let mut words = schedule.initial.clone();
        let random = ChaCha8Rng::seed_from_u64(seed);
        let state = edge::State::new(&flat, &compiler, &plan, &schedule, random, &mut words);
        let output_probes = outputs.iter().zip(&output_words).map(|((name, net), words)| {
            let width = flat.shape(*net).width;
            let places: Vec<u32> = words.iter().map(|&w| place(w)).collect();
            (name.clone(), limbs(width, &places))
        });
        let stats = Stats {
            nets: flat.shapes.len() as u64,
            operations: flat.ops.iter().flatten().filter(|op| !op.is_wiring()).count() as u64,
            instructions: schedule.program.operands.len() as u64,
            runs: schedule.program.runs.len() as u64,
            words: words.len() as u64,
            register_bits: flat.registers.iter().map(|r| u64::from(flat.shape(r.net).width)).sum(),
            ram_bits: flat.rams.iter().map(|r| u64::from(r.shape.depth) * u64::from(r.shape.width)).sum(),
        };
        let mut simulator = Simulator {
            outputs: output_probes.collect(),
            places,
            words,
            state,
            native: None,
            all: OnceCell::new(),
            constants: schedule.constants,
            inputs: vec![],
            settled: false,
            evaluations: 0,
            stats,
            program: schedule.program,
            flat,
        };
        let inputs = design.top().inputs.iter().map(|p| (p.name.clone(), p.net));
        let reset = simulator.flat.reset.map(|net| (RESET.to_string(), net));
        simulator.inputs = inputs.chain(reset).map(|(name, net)| (name, simulator.port(net))).collect();
        Ok(simulator)
    }

    /// Sets all cells of all memories to zero, where a model has zeros too.
    pub fn clear_memories(&mut self) {
        self.state.clear_memories();
    }

    fn port(&self, net: NetId) -> Port {
        let shape = self.flat.shape(net);
        Port { place: self.places[net.index()], width: shape.width, signed: shape.signed }
    }

    /// Input port of the top module, including `rst_i` if it has one.
    pub fn input(&self, name: &str) -> Option<Port> {
        self.inputs.iter().find(|(n, _)| n == name).map(|(_, port)| *port)
    }

    /// Output port of the top module.
    pub fn output(&self, name: &str) -> Option<Probe> {
        self.outputs.iter().find(|(n, _)| n == name).map(|(_, probe)| probe.clone())
    }

    /// A net with a given name, a register, a port or read data, by its path below the top,
    /// e.g. `u_tile.u_pe_0_0.acc_q`. `None` if there is none of that name, and for nets with
    /// generated names that nothing needs.
    pub fn probe(&self, path: &str) -> Option<Probe> {
        self.reading(self.flat.find(path)?)
    }

    fn reading(&self, net: NetId) -> Option<Probe> {
        let mut parts = vec![];
        let mut bit = 0;
        for piece in wiring::whole(&self.flat, net) {
            let (width, end) = (piece.width(), bit + piece.width());
            while bit < end {
                let done = width - (end - bit);
                // No part crosses a limb of the value or a word of its source.
                let mut count = (end - bit).min(64 - bit % 64);
                let source = match piece {
                    Piece::Constant { value, .. } => {
                        let value = value.checked_shr(done).unwrap_or(0);
                        Source::Constant(value & low_mask(count))
                    }
                    Piece::Net { net, low, .. } => {
                        let from = low + done;
                        count = count.min(64 - from % 64);
                        Source::Word { place: self.place(net, from)?, from: from % 64 }
                    }
                    Piece::Repeat { net, bit, .. } => Source::Bit { place: self.place(net, bit)?, bit: bit % 64 },
                };
                parts.push(Part { limb: bit / 64, at: bit % 64, width: count, source });
                bit += count;
            }
        }
        Some(Probe { width: bit, parts })
    }

    fn place(&self, net: NetId, bit: u32) -> Option<u32> {
        let first = self.places[net.index()];
        (first != u32::MAX).then_some(first + bit / 64)
    }

    /// Sets an input of up to 64 bits to the low bits of `value`; the low word of a wider one,
    /// whose other words become 0.
    pub fn set(&mut self, port: Port, value: u64) {
        self.set_wide(port, &[value]);
    }

    /// Sets an input from 64-bit words, lowest first; missing words are 0, bits beyond the width
    /// are dropped.
    pub fn set_wide(&mut self, port: Port, value: &[u64]) {
        for limb in 0..port.width.div_ceil(64) {
            let width = (port.width - 64 * limb).min(64);
            let word = value.get(limb as usize).copied().unwrap_or(0);
            let word = edge::extend(word, width, port.signed && port.width <= 64);
            let kept = &mut self.words[(port.place + limb) as usize];
            if *kept != word {
                *kept = word;
                self.settled = false;
            }
        }
    }

    /// Computes every value from inputs and state; nothing happens if neither changed.
    pub fn settle(&mut self) {
        if self.settled {
            return;
        }
        if self.evaluations == COMPILE_AFTER {
            self.compile();
        }
        match &self.native {
            Some(native) => {
                native.settle(&mut self.words);
                self.all.take();
            }
            None => self.program.run(&mut self.words),
        }
        self.evaluations += 1;
        self.settled = true;
    }

    /// Takes a clock edge: settles if needed, then loads registers and memories. `settle` before
    /// reading.
    pub fn edge(&mut self) {
        self.settle();
        let words = &mut self.words;
        match &self.native {
            Some(native) if !self.state.in_reset(words) => {
                native.edge(words);
                self.state.edge_of_memories(words);
                native.load(words);
            }
            native => {
                if native.is_some() {
                    self.program.run(words);
                }
                self.state.edge_of_memories(words);
                self.state.edge_of_registers(words);
            }
        }
        self.settled = false;
    }

    /// Compiles the program to native code, which a run does by itself after [`COMPILE_AFTER`] evaluations; false without the
    /// feature `compiled` and on hosts Cranelift does not know. Values stay the same, only faster.
    pub fn compile(&mut self) -> bool {
        if self.native.is_none() {
            let outputs = self.outputs.iter().flat_map(|(_, probe)| &probe.parts);
            let places = outputs.filter_map(|part| match part.source {
                Source::Constant(_) => None,
                Source::Word { place, .. } | Source::Bit { place, .. } => Some(place),
            });
            let places = places.collect();
            self.native = Native::new(&self.program, &self.constants, places, &self.state, &mut self.words);
        }
        self.settled = false;
        self.native.is_some()
    }

    /// The value of up to 64 bits, zero-extended whatever its signedness; the low word of a
    /// wider value.
    pub fn get(&self, probe: &Probe) -> u64 {
        let low = probe.parts.iter().take_while(|p| p.limb == 0);
        low.fold(0, |value, part| value | self.part(part))
    }

    /// The value as 64-bit words, lowest first, zero-extended.
    pub fn get_wide(&self, probe: &Probe) -> Vec<u64> {
        let mut value = vec![0; probe.width.div_ceil(64) as usize];
        for part in &probe.parts {
            value[part.limb as usize] |= self.part(part);
        }
        value
    }

    fn part(&self, part: &Part) -> u64 {
        let mask = low_mask(part.width);
        let bits = match part.source {
            Source::Constant(value) => value,
            Source::Word { place, from } => (self.word(place) >> from) & mask,
            Source::Bit { place, bit } => 0u64.wrapping_sub((self.word(place) >> bit) & 1) & mask,
        };
        bits << part.at
    }

    fn word(&self, place: u32) -> u64 {
        let all = || {
            let mut words = self.words.clone();
            self.program.run(&mut words);
            words
        };
        match &self.native {
            Some(native) if !native.settled[place as usize] => self.all.get_or_init(all)[place as usize],
            _ => self.words[place as usize],
        }
    }

    /// How often the combinational logic was computed so far.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// How often a memory was read at the word just written, or used beyond its depth: such a
    /// read gave random bits, such a write was lost.
    pub fn hazards(&self) -> u64 {
        self.state.hazards
    }

    /// Sizes.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Every register with its path, a probe and its width in bits; a module's own registers in
    /// the order of declaration, then those of its instances by name.
    pub fn registers(&self) -> impl Iterator<Item = (String, Probe, u32)> + '_ {
        let paths = self.flat.register_paths().into_iter();
        paths.filter_map(|(path, net)| {
            let probe = self.reading(net)?;
            let width = probe.width;
            Some((path, probe, width))
        })
    }

    /// Every memory with its path and what tells whether it is read and written at the next edge; in the order of `registers`.
    pub fn memories(&self) -> impl Iterator<Item = (String, Probe, Probe)> + '_ {
        self.flat.ram_paths().into_iter().filter_map(|(path, ram)| {
            let ram = &self.flat.rams[ram];
            Some((path, self.reading(ram.read_enable)?, self.reading(ram.write_enable)?))
        })
    }
}

/// All nets that ports, state or given names need, each after what it depends on; the error is
/// a loop.
fn live_order(flat: &Flat, outputs: &[(String, NetId)]) -> Result<Vec<NetId>, Vec<NetId>> {
    let sources: Vec<Vec<NetId>> =
        flat.ops.iter().map(|op| op.as_ref().map(|op| op.operands()).unwrap_or_default()).collect();
    let all = order(&sources)?;
    let mut live: Vec<bool> = flat.named.clone();
    let registers = flat.registers.iter().flat_map(|r| [r.net, r.next].into_iter().chain(r.enable));
    let rams = flat.rams.iter().flat_map(|r| r.inputs().into_iter().chain([r.read_data]));
    for net in registers.chain(rams).chain(outputs.iter().map(|o| o.1)) {
        live[net.index()] = true;
    }
    for net in all.iter().rev() {
        if live[net.index()] {
            for source in &sources[net.index()] {
                live[source.index()] = true;
            }
        }
    }
    Ok(all.into_iter().filter(|n| live[n.index()]).collect())
}

#[cfg(test)]
mod tests;
