//! The store unit: outputs to memory, row by row.

use bitmosaic_arch::{ADDRESS_BITS, Array, Machine};
use bitmosaic_mappings::field;

use super::build::{add_const, add_within, and_not, count_to, field, is, select_wide, up_down};
use super::bursts::{BURST_BITS, ROW_BEAT_BITS};
use super::{TOKEN_BITS, place_bits};
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Bursts granted ahead of their data, and write beats ahead of the memory.
pub(super) const LENGTH_QUEUE: u32 = 4;
pub(super) const WRITE_QUEUE: u32 = 2;

/// Bits of a write beat: data, strobes, last.
pub(super) fn write_bits(array: &Array) -> u32 {
    array.data_bits + array.beat_bytes() + 1
}

/// Modules that the store unit contains.
pub(super) struct Parts<'a> {
    pub(super) queue: &'a Module,
    pub(super) bursts: &'a Module,
    pub(super) lengths: &'a Module,
    pub(super) writes: &'a Module,
}

/// Module `store`.
pub(super) fn store(machine: &Machine, array: &Array, parts: &Parts<'_>) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "store",
        "Store unit: works off its command queue; writes the outputs of a product token by token, column block by column\n\
         block, and is done with the last write response.",
    );
    let dimension = field::DIMENSION_BITS;
    let push = m.input("push_i", 1, "a command arrives");
    let command = m.input("command_i", field::COMMAND_BITS, "the command");
    let token = m.input("token_i", 1, "compute gives a token");
    let stop = m.input("stop_i", 1, "nothing starts any more");
    let grant = m.input("grant_i", 1, "the burst asked for is granted");
    let complete = m.input("complete_i", 1, "a write response arrives");
    let write_ready = m.input("write_ready_i", 1, "the write beat is taken");
    let rows_read = m.input("row_i", array.down * array.columns * 16, "the row read, of each row of tiles");

    // Command.
    let start = m.wire("start", 1, "the oldest command starts");
    let queue = m.instance("u_queue", parts.queue, &[("push_i", push), ("data_i", command), ("pop_i", start)]);
    let next = queue.get("data_o");
    let wait = m.bit(next, field::TOKEN_FLAGS.0);
    let uses_token = m.and(start, wait);
    let tokens = up_down(&mut m, "tokens_q", TOKEN_BITS, token, uses_token, "tokens of compute");
    let any_token = m.reduce_or(tokens);
    let no_wait = m.not(wait);
    let may_start = m.or(no_wait, any_token);
    let busy = m.register("busy_q", 1, false, "a command is worked on");
    let idle = m.not(busy);
    let going = m.not(stop);
    let starts = m.and_all(&[queue.get("valid_o"), idle, may_start, going]);
    m.assign(start, starts);
    let keep = |m: &mut ModuleBuilder, name: &str, place: (u32, u32), width: u32, doc: &str| {
        let value = field(m, next, place, width);
        m.reg(name, value, Some(start), None, doc)
    };
    let tokens_limit = keep(&mut m, "tokens_limit_q", field::TOKENS, dimension, "M");
    let channels = keep(&mut m, "channels_q", field::OUTPUT_CHANNELS, dimension, "N");
    let block_bits = place_bits(array.blocks);
    let row_blocks = keep(&mut m, "row_blocks_q", field::ROW_BLOCKS, block_bits, "row blocks of the product");
    let half = keep(&mut m, "half_q", (field::HALVES.0 + 2, 1), 1, "half of the output buffer");
    let gives = keep(&mut m, "gives_q", (field::TOKEN_FLAGS.0 + 2, 1), 1, "compute gets a token at the end");

    // Bursts; their lengths cut the data.
    let values = array.data_bits / 16;
    let own_channels = field(&mut m, next, field::OUTPUT_CHANNELS, dimension);
    let round = m.constant(u64::from(values - 1), dimension);
    let rounded = m.add(own_channels, round);
    let shift = values.ilog2();
    let row_beats = m.slice(rounded, shift, rounded.width - shift);
    let row_beats = m.extend(row_beats, ROW_BEAT_BITS);
    let rows = field(&mut m, next, field::TOKENS, dimension);
    let address = field(&mut m, next, field::ADDRESS, ADDRESS_BITS);
    let pitch = field(&mut m, next, field::PITCH, field::PITCH.1);
    let bursts = m.instance(
        "u_bursts",
        parts.bursts,
        &[
            ("start_i", start),
            ("address_i", address),
            ("row_beats_i", row_beats),
            ("rows_i", rows),
            ("pitch_i", pitch),
            ("grant_i", grant),
            ("complete_i", complete),
        ],
    );
    let burst_sent = m.wire("burst_sent", 1, "the last beat of a burst is sent");
    let lengths = m.instance(
        "u_lengths",
        parts.lengths,
        &[("push_i", grant), ("data_i", bursts.get("beats_o")), ("pop_i", burst_sent)],
    );
    let quiet = m.not(bursts.get("active_o"));
    let retire = m.and_all(&[busy, quiet, bursts.get("none_o")]);
    let retire = m.name(retire, "retire", "the command is done");
    let changes = m.or(start, retire);
    m.drive(busy, start, Some(changes), Some(0));

    // Reading.
    let reading = m.register("reading_q", 1, false, "beats are left to read");
    let fetched = m.register("fetched_q", 1, false, "a row of the banks was read and waits");
    let push_write = m.wire("push_write", 1, "its beat goes to the memory");
    let empty = m.not(fetched);
    let room = m.or(empty, push_write);
    let read = m.and(reading, room);
    let read = m.name(read, "read", "a row of the banks is read");
    m.drive(fetched, read, Some(room), Some(0));
    let zero = m.constant(0, dimension);
    let one = m.constant(1, dimension);
    let step = m.constant(u64::from(values), dimension);
    let channel = m.register("channel_q", dimension, false, "first output channel of the beat");
    let (next_channel, row_end) = count_to(&mut m, channel, step, channels);
    let row_end = m.name(row_end, "row_end", "the beat is the last of its row");
    let moves = m.or(start, read);
    let clears = m.or(start, row_end);
    let next_value = m.mux(clears, zero, next_channel);
    m.drive(channel, next_value, Some(moves), None);
    // Within the column block: beats of a row of the array.
    let block_beats = array.columns / values;
    let (beat, block_over) = match place_bits(block_beats) {
        0 => (None, m.constant(1, 1)),
        bits => {
            let beat = m.register("beat_q", bits, false, "beat of the row of the array");
            let last = is(&mut m, beat, u64::from(block_beats - 1));
            let zero = m.constant(0, bits);
            let next_value = add_const(&mut m, beat, 1);
            let next_value = m.mux(clears, zero, next_value);
            m.drive(beat, next_value, Some(moves), None);
            (Some(beat), last)
        }
    };
    let token = m.register("token_q", dimension, false, "token of the beat");
    let (next_token, last_token) = count_to(&mut m, token, one, tokens_limit);
    let row_read = m.and(read, row_end);
    let row_changes = m.or(start, row_read);
    let next_value = m.mux(start, zero, next_token);
    m.drive(token, next_value, Some(row_changes), None);
    let ends = m.and(row_read, last_token);
    let changes = m.or(start, ends);
    m.drive(reading, start, Some(changes), Some(0));
    // Row of the array, and pass that holds it.
    let array_row_bits = place_bits(array.rows).max(1);
    let row = m.register("row_q", array_row_bits, false, "row of the array");
    let last_row = is(&mut m, row, u64::from(array.rows - 1));
    let next_value = add_const(&mut m, row, 1);
    let first = m.constant(0, array_row_bits);
    let clears = m.or(start, last_row);
    let next_value = m.mux(clears, first, next_value);
    m.drive(row, next_value, Some(row_changes), None);
    let row_block = m.register("row_block_q", block_bits, false, "row block");
    let more = add_const(&mut m, row_block, 1);
    let next_block = m.mux(last_row, more, row_block);
    let nothing = m.constant(0, block_bits);
    let next_value = m.mux(start, nothing, next_block);
    m.drive(row_block, next_value, Some(row_changes), None);
    let pass = m.register("pass_q", block_bits, false, "pass of the beat");
    let further = add_within(&mut m, pass, row_blocks);
    let within = m.mux(block_over, further, pass);
    let next_value = m.mux(row_end, next_block, within);
    let next_value = m.mux(start, nothing, next_value);
    m.drive(pass, next_value, Some(moves), None);

    // The beat: a row of tiles, the beat of its row, and strobes.
    let tile_row_bits = place_bits(machine.tile.rows);
    let tile_row = (array.down > 1).then(|| {
        let tile_row = m.slice(row, tile_row_bits, place_bits(array.down));
        m.reg("tile_row_q", tile_row, Some(read), None, "row of tiles that was read")
    });
    let beat = beat.map(|beat| m.reg("read_beat_q", beat, Some(read), None, "beat of the row that was read"));
    let strobes: Vec<Net> = (0..values)
        .map(|i| {
            let offset = m.constant(u64::from(i), dimension);
            let own = m.add(channel, offset);
            let limit = m.extend(channels, own.width);
            m.lt(own, limit)
        })
        .collect();
    let strobes = m.concat(&strobes);
    let strobes = m.reg("strobe_q", strobes, Some(read), None, "values that are written");
    let row_bits = array.columns * 16;
    let rows: Vec<Net> = (0..array.down).map(|i| m.slice(rows_read, i * row_bits, row_bits)).collect();
    let row_data = match tile_row {
        Some(index) => select_wide(&mut m, index, &rows),
        None => rows[0],
    };
    let beats: Vec<Net> = (0..block_beats).map(|i| m.slice(row_data, i * array.data_bits, array.data_bits)).collect();
    let data = match beat {
        Some(index) => select_wide(&mut m, index, &beats),
        None => beats[0],
    };
    // Values without strobe are zero, so that nothing unknown leaves.
    let (mut masked, mut byte_strobes) = (Vec::new(), Vec::new());
    for i in 0..values {
        let on = m.bit(strobes, i);
        let value = m.slice(data, i * 16, 16);
        let mask = m.replicate(on, 16);
        masked.push(m.and(value, mask));
        byte_strobes.push(m.replicate(on, 2));
    }
    let sent = m.register("sent_q", BURST_BITS, false, "beats of the burst that were sent");
    let next_sent = add_const(&mut m, sent, 1);
    let last = m.eq(next_sent, lengths.get("data_o"));
    let mut parts_of_write = masked;
    parts_of_write.extend(byte_strobes);
    parts_of_write.push(last);
    let write = m.concat(&parts_of_write);
    let write_pop = m.wire("write_pop", 1, "the write beat is taken");
    let writes =
        m.instance("u_writes", parts.writes, &[("push_i", push_write), ("data_i", write), ("pop_i", write_pop)]);
    let taken = m.and(writes.get("valid_o"), write_ready);
    m.assign(write_pop, taken);
    let goes = m.and_all(&[fetched, writes.get("ready_o"), lengths.get("valid_o")]);
    m.assign(push_write, goes);
    let ends_burst = m.and(push_write, last);
    m.assign(burst_sent, ends_burst);
    let nothing = m.constant(0, BURST_BITS);
    let next_value = m.mux(last, nothing, next_sent);
    m.drive(sent, next_value, Some(push_write), Some(0));

    m.output("ready_o", queue.get("ready_o"), "there is room for a command");
    let request = m.and(bursts.get("request_o"), lengths.get("ready_o"));
    m.output("request_o", request, "a burst is asked for");
    m.output("address_o", bursts.get("address_o"), "its byte address");
    m.output("beats_o", bursts.get("beats_o"), "its beats");
    m.output("none_o", bursts.get("none_o"), "no burst is on its way");
    let free = and_not(&mut m, idle, queue.get("valid_o"));
    m.output("idle_o", free, "no command is held");
    m.output("retire_o", retire, "a command retires");
    let gives = m.and(retire, gives);
    m.output("give_o", gives, "it gives compute a token");
    m.output("write_valid_o", writes.get("valid_o"), "a write beat is offered");
    m.output("write_o", writes.get("data_o"), "data, strobes and last flag");
    m.output("read_o", read, "a row of the banks is read");
    m.output("read_half_o", half, "half of the output buffer");
    m.output("read_block_o", pass, "pass");
    let tile_row = if tile_row_bits == 0 { m.constant(0, 1) } else { m.slice(row, 0, tile_row_bits) };
    m.output("read_row_o", tile_row, "row of the tile");
    m.finish()
}
