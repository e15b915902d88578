//! The whole machine: fetch, load, compute, store. ARCHITECTURE.md, "The whole machine"; the netlist of
//! `rtl/src/hardware/array` is its twin.

mod adapter;
mod buffers;
mod bursts;
mod feeder;
mod fetch;
mod fields;
mod grid;
mod load;
mod probes;
mod queue;
mod store;

use bitmosaic_arch::{Array, COMMAND_QUEUE, Machine};
use bitmosaic_mappings::{Accelerator, AxiInputs, AxiOutputs, Burst, ReadBeat, Reader, field, opcode};

pub(crate) use buffers::Buffers;
pub(crate) use bursts::Bursts;
pub(crate) use feeder::{Feeder, Fetched};
pub(crate) use fields::CommandWords;
pub(crate) use grid::store_output_beats;
pub(crate) use load::{SINK_QUEUE, load_buffers};
pub(crate) use queue::Queue;
pub(crate) use store::{LENGTH_QUEUE, StoreReader, WRITE_QUEUE};

use fetch::Fetch;
use fields::{at, give_down, give_up, half, wait_down, wait_up};
use grid::Grid;
use load::Load;
use store::Store;

use super::{AlignerStep, TileStep};
use crate::probe::{Probe, Probed};

/// Beats between the memory port and the blocks.
pub(crate) const READ_QUEUE: usize = 2;

/// Error codes of [`Accelerator::error`].
const READ_ERROR: u32 = 1;
const WRITE_ERROR: u32 = 2;
const OPCODE_ERROR: u32 = 3;

/// Step engine of a whole machine.
#[derive(Debug, Clone)]
pub struct ArrayStep<'m> {
    machine: &'m Machine,
    array: &'m Array,
    running: bool,
    done: bool,
    error: u32,
    fetch: Fetch,
    load: Load<'m>,
    compute: Compute<'m>,
    store: Store<'m>,
    buffers: Buffers,
    read_address: Option<(Reader, Burst)>,
    reads: Queue<ReadBeat>,
    write_address: Option<Burst>,
    probed: bool,
    probes: Vec<Probe>,
}

/// The compute unit.
#[derive(Debug, Clone)]
struct Compute<'m> {
    queue: Queue<CommandWords>,
    /// From load: operands that are there; from store: halves of the output buffer that are free again.
    load_tokens: u32,
    store_tokens: u32,
    command: Option<CommandWords>,
    /// Tiles, as bits, that have retired the command.
    retired: u64,
    feeder: Feeder<'m>,
    grid: Grid<'m>,
    /// Of the last cycle: a command started, the tiles took the fetched beats.
    started: bool,
    advanced: bool,
}

impl<'m> ArrayStep<'m> {
    /// A machine after reset; `None` for a design without array.
    pub fn new(machine: &'m Machine) -> Option<ArrayStep<'m>> {
        let array = machine.array.as_ref()?;
        Some(ArrayStep {
            machine,
            array,
            running: false,
            done: false,
            error: 0,
            fetch: Fetch::new(array),
            load: Load::new(machine, array),
            compute: Compute::new(machine, array),
            store: Store::new(array),
            buffers: Buffers::new(machine, array),
            read_address: None,
            reads: Queue::new(READ_QUEUE),
            write_address: None,
            probed: false,
            probes: Vec::new(),
        })
    }

    /// As [`ArrayStep::new`], and keeps [`Probed::probes`] of each cycle.
    pub fn with_probes(machine: &'m Machine) -> Option<ArrayStep<'m>> {
        let mut step = ArrayStep { probed: true, ..ArrayStep::new(machine)? };
        step.compute.grid.tiles.fill(TileStep::with_probes(machine));
        step.load.aligner = machine.aligner.as_ref().map(|_| AlignerStep::with_probes(machine));
        Some(step)
    }

    /// The oldest command goes to its queue if that has room; gives an error code.
    fn dispatch(&mut self, compute_idle: bool, store_idle: bool, load_idle: bool) -> u32 {
        let Some(command) = self.fetch.commands.front().copied() else { return 0 };
        let queue = match at(&command, field::OPCODE) as u8 {
            opcode::LOAD_WEIGHTS | opcode::LOAD_ACTIVATIONS => &mut self.load.queue,
            opcode::MATMUL => &mut self.compute.queue,
            opcode::STORE => &mut self.store.queue,
            opcode::END => {
                if self.fetch.is_last() && load_idle && compute_idle && store_idle {
                    self.fetch.dispatch();
                    (self.running, self.done) = (false, true);
                }
                return 0;
            }
            _ => return OPCODE_ERROR,
        };
        if queue.ready() {
            queue.push(command);
            self.fetch.dispatch();
        }
        0
    }

    /// Read data to the unit it belongs to. Gives whether the beat was taken.
    fn route(&mut self, stop: bool, load_edge: &mut load::LoadEdge) -> bool {
        let beat = self.reads.front().copied();
        let for_load = beat.filter(|beat| beat.reader == Reader::Load && !stop);
        *load_edge = self.load.cycle(for_load.as_ref().map(|beat| &beat.data), &mut self.buffers, stop);
        match beat {
            Some(beat) if beat.reader == Reader::Fetch => {
                if !stop {
                    self.fetch.take(&beat.data);
                }
                true
            }
            Some(_) => stop || load_edge.beat_taken,
            None => false,
        }
    }
}

impl<'m> Compute<'m> {
    fn new(machine: &'m Machine, array: &'m Array) -> Compute<'m> {
        Compute {
            queue: Queue::new(COMMAND_QUEUE as usize),
            load_tokens: 0,
            store_tokens: 0,
            command: None,
            retired: 0,
            feeder: Feeder::new(machine, array),
            grid: Grid::new(machine, array),
            started: false,
            advanced: false,
        }
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.command.is_none()
    }

    /// One cycle; gives the command that retires and the status bits.
    fn cycle(&mut self, buffers: &mut Buffers, all_tiles: u64, stop: bool) -> (Option<CommandWords>, u32) {
        let next = self.queue.front().copied().filter(|_| self.command.is_none());
        let output_half = self.command.map_or(0, |command| half(&command, 2));
        let advance = self.feeder.fetched.as_ref().is_some_and(|fetched| self.grid.ready(fetched));
        (self.started, self.advanced) = (false, advance);
        let (retiring, mut status) = self.grid.tiles(buffers, output_half);
        self.retired |= retiring;
        if advance && let Some(fetched) = self.feeder.fetched.clone() {
            self.grid.push(fetched);
        }
        self.feeder.cycle(buffers, advance);
        let done = self.command.filter(|_| self.retired == all_tiles);
        if done.is_some() {
            (self.command, self.retired) = (None, 0);
            self.grid.restart_outputs();
        }
        if let Some(command) = next {
            let wait_load = wait_up(&command) && self.load_tokens == 0;
            let wait_store = wait_down(&command) && self.store_tokens == 0;
            status |= u32::from(wait_load) << 4 | u32::from(wait_store && !wait_load) << 5;
            if !wait_load && !wait_store && !stop {
                self.queue.pop();
                self.load_tokens -= u32::from(wait_up(&command));
                self.store_tokens -= u32::from(wait_down(&command));
                self.grid.push_command(&command);
                self.feeder.start(&command);
                self.command = Some(command);
                self.started = true;
            }
        }
        (done, status)
    }
}

impl Accelerator for ArrayStep<'_> {
    fn cycle(&mut self, inputs: &AxiInputs, outputs: &mut AxiOutputs) {
        let sink = self.probed.then(|| self.load.sink.clone()).flatten();
        if self.probed {
            self.probes = probes::registers(self);
        }
        // What is seen at the port.
        outputs.read_address = self.read_address;
        outputs.read_ready = self.reads.ready();
        outputs.write_address = self.write_address;
        outputs.write = self.store.writes.front().copied();
        outputs.done = self.done;

        // Requests are decided on the state before the edge.
        let stop = self.error != 0;
        let address_free = self.read_address.is_none() || inputs.read_address_ready;
        let fetch_request = self.fetch.request().filter(|_| address_free && !stop);
        let refused = outputs.write.is_some() && !inputs.write_ready;
        let may_load = address_free && !stop && fetch_request.is_none() && !refused;
        let load_request = self.load.bursts.request().filter(|_| may_load);
        let write_address_free = self.write_address.is_none() || inputs.write_address_ready;
        let store_request = self.store.request().filter(|_| write_address_free && !stop);
        let (load_idle, compute_idle, store_idle) = (self.load.is_idle(), self.compute.is_idle(), self.store.is_idle());
        let drained = self.read_address.is_none()
            && self.write_address.is_none()
            && self.fetch.outstanding == 0
            && self.load.bursts.outstanding == 0
            && self.store.bursts.outstanding == 0;

        // Dispatch, then the units.
        let mut error = 0;
        if self.running && !stop {
            error = self.dispatch(compute_idle, store_idle, load_idle);
        }
        let pushes = [&self.load.queue, &self.compute.queue, &self.store.queue].map(Queue::has_new);
        let mut load_edge = load::LoadEdge::default();
        let beat = self.reads.front().copied();
        let beat_taken = self.route(stop, &mut load_edge);
        let all_tiles = u64::MAX >> (64 - self.compute.grid.tile_count());
        let (computed, mut status) = self.compute.cycle(&mut self.buffers, all_tiles, stop);
        status |= u32::from(load_edge.waits) << 6;
        let store_retires = self.store.retires();
        let write_taken = inputs.write_ready && outputs.write.is_some();
        self.store.cycle(&self.buffers, write_taken, store_retires.is_some(), stop);
        outputs.status = status;
        outputs.retire = u32::from(load_edge.retired.is_some())
            | u32::from(computed.is_some()) << 1
            | u32::from(store_retires.is_some()) << 2;

        if self.probed {
            let grants = [fetch_request.is_some(), load_request.is_some(), store_request.is_some()];
            let (load, stored) = (load_edge, store_retires);
            let decisions = probes::Decisions { grants, pushes, error, load, computed, stored, status };
            let mut probes = std::mem::take(&mut self.probes);
            probes::decisions(self, &decisions, sink.as_ref(), &mut probes);
            self.probes = probes;
        }

        // Tokens arrive with the edge.
        self.compute.load_tokens += u32::from(load_edge.retired == Some(true));
        self.compute.store_tokens += u32::from(store_retires == Some(true));
        self.load.tokens += u32::from(computed.is_some_and(|command| give_up(&command)));
        self.store.tokens += u32::from(computed.is_some_and(|command| give_down(&command)));

        // Port registers.
        if address_free {
            let fetch = fetch_request.map(|burst| (Reader::Fetch, burst));
            self.read_address = fetch.or(load_request.map(|burst| (Reader::Load, burst)));
        }
        if fetch_request.is_some() {
            self.fetch.grant();
        }
        if let Some(burst) = load_request {
            self.load.bursts.grant(burst);
        }
        if write_address_free {
            self.write_address = store_request;
        }
        if let Some(burst) = store_request {
            self.store.grant(burst);
        }
        if beat_taken {
            self.reads.pop();
            if let Some(beat) = beat {
                let of = match beat.reader {
                    Reader::Fetch => &mut self.fetch.outstanding,
                    Reader::Load => &mut self.load.bursts.outstanding,
                };
                *of -= u32::from(beat.last);
                error = if beat.error { READ_ERROR } else { error };
            }
        }
        if let Some(beat) = inputs.read.filter(|_| outputs.read_ready) {
            self.reads.push(beat);
        }
        if let Some(bad) = inputs.response {
            self.store.bursts.outstanding -= 1;
            error = if bad { WRITE_ERROR } else { error };
        }
        if stop && self.running && drained {
            (self.running, self.done) = (false, true);
        }
        if self.error == 0 {
            self.error = error;
        }
        if let Some(start) = inputs.start.filter(|_| !self.running && !stop) {
            (self.running, self.done) = (true, false);
            self.fetch.start(start);
        }
        self.fetch.commands.edge();
        self.load.edge();
        self.compute.queue.edge();
        self.compute.grid.edge();
        self.store.edge();
        self.reads.edge();
    }

    fn error(&mut self) -> u32 {
        self.error
    }
}

impl Probed for ArrayStep<'_> {
    fn probes(&self) -> Vec<Probe> {
        self.probes.clone()
    }
}
