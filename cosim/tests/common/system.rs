//! A program on both units, cycle by cycle against the recorded step simulator: the fast part of the mutation test. Harder
//! than what `cosimulate` plays: commands come late, `end` comes in between, data without valid is garbage.

use std::cell::Cell;

use bitmosaic_arch::{Machine, TermOrder};
use bitmosaic_cosim::Case;
use bitmosaic_cosim::random::{self, Activation, LayerShape, Random};
use bitmosaic_mappings::{
    BeatStream, Lowered, PortInputs, Signals, Stalls, Unit, UnitStimulus, aligner_stimulus, field, run_unit,
    run_unit_observed, tile_stimulus,
};
use bitmosaic_numerics::{ScaleKind, f16};
use bitmosaic_rtl::hardware::Units;
use bitmosaic_rtl::netlist::Design;
use bitmosaic_rtl::unit::NetlistUnit;
use bitmosaic_sim::step::{AlignerStep, TileStep};
use bitmosaic_workloads::trace::LayerTrace;

/// A case with what the step simulator shows at the ports in every cycle.
pub struct System {
    /// The sound case.
    pub case: Case,
    aligner: Option<Recording>,
    tile: Recording,
}

struct Recording {
    stimulus: UnitStimulus,
    cycles: Vec<Signals>,
}

/// How a program is played.
#[derive(Debug, Clone, Copy)]
struct Setting {
    /// Thresholds of commands, operands, channel scales and outputs.
    command: u8,
    input: u8,
    channel: u8,
    output: u8,
    layers: fn(&Machine, &mut Random) -> Vec<LayerTrace>,
}

const SETTINGS: [Setting; 8] = [
    Setting { command: 128, input: 60, channel: 60, output: 110, layers: hard_layers },
    Setting { command: 0, input: 0, channel: 0, output: 0, layers: short_layers },
    Setting { command: 128, input: 225, channel: 225, output: 0, layers: short_layers },
    Setting { command: 0, input: 0, channel: 0, output: 225, layers: short_layers },
    Setting { command: 200, input: 0, channel: 250, output: 60, layers: short_layers },
    Setting { command: 128, input: 100, channel: 0, output: 128, layers: middle_layers },
    Setting { command: 0, input: 0, channel: 0, output: 60, layers: edge_layers },
    Setting { command: 0, input: 100, channel: 0, output: 90, layers: even_layers },
];

/// Programs that a fault should not survive: every kind of activations, every type, short and ragged groups, every way to
/// stall.
pub fn systems(machine: &Machine) -> Vec<System> {
    (1..).zip(SETTINGS).map(|(seed, setting)| System::new(machine, seed, setting)).collect()
}

/// The first of them as a case of the product's own engines.
pub fn hard_case(machine: &Machine) -> Case {
    let layers = hard_layers(machine, &mut Random::new(1));
    let stalls = Stalls { seed: 3, input_threshold: 60, output_threshold: 110 };
    Case::new(machine.clone(), layers, stalls, 1).unwrap()
}

impl System {
    fn new(machine: &Machine, seed: u64, setting: Setting) -> System {
        let layers = (setting.layers)(machine, &mut Random::new(seed));
        let stalls = Stalls { seed: seed as u32 + 3, input_threshold: setting.input, output_threshold: setting.output };
        let mut case = Case::new(machine.clone(), layers, stalls, seed).unwrap();
        case.lowered.commands = with_ends(machine, &case.lowered);
        let mut aligned = Vec::new();
        let aligner = aligner_stimulus(machine, &case.lowered, stalls).map(|mut stimulus| {
            stimulus.inputs[0].2.threshold = setting.command;
            aligned = run_unit(&mut AlignerStep::new(machine), &stimulus, case.cycle_limit()).unwrap().outputs;
            Recording::new(&mut AlignerStep::new(machine), stimulus, &case)
        });
        let mut stimulus = tile_stimulus(machine, &case.lowered, &aligned, stalls).unwrap();
        stimulus.inputs[0].2.threshold = setting.command;
        for (name, _, gate) in &mut stimulus.inputs {
            if *name == "channel" {
                gate.threshold = setting.channel;
            }
        }
        let tile = Recording::new(&mut TileStep::new(machine), stimulus, &case);
        System { case, aligner, tile }
    }

    /// Whether a port of a unit that has this module differs in any cycle, or a memory is misused.
    pub fn ports_differ(&self, units: &Units, module: &str, state_seed: u64) -> bool {
        let differs = |(design, recording): (&Design, &Recording)| {
            design.module(module).is_some() && recording.differs(design, state_seed)
        };
        units.aligner.iter().zip(&self.aligner).any(differs) || differs((&units.tile, &self.tile))
    }
}

impl Recording {
    fn new(unit: &mut dyn Unit, stimulus: UnitStimulus, case: &Case) -> Recording {
        let mut cycles = Vec::new();
        let mut observe = |_: i64, signals: &Signals| {
            cycles.push(signals.clone());
            true
        };
        run_unit_observed(unit, &stimulus, case.cycle_limit(), &mut observe).unwrap();
        Recording { stimulus, cycles }
    }

    fn differs(&self, design: &Design, state_seed: u64) -> bool {
        let Ok(netlist) = NetlistUnit::new(design, &self.stimulus, state_seed) else { return true };
        let mut unit = Garbage { netlist, random: Random::new(state_seed), words: Vec::new() };
        let differs = Cell::new(false);
        let mut expected = self.cycles.iter();
        let mut observe = |_: i64, signals: &Signals| {
            let same = expected.next().is_some_and(|e| e == signals);
            differs.set(!same);
            same
        };
        let ended = run_unit_observed(&mut unit, &self.stimulus, self.cycles.len() as u64 + 1, &mut observe);
        differs.get() || ended.is_err() || unit.netlist.simulator().hazards() > 0
    }
}

/// A netlist whose data inputs carry random bits where valid is low.
struct Garbage {
    netlist: NetlistUnit,
    random: Random,
    words: Vec<u64>,
}

impl Unit for Garbage {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        let most = inputs.data.iter().map(|words| words.len()).max().unwrap_or(0);
        self.words.clear();
        self.words.extend((0..most).map(|_| u64::from(self.random.bits()) << 32 | u64::from(self.random.bits())));
        let words = |(port, data): (usize, &&'_ [u64])| match inputs.valid >> port & 1 {
            1 => data.to_vec(),
            _ => self.words[..data.len()].to_vec(),
        };
        let data: Vec<Vec<u64>> = inputs.data.iter().enumerate().map(words).collect();
        let inputs = PortInputs { data: data.iter().map(|words| &words[..]).collect(), ..*inputs };
        self.netlist.cycle(&inputs, signals);
    }
}

/// The commands with `end` in front of every second, and products that stop after the first digit plane in between.
fn with_ends(machine: &Machine, lowered: &Lowered) -> BeatStream {
    let commands = &lowered.commands;
    let mut stream = BeatStream::new(commands.width_bits());
    for index in 0..commands.len() {
        if index % 2 == 0 {
            stream.push_words(&vec![0; commands.words_per_beat()]);
        }
        let mut words = commands.beat(index).to_vec();
        // Plane-major operands come once a plane, so that the planes are given.
        let any_planes = machine.pe.order == TermOrder::WeightMajor;
        if any_planes && index % 3 == 1 && index + 1 < commands.len() {
            const { assert!(field::TERMS.0 == 16 && field::TERMS.1 == 8) }
            words[0] = words[0] & !(0xFF << 16) | 1 << 16;
        }
        stream.push_words(&words);
    }
    stream
}

fn hard_layers(machine: &Machine, random: &mut Random) -> Vec<LayerTrace> {
    let layer = |(i, kind): (usize, Activation)| {
        let group = ([4, 1, 2, 16][i % 4] * machine.pe.lanes as usize).min(machine.max_group as usize);
        let shape = LayerShape {
            tokens: machine.tile.rows as usize + 1 + i % 2,
            output_channels: machine.tile.columns as usize * (1 + i % 2) + i % 3,
            input_channels: 2 * group + 3 + i,
            group,
        };
        random::layer(random, machine, &machine.types[i % machine.types.len()].weight_type, shape, kind)
    };
    let layers = Activation::ALL.into_iter().chain(Activation::ALL).enumerate().map(layer);
    let mut layers: Vec<LayerTrace> = layers.collect();
    layers.extend(largest_sums(machine));
    layers.extend(largest_differences(machine));
    layers.extend(largest_products(machine));
    layers.extend(cancelling_products(machine, random));
    layers
}

/// Sums of FP16 weights whose largest products cancel, so that the last bits of the accumulator are the outputs; between these,
/// small products and zeros.
fn cancelling_products(machine: &Machine, random: &mut Random) -> Option<LayerTrace> {
    let executed = machine.types.iter().find(|t| t.weight_type.is_fp16())?;
    let (group, lanes) = (machine.max_group as usize, machine.pe.lanes as usize);
    let [tokens, output_channels] = [machine.tile.rows, machine.tile.columns].map(|size| 2 * size as usize);
    let shape = LayerShape { tokens, output_channels, input_channels: group, group };
    let mut layer = random::layer(random, machine, &executed.weight_type, shape, Activation::Normal);
    layer.weights.scales.fill(1);
    layer.weights.channel_scales.fill(f16::ONE);
    let mut number = |lowest: u32, fields: usize| {
        let field = lowest + random.below(fields) as u32;
        f16::from_bits((random.bits() & 0x83FF | field << 10) as u16)
    };
    // The last chunk is the first times `sign`. Of every other channel and token no number is large.
    let mut row = |index: usize, sign: f32| {
        let fields = if index.is_multiple_of(2) { [(20, 4), (4, 12)] } else { [(1, 4); 2] };
        let mut row: Vec<f16> = (0..group)
            .map(|k| {
                let (lowest, count) = fields[usize::from(k >= lanes)];
                number(lowest, count)
            })
            .collect();
        for k in 0..lanes {
            row[group - lanes + k] = f16::from_f32(row[k].to_f32() * sign);
        }
        row
    };
    layer.weights.codes = (0..output_channels).flat_map(|channel| row(channel, -1.0)).map(f16::to_bits).collect();
    layer.activations.values = (0..tokens).flat_map(|token| row(token, 1.0)).collect();
    // Zeros between the ends, now on one side and now on the other.
    for k in lanes..group - lanes {
        match random.below(4) {
            0 => {
                layer.weights.codes.iter_mut().skip(k).step_by(group).for_each(|code| *code = 0);
                // Its exponent is none of the cycle's.
                layer.activations.values.iter_mut().skip(k).step_by(group).for_each(|value| *value = f16::MAX);
            }
            1 => layer.activations.values.iter_mut().skip(k).step_by(group).for_each(|value| *value = f16::ZERO),
            _ => {}
        }
    }
    Some(layer)
}

/// The largest sums of FP16 weights, of both signs.
fn largest_products(machine: &Machine) -> Option<LayerTrace> {
    let executed = machine.types.iter().find(|t| t.weight_type.is_fp16())?;
    let group = machine.max_group as usize;
    let shape = LayerShape { tokens: 2, output_channels: 2, input_channels: group, group };
    let mut layer = random::layer(&mut Random::new(0), machine, &executed.weight_type, shape, Activation::Maximum);
    layer.weights.codes.fill(f16::MIN.to_bits());
    layer.weights.scales.fill(u8::MAX.into());
    for (i, value) in layer.activations.values.iter_mut().enumerate() {
        *value = if i < group { f16::MAX } else { f16::MIN };
    }
    Some(layer)
}

/// The largest sums, of both signs, that the widths of the machine are made for: the largest group of the largest
/// activations times the largest special value that can be programmed, times the largest scale code.
fn largest_sums(machine: &Machine) -> Option<LayerTrace> {
    let executed = machine.types.iter().find(|t| t.weight_type.special.is_some())?;
    let group = machine.max_group as usize;
    let shape = LayerShape { tokens: 2, output_channels: 2, input_channels: group, group };
    let mut layer = random::layer(&mut Random::new(0), machine, &executed.weight_type, shape, Activation::Maximum);
    layer.weights.codes.fill(executed.weight_type.special_code()?);
    layer.weights.scale_kind = ScaleKind::Int8;
    layer.weights.scales.fill(u8::MAX.into());
    layer.weights.special_values = [-(machine.pe.digit_set.largest_value(executed.table.terms) as i32); 4];
    for (i, value) in layer.activations.values.iter_mut().enumerate() {
        *value = if i < group { f16::MAX } else { f16::MIN };
    }
    Some(layer)
}

/// The largest sums of a machine with zero points: the smallest code, the largest zero point, under the largest scale of the
/// kind with the widest significand.
fn largest_differences(machine: &Machine) -> Option<LayerTrace> {
    let with_zero_points = machine.types.iter().filter(|t| t.weight_type.has_zero_point());
    let executed = with_zero_points.max_by_key(|t| t.weight_type.code_bits)?;
    let group = machine.max_group as usize;
    let shape = LayerShape { tokens: 2, output_channels: 2, input_channels: group, group };
    let mut layer = random::layer(&mut Random::new(0), machine, &executed.weight_type, shape, Activation::Maximum);
    let half = 1i32 << (executed.weight_type.code_bits - 1);
    let kind = machine.scale_kinds.iter().copied().max_by_key(|kind| kind.significand_bits())?;
    let codes = (0..=u16::MAX).filter(|code| kind.decode(*code).is_some());
    let largest = codes.max_by_key(|code| kind.decode(*code).map(|scale| scale.significand))?;
    layer.weights.codes.fill(half as u16); // -half
    layer.weights.zero_points.fill((half - 1) as i8);
    layer.weights.scale_kind = kind;
    layer.weights.scales.fill(largest);
    for (i, value) in layer.activations.values.iter_mut().enumerate() {
        *value = if i < group { f16::MAX } else { f16::MIN };
    }
    Some(layer)
}

/// Groups so short that scale units and metadata are late.
fn short_layers(machine: &Machine, random: &mut Random) -> Vec<LayerTrace> {
    layers(machine, random, [1, 1, 2, 1, 3, 1])
}

/// Groups about as long as the drain of the one before, outputs included.
fn middle_layers(machine: &Machine, random: &mut Random) -> Vec<LayerTrace> {
    let slots = machine.scale_unit.slots as usize;
    layers(machine, random, [1, 2, 3, 4, 5, 7].map(|extra| (slots + 2 * extra) / 2))
}

/// Groups about as long as the loop of the accumulators where its steps take several cycles, many of them, so that a blocked
/// output meets gaps between slots anywhere in the pipeline.
fn even_layers(machine: &Machine, random: &mut Random) -> Vec<LayerTrace> {
    layers(machine, random, [2; 60])
}

/// Subnormal activations among zeros, and single non-finite ones among normal ones, in the shortest groups and passes.
fn edge_layers(machine: &Machine, random: &mut Random) -> Vec<LayerTrace> {
    let mut layers = layers(machine, random, [1, 1, 2, 2, 1, 1, 2, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
    for (i, layer) in layers.iter_mut().enumerate() {
        let bits = |random: &mut Random| match i % 2 {
            0 if random.below(2) == 0 => 0,
            0 => random.bits() as u16 & 0x83FF,
            _ if random.below(12) == 0 => 0x7C00 | random.bits() as u16,
            _ => 0x3C00 | random.bits() as u16 & 0x83FF,
        };
        layer.activations.values.iter_mut().for_each(|v| *v = f16::from_bits(bits(random)));
    }
    layers
}

fn layers<const N: usize>(machine: &Machine, random: &mut Random, chunks: [usize; N]) -> Vec<LayerTrace> {
    let layer = |(i, chunks): (usize, usize)| {
        let group = (chunks * machine.pe.lanes as usize).min(machine.max_group as usize);
        let shape = LayerShape {
            tokens: 1 + random.below(3 * machine.tile.rows as usize + 1),
            output_channels: 1 + random.below(2 * machine.tile.columns as usize + 1),
            // Now and then a pass is one chunk.
            input_channels: if i % 3 == 1 { machine.pe.lanes as usize } else { 1 + random.below(4 * group) },
            group,
        };
        let kind = Activation::ALL[i % Activation::ALL.len()];
        random::layer(random, machine, &machine.types[i % machine.types.len()].weight_type, shape, kind)
    };
    chunks.into_iter().enumerate().map(layer).collect()
}
