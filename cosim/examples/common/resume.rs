//! Many cases by seed, each finished one a line of a file in the cache, named after the hash of this program (with it, of
//! everything that it simulates and generates) and of Verilator's version: after a stop the next call goes on behind the last line.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bitmosaic_arch::{Machine, PeWidths};
use bitmosaic_cosim::{CosimError, ExternalSettings, Tool, require};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// What is kept of a case.
pub trait Row: Serialize + DeserializeOwned {
    fn seed(&self) -> u64;
    /// No bit and no cycle differs.
    fn is_equal(&self) -> bool;
}

/// Plays as many cases as the only argument says, from seed `first` on, and prints their page. Exit codes: 0 all agree, 1 a
/// difference or a failing tool, 2 bad arguments.
pub fn main<R: Row>(
    name: &str,
    first: u64,
    default: u64,
    play: fn(u64, &ExternalSettings) -> Result<R, CosimError>,
    print: fn(&[R], &str),
) -> ExitCode {
    let cases = match std::env::args().nth(1).map_or(Ok(default), |text| text.parse::<u64>()) {
        Ok(cases) => cases,
        Err(_) => {
            eprintln!("{name}: the only argument is the number of cases, for example {default}");
            return ExitCode::from(2);
        }
    };
    match run(name, first..first + cases, play, print) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::from(1)
        }
    }
}

/// Whether all cases agree.
fn run<R: Row>(
    name: &str,
    seeds: std::ops::Range<u64>,
    play: fn(u64, &ExternalSettings) -> Result<R, CosimError>,
    print: fn(&[R], &str),
) -> Result<bool, String> {
    let settings = ExternalSettings::default();
    let version = require(Tool::Verilator).map_err(|e| e.to_string())?;
    let path = log(name, &settings.cache, &version)?;
    let mut rows: Vec<R> = finished(&path)?;
    eprintln!("{}: {} cases", path.display(), rows.len());
    for seed in seeds.clone() {
        if rows.iter().any(|row| row.seed() == seed) {
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
    rows.retain(|row| seeds.contains(&row.seed()));
    rows.sort_by_key(Row::seed);
    print(&rows, &version);
    Ok(rows.iter().all(Row::is_equal))
}

fn log(name: &str, cache: &Path, version: &str) -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|e| format!("the path of this program: {e}"))?;
    let mut hash = Sha256::new();
    hash.update(fs::read(&program).map_err(|e| place(&program, &e))?);
    hash.update(version);
    let hash: String = hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let folder = cache.join(name.replace('_', "-"));
    fs::create_dir_all(&folder).map_err(|e| place(&folder, &e))?;
    Ok(folder.join(format!("{hash}.jsonl")))
}

/// Cases of the file, whose last line may be cut off.
fn finished<R: Row>(path: &Path) -> Result<Vec<R>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(vec![]),
        Err(error) => Err(place(path, &error)),
    }
}

fn place(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Kinds of machine that a page tells apart: shared exponents, FP16 times digits, FP16 times FP16.
pub const KINDS: [&str; 3] = ["block", "float", "fp16"];

/// The kind of a machine.
pub fn kind(machine: &Machine) -> &'static str {
    match &machine.pe.kind {
        PeWidths::Block(_) | PeWidths::Int(_) => KINDS[0],
        PeWidths::Float(_) => KINDS[1],
        PeWidths::Mac(_) => KINDS[2],
    }
}
