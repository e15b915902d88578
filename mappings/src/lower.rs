use bitmosaic_arch::{Machine, Support, TermOrder};
use bitmosaic_numerics::{QuantizedMatrix, ScaleKind, f16};

use crate::field::DIMENSION_BITS;
use crate::{BeatStream, Command, Halves, MappingError, Matmul, Part, Program, Tokens};

/// Programs lowered for a tile: the commands and the operand beats that do not depend on alignment.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered {
    /// The commands.
    pub program: Program,
    /// The commands as 256-bit beats.
    pub commands: BeatStream,
    /// FP16 activations for the aligner: per product, token, chunk of lanes.
    pub fp16: BeatStream,
    /// Weight codes and selectors: per product, pass, chunk.
    pub weights: BeatStream,
    /// Group scale codes and zero points: per product, pass, group.
    pub scales: BeatStream,
    /// Channel scales: per product, pass.
    pub channels: BeatStream,
}

/// Walks a product over a tile: passes in the order column block (output channels), row block (tokens); a pass runs over
/// all input channels in chunks of `lanes`. Every count of beats and cycles derives from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileWalk {
    rows: usize,
    columns: usize,
    lanes: usize,
    tokens: usize,
    output_channels: usize,
    input_channels: usize,
    group: usize,
    terms: usize,
    order: TermOrder,
}

/// How the operand register reads a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupReads {
    /// Chunks of the group.
    pub chunks: usize,
    /// Times that they are read, one after the other.
    pub times: usize,
    /// Steps of a chunk in the register.
    pub terms: usize,
}

/// Where an output value belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputPlace {
    /// Row of the tile's PE.
    pub row: usize,
    /// Column of the tile's PE.
    pub column: usize,
    /// Token, counted beyond the last one for padding rows.
    pub token: usize,
    /// Output channel, counted beyond the last one for padding columns.
    pub output_channel: usize,
    /// Whether the value is part of the product, not of its padding.
    pub real: bool,
}

impl TileWalk {
    /// The walk of a product on the machine's tile.
    pub fn new(machine: &Machine, matmul: &Matmul) -> TileWalk {
        TileWalk {
            rows: machine.tile.rows as usize,
            columns: machine.tile.columns as usize,
            lanes: machine.pe.lanes as usize,
            tokens: matmul.tokens as usize,
            output_channels: matmul.output_channels as usize,
            input_channels: matmul.input_channels as usize,
            group: usize::from(matmul.group),
            terms: usize::from(matmul.terms),
            order: machine.pe.order,
        }
    }

    /// First (output channel, token) of every pass, in order.
    pub fn passes(self) -> impl Iterator<Item = (usize, usize)> {
        let tokens = (0..self.tokens).step_by(self.rows);
        (0..self.output_channels).step_by(self.columns).flat_map(move |n| tokens.clone().map(move |m| (n, m)))
    }

    /// Number of passes.
    pub fn pass_count(self) -> usize {
        self.output_channels.div_ceil(self.columns) * self.tokens.div_ceil(self.rows)
    }

    /// Chunks of `lanes` input channels per pass.
    pub fn chunks(self) -> usize {
        self.input_channels.div_ceil(self.lanes)
    }

    /// Chunks of each group of a pass; the last group may be short.
    pub fn group_chunks(self) -> impl Iterator<Item = usize> {
        (0..self.input_channels)
            .step_by(self.group)
            .map(move |k| self.group.min(self.input_channels - k).div_ceil(self.lanes))
    }

    /// Steps and operand beats of each group of a pass: the chunks in the order in which the operand register takes them,
    /// and the terms that each stays for. Plane-major operands come once a plane.
    pub fn group_reads(self) -> impl Iterator<Item = GroupReads> {
        let (times, terms) = match self.order {
            TermOrder::WeightMajor => (1, self.terms),
            TermOrder::PlaneMajor => (self.terms, 1),
        };
        self.group_chunks().map(move |chunks| GroupReads { chunks, times, terms })
    }

    /// Index of the chunk of every operand beat of a pass, in order.
    pub fn read_chunks(self) -> impl Iterator<Item = usize> {
        let mut first = 0;
        self.group_reads().flat_map(move |group| {
            let start = first;
            first += group.chunks;
            (0..group.times).flat_map(move |_| start..start + group.chunks)
        })
    }

    /// Steps of the PEs over all passes: a digit plane of a chunk each.
    pub fn steps(self) -> u64 {
        let pass: usize = self.group_reads().map(|group| group.chunks * group.times * group.terms).sum();
        (self.pass_count() * pass) as u64
    }

    /// Groups per pass.
    pub fn groups(self) -> usize {
        self.input_channels.div_ceil(self.group)
    }

    /// First pass, slot and unit of output value `value` of beat `beat` of the product.
    pub fn output_place(self, machine: &Machine, beat: usize, unit: usize) -> Option<OutputPlace> {
        let slots = machine.scale_unit.pes as usize;
        let (row, column) = machine.pe_of_unit(unit as u32, (beat % slots) as u32)?;
        let blocks = self.tokens.div_ceil(self.rows);
        let pass = beat / slots;
        let token = pass % blocks * self.rows + row as usize;
        let output_channel = pass / blocks * self.columns + column as usize;
        Some(OutputPlace {
            row: row as usize,
            column: column as usize,
            token,
            output_channel,
            real: token < self.tokens && output_channel < self.output_channels,
        })
    }

    /// Output beats of the product.
    pub fn output_beats(self, machine: &Machine) -> usize {
        self.pass_count() * machine.scale_unit.pes as usize
    }

    /// Bytes that the tile's operand streams carry for the product: every beat of every pass, padding, selectors and
    /// repeated operands included, rounded up to whole bytes a stream.
    pub fn operand_bytes(self, machine: &Machine) -> u64 {
        let tile = &machine.tile;
        let passes = self.pass_count() as u64;
        let reads: usize = self.group_reads().map(|group| group.chunks * group.times).sum();
        let (chunks, groups) = (passes * reads as u64, passes * self.groups() as u64);
        let streams = [
            (tile.weight_beat_bits, chunks),
            (tile.activation_beat_bits, chunks),
            (tile.scale_beat_bits, groups),
            (tile.exponent_beat_bits.unwrap_or(0), groups),
            (tile.channel_beat_bits, passes),
        ];
        streams.iter().map(|(bits, beats)| (u64::from(*bits) * beats).div_ceil(8)).sum()
    }

    /// Bytes of the product's FP16 outputs, padding excluded.
    pub fn output_bytes(self) -> u64 {
        2 * self.tokens as u64 * self.output_channels as u64
    }

    /// Multiply-accumulates of the product, padding excluded.
    pub fn macs(self) -> u64 {
        self.tokens as u64 * self.output_channels as u64 * self.input_channels as u64
    }
}

/// The command of a product of this shape and type on this machine.
///
/// # Errors
/// `HostOnly` for a type the machine does not execute, `Field` for dimensions, groups or special values it cannot take.
pub fn matmul_command(
    machine: &Machine,
    weight_type: &str,
    special_values: [i32; 4],
    scale_kind: ScaleKind,
    group: usize,
    [tokens, output_channels, input_channels]: [usize; 3],
) -> Result<Matmul, MappingError> {
    let (index, terms) = match machine.support(weight_type) {
        Support::Executes { index, terms } => (index, terms),
        Support::HostOnly { reason } => return Err(MappingError::HostOnly { reason }),
    };
    if !machine.scale_kinds.contains(&scale_kind) {
        let kinds = machine.scale_kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
        let expected =
            format!("design `{}` executes {kinds}; add the kind to `weights.scales` of the design", machine.name);
        return Err(MappingError::field("kind of group scale", scale_kind.name(), expected));
    }
    let limit = 1usize << DIMENSION_BITS;
    for (name, size) in [("tokens", tokens), ("output channels", output_channels), ("input channels", input_channels)] {
        if size == 0 || size >= limit {
            return Err(MappingError::field(name, size, format!("must be 1 to {}", limit - 1)));
        }
    }
    let step = machine.entry_channels;
    if group == 0 || group > machine.max_group as usize || !group.is_multiple_of(step as usize) {
        let expected =
            format!("design `{}` takes a multiple of {step} input channels up to {}", machine.name, machine.max_group);
        return Err(MappingError::field("group", group, expected));
    }
    let executed = &machine.types[index];
    let mut special_digits = [Default::default(); 4];
    if executed.weight_type.special.is_some() {
        for (places, value) in special_digits.iter_mut().zip(special_values) {
            let canonical = executed
                .table
                .special_digits(&executed.weight_type, value)
                .map_err(|e| MappingError::field("special value", value, e))?;
            *places = machine.pe.digit_set.to_places(&canonical);
        }
    }
    Ok(Matmul {
        weight_type: index as u8,
        terms: terms as u8,
        fraction_bits: executed.weight_type.fraction_bits as u8,
        group: group as u16,
        scale_kind,
        tokens: tokens as u32,
        output_channels: output_channels as u32,
        input_channels: input_channels as u32,
        special_digits,
        part: Part::default(),
        order: Tokens::default(),
        halves: Halves::default(),
    })
}

/// Lowers products `(weights, activations [tokens, input_channels])` to one program for the tile of `machine`.
///
/// # Errors
/// As [`matmul_command`], and `Field` for activations of the wrong length or weights that fail their own check.
pub fn lower(machine: &Machine, layers: &[(&QuantizedMatrix, &[f16])]) -> Result<Lowered, MappingError> {
    let mut lowered = Lowered {
        program: Program { commands: Vec::new() },
        commands: BeatStream::new(crate::field::COMMAND_BITS),
        fp16: BeatStream::new(fp16_values(machine) * 16),
        weights: BeatStream::new(machine.tile.weight_beat_bits),
        scales: BeatStream::new(machine.tile.scale_beat_bits),
        channels: BeatStream::new(machine.tile.channel_beat_bits),
    };
    for (weights, activations) in layers {
        weights.check().map_err(|e| MappingError::field("weights", weights.weight_type.name, e))?;
        let k = weights.input_channels;
        if !activations.len().is_multiple_of(k) {
            let expected = format!("must be a whole number of tokens of {k} input channels");
            return Err(MappingError::field("activations", activations.len(), expected));
        }
        let shape = [activations.len() / k, weights.output_channels, k];
        let (name, special) = (weights.weight_type.name, weights.special_values);
        let matmul = matmul_command(machine, name, special, weights.scale_kind, weights.group, shape)?;
        let walk = TileWalk::new(machine, &matmul);
        push_fp16(&mut lowered.fp16, fp16_values(machine) as usize, k, activations);
        for (n, _) in walk.passes() {
            push_weights(machine, &mut lowered, walk, weights, n);
        }
        lowered.program.commands.push(Command::Matmul(matmul));
    }
    lowered.program.commands.push(Command::End);
    for command in &lowered.program.commands {
        lowered.commands.push_words(&command.words());
    }
    Ok(lowered)
}

/// Activations of a beat of FP16: of the aligner, or of a row of a tile without one.
fn fp16_values(machine: &Machine) -> u32 {
    machine.aligner.as_ref().map_or(machine.pe.lanes, |aligner| aligner.values_per_cycle)
}

fn push_fp16(stream: &mut BeatStream, values: usize, input_channels: usize, activations: &[f16]) {
    for token in activations.chunks(input_channels) {
        for beat in token.chunks(values) {
            stream.push_fields(beat.iter().map(|a| (u64::from(a.to_bits()), 16)));
        }
    }
}

/// One pass' weights, scales and channel scales; padding channels hold zero codes and zero channel scales.
fn push_weights(machine: &Machine, lowered: &mut Lowered, walk: TileWalk, weights: &QuantizedMatrix, n: usize) {
    let (k, groups, zero) = (weights.input_channels, weights.groups(), weights.weight_type.zero_code());
    let channels = n..n + walk.columns;
    let real = |channel: &usize| *channel < weights.output_channels;
    for chunk in walk.read_chunks() {
        let start = chunk * walk.lanes;
        let fields = channels.clone().flat_map(|channel| {
            let code = move |i: usize| {
                let real = real(&channel) && start + i < k;
                (u64::from(if real { weights.codes[channel * k + start + i] } else { zero }), machine.code_bits)
            };
            let group = channel * groups + start / weights.group;
            let selector = if real(&channel) { weights.selectors[group] } else { 0 };
            (0..walk.lanes).map(code).chain([(u64::from(selector), 2)])
        });
        lowered.weights.push_fields(fields);
    }
    for group in 0..groups {
        let fields = |channel: usize| {
            let index = channel * groups + group;
            let padding = (weights.scale_kind.padding_code(), 0);
            let (code, zero) =
                if real(&channel) { (weights.scales[index], weights.zero_point(index)) } else { padding };
            let zero = (i64::from(zero) as u64 & ((1 << machine.zero_point_bits) - 1), machine.zero_point_bits);
            [(u64::from(code), machine.scale_code_bits), zero]
        };
        lowered.scales.push_fields(channels.clone().flat_map(fields).filter(|(_, bits)| *bits > 0));
    }
    let scale = |channel: usize| if real(&channel) { weights.channel_scales[channel].to_bits() } else { 0 };
    lowered.channels.push_fields(channels.clone().map(|c| (u64::from(scale(c)), 16)));
}
