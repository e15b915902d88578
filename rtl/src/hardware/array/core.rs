//! The machine without its control port: dispatch, memory port, buffers and the three units.

use bitmosaic_arch::{ADDRESS_BITS, Array, Machine};
use bitmosaic_mappings::{field, opcode, ports};

use super::build::{and_not, field as command_field, is, mux_wide};
use super::bursts::BURST_BITS;
use super::fetch::PROGRAM_BITS;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError, Outputs};

/// Modules that the core contains.
pub(super) struct Parts<'a> {
    pub(super) fetch: &'a Module,
    pub(super) load: &'a Module,
    pub(super) compute: &'a Module,
    pub(super) store: &'a Module,
    pub(super) reads: &'a Module,
    pub(super) weight_buffer: &'a Module,
    pub(super) activation_buffer: &'a Module,
    pub(super) output_buffer: &'a Module,
}

/// Beats between the memory port and the blocks.
pub(super) const READ_QUEUE: u32 = 2;

/// Bits of a read beat in its queue: data, identifier, last, error.
pub(super) fn read_bits(array: &Array) -> u32 {
    array.data_bits + 3
}

/// Module `core`.
pub(super) fn core(machine: &Machine, array: &Array, parts: &Parts<'_>) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "core",
        &format!(
            "Design {}: fetches commands and hands them to the queues of load, compute and store; memory port, buffers.\n\
             Every output is a function of registers alone.",
            machine.name
        ),
    );
    let start = m.input("start_i", 1, "a program starts, if none runs");
    let program_address = m.input("program_address_i", ADDRESS_BITS, "its byte address, a multiple of 128");
    let program_commands = m.input("program_commands_i", PROGRAM_BITS, "its commands, `end` included");
    let ar_ready = m.input("ar_ready_i", 1, "the read address is taken");
    let r_valid = m.input("r_valid_i", 1, "a read beat is offered");
    let r_data = m.input("r_data_i", array.data_bits, "its data");
    let r_id = m.input("r_id_i", 1, "0 commands, 1 operands");
    let r_last = m.input("r_last_i", 1, "last of its burst");
    let r_error = m.input("r_error_i", 1, "its response is no OKAY");
    let aw_ready = m.input("aw_ready_i", 1, "the write address is taken");
    let w_ready = m.input("w_ready_i", 1, "the write beat is taken");
    let b_valid = m.input("b_valid_i", 1, "a write response is offered; it is always taken");
    let b_error = m.input("b_error_i", 1, "it is no OKAY");

    let running = m.register("running_q", 1, false, "a program runs");
    let done = m.register("done_q", 1, false, "the last program is over");
    let error = m.register("error_q", 2, false, "0 none, 1 read response, 2 write response, 3 unknown opcode");
    let stop = m.reduce_or(error);
    let going = m.not(stop);
    let idle = m.not(running);
    let begins = m.and_all(&[start, idle, going]);
    let begins = m.name(begins, "begins", "a program starts");

    // Grants: commands before operands, and no operands while the memory refuses a write beat: a memory that serves reads first
    // would leave outputs waiting as long as loads follow each other, and with them the products that need their room.
    let request = |m: &mut ModuleBuilder, name: &str, bits: u32| m.wire(name, bits, "request of a unit");
    let fetch_request = request(&mut m, "fetch_request", 1);
    let load_request = request(&mut m, "load_request", 1);
    let store_request = request(&mut m, "store_request", 1);
    let ar_valid = m.register("ar_valid_q", 1, false, "a read address is offered");
    let aw_valid = m.register("aw_valid_q", 1, false, "a write address is offered");
    let free = |m: &mut ModuleBuilder, valid: Net, ready: Net| {
        let empty = m.not(valid);
        m.or(empty, ready)
    };
    let ar_free = free(&mut m, ar_valid, ar_ready);
    let aw_free = free(&mut m, aw_valid, aw_ready);
    let fetch_grant = m.and_all(&[fetch_request, ar_free, going]);
    let fetch_grant = m.name(fetch_grant, "fetch_grant", "commands are asked for");
    let load_grant = m.and_all(&[load_request, ar_free, going]);
    let load_grant = and_not(&mut m, load_grant, fetch_request);
    let write_valid = request(&mut m, "write_valid", 1);
    let refused = and_not(&mut m, write_valid, w_ready);
    let load_grant = and_not(&mut m, load_grant, refused);
    let load_grant = m.name(load_grant, "load_grant", "operands are asked for");
    let store_grant = m.and_all(&[store_request, aw_free, going]);
    let store_grant = m.name(store_grant, "store_grant", "outputs are announced");

    // Read data, by identifier; after an error all of it is dropped.
    let read_pop = m.wire("read_pop", 1, "the oldest read beat is taken");
    let entry = m.concat(&[r_data, r_id, r_last, r_error]);
    let reads_ready = m.wire("reads_ready", 1, "there is room for a read beat");
    let arrives = m.and(r_valid, reads_ready);
    let reads = m.instance("u_reads", parts.reads, &[("push_i", arrives), ("data_i", entry), ("pop_i", read_pop)]);
    m.assign(reads_ready, reads.get("ready_o"));
    let oldest = reads.get("data_o");
    let data = m.slice(oldest, 0, array.data_bits);
    let for_load = m.bit(oldest, array.data_bits);
    let last = m.bit(oldest, array.data_bits + 1);
    let bad = m.bit(oldest, array.data_bits + 2);
    let there = reads.get("valid_o");
    let for_fetch = and_not(&mut m, there, for_load);
    let operand_there = m.and(there, for_load);
    let fetch_beat = and_not(&mut m, for_fetch, stop);
    let load_beat = and_not(&mut m, operand_there, stop);
    let load_takes = m.wire("load_takes", 1, "load takes the beat");
    let passes = m.or(stop, load_takes);
    let operand_pop = m.and(operand_there, passes);
    let pops = m.or(for_fetch, operand_pop);
    m.assign(read_pop, pops);
    let fetch_complete = m.and(for_fetch, last);
    let load_complete = m.and(operand_pop, last);

    // Fetch and dispatch.
    let dispatch = m.wire("dispatch", 1, "the oldest command leaves");
    let fetch = m.instance(
        "u_fetch",
        parts.fetch,
        &[
            ("start_i", begins),
            ("address_i", program_address),
            ("commands_i", program_commands),
            ("grant_i", fetch_grant),
            ("beat_valid_i", fetch_beat),
            ("beat_i", data),
            ("complete_i", fetch_complete),
            ("dispatch_i", dispatch),
        ],
    );
    let command = fetch.get("command_o");
    let code = command_field(&mut m, command, field::OPCODE, field::OPCODE.1);
    let of = |m: &mut ModuleBuilder, opcode: u8| is(m, code, u64::from(opcode));
    let is_weights = of(&mut m, opcode::LOAD_WEIGHTS);
    let is_activations = of(&mut m, opcode::LOAD_ACTIVATIONS);
    let for_load_queue = m.or(is_weights, is_activations);
    let for_compute_queue = of(&mut m, opcode::MATMUL);
    let for_store_queue = of(&mut m, opcode::STORE);
    let is_end = of(&mut m, opcode::END);
    let known = m.or_all(&[for_load_queue, for_compute_queue, for_store_queue, is_end]);
    let considers = m.and_all(&[running, going, fetch.get("valid_o")]);
    let queue_ready =
        ["load", "compute", "store"].map(|name| m.wire(&format!("{name}_ready"), 1, "its queue has room"));
    let pushes = [for_load_queue, for_compute_queue, for_store_queue]
        .into_iter()
        .zip(queue_ready)
        .map(|(own, ready)| m.and_all(&[considers, own, ready]))
        .collect::<Vec<_>>();
    let unit_idle = ["load", "compute", "store"].map(|name| m.wire(&format!("{name}_idle"), 1, "it holds no command"));
    let all_idle = m.and_all(&unit_idle);
    let ends = m.and_all(&[considers, is_end, fetch.get("last_o"), all_idle]);
    let ends = m.name(ends, "ends", "the program is over");
    let leaves = m.or_all(&[pushes[0], pushes[1], pushes[2], ends]);
    m.assign(dispatch, leaves);
    let unknown = and_not(&mut m, considers, known);

    // Units.
    let tokens = ["compute_to_load", "compute_to_store", "load_to_compute", "store_to_compute"]
        .map(|name| m.wire(name, 1, "a token"));
    let load = m.instance(
        "u_load",
        parts.load,
        &[
            ("push_i", pushes[0]),
            ("command_i", command),
            ("token_i", tokens[0]),
            ("stop_i", stop),
            ("grant_i", load_grant),
            ("complete_i", load_complete),
            ("beat_valid_i", load_beat),
            ("beat_i", data),
        ],
    );
    let aligned = array.exponent_entry_bits.is_some();
    let wire = |m: &mut ModuleBuilder, name: &str, bits: u32| m.wire(name, bits, "between buffers and compute");
    let (down, across, tile) = (array.down, array.across, &machine.tile);
    let weight = wire(&mut m, "weight", across * tile.weight_beat_bits);
    let activation = wire(&mut m, "activation", down * tile.activation_beat_bits);
    let scale = wire(&mut m, "scale", across * tile.scale_beat_bits);
    let channel = wire(&mut m, "channel", across * tile.channel_beat_bits);
    let exponent = tile.exponent_beat_bits.map(|bits| wire(&mut m, "exponent", down * bits));
    let mut inputs = vec![
        ("push_i", pushes[1]),
        ("command_i", command),
        ("load_token_i", tokens[2]),
        ("store_token_i", tokens[3]),
        ("stop_i", stop),
        ("weight_i", weight),
        ("activation_i", activation),
        ("scale_i", scale),
        ("channel_i", channel),
    ];
    inputs.extend(exponent.map(|exponent| ("exponent_i", exponent)));
    let compute = m.instance("u_compute", parts.compute, &inputs);
    let chunk = (machine.entry_chunks() > 1).then(|| ("chunk_i", compute.get("chunk_o")));
    let mut inputs = vec![
        ("word_i", load.get("word_o")),
        ("read_i", compute.get("read_o")),
        ("group_read_i", compute.get("group_read_o")),
        ("channel_read_i", compute.get("channel_read_o")),
        ("code_mask_i", compute.get("code_mask_o")),
        ("weight_write_i", load.get("weight_write_o")),
        ("weight_write_address_i", load.get("weight_address_o")),
        ("weight_address_i", compute.get("weight_address_o")),
        ("record_write_i", load.get("record_write_o")),
        ("record_write_address_i", load.get("group_address_o")),
        ("record_address_i", compute.get("record_address_o")),
        ("channel_write_i", load.get("channel_write_o")),
        ("channel_write_address_i", load.get("block_address_o")),
        ("channel_address_i", compute.get("channel_address_o")),
    ];
    inputs.extend(chunk);
    let weights = m.instance("u_weight_buffer", parts.weight_buffer, &inputs);
    for (wire, name) in [(weight, "weight_o"), (scale, "scale_o"), (channel, "channel_o")] {
        m.assign(wire, weights.get(name));
    }
    let mut inputs = vec![
        ("activation_write_i", load.get("activation_write_o")),
        ("activation_write_address_i", load.get("activation_address_o")),
        ("activation_i", load.get("activation_o")),
        ("read_i", compute.get("read_o")),
        ("activation_address_i", compute.get("activation_address_o")),
    ];
    inputs.extend(chunk);
    if aligned {
        inputs.extend([
            ("exponent_write_i", load.get("exponent_write_o")),
            ("exponent_write_address_i", load.get("group_address_o")),
            ("exponent_i", load.get("exponent_o")),
            ("group_read_i", compute.get("group_read_o")),
            ("exponent_address_i", compute.get("exponent_address_o")),
        ]);
    }
    let activations = m.instance("u_activation_buffer", parts.activation_buffer, &inputs);
    m.assign(activation, activations.get("activation_o"));
    if let Some(exponent) = exponent {
        m.assign(exponent, activations.get("exponent_o"));
    }
    let rows = m.wire("rows", down * array.columns * 16, "output rows read");
    let store = m.instance(
        "u_store",
        parts.store,
        &[
            ("push_i", pushes[2]),
            ("command_i", command),
            ("token_i", tokens[1]),
            ("stop_i", stop),
            ("grant_i", store_grant),
            ("complete_i", b_valid),
            ("write_ready_i", w_ready),
            ("row_i", rows),
        ],
    );
    let read_rows: Vec<Net> = (0..down * across)
        .map(|t| {
            let valid = m.bit(compute.get("output_valid_o"), t);
            let data = m.slice(compute.get("output_data_o"), t * tile.output_beat_bits, tile.output_beat_bits);
            let inputs = [
                ("valid_i", valid),
                ("data_i", data),
                ("restart_i", compute.get("retire_o")),
                ("half_i", compute.get("half_o")),
                ("read_i", store.get("read_o")),
                ("read_half_i", store.get("read_half_o")),
                ("read_block_i", store.get("read_block_o")),
                ("read_row_i", store.get("read_row_o")),
            ];
            let name = format!("u_output_{}_{}", t / across, t % across);
            m.instance(&name, parts.output_buffer, &inputs).get("row_o")
        })
        .collect();
    let all_rows = m.concat(&read_rows);
    m.assign(rows, all_rows);
    let given = [compute.get("give_load_o"), compute.get("give_store_o"), load.get("give_o"), store.get("give_o")];
    for (wire, value) in tokens.into_iter().zip(given) {
        m.assign(wire, value);
    }
    m.assign(load_takes, load.get("beat_ready_o"));
    m.assign(fetch_request, fetch.get("request_o"));
    m.assign(load_request, load.get("request_o"));
    m.assign(store_request, store.get("request_o"));
    m.assign(write_valid, store.get("write_valid_o"));
    let units: [&Outputs; 3] = [&load, &compute, &store];
    for ((unit, ready), unit_idle) in units.into_iter().zip(queue_ready).zip(unit_idle) {
        m.assign(ready, unit.get("ready_o"));
        m.assign(unit_idle, unit.get("idle_o"));
    }

    // Address registers.
    let wins = m.or(fetch_grant, load_grant);
    m.drive(ar_valid, wins, Some(ar_free), Some(0));
    let address = mux_wide(&mut m, fetch_request, fetch.get("address_o"), load.get("address_o"));
    let beats = m.mux(fetch_request, fetch.get("beats_o"), load.get("beats_o"));
    let ar_address = m.reg("ar_address_q", address, Some(wins), None, "its byte address");
    let ar_beats = m.reg("ar_beats_q", beats, Some(wins), None, "its beats");
    let ar_id = m.not(fetch_request);
    let ar_id = m.reg("ar_id_q", ar_id, Some(wins), None, "0 commands, 1 operands");
    m.drive(aw_valid, store_grant, Some(aw_free), Some(0));
    let aw_address = m.reg("aw_address_q", store.get("address_o"), Some(store_grant), None, "its byte address");
    let aw_beats = m.reg("aw_beats_q", store.get("beats_o"), Some(store_grant), None, "its beats");

    // The end, good or bad: after an error when nothing is on its way. The latest cause of a cycle counts: opcode, read, write.
    let read_bad = m.and(read_pop, bad);
    let write_bad = m.and(b_valid, b_error);
    let none = m.constant(0, 2);
    let mut cause = none;
    for (flag, value) in [(unknown, 3), (read_bad, 1), (write_bad, 2)] {
        let value = m.constant(value, 2);
        cause = m.mux(flag, value, cause);
    }
    m.drive(error, cause, Some(going), Some(0));
    let busy_port = m.or(ar_valid, aw_valid);
    let quiet = m.not(busy_port);
    let drained = m.and_all(&[quiet, fetch.get("none_o"), load.get("none_o"), store.get("none_o")]);
    let gives_up = m.and_all(&[stop, running, drained]);
    let over = m.or(ends, gives_up);
    let over = m.name(over, "over", "the program ends at this edge");
    let changes = m.or(begins, over);
    m.drive(running, begins, Some(changes), Some(0));
    m.drive(done, over, Some(changes), Some(0));

    m.output("ar_valid_o", ar_valid, "a read burst is asked for");
    m.output("ar_address_o", ar_address, "its byte address");
    m.output("ar_beats_o", ar_beats, "its beats");
    m.output("ar_id_o", ar_id, "0 commands, 1 operands");
    m.output("r_ready_o", reads.get("ready_o"), "the read beat is taken");
    m.output("aw_valid_o", aw_valid, "a write burst is announced");
    m.output("aw_address_o", aw_address, "its byte address");
    m.output("aw_beats_o", aw_beats, "its beats");
    let write = store.get("write_o");
    m.output("w_valid_o", write_valid, "a write beat is offered");
    let w_data = m.slice(write, 0, array.data_bits);
    m.output("w_data_o", w_data, "its data");
    let w_strobes = m.slice(write, array.data_bits, array.beat_bytes());
    m.output("w_strobe_o", w_strobes, "bytes that are written");
    let w_last = m.bit(write, array.data_bits + array.beat_bytes());
    m.output("w_last_o", w_last, "last of its burst");
    let retire = m.concat(&[load.get("retire_o"), compute.get("retire_o"), store.get("retire_o")]);
    m.output("retire_o", retire, "a command retires: load, compute, store");
    let status = m.concat(&[compute.get("status_o"), load.get("waits_o")]);
    debug_assert_eq!(status.width as usize, ports::ARRAY_STATUS.len());
    m.output("status_o", status, &format!("status, lowest first: {}", ports::ARRAY_STATUS.join(", ")));
    m.output("running_o", running, "a program runs");
    m.output("over_o", over, "the program ends at this edge");
    m.output("done_o", done, "the last program is over");
    m.output("error_o", error, "why it ended early: 1 read response, 2 write response, 3 unknown opcode");
    debug_assert_eq!(ar_beats.width, BURST_BITS);
    m.finish()
}
