//! Which part of a product a command takes, and in which order: the space of mappings of an array, its cost in closed form,
//! and the best of it.

use std::ops::Range;

use bitmosaic_arch::{Array, Machine};

use super::mapping::{Dataflow, Mapping};
use crate::{MappingError, Matmul, TileWalk};

/// Blocks of a product that one `matmul` command takes, and which operand stays while the other changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    /// Row blocks a command.
    pub row_blocks: usize,
    /// Column blocks a command.
    pub column_blocks: usize,
    /// Groups a command; fewer than the product has where commands take parts of the reduction, whose sums stay in the tiles.
    pub groups: usize,
    /// Weights stay in their buffer while activations change (weight-stationary); else the other way round.
    pub weights_outer: bool,
}

/// What a tiling moves through the memory port, and its commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Traffic {
    /// Beats of both operands.
    pub loaded_beats: u64,
    /// `matmul` commands.
    pub commands: u64,
    /// Of the beats, those of weights.
    pub weight_beats: u64,
}

/// A product on a machine with all tilings that it may have.
#[derive(Debug, Clone)]
pub struct MappingSpace<'m> {
    machine: &'m Machine,
    array: &'m Array,
    tokens: usize,
    input_channels: usize,
    /// Row blocks (tokens) and column blocks (output channels) of the array.
    pub(super) rows: usize,
    /// Column blocks.
    pub(super) columns: usize,
    /// Groups of the reduction.
    pub(super) groups: usize,
    /// Input channels of a group.
    group: usize,
    code_bits: u32,
    /// A part of the reduction starts at a multiple of this many groups, so that its activations start at a beat.
    group_step: usize,
}

/// A part of a product: its row blocks, its column blocks and its groups by number of the part.
pub(super) type Part = (usize, usize, usize);

impl<'m> MappingSpace<'m> {
    /// The space of a product, a command of [`matmul_command`](crate::matmul_command).
    ///
    /// # Errors
    /// `Field` for a design without array.
    pub fn new(machine: &'m Machine, matmul: &Matmul) -> Result<MappingSpace<'m>, MappingError> {
        let expected = "a whole machine needs `array`, `buffers` and `memory` in its design";
        let array = machine.array.as_ref().ok_or_else(|| MappingError::field("design", &machine.name, expected))?;
        let (tokens, n) = (matmul.tokens as usize, matmul.output_channels as usize);
        let (group, beat) = (usize::from(matmul.group), array.beat_bytes() as usize);
        Ok(MappingSpace {
            machine,
            array,
            tokens,
            input_channels: matmul.input_channels as usize,
            rows: tokens.div_ceil(array.rows as usize),
            columns: n.div_ceil(array.columns as usize),
            groups: TileWalk::new(machine, matmul).groups(),
            group,
            code_bits: machine.types[usize::from(matmul.weight_type)].weight_type.code_bits,
            group_step: (1..=beat).find(|step| (step * 2 * group).is_multiple_of(beat)).unwrap_or(beat),
        })
    }

    /// Row blocks, column blocks and groups of the product.
    pub fn blocks(&self) -> [usize; 3] {
        [self.rows, self.columns, self.groups]
    }

    /// Bytes in memory of weights and activations, each loaded once as a whole.
    pub fn tensor_bytes(&self) -> [u64; 2] {
        let row = self.array.activation_row_beats(self.machine, self.input_channels as u32);
        let activations = self.tokens as u64 * row * u64::from(self.array.beat_bytes());
        [self.weight_bytes(self.columns, &(0..self.groups)), activations]
    }

    /// Input channels of `groups`.
    fn channels(&self, groups: &Range<usize>) -> usize {
        self.input_channels.min(groups.end * self.group) - groups.start * self.group
    }

    /// Entries of the buffers that a row of `groups` takes.
    fn entries(&self, groups: &Range<usize>) -> usize {
        self.channels(groups).div_ceil(self.machine.entry_channels as usize)
    }

    /// Groups of a part of the reduction.
    pub(super) fn part_groups(&self, tiling: Tiling, part: usize) -> Range<usize> {
        part * tiling.groups..self.groups.min((part + 1) * tiling.groups)
    }

    /// Bytes in memory of the weights of `columns` column blocks and these groups, whole beats.
    pub(super) fn weight_bytes(&self, columns: usize, groups: &Range<usize>) -> u64 {
        let words = columns as u64 * self.array.block_words(groups.len(), self.entries(groups), self.code_bits);
        (words * u64::from(self.array.weight_word_bits)).next_multiple_of(self.array.data_bits.into()) / 8
    }

    /// Why a machine cannot hold what a command of this tiling takes, by the field of the design that limits it.
    pub fn obstacle(&self, tiling: Tiling) -> Option<&'static str> {
        let Tiling { row_blocks: rows, column_blocks: columns, groups, .. } = tiling;
        let array = self.array;
        let cut = groups < self.groups;
        let entries = self.entries(&(0..groups.min(self.groups)));
        let passes = rows * columns;
        let aligned = array.exponent_entry_bits.is_some();
        let limits = [
            (columns * entries <= array.weight_entries as usize, "buffers.weight_chunks"),
            (rows * entries <= array.activation_entries as usize, "buffers.activation_chunks"),
            (columns * groups <= array.groups as usize, "buffers.groups"),
            (!aligned || rows * groups <= array.groups as usize, "buffers.groups"),
            (passes <= array.blocks as usize, "buffers.blocks"),
            (!cut || passes <= self.machine.scale_unit.accumulator_blocks as usize, "buffers.accumulator_blocks"),
            (!cut || groups.is_multiple_of(self.group_step), "memory.data_bits"),
        ];
        limits.into_iter().find(|(holds, _)| !holds).map(|(_, field)| field)
    }

    /// What a tiling moves, in closed form: an operand's parts are loaded once, or once for each part of the other operand
    /// that passes by while the two halves of the buffer cannot hold all of them.
    pub fn traffic(&self, tiling: Tiling) -> Traffic {
        let rows = self.rows.div_ceil(tiling.row_blocks);
        let columns = self.columns.div_ceil(tiling.column_blocks);
        let parts = self.groups.div_ceil(tiling.groups);
        // Parts of an operand that come again before another takes their place stay: at most two.
        let (weight_times, activation_times) = match tiling.weights_outer {
            true => (if parts <= 2 { 1 } else { rows }, if rows * parts <= 2 { 1 } else { columns }),
            false => (if columns * parts <= 2 { 1 } else { rows }, if parts <= 2 { 1 } else { columns }),
        };
        let last_columns = self.columns - (columns - 1) * tiling.column_blocks;
        let beat = u64::from(self.array.beat_bytes());
        let (mut weights, mut activations) = (0, 0);
        // All parts of the reduction but the last are alike.
        for (part, count) in [(0, parts - 1), (parts - 1, 1)] {
            let groups = self.part_groups(tiling, part);
            let block = (columns as u64 - 1) * self.weight_bytes(tiling.column_blocks, &groups);
            weights += count as u64 * (block + self.weight_bytes(last_columns, &groups)) / beat;
            let row = self.array.activation_row_beats(self.machine, self.channels(&groups) as u32);
            activations += count as u64 * self.tokens as u64 * row;
        }
        let weight_beats = weights * weight_times as u64;
        Traffic {
            loaded_beats: weight_beats + activations * activation_times as u64,
            commands: (rows * columns * parts) as u64,
            weight_beats,
        }
    }

    /// What stays while the rest passes by.
    pub fn dataflow(&self, tiling: Tiling) -> Dataflow {
        match tiling.weights_outer {
            _ if tiling.groups < self.groups => Dataflow::OutputStationary,
            true => Dataflow::WeightStationary,
            false => Dataflow::InputStationary,
        }
    }

    /// The tilings of a mapping that the machine can hold and among which the best one is. Of what the mapping does not fix (more than the product has counts as all of it): of
    /// the blocks a command, for each number of commands the fewest that give it; of the groups, all, or the most that fit
    /// and the fewest that make as many parts.
    pub fn tilings(&self, mapping: &Mapping) -> Vec<Tiling> {
        let mut tilings = Vec::new();
        let blocks = self.array.blocks as usize;
        for column_blocks in
            mapping.column_blocks.map_or_else(|| sizes(self.columns, blocks), |fixed| vec![fixed.min(self.columns)])
        {
            let rows = || sizes(self.rows, blocks / column_blocks);
            for row_blocks in mapping.row_blocks.map_or_else(rows, |fixed| vec![fixed.min(self.rows)]) {
                let groups = || self.group_choices(row_blocks, column_blocks, mapping.dataflow);
                for groups in mapping.groups.map_or_else(groups, |fixed| vec![fixed.min(self.groups)]) {
                    for weights_outer in [true, false] {
                        let tiling = Tiling { row_blocks, column_blocks, groups, weights_outer };
                        let wanted = mapping.dataflow.is_none_or(|dataflow| dataflow == self.dataflow(tiling));
                        if wanted && self.obstacle(tiling).is_none() {
                            tilings.push(tiling);
                        }
                    }
                }
            }
        }
        tilings
    }

    /// Groups a command that are worth trying with so many blocks.
    fn group_choices(&self, row_blocks: usize, column_blocks: usize, dataflow: Option<Dataflow>) -> Vec<usize> {
        let fits = |groups| self.obstacle(Tiling { row_blocks, column_blocks, groups, weights_outer: true }).is_none();
        if fits(self.groups) && dataflow != Some(Dataflow::OutputStationary) {
            return vec![self.groups];
        }
        // What fits in parts fits in smaller ones.
        let steps = self.groups.div_ceil(self.group_step);
        let most = (1..=steps)
            .collect::<Vec<_>>()
            .partition_point(|n| n * self.group_step < self.groups && fits(n * self.group_step));
        if most == 0 {
            return Vec::new();
        }
        let parts = self.groups.div_ceil(most * self.group_step);
        let fewest = self.groups.div_ceil(parts).next_multiple_of(self.group_step);
        if fewest == most * self.group_step { vec![fewest] } else { vec![most * self.group_step, fewest] }
    }

    /// The tiling of a mapping that loads the fewest beats, of these the one with the fewest commands.
    ///
    /// # Errors
    /// `Field` where none fits, with what limits it.
    pub fn best(&self, mapping: &Mapping) -> Result<(Tiling, Traffic), MappingError> {
        let costs = self.tilings(mapping).into_iter().map(|tiling| (tiling, self.traffic(tiling)));
        costs.min_by_key(|(_, traffic)| *traffic).ok_or_else(|| self.nothing_fits(mapping))
    }

    /// The smallest tiling of a mapping, and what keeps it from fitting.
    fn nothing_fits(&self, mapping: &Mapping) -> MappingError {
        let whole = matches!(mapping.dataflow, Some(Dataflow::WeightStationary | Dataflow::InputStationary));
        let least = if whole { self.groups } else { self.group_step.min(self.groups) };
        let smallest = Tiling {
            row_blocks: mapping.row_blocks.unwrap_or(1).min(self.rows),
            column_blocks: mapping.column_blocks.unwrap_or(1).min(self.columns),
            groups: mapping.groups.unwrap_or(least).min(self.groups),
            weights_outer: true,
        };
        let Tiling { row_blocks, column_blocks, groups, .. } = smallest;
        let found = format!(
            "{} x {} blocks (tokens x output channels) and {} groups of {}",
            self.rows, self.columns, self.groups, self.group
        );
        let expected = match self.obstacle(smallest) {
            Some("memory.data_bits") => format!(
                "parts of its reduction start at multiples of {} groups, where activations start at a beat of the memory port",
                self.group_step
            ),
            Some(field) => format!(
                "a command of {row_blocks} x {column_blocks} blocks and {groups} groups is more than design `{}` holds: raise \
                 `{field}`",
                self.machine.name
            ),
            None => format!("mapping `{}` wants parts of the reduction, and there is one group", mapping.name),
        };
        MappingError::field("product", found, expected)
    }

    /// Parts in the order of execution.
    pub(super) fn parts(&self, tiling: Tiling) -> Vec<Part> {
        let (rows, columns) = (self.rows.div_ceil(tiling.row_blocks), self.columns.div_ceil(tiling.column_blocks));
        let groups = self.groups.div_ceil(tiling.groups);
        let pairs: Vec<(usize, usize)> = match tiling.weights_outer {
            true => (0..columns).flat_map(|c| (0..rows).map(move |r| (r, c))).collect(),
            false => (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).collect(),
        };
        pairs.into_iter().flat_map(|(r, c)| (0..groups).map(move |g| (r, c, g))).collect()
    }
}

/// Block counts up to `most` of which each is the smallest that cuts `all` into as many parts, the largest first.
fn sizes(all: usize, most: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut size = all.min(most);
    while size > 0 {
        let smallest = all.div_ceil(all.div_ceil(size));
        sizes.push(smallest);
        size = smallest - 1;
    }
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

#[cfg(test)]
mod tests {
    use bitmosaic_arch::{elaborate, parse, presets};
    use bitmosaic_numerics::ScaleKind;

    use super::*;
    use crate::{Command, matmul_command, schedule_array};

    /// Machines with small buffers, and products of every kind of raggedness on them.
    fn cases() -> impl Iterator<Item = (Machine, Matmul)> {
        let buffers =
            [(16, 16, 8, 8, 1), (16, 32, 8, 16, 4), (64, 16, 16, 8, 8), (32, 32, 4, 4, 2), (128, 128, 64, 16, 16)];
        let sizes = [1usize, 7, 16, 33, 100, 260];
        buffers.into_iter().enumerate().flat_map(move |(b, (weights, activations, groups, blocks, accumulators))| {
            let preset = presets().iter().find(|p| p.name == "mosaic-small").unwrap();
            let mut spec = parse(preset.text, "preset").unwrap();
            spec.weights.max_group = 64;
            let own = spec.buffers.as_mut().unwrap();
            (own.weight_chunks, own.activation_chunks) = (weights, activations);
            (own.groups, own.blocks, own.accumulator_blocks) = (groups, blocks, accumulators);
            let machine = elaborate(&spec, "test").unwrap();
            let shapes = (0..sizes.len().pow(3)).map(move |i| [i % 6, i / 6 % 6, i / 36].map(|i| sizes[i]));
            shapes.skip(b % 2).step_by(2).map(move |[tokens, output_channels, input_channels]| {
                let group = [16, 32, 64][(tokens + output_channels) % 3];
                let shape = [tokens, output_channels, 3 * input_channels];
                let own = &machine.types[output_channels % machine.types.len()].weight_type;
                let special = own.special_values();
                let matmul = matmul_command(&machine, own.name, special, ScaleKind::Int8, group, shape).unwrap();
                (machine.clone(), matmul)
            })
        })
    }

    /// Beats and commands by walking the parts with the halves of the buffers.
    fn walked(space: &MappingSpace, tiling: Tiling) -> (u64, u64) {
        let (mut weights, mut activations) = (HalfChoice::default(), HalfChoice::default());
        let size = |part: usize, step: usize, all: usize| (all - part * step).min(step);
        let reductions = space.groups.div_ceil(tiling.groups);
        let beat = u64::from(space.array.beat_bytes());
        let (mut beats, parts) = (0, space.parts(tiling));
        for (step, (row, column, part)) in parts.iter().enumerate() {
            let groups = space.part_groups(tiling, *part);
            if weights.choose(column * reductions + part, step).1 {
                beats += space.weight_bytes(size(*column, tiling.column_blocks, space.columns), &groups) / beat;
            }
            if activations.choose(row * reductions + part, step).1 {
                let rows = space.array.rows as usize;
                let first = row * tiling.row_blocks * rows;
                let tokens = (space.tokens - first).min(tiling.row_blocks * rows) as u64;
                beats += tokens * space.array.activation_row_beats(space.machine, space.channels(&groups) as u32);
            }
        }
        (beats, parts.len() as u64)
    }

    #[test]
    fn the_closed_form_is_what_walking_gives_and_the_program_loads() {
        let mut compared = [0; 3];
        for (machine, matmul) in cases() {
            let space = MappingSpace::new(&machine, &matmul).unwrap();
            for tiling in space.tilings(&Mapping::best()) {
                let traffic = space.traffic(tiling);
                assert_eq!(
                    (traffic.loaded_beats, traffic.commands),
                    walked(&space, tiling),
                    "{tiling:?} of {matmul:?}"
                );
                compared[0] += 1;
                compared[1] +=
                    usize::from(tiling.groups < space.groups && tiling.row_blocks * tiling.column_blocks > 1);
            }
            let (_, traffic) = space.best(&Mapping::best()).unwrap();
            let program = schedule_array(&machine, std::slice::from_ref(&matmul), &Mapping::best()).unwrap().program;
            let loads = program.commands.iter().map(|command| match command {
                Command::LoadWeights(load) => u64::from(load.beats),
                Command::LoadActivations(load) => {
                    let row = space.array.activation_row_beats(&machine, load.input_channels);
                    u64::from(load.tokens) * row
                }
                _ => 0,
            });
            assert_eq!(loads.sum::<u64>(), traffic.loaded_beats);
            assert_eq!(program.matmuls().count() as u64, traffic.commands);
            compared[2] += 1;
        }
        assert!(compared[0] > 5000 && compared[1] > 1000 && compared[2] > 500, "{compared:?}");
    }

    #[test]
    fn a_mapping_of_any_size_is_cut_to_the_product() {
        let (machine, matmul) = cases().next().unwrap();
        let space = MappingSpace::new(&machine, &matmul).unwrap();
        let most = Some(usize::MAX);
        let huge = Mapping { row_blocks: most, column_blocks: most, groups: most, ..Mapping::best() };
        let [row_blocks, column_blocks, groups] = space.blocks();
        match space.best(&huge) {
            Ok((tiling, _)) => assert_eq!([tiling.row_blocks, tiling.column_blocks, tiling.groups], space.blocks()),
            Err(error) => {
                let whole = format!("{row_blocks} x {column_blocks} blocks and {groups} groups");
                assert!(error.to_string().contains(&whole), "{error}");
            }
        }
    }

    #[test]
    fn no_tiling_at_all_is_better_than_the_best() {
        let mut points = 0;
        for (machine, matmul) in cases() {
            let space = MappingSpace::new(&machine, &matmul).unwrap();
            let (found, traffic) = space.best(&Mapping::best()).unwrap();
            assert_eq!(space.obstacle(found), None);
            for row_blocks in 1..=space.rows {
                for column_blocks in 1..=space.columns {
                    for groups in 1..=space.groups {
                        for weights_outer in [true, false] {
                            let tiling = Tiling { row_blocks, column_blocks, groups, weights_outer };
                            points += 1;
                            if space.obstacle(tiling).is_none() {
                                let other = space.traffic(tiling);
                                let cost = |t: Traffic| (t.loaded_beats, t.commands);
                                assert!(cost(traffic) <= cost(other), "{found:?} {traffic:?}, {tiling:?} {other:?}");
                            }
                        }
                    }
                }
            }
        }
        assert!(points > 500_000, "{points}");
    }
}
