//! The tiles and the queues between them, and the outputs' way into the output buffer.

use bitmosaic_arch::{Array, HOP_QUEUE, Machine};
use bitmosaic_mappings::{PortInputs, Signals, Unit, ports};

use super::buffers::{Buffers, Word};
use super::feeder::Fetched;
use super::fields::CommandWords;
use super::queue::Queue;
use crate::step::TileStep;

/// A row of queues; from number `first_tap` on each serves a tile and the next queue.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) queues: Vec<Queue<Word>>,
    pub(super) first_tap: usize,
    /// A queue's oldest beat was taken by its tile, by the next queue, and not yet by the other.
    pub(super) taken: Vec<(bool, bool)>,
}

impl Chain {
    /// `delay` queues, then one for each of `tiles`, of `depth` entries.
    fn new(delay: u32, tiles: u32, depth: u32) -> Chain {
        let count = (delay + tiles) as usize;
        Chain {
            queues: (0..count).map(|_| Queue::new(depth as usize)).collect(),
            first_tap: delay as usize,
            taken: vec![(false, false); count],
        }
    }

    fn ready(&self) -> bool {
        self.queues[0].ready()
    }

    fn push(&mut self, beat: Word) {
        self.queues[0].push(beat);
    }

    /// The beat offered to tile `tile` of the chain.
    fn offered(&self, tile: usize) -> Option<&Word> {
        let queue = self.first_tap + tile;
        self.queues[queue].front().filter(|_| !self.taken[queue].0)
    }

    /// `tile_takes` tells for each tile whether it takes the offered beat.
    fn edge(&mut self, tile_takes: impl Fn(usize) -> bool) {
        for i in 0..self.queues.len() {
            let Some(beat) = self.queues[i].front().cloned() else { continue };
            let (tile_has, next_has) = self.taken[i];
            let has_tile = i >= self.first_tap;
            let tile_done = !has_tile || tile_has || tile_takes(i - self.first_tap);
            let next_takes = i + 1 < self.queues.len() && !next_has && self.queues[i + 1].ready();
            let next_done = i + 1 == self.queues.len() || next_has || next_takes;
            if next_takes {
                self.queues[i + 1].push(beat);
            }
            self.taken[i] = (has_tile && tile_done, next_has || next_takes);
            if tile_done && next_done {
                self.queues[i].pop();
                self.taken[i] = (false, false);
            }
        }
        self.queues.iter_mut().for_each(Queue::edge);
    }
}

/// The tiles of the array.
#[derive(Debug, Clone)]
pub(super) struct Grid<'m> {
    machine: &'m Machine,
    array: &'m Array,
    /// `[down][across]`
    pub(super) tiles: Vec<TileStep<'m>>,
    signals: Vec<Signals>,
    /// Per tile: output beats of the pass, passes of the command.
    pub(super) places: Vec<(u32, usize)>,
    /// Chains down, `[stream][tile column]`: command, weight, scale, channel.
    pub(super) down: [Vec<Chain>; 4],
    /// Chains across, `[stream][tile row]`: activation, exponent.
    pub(super) across: [Vec<Chain>; 2],
}

// Streams of `Grid::down` and `Grid::across`.
const COMMAND: usize = 0;
const WEIGHT: usize = 1;
const SCALE: usize = 2;
const CHANNEL: usize = 3;
const ACTIVATION: usize = 0;
const EXPONENT: usize = 1;
const _: () = assert!(ports::TILE_STATUS.len() == 4);

impl<'m> Grid<'m> {
    pub(super) fn new(machine: &'m Machine, array: &'m Array) -> Grid<'m> {
        let tiles = array.tiles() as usize;
        let down = |depth: u32| (0..array.across).map(|j| Chain::new(j, array.down, depth)).collect();
        let across = |depth: u32| (0..array.down).map(|i| Chain::new(i, array.across, depth)).collect();
        let metadata = array.metadata_queue;
        Grid {
            machine,
            array,
            tiles: vec![TileStep::new(machine); tiles],
            signals: vec![Signals::default(); tiles],
            places: vec![(0, 0); tiles],
            down: [down(HOP_QUEUE), down(HOP_QUEUE), down(metadata), down(metadata)],
            across: [across(HOP_QUEUE), across(metadata)],
        }
    }

    /// Tiles of the array.
    pub(super) fn tile_count(&self) -> usize {
        self.tiles.len()
    }

    /// A command enters the array, which has room whenever no command runs.
    pub(super) fn push_command(&mut self, command: &CommandWords) {
        for chain in &mut self.down[COMMAND] {
            chain.push(command.to_vec());
        }
    }

    /// Whether all beats of `fetched` find room.
    pub(super) fn ready(&self, fetched: &Fetched) -> bool {
        let all = |chains: &[Chain]| chains.iter().all(Chain::ready);
        all(&self.down[WEIGHT])
            && all(&self.across[ACTIVATION])
            && fetched.group.as_ref().is_none_or(|(_, exponents)| {
                all(&self.down[SCALE]) && (exponents.is_empty() || all(&self.across[EXPONENT]))
            })
            && (fetched.channels.is_none() || all(&self.down[CHANNEL]))
    }

    pub(super) fn push(&mut self, fetched: Fetched) {
        fn push(chains: &mut [Chain], beats: Vec<Word>) {
            for (chain, beat) in chains.iter_mut().zip(beats) {
                chain.push(beat);
            }
        }
        push(&mut self.down[WEIGHT], fetched.weights);
        push(&mut self.across[ACTIVATION], fetched.activations);
        if let Some((scales, exponents)) = fetched.group {
            push(&mut self.down[SCALE], scales);
            push(&mut self.across[EXPONENT], exponents);
        }
        if let Some(channels) = fetched.channels {
            push(&mut self.down[CHANNEL], channels);
        }
    }

    /// One cycle of the tiles; their outputs go to half `half` of the output buffer. Gives the tiles that retire, as bits,
    /// and the status of the first tile.
    pub(super) fn tiles(&mut self, buffers: &mut Buffers, half: usize) -> (u64, u32) {
        let blank: [u64; 0] = [];
        let mut retired = 0;
        for (index, tile) in self.tiles.iter_mut().enumerate() {
            let (i, j) = (index / self.array.across as usize, index % self.array.across as usize);
            // In the order of `ports::tile_inputs`.
            let offered = [
                self.down[COMMAND][j].offered(i),
                self.down[WEIGHT][j].offered(i),
                self.across[ACTIVATION][i].offered(j),
                self.down[SCALE][j].offered(i),
                self.down[CHANNEL][j].offered(i),
                self.across[EXPONENT][i].offered(j),
            ];
            let inputs = PortInputs {
                valid: (0..6).fold(0, |valid, port| valid | u32::from(offered[port].is_some()) << port),
                data: offered.iter().map(|beat| beat.map_or(&blank[..], Vec::as_slice)).collect(),
                output_ready: true,
            };
            let signals = &mut self.signals[index];
            tile.cycle(&inputs, signals);
            signals.ready &= inputs.valid;
            retired |= u64::from(signals.retire) << index;
            if signals.output_valid {
                let place = &mut self.places[index];
                collect(self.machine, &signals.output, (i, j), *place, &mut buffers.outputs[half]);
                place.0 += 1;
                if place.0 == self.machine.scale_unit.pes {
                    *place = (0, place.1 + 1);
                }
            }
        }
        (retired, self.signals[0].status)
    }

    /// The next command's outputs start anew.
    pub(super) fn restart_outputs(&mut self) {
        self.places.fill((0, 0));
    }

    pub(super) fn edge(&mut self) {
        let across = self.array.across as usize;
        for (stream, port) in [(COMMAND, 0), (WEIGHT, 1), (SCALE, 3), (CHANNEL, 4)] {
            for (j, chain) in self.down[stream].iter_mut().enumerate() {
                chain.edge(|i| self.signals[i * across + j].ready >> port & 1 == 1);
            }
        }
        for (stream, port) in [(ACTIVATION, 2), (EXPONENT, 5)] {
            for (i, chain) in self.across[stream].iter_mut().enumerate() {
                chain.edge(|j| self.signals[i * across + j].ready >> port & 1 == 1);
            }
        }
    }
}

/// Writes an output beat of tile `(i, j)`, beat and pass `place`.
fn collect(
    machine: &Machine,
    data: &[u64],
    (i, j): (usize, usize),
    (beat, pass): (u32, usize),
    outputs: &mut [Vec<Vec<u16>>],
) {
    for unit in 0..machine.scale_unit.units {
        let Some((row, column)) = machine.pe_of_unit(unit, beat) else { continue };
        let value = (data[(unit / 4) as usize] >> (16 * (unit % 4))) as u16;
        let row = i * machine.tile.rows as usize + row as usize;
        let column = j * machine.tile.columns as usize + column as usize;
        outputs[pass][row][column] = value;
    }
}

/// Writes all output beats of a product on tile `(i, j)`.
pub(crate) fn store_output_beats(
    machine: &Machine,
    beats: &[Vec<u64>],
    tile: (usize, usize),
    outputs: &mut [Vec<Vec<u16>>],
) {
    let pes = machine.scale_unit.pes as usize;
    for (i, beat) in beats.iter().enumerate() {
        collect(machine, beat, tile, ((i % pes) as u32, i / pes), outputs);
    }
}
