//! Named values of a whole machine, in data-flow order, by the paths of the netlist. Registers are seen before the edge,
//! decisions are what the blocks made of them in the same cycle.

use bitmosaic_arch::{Array, Machine};
use bitmosaic_mappings::{BeatStream, WriteBeat, field};

use super::adapter::Adapter;
use super::bursts::Bursts;
use super::fields::{CommandWords, at, give_down, give_up, half};
use super::grid::Chain;
use super::load::{LoadEdge, Phase, Sink};
use super::queue::Queue;
use super::{ArrayStep, Compute, OPCODE_ERROR};
use crate::probe::{Probe, Probed};

/// Values under a path.
struct Scope<'p> {
    probes: &'p mut Vec<Probe>,
    path: String,
}

impl Scope<'_> {
    fn push(&mut self, net: &str, value: impl Into<u64>) {
        // The localizer finds the module by the path.
        self.probes.push(Probe::new(format!("{}{net}", self.path), "", value.into()));
    }

    fn flag(&mut self, net: &str, value: bool) {
        self.push(net, u64::from(value));
    }

    fn wide(&mut self, net: &str, words: &[u64]) {
        for (word, value) in words.iter().enumerate() {
            let probe = Probe::new(format!("{}{net}", self.path), "", *value);
            self.probes.push(Probe { word, ..probe });
        }
    }

    /// What `module` gives to an instance below the path.
    fn given(&mut self, module: &'static str, net: &str, value: bool) {
        self.probes.push(Probe::new(format!("{}{net}", self.path), module, u64::from(value)));
    }

    fn below(&mut self, instance: &str) -> Scope<'_> {
        Scope { path: format!("{}{instance}.", self.path), probes: self.probes }
    }

    fn queue<T>(&mut self, instance: &str, queue: &Queue<T>, words: impl FnOnce(&T) -> Vec<u64>) {
        let mut scope = self.below(instance);
        scope.push("count_q", queue.len() as u64);
        if let Some(front) = queue.front() {
            scope.wide("entry_0_q", &words(front));
        }
    }

    fn commands(&mut self, instance: &str, queue: &Queue<CommandWords>) {
        self.queue(instance, queue, |command| command.to_vec());
    }

    fn bursts(&mut self, bursts: &Bursts) {
        let mut scope = self.below("u_bursts");
        scope.flag("active_q", bursts.active);
        scope.push("outstanding_q", bursts.outstanding);
        scope.flag("request_o", bursts.request().is_some());
        if bursts.active {
            scope.push("address_q", bursts.address);
            scope.push("beats_left_q", bursts.beats_left);
            scope.push("rows_left_q", bursts.rows_left);
            scope.push("row_address_q", bursts.row_address);
            scope.push("beats", bursts.beats());
        }
    }

    fn adapter(&mut self, instance: &str, adapter: &Adapter) {
        let mut scope = self.below(instance);
        match adapter.beat_bits.cmp(&adapter.word_bits) {
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Less => scope.push("index_q", adapter.collected.len() as u64),
            std::cmp::Ordering::Greater => {
                scope.flag("held_q", adapter.held.is_some());
                scope.push("index_q", adapter.index);
            }
        }
    }
}

/// Fields as the words of a net.
fn packed(bits: u32, fields: impl IntoIterator<Item = (u64, u32)>) -> Vec<u64> {
    let mut stream = BeatStream::new(bits);
    stream.push_fields(fields);
    stream.beat(0).to_vec()
}

/// Words of a beat, then other fields.
fn beat_fields(array: &Array, data: &[u64], others: &[(u64, u32)]) -> Vec<u64> {
    let beat = (0..array.data_bits.div_ceil(64)).map(|i| (data[i as usize], (array.data_bits - 64 * i).min(64)));
    let bits = array.data_bits + others.iter().map(|(_, bits)| bits).sum::<u32>();
    packed(bits, beat.chain(others.iter().copied()))
}

/// Registers of all blocks, and outputs that are functions of them alone.
pub(super) fn registers(machine: &ArrayStep<'_>) -> Vec<Probe> {
    let (array, mut probes) = (machine.array, Vec::new());
    let mut core = Scope { probes: &mut probes, path: "u_core.".into() };
    core.flag("running_q", machine.running);
    core.push("error_q", machine.error);
    let (fetch, mut scope) = (&machine.fetch, core.below("u_fetch"));
    scope.push("left_q", fetch.left);
    scope.push("reserved_q", fetch.reserved);
    scope.push("outstanding_q", fetch.outstanding);
    scope.flag("request_o", fetch.request().is_some());
    scope.flag("last_o", fetch.is_last());
    if let Some(burst) = fetch.request() {
        scope.push("address_q", burst.address);
        scope.push("beats_o", burst.beats);
    }
    scope.adapter("u_adapter", &fetch.adapter);
    scope.commands("u_queue", &fetch.commands);
    core.queue("u_reads", &machine.reads, |beat| {
        let id = u64::from(beat.reader == bitmosaic_mappings::Reader::Load);
        beat_fields(array, &beat.data, &[(id, 1), (beat.last.into(), 1), (beat.error.into(), 1)])
    });
    load(machine, &mut core);
    compute(machine, &mut core);
    store(machine, &mut core);
    core.flag("ar_valid_q", machine.read_address.is_some());
    if let Some((reader, burst)) = machine.read_address {
        core.push("ar_address_q", burst.address);
        core.push("ar_beats_q", burst.beats);
        core.flag("ar_id_q", reader == bitmosaic_mappings::Reader::Load);
    }
    core.flag("aw_valid_q", machine.write_address.is_some());
    if let Some(burst) = machine.write_address {
        core.push("aw_address_q", burst.address);
        core.push("aw_beats_q", burst.beats);
    }
    probes
}

/// Half and place in a buffer of `entries` a half.
fn address(half: usize, place: usize, entries: u32) -> u64 {
    ((half << entries.ilog2()) | (place % entries as usize)) as u64
}

fn load(machine: &ArrayStep<'_>, core: &mut Scope<'_>) {
    let (array, load) = (machine.array, &machine.load);
    let mut scope = core.below("u_load");
    scope.push("tokens_q", load.tokens);
    scope.commands("u_queue", &load.queue);
    scope.bursts(&load.bursts);
    scope.commands("u_sink_queue", &load.sink_queue);
    scope.adapter("u_words", &load.words);
    scope.adapter("u_entries", &load.entries);
    scope.flag("busy_q", load.sink.is_some());
    let Some(sink) = &load.sink else { return };
    let half = half(&sink.command, u32::from(!sink.weights));
    scope.flag("weights_q", sink.weights);
    scope.push("half_q", half as u64);
    scope.push("input_channel_q", sink.k);
    scope.push("group_channel_q", sink.group_k);
    scope.push("done_q", sink.done);
    scope.push("group_address_o", address(half, sink.group, array.groups));
    if sink.weights {
        scope.push("phase_q", sink.phase as u64);
        scope.push("index_q", sink.index);
        scope.push("weight_address_o", address(half, sink.entry, array.weight_entries));
        scope.push("block_address_o", address(half, sink.block, array.blocks));
    } else {
        scope.push("fed_channel_q", sink.fed_k);
        scope.push("fed_token_q", sink.fed_tokens);
        scope.push("row_q", sink.row);
        scope.push("activation_address_o", address(half, sink.entry, array.activation_entries));
    }
}

fn compute(machine: &ArrayStep<'_>, core: &mut Scope<'_>) {
    let (of, array, compute) = (machine.machine, machine.array, &machine.compute);
    let feeder = &compute.feeder;
    if let Some(command) = &compute.command {
        let weight_type = at(command, field::WEIGHT_TYPE) as usize % of.types.len();
        let mask = (1u64 << of.types[weight_type].weight_type.code_bits) - 1;
        core.push("u_compute.u_feeder.code_mask_o", mask);
    }
    if let Some(fetched) = &feeder.fetched {
        if of.entry_chunks() > 1 {
            core.push("u_compute.u_feeder.chunk_o", fetched.chunk);
        }
        let beats = |beats: &[Vec<u64>], bits: u32| {
            let field = |beat: &[u64], i: u32| (beat[i as usize], (bits - 64 * i).min(64));
            let fields = beats.iter().flat_map(|beat| (0..bits.div_ceil(64)).map(|i| field(beat, i)));
            packed(bits * beats.len() as u32, fields)
        };
        let tile = &of.tile;
        let mut weights = core.below("u_weight_buffer");
        weights.wide("weight_o", &beats(&fetched.weights, tile.weight_beat_bits));
        if let Some((scales, _)) = &fetched.group {
            weights.wide("scale_o", &beats(scales, tile.scale_beat_bits));
        }
        if let Some(channels) = &fetched.channels {
            weights.wide("channel_o", &beats(channels, tile.channel_beat_bits));
        }
        let mut activations = core.below("u_activation_buffer");
        activations.wide("activation_o", &beats(&fetched.activations, tile.activation_beat_bits));
        if let (Some((_, exponents)), Some(bits)) = (&fetched.group, tile.exponent_beat_bits) {
            activations.wide("exponent_o", &beats(exponents, bits));
        }
    }
    let mut scope = core.below("u_compute");
    scope.push("load_tokens_q", compute.load_tokens);
    scope.push("store_tokens_q", compute.store_tokens);
    scope.commands("u_queue", &compute.queue);
    scope.flag("busy_q", compute.command.is_some());
    if let Some(command) = &compute.command {
        scope.push("half_q", half(command, 2) as u64);
        scope.push("retired_0_q", compute.retired);
    }
    let mut feeds = scope.below("u_feeder");
    feeds.flag("feeding_q", feeder.feeding);
    feeds.flag("fetched_q", feeder.fetched.is_some());
    if let Some(fetched) = &feeder.fetched {
        feeds.flag("with_group_q", fetched.group.is_some());
        feeds.flag("with_channels_q", fetched.channels.is_some());
    }
    if feeder.feeding {
        let halves = [0, 1].map(|buffer| half(&feeder.command, buffer));
        feeds.push("input_channel_q", feeder.k);
        feeds.push("group_channel_q", feeder.group_k);
        feeds.push("token_q", feeder.token);
        feeds.push("output_channel_q", feeder.output_channel);
        feeds.push("weight_address_o", address(halves[0], feeder.weight.entry, array.weight_entries));
        feeds.push("record_address_o", address(halves[0], feeder.weight.group, array.groups));
        feeds.push("channel_address_o", address(halves[0], feeder.block, array.blocks));
        feeds.push("activation_address_o", address(halves[1], feeder.activation.entry, array.activation_entries));
        if array.exponent_entry_bits.is_some() {
            feeds.push("exponent_address_o", address(halves[1], feeder.activation.group, array.groups));
        }
    }
    let mut grid = scope.below("u_grid");
    for (streams, chains) in [(&DOWN[..], &compute.grid.down[..]), (&ACROSS[..], &compute.grid.across[..])] {
        for (name, chains) in streams.iter().zip(chains) {
            for (number, chain) in chains.iter().enumerate().filter(|_| !chains.is_empty()) {
                if *name != "exponent" || array.exponent_entry_bits.is_some() {
                    hops(&mut grid, name, number, chain);
                }
            }
        }
    }
}

/// Streams of `Grid::down` and `Grid::across`, by the names of their queues.
const DOWN: [&str; 4] = ["command", "weight", "scale", "channel"];
const ACROSS: [&str; 2] = ["activation", "exponent"];

/// The queues of a chain: those that serve a tile and a next queue are forks.
fn hops(grid: &mut Scope<'_>, name: &str, number: usize, chain: &Chain) {
    for (q, queue) in chain.queues.iter().enumerate() {
        let instance = format!("u_{name}_{number}_{q}");
        if q < chain.first_tap || q + 1 == chain.queues.len() {
            grid.queue(&instance, queue, Clone::clone);
        } else {
            let mut fork = grid.below(&instance);
            fork.flag("tile_has_q", chain.taken[q].0);
            fork.flag("next_has_q", chain.taken[q].1);
            fork.queue("u_queue", queue, Clone::clone);
        }
    }
}

fn store(machine: &ArrayStep<'_>, core: &mut Scope<'_>) {
    let (array, store) = (machine.array, &machine.store);
    for (index, (beat, pass)) in machine.compute.grid.places.iter().enumerate() {
        let (i, j) = (index / array.across as usize, index % array.across as usize);
        let mut buffer = core.below(&format!("u_output_{i}_{j}"));
        buffer.push("beat_q", *beat);
        buffer.push("block_q", (*pass % array.blocks as usize) as u64);
    }
    let mut scope = core.below("u_store");
    scope.push("tokens_q", store.tokens);
    scope.commands("u_queue", &store.queue);
    scope.bursts(&store.bursts);
    scope.flag("busy_q", store.command.is_some());
    scope.flag("reading_q", store.reader.is_some());
    scope.flag("fetched_q", store.fetched.is_some());
    if let Some(reader) = &store.reader {
        scope.push("token_q", reader.token);
        scope.push("channel_q", reader.channel);
        scope.push("row_q", reader.row);
        scope.push("row_block_q", reader.row_block as u64);
        scope.push("pass_q", reader.pass as u64);
    }
    if let Some((_, strobes)) = store.fetched {
        let values = (0..array.data_bits / 16).fold(0, |bits, i| bits | u64::from(strobes >> (2 * i) & 1) << i);
        scope.push("strobe_q", values);
    }
    scope.push("sent_q", store.sent);
    scope.queue("u_lengths", &store.lengths, |beats| vec![u64::from(*beats)]);
    scope.queue("u_writes", &store.writes, |beat: &WriteBeat| {
        let strobes = (u64::from(beat.strobes), array.beat_bytes());
        beat_fields(array, &beat.data, &[strobes, (beat.last.into(), 1)])
    });
}

/// What the blocks decided in a cycle.
pub(super) struct Decisions {
    pub(super) grants: [bool; 3],
    /// Commands that went to the queues load, compute, store.
    pub(super) pushes: [bool; 3],
    pub(super) error: u32,
    pub(super) load: LoadEdge,
    pub(super) computed: Option<CommandWords>,
    pub(super) stored: Option<bool>,
    pub(super) status: u32,
}

/// Decisions of the cycle whose registers are in `probes`, and what the tiles and the aligner saw. `sink` is the sink's
/// state before the cycle.
pub(super) fn decisions(machine: &ArrayStep<'_>, of: &Decisions, sink: Option<&Sink>, probes: &mut Vec<Probe>) {
    let array = machine.array;
    let mut core = Scope { probes, path: "u_core.".into() };
    for (name, push) in ["u_load", "u_compute", "u_store"].into_iter().zip(of.pushes) {
        core.given("core", &format!("{name}.push_i"), push);
    }
    for (name, grant) in ["fetch_grant", "load_grant", "store_grant"].into_iter().zip(of.grants) {
        core.flag(name, grant);
    }
    if of.error == OPCODE_ERROR {
        core.push("dispatch", 0u64);
    }
    let mut load = core.below("u_load");
    load.flag("pop", of.load.started);
    load.flag("waits_o", of.load.waits);
    load.flag("word_valid", of.load.word);
    load.flag("written", of.load.written);
    if let Some(sink) = sink {
        let write = |phase: Phase| match of.load.word && sink.phase == phase {
            true => 1u64 << sink.index,
            false => 0,
        };
        load.push("weight_write_o", write(Phase::Codes));
        load.push("record_write_o", write(Phase::Record));
        load.push("channel_write_o", write(Phase::Channels));
        if !sink.weights {
            load.push("activation_write_o", u64::from(of.load.written) << sink.row);
        }
    }
    load.flag("retire_o", of.load.retired.is_some());
    load.flag("give_o", of.load.retired == Some(true));
    if !sink.is_some_and(|sink| sink.weights)
        && let Some(aligner) = &machine.load.aligner
    {
        nested(&load.path, aligner.probes(), load.probes);
    }
    tiles(machine.machine, array, &machine.compute, core.probes);
    let mut compute = core.below("u_compute");
    compute.flag("start", machine.compute.started);
    compute.flag("done", of.computed.is_some());
    compute.flag("give_load_o", of.computed.is_some_and(|command| give_up(&command)));
    compute.flag("give_store_o", of.computed.is_some_and(|command| give_down(&command)));
    compute.push("status_o", of.status & 0x3F);
    compute.flag("u_feeder.advance", machine.compute.advanced);
    let mut store = core.below("u_store");
    store.flag("start", machine.store.started);
    store.flag("push_write", machine.store.pushed);
    store.flag("retire", of.stored.is_some());
    store.flag("give_o", of.stored == Some(true));
}

/// Probes of a unit that is an instance here.
fn nested(path: &str, of_unit: Vec<Probe>, probes: &mut Vec<Probe>) {
    probes.extend(of_unit.into_iter().map(|probe| Probe { path: format!("{path}u_aligner.{}", probe.path), ..probe }));
}

/// Probes of the tiles, rows and columns counted over the array, tokens and output channels over the command.
fn tiles(machine: &Machine, array: &Array, compute: &Compute<'_>, probes: &mut Vec<Probe>) {
    for (index, tile) in compute.grid.tiles.iter().enumerate() {
        let (i, j) = (index as u32 / array.across, index as u32 % array.across);
        let place = |tile: u32, side: u32, sides: u32, (own, of_tile): (u32, u32)| {
            (tile * side + own, of_tile / side * (side * sides) + tile * side + of_tile % side)
        };
        probes.extend(tile.probes().into_iter().map(|probe| Probe {
            path: format!("u_core.u_compute.u_grid.u_tile_{i}_{j}.{}", probe.path),
            row: probe.row.map(|row| place(i, machine.tile.rows, array.down, row)),
            column: probe.column.map(|column| place(j, machine.tile.columns, array.across, column)),
            ..probe
        }));
    }
}
