//! Timing of the store unit: `sim/src/step/array/store.rs` without data.

use bitmosaic_arch::{Array, COMMAND_QUEUE};

use super::job::{Job, StoreJob, store_at};
use super::queue::Queue;
use crate::step::array::{Bursts, LENGTH_QUEUE, WRITE_QUEUE};

/// The store unit.
#[derive(Debug, Clone)]
pub(super) struct Store {
    /// Commands by their places in the program.
    pub(super) queue: Queue<usize, { COMMAND_QUEUE as usize }>,
    pub(super) tokens: u32,
    pub(super) bursts: Bursts,
    pub(super) lengths: Queue<u32, LENGTH_QUEUE>,
    pub(super) sent: u32,
    /// Bursts whose last beat was sent.
    pub(super) sent_bursts: u64,
    /// Last flags.
    pub(super) writes: Queue<bool, WRITE_QUEUE>,
    pub(super) job: Option<StoreJob>,
    /// Beats of the command that were not read.
    pub(super) unread: u64,
    /// A beat was read.
    pub(super) fetched: bool,
}

impl Store {
    pub(super) fn new(array: &Array) -> Store {
        Store {
            queue: Queue::new(),
            tokens: 0,
            bursts: Bursts::new(array, array.outstanding_writes),
            lengths: Queue::new(),
            sent: 0,
            sent_bursts: 0,
            writes: Queue::new(),
            job: None,
            unread: 0,
            fetched: false,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.job.is_none()
    }

    /// A burst is asked for.
    pub(super) fn request(&self) -> bool {
        self.lengths.ready() && self.bursts.request().is_some()
    }

    pub(super) fn grant(&mut self) {
        self.lengths.push(self.bursts.grant_next().beats);
    }

    pub(super) fn retires(&self) -> Option<bool> {
        let done = !self.bursts.active && self.bursts.outstanding == 0;
        self.job.filter(|_| done).map(|job| job.give)
    }

    /// Gives whether something moved.
    pub(super) fn cycle(&mut self, jobs: &[Job], write_taken: bool, retires: bool) -> bool {
        let mut moved = write_taken || retires;
        let advance = self.writes.ready() && !self.lengths.is_empty();
        if write_taken {
            self.writes.pop();
        }
        if !self.fetched || advance {
            if self.fetched {
                self.sent += 1;
                let last = self.lengths.front() == Some(self.sent);
                if last {
                    self.lengths.pop();
                    self.sent = 0;
                    self.sent_bursts += 1;
                }
                self.writes.push(last);
                moved = true;
            }
            self.fetched = self.unread > 0;
            moved |= self.fetched;
            self.unread -= u64::from(self.fetched);
        }
        if retires {
            self.job = None;
        } else if self.job.is_none()
            && let Some(job) = self.queue.front().and_then(|index| store_at(jobs, index))
            && (!job.wait || self.tokens > 0)
        {
            self.queue.pop();
            self.tokens -= u32::from(job.wait);
            self.job = Some(*job);
            self.unread = u64::from(job.at.rows) * u64::from(job.at.row_beats);
            self.bursts.start(job.at.address, job.at.row_beats, job.at.rows, job.at.pitch);
            moved = true;
        }
        moved
    }

    pub(super) fn edge(&mut self) {
        self.queue.edge();
        self.lengths.edge();
        self.writes.edge();
    }
}
