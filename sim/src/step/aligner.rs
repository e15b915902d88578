//! The aligner: FP16 activations of a (token, group) become W-bit integers under the group's largest exponent. One pass
//! fills a group buffer and finds the largest exponent, the second shifts and rounds; two buffers overlap the passes.

use bitmosaic_arch::{EXPONENT_BITS, Machine};
use bitmosaic_mappings::{PortInputs, Signals, Unit, field, ports, read_bits};
use bitmosaic_numerics::{f16, fp16};

use crate::probe::{Probe, Probed};

/// One activation against the group's largest exponent: W-bit two's complement, round to nearest even, saturation where
/// rounding overflows. Non-finite inputs give a defined but meaningless pattern.
pub fn align(value: f16, largest_exponent: u32, significand_bits: u32) -> i32 {
    let decoded = fp16::decode(value);
    let (up, down) = (significand_bits.saturating_sub(12), 12u32.saturating_sub(significand_bits));
    let magnitude = u64::from(decoded.significand.unsigned_abs()) << up;
    let shift = (largest_exponent.saturating_sub(decoded.exponent) + down).min(40);
    let kept = magnitude >> shift;
    let rest = magnitude & ((1 << shift) - 1);
    let half = if shift == 0 { u64::MAX } else { 1 << (shift - 1) };
    let rounded = kept + u64::from(rest > half || (rest == half && kept & 1 == 1));
    let limit = 1i32 << (significand_bits - 1);
    if decoded.significand < 0 { -(rounded as i32).min(limit) } else { (rounded as i32).min(limit - 1) }
}

/// A group buffer.
#[derive(Debug, Clone, Default)]
struct GroupBuffer {
    beats: Vec<Vec<u16>>,
    exponent: u32,
    non_finite: bool,
    full: bool,
    /// Last group of the command.
    last: bool,
}

/// A beat that was taken, for the group buffer.
#[derive(Debug, Clone)]
struct Entering {
    values: Vec<u16>,
    side: usize,
    /// First and last beat of its group.
    first: bool,
    group_end: bool,
    /// The group is the last of its command.
    last: bool,
}

/// A beat between RAM and output register, or in the output register.
#[derive(Debug, Clone)]
struct Moving {
    values: Vec<u16>,
    exponent: u32,
    non_finite: bool,
    /// First beat of its group: the sum restarts.
    first: bool,
    last: bool,
}

/// Step engine of the aligner.
#[derive(Debug, Clone)]
pub struct AlignerStep<'m> {
    machine: &'m Machine,
    busy: bool,
    /// Tokens are left to read.
    reading: bool,
    group: u32,
    tokens: u32,
    input_channels: u32,
    k: u32,
    group_k: u32,
    token: u32,
    buffers: [GroupBuffer; 2],
    write: usize,
    read: usize,
    read_beat: usize,
    /// The beat ahead of the buffer, if there is a register.
    entering: Option<Entering>,
    /// Beats between RAM and output register: fetched, then in the lanes' registers.
    moving: Vec<Option<Moving>>,
    output: Option<(Vec<u64>, bool)>,
    /// Sum of the group's aligned activations up to the beat in the output register.
    sum: i64,
    output_bits: u32,
    probed: bool,
    probes: Vec<Probe>,
}

impl<'m> AlignerStep<'m> {
    /// An aligner after reset.
    pub fn new(machine: &'m Machine) -> AlignerStep<'m> {
        AlignerStep {
            machine,
            busy: false,
            reading: false,
            group: 0,
            tokens: 0,
            input_channels: 0,
            k: 0,
            group_k: 0,
            token: 0,
            buffers: Default::default(),
            write: 0,
            read: 0,
            read_beat: 0,
            entering: None,
            moving: vec![None; 1 + machine.aligner.as_ref().map_or(0, |a| a.lane_registers as usize)],
            output: None,
            sum: 0,
            output_bits: machine.aligner.as_ref().map_or(0, |a| a.output_beat_bits),
            probed: false,
            probes: Vec::new(),
        }
    }

    /// As [`AlignerStep::new`], and keeps [`Probed::probes`] of each cycle.
    pub fn with_probes(machine: &'m Machine) -> AlignerStep<'m> {
        AlignerStep { probed: true, ..AlignerStep::new(machine) }
    }

    fn take(&mut self, data: &[u64]) -> Entering {
        let step = self.machine.entry_channels;
        let values: Vec<u16> = (0..step).map(|i| read_bits(data, i * 16, 16) as u16).collect();
        let (k, group_k) = (self.k + step, self.group_k + step);
        let token_end = k >= self.input_channels;
        let group_end = token_end || group_k >= self.group;
        let last_token = self.token + 1 >= self.tokens;
        let (first, last) = (self.group_k == 0, token_end && last_token);
        let entering = Entering { values, side: self.write, first, group_end, last };
        self.k = if token_end { 0 } else { k };
        self.group_k = if group_end { 0 } else { group_k };
        if group_end {
            self.write ^= 1;
        }
        if token_end {
            self.token += 1;
            self.reading = !last_token;
        }
        entering
    }

    fn enter(&mut self, beat: Entering) {
        let decoded = beat.values.iter().map(|v| fp16::decode(f16::from_bits(*v)));
        let exponent = decoded.clone().map(|d| d.exponent).max().unwrap_or(1);
        let non_finite = decoded.clone().any(|d| !d.is_finite());
        let buffer = &mut self.buffers[beat.side];
        if beat.first {
            *buffer = GroupBuffer { exponent: 1, ..GroupBuffer::default() };
        }
        buffer.exponent = buffer.exponent.max(exponent);
        buffer.non_finite |= non_finite;
        buffer.full = beat.group_end;
        buffer.last = beat.last;
        buffer.beats.push(beat.values);
    }

    fn collect_probes(&self, take: bool, moving: bool) -> Vec<Probe> {
        let fetch = moving && self.buffers[self.read].full;
        let flags = [
            ("busy_q", self.busy),
            ("reading_q", self.reading),
            ("full_0_q", self.buffers[0].full),
            ("full_1_q", self.buffers[1].full),
            ("fetched_q", self.moving[0].is_some()),
            ("output_valid_q", self.output.is_some()),
            ("moving", moving),
            ("take", take),
            ("fetch", fetch),
        ];
        let mut probes: Vec<Probe> = flags.map(|(net, value)| Probe::new(net, "aligner", u64::from(value))).into();
        let sum_bits = self.machine.activation_sum_bits;
        if self.output.is_some() && sum_bits > 0 {
            probes.push(Probe::new("sum_q", "aligner", self.sum as u64 & (u64::MAX >> (64 - sum_bits))));
        }
        if let Some(fetched) = &self.moving[0] {
            probes.push(Probe::new("fetched_exponent_q", "aligner", u64::from(fetched.exponent)));
            probes.push(Probe::new("fetched_non_finite_q", "aligner", u64::from(fetched.non_finite)));
        }
        if let Some(leaving) = self.moving.last().and_then(Option::as_ref) {
            let w = self.machine.pe.activation_bits;
            for (lane, value) in leaving.values.iter().enumerate() {
                let aligned = align(f16::from_bits(*value), leaving.exponent, w) as u64 & (u64::MAX >> (64 - w));
                probes.push(Probe::new(format!("u_lane_{lane}.aligned_o"), "align_lane", aligned));
            }
        }
        probes
    }

    fn aligned(&mut self, moving: &Moving) -> Vec<u64> {
        let w = self.machine.pe.activation_bits;
        let mut stream = bitmosaic_mappings::BeatStream::new(self.output_bits);
        let values: Vec<i32> = moving.values.iter().map(|v| align(f16::from_bits(*v), moving.exponent, w)).collect();
        let before = if moving.first { 0 } else { self.sum };
        self.sum = before + values.iter().map(|v| i64::from(*v)).sum::<i64>();
        let metadata = [
            (u64::from(moving.exponent), EXPONENT_BITS),
            (u64::from(moving.non_finite), 1),
            (self.sum as u64, self.machine.activation_sum_bits),
        ];
        let metadata = metadata.into_iter().filter(|(_, bits)| *bits > 0);
        stream.push_fields(values.iter().map(|v| (*v as u64, w)).chain(metadata));
        stream.beat(0).to_vec()
    }
}

const COMMAND: usize = 0;
const FP16: usize = 1;
const _: () = assert!(ports::ALIGNER_INPUTS.len() == 2);

impl Unit for AlignerStep<'_> {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        let valid = |port: usize| inputs.valid >> port & 1 == 1;
        let moving = self.output.is_none() || inputs.output_ready;
        let ready = self.reading && !self.buffers[self.write].full;
        let accept = valid(COMMAND) && !self.busy;
        let opcode = accept.then(|| read_bits(inputs.data[COMMAND], field::OPCODE.0, field::OPCODE.1));
        signals.ready = u32::from(!self.busy) << COMMAND | u32::from(ready) << FP16;
        signals.status = 0;
        signals.output.clear();
        signals.output_valid = self.output.is_some();
        let mut finished = false;
        if let Some((words, last)) = &self.output {
            signals.output.extend(words);
            finished = *last && inputs.output_ready;
        }
        signals.retire = finished || opcode == Some(0);
        let take = ready && valid(FP16);
        if self.probed {
            self.probes = self.collect_probes(take, moving);
        }
        let fetch_from = self.read;
        if moving {
            self.moving.rotate_right(1);
            let leaving = self.moving[0].take();
            self.output = leaving.map(|m| (self.aligned(&m), m.last));
            let buffer = &mut self.buffers[fetch_from];
            if buffer.full {
                let end = self.read_beat + 1 == buffer.beats.len();
                self.moving[0] = Some(Moving {
                    values: buffer.beats[self.read_beat].clone(),
                    exponent: buffer.exponent,
                    non_finite: buffer.non_finite,
                    first: self.read_beat == 0,
                    last: end && buffer.last,
                });
                self.read_beat = if end { 0 } else { self.read_beat + 1 };
                if end {
                    buffer.full = false;
                    self.read ^= 1;
                }
            }
        }
        if let Some(beat) = self.entering.take() {
            self.enter(beat);
        }
        if take {
            let beat = self.take(inputs.data[FP16]);
            match self.machine.aligner.as_ref().map_or(0, |a| a.input_registers) {
                0 => self.enter(beat),
                _ => self.entering = Some(beat),
            }
        }
        if opcode.is_some_and(|o| o != 0) {
            let at = |(low, bits): (u32, u32)| read_bits(inputs.data[COMMAND], low, bits) as u32;
            self.busy = true;
            self.reading = true;
            self.group = at(field::GROUP);
            self.tokens = at(field::TOKENS);
            self.input_channels = at(field::INPUT_CHANNELS);
            (self.k, self.group_k, self.token) = (0, 0, 0);
        }
        if finished {
            self.busy = false;
        }
    }
}

impl Probed for AlignerStep<'_> {
    fn probes(&self) -> Vec<Probe> {
        self.probes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alignment_by_hand() {
        let one = f16::from_f32(1.0);
        // W = 14: the largest activation keeps its 11 bits, two zeros below.
        assert_eq!(align(one, 15, 14), 1024 << 2);
        assert_eq!(align(-one, 15, 14), -(1024 << 2));
        assert_eq!(align(one, 15 + 12, 14), 1);
        // A half rounds to the even zero, a little more than a half rounds up.
        assert_eq!(align(one, 15 + 13, 14), 0);
        assert_eq!(align(f16::from_f32(1.001), 15 + 13, 14), 1);
        assert_eq!(align(f16::from_f32(1.5), 15 + 12, 14), 2);
        assert_eq!(align(f16::from_f32(2.5), 16 + 12, 14), 1);
        // Subnormals have exponent 1 and no hidden bit.
        assert_eq!(align(f16::from_bits(1), 1, 14), 4);
        assert_eq!(align(f16::from_bits(0x8001), 1, 12), -1);
        // Narrow significands round at the top: 1024 does not fit 10 bits of two's complement, -512 does.
        assert_eq!(align(f16::from_bits(0x3FFF), 15, 10), 511);
        assert_eq!(align(f16::from_bits(0xBFFF), 15, 10), -512);
    }
}
