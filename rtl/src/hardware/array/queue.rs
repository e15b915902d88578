//! Queues and the forks between tiles.

use super::build::{add_const, and_not, is, mux_wide, sub_within};
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `queue_<depth>x<width>`: entries move up as the oldest leaves.
pub(super) fn queue(depth: u32, width: u32) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        &format!("queue_{depth}x{width}"),
        &format!("Queue of {depth} entries of {width} bits. Pushed only when ready, popped only when valid."),
    );
    let push = m.input("push_i", 1, "an entry arrives");
    let data = m.input("data_i", width, "the entry");
    let pop = m.input("pop_i", 1, "the oldest entry leaves");
    let bits = index_bits(depth + 1);
    let count = m.register("count_q", bits, false, "entries held");
    let more = add_const(&mut m, count, 1);
    let one = m.constant(1, bits);
    let less = sub_within(&mut m, count, one);
    let next = m.mux(push, more, less);
    let changes = m.xor(push, pop);
    m.drive(count, next, Some(changes), Some(0));
    // An arriving entry goes behind those that stay. An empty place may load anything, so nothing of the data waits for `push`,
    // which is the late one: it only counts.
    let entries: Vec<Net> =
        (0..depth).map(|i| m.register(&format!("entry_{i}_q"), width, false, "an entry, the oldest first")).collect();
    for (i, entry) in entries.iter().enumerate() {
        let first_empty = is(&mut m, count, i as u64);
        match entries.get(i + 1) {
            Some(behind) => {
                let last_held = is(&mut m, count, i as u64 + 1);
                let arrives = m.mux(pop, last_held, first_empty);
                let next = mux_wide(&mut m, arrives, data, *behind);
                let loads = m.or(first_empty, pop);
                m.drive(*entry, next, Some(loads), None);
            }
            // Nothing arrives while it is held.
            None => m.drive(*entry, data, Some(first_empty), None),
        }
    }
    let full = is(&mut m, count, u64::from(depth));
    let ready = m.not(full);
    let valid = m.reduce_or(count);
    m.output("ready_o", ready, "there is room for one more");
    m.output("valid_o", valid, "there is an entry");
    m.output("data_o", entries[0], "the oldest entry");
    m.finish()
}

/// Module `fork_<depth>x<width>`: a queue between tiles that serves its tile and the next queue; each takes a beat when it can.
pub(super) fn fork(queue: &Module, depth: u32, width: u32) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        &format!("fork_{depth}x{width}"),
        "Queue between tiles: every beat goes to the tile and to the next queue, to each when it is ready.",
    );
    let push = m.input("push_i", 1, "a beat arrives");
    let data = m.input("data_i", width, "the beat");
    let tile_ready = m.input("tile_ready_i", 1, "the tile takes the offered beat");
    let next_ready = m.input("next_ready_i", 1, "the next queue takes the offered beat");
    let pop = m.wire("pop", 1, "both have the beat");
    let entries = m.instance("u_queue", queue, &[("push_i", push), ("data_i", data), ("pop_i", pop)]);
    let valid = entries.get("valid_o");
    let tile_has = m.register("tile_has_q", 1, false, "the tile has the oldest beat");
    let next_has = m.register("next_has_q", 1, false, "the next queue has it");
    let tile_valid = and_not(&mut m, valid, tile_has);
    let next_valid = and_not(&mut m, valid, next_has);
    let tile_takes = m.and(tile_valid, tile_ready);
    let next_takes = m.and(next_valid, next_ready);
    let tile_done = m.or(tile_has, tile_takes);
    let next_done = m.or(next_has, next_takes);
    let both = m.and(tile_done, next_done);
    m.assign(pop, both);
    let one_left = m.not(both);
    let tile_keeps = m.and(tile_done, one_left);
    let next_keeps = m.and(next_done, one_left);
    m.drive(tile_has, tile_keeps, None, Some(0));
    m.drive(next_has, next_keeps, None, Some(0));
    m.output("ready_o", entries.get("ready_o"), "there is room for one more beat");
    m.output("tile_valid_o", tile_valid, "the beat is offered to the tile");
    m.output("next_valid_o", next_valid, "the beat is offered to the next queue");
    m.output("data_o", entries.get("data_o"), "the beat");
    m.finish()
}
