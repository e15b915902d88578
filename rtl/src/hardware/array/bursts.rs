//! Cuts the rows of a load or store into bursts.

use bitmosaic_arch::{ADDRESS_BITS, Array, BURST_BOUNDARY_BYTES};
use bitmosaic_mappings::field;

use super::build::{add_within, is, sub_within, up_down};
use crate::hardware::float::gate;
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, NetlistError};

/// Bits of a burst's beats, 1 to 256.
pub(super) const BURST_BITS: u32 = 9;
/// Bits of the beats of a row.
pub(super) const ROW_BEAT_BITS: u32 = 32;

/// Module `bursts_<limit>`: asks for bursts of at most `burst_beats` beats that do not cross the boundary of AXI4.
pub(super) fn bursts(array: &Array, limit: u32) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        &format!("bursts_{limit}"),
        &format!(
            "Cuts rows into bursts of at most {} beats, none across {BURST_BOUNDARY_BYTES} bytes, at most {limit} on their way.",
            array.burst_beats
        ),
    );
    let start = m.input("start_i", 1, "rows to cut, from the next cycle on");
    let address = m.input("address_i", ADDRESS_BITS, "byte address of the first row");
    let row_beats = m.input("row_beats_i", ROW_BEAT_BITS, "beats of a row");
    let rows = m.input("rows_i", field::DIMENSION_BITS, "rows");
    let pitch = m.input("pitch_i", field::PITCH.1, "bytes from row to row");
    let grant = m.input("grant_i", 1, "the burst asked for is granted");
    let complete = m.input("complete_i", 1, "a burst is done");

    let active = m.register("active_q", 1, false, "bursts are left to ask for");
    let burst_address = m.register("address_q", ADDRESS_BITS, false, "address of the burst");
    let beats_left = m.register("beats_left_q", ROW_BEAT_BITS, false, "beats left in the row");
    let row_address = m.register("row_address_q", ADDRESS_BITS, false, "address of the row");
    let row_beats_kept = m.reg("row_beats_q", row_beats, Some(start), None, "beats of a row");
    let rows_left = m.register("rows_left_q", field::DIMENSION_BITS, false, "rows left");
    let pitch = m.reg("pitch_q", pitch, Some(start), None, "bytes from row to row");
    let outstanding = up_down(&mut m, "outstanding_q", index_bits(limit + 1), grant, complete, "bursts on their way");

    // Up to the boundary, or the longest burst: that many beats but for those of the last such stretch that lie behind.
    let shift = array.beat_bytes().ilog2();
    let boundary = BURST_BOUNDARY_BYTES.ilog2() - shift;
    let stretch = array.burst_beats.ilog2().min(boundary);
    let behind = m.slice(burst_address, shift, stretch.max(1));
    let behind = match stretch {
        0 => m.constant(0, 1),
        _ if stretch == boundary => behind,
        _ => {
            let place = m.slice(burst_address, shift + stretch, boundary - stretch);
            let at_boundary = m.reduce_and(place);
            gate(&mut m, at_boundary, behind)
        }
    };
    let whole = m.constant(1 << stretch, BURST_BITS);
    let behind = m.extend(behind, BURST_BITS);
    let most = sub_within(&mut m, whole, behind);
    let most = m.name(most, "most", "beats of a burst that is not the last of its row");
    // Against what is left in the row: bits above a burst's are looked at beside.
    let left = m.truncate(beats_left, BURST_BITS);
    let above = m.slice(beats_left, BURST_BITS, ROW_BEAT_BITS - BURST_BITS);
    let many = m.reduce_or(above);
    let more = m.lt(most, left);
    let goes_on = m.or(many, more);
    let goes_on = m.name(goes_on, "goes_on", "the burst is not the last of its row");
    let row_end = m.not(goes_on);
    let beats = m.mux(goes_on, most, left);
    let beats = m.name(beats, "beats", "beats of the burst");

    // Where the row goes on, the burst has the most beats.
    let most_wide = m.extend(most, ROW_BEAT_BITS);
    let next_left = sub_within(&mut m, beats_left, most_wide);
    let bytes = m.shift_left_const(most, shift);
    let bytes = m.extend(bytes, ADDRESS_BITS);
    let next_address = add_within(&mut m, burst_address, bytes);
    let pitch = m.extend(pitch, ADDRESS_BITS);
    let next_row = add_within(&mut m, row_address, pitch);
    let one = m.constant(1, field::DIMENSION_BITS);
    let fewer = sub_within(&mut m, rows_left, one);
    let last = is(&mut m, fewer, 0);
    let ends_row = m.and(grant, row_end);
    let ends = m.and(ends_row, last);

    let moved = m.mux(row_end, next_row, next_address);
    let next = m.mux(start, address, moved);
    let changes = m.or(start, grant);
    m.drive(burst_address, next, Some(changes), None);
    let moved = m.mux(row_end, row_beats_kept, next_left);
    let next = m.mux(start, row_beats, moved);
    m.drive(beats_left, next, Some(changes), None);
    let row_changes = m.or(start, ends_row);
    let next = m.mux(start, address, next_row);
    m.drive(row_address, next, Some(row_changes), None);
    let next = m.mux(start, rows, fewer);
    m.drive(rows_left, next, Some(row_changes), None);
    let active_changes = m.or(start, ends);
    m.drive(active, start, Some(active_changes), Some(0));

    let most = m.constant(u64::from(limit), outstanding.width);
    let room = m.lt(outstanding, most);
    let request = m.and(active, room);
    m.output("request_o", request, "a burst is asked for");
    m.output("address_o", burst_address, "its byte address");
    m.output("beats_o", beats, "its beats");
    m.output("active_o", active, "bursts are left to ask for");
    let any = m.reduce_or(outstanding);
    let none = m.not(any);
    m.output("none_o", none, "no burst is on its way");
    m.finish()
}
