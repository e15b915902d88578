//! Tile control: takes commands, counts chunks, groups and passes, and moves the flags of each step along with it.

use bitmosaic_arch::{Machine, TermOrder};
use bitmosaic_mappings::{field, ports};

use super::index_bits;
use super::scale_decoder::kind_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `tile_control`.
pub(super) fn tile_control(machine: &Machine) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "tile_control",
        "Tile control: takes commands, walks column blocks, row blocks and chunks of input channels, holds each\n\
         chunk for its terms, and lets a group end only when the hold chains are free and its metadata is there.",
    );
    let plane_major = machine.pe.order == TermOrder::PlaneMajor;
    // Handshakes.
    let command_valid = m.input("command_valid_i", 1, "a command is offered");
    let command = m.input("command_data_i", field::COMMAND_BITS, "command, see the register map of the command stream");
    let weight_valid = m.input("weight_valid_i", 1, "a weight beat is offered");
    let activation_valid = m.input("activation_valid_i", 1, "an activation beat is offered");
    let scale_valid = m.input("scale_valid_i", 1, "a scale beat is offered");
    let channel_valid = m.input("channel_valid_i", 1, "a channel beat is offered");
    let mut metadata_valid = vec![scale_valid];
    if machine.tile.exponent_beat_bits.is_some() {
        metadata_valid.push(m.input("exponent_valid_i", 1, "an exponent beat is offered"));
    }
    let hold_free = m.input("hold_free_i", 1, "the hold chains can take a group");
    let output_valid = m.input("output_valid_i", 1, "an output beat is offered");
    let output_last = m.input("output_last_i", 1, "it ends the command");
    let output_ready = m.input("output_ready_i", 1, "it is taken");

    let blocked = m.not(output_ready);
    let blocked = m.and(output_valid, blocked);
    let moving = m.not(blocked);
    let moving = m.name(moving, "moving", "the scale units and the output stage move");

    // Command.
    let busy = m.register("busy_q", 1, false, "a product is running");
    let idle = m.not(busy);
    let accept = m.and(command_valid, idle);
    let opcode = m.slice(command, field::OPCODE.0, field::OPCODE.1);
    let is_product = m.reduce_or(opcode);
    let start = m.and(accept, is_product);
    let start = m.name(start, "start", "a product is accepted");
    let is_end = m.not(is_product);
    let end = m.and(accept, is_end);
    let fires = m.and(output_valid, output_ready);
    let finish = m.and(fires, output_last);
    let finish = m.name(finish, "finish", "the last beat of the command is taken");
    let captured = m.wire("captured", 1, "the last group of a command without outputs enters the hold chains");
    let ends = m.or(finish, captured);
    let retire = m.or(ends, end);
    let busy_changes = m.or(start, ends);
    m.drive(busy, start, Some(busy_changes), Some(0));
    let mut command_field = |name: &str, (low, _): (u32, u32), width: u32, doc: &str| {
        let value = m.slice(command, low, width);
        m.reg(name, value, Some(start), None, doc)
    };
    let dimension = field::DIMENSION_BITS;
    let type_bits = index_bits(machine.types.len() as u32);
    let weight_type = command_field("weight_type_q", field::WEIGHT_TYPE, type_bits, "weight type");
    let plane_bits = index_bits(machine.max_terms);
    let terms = command_field("terms_q", field::TERMS, plane_bits + 1, "terms per weight");
    let fraction_bits = command_field("fraction_bits_q", field::FRACTION_BITS, 8, "f: values are multiples of 2^-f");
    let kind = (machine.scale_kinds.len() > 1)
        .then(|| command_field("scale_kind_q", field::SCALE_KIND, kind_bits(), "kind of group scale"));
    let group = command_field("group_q", field::GROUP, field::GROUP.1, "input channels of a group");
    let tokens = command_field("tokens_q", field::TOKENS, dimension, "M");
    let output_channels = command_field("output_channels_q", field::OUTPUT_CHANNELS, dimension, "N");
    let input_channels = command_field("input_channels_q", field::INPUT_CHANNELS, dimension, "K");
    let special = command_field("special_digits_q", field::SPECIAL_DIGITS, field::SPECIAL_DIGITS.1, "special values");
    let in_memory = machine.scale_unit.accumulator_blocks > 1;
    let going_on = in_memory
        .then(|| command_field("continues_q", (field::PART.0, 1), 1, "the accumulators go on from the command before"));
    let unfinished =
        command_field("unfinished_q", (field::PART.0 + 1, 1), 1, "the accumulators stay for the next command");
    m.ignore(command);

    // Operand register: the chunk's flags, held for its terms.
    let operand_valid = m.register("operand_valid_q", 1, false, "the operand register holds a chunk");
    let plane = m.register("plane_q", plane_bits, false, "digit plane of the step");
    let flag_docs = [
        ("group_first", "the chunk is the first of its group"),
        ("group_end", "the chunk is the last of its group"),
        ("first_group", "its group is the first of the pass"),
        ("pass_end", "the chunk is the last of its pass"),
        ("last", "the chunk is the last of its command"),
    ];
    let flags = flag_docs.map(|(name, doc)| m.register(&format!("operand_{name}_q"), 1, false, doc));
    let [group_first, group_end, first_group, pass_end, last] = flags;
    let one = m.constant(1, plane_bits);
    let zero = m.constant(0, plane_bits);
    // Weight-major: a chunk stays for all its planes. Plane-major: for one; whether it is the first of a lower plane then
    // goes to the PEs, where the other order sends the plane.
    let always = m.constant(1, 1);
    let (next_plane, last_plane, clear, weight) = if plane_major {
        let lower = m.register("operand_next_plane_q", 1, false, "the chunk is the first of a lower plane");
        (plane, always, group_first, lower)
    } else {
        let next_plane = m.add(plane, one);
        let last_plane = m.eq(next_plane, terms);
        let first_plane = m.eq(plane, zero);
        let clear = m.and(group_first, first_plane);
        (m.truncate(next_plane, plane_bits), last_plane, clear, plane)
    };
    let ends = m.and(group_end, last_plane);

    // The step that reaches the accumulators: the operand's own, or the oldest of the PE pipeline. Its registers move
    // with `advance`, which depends on the oldest only.
    let stages = machine.pe.pipeline_registers as usize;
    let issued = [operand_valid, clear, ends, first_group, pass_end, last, weight];
    let weight_name = if plane_major { "next_plane" } else { "plane" };
    let names = ["valid", "clear", "end", "first_group", "pass_end", "last", weight_name];
    let pipeline: Vec<[Net; 7]> = (1..=stages)
        .map(|stage| {
            let mut fields = issued;
            for (field, name) in fields.iter_mut().zip(names) {
                *field = m.register(&format!("term_{name}_{stage}_q"), field.width, false, "moves with the step");
            }
            fields
        })
        .collect();
    let term = pipeline.last().copied().unwrap_or(issued);
    let [term_valid, term_clear, term_end, term_first_group, term_pass_end, term_last, term_weight] = term;
    let waits = m.and(term_valid, term_end);
    let waits = m.name(waits, "waits", "the oldest step ends a group");
    let mid_pass = m.not(term_pass_end);
    let channel_there = m.or(channel_valid, mid_pass);
    metadata_valid.push(channel_there);
    let metadata = m.and_all(&metadata_valid);
    let metadata = m.name(metadata, "metadata", "what the group end needs is offered");
    let capture = m.and_all(&[waits, hold_free, metadata]);
    let capture = m.name(capture, "capture", "a finished group enters the hold chains");
    let not_waiting = m.not(waits);
    let last_captured = m.and_all(&[capture, term_last, unfinished]);
    m.assign(captured, last_captured);
    let advance = m.or(not_waiting, capture);
    let advance = m.name(advance, "advance", "the PE pipeline moves");
    let step = m.and(operand_valid, advance);
    let step = m.name(step, "step", "a term is issued");
    let mut entering = issued;
    for fields in &pipeline {
        for (i, (register, next)) in fields.iter().zip(entering).enumerate() {
            m.drive(*register, next, Some(advance), (i == 0).then_some(0));
        }
        entering = *fields;
    }

    // Loading.
    let feeding = m.register("feeding_q", 1, false, "chunks are left to load");
    let last_step = m.and(step, last_plane);
    let last_step = m.name(last_step, "last_step", "the last term of the chunk is issued");
    let no_operand = m.not(operand_valid);
    let operand_free = m.or(no_operand, last_step);
    let load = m.and_all(&[feeding, weight_valid, activation_valid, operand_free]);
    let load = m.name(load, "load", "a chunk is taken");
    let operand_changes = m.or(load, last_step);
    m.drive(operand_valid, load, Some(operand_changes), Some(0));

    // Where the chunk stands in its group, pass and command.
    let count = |m: &mut ModuleBuilder, name: &str, step: u32, limit: Net, doc: &str| {
        let counter = m.register(name, limit.width, false, doc);
        let step = m.constant(u64::from(step), limit.width);
        let next = m.add(counter, step);
        let limit = m.extend(limit, next.width);
        let below = m.lt(next, limit);
        let reached = m.not(below);
        let next = m.truncate(next, counter.width);
        (counter, next, reached)
    };
    let lanes = machine.pe.lanes;
    let (k, next_k, at_pass_end) =
        count(&mut m, "input_channel_q", lanes, input_channels, "first input channel of the chunk");
    let (group_k, next_group_k, group_full) =
        count(&mut m, "group_channel_q", lanes, group, "the same within its group");
    let (token, next_token, last_rows) = count(&mut m, "token_q", machine.tile.rows, tokens, "first token of the pass");
    let (channel, next_channel, last_columns) =
        count(&mut m, "output_channel_q", machine.tile.columns, output_channels, "first output channel of the pass");
    let at_plane_end = m.or(group_full, at_pass_end);
    let starts_group = m.reduce_or(group_k);
    let starts_group = m.not(starts_group);
    let (at_group_end, at_pass_end, starts_group) = if plane_major {
        let chunk_plane = m.register("next_plane_q", plane_bits, false, "digit plane of the next chunk");
        let top = m.sub(terms, one);
        let top = m.truncate(top, plane_bits);
        let top = m.as_unsigned(top);
        let is_lowest = m.eq(chunk_plane, zero);
        let is_top = m.eq(chunk_plane, top);
        let lower = m.sub(chunk_plane, one);
        let lower = m.truncate(lower, plane_bits);
        let lower = m.as_unsigned(lower);
        let next = m.mux(is_lowest, top, lower);
        // At the start of a product the command's own terms count, the register has them a cycle later.
        let first_terms = m.slice(command, field::TERMS.0, plane_bits + 1);
        let first = m.sub(first_terms, one);
        let first = m.truncate(first, plane_bits);
        let first = m.as_unsigned(first);
        let next = m.mux(start, first, next);
        let plane_ends = m.and(load, at_plane_end);
        let changes = m.or(start, plane_ends);
        m.drive(chunk_plane, next, Some(changes), None);
        m.drive(plane, chunk_plane, Some(load), None);
        let below_top = m.not(is_top);
        let lower_starts = m.and(starts_group, below_top);
        m.drive(weight, lower_starts, Some(load), None);
        let at_group_end = m.and(at_plane_end, is_lowest);
        let at_pass_end = m.and(at_pass_end, is_lowest);
        (at_group_end, at_pass_end, m.and(starts_group, is_top))
    } else {
        let next_plane = m.mux(load, zero, next_plane);
        let plane_changes = m.or(load, step);
        m.drive(plane, next_plane, Some(plane_changes), None);
        (at_plane_end, at_pass_end, starts_group)
    };
    let at_group_end = m.name(at_group_end, "at_group_end", "the next chunk is the last of its group");
    let in_first_group = m.register("first_group_q", 1, false, "the next chunk's group is the first of its pass");
    let at_block_end = m.and(at_pass_end, last_rows);
    let at_block_end = m.name(at_block_end, "at_block_end", "the next chunk is the last of its column block");
    let at_end = m.and(at_block_end, last_columns);
    // Without outputs at its end a pass has no channel scales either.
    let finished = m.not(unfinished);
    let gives_outputs = m.and(at_pass_end, finished);
    let loaded = [starts_group, at_group_end, in_first_group, gives_outputs, at_end];
    for (flag, next) in flags.into_iter().zip(loaded) {
        m.drive(flag, next, Some(load), None);
    }
    let restart = |m: &mut ModuleBuilder, counter: Net, wraps: Net, next: Net, moves: Net| {
        let zero = m.constant(0, next.width);
        let wraps = m.or(start, wraps);
        let next = m.mux(wraps, zero, next);
        let changes = m.or(start, moves);
        m.drive(counter, next, Some(changes), None);
    };
    let next_k = if plane_major {
        // A lower plane goes back to the start of the group.
        let within = m.extend(group_k, k.width);
        let group_start = m.sub(k, within);
        let group_start = m.truncate(group_start, k.width);
        let group_start = m.as_unsigned(group_start);
        let goes_on = m.not(at_group_end);
        let goes_back = m.and(at_plane_end, goes_on);
        m.mux(goes_back, group_start, next_k)
    } else {
        next_k
    };
    restart(&mut m, k, at_pass_end, next_k, load);
    restart(&mut m, group_k, at_plane_end, next_group_k, load);
    let pass_ends = m.and(load, at_pass_end);
    restart(&mut m, token, last_rows, next_token, pass_ends);
    let block_ends = m.and(load, at_block_end);
    let never = m.constant(0, 1);
    restart(&mut m, channel, never, next_channel, block_ends);
    let group_goes_on = m.not(at_group_end);
    let stays_first = m.and(in_first_group, group_goes_on);
    let next_first = m.or(at_pass_end, stays_first);
    // A new sum at the start of a command, unless it goes on from the one before; in a memory each pass finds its own.
    let fresh = match in_memory {
        true => m.constant(1, 1),
        false => {
            let continues = m.bit(command, field::PART.0);
            m.not(continues)
        }
    };
    let next_first = m.mux(start, fresh, next_first);
    let first_changes = m.or(start, load);
    m.drive(in_first_group, next_first, Some(first_changes), None);
    let load_ends = m.and(load, at_end);
    let feeding_changes = m.or(start, load_ends);
    m.drive(feeding, start, Some(feeding_changes), Some(0));

    // Outputs.
    m.output("command_ready_o", idle, "the command is taken");
    m.output("load_o", load, "weight and activation beats are taken");
    m.output("capture_o", capture, "the metadata beats are taken; a finished group enters the hold chains");
    let channel_taken = m.and(capture, term_pass_end);
    m.output("channel_ready_o", channel_taken, "the channel beat is taken");
    m.output("moving_o", moving, "the scale units and the output stage move");
    if stages > 0 {
        m.output("advance_o", advance, "the PE pipeline moves");
    }
    m.output("plane_o", plane, "digit plane of the step");
    let accumulate = m.and(term_valid, advance);
    m.output("accumulate_o", accumulate, "a term reaches the accumulators");
    m.output("term_clear_o", term_clear, "the term is the first of its group");
    let doc = if plane_major { "it is the first of a lower digit plane" } else { "its digit plane" };
    m.output(&format!("term_{weight_name}_o"), term_weight, doc);
    m.output("first_group_o", term_first_group, "its group is the first of the pass");
    m.output("pass_end_o", term_pass_end, "its group is the last of the pass");
    m.output("last_o", term_last, "its pass is the last of the command");
    if let Some(going_on) = going_on {
        // Passes count up from the command's first, which is 0.
        let bits = index_bits(machine.scale_unit.accumulator_blocks);
        let block = m.register("block_q", bits, false, "pass of the group that was captured last");
        let one = m.constant(1, bits);
        let next = m.add(block, one);
        let next = m.truncate(next, bits);
        let next = m.mux(term_first_group, next, block);
        m.output("continues_o", going_on, "the accumulators go on from the command before");
        m.output("block_o", next, "pass of the group");
        let before = m.constant((1 << bits) - 1, bits);
        let next = m.mux(start, before, next);
        let changes = m.or(start, capture);
        m.drive(block, next, Some(changes), None);
    }
    m.output("weight_type_o", weight_type, "weight type of the command");
    m.output("special_digits_o", special, "digits of the special values");
    m.output("fraction_bits_o", fraction_bits, "f: weight values are multiples of 2^-f");
    if let Some(kind) = kind {
        m.output("scale_kind_o", kind, "kind of group scale of the command");
    }
    m.output("retire_o", retire, "a command retires");

    // Status: at most one bit a cycle.
    let no_step = m.not(step);
    let no_capture = m.not(capture);
    let held = m.and(waits, no_capture);
    let occupied = m.not(hold_free);
    let held_by_drain = m.and(held, occupied);
    let scale_stall = m.and(held_by_drain, moving);
    let held_by_output = m.and(held_by_drain, blocked);
    let metadata_stall = m.and(held, hold_free);
    let free = m.not(held);
    let no_load = m.not(load);
    let starved = m.and_all(&[no_step, free, feeding, no_load]);
    let operand_stall = m.or(metadata_stall, starved);
    let fed = m.not(feeding);
    let tail_blocked = m.and_all(&[busy, no_step, free, fed, blocked]);
    let tail_blocked = m.name(tail_blocked, "tail_blocked", "all steps are done, outputs are not taken");
    let output_stall = m.or(held_by_output, tail_blocked);
    let status = [step, operand_stall, scale_stall, output_stall];
    let docs = [
        "a term is issued",
        "no step: a weight, activation, scale, exponent or channel beat is missing",
        "no step: the scale units still work on the group before",
        "no step or drain: an output beat is not taken",
    ];
    for ((name, net), doc) in ports::TILE_STATUS.into_iter().zip(status).zip(docs) {
        m.output(&format!("{name}_o"), net, doc);
    }
    m.finish()
}
