//! Step engine and netlist of a whole machine in lockstep: the first cycle and net in which they part.

use std::collections::BTreeMap;

use bitmosaic_mappings::{Accelerator, AxiOutputs};
use bitmosaic_rtl::accelerator::NetlistArray;
use bitmosaic_rtl::hardware::array::counters;
use bitmosaic_rtl::netlist::Design;
use bitmosaic_rtl::simulate;
use bitmosaic_sim::memory::IdealMemory;
use bitmosaic_sim::probe::{Probe, Probed};
use bitmosaic_sim::step::ArrayStep;

use super::{ArrayCase, no_array};
use crate::localize::word_of;
use crate::{CosimError, Localization};

/// Runs step engine and netlist on the same memory and compares every cycle what both know by name, then the ports, and at the
/// end the counters; `None` if all agree. Buffers start empty on both sides, so that padding holds the same; should nothing
/// differ then, the ports are compared from the case's own unknown state.
///
/// # Errors
/// A netlist that breaks a rule, or a design without array.
pub fn localize_array(case: &ArrayCase) -> Result<Option<Localization>, CosimError> {
    match lockstep(case, Start::Empty)? {
        None => lockstep(case, Start::Unknown),
        found => Ok(found),
    }
}

/// What the netlist's buffers hold at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Empty,
    Unknown,
}

fn lockstep(case: &ArrayCase, start: Start) -> Result<Option<Localization>, CosimError> {
    let design = case.units.array.as_ref().ok_or_else(|| no_array(&case.machine))?;
    let step = match start {
        Start::Empty => ArrayStep::with_probes(&case.machine),
        Start::Unknown => ArrayStep::new(&case.machine),
    };
    let mut step = step.ok_or_else(|| no_array(&case.machine))?;
    let mut netlist = NetlistArray::new(design, case.state_seed)?;
    if start == Start::Empty {
        netlist.clear_memories();
    }
    let mut memory = IdealMemory::new(case.timing, case.data_bits(), case.program.memory.clone());
    let (mut expected, mut found) = (AxiOutputs::default(), AxiOutputs::default());
    let mut nets = BTreeMap::new();
    let mut counts = vec![0; counters().len()];
    for edge in 0..case.cycle_limit() {
        let mut inputs = memory.outputs();
        inputs.start = (edge == 0).then_some(case.start());
        step.cycle(&inputs, &mut expected);
        netlist.settle(&inputs, &mut found);
        let difference = match start {
            Start::Empty => net_difference(&step.probes(), &netlist, &mut nets),
            Start::Unknown => None,
        };
        if let Some((probe, found)) = difference.or_else(|| port_difference(&expected, &found)) {
            return Ok(Some(localization(design, edge as i64, probe, found)));
        }
        netlist.edge();
        if expected.done && edge > 0 {
            counts[0] = edge;
            return Ok(end_difference(&mut step, &mut netlist, &counts)
                .map(|(probe, found)| localization(design, edge as i64, probe, found)));
        }
        counts[1] += u64::from(inputs.read.is_some() && expected.read_ready);
        counts[2] += u64::from(inputs.write_ready && expected.write.is_some());
        for (i, count) in counts[3..].iter_mut().enumerate() {
            *count += u64::from(expected.status >> i & 1);
        }
        memory.edge(&expected);
    }
    // Both hang without a difference: the engines report it.
    Ok(None)
}

type Nets = BTreeMap<String, Option<simulate::Probe>>;

fn net_difference(probes: &[Probe], netlist: &NetlistArray, nets: &mut Nets) -> Option<(Probe, u64)> {
    let simulator = netlist.simulator();
    probes.iter().find_map(|probe| {
        if !nets.contains_key(&probe.path) {
            nets.insert(probe.path.clone(), simulator.probe(&probe.path));
        }
        let Some(Some(net)) = nets.get(&probe.path) else {
            // A probe without a net would compare nothing: the twins have drifted apart.
            return Some((Probe { path: format!("{} (no such net)", probe.path), ..probe.clone() }, 0));
        };
        let found = word_of(simulator, net, probe);
        (found != probe.value).then(|| (probe.clone(), found))
    })
}

/// The first port of the machine that differs.
fn port_difference(expected: &AxiOutputs, found: &AxiOutputs) -> Option<(Probe, u64)> {
    let values = |outputs: &AxiOutputs| {
        let read = outputs.read_address;
        let write = outputs.write_address;
        let beat = outputs.write;
        vec![
            ("m_axi_arvalid_o", u64::from(read.is_some())),
            ("m_axi_arid_o", read.map_or(0, |(reader, _)| reader as u64)),
            ("m_axi_araddr_o", read.map_or(0, |(_, burst)| burst.address)),
            ("m_axi_arlen_o", read.map_or(0, |(_, burst)| u64::from(burst.beats) - 1)),
            ("m_axi_rready_o", outputs.read_ready.into()),
            ("m_axi_awvalid_o", write.is_some().into()),
            ("m_axi_awaddr_o", write.map_or(0, |burst| burst.address)),
            ("m_axi_awlen_o", write.map_or(0, |burst| u64::from(burst.beats) - 1)),
            ("m_axi_wvalid_o", beat.is_some().into()),
            ("m_axi_wdata_o", beat.map_or(0, |beat| beat.data.iter().fold(0, |all, word| all.rotate_left(1) ^ word))),
            ("m_axi_wstrb_o", beat.map_or(0, |beat| beat.strobes.into())),
            ("m_axi_wlast_o", beat.is_some_and(|beat| beat.last).into()),
            ("retire_o", outputs.retire.into()),
            ("status_o", outputs.status.into()),
            ("irq_o", outputs.done.into()),
        ]
    };
    let pairs = values(expected).into_iter().zip(values(found));
    let different = pairs.into_iter().find(|((_, expected), (_, found))| expected != found);
    different.map(|((port, expected), (_, found))| (Probe::new(port, "", expected), found))
}

/// Error code and counters after the end, read through the control port.
fn end_difference(step: &mut ArrayStep<'_>, netlist: &mut NetlistArray, counts: &[u64]) -> Option<(Probe, u64)> {
    let (expected, found) = (u64::from(step.error()), u64::from(netlist.error()));
    let errors = ("status register, error".to_string(), expected, found);
    let names = counters().into_iter().map(|(name, _)| format!("{name}_q"));
    let counted =
        names.zip(counts).zip(netlist.read_counters()).map(|((name, expected), found)| (name, *expected, found));
    let different = [errors].into_iter().chain(counted).find(|(_, expected, found)| expected != found);
    different.map(|(net, expected, found)| (Probe::new(net, "", expected), found))
}

fn localization(design: &Design, cycle: i64, probe: Probe, found: u64) -> Localization {
    let module = match probe.module {
        "" => module_of(design, &probe.path),
        own => own.to_string(),
    };
    let net = probe.net();
    let (row, column, expected) = (probe.row, probe.column, probe.value);
    Localization { unit: "machine", cycle, module, net, row, column, expected, found }
}

/// Module that a path of instances leads to.
fn module_of(design: &Design, path: &str) -> String {
    let mut module = design.top();
    let mut rest = path;
    while let Some((instance, below)) = rest.split_once('.') {
        let of = module.instances.iter().find(|i| i.name == instance).map(|i| i.module.as_str());
        let Some(inner) = of.and_then(|name| design.module(name)) else { break };
        (module, rest) = (inner, below);
    }
    module.name.clone()
}
