//! The compute unit: its command queue, the feeder and the grid of tiles.

use bitmosaic_arch::{Array, Machine};
use bitmosaic_mappings::field;

use super::TOKEN_BITS;
use super::build::{and_not, up_down};
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `compute`.
pub(super) fn compute(
    machine: &Machine,
    array: &Array,
    queue: &Module,
    feeder: &Module,
    grid: &Module,
) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "compute",
        "Compute unit: works off its command queue. A product starts when its operands and a half of the output buffer\n\
         are there and is done when all tiles have retired it.",
    );
    let tile = &machine.tile;
    let push = m.input("push_i", 1, "a command arrives");
    let command = m.input("command_i", field::COMMAND_BITS, "the command");
    let load_token = m.input("load_token_i", 1, "load gives a token");
    let store_token = m.input("store_token_i", 1, "store gives a token");
    let stop = m.input("stop_i", 1, "nothing starts any more");
    let (down, across) = (array.down, array.across);
    let weight = m.input("weight_i", across * tile.weight_beat_bits, "weights read, all columns");
    let activation = m.input("activation_i", down * tile.activation_beat_bits, "activations read, all rows");
    let scale = m.input("scale_i", across * tile.scale_beat_bits, "scales read, all columns");
    let channel = m.input("channel_i", across * tile.channel_beat_bits, "channel scales read, all columns");
    let exponent = tile.exponent_beat_bits.map(|bits| m.input("exponent_i", down * bits, "exponents read, all rows"));

    let start = m.wire("start", 1, "the oldest command starts");
    let queue = m.instance("u_queue", queue, &[("push_i", push), ("data_i", command), ("pop_i", start)]);
    let next = queue.get("data_o");
    let busy = m.register("busy_q", 1, false, "a product is running");
    let idle = m.not(busy);
    let flag = |m: &mut ModuleBuilder, i: u32| m.bit(next, field::TOKEN_FLAGS.0 + i);
    let (wait_up, wait_down, give_up, give_down) = (flag(&mut m, 0), flag(&mut m, 1), flag(&mut m, 2), flag(&mut m, 3));
    let uses_load = m.and(start, wait_up);
    let load_tokens = up_down(&mut m, "load_tokens_q", TOKEN_BITS, load_token, uses_load, "operands that are there");
    let uses_store = m.and(start, wait_down);
    let store_tokens = up_down(
        &mut m,
        "store_tokens_q",
        TOKEN_BITS,
        store_token,
        uses_store,
        "halves of the output buffer free again",
    );
    let any = m.reduce_or(load_tokens);
    let wait_load = and_not(&mut m, wait_up, any);
    let any = m.reduce_or(store_tokens);
    let wait_store = and_not(&mut m, wait_down, any);
    let considers = m.and(queue.get("valid_o"), idle);
    let waits_load = m.and(considers, wait_load);
    let waits_store = m.and(considers, wait_store);
    let waits_store = and_not(&mut m, waits_store, wait_load);
    let blocked = m.or_all(&[wait_load, wait_store, stop]);
    let starts = and_not(&mut m, considers, blocked);
    m.assign(start, starts);
    let keep = |m: &mut ModuleBuilder, name: &str, value: Net, doc: &str| m.reg(name, value, Some(start), None, doc);
    let gives_up = keep(&mut m, "gives_up_q", give_up, "load gets a token at the end");
    let gives_down = keep(&mut m, "gives_down_q", give_down, "store gets a token at the end");
    let half = m.bit(next, field::HALVES.0 + 2);
    let half = keep(&mut m, "half_q", half, "half of the output buffer");

    let room = |m: &mut ModuleBuilder, name: &str| m.wire(name, 1, "the grid has room");
    let (beat_ready, group_ready, channel_ready) =
        (room(&mut m, "beat_ready"), room(&mut m, "group_ready"), room(&mut m, "channel_ready"));
    let feeder = m.instance(
        "u_feeder",
        feeder,
        &[
            ("start_i", start),
            ("command_i", next),
            ("beat_ready_i", beat_ready),
            ("group_ready_i", group_ready),
            ("channel_ready_i", channel_ready),
        ],
    );
    let (beats_go, group_goes) = (feeder.get("push_o"), feeder.get("group_push_o"));
    let mut inputs = vec![
        ("command_push_i", start),
        ("command_i", next),
        ("weight_push_i", beats_go),
        ("weight_i", weight),
        ("scale_push_i", group_goes),
        ("scale_i", scale),
        ("channel_push_i", feeder.get("channel_push_o")),
        ("channel_i", channel),
        ("activation_push_i", beats_go),
        ("activation_i", activation),
    ];
    if let Some(exponent) = exponent {
        inputs.extend([("exponent_push_i", group_goes), ("exponent_i", exponent)]);
    }
    let grid = m.instance("u_grid", grid, &inputs);
    let beats = m.and(grid.get("weight_ready_o"), grid.get("activation_ready_o"));
    m.assign(beat_ready, beats);
    let group = match exponent {
        Some(_) => m.and(grid.get("scale_ready_o"), grid.get("exponent_ready_o")),
        None => grid.get("scale_ready_o"),
    };
    m.assign(group_ready, group);
    m.assign(channel_ready, grid.get("channel_ready_o"));

    // Tiles that have retired the command, this cycle included.
    let tiles = down * across;
    let spans: Vec<(u32, u32)> = (0..tiles).step_by(64).map(|low| (low, 64.min(tiles - low))).collect();
    let mut all = Vec::new();
    let mut parts = Vec::new();
    for (low, bits) in &spans {
        let retired = m.register(&format!("retired_{low}_q"), *bits, false, "tiles that have retired the command");
        let now = m.slice(grid.get("retire_o"), *low, *bits);
        let so_far = m.or(retired, now);
        let missing = m.not(so_far);
        let missing = m.reduce_or(missing);
        all.push(m.not(missing));
        parts.push((retired, so_far));
    }
    let all = m.and_all(&all);
    let done = m.and(busy, all);
    let done = m.name(done, "done", "the product is done");
    for (retired, so_far) in parts {
        let zero = m.constant(0, so_far.width);
        let next = m.mux(done, zero, so_far);
        m.drive(retired, next, None, Some(0));
    }
    let changes = m.or(start, done);
    m.drive(busy, start, Some(changes), Some(0));

    m.output("ready_o", queue.get("ready_o"), "there is room for a command");
    let free = and_not(&mut m, idle, queue.get("valid_o"));
    m.output("idle_o", free, "no command is held");
    m.output("retire_o", done, "a command retires");
    let gives = m.and(done, gives_up);
    m.output("give_load_o", gives, "it gives load a token");
    let gives = m.and(done, gives_down);
    m.output("give_store_o", gives, "it gives store a token");
    m.output("half_o", half, "half of the output buffer that is written");
    m.output("output_valid_o", grid.get("output_valid_o"), "output beats, a bit a tile");
    m.output("output_data_o", grid.get("output_data_o"), "the beats");
    let status = m.concat(&[grid.get("status_o"), waits_load, waits_store]);
    m.output("status_o", status, "status of the first tile; waits for operands; waits for the output buffer");
    let mut reads = vec![
        "read_o",
        "group_read_o",
        "channel_read_o",
        "weight_address_o",
        "record_address_o",
        "channel_address_o",
        "activation_address_o",
        "code_mask_o",
    ];
    reads.extend(exponent.map(|_| "exponent_address_o"));
    reads.extend((machine.entry_chunks() > 1).then_some("chunk_o"));
    for name in reads {
        m.output(name, feeder.get(name), "the buffers' read side");
    }
    m.finish()
}
