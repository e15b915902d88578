//! The load unit: a generator asks for bursts, the sink, a command behind, fills the buffers.

use bitmosaic_arch::{ADDRESS_BITS, Array, Machine};
use bitmosaic_mappings::{field, opcode};

use super::build::{add_const, add_within, and_not, count_to, field, is, up_down};
use super::bursts::ROW_BEAT_BITS;
use super::{TOKEN_BITS, place_bits};
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Commands between generator and sink.
pub(super) const SINK_QUEUE: u32 = 2;

/// Modules that the load unit contains.
pub(super) struct Parts<'a> {
    pub(super) queue: &'a Module,
    pub(super) sink_queue: &'a Module,
    pub(super) bursts: &'a Module,
    pub(super) words: &'a Module,
    pub(super) entries: &'a Module,
    pub(super) aligner: Option<&'a Module>,
}

/// Module `load`.
pub(super) fn load(machine: &Machine, array: &Array, parts: &Parts<'_>) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "load",
        "Load unit: works off its command queue. A generator asks for bursts; the sink, a command behind, takes their\n\
         data to the buffers, weight words as they are, activations through the aligner if there is one.",
    );
    let (entry, dimension) = (machine.entry_channels, field::DIMENSION_BITS);
    let push = m.input("push_i", 1, "a command arrives");
    let command = m.input("command_i", field::COMMAND_BITS, "the command");
    let token = m.input("token_i", 1, "compute gives a token");
    let stop = m.input("stop_i", 1, "nothing starts any more");
    let grant = m.input("grant_i", 1, "the burst asked for is granted");
    let complete = m.input("complete_i", 1, "a burst is done");
    let beat_valid = m.input("beat_valid_i", 1, "a beat is offered");
    let beat = m.input("beat_i", array.data_bits, "the beat");

    // Generator.
    let pop = m.wire("pop", 1, "the oldest command starts");
    let queue = m.instance("u_queue", parts.queue, &[("push_i", push), ("data_i", command), ("pop_i", pop)]);
    let next = queue.get("data_o");
    let wait = m.bit(next, field::TOKEN_FLAGS.0 + 1);
    let uses_token = m.and(pop, wait);
    let tokens = up_down(&mut m, "tokens_q", TOKEN_BITS, token, uses_token, "tokens of compute");
    let any_token = m.reduce_or(tokens);
    let no_wait = m.not(wait);
    let may_start = m.or(no_wait, any_token);
    let is_weights = opcode_is(&mut m, next, opcode::LOAD_WEIGHTS);
    let dimension_of = |m: &mut ModuleBuilder, place| field(m, next, place, dimension);
    // Beats of a row of activations: whole entries, rounded up to beats.
    let k = dimension_of(&mut m, field::INPUT_CHANNELS);
    let entry_shift = entry.ilog2();
    let rounded = m.constant(u64::from(entry - 1), dimension);
    let rounded = m.add(k, rounded);
    let row_entries = m.slice(rounded, entry_shift, rounded.width - entry_shift);
    let entry_bits_in_memory = 16 * entry;
    let row_beats = if entry_bits_in_memory >= array.data_bits {
        m.shift_left_const(row_entries, (entry_bits_in_memory / array.data_bits).ilog2())
    } else {
        let ratio = array.data_bits / entry_bits_in_memory;
        let round = m.constant(u64::from(ratio - 1), row_entries.width);
        let sum = m.add(row_entries, round);
        m.slice(sum, ratio.ilog2(), sum.width - ratio.ilog2())
    };
    let row_beats = m.extend(row_beats, ROW_BEAT_BITS);
    let run_beats = field(&mut m, next, field::BEATS, ROW_BEAT_BITS);
    let row_beats = m.mux(is_weights, run_beats, row_beats);
    let tokens_field = dimension_of(&mut m, field::TOKENS);
    let one_row = m.constant(1, dimension);
    let rows = m.mux(is_weights, one_row, tokens_field);
    let address = field(&mut m, next, field::ADDRESS, ADDRESS_BITS);
    let pitch = field(&mut m, next, field::PITCH, field::PITCH.1);
    let bursts = m.instance(
        "u_bursts",
        parts.bursts,
        &[
            ("start_i", pop),
            ("address_i", address),
            ("row_beats_i", row_beats),
            ("rows_i", rows),
            ("pitch_i", pitch),
            ("grant_i", grant),
            ("complete_i", complete),
        ],
    );
    let sink_pop = m.wire("sink_pop", 1, "the sink takes a command");
    let sink_queue =
        m.instance("u_sink_queue", parts.sink_queue, &[("push_i", pop), ("data_i", next), ("pop_i", sink_pop)]);
    let generator_free = m.not(bursts.get("active_o"));
    let going = m.not(stop);
    let starts = m.and_all(&[queue.get("valid_o"), may_start, generator_free, sink_queue.get("ready_o"), going]);
    m.assign(pop, starts);
    let held = m.not(may_start);
    let waits = m.and(queue.get("valid_o"), held);

    // Sink: its command.
    let busy = m.register("busy_q", 1, false, "the sink works on a command");
    let idle = m.not(busy);
    let accept = m.and(idle, sink_queue.get("valid_o"));
    m.assign(sink_pop, accept);
    let sink_command = sink_queue.get("data_o");
    let loads_weights = opcode_is(&mut m, sink_command, opcode::LOAD_WEIGHTS);
    let keep = |m: &mut ModuleBuilder, name: &str, value: Net, doc: &str| m.reg(name, value, Some(accept), None, doc);
    let weights = keep(&mut m, "weights_q", loads_weights, "the command loads weights, else activations");
    let value = field(&mut m, sink_command, field::INPUT_CHANNELS, dimension);
    let input_channels = keep(&mut m, "input_channels_q", value, "K");
    let value = field(&mut m, sink_command, field::GROUP, field::GROUP.1);
    let group_size = keep(&mut m, "group_size_q", value, "input channels of a group");
    let tokens_value = field(&mut m, sink_command, field::TOKENS, dimension);
    let channels_value = field(&mut m, sink_command, field::OUTPUT_CHANNELS, dimension);
    let limit = m.mux(loads_weights, channels_value, tokens_value);
    let limit = keep(&mut m, "limit_q", limit, "output channels of a tile, or tokens");
    let halves = m.slice(sink_command, field::HALVES.0, 2);
    let weight_half = m.bit(halves, 0);
    let activation_half = m.bit(halves, 1);
    let half = m.mux(loads_weights, weight_half, activation_half);
    let half = keep(&mut m, "half_q", half, "half of the buffer");
    let gives = m.bit(sink_command, field::TOKEN_FLAGS.0 + 3);
    let gives = keep(&mut m, "gives_q", gives, "compute gets a token at the end");
    let type_index = field(&mut m, sink_command, field::WEIGHT_TYPE, index_bits(machine.types.len() as u32));
    let count_bits = index_bits(machine.code_bits + 1).max(4);
    let code_bits: Vec<Net> =
        machine.types.iter().map(|t| m.constant(u64::from(t.weight_type.code_bits), count_bits)).collect();
    let type_code_bits = if code_bits.len() == 1 { code_bits[0] } else { m.select(type_index, &code_bits) };
    let type_code_bits = keep(&mut m, "code_bits_q", type_code_bits, "bits of a code");

    // Weight words.
    let word_valid = m.wire("word_valid", 1, "a weight word arrives");
    let takes_words = m.and(busy, weights);
    let word_end = m.wire("word_end", 1, "it is the command's last");
    let offered = m.and(beat_valid, takes_words);
    let words = m.instance(
        "u_words",
        parts.words,
        &[
            ("beat_valid_i", offered),
            ("beat_i", beat),
            ("take_i", word_valid),
            ("row_end_i", word_end),
            ("command_end_i", word_end),
        ],
    );
    let arrives = m.and(words.get("word_valid_o"), takes_words);
    m.assign(word_valid, arrives);
    let most_words = array.channel_words.max(array.record_words).max(machine.code_bits);
    let index_width = index_bits(most_words + 1).max(4);
    let index = m.register("index_q", index_width, false, "word of the channel scales, record or entry");
    let phase = m.register("phase_q", 2, false, "0 channel scales, 1 record, 2 codes");
    let in_channels = is(&mut m, phase, 0);
    let in_record = is(&mut m, phase, 1);
    let in_codes = m.bit(phase, 1);
    let next_index = add_const(&mut m, index, 1);
    let channel_end = is(&mut m, next_index, u64::from(array.channel_words));
    let record_end = is(&mut m, next_index, u64::from(array.record_words));
    let code_limit = m.extend(type_code_bits, index_width);
    let codes_end = m.eq(next_index, code_limit);
    let channels_done = m.and(in_channels, channel_end);
    let record_done = m.and(in_record, record_end);
    let codes_done = m.and(in_codes, codes_end);
    let part_done = m.or_all(&[channels_done, record_done, codes_done]);
    let part_done = m.and(part_done, word_valid);
    let zero = m.constant(0, index_width);
    let next = m.mux(part_done, zero, next_index);
    let restart = m.or(accept, part_done);
    let next = m.mux(restart, zero, next);
    let changes = m.or(accept, word_valid);
    m.drive(index, next, Some(changes), None);

    // Activations.
    let feeding = m.register("feeding_q", 1, false, "rows of activations are left to feed");
    let offered = m.and(beat_valid, feeding);
    let fed = m.wire("fed", 1, "an entry of activations is taken");
    let row_end = m.wire("row_end", 1, "it is the last of its row");
    let feed_end = m.wire("feed_end", 1, "it is the command's last");
    let entries = m.instance(
        "u_entries",
        parts.entries,
        &[
            ("beat_valid_i", offered),
            ("beat_i", beat),
            ("take_i", fed),
            ("row_end_i", row_end),
            ("command_end_i", feed_end),
        ],
    );
    let entry_valid = m.and(entries.get("word_valid_o"), feeding);
    let (fed_now, written, written_data) = match parts.aligner {
        None => (entry_valid, entry_valid, entries.get("word_o")),
        Some(aligner) => {
            let loads_activations = m.not(loads_weights);
            let starts = m.and(accept, loads_activations);
            let always = m.constant(1, 1);
            let aligner = m.instance(
                "u_aligner",
                aligner,
                &[
                    ("command_valid_i", starts),
                    ("command_data_i", sink_command),
                    ("fp16_valid_i", entry_valid),
                    ("fp16_data_i", entries.get("word_o")),
                    ("output_ready_i", always),
                ],
            );
            let fed = m.and(entry_valid, aligner.get("fp16_ready_o"));
            (fed, aligner.get("output_valid_o"), aligner.get("output_data_o"))
        }
    };
    m.assign(fed, fed_now);
    let entry_step = m.constant(u64::from(entry), dimension);
    let fed_k = m.register("fed_channel_q", dimension, false, "input channels fed of the row");
    let (next_k, at_row_end) = count_to(&mut m, fed_k, entry_step, input_channels);
    m.assign(row_end, at_row_end);
    let nothing = m.constant(0, dimension);
    let next = m.mux(at_row_end, nothing, next_k);
    let next = m.mux(accept, nothing, next);
    let changes = m.or(accept, fed);
    m.drive(fed_k, next, Some(changes), None);
    let fed_tokens = m.register("fed_token_q", dimension, false, "rows fed");
    let one = m.constant(1, dimension);
    let (next, last_row) = count_to(&mut m, fed_tokens, one, limit);
    let at_feed_end = m.and(at_row_end, last_row);
    m.assign(feed_end, at_feed_end);
    let row_fed = m.and(fed, at_row_end);
    let next = m.mux(accept, nothing, next);
    let changes = m.or(accept, row_fed);
    m.drive(fed_tokens, next, Some(changes), None);
    let feeds = and_not(&mut m, accept, loads_weights);
    let feed_stops = m.and(fed, at_feed_end);
    let changes = m.or(accept, feed_stops);
    m.drive(feeding, feeds, Some(changes), Some(0));

    // Where data goes; both kinds count entries and groups.
    let code_entry = m.and(codes_done, word_valid);
    let written = if parts.aligner.is_some() { and_not(&mut m, written, weights) } else { written };
    let written = m.name(written, "written", "an entry of activations is written");
    let entry_done = m.mux(weights, code_entry, written);
    let entry_done = m.name(entry_done, "entry_done", "an entry is complete");
    let k = m.register("input_channel_q", dimension, false, "input channels written of the pass");
    let (next_k, pass_end) = count_to(&mut m, k, entry_step, input_channels);
    let next = m.mux(pass_end, nothing, next_k);
    let next = m.mux(accept, nothing, next);
    let moves = m.or(accept, entry_done);
    m.drive(k, next, Some(moves), None);
    let group_k = m.register("group_channel_q", field::GROUP.1, false, "input channels written of the group");
    let group_step = m.constant(u64::from(entry), field::GROUP.1);
    let (next_k, group_full) = count_to(&mut m, group_k, group_step, group_size);
    let group_end = m.or(pass_end, group_full);
    let group_end = m.name(group_end, "group_end", "the entry is the last of its group");
    let none = m.constant(0, field::GROUP.1);
    let next = m.mux(group_end, none, next_k);
    let next = m.mux(accept, none, next);
    m.drive(group_k, next, Some(moves), None);

    let pass_done = m.and(entry_done, pass_end);
    let columns = m.constant(u64::from(machine.tile.columns), dimension);
    let step = m.mux(weights, columns, one);
    let done = m.register("done_q", dimension, false, "output channels of a tile, or tokens, done");
    let (next, last) = count_to(&mut m, done, step, limit);
    let next = m.mux(accept, nothing, next);
    let changes = m.or(accept, pass_done);
    m.drive(done, next, Some(changes), None);
    let finish = m.and(pass_done, last);
    let finish = m.name(finish, "finish", "the command's last data is written");
    let weights_finish = m.and(finish, weights);
    m.assign(word_end, weights_finish);
    let busy_changes = m.or(accept, finish);
    m.drive(busy, accept, Some(busy_changes), Some(0));

    // Phase of weight words: a record follows channel scales and groups, channel scales a pass.
    let goes_on = and_not(&mut m, codes_done, group_end);
    let to_codes = m.or(record_done, goes_on);
    let next_group = and_not(&mut m, group_end, pass_end);
    let next_group = m.and(next_group, codes_done);
    let to_record = m.or(channels_done, next_group);
    let next = m.concat(&[to_record, to_codes]);
    let start_phase = m.constant(0, 2);
    let next = m.mux(accept, start_phase, next);
    let changes = m.or(accept, part_done);
    m.drive(phase, next, Some(changes), None);

    // Rows of activations, and addresses within the half.
    let row_bits = index_bits(array.rows);
    let row = m.register("row_q", row_bits, false, "row of the array");
    let block_end = is(&mut m, row, u64::from(array.rows - 1));
    let next = add_const(&mut m, row, 1);
    let first_row = m.constant(0, row_bits);
    let restart = m.or(accept, block_end);
    let next = m.mux(restart, first_row, next);
    let changes = m.or(accept, pass_done);
    m.drive(row, next, Some(changes), None);
    let goes_back = m.not(weights);
    let goes_back = m.and(goes_back, pass_end);
    let goes_back = and_not(&mut m, goes_back, block_end);
    let goes_back = m.name(goes_back, "goes_back", "the next row of the block starts where this one did");
    let starts_block = m.and(pass_done, block_end);
    let address = |m: &mut ModuleBuilder, name: &str, bits: u32, more: Net, doc: &str| {
        let address = m.register(&format!("{name}_q"), bits, false, doc);
        let more = m.extend(more, bits);
        let next = add_within(m, address, more);
        let start = m.register(&format!("{name}_start_q"), bits, false, "the same at the start of the row block");
        let zero = m.constant(0, bits);
        let restarted = m.mux(accept, zero, next);
        let changes = m.or(accept, starts_block);
        m.drive(start, restarted, Some(changes), None);
        let next = m.mux(goes_back, start, next);
        let next = m.mux(accept, zero, next);
        m.drive(address, next, Some(moves), None);
        address
    };
    let always = m.constant(1, 1);
    let entry_bits = place_bits(array.weight_entries.max(array.activation_entries));
    let place = address(&mut m, "entry", entry_bits, always, "entry within the half");
    let group = address(&mut m, "group", place_bits(array.groups), group_end, "group within the half");
    let block_bits = place_bits(array.blocks);
    let block = m.register("block_q", block_bits, false, "column block within the half");
    let next = add_const(&mut m, block, 1);
    let zero = m.constant(0, block_bits);
    let next = m.mux(accept, zero, next);
    let changes = m.or(accept, pass_done);
    m.drive(block, next, Some(changes), None);

    // Outputs: generator.
    m.output("ready_o", queue.get("ready_o"), "there is room for a command");
    m.output("request_o", bursts.get("request_o"), "a burst is asked for");
    m.output("address_o", bursts.get("address_o"), "its byte address");
    m.output("beats_o", bursts.get("beats_o"), "its beats");
    m.output("none_o", bursts.get("none_o"), "no burst is on its way");
    m.output("waits_o", waits, "the oldest command waits for a token");
    let has_command = m.or_all(&[queue.get("valid_o"), bursts.get("active_o"), sink_queue.get("valid_o"), busy]);
    let nothing_left = m.not(has_command);
    m.output("idle_o", nothing_left, "no command is held");
    m.output("retire_o", finish, "a command retires");
    let gives = m.and(finish, gives);
    m.output("give_o", gives, "it gives compute a token");
    let takes_entry = m.and(feeding, entries.get("beat_ready_o"));
    let takes_word = m.and(takes_words, words.get("beat_ready_o"));
    let takes = m.or(takes_entry, takes_word);
    m.output("beat_ready_o", takes, "the beat is taken if offered");
    // Outputs: the buffers' write side.
    m.output("word_o", words.get("word_o"), "weight word");
    let word_enables = |m: &mut ModuleBuilder, count: u32, phase: Net| {
        let writes = m.and(word_valid, phase);
        let enables: Vec<Net> = (0..count)
            .map(|i| {
                let here = is(m, index, u64::from(i));
                m.and(writes, here)
            })
            .collect();
        m.concat(&enables)
    };
    let weight_write = word_enables(&mut m, machine.code_bits, in_codes);
    m.output("weight_write_o", weight_write, "it is written, a bit per code bit");
    let record_write = word_enables(&mut m, array.record_words, in_record);
    m.output("record_write_o", record_write, "it is part of a record, a bit a word");
    let channel_write = word_enables(&mut m, array.channel_words, in_channels);
    m.output("channel_write_o", channel_write, "it is part of the channel scales, a bit a word");
    let row_writes: Vec<Net> = (0..array.rows)
        .map(|r| {
            let here = is(&mut m, row, u64::from(r));
            m.and(written, here)
        })
        .collect();
    let row_write = m.concat(&row_writes);
    m.output("activation_write_o", row_write, "an entry of activations is written, a bit a row");
    let value_bits = entry * machine.pe.activation_bits;
    let values = m.slice(written_data, 0, value_bits);
    m.output("activation_o", values, "the entry");
    if let Some(bits) = array.exponent_entry_bits {
        let writes: Vec<Net> = row_writes.iter().map(|write| m.and(*write, group_end)).collect();
        let writes = m.concat(&writes);
        m.output("exponent_write_o", writes, "the group's exponent is written, a bit a row");
        let entry = m.slice(written_data, value_bits, bits);
        m.output("exponent_o", entry, "exponent, non-finite flag and sum of the group");
    }
    for (name, place, entries, doc) in [
        ("weight_address_o", place, array.weight_entries, "half and entry of the weight buffer"),
        ("activation_address_o", place, array.activation_entries, "half and entry of the activation buffer"),
        ("group_address_o", group, array.groups, "half and group"),
        ("block_address_o", block, array.blocks, "half and column block"),
    ] {
        let place = m.slice(place, 0, place_bits(entries));
        let address = m.concat(&[place, half]);
        m.output(name, address, doc);
    }
    m.finish()
}

fn opcode_is(m: &mut ModuleBuilder, command: Net, opcode: u8) -> Net {
    let own = field(m, command, field::OPCODE, field::OPCODE.1);
    is(m, own, u64::from(opcode))
}
