//! Clocks, and builds of Verilator.

use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{fs, iter};

/// State that powers up unknown is random.
pub const STATE: &str = "+verilator+rand+reset+2 +verilator+seed+1";

/// CPU seconds of this thread so far: other work on the machine does not count.
pub fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

pub fn timed(run: impl FnOnce()) -> f64 {
    let start = cpu_seconds();
    run();
    cpu_seconds() - start
}

/// The fewest of five measurements.
pub fn fewest(run: impl FnMut() -> f64) -> f64 {
    iter::repeat_with(run).take(5).fold(f64::INFINITY, f64::min)
}

/// Runs a shell command in a folder; the CPU seconds of all its processes.
pub fn shell(folder: &Path, script: &str) -> f64 {
    let script = format!("{script} >/dev/null && times");
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    // Two lines, user and system time of the shell and of its children: `0m1.23s 0m0.45s`.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let seconds = |field: &str| {
        let (minutes, seconds) = field.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    text.split_whitespace().skip(2).map(seconds).sum()
}

/// What a build took.
pub struct Built {
    pub cpu_seconds: f64,
    pub seconds: f64,
}

/// Builds a simulation in `folder` with the flags of `cosim/src/external.rs` but for the C++ optimisation.
#[allow(clippy::disallowed_methods)] // a bench
pub fn build(folder: &Path, files: &[(String, String)], top: &str, optimisation: &str) -> Built {
    fs::create_dir_all(folder).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| &name[..]).collect();
    let script = format!(
        "verilator --cc --exe --build -j 2 --top-module {top} --x-assign unique --x-initial unique -O3 \
         -CFLAGS {optimisation} -Mdir obj -o simulation {}",
        names.join(" ")
    );
    let start = Instant::now();
    let cpu_seconds = shell(folder, &script);
    Built { cpu_seconds, seconds: start.elapsed().as_secs_f64() }
}
