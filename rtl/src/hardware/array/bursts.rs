//! Cuts the rows of a load or store into bursts.

use bitmosaic_arch::{ADDRESS_BITS, Array, BURST_BOUNDARY_BYTES};
use bitmosaic_mappings::field;

use super::build::{add_within, is, sub_within, up_down};
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

    // The smallest of what is left in the row, the longest burst, and what is left up to the boundary.
    let shift = array.beat_bytes().ilog2();
    let boundary = BURST_BOUNDARY_BYTES.ilog2() - shift;
    let offset = m.slice(burst_address, shift, boundary);
    let offset = m.extend(offset, boundary + 1);
    let whole = m.constant(1 << boundary, boundary + 1);
    let to_boundary = sub_within(&mut m, whole, offset);
    let longest = m.constant(u64::from(array.burst_beats), boundary + 1);
    let far = m.lt(longest, to_boundary);
    let most = m.mux(far, longest, to_boundary);
    let most = if most.width > BURST_BITS { m.truncate(most, BURST_BITS) } else { m.extend(most, BURST_BITS) };
    let short = m.lt(beats_left, most);
    let left = m.truncate(beats_left, BURST_BITS);
    let beats = m.mux(short, left, most);
    let beats = m.name(beats, "beats", "beats of the burst");

    let beats_wide = m.extend(beats, ROW_BEAT_BITS);
    let next_left = sub_within(&mut m, beats_left, beats_wide);
    let row_end = is(&mut m, next_left, 0);
    let bytes = m.shift_left_const(beats, shift);
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
