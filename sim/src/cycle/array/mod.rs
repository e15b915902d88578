//! Event-driven engine of a whole machine. Products take the closed formula's time, the memory port is followed cycle by
//! cycle where something moves there, and cycles in which nothing moves are skipped. Accepted only as equal to `step`.

mod job;
mod load;
mod store;
mod values;

use bitmosaic_arch::{Array, COMMAND_QUEUE, FETCH_COMMANDS, Machine};
use bitmosaic_mappings::{Beat, Burst, COMMAND_BYTES, Program, Reader, Start, WriteBeat, ports};

use job::{ComputeJob, Job};
use load::Load;
use store::Store;
pub use values::run_values;

use crate::memory::{Asks, MemoryPort, MemoryTiming};
use crate::run::{ArrayTrace, ArrayWatchdog};
use crate::step::array::{Queue, READ_QUEUE};

/// Timing engine of a whole machine.
#[derive(Debug, Clone)]
struct ArrayCycle {
    jobs: Vec<Job>,
    port: MemoryPort,
    edge: u64,
    command_beats: u32,
    fetch_address: u64,
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
    compute_queue: Queue<ComputeJob>,
    load_tokens: u32,
    store_tokens: u32,
    computing: Option<(ComputeJob, u64)>,
    /// Edge from which the first tile's hold chains can take a group, and the cycles that a group keeps them.
    chains_free: u64,
    slots: u64,
    read_address: Option<(Reader, Burst)>,
    reads: Queue<(Reader, bool)>,
    write_address: Option<Burst>,
    over: bool,
    trace: ArrayTrace,
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
    let mut engine = ArrayCycle::new(machine, array, program, start, timing);
    // Edge 0 starts the program and does nothing else.
    engine.port.offers();
    engine.port.edge(&Asks::default());
    engine.edge = 1;
    while !engine.over && engine.edge < limit {
        let moved = engine.cycle();
        if !moved && !engine.over {
            engine.skip();
        }
    }
    if !engine.over {
        return Some(Err(ArrayWatchdog { limit, trace: Box::new(engine.trace) }));
    }
    engine.trace.cycles = engine.edge;
    Some(Ok(engine.trace))
}

impl ArrayCycle {
    fn new(machine: &Machine, array: &Array, program: &Program, start: Start, timing: MemoryTiming) -> ArrayCycle {
        ArrayCycle {
            jobs: program.commands.iter().map(|command| Job::new(machine, array, command)).collect(),
            port: MemoryPort::new(timing, array.data_bits),
            edge: 0,
            command_beats: 8 * COMMAND_BYTES as u32 / array.data_bits,
            fetch_address: start.address,
            left: start.commands,
            reserved: 0,
            arrived: 0,
            visible: 0,
            dispatched: 0,
            beats: 0,
            load: Load::new(machine, array),
            store: Store::new(array),
            compute_queue: Queue::new(COMMAND_QUEUE as usize),
            load_tokens: 0,
            store_tokens: 0,
            computing: None,
            chains_free: 0,
            slots: u64::from(machine.scale_unit.slots),
            read_address: None,
            reads: Queue::new(READ_QUEUE),
            write_address: None,
            over: false,
            trace: ArrayTrace::default(),
        }
    }

    /// One cycle, in the order of `ArrayStep`; whether anything moved or is asked of the memory.
    fn cycle(&mut self) -> bool {
        let offers = self.port.offers();
        let write = self.store.writes.front().copied();
        let asks = Asks {
            read_address: self.read_address,
            read_ready: self.reads.ready(),
            write_address: self.write_address,
            write: write.map(|(_, last)| last),
        };
        let mut moved = asks.read_address.is_some()
            || asks.write_address.is_some()
            || asks.write.is_some()
            || offers.read.is_some()
            || offers.response;

        // Requests are decided on the state before the edge.
        let address_free = self.read_address.is_none() || offers.read_address_ready;
        let fetch_request = (self.left > 0 && self.reserved <= FETCH_COMMANDS && address_free)
            .then(|| Burst { address: self.fetch_address, beats: self.left.min(FETCH_COMMANDS) * self.command_beats });
        let load_request = self.load.bursts.request().filter(|_| address_free && fetch_request.is_none());
        let write_address_free = self.write_address.is_none() || offers.write_address_ready;
        let store_request = self.store.request().filter(|_| write_address_free);
        moved |= fetch_request.is_some() || load_request.is_some() || store_request.is_some();
        let idle =
            (self.load.is_idle(), self.compute_queue.is_empty() && self.computing.is_none(), self.store.is_idle());

        moved |= self.dispatch(idle == (true, true, true));
        // Read data.
        let beat = self.reads.front().copied();
        let load_edge = self.load.cycle(matches!(beat, Some((Reader::Load, _))));
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
        let (computed, status) = self.compute();
        let store_retires = self.store.retires();
        let write_taken = offers.write_ready && write.is_some();
        moved |= self.store.cycle(write_taken, store_retires.is_some());
        moved |= load_edge.moved || beat_taken || computed.is_some() || load_edge.retired.is_some();
        moved |= status & STARTED != 0;

        // Trace.
        for (i, retires) in
            [load_edge.retired.is_some(), computed.is_some(), store_retires.is_some()].into_iter().enumerate()
        {
            if retires {
                self.trace.retirements[i].push(self.edge);
            }
        }
        let waits = (status & WAIT_LOAD != 0, status & WAIT_STORE != 0, load_edge.waits);
        self.count_waits(waits, 1);
        if let Some((reader, burst)) = self.read_address.filter(|_| offers.read_address_ready) {
            self.trace.reads.push((self.edge, reader, burst));
        }
        if let Some(burst) = self.write_address.filter(|_| offers.write_address_ready) {
            self.trace.writes.push((self.edge, burst));
        }
        if let Some((strobes, last)) = write.filter(|_| offers.write_ready) {
            self.trace.beats.push((self.edge, WriteBeat { data: Beat::default(), strobes, last }));
        }

        // Tokens and port registers.
        self.load_tokens += u32::from(load_edge.retired == Some(true));
        self.store_tokens += u32::from(store_retires == Some(true));
        if let Some(job) = computed {
            self.load.tokens += u32::from(job.give_load);
            self.store.tokens += u32::from(job.give_store);
        }
        if address_free {
            let fetch = fetch_request.map(|burst| (Reader::Fetch, burst));
            self.read_address = fetch.or(load_request.map(|burst| (Reader::Load, burst)));
        }
        if fetch_request.is_some() {
            let commands = self.left.min(FETCH_COMMANDS);
            self.fetch_address += u64::from(commands) * COMMAND_BYTES as u64;
            self.left -= commands;
            self.reserved += commands;
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
            if let Some((Reader::Load, last)) = beat {
                self.load.bursts.outstanding -= u32::from(last);
            }
        }
        if let Some((reader, _, last)) = offers.read.filter(|_| asks.read_ready) {
            self.reads.push((reader, last));
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
        moved
    }

    fn count_waits(&mut self, waits: (bool, bool, bool), cycles: u64) {
        let counts = &mut self.trace.status_cycles;
        counts[4] += u64::from(waits.0) * cycles;
        counts[5] += u64::from(waits.1) * cycles;
        counts[6] += u64::from(waits.2) * cycles;
        debug_assert_eq!(counts.len(), ports::ARRAY_STATUS.len());
    }

    /// The oldest command goes to its queue if that has room.
    fn dispatch(&mut self, all_idle: bool) -> bool {
        if self.dispatched == self.visible {
            return false;
        }
        let moved = match &self.jobs[self.dispatched] {
            Job::Load(job) => self.load.queue.ready().then(|| self.load.queue.push(*job)),
            Job::Compute(job) => self.compute_queue.ready().then(|| self.compute_queue.push(*job)),
            Job::Store(job) => self.store.queue.ready().then(|| self.store.queue.push(*job)),
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
    fn compute(&mut self) -> (Option<ComputeJob>, u32) {
        if let Some((job, done)) = self.computing {
            if done != self.edge {
                return (None, 0);
            }
            self.computing = None;
            for (count, cycles) in self.trace.status_cycles.iter_mut().zip(job.status) {
                *count += cycles;
            }
            return (Some(job), 0);
        }
        let Some(job) = self.compute_queue.front().copied() else { return (None, 0) };
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
        self.trace.status_cycles[2] += late;
        let last = self.edge + job.captures.1 + late;
        self.chains_free = last + self.slots;
        self.computing = Some((job, last + job.tail + job.skew));
        (None, STARTED)
    }

    /// After a cycle in which nothing moved: on to the next in which something can.
    fn skip(&mut self) {
        let done = self.computing.map_or(u64::MAX, |(_, done)| done - self.edge);
        let cycles = self.port.quiet_cycles().min(done);
        if cycles == 0 || cycles == u64::MAX {
            return;
        }
        self.port.skip(cycles);
        self.edge += cycles;
        // What waited still does.
        let waiting = self.compute_queue.front().filter(|_| self.computing.is_none());
        let wait_load = waiting.is_some_and(|job| job.wait_load && self.load_tokens == 0);
        let wait_store = waiting.is_some_and(|job| job.wait_store && self.store_tokens == 0) && !wait_load;
        let load_waits = self.load.queue.front().is_some_and(|job| job.wait && self.load.tokens == 0);
        self.count_waits((wait_load, wait_store, load_waits), cycles);
    }
}

const WAIT_LOAD: u32 = 1;
const WAIT_STORE: u32 = 2;
const STARTED: u32 = 4;
