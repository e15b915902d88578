//! Command fetch.

use bitmosaic_arch::{ADDRESS_BITS, Array, FETCH_COMMANDS};
use bitmosaic_mappings::field;

use super::build::{add_within, and_not, is, sub_within, up_down};
use super::bursts::BURST_BITS;
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, NetlistError};

/// Bits of the number of commands of a program.
pub(super) const PROGRAM_BITS: u32 = 32;

/// Module `fetch`, with the command adapter and a queue of `2 * FETCH_COMMANDS` commands.
pub(super) fn fetch(array: &Array, adapter: &Module, queue: &Module) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "fetch",
        &format!(
            "Command fetch: asks for {FETCH_COMMANDS} commands at a time, at most {} ahead of their execution.",
            2 * FETCH_COMMANDS
        ),
    );
    let start = m.input("start_i", 1, "a program starts");
    let address = m.input("address_i", ADDRESS_BITS, "its byte address");
    let commands = m.input("commands_i", PROGRAM_BITS, "its commands");
    let grant = m.input("grant_i", 1, "the burst asked for is granted");
    let beat_valid = m.input("beat_valid_i", 1, "a beat of commands arrives");
    let beat = m.input("beat_i", array.data_bits, "the beat");
    let complete = m.input("complete_i", 1, "it is the last of its burst");
    let dispatch = m.input("dispatch_i", 1, "the oldest command leaves");

    let next_address = m.register("address_q", ADDRESS_BITS, false, "address of the next command to ask for");
    let left = m.register("left_q", PROGRAM_BITS, false, "commands not yet asked for");
    let reserved_bits = index_bits(2 * FETCH_COMMANDS + 1);
    let reserved = m.register("reserved_q", reserved_bits, false, "commands asked for and not yet gone");
    let bits = index_bits(FETCH_COMMANDS + 1);
    let whole = m.constant(u64::from(FETCH_COMMANDS), PROGRAM_BITS);
    let short = m.lt(left, whole);
    let few = m.truncate(left, bits);
    let full = m.constant(u64::from(FETCH_COMMANDS), bits);
    let count = m.mux(short, few, full);
    let count = m.name(count, "count", "commands of the burst");

    let wide = m.extend(count, PROGRAM_BITS);
    let fewer = sub_within(&mut m, left, wide);
    let next = m.mux(start, commands, fewer);
    let changes = m.or(start, grant);
    m.drive(left, next, Some(changes), Some(0));
    let bytes = m.shift_left_const(count, field::COMMAND_BITS.ilog2() - 3);
    let bytes = m.extend(bytes, ADDRESS_BITS);
    let after = add_within(&mut m, next_address, bytes);
    let next = m.mux(start, address, after);
    m.drive(next_address, next, Some(changes), None);
    let none = m.constant(0, bits);
    let arriving = m.mux(grant, count, none);
    let arriving = m.extend(arriving, reserved_bits);
    let more = add_within(&mut m, reserved, arriving);
    let leaving = m.extend(dispatch, reserved_bits);
    let next = sub_within(&mut m, more, leaving);
    m.drive(reserved, next, None, Some(0));
    let outstanding =
        up_down(&mut m, "outstanding_q", index_bits(2 * FETCH_COMMANDS + 1), grant, complete, "bursts on their way");

    // There is room for every command that was asked for.
    let valid = m.wire("word_valid", 1, "a command is complete");
    let no = m.constant(0, 1);
    let words = m.instance(
        "u_adapter",
        adapter,
        &[("beat_valid_i", beat_valid), ("beat_i", beat), ("take_i", valid), ("row_end_i", no), ("command_end_i", no)],
    );
    m.assign(valid, words.get("word_valid_o"));
    let entries =
        m.instance("u_queue", queue, &[("push_i", valid), ("data_i", words.get("word_o")), ("pop_i", dispatch)]);

    let limit = m.constant(u64::from(FETCH_COMMANDS) + 1, reserved_bits);
    let room = m.lt(reserved, limit);
    let any_left = m.reduce_or(left);
    let request = m.and(any_left, room);
    m.output("request_o", request, "a burst is asked for");
    m.output("address_o", next_address, "its byte address");
    let beats = m.shift_left_const(count, (field::COMMAND_BITS / array.data_bits).ilog2());
    let beats = if beats.width > BURST_BITS { m.truncate(beats, BURST_BITS) } else { m.extend(beats, BURST_BITS) };
    m.output("beats_o", beats, "its beats");
    m.output("valid_o", entries.get("valid_o"), "a command is there");
    m.output("command_o", entries.get("data_o"), "the oldest command");
    let one = is(&mut m, reserved, 1);
    let last = and_not(&mut m, one, any_left);
    m.output("last_o", last, "no other command is held or asked for");
    let any = m.reduce_or(outstanding);
    let none = m.not(any);
    m.output("none_o", none, "no burst is on its way");
    m.finish()
}
