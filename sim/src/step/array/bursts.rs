//! Cuts the rows of a load or store into bursts.

use bitmosaic_arch::{Array, BURST_BOUNDARY_BYTES};
use bitmosaic_mappings::Burst;

/// Rows of `row_beats` beats at a pitch, burst by burst.
#[derive(Debug, Clone)]
pub(crate) struct Bursts {
    beat_bytes: u64,
    burst_beats: u32,
    limit: u32,
    /// Bursts are left to ask for.
    pub(crate) active: bool,
    pub(super) address: u64,
    pub(super) beats_left: u32,
    pub(super) row_address: u64,
    row_beats: u32,
    pub(super) rows_left: u32,
    pitch: u32,
    /// Bursts on their way.
    pub(crate) outstanding: u32,
}

impl Bursts {
    pub(crate) fn new(array: &Array, limit: u32) -> Bursts {
        Bursts {
            beat_bytes: u64::from(array.beat_bytes()),
            burst_beats: array.burst_beats,
            limit,
            active: false,
            address: 0,
            beats_left: 0,
            row_address: 0,
            row_beats: 0,
            rows_left: 0,
            pitch: 0,
            outstanding: 0,
        }
    }

    /// Starts with the next cycle.
    pub(crate) fn start(&mut self, address: u64, row_beats: u32, rows: u32, pitch: u32) {
        self.active = true;
        (self.address, self.row_address) = (address, address);
        (self.beats_left, self.row_beats) = (row_beats, row_beats);
        (self.rows_left, self.pitch) = (rows, pitch);
    }

    /// The burst asked for.
    pub(crate) fn request(&self) -> Option<Burst> {
        (self.active && self.outstanding < self.limit).then_some(Burst { address: self.address, beats: self.beats() })
    }

    /// Beats of the next burst.
    pub(super) fn beats(&self) -> u32 {
        let to_boundary = (BURST_BOUNDARY_BYTES as u64 - self.address % BURST_BOUNDARY_BYTES as u64) / self.beat_bytes;
        self.beats_left.min(self.burst_beats).min(to_boundary as u32)
    }

    /// Rows left, and beats of the present one.
    pub(crate) fn left(&self) -> (u32, u32) {
        (self.rows_left, self.beats_left)
    }

    /// The same rows, elsewhere.
    pub(crate) fn move_by(&mut self, bytes: u64) {
        self.address = self.address.wrapping_add(bytes);
        self.row_address = self.row_address.wrapping_add(bytes);
    }

    /// Grants the next burst; it is the one asked for.
    pub(crate) fn grant_next(&mut self) -> Burst {
        let burst = Burst { address: self.address, beats: self.beats() };
        self.grant(burst);
        burst
    }

    /// The request is granted at this edge.
    pub(crate) fn grant(&mut self, burst: Burst) {
        self.outstanding += 1;
        self.address += u64::from(burst.beats) * self.beat_bytes;
        self.beats_left -= burst.beats;
        if self.beats_left == 0 {
            self.row_address += u64::from(self.pitch);
            (self.address, self.beats_left) = (self.row_address, self.row_beats);
            self.rows_left -= 1;
            self.active = self.rows_left > 0;
        }
    }
}
