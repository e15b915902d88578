//! The tiles and the queues between them.

use std::collections::BTreeMap;

use bitmosaic_arch::{Array, HOP_QUEUE, Machine};
use bitmosaic_mappings::{field, ports};

use super::queue::{fork, queue};
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Depth and width of a queue.
type Size = (u32, u32);

/// Queues and forks by size, one module each.
#[derive(Default)]
struct Hops {
    queues: BTreeMap<Size, Module>,
    forks: BTreeMap<Size, Module>,
}

impl Hops {
    fn add(&mut self, (depth, width): Size) -> Result<(), NetlistError> {
        let queue = queue(depth, width)?;
        self.forks.insert((depth, width), fork(&queue, depth, width)?);
        self.queues.insert((depth, width), queue);
        Ok(())
    }
}

/// Streams down the columns and across the rows, with the tile's port, in the order of `ports::tile_inputs`.
const DOWN: [(&str, usize); 4] = [("command", 0), ("weight", 1), ("scale", 3), ("channel", 4)];
const ACROSS: [(&str, usize); 2] = [("activation", 2), ("exponent", 5)];

/// Module `grid` with all it needs below it but the tile's modules.
pub(super) fn grid(machine: &Machine, array: &Array, tile: &Module) -> Result<(Module, Vec<Module>), NetlistError> {
    let (down, across) = (array.down, array.across);
    let widths = [
        field::COMMAND_BITS,
        machine.tile.weight_beat_bits,
        machine.tile.activation_beat_bits,
        machine.tile.scale_beat_bits,
        machine.tile.channel_beat_bits,
        machine.tile.exponent_beat_bits.unwrap_or(0),
    ];
    let metadata = array.metadata_queue;
    let depths = [HOP_QUEUE, HOP_QUEUE, HOP_QUEUE, metadata, metadata, metadata];
    let streams = ports::tile_inputs(machine).len();
    let mut hops = Hops::default();
    for port in 0..streams {
        hops.add((depths[port], widths[port]))?;
    }
    let mut m = ModuleBuilder::new(
        "grid",
        &format!(
            "{down} x {across} tiles. Weights, scales, channel scales and commands move down a column, activations and\n\
             exponents across a row, one queue a tile; delay queues at the edge make all beats of a tile (i, j) arrive\n\
             i + j queues after those of tile (0, 0)."
        ),
    );
    // Outputs of the tiles are known once their inputs are wired: first the wires, `[port][tile]`.
    let tiles = (down * across) as usize;
    let readies: Vec<Vec<Net>> = ports::tile_inputs(machine)
        .iter()
        .map(|name| {
            (0..tiles)
                .map(|t| {
                    let (i, j) = (t as u32 / across, t as u32 % across);
                    m.wire(&format!("{name}_ready_{i}_{j}"), 1, "the tile takes the offered beat")
                })
                .collect()
        })
        .collect();
    let mut offers: Vec<Vec<Option<(Net, Net)>>> = vec![vec![None; tiles]; streams];
    let chains = DOWN.iter().map(|s| (s, true)).chain(ACROSS.iter().map(|s| (s, false)));
    for ((name, port), is_down) in chains.filter(|((_, port), _)| *port < streams) {
        let (count, length) = if is_down { (across, down) } else { (down, across) };
        let width = widths[*port];
        let push = m.input(&format!("{name}_push_i"), 1, "a beat enters for every column or row of tiles");
        let shared = *name == "command";
        let data = m.input(&format!("{name}_i"), if shared { width } else { width * count }, "the beats");
        let mut heads = Vec::new();
        for chain in 0..count {
            let beat = if shared { data } else { m.slice(data, chain * width, width) };
            let tile_of = |tap: u32| if is_down { tap * across + chain } else { chain * across + tap };
            let head = wire_chain(
                &mut m,
                &hops,
                (name, chain),
                (depths[*port], width),
                (push, beat),
                length,
                &mut |tap, offer| {
                    let tile = tile_of(tap) as usize;
                    offers[*port][tile] = Some(offer);
                    readies[*port][tile]
                },
            );
            heads.push(head);
        }
        let ready = m.and_all(&heads);
        m.output(&format!("{name}_ready_o"), ready, "there is room for beats");
    }
    let always = m.constant(1, 1);
    let (mut valids, mut beats, mut retires, mut status) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for t in 0..tiles {
        let (i, j) = (t as u32 / across, t as u32 % across);
        let names: Vec<(String, String)> = ports::tile_inputs(machine)
            .iter()
            .map(|name| (format!("{name}_valid_i"), format!("{name}_data_i")))
            .collect();
        let mut inputs = vec![("output_ready_i", always)];
        for (names, offers) in names.iter().zip(&offers) {
            if let Some((valid, data)) = offers[t] {
                inputs.push((&names.0, valid));
                inputs.push((&names.1, data));
            }
        }
        let outputs = m.instance(&format!("u_tile_{i}_{j}"), tile, &inputs);
        for (name, readies) in ports::tile_inputs(machine).iter().zip(&readies) {
            m.assign(readies[t], outputs.get(&format!("{name}_ready_o")));
        }
        valids.push(outputs.get("output_valid_o"));
        beats.push(outputs.get("output_data_o"));
        retires.push(outputs.get("retire_o"));
        if t == 0 {
            status = ports::TILE_STATUS.map(|name| outputs.get(&format!("{name}_o"))).to_vec();
        }
    }
    let (valids, beats, retires, status) = (m.concat(&valids), m.concat(&beats), m.concat(&retires), m.concat(&status));
    m.output("output_valid_o", valids, "output beats, a bit a tile");
    m.output("output_data_o", beats, "the beats");
    m.output("retire_o", retires, "tiles that retire the command");
    m.output("status_o", status, "status of the first tile");
    let mut below: Vec<Module> = hops.queues.into_values().collect();
    below.extend(hops.forks.into_values());
    Ok((m.finish()?, below))
}

/// Delay queues, then a queue a tile, which forks unless it is the last. `tap` gets what is offered to tile `n` of the chain
/// and gives whether the tile takes it. Gives whether the first queue has room.
fn wire_chain(
    m: &mut ModuleBuilder,
    hops: &Hops,
    (name, chain): (&str, u32),
    size: Size,
    (push, beat): (Net, Net),
    tiles: u32,
    tap: &mut dyn FnMut(u32, (Net, Net)) -> Net,
) -> Net {
    // As many delay queues as the chain's own number.
    let count = chain + tiles;
    let readies: Vec<Net> =
        (0..count).map(|q| m.wire(&format!("{name}_{chain}_room_{q}"), 1, "the queue has room")).collect();
    let (mut offered, mut data) = (push, beat);
    let mut pushed = push;
    for q in 0..count {
        let own_name = format!("u_{name}_{chain}_{q}");
        if q > 0 {
            pushed = m.and(offered, readies[q as usize]);
        }
        let is_last = q + 1 == count;
        if q < chain || is_last {
            let pop = m.wire(&format!("{name}_{chain}_pop_{q}"), 1, "the oldest beat moves on");
            let queue =
                m.instance(&own_name, &hops.queues[&size], &[("push_i", pushed), ("data_i", data), ("pop_i", pop)]);
            (offered, data) = (queue.get("valid_o"), queue.get("data_o"));
            let taken = if q < chain { readies[q as usize + 1] } else { tap(q - chain, (offered, data)) };
            let moves = m.and(offered, taken);
            m.assign(pop, moves);
            m.assign(readies[q as usize], queue.get("ready_o"));
        } else {
            let tile_ready = m.wire(&format!("{name}_{chain}_take_{q}"), 1, "the tile takes the beat");
            let fork = m.instance(
                &own_name,
                &hops.forks[&size],
                &[
                    ("push_i", pushed),
                    ("data_i", data),
                    ("tile_ready_i", tile_ready),
                    ("next_ready_i", readies[q as usize + 1]),
                ],
            );
            (offered, data) = (fork.get("next_valid_o"), fork.get("data_o"));
            let taken = tap(q - chain, (fork.get("tile_valid_o"), data));
            m.assign(tile_ready, taken);
            m.assign(readies[q as usize], fork.get("ready_o"));
        }
    }
    readies[0]
}
