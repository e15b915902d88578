//! Finds where a difference between simulator and netlist arises: both run in lockstep on the same inputs, and every
//! cycle all values that the simulator knows by name are compared with the nets of the same path, in data-flow order.

use std::cell::Cell;

use bitmosaic_mappings::{PortInputs, Signals, Unit, UnitStimulus, aligner_stimulus, run_unit_observed, tile_stimulus};
use bitmosaic_rtl::netlist::Design;
use bitmosaic_rtl::simulate::{self, Simulator};
use bitmosaic_rtl::unit::NetlistUnit;
use bitmosaic_sim::probe::{Probe, Probed};
use bitmosaic_sim::step::{AlignerStep, TileStep};

use crate::{Case, CosimError, Engine, ExternalSettings, run_engine};

/// The first net that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Localization {
    /// Unit: `aligner` or `tile`.
    pub unit: &'static str,
    /// Cycle, counted from the edge that accepts the first command.
    pub cycle: i64,
    /// Module that makes the net.
    pub module: String,
    /// Path of the net below the unit's top module, or a port.
    pub net: String,
    /// PE row and its token.
    pub row: Option<(u32, u32)>,
    /// PE column and its output channel.
    pub column: Option<(u32, u32)>,
    /// Value in the simulator.
    pub expected: u64,
    /// Value in the netlist.
    pub found: u64,
}

impl Localization {
    /// The finding as lines for a person.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "first difference in cycle {} of the {}: module {}, net {}: simulator {:#x}, netlist {:#x}",
            self.cycle, self.unit, self.module, self.net, self.expected, self.found
        )];
        let place = |name: &str, of: &str, value: Option<(u32, u32)>| {
            value.map(|(index, global)| format!("PE {name} {index}, {of} {global}"))
        };
        lines.extend(place("row", "token", self.row));
        lines.extend(place("column", "output channel", self.column));
        lines
    }
}

/// What to say when the netlist agrees with the simulator.
pub(crate) fn verilog_only() -> Vec<String> {
    vec!["simulator and netlist agree in every compared net: the difference arises in the written Verilog or its simulator".into()]
}

/// Runs simulator and netlist in lockstep; `None` if every compared net agrees.
///
/// # Errors
/// A netlist that breaks a rule, or an aligner that hangs.
pub fn localize(case: &Case, settings: &ExternalSettings) -> Result<Option<Localization>, CosimError> {
    let units = (aligner_stimulus(&case.machine, &case.lowered, case.stalls), &case.units.aligner);
    if let (Some(stimulus), Some(design)) = units {
        let reference = AlignerStep::with_probes(&case.machine);
        if let Some(found) = lockstep(case, "aligner", reference, design, &stimulus)? {
            return Ok(Some(found));
        }
    }
    let aligned = run_engine(case, Engine::Simulator, settings)?.aligner;
    let stimulus = tile_stimulus(&case.machine, &case.lowered, &aligned.outputs, case.stalls)?;
    lockstep(case, "tile", TileStep::with_probes(&case.machine), &case.units.tile, &stimulus)
}

struct Lockstep<'a, R> {
    reference: R,
    netlist: NetlistUnit,
    expected: Signals,
    finding: Option<(String, String, Probe, u64)>,
    /// Tells the observer to end the run.
    stop: &'a Cell<bool>,
}

impl<R: Unit + Probed> Unit for Lockstep<'_, R> {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        self.netlist.settle(inputs, signals);
        self.reference.cycle(inputs, &mut self.expected);
        self.finding = self.first_difference(signals);
        self.stop.set(self.finding.is_some());
        self.netlist.edge();
    }
}

impl<R: Unit + Probed> Lockstep<'_, R> {
    fn first_difference(&self, signals: &Signals) -> Option<(String, String, Probe, u64)> {
        let simulator = self.netlist.simulator();
        for probe in self.reference.probes() {
            let Some(net) = simulator.probe(&probe.path) else {
                // A probe without a net would compare nothing: the twins have drifted apart.
                return Some((probe.module.to_string(), format!("{} (no such net)", probe.path), probe, 0));
            };
            let found = word_of(simulator, &net, &probe);
            if found != probe.value {
                return Some((probe.module.to_string(), probe.net(), probe, found));
            }
        }
        let expected = &self.expected;
        let compared = [
            ("ready ports", u64::from(expected.ready), u64::from(signals.ready)),
            ("status ports", u64::from(expected.status), u64::from(signals.status)),
            ("retire_o", u64::from(expected.retire), u64::from(signals.retire)),
            ("output_valid_o", u64::from(expected.output_valid), u64::from(signals.output_valid)),
        ];
        let words = expected.output.iter().zip(&signals.output).map(|(a, b)| ("output_data_o", *a, *b));
        let (port, expected, found) = compared.into_iter().chain(words).find(|(_, a, b)| a != b)?;
        Some(("control".to_string(), port.to_string(), Probe::new(port, "control", expected), found))
    }
}

/// The probed word of a net.
pub(crate) fn word_of(simulator: &Simulator, net: &simulate::Probe, probe: &Probe) -> u64 {
    match probe.word {
        0 => simulator.get(net),
        word => simulator.get_wide(net).get(word).copied().unwrap_or(0),
    }
}

fn lockstep<R: Unit + Probed>(
    case: &Case,
    unit: &'static str,
    reference: R,
    design: &Design,
    stimulus: &UnitStimulus,
) -> Result<Option<Localization>, CosimError> {
    let netlist = NetlistUnit::new(design, stimulus, case.state_seed)?;
    let stop = Cell::new(false);
    let mut lockstep = Lockstep { reference, netlist, expected: Signals::default(), finding: None, stop: &stop };
    let mut last_cycle = 0;
    let mut observe = |cycle: i64, _: &Signals| {
        last_cycle = cycle;
        !stop.get()
    };
    // A hang without a difference is what both do; the engines report it.
    let _ = run_unit_observed(&mut lockstep, stimulus, case.cycle_limit(), &mut observe);
    Ok(lockstep.finding.map(|(module, net, probe, found)| Localization {
        unit,
        cycle: last_cycle,
        module,
        net,
        row: probe.row,
        column: probe.column,
        expected: probe.value,
        found,
    }))
}
