//! Random tiles of both kinds of processing element, random programs and stalls, through Verilator: bits and cycles beside
//! the simulator's, bits beside the host's. Prints `docs/evidence/random-tiles.md`:
//! `cargo run --release -p bitmosaic-cosim --example random_tiles -- [CASES]` (default 100, 10 s each).

#[path = "common/resume.rs"]
mod resume;

use std::process::ExitCode;

use bitmosaic_cosim::random::{self, Random};
use bitmosaic_cosim::{Case, CosimError, Engine, ExternalSettings, compare_with_host, cosimulate, run_engine};
use serde::{Deserialize, Serialize};

/// Seed of the first case; the tests' samples end below.
const FIRST_SEED: u64 = 2000;
const MOST_PES: usize = 16;

/// What is kept of a case.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    seed: u64,
    kind: String,
    tile: String,
    types: String,
    outputs: u64,
    aligner_cycles: u64,
    cycles: u64,
    mismatched_bits: u64,
    mismatched_cycles: u64,
}

impl resume::Row for Row {
    fn seed(&self) -> u64 {
        self.seed
    }

    fn is_equal(&self) -> bool {
        self.mismatched_bits + self.mismatched_cycles == 0
    }
}

fn main() -> ExitCode {
    resume::main("random_tiles", FIRST_SEED, 100, play, print)
}

fn play(seed: u64, settings: &ExternalSettings) -> Result<Row, CosimError> {
    let mut random = Random::new(seed);
    let machine = random::machine(&mut random, MOST_PES)?;
    let layers = random::program(&mut random, &machine);
    let case = Case::new(machine, layers, random::stalls(&mut random), seed)?;
    let mut result = cosimulate(&case, &[Engine::Verilator], settings)?;
    compare_with_host(&case, &run_engine(&case, Engine::Simulator, settings)?, &mut result)?;
    let machine = &case.machine;
    Ok(Row {
        seed,
        kind: resume::kind(machine).into(),
        tile: format!("{}×{}×{}", machine.tile.rows, machine.tile.columns, machine.pe.lanes),
        types: machine.types.iter().map(|t| t.weight_type.name).collect::<Vec<_>>().join(", "),
        outputs: result.outputs,
        aligner_cycles: result.aligner_cycles.verilator.unwrap_or_default(),
        cycles: result.cycles.verilator.unwrap_or_default(),
        mismatched_bits: result.mismatched_bits,
        mismatched_cycles: result.mismatched_cycles,
    })
}

fn print(rows: &[Row], version: &str) {
    println!("# Random tiles in Verilator\n");
    println!(
        "Random machines of at most {MOST_PES} PEs, programs of one to three layers and stalls (`cosim/src/random.rs`, by seed): the"
    );
    println!(
        "exported Verilog beside the event-driven simulator (output bits; cycles of beats and retirements, status counts),"
    );
    println!("and its outputs beside the host's datapath. {version}.");
    println!("`scripts/evidence random-tiles` makes this page again and goes on where it was stopped.\n");
    println!("| PEs | tiles | outputs | tile cycles | aligner cycles | bits that differ | cycles that differ |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for kind in resume::KINDS.into_iter().chain(["all"]) {
        let of = || rows.iter().filter(|row| kind == "all" || row.kind == kind);
        let sum = |value: fn(&Row) -> u64| of().map(value).sum::<u64>();
        println!(
            "| {kind} | {} | {} | {} | {} | {} | {} |",
            of().count(),
            sum(|r| r.outputs),
            sum(|r| r.cycles),
            sum(|r| r.aligner_cycles),
            sum(|r| r.mismatched_bits),
            sum(|r| r.mismatched_cycles)
        );
    }
    println!("\n| seed | PEs | rows×columns×lanes | weight types | outputs | tile cycles | aligner cycles | result |");
    println!("| ---: | --- | --- | --- | ---: | ---: | ---: | --- |");
    for row in rows {
        let Row { seed, kind, tile, types, outputs, cycles, aligner_cycles, mismatched_bits, mismatched_cycles } = row;
        let verdict = match mismatched_bits + mismatched_cycles {
            0 => "equal".to_string(),
            _ => format!("{mismatched_bits} bits, {mismatched_cycles} cycles differ"),
        };
        println!("| {seed} | {kind} | {tile} | {types} | {outputs} | {cycles} | {aligner_cycles} | {verdict} |");
    }
}
