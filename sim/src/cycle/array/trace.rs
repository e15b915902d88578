//! When things happened. Addresses, strobes and lengths depend on their order alone and are added at the end.

use bitmosaic_arch::{Array, FETCH_COMMANDS};
use bitmosaic_mappings::{Beat, Burst, COMMAND_BYTES, Reader, Start, WriteBeat, ports};

use super::job::{Job, Rows};
use crate::run::ArrayTrace;
use crate::step::array::Bursts;

/// Edges of [`ArrayTrace`]'s events, or, where these are not kept, cycles by cause alone.
#[derive(Debug)]
pub(super) struct Edges {
    kept: bool,
    reads: Vec<(u64, Reader)>,
    writes: Vec<u64>,
    beats: Vec<u64>,
    retirements: [Vec<u64>; 3],
    pub(super) status_cycles: [u64; ports::ARRAY_STATUS.len()],
}

/// What happened in a cycle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Events {
    /// A read address was taken.
    pub(super) read: Option<Reader>,
    /// A write address was taken, and a write beat.
    pub(super) write: bool,
    pub(super) beat: bool,
    /// Commands of the queues load, compute and store retired.
    pub(super) retired: [bool; 3],
}

/// How much there was of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    reads: usize,
    writes: usize,
    beats: usize,
    retirements: [usize; 3],
    status_cycles: [u64; ports::ARRAY_STATUS.len()],
}

impl Edges {
    pub(super) fn new(kept: bool) -> Edges {
        Edges {
            kept,
            reads: Vec::new(),
            writes: Vec::new(),
            beats: Vec::new(),
            retirements: Default::default(),
            status_cycles: Default::default(),
        }
    }

    /// Keeps what happened at this edge.
    pub(super) fn push(&mut self, edge: u64, events: Events) {
        if !self.kept {
            return;
        }
        for (retirements, retired) in self.retirements.iter_mut().zip(events.retired) {
            if retired {
                retirements.push(edge);
            }
        }
        self.reads.extend(events.read.map(|reader| (edge, reader)));
        if events.write {
            self.writes.push(edge);
        }
        if events.beat {
            self.beats.push(edge);
        }
    }

    pub(super) fn marks(&self) -> Marks {
        Marks {
            reads: self.reads.len(),
            writes: self.writes.len(),
            beats: self.beats.len(),
            retirements: self.retirements.each_ref().map(Vec::len),
            status_cycles: self.status_cycles,
        }
    }

    /// What happened since `marks` happens again, `times` times, every `period` cycles.
    pub(super) fn repeat(&mut self, marks: &Marks, times: u64, period: u64) {
        repeat(&mut self.reads, marks.reads, times, |read, i| (read.0 + i * period, read.1));
        let later = |edge: u64, i: u64| edge + i * period;
        repeat(&mut self.writes, marks.writes, times, later);
        repeat(&mut self.beats, marks.beats, times, later);
        for (edges, from) in self.retirements.iter_mut().zip(marks.retirements) {
            repeat(edges, from, times, later);
        }
        for (cycles, before) in self.status_cycles.iter_mut().zip(marks.status_cycles) {
            *cycles += times * (*cycles - before);
        }
    }

    /// The trace of a program of these commands.
    pub(super) fn trace(self, array: &Array, jobs: &[Job], start: Start, cycles: u64) -> ArrayTrace {
        let mut fetches = fetches(array, start);
        let loads = jobs.iter().filter_map(|job| if let Job::Load(load) = job { Some(load.at) } else { None });
        let mut loads = loads.flat_map(|rows| bursts(array, rows));
        let reads = self.reads.into_iter().filter_map(|(edge, reader)| {
            let burst = match reader {
                Reader::Fetch => fetches.next(),
                Reader::Load => loads.next(),
            };
            Some((edge, reader, burst?))
        });
        let reads = reads.collect();
        let (mut writes, mut beats) = (Vec::new(), Vec::with_capacity(self.beats.len()));
        let (mut write_edges, mut beat_edges) = (self.writes.into_iter(), self.beats.into_iter());
        let all_strobes = u32::MAX >> (32 - array.beat_bytes());
        for job in jobs {
            let Job::Store(store) = job else { continue };
            let mut row_left = store.at.row_beats;
            for burst in bursts(array, store.at) {
                if write_edges.len() == 0 && beat_edges.len() == 0 {
                    break;
                }
                writes.extend(write_edges.next().map(|edge| (edge, burst)));
                for (i, edge) in (1..=burst.beats).zip(&mut beat_edges) {
                    let strobes = if i == row_left { store.last_strobes } else { all_strobes };
                    beats.push((edge, WriteBeat { data: Beat::default(), strobes, last: i == burst.beats }));
                }
                row_left = if burst.beats == row_left { store.at.row_beats } else { row_left - burst.beats };
            }
        }
        ArrayTrace {
            reads,
            writes,
            beats,
            retirements: self.retirements,
            status_cycles: self.status_cycles,
            cycles,
            error: 0,
        }
    }
}

/// Appends `times` copies of what is there from `from` on, made by `later` of it and the number of the copy, from 1 on.
fn repeat<T: Copy>(events: &mut Vec<T>, from: usize, times: u64, later: impl Fn(T, u64) -> T) {
    let end = events.len();
    events.reserve((end - from) * times as usize);
    for i in 1..=times {
        for event in from..end {
            events.push(later(events[event], i));
        }
    }
}

/// Bursts of command fetch.
fn fetches(array: &Array, start: Start) -> impl Iterator<Item = Burst> {
    let command_beats = command_beats(array);
    (0..start.commands).step_by(FETCH_COMMANDS as usize).map(move |first| Burst {
        address: start.address + u64::from(first) * COMMAND_BYTES as u64,
        beats: (start.commands - first).min(FETCH_COMMANDS) * command_beats,
    })
}

/// Beats of a command.
pub(super) fn command_beats(array: &Array) -> u32 {
    8 * COMMAND_BYTES as u32 / array.data_bits
}

/// Bursts of rows.
fn bursts(array: &Array, rows: Rows) -> impl Iterator<Item = Burst> {
    let mut bursts = Bursts::new(array, 1);
    bursts.start(rows.address, rows.row_beats, rows.rows, rows.pitch);
    std::iter::from_fn(move || bursts.active.then(|| bursts.grant_next()))
}
