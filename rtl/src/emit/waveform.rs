//! The first beats of a tiny program as a waveform in text, drawn from a run of the netlist simulator.

use bitmosaic_arch::Machine;
use bitmosaic_mappings::{
    Lowered, OutputBeat, PortInputs, Signals, Stalls, Unit, UnitStimulus, UnitTrace, aligner_stimulus, lower, run_unit,
    tile_stimulus,
};
use bitmosaic_numerics::{QuantizedMatrix, f16};

use super::readme::BundleError;
use crate::hardware::Units;
use crate::netlist::Design;
use crate::simulate::Probe;
use crate::unit::NetlistUnit;

/// Cycles of the tiny program after which it counts as hanging.
const LIMIT: u64 = 100_000;
/// Characters of a cycle.
const CELL: usize = 4;

/// The run of one unit, ready to be drawn.
#[derive(Debug)]
pub(super) struct Waveform {
    stimulus: UnitStimulus,
    /// What the unit did.
    pub(super) trace: UnitTrace,
    cycles: Vec<Cycle>,
    /// Names of the watched nets.
    watched: Vec<&'static str>,
}

/// Signals of one cycle.
#[derive(Debug)]
struct Cycle {
    valid: u32,
    ready: u32,
    output_valid: bool,
    retire: bool,
    watched: Vec<bool>,
}

/// Nets of the tile drawn besides its ports, as name and path.
const TILE_NETS: [(&str, &str); 2] = [("capture", "u_control.capture_o"), ("hold chain moves", "u_drain.issue_o")];

/// The run of the aligner, if there is one, and of the tile on the tiny program.
pub(super) fn run(machine: &Machine, units: &Units) -> Result<(Option<Waveform>, Waveform), BundleError> {
    let lowered = program(machine)?;
    let stimulus = aligner_stimulus(machine, &lowered, Stalls::NONE).zip(units.aligner.as_ref());
    let aligner = stimulus.map(|(stimulus, design)| Waveform::new(design, stimulus, &[])).transpose()?;
    let aligned: &[OutputBeat] = aligner.as_ref().map_or(&[], |waveform| &waveform.trace.outputs);
    let stimulus = tile_stimulus(machine, &lowered, aligned, Stalls::NONE)?;
    Ok((aligner, Waveform::new(&units.tile, stimulus, &TILE_NETS)?))
}

/// Input channels of the program that is drawn: two chunks, or an entry where that is more.
pub(super) fn drawn_channels(machine: &Machine) -> u32 {
    (2 * machine.pe.lanes).max(machine.entry_channels).min(machine.max_group)
}

/// Two passes of one group each: every row, twice the columns, weights and activations that vary.
fn program(machine: &Machine) -> Result<Lowered, BundleError> {
    let (rows, channels) = (machine.tile.rows as usize, 2 * machine.tile.columns as usize);
    let k = drawn_channels(machine) as usize;
    let executed = &machine.types[0].weight_type;
    let codes: Vec<u16> = executed.usable_codes().collect();
    let scale_kind = executed.scale_kind();
    let scales: Vec<u16> = (0..=u16::MAX).filter(|code| scale_kind.units(*code) > 0).collect();
    let weights = QuantizedMatrix {
        weight_type: executed.clone(),
        output_channels: channels,
        input_channels: k,
        group: k,
        codes: (0..channels * k).map(|i| codes[(5 * i + i / k) % codes.len()]).collect(),
        selectors: vec![0; channels],
        zero_points: vec![0; if executed.has_zero_point() { channels } else { 0 }],
        scale_kind,
        scales: (0..channels).map(|channel| scales[channel % scales.len()]).collect(),
        channel_scales: vec![f16::ONE; channels],
        special_values: executed.special_values(),
    };
    let activations: Vec<f16> = (0..rows * k).map(|i| f16::from_f32((i % 7) as f32 - 3.0)).collect();
    Ok(lower(machine, &[(&weights, &activations)])?)
}

/// A unit that writes down what it shows.
struct Recorder<'a> {
    unit: NetlistUnit,
    nets: Vec<Probe>,
    cycles: &'a mut Vec<Cycle>,
}

impl Unit for Recorder<'_> {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        self.unit.settle(inputs, signals);
        self.cycles.push(Cycle {
            valid: inputs.valid,
            ready: signals.ready,
            output_valid: signals.output_valid,
            retire: signals.retire,
            watched: self.nets.iter().map(|net| self.unit.simulator().get(net) == 1).collect(),
        });
        self.unit.edge();
    }
}

impl Waveform {
    fn new(design: &Design, stimulus: UnitStimulus, nets: &[(&'static str, &str)]) -> Result<Waveform, BundleError> {
        let unit = NetlistUnit::new(design, &stimulus, 1)?;
        let found = nets.iter().filter_map(|(name, path)| Some((*name, unit.simulator().probe(path)?)));
        let (watched, nets): (Vec<&str>, Vec<Probe>) = found.unzip();
        let mut cycles = Vec::new();
        let trace = run_unit(&mut Recorder { unit, nets, cycles: &mut cycles }, &stimulus, LIMIT)?;
        Ok(Waveform { stimulus, trace, cycles, watched })
    }

    /// The waveform up to two cycles after the first output beat; beats are numbered, `C0` is the first command.
    pub(super) fn text(&self) -> String {
        let first = self.trace.outputs.first().map_or(0, |beat| beat.cycle as usize);
        let shown = (first + 3).min(self.cycles.len());
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |name: String, cell: &mut dyn FnMut(&Cycle) -> String| {
            rows.push((name, self.cycles[..shown].iter().map(|cycle| format!("{:<CELL$}", cell(cycle))).collect()));
        };
        let mut number = 0;
        row("cycle".to_string(), &mut |_| {
            number += 1;
            (number - 1).to_string()
        });
        for (i, (name, _, _)) in self.stimulus.inputs.iter().enumerate() {
            let bit = |mask: u32| mask >> i & 1 == 1;
            row(format!("{name}_valid_i"), &mut |cycle| level(bit(cycle.valid)));
            row(format!("{name}_ready_o"), &mut |cycle| level(bit(cycle.ready)));
            row(format!("{name}_data_i"), &mut beats(name, |cycle| bit(cycle.valid), |cycle| bit(cycle.ready)));
        }
        for (i, name) in self.watched.iter().enumerate() {
            row(format!("({name})"), &mut |cycle| level(cycle.watched[i]));
        }
        row("output_valid_o".to_string(), &mut |cycle| level(cycle.output_valid));
        // The sink of the run is always ready.
        row("output_ready_i".to_string(), &mut |_| level(true));
        row("output_data_o".to_string(), &mut beats("output", |cycle| cycle.output_valid, |_| true));
        row("retire_o".to_string(), &mut |cycle| level(cycle.retire));
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
        rows.iter().map(|(name, cells)| format!("{name:<width$}{}\n", cells.trim_end())).collect()
    }

    /// Cycles in which the net of that name is set.
    pub(super) fn cycles_of(&self, name: &str) -> Vec<usize> {
        let Some(i) = self.watched.iter().position(|watched| *watched == name) else { return Vec::new() };
        let set = self.cycles.iter().enumerate().filter(|(_, cycle)| cycle.watched[i]);
        set.map(|(cycle, _)| cycle).collect()
    }
}

fn level(high: bool) -> String {
    if high { "▔".repeat(CELL) } else { "_".repeat(CELL) }
}

/// Cells of a data row: the stream's letter and the number of the beat while one is offered.
fn beats(name: &str, valid: impl Fn(&Cycle) -> bool, ready: impl Fn(&Cycle) -> bool) -> impl FnMut(&Cycle) -> String {
    let letter = name[..1].to_uppercase();
    let mut next = 0;
    move |cycle| {
        if !valid(cycle) {
            return ".".repeat(CELL);
        }
        let cell = format!("{letter}{next}");
        next += u32::from(ready(cycle));
        cell
    }
}
