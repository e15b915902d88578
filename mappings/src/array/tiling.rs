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
    /// Bits of the weights of one column block in memory.
    pub(super) weight_bits: u64,
    /// Beats of the memory port that the activations of one row block take.
    pub(super) activation_beats: u64,
    /// Bits of such a beat.
    pub(super) beat_bits: u64,
}

/// Blocks of a product that one `matmul` command takes, and which operand stays while the other changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    /// Row blocks a command.
    pub row_blocks: usize,
    /// Column blocks a command.
    pub column_blocks: usize,
    /// Weights stay while activations change; else the other way round.
    pub weights_outer: bool,
}

/// A part of a product: its row blocks and its column blocks by number of the part.
pub(super) type Part = (usize, usize);

impl Tiling {
    /// Parts in the order of execution.
    pub(super) fn parts(self, blocks: Blocks) -> Vec<Part> {
        let (rows, columns) = (blocks.rows.div_ceil(self.row_blocks), blocks.columns.div_ceil(self.column_blocks));
        match self.weights_outer {
            true => (0..columns).flat_map(|c| (0..rows).map(move |r| (r, c))).collect(),
            false => (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).collect(),
        }
    }

    /// Beats loaded over the whole product, by the same choice of halves as the lowering.
    fn loaded_beats(self, blocks: Blocks) -> u64 {
        let (mut weights, mut activations) = (HalfChoice::default(), HalfChoice::default());
        let size = |part: usize, step: usize, all: usize| (all - part * step).min(step) as u64;
        let mut beats = 0;
        for (step, (row, column)) in self.parts(blocks).into_iter().enumerate() {
            if weights.choose(column, step).1 {
                let bits = size(column, self.column_blocks, blocks.columns) * blocks.weight_bits;
                beats += bits.div_ceil(blocks.beat_bits);
            }
            if activations.choose(row, step).1 {
                beats += size(row, self.row_blocks, blocks.rows) * blocks.activation_beats;
            }
        }
        beats
    }

    /// The tiling that loads the fewest beats, of these the one with the fewest commands.
    ///
    /// # Errors
    /// `Field` naming the buffer that cannot hold one block.
    pub(super) fn best(machine: &Machine, array: &Array, blocks: Blocks) -> Result<Tiling, MappingError> {
        let fits = |field: &str, needed: usize, held: u32| {
            let expected = format!(
                "design `{}` holds {held} in a half of its buffer: raise `buffers.{field}` or split the input channels",
                machine.name
            );
            match needed <= held as usize {
                true => Ok(held as usize / needed),
                false => Err(MappingError::field(format!("{field} of one block"), needed, expected)),
            }
        };
        let groups = fits("groups", blocks.groups, array.groups)?;
        let columns = fits("weight_chunks", blocks.chunks, array.weight_chunks)?.min(groups).min(array.blocks as usize);
        let mut rows = fits("activation_chunks", blocks.chunks, array.activation_chunks)?;
        if array.exponent_entry_bits.is_some() {
            rows = rows.min(groups);
        }
        let mut best: Option<(u64, usize, Tiling)> = None;
        for column_blocks in sizes(columns, blocks.columns) {
            let rows = rows.min(array.blocks as usize / column_blocks);
            for row_blocks in sizes(rows, blocks.rows) {
                for weights_outer in [true, false] {
                    let tiling = Tiling { row_blocks, column_blocks, weights_outer };
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
