//! Random whole machines, programs and memories through Verilator: bits and cycles beside the simulator's, bits beside the
//! host's. Prints `docs/evidence/random-arrays.md`:
//! `cargo run --release -p bitmosaic-cosim --example random_arrays -- [CASES]` (default 50, 20 s each).

#[path = "common/resume.rs"]
mod resume;

use std::process::ExitCode;

use bitmosaic_cosim::array::{cosimulate_array, differing_from_host, random_case, run_array_engine};
use bitmosaic_cosim::{CosimError, Engine, ExternalSettings};
use serde::{Deserialize, Serialize};

/// Seed of the first case; the tests' samples end below.
const FIRST_SEED: u64 = 3000;

/// What is kept of a case.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    seed: u64,
    kind: String,
    array: String,
    memory: String,
    commands: usize,
    outputs: u64,
    cycles: u64,
    mismatched_bits: u64,
    mismatched_cycles: u64,
    differing_from_host: usize,
}

impl resume::Row for Row {
    fn seed(&self) -> u64 {
        self.seed
    }

    fn is_equal(&self) -> bool {
        self.mismatched_bits + self.mismatched_cycles == 0 && self.differing_from_host == 0
    }
}

fn main() -> ExitCode {
    resume::main("random_arrays", FIRST_SEED, 50, play, print)
}

fn play(seed: u64, settings: &ExternalSettings) -> Result<Row, CosimError> {
    let case = random_case(seed)?;
    let result = cosimulate_array(&case, &[Engine::Verilator], settings)?;
    let run = run_array_engine(&case, Engine::Simulator, settings)?;
    let machine = &case.machine;
    let (tiles, bits) =
        machine.array.as_ref().map_or((String::new(), 0), |a| (format!("{}×{}", a.down, a.across), a.data_bits));
    Ok(Row {
        seed,
        kind: resume::kind(machine).into(),
        array: format!("{tiles} of {}×{}×{}", machine.tile.rows, machine.tile.columns, machine.pe.lanes),
        memory: format!("{bits} bits, {}", case.timing),
        commands: case.program.program.commands.len(),
        outputs: result.outputs,
        cycles: result.cycles.verilator.unwrap_or_default(),
        mismatched_bits: result.mismatched_bits,
        mismatched_cycles: result.mismatched_cycles,
        differing_from_host: differing_from_host(&case, &run)?,
    })
}

fn print(rows: &[Row], version: &str) {
    println!("# Random whole machines in Verilator\n");
    println!(
        "Random arrays of at most 32 PEs, programs of one to three layers and memories (`cosim/src/random_array.rs`, by seed): the"
    );
    println!(
        "exported Verilog beside the event-driven simulator (every burst, beat, retirement and stall count; memory afterwards), and"
    );
    println!("the outputs beside the host's datapath. {version}.");
    println!("`scripts/evidence random-arrays` makes this page again and goes on where it was stopped.\n");
    println!(
        "| PEs | machines | outputs | cycles | bits that differ | events that differ | outputs that differ from the host |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for kind in resume::KINDS.into_iter().chain(["all"]) {
        let of = || rows.iter().filter(|row| kind == "all" || row.kind == kind);
        let sum = |value: fn(&Row) -> u64| of().map(value).sum::<u64>();
        println!(
            "| {kind} | {} | {} | {} | {} | {} | {} |",
            of().count(),
            sum(|r| r.outputs),
            sum(|r| r.cycles),
            sum(|r| r.mismatched_bits),
            sum(|r| r.mismatched_cycles),
            sum(|r| r.differing_from_host as u64)
        );
    }
    println!("\n| seed | PEs | tiles of rows×columns×lanes | memory port | commands | outputs | cycles | result |");
    println!("| ---: | --- | --- | --- | ---: | ---: | ---: | --- |");
    for row in rows {
        let Row { seed, kind, array, memory, commands, outputs, cycles, .. } = row;
        let verdict = match resume::Row::is_equal(row) {
            true => "equal".to_string(),
            false => format!("{} bits, {} events differ", row.mismatched_bits, row.mismatched_cycles),
        };
        println!("| {seed} | {kind} | {array} | {memory} | {commands} | {outputs} | {cycles} | {verdict} |");
    }
}
