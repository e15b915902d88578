//! Event-driven engine of a whole machine. Products take the closed formula's time, the memory port is followed cycle by
//! cycle where something moves there, cycles in which nothing moves are skipped, and what recurs is repeated at once. Accepted
//! only as equal to `step`.

mod job;
mod load;
mod queue;
mod recur;
mod store;
mod trace;
mod values;

use bitmosaic_arch::{Array, COMMAND_QUEUE, FETCH_COMMANDS, Machine};
use bitmosaic_mappings::{Program, Reader, Start, ports};

use job::{ComputeJob, Job, compute_at, kinds, load_at};
use load::Load;
use queue::Queue;
use recur::Recurrences;
use store::Store;
use trace::{Edges, Events, command_beats};
pub use values::run_values;

use crate::memory::{Asks, MemoryPort, MemoryTiming};
use crate::run::{ArrayTrace, ArrayWatchdog};
use crate::step::array::READ_QUEUE;

/// Timing engine of a whole machine.
#[derive(Debug, Clone)]
struct ArrayCycle<'j> {
    jobs: &'j [Job],
    port: MemoryPort,
    edge: u64,
    command_beats: u32,
    /// Commands not yet asked for, asked for and not yet dispatched, arrived, dispatched; beats of the arriving one.
    left: u32,
    reserved: u32,
    arrived: usize,
    /// Commands at the dispatcher before the edge.
    visible: usize,
    dispatched: usize,
    beats: u32,
    load: Load,
    store: Store,
    /// Products by their places in the program.
    compute_queue: Queue<usize, { COMMAND_QUEUE as usize }>,
    load_tokens: u32,
    store_tokens: u32,
    computing: Option<(ComputeJob, u64)>,
    /// Edge from which the first tile's hold chains can take a group, and the cycles that a group keeps them.
    chains_free: u64,
    slots: u64,
    /// Whose read is asked for, and its beats.
    read_address: Option<(Reader, u32)>,
    reads: Queue<(Reader, bool), READ_QUEUE>,
    write_address: bool,
    over: bool,
}

/// What happened in a cycle.
#[derive(Debug, Clone, Copy, Default)]
struct Moves {
    /// Anything: the next cycle may differ.
    any: bool,
    /// A product started.
    started: bool,
    /// A load's beat was taken by its unit, or a store's by the memory where no load runs: whether it is its burst's last.
    beat: Option<bool>,
}

/// Times a program that ends without an error, as `step` does, data left zero in its write beats; `None` for a design without
/// array.
///
/// # Errors
/// `ArrayWatchdog` after `limit` cycles.
pub fn run_timing(
    machine: &Machine,
    program: &Program,
    start: Start,
    timing: MemoryTiming,
    limit: u64,
) -> Option<Result<ArrayTrace, ArrayWatchdog>> {
    let array = machine.array.as_ref()?;
    let jobs = jobs(machine, array, program);
    let (edges, cycles) = run(machine, array, &jobs, start, timing, limit, Edges::new(true));
    let trace = edges.trace(array, &jobs, start, cycles.unwrap_or(0));
    Some(if cycles.is_some() { Ok(trace) } else { Err(ArrayWatchdog { limit, trace: Box::new(trace) }) })
}

/// As [`run_timing`], without events: cycles, and cycles by cause in the order of [`ports::ARRAY_STATUS`]. No cycles where the
/// program did not end within `limit`.
pub fn run_cycles(
    machine: &Machine,
    program: &Program,
    start: Start,
    timing: MemoryTiming,
    limit: u64,
) -> Option<(Option<u64>, [u64; ports::ARRAY_STATUS.len()])> {
    let array = machine.array.as_ref()?;
    let jobs = jobs(machine, array, program);
    let (edges, cycles) = run(machine, array, &jobs, start, timing, limit, Edges::new(false));
    Some((cycles, edges.status_cycles))
}

fn jobs(machine: &Machine, array: &Array, program: &Program) -> Vec<Job> {
    program.commands.iter().enumerate().map(|(index, command)| Job::new(machine, array, command, index)).collect()
}

/// Runs to the end, whose edge is given, or the limit.
fn run(
    machine: &Machine,
    array: &Array,
    jobs: &[Job],
    start: Start,
    timing: MemoryTiming,
    limit: u64,
    mut edges: Edges,
) -> (Edges, Option<u64>) {
    let mut engine = ArrayCycle::new(machine, array, jobs, start, timing);
    let mut recurrences = Recurrences::new(kinds(array, jobs), limit);
    // Edge 0 starts the program and does nothing else.
    engine.port.offers();
    engine.port.edge(&Asks::default());
    engine.edge = 1;
    while !engine.over && engine.edge < limit {
        let moves = engine.cycle(&mut edges);
        if timing.threshold == 0 {
            match moves {
                Moves { started: true, .. } => recurrences.product(&mut engine, &mut edges),
                Moves { beat: Some(true), .. } => recurrences.burst(&mut engine, &mut edges),
                Moves { beat: Some(false), .. } => recurrences.beat(&mut engine, &mut edges),
                _ => {}
            }
        }
        if !moves.any && !engine.over {
            engine.skip(&mut edges);
        }
    }
    let cycles = engine.over.then_some(engine.edge);
    (edges, cycles)
}

impl<'j> ArrayCycle<'j> {
    fn new(machine: &Machine, array: &Array, jobs: &'j [Job], start: Start, timing: MemoryTiming) -> ArrayCycle<'j> {
        ArrayCycle {
            jobs,
            port: MemoryPort::new(timing, array.data_bits),
            edge: 0,
            command_beats: command_beats(array),
            left: start.commands,
            reserved: 0,
            arrived: 0,
            visible: 0,
            dispatched: 0,
            beats: 0,
            load: Load::new(machine, array),
            store: Store::new(array),
            compute_queue: Queue::new(),
            load_tokens: 0,
            store_tokens: 0,
            computing: None,
            chains_free: 0,
            slots: u64::from(machine.scale_unit.slots),
            read_address: None,
            reads: Queue::new(),
            write_address: false,
            over: false,
        }
    }

    /// What is asked of the memory.
    fn asks(&self) -> Asks {
        Asks {
            read_address: self.read_address,
            read_ready: self.reads.ready(),
            write_address: self.write_address,
            write: self.store.writes.front(),
        }
    }

    /// One cycle, in the order of `ArrayStep`.
    fn cycle(&mut self, edges: &mut Edges) -> Moves {
        let offers = self.port.offers();
        let asks = self.asks();
        let read_address_taken = asks.read_address.is_some() && offers.read_address_ready;
        let write_address_taken = asks.write_address && offers.write_address_ready;
        let write_taken = asks.write.is_some() && offers.write_ready;
        let read = offers.read.filter(|_| asks.read_ready);
        let mut moved = read_address_taken || write_address_taken || write_taken || read.is_some() || offers.response;

        // Requests are decided on the state before the edge.
        let address_free = self.read_address.is_none() || read_address_taken;
        let fetch_commands = self.left.min(FETCH_COMMANDS);
        let fetch_request = self.left > 0 && self.reserved <= FETCH_COMMANDS && address_free;
        let refused = asks.write.is_some() && !write_taken;
        let load_request = address_free && !fetch_request && !refused && self.load.bursts.request().is_some();
        let write_address_free = !self.write_address || write_address_taken;
        let store_request = write_address_free && self.store.request();
        moved |= fetch_request || load_request || store_request;
        let idle =
            (self.load.is_idle(), self.compute_queue.is_empty() && self.computing.is_none(), self.store.is_idle());

        moved |= self.dispatch(idle == (true, true, true));
        // Read data.
        let beat = self.reads.front();
        let load_edge = self.load.cycle(self.jobs, matches!(beat, Some((Reader::Load, _))));
        let beat_taken = match beat {
            Some((Reader::Fetch, _)) => {
                self.beats += 1;
                if self.beats == self.command_beats {
                    self.beats = 0;
                    self.arrived += 1;
                }
                true
            }
            Some((Reader::Load, _)) => load_edge.beat_taken,
            None => false,
        };
        let (computed, status) = self.compute(edges);
        let store_retires = self.store.retires();
        moved |= self.store.cycle(self.jobs, write_taken, store_retires.is_some());
        moved |= load_edge.moved || beat_taken || computed.is_some() || load_edge.retired.is_some();
        let started = status & STARTED != 0;

        // Trace.
        count_waits(edges, (status & WAIT_LOAD != 0, status & WAIT_STORE != 0, load_edge.waits), 1);
        let events = Events {
            read: asks.read_address.filter(|_| read_address_taken).map(|(reader, _)| reader),
            write: write_address_taken,
            beat: write_taken,
            retired: [load_edge.retired.is_some(), computed.is_some(), store_retires.is_some()],
        };
        edges.push(self.edge, events);

        // Tokens and port registers.
        self.load_tokens += u32::from(load_edge.retired == Some(true));
        self.store_tokens += u32::from(store_retires == Some(true));
        if let Some(job) = computed {
            self.load.tokens += u32::from(job.give_load);
            self.store.tokens += u32::from(job.give_store);
        }
        if fetch_request {
            self.read_address = Some((Reader::Fetch, fetch_commands * self.command_beats));
            self.left -= fetch_commands;
            self.reserved += fetch_commands;
        } else if load_request {
            self.read_address = Some((Reader::Load, self.load.bursts.grant_next().beats));
        } else if address_free {
            self.read_address = None;
        }
        if write_address_free {
            self.write_address = store_request;
        }
        if store_request {
            self.store.grant();
        }
        let mut streamed = asks.write.filter(|_| write_taken && self.load.bursts.outstanding == 0);
        if beat_taken {
            self.reads.pop();
            if let Some((Reader::Load, last)) = beat {
                self.load.bursts.outstanding -= u32::from(last);
                streamed = Some(last);
            }
        }
        if let Some(read) = read {
            self.reads.push(read);
        }
        if offers.response {
            self.store.bursts.outstanding -= 1;
        }
        self.port.edge(&asks);
        self.visible = self.arrived;
        self.load.edge();
        self.compute_queue.edge();
        self.store.edge();
        self.reads.edge();
        self.edge += 1;
        Moves { any: moved || started, started, beat: streamed }
    }

    /// The oldest command goes to its queue if that has room.
    fn dispatch(&mut self, all_idle: bool) -> bool {
        if self.dispatched == self.visible {
            return false;
        }
        let moved = match &self.jobs[self.dispatched] {
            Job::Load(job) => self.load.queue.ready().then(|| self.load.queue.push(job.index)),
            Job::Compute(job) => self.compute_queue.ready().then(|| self.compute_queue.push(job.index)),
            Job::Store(job) => self.store.queue.ready().then(|| self.store.queue.push(job.index)),
            Job::End => {
                self.over = self.left == 0 && self.reserved == 1 && all_idle;
                self.over.then_some(())
            }
        };
        if moved.is_some() {
            self.dispatched += 1;
            self.reserved -= 1;
        }
        moved.is_some()
    }

    /// The product that is done at this edge, and what the oldest command waits for.
    fn compute(&mut self, edges: &mut Edges) -> (Option<ComputeJob>, u32) {
        if let Some((job, done)) = self.computing {
            if done != self.edge {
                return (None, 0);
            }
            self.computing = None;
            for (count, cycles) in edges.status_cycles.iter_mut().zip(job.status) {
                *count += cycles;
            }
            return (Some(job), 0);
        }
        let Some(job) = self.compute_queue.front().and_then(|index| compute_at(self.jobs, index)).copied() else {
            return (None, 0);
        };
        if job.wait_load && self.load_tokens == 0 {
            return (None, WAIT_LOAD);
        }
        if job.wait_store && self.store_tokens == 0 {
            return (None, WAIT_STORE);
        }
        self.compute_queue.pop();
        self.load_tokens -= u32::from(job.wait_load);
        self.store_tokens -= u32::from(job.wait_store);
        // The hold chains may still be busy with the last group of the command that this one continues.
        let first = self.edge + job.captures.0;
        let late = self.chains_free.saturating_sub(first);
        edges.status_cycles[2] += late;
        let last = self.edge + job.captures.1 + late;
        self.chains_free = last + self.slots;
        self.computing = Some((job, last + job.tail + job.skew));
        (None, STARTED)
    }

    /// After a cycle in which nothing moved: on to the next in which something can.
    fn skip(&mut self, edges: &mut Edges) {
        let done = self.computing.map_or(u64::MAX, |(_, done)| done - self.edge);
        let cycles = self.port.quiet_cycles(&self.asks()).min(done);
        if cycles == 0 || cycles == u64::MAX {
            return;
        }
        self.port.skip(cycles);
        self.edge += cycles;
        // What waited still does.
        let waiting = self.compute_queue.front().filter(|_| self.computing.is_none());
        let waiting = waiting.and_then(|index| compute_at(self.jobs, index));
        let wait_load = waiting.is_some_and(|job| job.wait_load && self.load_tokens == 0);
        let wait_store = waiting.is_some_and(|job| job.wait_store && self.store_tokens == 0) && !wait_load;
        let load_waits = self
            .load
            .queue
            .front()
            .and_then(|index| load_at(self.jobs, index))
            .is_some_and(|job| job.wait && self.load.tokens == 0);
        count_waits(edges, (wait_load, wait_store, load_waits), cycles);
    }
}

fn count_waits(edges: &mut Edges, waits: (bool, bool, bool), cycles: u64) {
    let counts = &mut edges.status_cycles;
    counts[4] += u64::from(waits.0) * cycles;
    counts[5] += u64::from(waits.1) * cycles;
    counts[6] += u64::from(waits.2) * cycles;
    debug_assert_eq!(counts.len(), ports::ARRAY_STATUS.len());
}

const WAIT_LOAD: u32 = 1;
const WAIT_STORE: u32 = 2;
const STARTED: u32 = 4;
