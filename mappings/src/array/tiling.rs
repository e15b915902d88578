//! Which part of a product a command takes, and in which order.

use bitmosaic_arch::{Array, Machine};

use crate::MappingError;

/// Size of a product in blocks of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocks {
    /// Row blocks (tokens).
    pub(super) rows: usize,
    /// Column blocks (output channels).
    pub(super) columns: usize,
    /// Chunks of lanes.
    pub(super) chunks: usize,
    /// Groups.
    pub(super) groups: usize,
    /// Chunks of a whole group.
    pub(super) group_chunks: usize,
    /// Bits of the weights of one column block in memory, all its parts together.
    pub(super) weight_bits: u64,
    /// Beats of the memory port that the activations of one row block take.
    pub(super) activation_beats: u64,
    /// Bits of such a beat.
    pub(super) beat_bits: u64,
    /// A part of the reduction starts at a multiple of this many groups, so that its activations start at a beat.
    pub(super) group_step: usize,
}

/// Blocks of a product that one `matmul` command takes, and which operand stays while the other changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    /// Row blocks a command.
    pub row_blocks: usize,
    /// Column blocks a command.
    pub column_blocks: usize,
    /// Groups a command; fewer than the product has where the buffers hold no more, then with one block each way.
    pub groups: usize,
    /// Weights stay while activations change; else the other way round.
    pub weights_outer: bool,
}

/// A part of a product: its row blocks, its column blocks and its groups by number of the part.
pub(super) type Part = (usize, usize, usize);

impl Tiling {
    /// Parts in the order of execution.
    pub(super) fn parts(self, blocks: Blocks) -> Vec<Part> {
        let (rows, columns) = (blocks.rows.div_ceil(self.row_blocks), blocks.columns.div_ceil(self.column_blocks));
        let groups = blocks.groups.div_ceil(self.groups);
        let pairs: Vec<(usize, usize)> = match self.weights_outer {
            true => (0..columns).flat_map(|c| (0..rows).map(move |r| (r, c))).collect(),
            false => (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).collect(),
        };
        pairs.into_iter().flat_map(|(r, c)| (0..groups).map(move |g| (r, c, g))).collect()
    }

    /// Beats loaded over the whole product, by the same choice of halves as the lowering.
    fn loaded_beats(self, blocks: Blocks) -> u64 {
        let (mut weights, mut activations) = (HalfChoice::default(), HalfChoice::default());
        let size = |part: usize, step: usize, all: usize| (all - part * step).min(step) as u64;
        let reductions = blocks.groups.div_ceil(self.groups);
        let share = |all: u64, part: usize| all * size(part, self.groups, blocks.groups) / blocks.groups as u64;
        let mut beats = 0;
        for (step, (row, column, group)) in self.parts(blocks).into_iter().enumerate() {
            if weights.choose(column * reductions + group, step).1 {
                let bits = size(column, self.column_blocks, blocks.columns) * share(blocks.weight_bits, group);
                beats += bits.div_ceil(blocks.beat_bits);
            }
            if activations.choose(row * reductions + group, step).1 {
                beats += size(row, self.row_blocks, blocks.rows) * share(blocks.activation_beats, group);
            }
        }
        beats
    }

    /// The tiling that loads the fewest beats, of these the one with the fewest commands.
    ///
    /// # Errors
    /// `Field` where a reduction must be cut and no cut falls on a beat of the memory port.
    pub(super) fn best(machine: &Machine, array: &Array, blocks: Blocks) -> Result<Tiling, MappingError> {
        let (weight_chunks, activation_chunks) = (array.weight_chunks as usize, array.activation_chunks as usize);
        let held_groups = array.groups as usize;
        let fits = blocks.chunks <= weight_chunks.min(activation_chunks) && blocks.groups <= held_groups;
        let (columns, rows, groups) = if fits {
            let columns = (weight_chunks / blocks.chunks).min(held_groups / blocks.groups).min(array.blocks as usize);
            let rows = activation_chunks / blocks.chunks;
            let aligned = array.exponent_entry_bits.is_some();
            (columns, if aligned { rows.min(held_groups / blocks.groups) } else { rows }, blocks.groups)
        } else {
            let most = (weight_chunks.min(activation_chunks) / blocks.group_chunks).min(held_groups);
            let groups = most - most % blocks.group_step;
            if groups == 0 {
                let expected = format!(
                    "parts of a long reduction start at multiples of {} groups, and the buffers of design `{}` hold {most}: \
                     raise `buffers.weight_chunks`, `buffers.activation_chunks` or `buffers.groups`",
                    blocks.group_step, machine.name
                );
                return Err(MappingError::field("groups of the product", blocks.groups, expected));
            }
            (1, 1, groups)
        };
        let mut best: Option<(u64, usize, Tiling)> = None;
        for column_blocks in sizes(columns, blocks.columns) {
            let rows = rows.min(array.blocks as usize / column_blocks);
            for row_blocks in sizes(rows, blocks.rows) {
                for weights_outer in [true, false] {
                    let tiling = Tiling { row_blocks, column_blocks, groups, weights_outer };
                    let commands = blocks.rows.div_ceil(row_blocks) * blocks.columns.div_ceil(column_blocks);
                    let cost = (tiling.loaded_beats(blocks), commands);
                    if best.is_none_or(|(beats, least, _)| cost < (beats, least)) {
                        best = Some((cost.0, cost.1, tiling));
                    }
                }
            }
        }
        let none = || MappingError::field("buffers.blocks", array.blocks, "at least one");
        best.map(|(_, _, tiling)| tiling).ok_or_else(none)
    }
}

/// Block counts worth trying: for each number of parts, the smallest that gives it.
fn sizes(most: usize, all: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = Vec::new();
    let mut parts = all.div_ceil(most.max(1));
    while sizes.last() != Some(&1) && sizes.len() < 64 {
        let size = all.div_ceil(parts).max(1);
        if sizes.last() != Some(&size) {
            sizes.push(size);
        }
        parts += 1;
    }
    sizes.retain(|size| *size <= most);
    sizes
}

/// Which half of a buffer an operand part is in, or goes to: the one used longest ago.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HalfChoice {
    held: [Option<usize>; 2],
    /// Step that used the half last, plus one.
    used: [usize; 2],
}

impl HalfChoice {
    /// Half for `part` at `step`, whether it must be loaded, and the step that used the half last, if any.
    pub(super) fn choose(&mut self, part: usize, step: usize) -> (usize, bool, Option<usize>) {
        let found = self.held.iter().position(|held| *held == Some(part));
        let half = found.unwrap_or(usize::from(self.used[1] < self.used[0]));
        let last_use = self.used[half].checked_sub(1);
        self.held[half] = Some(part);
        self.used[half] = step + 1;
        (half, found.is_none(), last_use)
    }

    /// Forgets the parts, not the uses: the next product's parts are others.
    pub(super) fn next_product(&mut self) {
        self.held = [None; 2];
    }
}
