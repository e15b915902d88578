//! Scale unit and output stage: group sum less zero point × activations, × scale -> FP32, added to the PE's FP32 accumulator; after the last group
//! × channel scale -> FP16. All units move in lockstep; a blocked output beat stops them.
//!
//! Binary32 arithmetic of the host is used as is: it is IEEE 754 round to nearest even, and no subnormal, infinity or NaN
//! can occur. Every term is an integer below 2^(accumulator bits + 11) times 2^(exponent + offset) with exponent 1..=60 and a
//! scale exponent of -24..=15, hence sums are multiples of 2^-62 (W = 24) and below 2^82; the product with an FP16 channel
//! scale stays in 2^-86..2^98.

use bitmosaic_arch::Machine;
use bitmosaic_numerics::{SMALLEST_SCALE_EXPONENT, Scale, ScaleKind, f16, fp16::CANONICAL_NAN};

use crate::pe::Sum;

/// Metadata of the group that drains, loaded at capture.
#[derive(Debug, Clone, Default)]
pub struct DrainGroup {
    /// First token and output channel of its pass, for probes.
    pub origin: (u32, u32),
    /// Slots that have not been issued.
    pub remaining: u32,
    /// Group scale code and zero point a column.
    pub scales: Vec<(u16, i64)>,
    /// Shared exponent and sum of the aligned activations a row.
    pub exponents: Vec<(u32, i64)>,
    /// A non-finite activation was seen in this pass, a row.
    pub non_finite: Vec<bool>,
    /// Channel scale a column, loaded with the last group of a pass.
    pub channels: Vec<u16>,
    /// Accumulators start from zero: first group of a pass that continues none.
    pub first_group: bool,
    /// The pass, whose accumulators the slots meet.
    pub block: u32,
    /// Last group of a pass: results go to the output stage.
    pub pass_end: bool,
    /// Last pass of the command.
    pub last: bool,
}

/// Control that moves with a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SlotFlags {
    /// The slot is the first group's: the accumulator counts as zero.
    pub first_group: bool,
    /// The slot's result is an output.
    pub output: bool,
    /// The slot is the last of its command.
    pub last: bool,
    /// Place of its accumulator.
    pub address: u32,
}

/// Values of one unit at one pipeline stage.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SlotData {
    /// Decode stage: group sum less zero point × activations. Stage 1: that × scale significand.
    pub product: i64,
    /// Decode stage: scale significand.
    pub significand: u32,
    /// Decode stage and stage 1: exponent of the sum, with that of the scale.
    pub exponent: u32,
    /// From stage 2: the scaled sum. After the writing stage: the new accumulator.
    pub value: f32,
    /// After the reading stage, up to the writing one: what the scaled sum is added to.
    pub accumulator: f32,
    /// Channel scale, carried along.
    pub channel: u16,
    /// The row's non-finite flag, carried along.
    pub non_finite: bool,
}

/// Registers of all scale units.
#[derive(Debug, Clone)]
pub struct ScaleUnits {
    /// The group that drains.
    pub group: DrainGroup,
    /// Decode stage, for machines that have one: flags while valid, data a unit.
    pub decode: (Option<SlotFlags>, Vec<SlotData>),
    /// Kind of group scale of the command that runs.
    pub scale_kind: ScaleKind,
    /// Stages from 1 to the one ahead of the output register: flags while valid, data a unit. Values are computed as they enter
    /// the first cycle of a step and rest for its others.
    pub stages: Vec<(Option<SlotFlags>, Vec<SlotData>)>,
    /// FP32 accumulators a unit, by place: a slot and a pass each. Beside them whether a part of the reduction that is done had
    /// a non-finite activation.
    pub accumulators: Vec<Vec<(f32, bool)>>,
    /// Output register: last flag and FP16 patterns while valid.
    pub output: Option<(bool, Vec<u16>)>,
}

impl ScaleUnits {
    /// All empty.
    pub fn new(machine: &Machine) -> ScaleUnits {
        let units = machine.scale_unit.units as usize;
        let stages = machine.scale_unit.write_stage() + machine.scale_unit.output_cycles;
        let (rows, columns) = (machine.tile.rows as usize, machine.tile.columns as usize);
        ScaleUnits {
            group: DrainGroup {
                scales: vec![(0, 0); columns],
                exponents: vec![(0, 0); rows],
                non_finite: vec![false; rows],
                channels: vec![0; columns],
                ..DrainGroup::default()
            },
            decode: (None, vec![SlotData::default(); units]),
            scale_kind: ScaleKind::Int8,
            stages: vec![(None, vec![SlotData::default(); units]); stages as usize],
            accumulators: vec![vec![(0.0, false); machine.scale_unit.accumulator_places() as usize]; units],
            output: None,
        }
    }

    /// Moves every stage by one (nothing blocks). `heads` are the hold registers at the head of each unit's chain; the
    /// caller shifts the chains when a PE's slot was issued, which the result tells.
    pub fn advance(&mut self, machine: &Machine, fraction_bits: u32, heads: &[Sum]) -> bool {
        let unit = &machine.scale_unit;
        let (read, write) = (unit.read_stage() as usize, unit.write_stage() as usize);
        // Stages move by one, the first one's old place for what enters.
        self.stages.rotate_right(1);
        let [s1, stages @ ..] = &mut self.stages[..] else { return false };
        // `stages[i - 1]` holds what leaves stage i.
        self.output = s1.0.take().map(|flags| {
            (flags.last, s1.1.iter().map(|d| output(d.value, d.channel, d.non_finite, fraction_bits)).collect())
        });
        let (flags, slots) = &mut stages[write - 1];
        for (data, accumulators) in slots.iter_mut().zip(&mut self.accumulators) {
            data.value += data.accumulator;
            if let Some(flags) = flags {
                accumulators[flags.address as usize] = (data.value, data.non_finite);
            }
        }
        *flags = flags.filter(|flags| flags.output);
        let (flags, slots) = &mut stages[read - 1];
        for (data, accumulators) in slots.iter_mut().zip(&self.accumulators) {
            let held = flags.filter(|flags| !flags.first_group).map(|flags| accumulators[flags.address as usize]);
            let (accumulator, non_finite) = held.unwrap_or_default();
            data.accumulator = accumulator;
            data.non_finite |= non_finite && unit.accumulator_blocks > 1;
        }
        for data in &mut stages[0].1 {
            data.value = scaled_sum(data.product, data.exponent as i32 + unit.exponent_offset);
        }
        if unit.decode_cycles > 0 {
            std::mem::swap(s1, &mut self.decode);
            if s1.0.is_some() {
                s1.1.iter_mut().for_each(|data| data.product *= i64::from(data.significand));
            }
        }
        // Where a slot enters.
        let entry = if unit.decode_cycles > 0 { &mut self.decode } else { s1 };
        entry.0 = None;
        let group = &mut self.group;
        if group.remaining == 0 {
            return false;
        }
        let slot = unit.slots - group.remaining;
        group.remaining -= 1;
        // The first slots are the PEs' own, to multiply by the scale code.
        let Some(index) = slot.checked_sub(unit.dequantize_cycles) else { return false };
        entry.0 = Some(SlotFlags {
            first_group: group.first_group,
            output: group.pass_end && index < unit.pes,
            last: group.last && index + 1 == unit.pes,
            address: unit.accumulator_address(group.block, index),
        });
        for (u, data) in entry.1.iter_mut().enumerate() {
            // Slots of no PE have the metadata of the first ones again.
            let (row, column) = machine.pe_of_unit(u as u32, index % unit.pes).unwrap_or_default();
            let (row, column) = (row as usize, column as usize);
            let head = match unit.dequantize_cycles {
                0 => decode(machine, self.scale_kind, group.scales[column], group.exponents[row], heads[u]),
                _ => SlotData {
                    product: heads[u].significand,
                    significand: 1,
                    exponent: heads[u].exponent,
                    ..SlotData::default()
                },
            };
            let product =
                if unit.decode_cycles > 0 { head.product } else { head.product * i64::from(head.significand) };
            *data = SlotData { product, channel: group.channels[column], non_finite: group.non_finite[row], ..head };
        }
        true
    }
}

/// What is multiplied next: the sum less zero point × activations, the significand of the scale, and both exponents.
pub(crate) fn decode(
    machine: &Machine,
    kind: ScaleKind,
    (code, zero_point): (u16, i64),
    (exponent, activations): (u32, i64),
    sum: Sum,
) -> SlotData {
    let scale = kind.decode(code).unwrap_or(Scale { significand: 0, exponent: SMALLEST_SCALE_EXPONENT });
    let with_exponents = ScaleKind::any_has_exponents(&machine.scale_kinds);
    SlotData {
        product: sum.significand - zero_point * activations,
        significand: scale.significand,
        // Of a PE with a group exponent of its own the shared one is 0, of the others the PE's.
        exponent: exponent
            + sum.exponent
            + if with_exponents { (scale.exponent - SMALLEST_SCALE_EXPONENT) as u32 } else { 0 },
        ..SlotData::default()
    }
}

/// Binary32 of `product · 2^power`, rounded once to nearest even.
pub(crate) fn scaled_sum(product: i64, power: i32) -> f32 {
    product as f32 * power_of_two(power)
}

/// FP16 output of a finished accumulator.
pub(crate) fn output(accumulator: f32, channel: u16, non_finite: bool, fraction_bits: u32) -> u16 {
    if non_finite {
        return CANONICAL_NAN;
    }
    let scaled = accumulator * f16::from_bits(channel).to_f32();
    let result = f16::from_f32(scaled * power_of_two(-(fraction_bits as i32))).to_bits();
    // Exact zero is +0, also for a negative channel scale; a rounded-away negative number keeps its sign.
    if scaled == 0.0 { 0 } else { result }
}

/// 2^power as binary32, power in -126..=127.
fn power_of_two(power: i32) -> f32 {
    f32::from_bits(((power + 127) as u32) << 23)
}
