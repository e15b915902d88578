//! What recurs is not simulated again. A state that is an earlier one but for time goes on as that one did: while it works on
//! the same commands as long as its counters stay off their ends and its bursts have the same lengths, while it works on later
//! commands as long as these are of the same kinds.

use std::collections::BTreeMap;

use bitmosaic_arch::FETCH_COMMANDS;

use super::job::{ComputeJob, Job, LoadJob, StoreJob};
use super::load::{Aligner, Load, Sink};
use super::store::Store;
use super::trace::{Edges, Marks};
use super::{ArrayCycle, Queue};
use crate::step::array::Bursts;

/// Looks for recurrences: within commands after every burst, of loops of commands after the start of every product.
#[derive(Debug)]
pub(super) struct Recurrences<'j> {
    /// Kinds of the commands.
    kinds: Vec<usize>,
    limit: u64,
    /// A state after a burst, replaced after 1, 2, 4, ... later ones as Brent does.
    burst: Option<Kept<'j>>,
    looks: u32,
    until: u32,
    /// The last state after the start of a product for each of what [`ArrayCycle::looks_like`] tells.
    products: BTreeMap<Vec<u64>, Kept<'j>>,
}

/// A state, and how much had happened by then.
type Kept<'j> = (ArrayCycle<'j>, Marks);

/// Bursts between which a recurrence is found at the latest.
const MOST_BURSTS: u32 = 64;

/// States of products that are kept at most.
const MOST_PRODUCTS: usize = 1 << 12;

/// What the state of a unit or queue is ahead of another one by: commands.
type Ahead = usize;

impl<'j> Recurrences<'j> {
    pub(super) fn new(kinds: Vec<usize>, limit: u64) -> Recurrences<'j> {
        Recurrences { kinds, limit, burst: None, looks: 0, until: 1, products: BTreeMap::new() }
    }

    /// Looks at the state after the start of a product.
    pub(super) fn product(&mut self, engine: &mut ArrayCycle<'j>, edges: &mut Edges) {
        self.burst = None;
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
        self.looks += 1;
        match &self.burst {
            Some(kept) if engine.works_on_the_same(&kept.0) => {
                if engine.repeat_since(kept, edges, &self.kinds, self.limit) {
                    self.burst = None;
                    return;
                }
                if self.looks < self.until {
                    return;
                }
                self.until = if self.until < MOST_BURSTS { 2 * self.until } else { 1 };
            }
            _ => self.until = 1,
        }
        self.looks = 0;
        self.burst = Some((engine.clone(), edges.marks()));
    }
}

impl ArrayCycle<'_> {
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
            && self.reads.items().eq(then.reads.items())
            && ahead(&self.compute_queue, &then.compute_queue, by)
            && self.load.recurs(&then.load, by)
            && self.store.recurs(&then.store, by)
            && self.port.recurs(&then.port);
        if !same {
            return None;
        }
        let room = (limit - self.edge.min(limit)) / period;
        let times = if by == 0 {
            let (load, store) = (self.load.times(&then.load)?, self.store.times(&then.store));
            let done = self.computing.map_or(u64::MAX, |(_, done)| (done - self.edge) / period);
            let times = room.min(load).min(store).min(done);
            let times = bursts_recur(&then.load.bursts, &self.load.bursts, times);
            bursts_recur(&then.store.bursts, &self.store.bursts, times)
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
        let compute = self.computing.map(|(job, _)| job.index).or(self.compute_queue.front().map(|job| job.index));
        let store = self.store.job.or(self.store.queue.front().copied()).map(|job| job.index);
        let oldest = [self.load.next_retired(), compute, store].into_iter().flatten().min();
        oldest.unwrap_or(self.dispatched).min(self.dispatched)
    }

    /// Does `times` times more, each in `period` cycles, what was done since `then`.
    fn repeat(&mut self, then: &ArrayCycle<'_>, times: u64, period: u64) {
        let by = (self.dispatched - then.dispatched) * times as usize;
        let cycles = times * period;
        self.edge += cycles;
        self.port.shift(cycles);
        if by == 0 {
            self.load.repeat(&then.load, times);
            self.store.unread -= times * (then.store.unread - self.store.unread);
            repeat_bursts(&then.store.bursts, &mut self.store.bursts, times);
            return;
        }
        self.dispatched += by;
        self.arrived += by;
        self.visible += by;
        self.left -= by as u32;
        self.chains_free += cycles;
        let jobs = self.jobs;
        self.compute_queue.items_mut().for_each(|job| *job = job.later(jobs, by));
        self.computing = self.computing.map(|(job, done)| (job.later(jobs, by), done + cycles));
        self.load.later(jobs, by);
        let store = &mut self.store;
        store.queue.items_mut().for_each(|job| *job = job.later(jobs, by));
        if let Some(job) = &mut store.job {
            let address = job.at.address;
            *job = job.later(jobs, by);
            store.bursts.move_by(job.at.address.wrapping_sub(address));
        }
    }
}

/// Commands as the queues hold them.
pub(super) trait Later: Copy {
    /// Place in the program.
    fn index(&self) -> usize;
    /// The command `by` places later, which is of the same kind.
    fn later(&self, jobs: &[Job], by: usize) -> Self;
}

macro_rules! later {
    ($($kind:ident: $job:ident),*) => { $(
        impl Later for $job {
            fn index(&self) -> usize {
                self.index
            }

            fn later(&self, jobs: &[Job], by: usize) -> $job {
                match jobs.get(self.index + by) {
                    Some(Job::$kind(job)) => *job,
                    _ => *self,
                }
            }
        }
    )* };
}
later!(Load: LoadJob, Compute: ComputeJob, Store: StoreJob);

/// The same commands as in `then`, `by` places later.
fn ahead<T: Later>(queue: &Queue<T>, then: &Queue<T>, by: Ahead) -> bool {
    queue.items().map(Later::index).eq(then.items().map(|job| job.index() + by))
}

impl Load {
    /// Place of the oldest command that is not done.
    fn next_retired(&self) -> Option<usize> {
        let waiting = self.sink_queue.items().next().or(self.queue.items().next());
        self.sink.as_ref().map(|sink| sink.job.index).or(waiting.map(|job| job.index))
    }

    fn recurs(&self, then: &Load, by: Ahead) -> bool {
        let sink = match (&self.sink, &then.sink) {
            (None, None) => true,
            (Some(sink), Some(other)) => sink.recurs(other, by),
            _ => false,
        };
        let (bursts, before) = (&self.bursts, &then.bursts);
        sink && self.tokens == then.tokens
            && (self.words, self.chunks) == (then.words, then.chunks)
            && self.aligner.map(Aligner::reading_first) == then.aligner.map(Aligner::reading_first)
            && (bursts.active, bursts.outstanding) == (before.active, before.outstanding)
            && (by == 0 || bursts.left() == before.left())
            && ahead(&self.queue, &then.queue, by)
            && ahead(&self.sink_queue, &then.sink_queue, by)
    }

    /// How often the sink can do again what it did since `then`; `None` where it cannot.
    fn times(&self, then: &Load) -> Option<u64> {
        let (Some(sink), Some(before)) = (&self.sink, &then.sink) else { return Some(u64::MAX) };
        let words = before.words_left - sink.words_left;
        let spare = |left: u64| left.saturating_sub(2).checked_div(words).unwrap_or(u64::MAX);
        if sink.job.weights || sink.row_left == before.row_left {
            return Some(spare(sink.words_left));
        }
        let same_row = before.row_left.checked_sub(sink.row_left) == Some(words);
        same_row.then(|| spare(sink.words_left).min(spare(sink.row_left)))
    }

    fn repeat(&mut self, then: &Load, times: u64) {
        repeat_bursts(&then.bursts, &mut self.bursts, times);
        if let (Some(sink), Some(before)) = (&mut self.sink, &then.sink) {
            let words = times * (before.words_left - sink.words_left);
            sink.words_left -= words;
            sink.unwritten -= times * (before.unwritten - sink.unwritten);
            if sink.row_left != before.row_left {
                sink.row_left -= words;
            }
        }
    }

    fn later(&mut self, jobs: &[Job], by: usize) {
        // The generator works on the youngest command that it started.
        if let Some(job) = self.sink_queue.items().last().copied().or(self.sink.as_ref().map(|sink| sink.job)) {
            self.bursts.move_by(job.later(jobs, by).at.address.wrapping_sub(job.at.address));
        }
        self.queue.items_mut().chain(self.sink_queue.items_mut()).for_each(|job| *job = job.later(jobs, by));
        if let Some(sink) = &mut self.sink {
            sink.job = sink.job.later(jobs, by);
        }
    }
}

impl Sink {
    fn recurs(&self, then: &Sink, by: Ahead) -> bool {
        let same_place = (self.words_left, self.row_left) == (then.words_left, then.row_left);
        self.job.index == then.job.index + by
            && (by == 0 || same_place)
            && self.group_left == then.group_left
            && (self.job.weights || self.unwritten - self.words_left == then.unwritten - then.words_left)
    }
}

impl Store {
    fn recurs(&self, then: &Store, by: Ahead) -> bool {
        let (bursts, before) = (&self.bursts, &then.bursts);
        self.job.map(|job| job.index) == then.job.map(|job| job.index + by)
            && (self.tokens, self.sent, self.fetched) == (then.tokens, then.sent, then.fetched)
            && (bursts.active, bursts.outstanding) == (before.active, before.outstanding)
            && (by == 0 || (bursts.left(), self.unread) == (before.left(), then.unread))
            && self.lengths.items().eq(then.lengths.items())
            && self.writes.items().eq(then.writes.items())
            && ahead(&self.queue, &then.queue, by)
    }

    /// How often beats can be read as since `then`.
    fn times(&self, then: &Store) -> u64 {
        self.unread.saturating_sub(1).checked_div(then.unread - self.unread).unwrap_or(u64::MAX)
    }
}

/// Bursts granted since `then`.
fn granted(then: &Bursts, now: &Bursts) -> u64 {
    let (mut bursts, mut count) = (then.clone(), 0);
    while bursts.active && bursts.left() != now.left() {
        bursts.grant_next();
        count += 1;
    }
    count
}

/// How often, of `times`, bursts of the lengths of those since `then` come again and are not the last.
fn bursts_recur(then: &Bursts, now: &Bursts, times: u64) -> u64 {
    let count = granted(then, now);
    if count == 0 {
        return times;
    }
    let (mut then, mut now) = (then.clone(), now.clone());
    let all = times.saturating_mul(count);
    let recurring = (0..all).take_while(|_| then.grant_next().beats == now.grant_next().beats && now.active).count();
    recurring as u64 / count
}

/// Grants again, `times` times, as many bursts as since `then`.
fn repeat_bursts(then: &Bursts, now: &mut Bursts, times: u64) {
    let outstanding = now.outstanding;
    for _ in 0..times * granted(then, now) {
        now.grant_next();
    }
    now.outstanding = outstanding;
}
