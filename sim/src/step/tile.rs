//! The tile: operand register, term generators, PEs, scale units, output stage. The clocked behaviour is described in
//! ARCHITECTURE.md, "The tile, cycle by cycle"; the netlist of `rtl/src/hardware/tile.rs` is its twin.

use bitmosaic_arch::{Machine, TermOrder};
use bitmosaic_mappings::{PortInputs, Signals, Unit, field, read_bits, sign_extend};

use super::command::Running;
use super::fields::{exponent_field, scale_field};
use super::scale_unit::ScaleUnits;
use super::tile_ports::{
    ACTIVATION, CHANNEL, COMMAND, COMPUTE, EXPONENT, SCALE, STALL_OPERAND, STALL_OUTPUT, STALL_SCALE_UNIT, WEIGHT,
};
use super::tile_probes::{self, Control};
use crate::pe::{Arithmetic, PeState, Sum, Term};
use crate::probe::{Probe, Probed};

/// First token and first output channel of a pass.
pub(super) type Origin = (u32, u32);

/// Flags that travel with a step through the PE pipeline.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StepFlags {
    /// First token and output channel of the pass, for probes.
    pub(super) origin: Origin,
    /// Rows (as bits) with a NaN or an infinity in the chunk; only without aligner.
    non_finite: u64,
    /// First term of a group: the accumulator restarts.
    clear: bool,
    /// First term of a lower plane: the accumulator counts radix times (plane-major).
    next_plane: bool,
    plane: u32,
    /// Last term of a group: the accumulator goes to the hold register.
    group_end: bool,
    first_group: bool,
    pass_end: bool,
    last: bool,
}

/// The operand register: a chunk of lanes for every row and column, held for its terms.
#[derive(Debug, Clone, Default)]
pub(super) struct Operand {
    pub(super) valid: bool,
    /// First token and output channel of the pass, for probes.
    pub(super) origin: Origin,
    pub(super) plane: u32,
    /// First chunk of a lower plane.
    pub(super) next_plane: bool,
    group_first: bool,
    pub(super) group_end: bool,
    first_group: bool,
    pub(super) pass_end: bool,
    last: bool,
    /// `[column][lane]`
    codes: Vec<u16>,
    /// `[column]`
    selectors: Vec<u8>,
    /// `[row][lane]`, aligned integers or FP16 patterns.
    pub(super) activations: Vec<i32>,
    /// Rows (as bits) with a NaN or an infinity; only without aligner.
    non_finite: u64,
}

/// Step engine of the tile.
#[derive(Debug, Clone)]
pub struct TileStep<'m> {
    pub(super) machine: &'m Machine,
    pub(super) busy: bool,
    /// Chunks of the command are left to load.
    pub(super) feeding: bool,
    running: Running,
    /// Input channels of the pass, of the group; block origins.
    k: u32,
    group_k: u32,
    /// Digit plane in which the next chunk starts.
    next_plane: u32,
    token: u32,
    output_channel: u32,
    first_group: bool,
    /// Pass of the group that was captured last; the first one of a command is 0.
    block: u32,
    pub(super) operand: Operand,
    /// Steps in the PE pipeline, youngest first.
    pub(super) pipeline: Vec<Option<StepFlags>>,
    /// `[column][row]`, the order of the hold chains.
    pub(super) pes: Vec<PeState>,
    pub(super) arithmetic: Arithmetic,
    /// Rows (as bits) with a NaN or an infinity in the group; only without aligner.
    non_finite: u64,
    /// Pass of the term that the accumulators took last; none until the first.
    pub(super) accumulated: Option<Origin>,
    pub(super) scale_units: ScaleUnits,
    /// Terms of this cycle, `[column][lane]`.
    pub(super) terms: Vec<Term>,
    probed: bool,
    probes: Vec<Probe>,
}

impl<'m> TileStep<'m> {
    /// A tile after reset.
    pub fn new(machine: &'m Machine) -> TileStep<'m> {
        let lanes = machine.pe.lanes as usize;
        let pe = PeState { lanes: vec![Sum::default(); lanes], ..PeState::default() };
        TileStep {
            machine,
            busy: false,
            feeding: false,
            running: Running::none(machine),
            k: 0,
            group_k: 0,
            next_plane: 0,
            token: 0,
            output_channel: 0,
            first_group: false,
            block: 0,
            operand: Operand::default(),
            pipeline: vec![None; machine.pe.pipeline_registers as usize],
            pes: vec![pe; machine.pes() as usize],
            arithmetic: Arithmetic::new(machine),
            non_finite: 0,
            accumulated: None,
            scale_units: ScaleUnits::new(machine),
            terms: vec![Term::default(); machine.tile.columns as usize * lanes],
            probed: false,
            probes: Vec::new(),
        }
    }

    /// As [`TileStep::new`], and keeps [`Probed::probes`] of each cycle.
    pub fn with_probes(machine: &'m Machine) -> TileStep<'m> {
        TileStep { probed: true, ..TileStep::new(machine) }
    }

    fn accept(&mut self, command: &[u64]) {
        self.running = Running::decode(self.machine, command);
        self.scale_units.scale_kind = self.running.scale_kind;
        self.next_plane = self.running.first_plane(self.machine);
        self.busy = true;
        self.feeding = true;
        (self.k, self.group_k, self.token, self.output_channel) = (0, 0, 0, 0);
        self.first_group = self.machine.scale_unit.accumulator_blocks > 1 || !self.running.continues;
        self.block = u32::MAX;
    }

    fn load(&mut self, weights: &[u64], activations: &[u64]) {
        let (machine, run) = (self.machine, &self.running);
        let (lanes, bits, w) = (machine.pe.lanes, machine.code_bits, machine.pe.activation_bits);
        let column_bits = lanes * bits + 2;
        let code = |i: u32| read_bits(weights, i / lanes * column_bits + i % lanes * bits, bits) as u16;
        let selector = |c: u32| read_bits(weights, c * column_bits + lanes * bits, 2) as u8;
        let activation = |i: u32| sign_extend(read_bits(activations, i * w, w), w) as i32;
        let plane_major = machine.pe.order == TermOrder::PlaneMajor;
        let (k, group_k) = (self.k + lanes, self.group_k + lanes);
        let channels_end = k >= run.input_channels;
        let plane_end = group_k >= run.group || channels_end;
        let last_plane = !plane_major || self.next_plane == 0;
        let (group_end, pass_end) = (plane_end && last_plane, channels_end && last_plane);
        let top_plane = self.next_plane == run.first_plane(machine);
        let (token, output_channel) = (self.token + machine.tile.rows, self.output_channel + machine.tile.columns);
        let last_rows = token >= run.tokens;
        let last_columns = output_channel >= run.output_channels;
        self.operand = Operand {
            valid: true,
            origin: (self.token, self.output_channel),
            plane: self.next_plane,
            next_plane: self.group_k == 0 && !top_plane,
            group_first: self.group_k == 0 && top_plane,
            group_end,
            first_group: self.first_group,
            // Without outputs at its end a pass has no channel scales either.
            pass_end: pass_end && !run.unfinished,
            last: pass_end && last_rows && last_columns,
            codes: (0..machine.tile.columns * lanes).map(code).collect(),
            selectors: (0..machine.tile.columns).map(selector).collect(),
            non_finite: (0..machine.tile.rows * lanes)
                .filter(|i| machine.aligner.is_none() && activation(*i) & 0x7C00 == 0x7C00)
                .fold(0, |rows, i| rows | 1 << (i / lanes)),
            activations: (0..machine.tile.rows * lanes).map(activation).collect(),
        };
        // A lower plane goes back to the start of the group.
        self.k = match (plane_end, group_end) {
            _ if pass_end => 0,
            (true, false) => self.k - self.group_k,
            _ => k,
        };
        self.group_k = if plane_end { 0 } else { group_k };
        if plane_end {
            self.next_plane = if last_plane { run.first_plane(machine) } else { self.next_plane - 1 };
        }
        self.first_group = pass_end || (self.first_group && !group_end);
        if pass_end {
            self.token = if last_rows { 0 } else { token };
            if last_rows {
                self.output_channel = output_channel;
                self.feeding = !last_columns;
            }
        }
    }

    /// Data registers of the PE pipeline; `step` enters it, `term` leaves it into the accumulator.
    fn advance_pes(&mut self, step: bool, term: Option<StepFlags>, capture: bool) {
        let (rows, lanes) = (self.machine.tile.rows as usize, self.machine.pe.lanes as usize);
        let arithmetic = &self.arithmetic;
        for (i, pe) in self.pes.iter_mut().enumerate() {
            let (column, row) = (i / rows, i % rows);
            let terms = &self.terms[column * lanes..(column + 1) * lanes];
            let fresh = self.operand.activations.get(row * lanes..(row + 1) * lanes).unwrap_or_default();
            if self.pipeline.is_empty() {
                pe.multiply(arithmetic, terms, fresh);
                pe.add_lanes(arithmetic);
            }
            if let Some(term) = term {
                let accumulator = if term.clear { Sum::default() } else { pe.accumulator };
                pe.accumulator = arithmetic.accumulate(accumulator, term.next_plane, pe.tree, term.plane);
                if capture {
                    pe.hold = pe.accumulator;
                }
            }
            if self.pipeline.len() == 2 {
                pe.add_lanes(arithmetic);
            }
            if step && !self.pipeline.is_empty() {
                pe.multiply(arithmetic, terms, fresh);
                if self.pipeline.len() == 1 {
                    pe.add_lanes(arithmetic);
                }
            }
        }
        if let Some(term) = term {
            self.non_finite = term.non_finite | if term.clear { 0 } else { self.non_finite };
        }
        self.accumulated = term.map(|t| t.origin).or(self.accumulated);
    }

    /// Shifts the hold chains by one towards the scale units; zeros follow.
    fn shift_chains(&mut self) {
        for chain in self.pes.chunks_mut(self.machine.scale_unit.pes as usize) {
            for i in 1..chain.len() {
                chain[i - 1].hold = chain[i].hold;
            }
            if let Some(tail) = chain.last_mut() {
                tail.hold = Sum::default();
            }
        }
    }

    fn capture(&mut self, flags: StepFlags, scales: &[u64], exponents: &[u64], channels: &[u64]) {
        let (tile, group) = (&self.machine.tile, &mut self.scale_units.group);
        group.remaining = self.machine.scale_unit.slots;
        group.origin = flags.origin;
        group.first_group =
            flags.first_group && !(self.machine.scale_unit.accumulator_blocks > 1 && self.running.continues);
        self.block = self.block.wrapping_add(u32::from(flags.first_group));
        group.block = self.block;
        group.pass_end = flags.pass_end;
        group.last = flags.last;
        group.scales = (0..tile.columns).map(|c| scale_field(self.machine, scales, c)).collect();
        let mut non_finite = self.non_finite;
        if tile.exponent_beat_bits.is_some() {
            let fields = (0..tile.rows).map(|r| exponent_field(self.machine, exponents, r));
            non_finite = fields.clone().enumerate().fold(0, |rows, (r, field)| rows | u64::from(field.non_finite) << r);
            group.exponents = fields.map(|field| (field.exponent, field.sum)).collect();
        }
        for (row, seen) in group.non_finite.iter_mut().enumerate() {
            *seen = non_finite >> row & 1 == 1 || (*seen && !flags.first_group);
        }
        if flags.pass_end {
            group.channels = (0..tile.columns).map(|c| read_bits(channels, c * 16, 16) as u16).collect();
        }
        // The PEs multiply by the scale code themselves, one bit a cycle; nothing sees the product before it is complete.
        if self.machine.scale_unit.dequantize_cycles > 0 {
            for (i, pe) in self.pes.iter_mut().enumerate() {
                pe.hold.significand *= i64::from(group.scales[i / tile.rows as usize].0);
            }
        }
    }
}

impl Unit for TileStep<'_> {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        let valid = |port: usize| inputs.valid >> port & 1 == 1;
        // What the cycle's combinational logic sees.
        let moving = self.scale_units.output.is_none() || inputs.output_ready;
        let remaining = self.scale_units.group.remaining;
        let hold_free = remaining == 0 || (remaining == 1 && moving);
        let operand = &self.operand;
        let plane_major = self.machine.pe.order == TermOrder::PlaneMajor;
        let last_plane = plane_major || operand.plane + 1 == self.running.terms;
        let issued = operand.valid.then_some(StepFlags {
            origin: operand.origin,
            non_finite: operand.non_finite,
            clear: operand.group_first && (plane_major || operand.plane == 0),
            next_plane: operand.next_plane,
            plane: operand.plane,
            group_end: operand.group_end && last_plane,
            first_group: operand.first_group,
            pass_end: operand.pass_end,
            last: operand.last,
        });
        let term = self.pipeline.last().copied().unwrap_or(issued);
        let ends = term.filter(|t| t.group_end);
        let has_exponents = self.machine.tile.exponent_beat_bits.is_some();
        let metadata = valid(SCALE) && (!has_exponents || valid(EXPONENT));
        let capture = ends.filter(|t| hold_free && metadata && (!t.pass_end || valid(CHANNEL)));
        let advance = ends.is_none() || capture.is_some();
        let step = operand.valid && advance;
        let load = self.feeding && valid(WEIGHT) && valid(ACTIVATION) && (!operand.valid || (step && last_plane));
        let accept = valid(COMMAND) && !self.busy;
        let opcode = accept.then(|| read_bits(inputs.data[COMMAND], field::OPCODE.0, field::OPCODE.1));

        // Outputs.
        let capture_bit = u32::from(capture.is_some());
        signals.ready = u32::from(!self.busy) << COMMAND
            | u32::from(load) << WEIGHT
            | u32::from(load) << ACTIVATION
            | capture_bit << SCALE
            | (capture_bit & u32::from(has_exponents)) << EXPONENT
            | u32::from(capture.is_some_and(|t| t.pass_end)) << CHANNEL;
        signals.output.clear();
        signals.output_valid = self.scale_units.output.is_some();
        let mut finished = false;
        if let Some((last, values)) = &self.scale_units.output {
            finished = *last && inputs.output_ready;
            let words = values.chunks(4).map(|c| c.iter().rev().fold(0, |acc, v| acc << 16 | u64::from(*v)));
            signals.output.extend(words);
        }
        // A command without outputs is over with its last group in the hold chains.
        let captured = self.running.unfinished && capture.is_some_and(|t| t.last);
        signals.retire = finished || captured || opcode == Some(0);
        let blocked_output = u32::from(!moving) * STALL_OUTPUT;
        signals.status = match (step, ends.is_some() && capture.is_none()) {
            _ if !self.busy => 0,
            (true, _) => COMPUTE,
            (_, true) if hold_free => STALL_OPERAND,
            (_, true) => {
                if moving {
                    STALL_SCALE_UNIT
                } else {
                    STALL_OUTPUT
                }
            }
            _ if self.feeding && !load => STALL_OPERAND,
            _ if self.feeding => 0,
            _ => blocked_output,
        };
        if operand.valid {
            let lanes = self.machine.pe.lanes as usize;
            let Operand { codes, selectors, plane, .. } = operand;
            // Lanes 2i and 2i + 1 of a column hold a pair.
            let term = |i: usize| {
                let neighbour = codes.get(i ^ 1).copied();
                self.running.term(self.machine, (codes[i], neighbour), selectors[i / lanes], *plane)
            };
            self.terms = (0..codes.len()).map(term).collect();
        }
        if self.probed {
            let capture = capture.is_some();
            self.probes = tile_probes::collect(self, &Control { moving, hold_free, capture, advance, step, load });
        }

        // The edge.
        let heads: Vec<Sum> = self.pes.chunks(self.machine.scale_unit.pes as usize).map(|c| c[0].hold).collect();
        if moving && self.scale_units.advance(self.machine, self.running.fraction_bits, &heads) {
            self.shift_chains();
        }
        if advance {
            self.advance_pes(step, term, capture.is_some());
            let entered = issued.filter(|_| step);
            if !self.pipeline.is_empty() {
                self.pipeline.rotate_right(1);
                self.pipeline[0] = entered;
            }
        }
        if let Some(flags) = capture {
            let exponents = inputs.data.get(EXPONENT).copied().unwrap_or_default();
            self.capture(flags, inputs.data[SCALE], exponents, inputs.data[CHANNEL]);
        }
        if load {
            self.load(inputs.data[WEIGHT], inputs.data[ACTIVATION]);
        } else if step {
            self.operand.valid = !last_plane;
            self.operand.plane += 1;
        }
        if opcode.is_some_and(|o| o != 0) {
            self.accept(inputs.data[COMMAND]);
        }
        if finished || captured {
            self.busy = false;
        }
    }
}

impl Probed for TileStep<'_> {
    fn probes(&self) -> Vec<Probe> {
        self.probes.clone()
    }
}
