//! Speed of a whole machine, `mosaic-small`, over a million cycles: the netlist simulator with its memory model beside
//! Verilator's model that gets the same inputs from memory, builds apart. Prints the second table of docs/evidence/speed.md.

#![allow(missing_docs)]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use bitmosaic_arch::load;
use bitmosaic_cosim::array::ArrayCase;
use bitmosaic_cosim::random::{self, Activation, LayerShape, Random};
use bitmosaic_cosim::{Tool, require};
use bitmosaic_mappings::{Accelerator, AxiInputs, AxiOutputs, Start};
use bitmosaic_rtl::accelerator::NetlistArray;
use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::hardware::array::control_registers;
use bitmosaic_rtl::netlist::RESET;
use bitmosaic_rtl::simulate::{Probe, Stats};
use bitmosaic_rtl::unit::RESET_CYCLES;
use bitmosaic_sim::memory::{IdealMemory, MemoryTiming};
use bitmosaic_sim::run::run_array;
use common::{Built, STATE, build, fewest, timed};

const DESIGN: &str = "mosaic-small";

/// Share of Verilator's speed that the netlist simulator must reach.
const REQUIRED: f64 = 0.5;

/// Output channels of each layer, for a million cycles.
const OUTPUT_CHANNELS: usize = 1664;

/// Every type in turn; together a million cycles.
fn case(output_channels: usize) -> ArrayCase {
    let machine = load(DESIGN).unwrap();
    let mut random = Random::new(1);
    let shape = LayerShape { tokens: 16, output_channels, input_channels: 1024, group: 128 };
    let types = machine.types.iter().map(|executed| executed.weight_type.clone());
    let layers = types.map(|t| random::layer(&mut random, &machine, &t, shape, Activation::Normal)).collect();
    ArrayCase::new(machine.clone(), layers, MemoryTiming::FAST, 1).unwrap()
}

fn netlist(case: &ArrayCase) -> NetlistArray {
    NetlistArray::new(case.units.array.as_ref().unwrap(), case.state_seed).unwrap()
}

/// Runs the program; its cycles.
fn run(case: &ArrayCase, machine: &mut dyn Accelerator) -> u64 {
    let data_bits = case.machine.array.as_ref().unwrap().data_bits;
    let mut memory = IdealMemory::new(case.timing, data_bits, case.program.memory.clone());
    let trace = run_array(machine, &mut memory, start(case), case.cycle_limit()).unwrap();
    assert_eq!(trace.error, 0);
    trace.cycles
}

fn start(case: &ArrayCase) -> Start {
    Start { address: 0, commands: case.program.program.commands.len() as u32 }
}

/// Notes how the inputs change, cycle by cycle, and folds what leaves the machine as the driver does.
struct Recorder {
    machine: NetlistArray,
    inputs: Vec<(String, Probe, u64)>,
    outputs: [Probe; 5],
    changes: Vec<u64>,
    /// Cycles before the one that takes the start.
    first_cycle: u64,
    hash: u64,
}

impl Recorder {
    fn new(case: &ArrayCase) -> Recorder {
        let machine = netlist(case);
        let design = case.units.array.as_ref().unwrap();
        let probe = |name: &str| machine.simulator().probe(name).unwrap();
        let names = design.top().inputs.iter().map(|port| &port.name[..]).chain([RESET]);
        let inputs = names.map(|name| (name.to_string(), probe(name), 0)).collect();
        let outputs = ["retire_o", "status_o", "irq_o", "m_axi_wvalid_o", "m_axi_wdata_o"].map(probe);
        let mut recorder = Recorder { machine, inputs, outputs, changes: vec![], first_cycle: 0, hash: 0 };
        recorder.prologue(start(case));
        recorder
    }

    /// Reset and the control writes up to the start, as `NetlistArray` makes them.
    fn prologue(&mut self, start: Start) {
        let register = |name: &str| {
            let found = control_registers().into_iter().find(|register| register.name == name).unwrap();
            u64::from(found.address)
        };
        // Verilator powers inputs up at random too.
        let names: Vec<String> = self.inputs.iter().map(|(name, _, _)| name.clone()).collect();
        let zeros: Vec<(&str, u64)> = names.iter().map(|name| (&name[..], u64::from(name == RESET))).collect();
        self.note(&zeros, RESET_CYCLES as usize);
        let ready = ["s_axi_control_bready_i", "s_axi_control_rready_i"].map(|port| (port, 1));
        self.note(&[(RESET, 0), ("s_axi_control_wstrb_i", 15), ready[0], ready[1]], 1);
        let writes = [
            ("interrupt_enable", 1, 2),
            ("program_address_low", start.address & u64::from(u32::MAX), 2),
            ("program_address_high", start.address >> 32, 2),
            ("program_commands", u64::from(start.commands), 2),
            ("start", 1, 0),
        ];
        let valid = ["s_axi_control_awvalid_i", "s_axi_control_wvalid_i"];
        for (name, value, rest) in writes {
            let (address, data) = (("s_axi_control_awaddr_i", register(name)), ("s_axi_control_wdata_i", value));
            self.note(&[address, data, (valid[0], 1), (valid[1], 1)], 1);
            let rest = if rest > 0 { rest } else { continue };
            self.note(&[(valid[0], 0), (valid[1], 0)], rest);
        }
    }

    /// Sets inputs and goes on for some cycles.
    fn note(&mut self, values: &[(&str, u64)], cycles: usize) {
        self.changes.push(values.len() as u64);
        for (name, value) in values {
            let number = self.inputs.iter().position(|(n, _, _)| n == name).unwrap();
            self.inputs[number].2 = *value;
            self.changes.extend([number as u64, *value]);
        }
        self.changes.extend(std::iter::repeat_n(0, cycles - 1));
        self.first_cycle += cycles as u64;
    }

    fn ports(&self) -> String {
        let mut text = format!("#define FIRST_CYCLE {}\n#define INPUTS", self.first_cycle);
        for (number, (name, _, _)) in self.inputs.iter().enumerate() {
            let _ = write!(text, " \\\n    INPUT({number}, {name})");
        }
        text + "\n"
    }
}

impl Accelerator for Recorder {
    fn cycle(&mut self, inputs: &AxiInputs, outputs: &mut AxiOutputs) {
        self.machine.settle(inputs, outputs);
        let simulator = self.machine.simulator();
        let count = self.changes.len();
        self.changes.push(0);
        for (number, (_, probe, last)) in self.inputs.iter_mut().enumerate() {
            let value = simulator.get(probe);
            if value != std::mem::replace(last, value) {
                self.changes[count] += 1;
                self.changes.extend([number as u64, value]);
            }
        }
        let [retire, status, interrupt, valid, data] = self.outputs.each_ref().map(|probe| simulator.get(probe));
        let mut fold = |value: u64| self.hash = self.hash.wrapping_mul(1_000_003).wrapping_add(value);
        fold(retire | status << 8 | interrupt << 16);
        if valid == 1 {
            fold(data);
        }
        self.machine.edge();
    }

    fn error(&mut self) -> u32 {
        self.machine.error()
    }
}

/// What the netlist took: seconds of the build, of the run, and of both on the wall.
#[allow(clippy::disallowed_methods)] // a bench
fn netlist_seconds(case: &ArrayCase) -> (f64, f64, f64, Stats) {
    let started = Instant::now();
    let mut machine = None;
    let build = timed(|| machine = Some(netlist(case)));
    let mut machine = machine.unwrap();
    let seconds = timed(|| {
        run(case, &mut machine);
    });
    (build, seconds, started.elapsed().as_secs_f64(), machine.simulator().stats())
}

/// CPU seconds of Verilator's model for the recorded inputs, and of its build.
fn verilator_seconds(case: &ArrayCase, recorder: &Recorder, folder: &Path) -> (f64, Built) {
    let mut files = verilog_files(case.units.array.as_ref().unwrap());
    files.push(("driver.cpp".into(), include_str!("array_driver.cpp").into()));
    fs::write(folder.join("ports.h"), recorder.ports()).unwrap();
    let built = build(folder, &files, "accelerator", "\"-O1 -I..\"");
    let bytes: Vec<u8> = recorder.changes.iter().flat_map(|word| word.to_le_bytes()).collect();
    fs::write(folder.join("changes.bin"), bytes).unwrap();
    let seconds = fewest(|| {
        let mut command = Command::new(folder.join("obj/simulation"));
        command.args(STATE.split(' ')).current_dir(folder).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let [_, seconds, hash] = text.split_whitespace().collect::<Vec<_>>()[..] else { panic!("driver: {text}") };
        assert_eq!(hash, recorder.hash.to_string(), "the machines differ");
        seconds.parse().unwrap()
    });
    (seconds, built)
}

fn main() {
    // `cargo test --all-targets` only sees whether it runs.
    if !std::env::args().any(|argument| argument == "--bench") {
        let case = case(1);
        assert_eq!(run(&case, &mut netlist(&case)), run(&case, &mut Recorder::new(&case)));
        return;
    }
    let version = require(Tool::Verilator).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(3);
    });
    let case = case(OUTPUT_CHANNELS);
    let mut recorder = Recorder::new(&case);
    let cycles = run(&case, &mut recorder);
    let folder = tempfile::tempdir().unwrap();
    let (model, built) = verilator_seconds(&case, &recorder, folder.path());
    drop(recorder);
    let mut best = (f64::INFINITY, f64::INFINITY, f64::INFINITY, Stats::default());
    for _ in 0..3 {
        let run = netlist_seconds(&case);
        best = (best.0.min(run.0), best.1.min(run.1), best.2.min(run.2), run.3);
    }
    let (build, seconds, wall, stats) = best;
    let kilo = |seconds: f64| cycles as f64 / seconds / 1e3;
    let ratio = model / seconds;
    println!(
        "\n{version}. {DESIGN}, {cycles} cycles, {} instructions a cycle. CPU time on one core, the fewest of three \
        runs (Verilator five); wall time in parentheses.\n",
        stats.instructions
    );
    println!(
        "| | build, s | run, s | k cycles/s | build and run, s of wall time |\n| --- | ---: | ---: | ---: | ---: |"
    );
    println!("| netlist simulator | {build:.3} | {seconds:.2} | {:.0} | {wall:.2} |", kilo(seconds));
    println!(
        "| Verilator -O1 | {:.1} ({:.1}) | {model:.2} | {:.0} | {:.2} |",
        built.cpu_seconds,
        built.seconds,
        kilo(model),
        built.seconds + model
    );
    println!("| netlist to Verilator | | | {ratio:.2} | {:.2} |", (built.seconds + model) / wall);
    assert!(ratio >= REQUIRED, "{ratio:.2} of Verilator's speed, {REQUIRED} are required");
    assert!(wall < built.seconds + model, "slower than Verilator and its build");
}
