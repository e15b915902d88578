//! Random machines and programs, by seed.

use bitmosaic_arch::{
    ArchError, DesignSpec, Digits, Machine, PeKind, ProcessingElementSpec, ScaleUnitSpec, TermOrder, TileSpec,
    WeightsSpec, elaborate,
};
use bitmosaic_mappings::Stalls;
use bitmosaic_numerics::{CodeValue, DigitSet, QuantizedMatrix, ScaleKind, TermTable, WeightType, f16, registry};
use bitmosaic_workloads::trace::{Activations, LayerTrace};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Kinds of activations that tests loop over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Near 1, both signs.
    Normal,
    /// Any finite number.
    Finite,
    /// Subnormal and zero.
    Subnormal,
    /// ±65504.
    Maximum,
    /// One in sixteen is not zero.
    MostlyZero,
    /// Any bits: NaN and infinities too.
    Any,
}

impl Activation {
    /// All kinds.
    pub const ALL: [Activation; 6] = [
        Activation::Normal,
        Activation::Finite,
        Activation::Subnormal,
        Activation::Maximum,
        Activation::MostlyZero,
        Activation::Any,
    ];

    fn draw(self, random: &mut Random) -> f16 {
        let bits = random.bits() as u16;
        match self {
            Activation::Normal => f16::from_bits(bits & 0x83FF | (random.below(8) as u16 + 10) << 10),
            Activation::Finite => f16::from_bits(if bits & 0x7C00 == 0x7C00 { bits & 0x83FF } else { bits }),
            Activation::Subnormal => f16::from_bits(bits & 0x83FF),
            Activation::Maximum => f16::from_bits(0x7BFF | bits & 0x8000),
            Activation::MostlyZero if random.below(16) > 0 => f16::from_bits(bits & 0x8000),
            Activation::MostlyZero => Activation::Finite.draw(random),
            Activation::Any => f16::from_bits(bits),
        }
    }
}

/// A seeded source of choices.
pub struct Random(ChaCha8Rng);

impl Random {
    /// Source of this seed.
    pub fn new(seed: u64) -> Random {
        Random(ChaCha8Rng::seed_from_u64(seed))
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number below `limit` (at least 1).
    pub fn below(&mut self, limit: usize) -> usize {
        ((u64::from(self.bits()) * limit as u64) >> 32) as usize
    }

    /// One of the choices.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A random tile of at most `most_pes` PEs, one in five each with `bit-serial-float`, `fp16-int` and `fp16-mac` ones.
pub fn design(random: &mut Random, most_pes: usize) -> DesignSpec {
    let rows = 1 + random.below(most_pes.min(8));
    let columns = 1 + random.below((most_pes / rows).min(8));
    tile_design(random, rows, columns)
}

/// A random design of a tile of this shape.
pub(crate) fn tile_design(random: &mut Random, rows: usize, columns: usize) -> DesignSpec {
    let lanes = random.pick(&[1u32, 2, 4, 8, 16]);
    let divides =
        |pes: &usize| (rows * columns).is_multiple_of(*pes) && (pes.is_multiple_of(rows) || rows.is_multiple_of(*pes));
    let sharing: Vec<usize> = (1..=rows * columns).filter(divides).collect();
    let block = PeKind::BitSerialBlock;
    let kind = random.pick(&[PeKind::BitSerialFloat, PeKind::Fp16Int, PeKind::Fp16Mac, block, block]);
    let float = kind == PeKind::BitSerialFloat;
    let own_exponents = float || kind == PeKind::Fp16Mac;
    let (digits, digit_set) = match kind {
        PeKind::BitSerialFloat => (Digits::Radix4, DigitSet::Radix4),
        PeKind::Fp16Mac => (Digits::default(), DigitSet::Fp16),
        PeKind::Fp16Int => random.pick(&[
            (Digits::Whole, DigitSet::Whole),
            (Digits::Radix16, DigitSet::Radix16),
            (Digits::Shifted, DigitSet::Shifted),
        ]),
        PeKind::BitSerialBlock => random.pick(&[
            (Digits::Radix4, DigitSet::Radix4),
            (Digits::Radix4, DigitSet::Radix4),
            (Digits::Paper, DigitSet::Paper),
            (Digits::Radix8, DigitSet::Radix8),
        ]),
    };
    let serial_block = kind == PeKind::BitSerialBlock;
    let order = if serial_block && random.below(2) == 0 { TermOrder::PlaneMajor } else { TermOrder::WeightMajor };
    let (types, scales) = types(random, own_exponents, digit_set, lanes);
    let (significand_bits, pes) = (8 + random.below(11) as u32, random.pick(&sharing) as u32);
    let (guard_bits, accumulator_guard_bits) = (random.below(5) as u32, random.below(4) as u32);
    let registers = random.below(6) as u32;
    let (pipeline_registers, float_pipeline_registers) = (registers / 2, registers % 2);
    DesignSpec {
        name: "random".into(),
        summary: "random tile".into(),
        clock_mhz: 1000,
        float_pipeline_registers,
        tile: TileSpec { rows: rows as u32, columns: columns as u32 },
        processing_element: ProcessingElementSpec {
            kind,
            lanes,
            digits,
            order,
            significand_bits: (!own_exponents).then_some(significand_bits),
            guard_bits: own_exponents.then_some(guard_bits),
            accumulator_guard_bits: own_exponents.then_some(accumulator_guard_bits),
            pipeline_registers,
        },
        scale_unit: (!float).then_some(ScaleUnitSpec { pes_per_scale_unit: pes }),
        weights: WeightsSpec { types, scales, max_group: lanes * (1 + random.below((256 / lanes) as usize)) as u32 },
        array: None,
        buffers: None,
        memory: None,
        vector_unit: None,
    }
}

/// One to four of the types that machines of the kind with these digits execute, in any order, and their kinds of group scale with now and
/// then others.
fn types(random: &mut Random, own_exponents: bool, digit_set: DigitSet, lanes: u32) -> (Vec<String>, Vec<String>) {
    let executable = registry().into_iter().filter(|t| TermTable::new(t, digit_set).is_ok());
    let executable = executable.filter(|t| lanes > 1 || t.victim_code().is_none());
    let mut types: Vec<WeightType> =
        executable.filter(|t| !own_exponents || (!t.has_zero_point() && t.scale_kind() == ScaleKind::Int8)).collect();
    let count = (1 + random.below(4)).min(types.len());
    let pairs = types.iter().position(|t| t.victim_code().is_some());
    // Weights in pairs more often than by chance.
    let often = pairs.filter(|_| random.below(8) == 0).map(|place| types.remove(place));
    let others = (0..count.min(types.len())).map(|_| types.remove(random.below(types.len())));
    let types: Vec<WeightType> = often.into_iter().chain(others).take(count).collect();
    let used = |kind: &ScaleKind| types.iter().any(|t| t.scale_kind() == *kind);
    let kinds = ScaleKind::ALL.into_iter().filter(|kind| used(kind) || (!own_exponents && random.below(5) == 0));
    let scales = kinds.map(|kind| kind.name().to_string()).collect();
    (types.iter().map(|t| t.name.to_string()).collect(), scales)
}

/// A random machine of at most `most_pes` PEs.
///
/// # Errors
/// None in practice: [`design`] gives valid designs only.
pub fn machine(random: &mut Random, most_pes: usize) -> Result<Machine, ArchError> {
    elaborate(&design(random, most_pes), "random design")
}

/// Shape of a random layer.
#[derive(Debug, Clone, Copy)]
pub struct LayerShape {
    /// Tokens.
    pub tokens: usize,
    /// Output channels.
    pub output_channels: usize,
    /// Input channels.
    pub input_channels: usize,
    /// Group.
    pub group: usize,
}

/// Random weights of a type: any code and pair, selector, zero point and scale, special values that the type's planes of
/// these digits reach.
pub fn weights(
    random: &mut Random,
    weight_type: &WeightType,
    digit_set: DigitSet,
    scale_kind: ScaleKind,
    shape: LayerShape,
) -> QuantizedMatrix {
    let usable = |value: &CodeValue| !matches!(value, CodeValue::Unused | CodeValue::Victim);
    let codes: Vec<u16> = weight_type.all_codes().filter(|(_, value)| usable(value)).map(|(code, _)| code).collect();
    let count = shape.output_channels * shape.input_channels;
    let groups = shape.output_channels * shape.input_channels.div_ceil(shape.group);
    let special = weight_type.special.is_some();
    let scales: Vec<u16> = (0..=u16::MAX).filter(|code| scale_kind.decode(*code).is_some()).collect();
    // Special values are programmable: now and then any that the type's digit planes reach.
    let planes = TermTable::new(weight_type, digit_set).map_or(1, |table| table.terms);
    let reachable: Vec<i32> =
        (-130..=130).filter(|v| digit_set.canonical_digits(i64::from(*v), planes).is_some()).collect();
    let programmed = special && random.below(2) == 0;
    let special_values = weight_type.special_values().map(|v| if programmed { random.pick(&reachable) } else { v });
    let channel = |random: &mut Random| match random.below(8) {
        0 => f16::from_bits(random.bits() as u16 & 0x83FF),
        1 => Activation::Finite.draw(random),
        _ => f16::from_bits(random.bits() as u16 & 0x03FF | (random.below(12) as u16 + 2) << 10),
    };
    let mut matrix_codes: Vec<u16> = (0..count).map(|_| random.pick(&codes)).collect();
    // Half of the pairs an outlier and its victim, on either side.
    if let Some(victim) = weight_type.victim_code() {
        let groups = matrix_codes.chunks_mut(shape.input_channels).flat_map(|row| row.chunks_mut(shape.group));
        for pair in groups.flat_map(|group| group.chunks_exact_mut(2)) {
            let place = random.below(4);
            if place < 2 && weight_type.outlier(pair[1 - place]).is_some() {
                pair[place] = victim;
            }
        }
    }
    QuantizedMatrix {
        weight_type: weight_type.clone(),
        output_channels: shape.output_channels,
        input_channels: shape.input_channels,
        group: shape.group,
        codes: matrix_codes,
        selectors: (0..groups).map(|_| if special { random.below(4) as u8 } else { 0 }).collect(),
        zero_points: (0..if weight_type.has_zero_point() { groups } else { 0 })
            .map(|_| (random.below(1 << weight_type.code_bits) as i32 - (1 << (weight_type.code_bits - 1))) as i8)
            .collect(),
        scale_kind,
        scales: (0..groups).map(|_| random.pick(&scales)).collect(),
        channel_scales: (0..shape.output_channels).map(|_| channel(random)).collect(),
        special_values,
    }
}

/// A random layer of this type, shape and kind of activations, with any kind of group scale that the machine executes.
pub fn layer(
    random: &mut Random,
    machine: &Machine,
    weight_type: &WeightType,
    shape: LayerShape,
    kind: Activation,
) -> LayerTrace {
    let scale_kind = random.pick(&machine.scale_kinds);
    let values = (0..shape.tokens * shape.input_channels).map(|_| kind.draw(random)).collect();
    LayerTrace {
        name: format!("{}x{}x{} {kind:?}", shape.tokens, shape.output_channels, shape.input_channels),
        weights: weights(random, weight_type, machine.pe.digit_set, scale_kind, shape),
        activations: Activations { tokens: shape.tokens, input_channels: shape.input_channels, values },
    }
}

/// A random program of one to three small layers for a machine: any executed type, any group, ragged sizes.
pub fn program(random: &mut Random, machine: &Machine) -> Vec<LayerTrace> {
    (0..1 + random.below(3))
        .map(|_| {
            let executed = random.below(machine.types.len());
            let weight_type = machine.types[executed].weight_type.clone();
            let step = machine.entry_channels as usize;
            let group = step * (1 + random.below(machine.max_group as usize / step));
            let shape = LayerShape {
                tokens: 1 + random.below(2 * machine.tile.rows as usize + 2),
                output_channels: 1 + random.below(2 * machine.tile.columns as usize + 2),
                input_channels: 1 + random.below(3 * group.min(48)),
                group,
            };
            let kind = random.pick(&Activation::ALL);
            layer(random, machine, &weight_type, shape, kind)
        })
        .collect()
}

/// Random stalls: none, starved inputs, blocked outputs, both.
pub fn stalls(random: &mut Random) -> Stalls {
    Stalls {
        seed: random.bits(),
        input_threshold: random.pick(&[0, 0, 64, 160, 240]),
        output_threshold: random.pick(&[0, 0, 64, 160, 240]),
    }
}
