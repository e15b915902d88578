//! Random tiles of both kinds of processing element, random programs and stalls, through Verilator: bits and cycles beside
//! the simulator's, bits beside the host's. Prints `docs/evidence/random-tiles.md`:
//! `cargo run --release -p bitmosaic-cosim --example random_tiles -- [CASES]` (default 100, 10 s each).
//!
//! Each finished case is a line of a file in the cache, named after the hash of this program (with it, of everything that
//! it simulates and generates) and of Verilator's version: after a stop the next call goes on behind the last line. Exit
//! codes: 0 all agree, 1 a difference or a failing tool, 2 bad arguments.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bitmosaic_cosim::random::{self, Random};
use bitmosaic_cosim::{
    Case, CosimError, Engine, ExternalSettings, Tool, compare_with_host, cosimulate, require, run_engine,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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

fn main() -> ExitCode {
    let cases = match std::env::args().nth(1).map_or(Ok(100), |text| text.parse::<u64>()) {
        Ok(cases) => cases,
        Err(_) => {
            eprintln!("random_tiles: the only argument is the number of cases, for example 100");
            return ExitCode::from(2);
        }
    };
    match run(cases) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("random_tiles: {error}");
            ExitCode::from(1)
        }
    }
}

/// Whether all cases agree.
fn run(cases: u64) -> Result<bool, String> {
    let settings = ExternalSettings::default();
    let version = require(Tool::Verilator).map_err(|e| e.to_string())?;
    let path = log(&settings.cache, &version)?;
    let mut rows = finished(&path)?;
    eprintln!("{}: {} cases", path.display(), rows.len());
    for seed in FIRST_SEED..FIRST_SEED + cases {
        if rows.iter().any(|row| row.seed == seed) {
            continue;
        }
        let row = play(seed, &settings).map_err(|e| format!("seed {seed}: {e}"))?;
        let line = serde_json::to_string(&row).map_err(|e| e.to_string())?;
        eprintln!("{line}");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        // One write a line, a line break in front too: what a stop cuts off spoils no other case.
        file.and_then(|mut f| f.write_all(format!("\n{line}\n").as_bytes())).map_err(|e| place(&path, &e))?;
        rows.push(row);
    }
    rows.retain(|row| (FIRST_SEED..FIRST_SEED + cases).contains(&row.seed));
    rows.sort_by_key(|row| row.seed);
    print(&rows, &version);
    Ok(rows.iter().all(|row| row.mismatched_bits + row.mismatched_cycles == 0))
}

fn log(cache: &Path, version: &str) -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|e| format!("the path of this program: {e}"))?;
    let mut hash = Sha256::new();
    hash.update(fs::read(&program).map_err(|e| place(&program, &e))?);
    hash.update(version);
    let hash: String = hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let folder = cache.join("random-tiles");
    fs::create_dir_all(&folder).map_err(|e| place(&folder, &e))?;
    Ok(folder.join(format!("{hash}.jsonl")))
}

/// Cases of the file, whose last line may be cut off.
fn finished(path: &Path) -> Result<Vec<Row>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(vec![]),
        Err(error) => Err(place(path, &error)),
    }
}

fn place(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
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
        kind: if machine.aligner.is_some() { "block" } else { "float" }.into(),
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
    for kind in ["block", "float", "all"] {
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
