//! Timing of the store unit: `sim/src/step/array/store.rs` without data.

use bitmosaic_arch::{Array, COMMAND_QUEUE};
use bitmosaic_mappings::Burst;

use super::job::StoreJob;
use crate::step::array::{Bursts, LENGTH_QUEUE, Queue, WRITE_QUEUE};

/// The store unit.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) queue: Queue<StoreJob>,
    pub(super) tokens: u32,
    pub(super) bursts: Bursts,
    lengths: Queue<u32>,
    sent: u32,
    /// Strobes and last flag.
    pub(super) writes: Queue<(u32, bool)>,
    job: Option<StoreJob>,
    /// Beats left of the row, rows left.
    row_left: u32,
    rows_left: u32,
    /// Strobes of the beat that was read.
    fetched: Option<u32>,
    all_strobes: u32,
}

impl Store {
    pub(super) fn new(array: &Array) -> Store {
        Store {
            queue: Queue::new(COMMAND_QUEUE as usize),
            tokens: 0,
            bursts: Bursts::new(array, array.outstanding_writes),
            lengths: Queue::new(LENGTH_QUEUE),
            sent: 0,
            writes: Queue::new(WRITE_QUEUE),
            job: None,
            row_left: 0,
            rows_left: 0,
            fetched: None,
            all_strobes: u32::MAX >> (32 - array.beat_bytes()),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.job.is_none()
    }

    pub(super) fn request(&self) -> Option<Burst> {
        self.bursts.request().filter(|_| self.lengths.ready())
    }

    pub(super) fn grant(&mut self, burst: Burst) {
        self.bursts.grant(burst);
        self.lengths.push(burst.beats);
    }

    pub(super) fn retires(&self) -> Option<bool> {
        let done = !self.bursts.active && self.bursts.outstanding == 0;
        self.job.filter(|_| done).map(|job| job.give)
    }

    /// Gives whether something moved.
    pub(super) fn cycle(&mut self, write_taken: bool, retires: bool) -> bool {
        let mut moved = write_taken || retires;
        let advance = self.writes.ready() && !self.lengths.is_empty();
        if write_taken {
            self.writes.pop();
        }
        if self.fetched.is_none() || advance {
            if let Some(strobes) = self.fetched.take() {
                self.sent += 1;
                let last = self.lengths.front() == Some(&self.sent);
                if last {
                    self.lengths.pop();
                    self.sent = 0;
                }
                self.writes.push((strobes, last));
                moved = true;
            }
            if let Some(job) = self.job.filter(|_| self.rows_left > 0) {
                moved = true;
                let row_end = self.row_left == 1;
                self.fetched = Some(if row_end { job.last_strobes } else { self.all_strobes });
                self.row_left = if row_end { job.row_beats } else { self.row_left - 1 };
                self.rows_left -= u32::from(row_end);
            }
        }
        if retires {
            self.job = None;
        } else if self.job.is_none()
            && let Some(job) = self.queue.front().copied()
            && (!job.wait || self.tokens > 0)
        {
            self.queue.pop();
            self.tokens -= u32::from(job.wait);
            self.job = Some(job);
            (self.row_left, self.rows_left) = (job.row_beats, job.rows);
            self.bursts.start(job.address, job.row_beats, job.rows, job.pitch);
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
