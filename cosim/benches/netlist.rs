//! Speed of the engines on one core, side by side in one run: step simulator, event-driven simulator and netlist simulator
//! (criterion), then Verilator's binary on the same stimulus, with its build times. Prints the tables of
//! docs/evidence/speed.md.

#![allow(missing_docs)]

mod common;

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, iter};

use bitmosaic_arch::{Machine, ScaleUnitSpec, elaborate, parse, presets};
use bitmosaic_cosim::random::{self, Activation, LayerShape, Random};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, Tool, require, run_engine};
use bitmosaic_mappings::{Stalls, UnitStimulus, run_unit, tile_stimulus};
use bitmosaic_rtl::emit::testbench::{VERILATOR_MAIN, testbench};
use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::unit::NetlistUnit;
use bitmosaic_sim::{cycle, step};
use common::{Built, STATE, build, fewest, shell, timed};
use criterion::{BatchSize, Criterion, Throughput};

/// Cycles a second that the netlist simulator must reach with 16 PEs of 4 lanes.
const REQUIRED: f64 = 40_000.0;

/// Compilations and runs of the netlist that are measured together.
const COMPILATIONS: usize = 5;
const RUNS: usize = 4;

/// A tile with a program that keeps it busy.
struct Bench {
    name: String,
    case: Case,
    stimulus: UnitStimulus,
    cycles: u64,
    /// Of the output beats, as the driver computes it.
    hash: u64,
}

impl Bench {
    /// A square tile and a layer that fills it `times` times in either direction.
    fn new(side: u32, lanes: u32, times: usize) -> Bench {
        let machine = machine(side, lanes);
        let size = times * side as usize;
        let shape = LayerShape { tokens: size, output_channels: size, input_channels: 2048, group: 128 };
        let layer =
            random::layer(&mut Random::new(1), &machine, &machine.types[0].weight_type, shape, Activation::Normal);
        let case = Case::new(machine, vec![layer], Stalls::NONE, 1).unwrap();
        let run = run_engine(&case, Engine::Simulator, &ExternalSettings::default()).unwrap();
        let stimulus = tile_stimulus(&case.machine, &case.lowered, &run.aligner.outputs, case.stalls).unwrap();
        let name = format!("{} PEs of {lanes} lanes", side * side);
        let words = run.tile.outputs.iter().flat_map(|beat| &beat.data);
        let hash = words.fold(0u64, |hash, word| hash.wrapping_mul(1_000_003).wrapping_add(*word));
        Bench { name, cycles: run.tile.cycles(), hash, case, stimulus }
    }

    fn limit(&self) -> u64 {
        self.case.cycle_limit()
    }
}

fn machine(side: u32, lanes: u32) -> Machine {
    let mut spec = parse(presets()[0].text, "preset").unwrap();
    (spec.tile.rows, spec.tile.columns) = (side, side);
    spec.processing_element.lanes = lanes;
    spec.scale_unit = Some(ScaleUnitSpec { pes_per_scale_unit: (side * side).min(32) });
    elaborate(&spec, "bench").unwrap()
}

/// The netlist in native code, if the bench is built with it.
fn netlist(bench: &Bench) -> NetlistUnit {
    let mut unit = NetlistUnit::new(&bench.case.units.tile, &bench.stimulus, 1).unwrap();
    unit.compile();
    unit
}

fn engines(criterion: &mut Criterion, bench: &Bench) {
    let (machine, stimulus) = (&bench.case.machine, &bench.stimulus);
    let mut group = criterion.benchmark_group(&bench.name);
    group.throughput(Throughput::Elements(bench.cycles)).sample_size(10);
    group.bench_function("event-driven", |b| b.iter(|| cycle::run_tile(machine, black_box(stimulus))));
    let step = || step::TileStep::new(machine);
    group.bench_function("step", |b| {
        b.iter_batched(step, |mut unit| run_unit(&mut unit, stimulus, bench.limit()), BatchSize::PerIteration);
    });
    let netlist = || netlist(bench);
    group.bench_function("netlist", |b| {
        b.iter_batched(netlist, |mut unit| run_unit(&mut unit, stimulus, bench.limit()), BatchSize::PerIteration);
    });
    group.finish();
}

fn write_streams(bench: &Bench, folder: &Path) {
    for (name, stream, _) in &bench.stimulus.inputs {
        let text: String = (0..stream.len()).map(|beat| stream.hex(beat) + "\n").collect();
        fs::write(folder.join(format!("{name}.hex")), text).unwrap();
    }
}

/// The tile's Verilog with the C++ driver, which tells its own CPU time: cycles a second and CPU seconds of the build.
fn verilator(bench: &Bench, folder: &Path, optimisation: &str) -> (f64, Built) {
    let mut files = verilog_files(&bench.case.units.tile);
    files.push(("driver.cpp".into(), include_str!("driver.cpp").into()));
    let built = build(folder, &files, "tile", optimisation);
    write_streams(bench, folder);
    let seconds = fewest(|| {
        let mut command = Command::new(folder.join("obj/simulation"));
        command.args(STATE.split(' ')).current_dir(folder).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let [_, seconds, hash] = text.split_whitespace().collect::<Vec<_>>()[..] else { panic!("driver: {text}") };
        assert_eq!(hash, bench.hash.to_string(), "{}: the outputs differ", bench.name);
        seconds.parse().unwrap()
    });
    (bench.cycles as f64 / seconds, built)
}

/// The same with the Verilog testbench of a co-simulation, as `cosim/src/external.rs` runs it.
fn with_testbench(bench: &Bench, folder: &Path) -> (f64, Built) {
    let design = &bench.case.units.tile;
    let mut files = verilog_files(design);
    files.push(("testbench.v".into(), testbench(design, &bench.stimulus)));
    files.push(("main.cpp".into(), VERILATOR_MAIN.into()));
    let built = build(folder, &files, "testbench", "-O1");
    write_streams(bench, folder);
    let inputs = bench.stimulus.inputs.iter().map(|(name, _, gate)| (*name, *gate));
    let gates: Vec<String> = inputs
        .chain([("output", bench.stimulus.output_gate)])
        .map(|(name, gate)| format!("+{name}_seed={} +{name}_threshold={}", gate.seed.max(1), gate.threshold))
        .collect();
    let (commands, limit) = (bench.stimulus.inputs[0].1.len(), bench.limit());
    let script = format!("obj/simulation {STATE} {} +commands={commands} +limit={limit}", gates.join(" "));
    let seconds = fewest(|| shell(folder, &script));
    assert!(fs::read_to_string(folder.join("trace.txt")).unwrap().ends_with("done\n"));
    (bench.cycles as f64 / seconds, built)
}

/// A row of the table; gives the netlist's cycles a second.
fn row(bench: &Bench) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let new = || netlist(bench);
    // The thread's clock is read every few milliseconds only.
    let compile = fewest(|| timed(|| (0..COMPILATIONS).for_each(|_| drop(black_box(new()))))) / COMPILATIONS as f64;
    let netlist = fewest(|| {
        let mut units: Vec<NetlistUnit> = iter::repeat_with(new).take(RUNS).collect();
        timed(|| {
            for unit in &mut units {
                let trace = run_unit(unit, &bench.stimulus, bench.limit()).unwrap();
                assert_eq!(trace.cycles(), bench.cycles, "{}: the netlist's cycles differ", bench.name);
            }
        })
    }) / RUNS as f64;
    let netlist = bench.cycles as f64 / netlist;
    let (o1, build_o1) = verilator(bench, &folder.path().join("o1"), "-O1");
    let (o3, build_o3) = verilator(bench, &folder.path().join("o3"), "-O3");
    let (testbench, build_testbench) = with_testbench(bench, &folder.path().join("testbench"));
    print!("| {} | {} | {} ", bench.name, bench.cycles, new().simulator().stats().instructions);
    print!("| {:.0} | {:.0} | {:.2} | {:.0} | {:.2} ", netlist / 1e3, o1 / 1e3, o1 / netlist, o3 / 1e3, o3 / netlist);
    print!("| {:.0} | {:.2} | {:.3} ", testbench / 1e3, testbench / netlist, compile);
    for built in [build_o1, build_o3, build_testbench] {
        print!("| {:.1} ({:.1}) ", built.cpu_seconds, built.seconds);
    }
    println!("|");
    netlist
}

fn main() {
    let benches = [Bench::new(4, 4, 6), Bench::new(8, 4, 6), Bench::new(8, 8, 8)];
    let mut criterion = Criterion::default().configure_from_args();
    engines(&mut criterion, &benches[0]);
    criterion.final_summary();
    // `cargo test --all-targets` only sees whether it runs.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let version = require(Tool::Verilator).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(3);
    });
    println!(
        "\n{version}. CPU time on one core, the fewest of five runs; builds: CPU time of all processes (wall time).\n"
    );
    let columns = [
        "tile",
        "cycles",
        "netlist: instructions a cycle",
        "netlist, k cycles/s",
        "Verilator -O1, k cycles/s",
        "to netlist",
        "-O3, k cycles/s",
        "to netlist",
        "-O1 with testbench, k cycles/s",
        "to netlist",
        "netlist compile, s",
        "-O1 build, s",
        "-O3 build, s",
        "-O1 build with testbench, s",
    ];
    println!("| {} |\n| --- {}|", columns.join(" | "), "| ---: ".repeat(columns.len() - 1));
    let speeds: Vec<f64> = benches.iter().map(row).collect();
    assert!(speeds[0] >= REQUIRED, "{:.0} cycles/s with {}, {REQUIRED} are required", speeds[0], benches[0].name);
}
