use bitmosaic_arch::{Array, Machine};
use bitmosaic_numerics::{QuantizedMatrix, f16};

use super::image::{activation_image, weight_image};
use super::tiling::{Blocks, HalfChoice, Tiling};
use crate::{
    Command, Halves, LoadActivations, LoadWeights, MappingError, Matmul, Part, Program, Store, TileWalk, Tokens,
    matmul_command,
};

/// Alignment in bytes of the program, of every operand and of the outputs.
const ALIGNMENT: usize = 128;

/// Products lowered for a whole machine.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayProgram {
    /// The commands; they lie at address 0 of the memory.
    pub program: Program,
    /// Memory before the run, from address 0: program, weights, activations, room for the outputs.
    pub memory: Vec<u8>,
    /// Where each product's outputs will be.
    pub outputs: Vec<OutputRegion>,
    /// How each product was cut.
    pub tilings: Vec<Tiling>,
}

/// Outputs in memory: FP16 rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputRegion {
    /// Byte address of the first row.
    pub address: usize,
    /// Bytes from row to row.
    pub pitch: usize,
    /// Rows.
    pub tokens: usize,
    /// FP16 values a row.
    pub output_channels: usize,
}

/// The outputs `[tokens, output channels]` of a region, as FP16 patterns.
pub fn read_outputs(memory: &[u8], region: &OutputRegion) -> Vec<u16> {
    let rows = (0..region.tokens).map(|t| region.address + t * region.pitch);
    rows.flat_map(|row| memory[row..row + 2 * region.output_channels].as_chunks::<2>().0)
        .map(|bytes| u16::from_le_bytes(*bytes))
        .collect()
}

/// What the queues have been told to wait for. Waiting for a command of another queue waits for all before it, so that a
/// token is needed only for one that is later than all waited for.
#[derive(Default)]
struct Waited {
    /// Most advanced command that was waited for, plus one.
    next: usize,
}

impl Waited {
    /// Whether a wait for command `index` is due.
    fn due(&mut self, index: usize) -> bool {
        let due = index >= self.next;
        if due {
            self.next = index + 1;
        }
        due
    }
}

/// A program under construction.
struct Lowering<'m> {
    machine: &'m Machine,
    array: &'m Array,
    commands: Vec<Command>,
    memory: Vec<u8>,
    weights: HalfChoice,
    activations: HalfChoice,
    /// Positions of the `matmul`, load and `store` commands.
    matmuls: Vec<usize>,
    stores: Vec<usize>,
    /// By edge between queues: load waits for compute, compute for load, compute for store.
    load_waits: Waited,
    compute_waits_load: Waited,
    compute_waits_store: Waited,
}

/// Lowers products `(weights, activations [tokens, input_channels])` to one program and its memory.
///
/// # Errors
/// As [`matmul_command`], and `Field` for a design without array, activations of the wrong length, weights that fail their own
/// check, or a product of which one block does not fit the buffers.
pub fn lower_array(machine: &Machine, layers: &[(&QuantizedMatrix, &[f16])]) -> Result<ArrayProgram, MappingError> {
    let Some(array) = &machine.array else {
        let expected = "a whole machine needs `array`, `buffers` and `memory` in its design";
        return Err(MappingError::field("design", &machine.name, expected));
    };
    let mut lowering = Lowering {
        machine,
        array,
        commands: Vec::new(),
        memory: Vec::new(),
        weights: HalfChoice::default(),
        activations: HalfChoice::default(),
        matmuls: Vec::new(),
        stores: Vec::new(),
        load_waits: Waited::default(),
        compute_waits_load: Waited::default(),
        compute_waits_store: Waited::default(),
    };
    let (mut outputs, mut tilings) = (Vec::new(), Vec::new());
    for (weights, activations) in layers {
        let (region, tiling) = lowering.product(weights, activations)?;
        outputs.push(region);
        tilings.push(tiling);
    }
    lowering.commands.push(Command::End);
    // The program lies at address 0, in front of the operands, whose addresses move up by its size.
    let program_bytes = (lowering.commands.len() * crate::COMMAND_BYTES).next_multiple_of(ALIGNMENT);
    for command in &mut lowering.commands {
        match command {
            Command::LoadWeights(LoadWeights { address, .. })
            | Command::LoadActivations(LoadActivations { address, .. })
            | Command::Store(Store { address, .. }) => *address += program_bytes as u64,
            Command::Matmul(_) | Command::End => {}
        }
    }
    outputs.iter_mut().for_each(|region: &mut OutputRegion| region.address += program_bytes);
    let program = Program { commands: lowering.commands };
    let mut memory = program.to_bytes();
    memory.resize(program_bytes, 0);
    memory.extend(lowering.memory);
    Ok(ArrayProgram { program, memory, outputs, tilings })
}

impl ArrayProgram {
    /// Cycles that no memory of `bytes_per_cycle` and no schedule can go below: the steps of the tiles, the beats of each
    /// direction, and the bytes of both.
    pub fn least_cycles(&self, machine: &Machine, bytes_per_cycle: u32) -> u64 {
        let Some(array) = &machine.array else { return 0 };
        let (mut steps, mut read, mut written) = (0, 0, 0);
        for command in &self.program.commands {
            match command {
                Command::LoadWeights(load) => read += u64::from(load.beats),
                Command::LoadActivations(load) => {
                    read += u64::from(load.tokens) * array.activation_row_beats(machine, load.input_channels);
                }
                Command::Matmul(matmul) => {
                    let walk = TileWalk::new(machine, matmul);
                    let pass: usize = walk.group_reads().map(|g| g.chunks * g.times * g.terms).sum();
                    steps += (walk.pass_count() * pass) as u64;
                }
                Command::Store(store) => {
                    written += u64::from(store.tokens) * array.output_row_beats(store.output_channels);
                }
                Command::End => {}
            }
        }
        let bytes = (read + written) * u64::from(array.beat_bytes());
        steps.max(read).max(written).max(bytes / u64::from(bytes_per_cycle.max(1)))
    }
}

impl Lowering<'_> {
    /// Appends `bytes` to the memory, aligned; their address.
    fn place(&mut self, bytes: &[u8]) -> usize {
        let address = self.memory.len().next_multiple_of(ALIGNMENT);
        self.memory.resize(address, 0);
        self.memory.extend(bytes);
        address
    }

    fn product(
        &mut self,
        weights: &QuantizedMatrix,
        activations: &[f16],
    ) -> Result<(OutputRegion, Tiling), MappingError> {
        let (machine, array) = (self.machine, self.array);
        weights.check().map_err(|e| MappingError::field("weights", weights.weight_type.name, e))?;
        let (k, n) = (weights.input_channels, weights.output_channels);
        if activations.is_empty() || !activations.len().is_multiple_of(k) {
            let expected = format!("must be a whole number of tokens of {k} input channels, at least one");
            return Err(MappingError::field("activations", activations.len(), expected));
        }
        let tokens = activations.len() / k;
        let (name, special) = (weights.weight_type.name, weights.special_values);
        let matmul = matmul_command(machine, name, special, weights.scale_kind, weights.group, [tokens, n, k])?;
        let walk = TileWalk::new(machine, &matmul);
        let (rows, columns, beat) = (array.rows as usize, array.columns as usize, array.beat_bytes() as usize);
        // A row of activations in memory has whole chunks and whole beats, so that the hardware never masks lanes.
        let pitch = (walk.chunks() * machine.pe.lanes as usize * 2).next_multiple_of(beat);
        let group_bytes = 2 * weights.group;
        let blocks = Blocks {
            rows: tokens.div_ceil(rows),
            columns: n.div_ceil(columns),
            chunks: walk.chunks(),
            groups: walk.groups(),
            group_chunks: weights.group / machine.pe.lanes as usize,
            weight_bits: array.block_words(walk.groups(), walk.chunks(), weights.weight_type.code_bits)
                * u64::from(array.weight_word_bits),
            activation_beats: (rows * pitch / beat) as u64,
            beat_bits: u64::from(array.data_bits),
            group_step: (1..=beat).find(|step| (step * group_bytes).is_multiple_of(beat)).unwrap_or(beat),
        };
        let tiling = Tiling::best(machine, array, blocks)?;
        let reductions = blocks.groups.div_ceil(tiling.groups);
        let part_groups = |part: usize| part * tiling.groups..blocks.groups.min((part + 1) * tiling.groups);
        let activations_at = self.place(&activation_image(pitch, k, activations));
        let weights_at: Vec<(usize, usize)> = (0..blocks.columns)
            .step_by(tiling.column_blocks)
            .flat_map(|first| (0..reductions).map(move |part| (first, part)))
            .map(|(first, part)| {
                let columns = first..blocks.columns.min(first + tiling.column_blocks);
                let image = weight_image(machine, array, weights, columns, part_groups(part));
                (self.place(&image), image.len())
            })
            .collect();
        let output_pitch = (2 * n).next_multiple_of(beat);
        let outputs_at = self.place(&vec![0; tokens * output_pitch]);

        self.weights.next_product();
        self.activations.next_product();
        for (row_part, column_part, part) in tiling.parts(blocks) {
            let step = self.matmuls.len();
            let row_block = row_part * tiling.row_blocks;
            let row_blocks = tiling.row_blocks.min(blocks.rows - row_block);
            let column_block = column_part * tiling.column_blocks;
            let column_blocks = tiling.column_blocks.min(blocks.columns - column_block);
            let (first_token, first_channel) = (row_block * rows, column_block * columns);
            let own_tokens = (tokens - first_token).min(row_blocks * rows) as u32;
            let (first_input, unfinished) = (part * tiling.groups * weights.group, part + 1 < reductions);
            let share = Matmul {
                tokens: row_blocks as u32 * machine.tile.rows,
                output_channels: column_blocks as u32 * machine.tile.columns,
                input_channels: (k - first_input).min(tiling.groups * weights.group) as u32,
                part: Part { continues: part > 0, unfinished },
                ..matmul.clone()
            };

            let (weight_half, load, last_use) = self.weights.choose(column_part * reductions + part, step);
            let mut last_load = None;
            if load {
                let (address, bytes) = weights_at[column_part * reductions + part];
                let order = self.before_load(last_use);
                last_load = Some(self.commands.len());
                self.commands.push(Command::LoadWeights(LoadWeights {
                    weight_type: share.weight_type,
                    group: share.group,
                    output_channels: share.output_channels,
                    input_channels: share.input_channels,
                    address: address as u64,
                    beats: (bytes / beat) as u32,
                    order,
                    half: weight_half as u8,
                }));
            }
            let (activation_half, load, last_use) = self.activations.choose(row_part * reductions + part, step);
            if load {
                let order = self.before_load(last_use);
                last_load = Some(self.commands.len());
                self.commands.push(Command::LoadActivations(LoadActivations {
                    group: share.group,
                    tokens: own_tokens,
                    input_channels: share.input_channels,
                    address: (activations_at + first_token * pitch + 2 * first_input) as u64,
                    pitch: pitch as u32,
                    order,
                    half: activation_half as u8,
                }));
            }
            let mut order = Tokens::default();
            // Operands loaded for an earlier command are there: that command waited for them.
            if let Some(load) = last_load.filter(|load| self.compute_waits_load.due(*load)) {
                order.wait_up = true;
                give(&mut self.commands[load], false);
            }
            let output_half = self.stores.len() % 2;
            let halves =
                Halves { weight: weight_half as u8, activation: activation_half as u8, output: output_half as u8 };
            self.matmuls.push(self.commands.len());
            if unfinished {
                self.commands.push(Command::Matmul(Matmul { order, halves, ..share }));
                continue;
            }
            let before = self.stores.len().checked_sub(2).filter(|store| self.compute_waits_store.due(*store));
            if let Some(store) = before {
                order.wait_down = true;
                give(&mut self.commands[self.stores[store]], true);
            }
            // Its store waits for every product.
            order.give_down = true;
            self.commands.push(Command::Matmul(Matmul { order, halves, ..share }));
            self.stores.push(self.commands.len());
            self.commands.push(Command::Store(Store {
                row_blocks: row_blocks as u16,
                tokens: own_tokens,
                output_channels: (n - first_channel).min(column_blocks * columns) as u32,
                address: (outputs_at + first_token * output_pitch + 2 * first_channel) as u64,
                pitch: output_pitch as u32,
                order: Tokens { wait_up: true, ..Tokens::default() },
                half: output_half as u8,
            }));
        }
        let region = OutputRegion { address: outputs_at, pitch: output_pitch, tokens, output_channels: n };
        Ok((region, tiling))
    }

    /// Order of a load into a half that product `last_use` read last.
    fn before_load(&mut self, last_use: Option<usize>) -> Tokens {
        let due = last_use.filter(|matmul| self.load_waits.due(*matmul));
        if let Some(matmul) = due {
            give(&mut self.commands[self.matmuls[matmul]], true);
        }
        Tokens { wait_down: due.is_some(), ..Tokens::default() }
    }
}

/// The command gives the queue below, or above, a token when it is done; `end` has none to give.
fn give(command: &mut Command, up: bool) {
    if let Command::Matmul(Matmul { order, .. })
    | Command::LoadWeights(LoadWeights { order, .. })
    | Command::LoadActivations(LoadActivations { order, .. })
    | Command::Store(Store { order, .. }) = command
    {
        *(if up { &mut order.give_up } else { &mut order.give_down }) = true;
    }
}
