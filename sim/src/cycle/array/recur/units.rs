//! How units recur: what is equal, and how often counters can go on before one is at its end.

use super::super::job::{Job, load_at, store_at};
use super::super::load::{Aligner, Load, Sink};
use super::super::queue::Queue;
use super::super::store::Store;
use crate::step::array::Bursts;

/// The same commands as in `then`, `by` places later.
pub(super) fn ahead<const N: usize>(queue: &Queue<usize, N>, then: &Queue<usize, N>, by: usize) -> bool {
    queue.items.iter().copied().eq(then.items.iter().map(|index| index + by))
}

/// How often a counter that was `before` and is `now` can go down as far again and stays at `least` or more.
fn falls(before: u64, now: u64, least: u64) -> u64 {
    now.saturating_sub(least).checked_div(before - now).unwrap_or(u64::MAX)
}

impl Load {
    /// Place of the oldest command that is not done.
    pub(super) fn next_retired(&self) -> Option<usize> {
        let waiting = self.sink_queue.items.front().or(self.queue.items.front());
        self.sink.as_ref().map(|sink| sink.job.index).or(waiting.copied())
    }

    /// Equal to `then` but for commands, and for counters where these are the same.
    pub(super) fn recurs(&self, then: &Load, by: usize) -> bool {
        let sink = match (&self.sink, &then.sink) {
            (None, None) => true,
            (Some(sink), Some(other)) => sink.recurs(other, by),
            _ => false,
        };
        let (bursts, before) = (&self.bursts, &then.bursts);
        let aligners = [self.aligner, then.aligner].map(|aligner| aligner.map(Aligner::reading_first));
        sink && self.tokens == then.tokens
            && (self.words, self.entries) == (then.words, then.entries)
            && (by == 0 || aligners[0] == aligners[1])
            && (bursts.active, bursts.outstanding) == (before.active, before.outstanding)
            && (by == 0 || bursts.left() == before.left())
            && ahead(&self.queue, &then.queue, by)
            && ahead(&self.sink_queue, &then.sink_queue, by)
    }

    /// How often the sink can do again what it did since `then`; `None` where it cannot.
    pub(super) fn times(&self, then: &Load) -> Option<u64> {
        let (Some(sink), Some(before)) = (&self.sink, &then.sink) else { return Some(u64::MAX) };
        let words = before.words_left - sink.words_left;
        let mut times = falls(before.words_left, sink.words_left, 2);
        if sink.job.weights {
            return Some(times);
        }
        // Rows and groups are as far as before, or all words were of the same one.
        let counters = [(before.row_left, sink.row_left), (before.group_left.into(), sink.group_left.into())];
        for (before, now) in counters.into_iter().filter(|(before, now)| before != now) {
            if before.checked_sub(now) != Some(words) {
                return None;
            }
            times = times.min(falls(before, now, 2));
        }
        if let (Some(aligner), Some(before)) = (&self.aligner, &then.aligner) {
            times = times.min(aligner.times(before)?);
        }
        Some(times)
    }

    pub(super) fn repeat(&mut self, then: &Load, times: u64) {
        repeat_bursts(&then.bursts, &mut self.bursts, times);
        if let (Some(sink), Some(before)) = (&mut self.sink, &then.sink) {
            sink.words_left -= times * (before.words_left - sink.words_left);
            sink.unwritten -= times * (before.unwritten - sink.unwritten);
            sink.row_left -= times * before.row_left.saturating_sub(sink.row_left);
            sink.group_left -= times as u32 * before.group_left.saturating_sub(sink.group_left);
        }
        if let (Some(aligner), Some(old)) = (&mut self.aligner, &then.aligner) {
            aligner.repeat(old, times as u32);
        }
    }

    /// The same state for the commands `by` places later.
    pub(super) fn move_on(&mut self, jobs: &[Job], by: usize) {
        // The generator works on the youngest command that it started.
        let youngest = self.sink_queue.items.iter().next_back().copied();
        if let Some(index) = youngest.or(self.sink.as_ref().map(|sink| sink.job.index)) {
            let address = |index| load_at(jobs, index).map_or(0, |job| job.at.address);
            self.bursts.move_by(address(index + by).wrapping_sub(address(index)));
        }
        self.queue.items.change(|index| *index += by);
        self.sink_queue.items.change(|index| *index += by);
        if let Some(sink) = &mut self.sink {
            sink.job.index += by;
        }
    }
}

impl Aligner {
    /// How often the buffers can fill and empty as since `then`; `None` where they cannot.
    fn times(&self, then: &Aligner) -> Option<u64> {
        if self.reading_first() == then.reading_first() {
            return Some(u64::MAX);
        }
        if (self.turns, self.fetched, self.output) != (then.turns, then.fetched, then.output) {
            return None;
        }
        // What ends a group is counted by the sink.
        let left = |aligner: &Aligner| u64::from(aligner.beats[self.read] - aligner.read_beat);
        Some(if self.full[self.read] { falls(left(then), left(self), 2) } else { u64::MAX })
    }

    fn repeat(&mut self, then: &Aligner, times: u32) {
        if self.turns == then.turns {
            self.beats[self.write] += times * (self.beats[self.write] - then.beats[self.write]);
            self.read_beat += times * (self.read_beat - then.read_beat);
        }
    }
}

impl Sink {
    fn recurs(&self, then: &Sink, by: usize) -> bool {
        let place = |sink: &Sink| (sink.words_left, sink.row_left, sink.group_left);
        self.job.index == then.job.index + by
            && (by == 0 || place(self) == place(then))
            && (self.job.weights || self.unwritten - self.words_left == then.unwritten - then.words_left)
    }
}

impl Store {
    /// Equal to `then` but for commands, and for counters where these are the same.
    pub(super) fn recurs(&self, then: &Store, by: usize) -> bool {
        let (bursts, before) = (&self.bursts, &then.bursts);
        self.job.map(|job| job.index) == then.job.map(|job| job.index + by)
            && (self.tokens, self.fetched) == (then.tokens, then.fetched)
            && (bursts.active, bursts.outstanding) == (before.active, before.outstanding)
            && (by == 0 || (bursts.left(), self.unread, self.sent) == (before.left(), then.unread, then.sent))
            && self.lengths.items.iter().eq(then.lengths.items.iter())
            && self.writes.items.iter().eq(then.writes.items.iter())
            && ahead(&self.queue, &then.queue, by)
    }

    /// How often beats can be read and sent as since `then`; `None` where they cannot.
    pub(super) fn times(&self, then: &Store) -> Option<u64> {
        let times = falls(then.unread, self.unread, 1);
        if self.sent == then.sent {
            return Some(times);
        }
        let left = |store: &Store| u64::from(store.lengths.front().unwrap_or(0).saturating_sub(store.sent));
        (self.sent_bursts == then.sent_bursts).then(|| times.min(falls(left(then), left(self), 2)))
    }

    pub(super) fn repeat(&mut self, then: &Store, times: u64) {
        repeat_bursts(&then.bursts, &mut self.bursts, times);
        self.unread -= times * (then.unread - self.unread);
        self.sent += times as u32 * self.sent.saturating_sub(then.sent);
    }

    /// The same state for the commands `by` places later.
    pub(super) fn move_on(&mut self, jobs: &[Job], by: usize) {
        self.queue.items.change(|index| *index += by);
        if let Some(job) = &mut self.job {
            let address = |index| store_at(jobs, index).map_or(0, |job| job.at.address);
            self.bursts.move_by(address(job.index + by).wrapping_sub(address(job.index)));
            job.index += by;
        }
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
pub(super) fn bursts_recur(then: &Bursts, now: &Bursts, times: u64) -> u64 {
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
