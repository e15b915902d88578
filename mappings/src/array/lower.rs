use std::ops::Range;

use bitmosaic_arch::{Array, BURST_BOUNDARY_BYTES, Machine};
use bitmosaic_numerics::{QuantizedMatrix, f16};

use super::image::{activation_image, weight_image};
use super::mapping::Mapping;
use super::tiling::{HalfChoice, MappingSpace, Tiling};
use crate::{
    Command, Halves, LoadActivations, LoadWeights, MappingError, Matmul, Part, Program, Store, Tokens, matmul_command,
};

/// Least alignment in bytes of the program, of every operand and of the outputs.
const ALIGNMENT: usize = 128;

/// Alignment of a machine's operands: that of its longest bursts, so that no boundary cuts the bursts of a run.
fn alignment(array: &Array) -> usize {
    ((array.burst_beats * array.beat_bytes()) as usize).clamp(ALIGNMENT, BURST_BOUNDARY_BYTES as usize)
}

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

/// Most `matmul` commands of a program, which has up to four times as many in all, of 32 bytes.
const MOST_PRODUCTS: u64 = 1 << 22;

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

/// Products scheduled for a whole machine: everything about an [`ArrayProgram`] that does not depend on data.
#[derive(Debug, Clone, PartialEq)]
pub struct ArraySchedule {
    /// The commands; they lie at address 0 of the memory.
    pub program: Program,
    /// Bytes of the memory.
    pub memory_bytes: usize,
    /// Where each product's outputs will be.
    pub outputs: Vec<OutputRegion>,
    /// How each product was cut.
    pub tilings: Vec<Tiling>,
    places: Vec<Places>,
}

/// Where the operands of a product lie.
#[derive(Debug, Clone, PartialEq)]
struct Places {
    activations: usize,
    pitch: usize,
    weights: Vec<WeightPart>,
}

/// Weights that one command loads: column blocks and groups at an address.
#[derive(Debug, Clone, PartialEq)]
struct WeightPart {
    address: usize,
    bytes: usize,
    blocks: Range<usize>,
    groups: Range<usize>,
}

/// A program under construction.
struct Scheduling<'m> {
    machine: &'m Machine,
    array: &'m Array,
    commands: Vec<Command>,
    /// Bytes placed so far.
    memory: usize,
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
/// As [`matmul_command`] and [`schedule_array`], and `Field` for activations of the wrong length or weights that fail their own
/// check.
pub fn lower_array(
    machine: &Machine,
    layers: &[(&QuantizedMatrix, &[f16])],
    mapping: &Mapping,
) -> Result<ArrayProgram, MappingError> {
    let mut products = Vec::new();
    for (weights, activations) in layers {
        weights.check().map_err(|e| MappingError::field("weights", weights.weight_type.name, e))?;
        let (k, n) = (weights.input_channels, weights.output_channels);
        if activations.is_empty() || !activations.len().is_multiple_of(k) {
            let expected = format!("must be a whole number of tokens of {k} input channels, at least one");
            return Err(MappingError::field("activations", activations.len(), expected));
        }
        let shape = [activations.len() / k, n, k];
        let (name, special) = (weights.weight_type.name, weights.special_values);
        products.push(matmul_command(machine, name, special, weights.scale_kind, weights.group, shape)?);
    }
    let schedule = schedule_array(machine, &products, mapping)?;
    let array = array_of(machine)?;
    let mut memory = schedule.program.to_bytes();
    memory.resize(schedule.memory_bytes, 0);
    let mut place = |address: usize, image: Vec<u8>| memory[address..address + image.len()].copy_from_slice(&image);
    for (places, (weights, activations)) in schedule.places.iter().zip(layers) {
        place(places.activations, activation_image(places.pitch, weights.input_channels, activations));
        for part in &places.weights {
            place(part.address, weight_image(machine, array, weights, part.blocks.clone(), part.groups.clone()));
        }
    }
    let ArraySchedule { program, outputs, tilings, .. } = schedule;
    Ok(ArrayProgram { program, memory, outputs, tilings })
}

fn array_of(machine: &Machine) -> Result<&Array, MappingError> {
    let expected = "a whole machine needs `array`, `buffers` and `memory` in its design";
    machine.array.as_ref().ok_or_else(|| MappingError::field("design", &machine.name, expected))
}

/// Schedules products (commands of [`matmul_command`]) as one program.
///
/// # Errors
/// `Field` for a design without array, a product of which no tiling of the mapping fits the buffers, or a program of too many commands.
pub fn schedule_array(
    machine: &Machine,
    products: &[Matmul],
    mapping: &Mapping,
) -> Result<ArraySchedule, MappingError> {
    let mut scheduling = Scheduling {
        machine,
        array: array_of(machine)?,
        commands: Vec::new(),
        memory: 0,
        weights: HalfChoice::default(),
        activations: HalfChoice::default(),
        matmuls: Vec::new(),
        stores: Vec::new(),
        load_waits: Waited::default(),
        compute_waits_load: Waited::default(),
        compute_waits_store: Waited::default(),
    };
    let (mut outputs, mut tilings, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for product in products {
        let (region, tiling, place) = scheduling.product(product, mapping)?;
        outputs.push(region);
        tilings.push(tiling);
        places.push(place);
    }
    scheduling.commands.push(Command::End);
    // The program lies at address 0, in front of the operands, whose addresses move up by its size.
    let program_bytes =
        (scheduling.commands.len() * crate::COMMAND_BYTES).next_multiple_of(alignment(scheduling.array));
    for command in &mut scheduling.commands {
        match command {
            Command::LoadWeights(LoadWeights { address, .. })
            | Command::LoadActivations(LoadActivations { address, .. })
            | Command::Store(Store { address, .. }) => *address += program_bytes as u64,
            Command::Matmul(_) | Command::End => {}
        }
    }
    outputs.iter_mut().for_each(|region: &mut OutputRegion| region.address += program_bytes);
    for place in &mut places {
        place.activations += program_bytes;
        place.weights.iter_mut().for_each(|part| part.address += program_bytes);
    }
    let memory_bytes = program_bytes + scheduling.memory;
    Ok(ArraySchedule { program: Program { commands: scheduling.commands }, memory_bytes, outputs, tilings, places })
}

impl Program {
    /// Bytes that a whole machine writes for the program, padding left out.
    pub fn bytes_written(&self) -> u64 {
        let store = |command: &Command| match command {
            Command::Store(store) => 2 * u64::from(store.tokens) * u64::from(store.output_channels),
            _ => 0,
        };
        self.commands.iter().map(store).sum()
    }
}

impl Scheduling<'_> {
    /// Room for `bytes` of memory, aligned; its address.
    fn place(&mut self, bytes: usize) -> usize {
        let address = self.memory.next_multiple_of(alignment(self.array));
        self.memory = address + bytes;
        address
    }

    fn product(&mut self, matmul: &Matmul, mapping: &Mapping) -> Result<(OutputRegion, Tiling, Places), MappingError> {
        let (machine, array) = (self.machine, self.array);
        let (tokens, k, n) = (matmul.tokens as usize, matmul.input_channels as usize, matmul.output_channels as usize);
        let group = usize::from(matmul.group);
        let (rows, columns, beat) = (array.rows as usize, array.columns as usize, array.beat_bytes() as usize);
        // A row of activations in memory has whole entries and whole beats, so that the hardware never masks lanes.
        let pitch = array.activation_row_beats(machine, matmul.input_channels) as usize * beat;
        let space = MappingSpace::new(machine, matmul)?;
        let (tiling, traffic) = space.best(mapping)?;
        if traffic.commands + self.matmuls.len() as u64 > MOST_PRODUCTS {
            let expected = format!("at most {MOST_PRODUCTS}: take fewer tokens or channels");
            return Err(MappingError::field("`matmul` commands of the program", traffic.commands, expected));
        }
        let reductions = space.groups.div_ceil(tiling.groups);
        let activations_at = self.place(tokens * pitch);
        let mut weights_at = Vec::new();
        for first in (0..space.columns).step_by(tiling.column_blocks) {
            for part in 0..reductions {
                let columns = first..space.columns.min(first + tiling.column_blocks);
                let groups = space.part_groups(tiling, part);
                let bytes = space.weight_bytes(columns.len(), &groups) as usize;
                weights_at.push(WeightPart { address: self.place(bytes), bytes, blocks: columns, groups });
            }
        }
        let output_pitch = (2 * n).next_multiple_of(beat);
        let outputs_at = self.place(tokens * output_pitch);

        self.weights.next_product();
        self.activations.next_product();
        for (row_part, column_part, part) in space.parts(tiling) {
            let step = self.matmuls.len();
            let row_block = row_part * tiling.row_blocks;
            let row_blocks = tiling.row_blocks.min(space.rows - row_block);
            let column_block = column_part * tiling.column_blocks;
            let column_blocks = tiling.column_blocks.min(space.columns - column_block);
            let (first_token, first_channel) = (row_block * rows, column_block * columns);
            let own_tokens = (tokens - first_token).min(row_blocks * rows) as u32;
            let (first_input, unfinished) = (part * tiling.groups * group, part + 1 < reductions);
            let share = Matmul {
                tokens: row_blocks as u32 * machine.tile.rows,
                output_channels: column_blocks as u32 * machine.tile.columns,
                input_channels: (k - first_input).min(tiling.groups * group) as u32,
                part: Part { continues: part > 0, unfinished },
                ..matmul.clone()
            };

            let (weight_half, load, last_use) = self.weights.choose(column_part * reductions + part, step);
            let mut last_load = None;
            if load {
                let WeightPart { address, bytes, .. } = weights_at[column_part * reductions + part];
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
        Ok((region, tiling, Places { activations: activations_at, pitch, weights: weights_at }))
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
