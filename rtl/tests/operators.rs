//! Every operation at many widths and signs: the netlist simulator, Icarus Verilog and Verilator
//! give the same trace, and the text is clean for `verilator -Wall` and yosys.
//!
//! Needs `iverilog`, `verilator` and `yosys`; a missing tool is a failure.

mod common;
mod operators {
    pub mod generate;
    pub mod tools;
}

use std::collections::BTreeSet;
use std::fs;

use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::netlist::Design;
use bitmosaic_rtl::simulate::Simulator;
use common::Folder;
use operators::generate::{self, Stimulus};
use operators::tools;

const SEED: u64 = 20_250_301;
/// Cycles in reset, which fill every register and memory, also those fed by other memories.
const WARM_UP: usize = 320;
const CYCLES: usize = WARM_UP + 400;

/// Every operation of the netlist. A new one belongs here and into `operators::generate`.
const KINDS: [&str; 26] = [
    "constant",
    "not",
    "and",
    "or",
    "xor",
    "reduce_or",
    "reduce_and",
    "reduce_xor",
    "add",
    "sub",
    "mul",
    "negate",
    "eq",
    "ne",
    "lt",
    "mux",
    "select",
    "shift_left",
    "shift_right",
    "slice",
    "concat",
    "replicate",
    "extend",
    "truncate",
    "reinterpret",
    "shift_left_const",
];

#[test]
fn the_design_contains_every_operation() {
    let design = generate::design(SEED);
    let modules = design.modules_in_order().iter();
    let found: BTreeSet<&str> = modules.flat_map(|m| m.ops.iter().map(|o| o.op.kind())).collect();
    assert_eq!(found, BTreeSet::from(KINDS));
}

#[test]
fn simulators_agree_on_every_operation() {
    let design = generate::design(SEED);
    let stimulus = Stimulus::new(design.top(), CYCLES, WARM_UP, SEED);
    let folder = Folder::new("operators");
    for (name, text) in verilog_files(&design) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("tb.v"), stimulus.testbench(design.top(), WARM_UP)).unwrap();
    fs::write(folder.path().join("stimulus.hex"), stimulus.hex()).unwrap();

    let expected = netlist_trace(&design, &stimulus, 1);
    assert_eq!(expected.len(), CYCLES - WARM_UP);
    let other = netlist_trace(&design, &stimulus, 2);
    compare(&design, "other uninitialised bits", &expected, &other);
    tools::lint(&folder, &design);
    compare(&design, "icarus", &expected, &tools::icarus(&folder, &design));
    for seed in [1, 2] {
        let trace = tools::verilator(&folder, &design, seed);
        compare(&design, &format!("verilator (seed {seed})"), &expected, &trace);
    }
}

/// One line a cycle: every output in hexadecimal.
fn netlist_trace(design: &Design, stimulus: &Stimulus, seed: u64) -> Vec<String> {
    let mut simulator = Simulator::new(design, seed).unwrap();
    let outputs = design.top().outputs.iter().map(|p| simulator.output(&p.name).unwrap());
    let outputs: Vec<_> = outputs.collect();
    let mut trace = vec![];
    for cycle in 0..CYCLES {
        for (port, value) in stimulus.inputs(cycle) {
            let port = simulator.input(port).unwrap();
            simulator.set_wide(port, value);
        }
        simulator.settle();
        let values = outputs.iter().map(|o| generate::hex(&simulator.get_wide(o), o.width()));
        if cycle >= WARM_UP {
            trace.push(values.collect::<Vec<_>>().join(" "));
        }
        simulator.edge();
    }
    assert_eq!(simulator.hazards(), 0, "the generated memories avoid unspecified reads");
    trace
}

fn compare(design: &Design, engine: &str, expected: &[String], found: &[String]) {
    assert_eq!(expected.len(), found.len(), "{engine}: number of cycles");
    for (cycle, (expected, found)) in expected.iter().zip(found).enumerate() {
        assert_eq!(expected.split(' ').count(), found.split(' ').count(), "{engine}: cycle {cycle}");
        let pairs = expected.split(' ').zip(found.split(' '));
        for (port, (e, f)) in design.top().outputs.iter().zip(pairs) {
            assert_eq!(e, f, "{engine}: cycle {cycle}, output {} ({})", port.name, port.doc);
        }
    }
}
