//! The feeder: walks a product as the tiles do and reads their operands from the buffers.

use bitmosaic_arch::{Array, Machine, TermOrder};
use bitmosaic_mappings::field;

use super::build::{add_const, and_not, count_to, field, is, sub_within};
use super::place_bits;
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `feeder`.
pub(super) fn feeder(machine: &Machine, array: &Array) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "feeder",
        "Feeder: walks column blocks, row blocks, groups and chunks of a product as the tiles do and reads a beat for\n\
         every row and column at a time, with the group's metadata at its first chunk.",
    );
    let (lanes, dimension) = (machine.pe.lanes, field::DIMENSION_BITS);
    let plane_major = machine.pe.order == TermOrder::PlaneMajor;
    let start = m.input("start_i", 1, "a product starts");
    let command = m.input("command_i", field::COMMAND_BITS, "its command");
    let beats_ready = m.input("beat_ready_i", 1, "there is room for weights and activations");
    let group_ready = m.input("group_ready_i", 1, "there is room for a group's metadata");
    let channel_ready = m.input("channel_ready_i", 1, "there is room for channel scales");
    m.ignore(command);

    let keep = |m: &mut ModuleBuilder, name: &str, place: (u32, u32), width: u32, doc: &str| {
        let value = field(m, command, place, width);
        m.reg(name, value, Some(start), None, doc)
    };
    let input_channels = keep(&mut m, "input_channels_q", field::INPUT_CHANNELS, dimension, "K");
    let group_size = keep(&mut m, "group_size_q", field::GROUP, field::GROUP.1, "input channels of a group");
    let tokens = keep(&mut m, "tokens_q", field::TOKENS, dimension, "M of a tile");
    let output_channels = keep(&mut m, "output_channels_q", field::OUTPUT_CHANNELS, dimension, "N of a tile");
    let halves = keep(&mut m, "halves_q", field::HALVES, 2, "halves of weight and activation buffer");
    let weight_half = m.bit(halves, 0);
    let activation_half = m.bit(halves, 1);
    let type_bits = index_bits(machine.types.len() as u32);
    let masks: Vec<Net> =
        machine.types.iter().map(|t| m.constant((1 << t.weight_type.code_bits) - 1, machine.code_bits)).collect();
    let mask = if masks.len() == 1 {
        masks[0]
    } else {
        let own = keep(&mut m, "weight_type_q", field::WEIGHT_TYPE, type_bits, "weight type");
        m.select(own, &masks)
    };

    // The fetched beats, and whether a chunk is read.
    let feeding = m.register("feeding_q", 1, false, "chunks are left to read");
    let fetched = m.register("fetched_q", 1, false, "beats wait at the banks' outputs");
    let with_group = m.register("with_group_q", 1, false, "a group's metadata is with them");
    let with_channels = m.register("with_channels_q", 1, false, "channel scales are with them");
    let no_group = m.not(with_group);
    let group_fits = m.or(group_ready, no_group);
    let no_channels = m.not(with_channels);
    let channels_fit = m.or(channel_ready, no_channels);
    let advance = m.and_all(&[fetched, beats_ready, group_fits, channels_fit]);
    let advance = m.name(advance, "advance", "the fetched beats are taken");
    let empty = m.not(fetched);
    let room = m.or(empty, advance);
    let read = m.and(feeding, room);
    let read = m.name(read, "read", "a chunk is read");
    m.drive(fetched, read, Some(room), Some(0));

    // Counters, as in tile_control.
    let lanes_step = m.constant(u64::from(lanes), dimension);
    let group_step = m.constant(u64::from(lanes), field::GROUP.1);
    let rows_step = m.constant(u64::from(machine.tile.rows), dimension);
    let columns_step = m.constant(u64::from(machine.tile.columns), dimension);
    let zero = m.constant(0, dimension);
    let k = m.register("input_channel_q", dimension, false, "first input channel of the chunk");
    let group_k = m.register("group_channel_q", field::GROUP.1, false, "the same within its group");
    let token = m.register("token_q", dimension, false, "first token of the pass");
    let channel = m.register("output_channel_q", dimension, false, "first output channel of the pass");
    let (next_k, channels_end) = count_to(&mut m, k, lanes_step, input_channels);
    let (next_group_k, group_full) = count_to(&mut m, group_k, group_step, group_size);
    let (next_token, last_rows) = count_to(&mut m, token, rows_step, tokens);
    let (next_channel, last_columns) = count_to(&mut m, channel, columns_step, output_channels);
    let plane_end = m.or(group_full, channels_end);
    let any_group_k = m.reduce_or(group_k);
    let group_opens = m.not(any_group_k);
    let (last_plane, first_plane) = if plane_major {
        let planes_left = m.register("planes_left_q", index_bits(machine.max_terms), false, "planes that follow");
        let bits = planes_left.width;
        let terms = keep(&mut m, "terms_q", field::TERMS, bits + 1, "terms per weight");
        let one = m.constant(1, bits + 1);
        let more = sub_within(&mut m, terms, one);
        let more = m.truncate(more, bits);
        let own = field(&mut m, command, field::TERMS, bits + 1);
        let first = sub_within(&mut m, own, one);
        let first = m.truncate(first, bits);
        let last = is(&mut m, planes_left, 0);
        let one = m.constant(1, bits);
        let fewer = sub_within(&mut m, planes_left, one);
        let next = m.mux(last, more, fewer);
        let next = m.mux(start, first, next);
        let plane_read = m.and(read, plane_end);
        let changes = m.or(start, plane_read);
        m.drive(planes_left, next, Some(changes), None);
        (last, m.eq(planes_left, more))
    } else {
        let always = m.constant(1, 1);
        (always, always)
    };
    let group_end = m.and(plane_end, last_plane);
    let pass_end = m.and(channels_end, last_plane);
    let group_starts = m.and(group_opens, first_plane);
    let group_starts = m.name(group_starts, "group_starts", "the chunk is the first of its group");
    let any_k = m.reduce_or(k);
    let pass_starts = and_not(&mut m, group_starts, any_k);
    m.drive(with_group, group_starts, Some(read), None);
    let unfinished = keep(&mut m, "unfinished_q", (field::PART.0 + 1, 1), 1, "no outputs, hence no channel scales");
    let pass_starts = and_not(&mut m, pass_starts, unfinished);
    m.drive(with_channels, pass_starts, Some(read), None);
    let back = and_not(&mut m, plane_end, last_plane);
    let back = m.name(back, "back", "the next chunk is the group's first in a lower plane");

    let moves = m.or(start, read);
    let next = if plane_major {
        let within = m.extend(group_k, dimension);
        let group_start = sub_within(&mut m, k, within);
        m.mux(back, group_start, next_k)
    } else {
        next_k
    };
    let clears = m.or(start, pass_end);
    let next = m.mux(clears, zero, next);
    m.drive(k, next, Some(moves), None);
    let none = m.constant(0, field::GROUP.1);
    let clears = m.or(start, plane_end);
    let next = m.mux(clears, none, next_group_k);
    m.drive(group_k, next, Some(moves), None);
    let block_end = m.and(pass_end, last_rows);
    let block_end = m.name(block_end, "block_end", "the chunk is the last of its column block");
    let end = m.and(block_end, last_columns);
    let pass_read = m.and(read, pass_end);
    let clears = m.or(start, last_rows);
    let next = m.mux(clears, zero, next_token);
    let changes = m.or(start, pass_read);
    m.drive(token, next, Some(changes), None);
    let block_read = m.and(read, block_end);
    let block_changes = m.or(start, block_read);
    let next = m.mux(start, zero, next_channel);
    m.drive(channel, next, Some(block_changes), None);
    let ends = m.and(read, end);
    let changes = m.or(start, ends);
    m.drive(feeding, start, Some(changes), Some(0));

    // The chunk within its entry, whose first one reads it: the lower bits of its number, since groups are whole entries.
    let chunk_bits = place_bits(machine.entry_chunks());
    let (entry_read, entry_end) = if chunk_bits > 0 {
        let chunk = m.slice(k, place_bits(lanes), chunk_bits);
        let chunk_q = m.reg("chunk_q", chunk, Some(read), None, "chunk of the entry that was read");
        m.output("chunk_o", chunk_q, "chunk of the entry at the banks' outputs");
        let any = m.reduce_or(chunk);
        let all = m.reduce_and(chunk);
        let ends = m.or(all, channels_end);
        (and_not(&mut m, read, any), Some(m.name(ends, "entry_end", "the chunk is the last of its entry")))
    } else {
        (read, None)
    };

    // Places of the operands. After a pass weights go back to the start of their column block, unless that is done;
    // activations, after a column block, to the start of the half.
    let same_block = and_not(&mut m, pass_end, last_rows);
    let place = |m: &mut ModuleBuilder, name: &str, entries: u32, is_entry: bool, weights: bool| {
        let bits = place_bits(entries);
        let what = if is_entry { "entry" } else { "group" };
        let place = m.register(&format!("{name}_q"), bits, false, &format!("{what} that is read next"));
        let zero = m.constant(0, bits);
        let mut next = add_const(m, place, 1);
        let moves_on = if is_entry { entry_end } else { Some(group_end) };
        if let Some(moves_on) = moves_on {
            next = m.mux(moves_on, next, place);
        }
        let (returns, target) = if weights {
            let target = m.register(&format!("{name}_block_q"), bits, false, "the same at the start of its block");
            let opened = m.mux(start, zero, next);
            m.drive(target, opened, Some(block_changes), None);
            (same_block, target)
        } else {
            (block_end, zero)
        };
        if is_entry && plane_major {
            let group_start = m.register(&format!("{name}_group_q"), bits, false, "the same at the start of its group");
            next = m.mux(back, group_start, next);
            let opens = m.mux(returns, target, next);
            let opens = m.mux(start, zero, opens);
            let group_read = m.and(read, group_end);
            let changes = m.or(start, group_read);
            m.drive(group_start, opens, Some(changes), None);
        }
        let moved = m.mux(returns, target, next);
        let moved = m.mux(start, zero, moved);
        m.drive(place, moved, Some(moves), None);
        place
    };
    let weight = place(&mut m, "weight_entry", array.weight_entries, true, true);
    let record = place(&mut m, "weight_group", array.groups, false, true);
    let activation = place(&mut m, "activation_entry", array.activation_entries, true, false);
    let exponents = array.exponent_entry_bits.map(|_| place(&mut m, "activation_group", array.groups, false, false));
    let block_bits = place_bits(array.blocks);
    let block = m.register("block_q", block_bits, false, "column block that is read next");
    let next = add_const(&mut m, block, 1);
    let first = m.constant(0, block_bits);
    let next = m.mux(start, first, next);
    m.drive(block, next, Some(block_changes), None);

    m.output("push_o", advance, "weights and activations go to the tiles");
    let group_push = m.and(advance, with_group);
    m.output("group_push_o", group_push, "scales and exponents go with them");
    let channel_push = m.and(advance, with_channels);
    m.output("channel_push_o", channel_push, "channel scales go with them");
    m.output("read_o", entry_read, "an entry is read: its first chunk is");
    let group_read = m.and(read, group_starts);
    m.output("group_read_o", group_read, "its group's metadata is read");
    let channel_read = m.and(read, pass_starts);
    m.output("channel_read_o", channel_read, "its column block's channel scales are read");
    let mut address = |name: &str, place: Net, half: Net, doc: &str| {
        let address = m.concat(&[place, half]);
        m.output(name, address, doc);
    };
    address("weight_address_o", weight, weight_half, "half and entry of the weight buffer");
    address("record_address_o", record, weight_half, "half and group of the weight buffer");
    address("channel_address_o", block, weight_half, "half and column block");
    address("activation_address_o", activation, activation_half, "half and entry of the activation buffer");
    if let Some(place) = exponents {
        address("exponent_address_o", place, activation_half, "half and group of the activation buffer");
    }
    m.output("code_mask_o", mask, "code bits of the weight type");
    m.finish()
}
