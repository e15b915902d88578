//! Every operation at many widths and signs: the netlist simulator, Icarus Verilog and Verilator
//! give the same trace, and the text is clean for `verilator -Wall` and yosys.
//!
//! Needs `iverilog`, `verilator` and `yosys`; a missing tool is a failure.

mod operators {
    pub mod generate;
    pub mod tools;
}

use std::fs;

use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::netlist::Design;
use bitmosaic_rtl::simulate::Simulator;
use operators::generate::{self, Stimulus};
use operators::tools;

const SEED: u64 = 20_250_301;
/// Cycles in reset, which fill every memory and register.
const WARM_UP: usize = 64;
const CYCLES: usize = WARM_UP + 400;

#[test]
fn simulators_agree_on_every_operation() {
    let design = generate::design(SEED);
    let stimulus = Stimulus::new(design.top(), CYCLES, WARM_UP, SEED);
    let folder = tools::Folder::new("operators");
    for (name, text) in verilog_files(&design) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("tb.v"), stimulus.testbench(design.top(), WARM_UP)).unwrap();
    fs::write(folder.path().join("stimulus.hex"), stimulus.hex()).unwrap();

    let expected = netlist_trace(&design, &stimulus);
    assert_eq!(expected.len(), CYCLES - WARM_UP);
    tools::lint(&folder, &design);
    compare(&design, "icarus", &expected, &tools::icarus(&folder, &design));
    for seed in [1, 2] {
        let trace = tools::verilator(&folder, &design, seed);
        compare(&design, &format!("verilator (seed {seed})"), &expected, &trace);
    }
}

/// One line a cycle: every output in hexadecimal.
fn netlist_trace(design: &Design, stimulus: &Stimulus) -> Vec<String> {
    let mut traces = [1, 2].map(|seed| {
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
    });
    let [first, second] = &mut traces;
    assert_eq!(first, second, "the trace depends on uninitialised bits");
    std::mem::take(first)
}

fn compare(design: &Design, engine: &str, expected: &[String], found: &[String]) {
    assert_eq!(expected.len(), found.len(), "{engine}: number of cycles");
    for (cycle, (expected, found)) in expected.iter().zip(found).enumerate() {
        let pairs = expected.split(' ').zip(found.split(' '));
        for (port, (e, f)) in design.top().outputs.iter().zip(pairs) {
            assert_eq!(e, f, "{engine}: cycle {cycle}, output {} ({})", port.name, port.doc);
        }
        assert_eq!(expected, found, "{engine}: cycle {cycle}");
    }
}
