//! What recurs is not simulated again. A state that is an earlier one but for time goes on as that one did. Where it works on
//! the same commands, its counters may have moved on, and it does so as long as they stay off their ends and its bursts have
//! the same lengths. Where it works on later commands, it does so as long as these are of the same kinds.

mod units;

use std::collections::BTreeMap;

use bitmosaic_arch::FETCH_COMMANDS;

use super::ArrayCycle;
use super::trace::{Edges, Marks};
use units::{ahead, bursts_recur};

/// Looks for recurrences: of beats, of bursts, and after the start of every product of loops of commands.
#[derive(Debug)]
pub(super) struct Recurrences<'j> {
    /// Kinds of the commands.
    kinds: Vec<usize>,
    limit: u64,
    beats: Search<'j>,
    /// Beats looked at since the last burst was over.
    beats_seen: u32,
    bursts: Search<'j>,
    /// The last state after the start of a product for each of what [`ArrayCycle::looks_like`] tells.
    products: BTreeMap<Vec<u64>, Kept<'j>>,
}

/// States of products that are kept at most.
const MOST_PRODUCTS: usize = 1 << 12;

/// Beats of a burst that are looked at, and those that are to come after them.
const MOST_BEATS: u32 = 6;
const FEWEST_BEATS: u32 = 8;

/// A state, and how much had happened by then.
type Kept<'j> = (ArrayCycle<'j>, Marks);

/// Compares states with a kept one, which is replaced after 1, 2, 4, ... states as Brent does, up to `longest`.
#[derive(Debug)]
struct Search<'j> {
    kept: Option<Kept<'j>>,
    looks: u32,
    until: u32,
    longest: u32,
}

impl<'j> Recurrences<'j> {
    pub(super) fn new(kinds: Vec<usize>, limit: u64) -> Recurrences<'j> {
        let search = |longest: u32| Search { kept: None, looks: 0, until: 1, longest };
        Recurrences { kinds, limit, beats: search(4), beats_seen: 0, bursts: search(64), products: BTreeMap::new() }
    }

    /// Looks at the state after the start of a product.
    pub(super) fn product(&mut self, engine: &mut ArrayCycle<'j>, edges: &mut Edges) {
        let like = engine.looks_like(&self.kinds);
        if let Some(kept) = self.products.get(&like) {
            engine.repeat_since(kept, edges, &self.kinds, self.limit);
        }
        if self.products.len() == MOST_PRODUCTS {
            self.products.clear();
        }
        self.products.insert(like, (engine.clone(), edges.marks()));
    }

    /// Looks at the state after a burst.
    pub(super) fn burst(&mut self, engine: &mut ArrayCycle<'j>, edges: &mut Edges) {
        self.beats.kept = None;
        self.beats_seen = 0;
        self.bursts.look(engine, edges, &self.kinds, self.limit);
    }

    /// Looks at the state after a beat that is not its burst's last.
    pub(super) fn beat(&mut self, engine: &mut ArrayCycle<'j>, edges: &mut Edges) {
        // Most bursts show at once whether their beats come evenly, and short ones are over soon.
        if self.beats_seen == MOST_BEATS || engine.beats_to_come() < FEWEST_BEATS {
            return;
        }
        self.beats_seen += 1;
        self.beats.look(engine, edges, &self.kinds, self.limit);
    }
}

impl<'j> Search<'j> {
    fn look(&mut self, engine: &mut ArrayCycle<'j>, edges: &mut Edges, kinds: &[usize], limit: u64) {
        self.looks += 1;
        match &self.kept {
            Some(kept) if engine.works_on_the_same(&kept.0) => {
                if engine.repeat_since(kept, edges, kinds, limit) {
                    self.kept = None;
                    return;
                }
                if self.looks < self.until {
                    return;
                }
                self.until = if self.until < self.longest { 2 * self.until } else { 1 };
            }
            _ => self.until = 1,
        }
        self.looks = 0;
        self.kept = Some((engine.clone(), edges.marks()));
    }
}

impl ArrayCycle<'_> {
    /// Beats before the end of a burst, of those that move.
    fn beats_to_come(&self) -> u32 {
        let store = &self.store;
        let read = self.port.read_left().unwrap_or(u32::MAX);
        let write = store.lengths.front().filter(|_| store.fetched).map_or(u32::MAX, |beats| beats - store.sent);
        read.min(write)
    }

    /// It works on the same commands as `then`.
    fn works_on_the_same(&self, then: &ArrayCycle<'_>) -> bool {
        let store = |engine: &ArrayCycle<'_>| engine.store.job.map(|job| job.index);
        self.dispatched == then.dispatched
            && self.load.next_retired() == then.load.next_retired()
            && store(self) == store(then)
    }

    /// Repeats what happened since `then` as often as it may; whether it did.
    fn repeat_since(&mut self, (then, marks): &Kept<'_>, edges: &mut Edges, kinds: &[usize], limit: u64) -> bool {
        let Some((times, period)) = self.recurs(then, kinds, limit) else { return false };
        self.repeat(then, times, period);
        edges.repeat(marks, times, period);
        true
    }

    /// Some of what is equal where a state recurs for later commands.
    fn looks_like(&self, kinds: &[usize]) -> Vec<u64> {
        let ahead = (self.arrived - self.dispatched) as u64;
        let sink = self.load.sink.as_ref().map_or(0, |sink| 1 + sink.words_left);
        let mut like = vec![u64::from(self.reserved) << 32 | ahead, sink, self.store.unread];
        like.extend([self.load.bursts.outstanding, self.store.bursts.outstanding].map(u64::from));
        like.extend(self.computing.map(|(_, done)| done - self.edge));
        like.extend(kinds[self.oldest()..].iter().take(8).map(|kind| *kind as u64));
        like
    }

    /// How often what happened since `then` happens again, and in how many cycles each time.
    fn recurs(&self, then: &ArrayCycle<'_>, kinds: &[usize], limit: u64) -> Option<(u64, u64)> {
        let by = self.dispatched - then.dispatched;
        let period = self.edge - then.edge;
        let wait = |engine: &ArrayCycle<'_>, edge: u64| edge.saturating_sub(engine.edge);
        let computing = match (&self.computing, &then.computing) {
            (None, None) => true,
            (Some((job, done)), Some((other, then_done))) => {
                let same = if by == 0 { done == then_done } else { wait(self, *done) == wait(then, *then_done) };
                same && job.index == other.index + by
            }
            _ => false,
        };
        let chains = if by == 0 {
            self.chains_free == then.chains_free
        } else {
            wait(self, self.chains_free) == wait(then, then.chains_free)
        };
        let same = computing
            && chains
            && (self.reserved, self.beats) == (then.reserved, then.beats)
            && (self.arrived, self.visible) == (then.arrived + by, then.visible + by)
            && (self.load_tokens, self.store_tokens) == (then.load_tokens, then.store_tokens)
            && (self.read_address, self.write_address) == (then.read_address, then.write_address)
            && self.reads.items.iter().eq(then.reads.items.iter())
            && ahead(&self.compute_queue, &then.compute_queue, by)
            && self.load.recurs(&then.load, by)
            && self.store.recurs(&then.store, by)
            && self.port.recurs(&then.port);
        if !same {
            return None;
        }
        let room = (limit - self.edge.min(limit)) / period;
        let times = if by == 0 {
            let done = self.computing.map_or(u64::MAX, |(_, done)| (done - self.edge) / period);
            let counters = [self.port.times(&then.port)?, self.load.times(&then.load)?, self.store.times(&then.store)?];
            let times = counters.into_iter().fold(room.min(done), u64::min);
            let times = bursts_recur(&then.load.bursts, &self.load.bursts, times);
            bursts_recur(&then.store.bursts, &self.store.bursts, times)
        } else if self.port.times(&then.port) != Some(u64::MAX) {
            0
        } else {
            // All that was dispatched, and the command that comes after it; those in the queues and units too.
            let first = then.oldest();
            let recurring = (first..kinds.len() - by).take_while(|i| kinds[*i] == kinds[*i + by]).count();
            let times = (first + recurring).saturating_sub(then.dispatched + 1) / by;
            // Fetch always finds as many commands as it asks for at most.
            let fetched = self.left.saturating_sub(FETCH_COMMANDS) as usize / by;
            room.min(times.min(fetched) as u64)
        };
        (times > 0 && times < u64::MAX / period).then_some((times, period))
    }

    /// Place of the oldest command that is not done.
    fn oldest(&self) -> usize {
        let compute = self.computing.map(|(job, _)| job.index).or(self.compute_queue.items.front().copied());
        let store = self.store.job.map(|job| job.index).or(self.store.queue.items.front().copied());
        let oldest = [self.load.next_retired(), compute, store].into_iter().flatten().min();
        oldest.unwrap_or(self.dispatched).min(self.dispatched)
    }

    /// Does `times` times more, each in `period` cycles, what was done since `then`.
    fn repeat(&mut self, then: &ArrayCycle<'_>, times: u64, period: u64) {
        let by = (self.dispatched - then.dispatched) * times as usize;
        let cycles = times * period;
        self.edge += cycles;
        self.port.repeat(&then.port, times, cycles);
        if by == 0 {
            self.load.repeat(&then.load, times);
            self.store.repeat(&then.store, times);
            return;
        }
        self.dispatched += by;
        self.arrived += by;
        self.visible += by;
        self.left -= by as u32;
        self.chains_free += cycles;
        self.compute_queue.items.change(|index| *index += by);
        if let Some((job, done)) = &mut self.computing {
            job.index += by;
            *done += cycles;
        }
        self.load.move_on(self.jobs, by);
        self.store.move_on(self.jobs, by);
    }
}
