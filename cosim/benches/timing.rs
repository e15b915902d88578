//! Speed of the timing engine of whole machines beside Verilator's pure simulation of the same machine and program, in one run.
//! Prints docs/evidence/timing.md.

#![allow(missing_docs)]

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, iter};

use bitmosaic_arch::{ArraySpec, BuffersSpec, Machine, MemorySpec, elaborate, load, load_spec};
use bitmosaic_cosim::array::{ArrayCase, run_array_engine};
use bitmosaic_cosim::random::{self, Activation, LayerShape, Random};
use bitmosaic_cosim::{Engine, ExternalSettings, Tool, require};
use bitmosaic_mappings::{Mapping, Start, lower_array};
use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::hardware::array::control_registers;
use bitmosaic_sim::cycle::array::run_timing;
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_sim::run::ArrayTrace;

/// Times that the timing engine must be faster than Verilator's pure simulation of `mosaic-small`.
const REQUIRED: f64 = 100.0;

/// CPU seconds over which a run of the timing engine is repeated: the thread's clock is read every few milliseconds only.
const REPEAT_SECONDS: f64 = 0.3;

/// Memories of the comparison: reads as fast as they are asked for, a beat of either direction a cycle, and less.
const MEMORIES: [(&str, MemoryTiming); 3] = [
    ("fast", MemoryTiming::FAST),
    ("a beat a cycle", MemoryTiming { latency: 50, bytes_per_cycle: 8, outstanding: 8, seed: 1, threshold: 0 }),
    ("3 bytes a cycle", MemoryTiming { latency: 50, bytes_per_cycle: 3, outstanding: 8, seed: 1, threshold: 0 }),
];

fn layer(
    machine: &Machine,
    [tokens, output_channels, input_channels]: [usize; 3],
) -> bitmosaic_workloads::trace::LayerTrace {
    let shape = LayerShape { tokens, output_channels, input_channels, group: 128 };
    random::layer(&mut Random::new(1), machine, &machine.types[0].weight_type, shape, Activation::Normal)
}

/// CPU seconds of this thread so far: other work on the machine does not count.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// The fewest of five measurements.
fn fewest(run: impl FnMut() -> f64) -> f64 {
    iter::repeat_with(run).take(5).fold(f64::INFINITY, f64::min)
}

/// CPU seconds of a run of the timing engine.
fn timing_seconds(run: &dyn Fn() -> ArrayTrace) -> f64 {
    let once = || {
        let (start, mut runs) = (cpu_seconds(), 0);
        loop {
            black_box(run());
            runs += 1;
            let seconds = cpu_seconds() - start;
            if seconds >= REPEAT_SECONDS {
                return seconds / f64::from(runs);
            }
        }
    };
    fewest(once)
}

fn engine(case: &ArrayCase) -> ArrayTrace {
    let program = &case.program.program;
    let start = Start { address: 0, commands: program.commands.len() as u32 };
    run_timing(&case.machine, program, start, case.timing, case.cycle_limit()).unwrap().unwrap()
}

/// Builds the Verilog of the machine with the C++ driver.
fn build(case: &ArrayCase, folder: &Path, optimisation: &str) {
    let mut files = verilog_files(case.units.array.as_ref().unwrap());
    files.push(("timing_driver.cpp".into(), include_str!("timing_driver.cpp").into()));
    fs::create_dir_all(folder).unwrap();
    for (name, text) in &files {
        fs::write(folder.join(name), text).unwrap();
    }
    let mut command = Command::new("verilator");
    command.args("--cc --exe --build -j 2 --top-module accelerator --x-assign fast --x-initial fast -O3".split(' '));
    command.args(["-CFLAGS", optimisation, "-Mdir", "obj", "-o", "simulation"]);
    command.args(files.iter().map(|(name, _)| name));
    let output = command.current_dir(folder).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a build on the program: CPU seconds of the cycles. Cycles and write beats must be those of `trace`.
fn verilator_seconds(case: &ArrayCase, folder: &Path, trace: &ArrayTrace) -> f64 {
    fs::write(folder.join("memory.bin"), &case.program.memory).unwrap();
    let register = |name: &str| control_registers().into_iter().find(|register| register.name == name).unwrap().address;
    let MemoryTiming { latency, bytes_per_cycle, outstanding, .. } = case.timing;
    let mut arguments = vec![case.program.program.commands.len() as u32, latency, bytes_per_cycle, outstanding];
    arguments.extend(["interrupt_enable", "program_commands", "start"].map(register));
    let fold = |hash: u64, (edge, beat): &(u64, bitmosaic_mappings::WriteBeat)| {
        (hash.wrapping_mul(1_000_003).wrapping_add(*edge)).wrapping_mul(1_000_003).wrapping_add(beat.data[0])
    };
    let hash = trace.beats.iter().fold(0, fold);
    fewest(|| {
        let mut command = Command::new(folder.join("obj/simulation"));
        command.args(arguments.iter().map(u32::to_string)).current_dir(folder).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let [cycles, seconds, own] = text.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("driver: {} {text}", output.status)
        };
        assert_eq!(cycles, trace.cycles.to_string(), "the cycles differ");
        assert_eq!(own, hash.to_string(), "the write beats differ");
        seconds.parse().unwrap()
    })
}

fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// Cycles of a run in which operands or outputs move: the beats of both directions.
fn beats(trace: &ArrayTrace) -> u64 {
    trace.reads.iter().map(|(_, _, burst)| u64::from(burst.beats)).sum::<u64>() + trace.beats.len() as u64
}

/// The timing engine beside Verilator; gives the least ratio.
fn beside_verilator() -> f64 {
    let machine = load("mosaic-small").unwrap();
    let layer = layer(&machine, [32, 384, 384]);
    let folder = tempfile::tempdir().unwrap();
    let builds = [("-O1", folder.path().join("o1")), ("-O3 -march=native", folder.path().join("o3"))];
    let mut least = f64::INFINITY;
    println!(
        "| memory | cycles | beats | Verilator -O1, k cycles/s | -O3 -march=native, k cycles/s | timing engine, M cycles/s | times Verilator |"
    );
    println!("| --- {}|", "| ---: ".repeat(6));
    for (i, (name, timing)) in MEMORIES.into_iter().enumerate() {
        let case = ArrayCase::new(machine.clone(), vec![layer.clone()], timing, 1).unwrap();
        let trace = run_array_engine(&case, Engine::Simulator, &ExternalSettings::default()).unwrap().trace;
        let speeds = builds.each_ref().map(|(optimisation, folder)| {
            if i == 0 {
                build(&case, folder, optimisation);
            }
            trace.cycles as f64 / verilator_seconds(&case, folder, &trace)
        });
        let own = trace.cycles as f64 / timing_seconds(&|| engine(&case));
        let ratio = own / speeds[0].max(speeds[1]);
        least = least.min(ratio);
        row(&[
            name.to_string(),
            trace.cycles.to_string(),
            beats(&trace).to_string(),
            format!("{:.0}", speeds[0] / 1e3),
            format!("{:.0}", speeds[1] / 1e3),
            format!("{:.1}", own / 1e6),
            format!("{ratio:.0}"),
        ]);
    }
    least
}

/// 16 tiles of 8 x 8 PEs with 8 lanes and a memory port of 256 bits.
fn large() -> Machine {
    let (mut spec, _) = load_spec("mosaic-small").unwrap();
    (spec.tile.rows, spec.tile.columns) = (8, 8);
    spec.processing_element.lanes = 8;
    spec.array = Some(ArraySpec { down: 4, across: 4 });
    spec.buffers = Some(BuffersSpec {
        chunks_per_entry: 1,
        weight_chunks: 4096,
        activation_chunks: 4096,
        groups: 256,
        blocks: 16,
        accumulator_blocks: 1,
    });
    spec.memory = Some(MemorySpec { data_bits: 256, burst_beats: 64, outstanding_reads: 8, outstanding_writes: 8 });
    elaborate(&spec, "bench").unwrap()
}

/// Products of a language model on 1,024 PEs.
fn large_products() {
    let machine = large();
    println!("| tokens x output channels x input channels | cycles | beats | seconds | M cycles/s |");
    println!("| --- {}|", "| ---: ".repeat(4));
    for shape in [[128, 1024, 1024], [512, 2048, 2048], [2048, 4096, 4096]] {
        let layer = layer(&machine, shape);
        let lowered =
            lower_array(&machine, &[(&layer.weights, &layer.activations.values[..])], &Mapping::best()).unwrap();
        let commands = lowered.program.commands.len() as u32;
        let start = Start { address: 0, commands };
        let run = || run_timing(&machine, &lowered.program, start, MemoryTiming::FAST, u64::MAX).unwrap().unwrap();
        let trace = run();
        let seconds = timing_seconds(&run);
        let [tokens, output_channels, input_channels] = shape;
        row(&[
            format!("{tokens} x {output_channels} x {input_channels}"),
            trace.cycles.to_string(),
            beats(&trace).to_string(),
            format!("{seconds:.3}"),
            format!("{:.0}", trace.cycles as f64 / seconds / 1e6),
        ]);
    }
}

fn main() {
    // `cargo test --all-targets` only sees whether it runs.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let version = require(Tool::Verilator).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(3);
    });
    println!(
        "# Timing engine beside Verilator\n\nWritten by `scripts/evidence timing`. The timing-only engine of whole machines \
         (`sim/src/cycle/array`) beside Verilator's pure\nsimulation of the same Verilog, in one run: `mosaic-small`, a product of \
         32 x 384 x 384 (tokens x output channels x input\nchannels), `bitmod-fp4` in groups of 128. Verilator is driven from \
         memory by `cosim/benches/timing_driver.cpp`, without testbench\nand trace files; its cycles, and the data and edge of every \
         write beat, are compared with the simulator's. CPU time of one\ncore, the fewest of five measurements; the engine's \
         includes its whole trace. At least {REQUIRED:.0} times Verilator's faster\nbuild is required, or the bench fails. {version}.\n"
    );
    let ratio = beside_verilator();
    println!(
        "\nProducts of a language model on 1,024 PEs of 8 lanes (16 tiles of 8 x 8), memory port of 256 bits, fast memory; the \
         engine alone:\n"
    );
    large_products();
    assert!(ratio >= REQUIRED, "{ratio:.0} times Verilator, {REQUIRED} are required");
}
