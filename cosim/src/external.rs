//! Runs the exported Verilog in Icarus Verilog and Verilator: builds once per RTL (cached by its hash), plays stream
//! files, reads the trace back. Every process has a time limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bitmosaic_mappings::{OutputBeat, UnitStimulus, UnitTrace};
use bitmosaic_rtl::emit::testbench::{ICARUS_TOP, VERILATOR_MAIN, testbench};
use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::netlist::Design;
use sha2::{Digest, Sha256};

use crate::{Case, CosimError};

/// A Verilog simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Verilator, two-state, compiled.
    Verilator,
    /// Icarus Verilog, four-state, interpreted.
    Icarus,
}

impl Tool {
    /// Program.
    pub(crate) fn name(self) -> &'static str {
        self.program().0
    }

    /// Program and Debian package.
    fn program(self) -> (&'static str, &'static str) {
        match self {
            Tool::Verilator => ("verilator", "verilator"),
            Tool::Icarus => ("iverilog", "iverilog"),
        }
    }
}

/// Where builds are kept and how long a tool may take.
#[derive(Debug, Clone)]
pub struct ExternalSettings {
    /// Folder of cached builds.
    pub cache: PathBuf,
    /// Longest build.
    pub build_limit: Duration,
    /// Longest run.
    pub run_limit: Duration,
}

impl Default for ExternalSettings {
    /// `$BITMOSAIC_CACHE`, else `$XDG_CACHE_HOME/bitmosaic`, else `~/.cache/bitmosaic`; 30 minutes each.
    fn default() -> ExternalSettings {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let cache = variable("BITMOSAIC_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|p| p.join("bitmosaic")))
            .or_else(|| variable("HOME").map(|p| p.join(".cache/bitmosaic")))
            .unwrap_or_else(|| std::env::temp_dir().join("bitmosaic-cache"));
        let limit = Duration::from_secs(30 * 60);
        ExternalSettings { cache, build_limit: limit, run_limit: limit }
    }
}

/// Version line of a tool.
///
/// # Errors
/// `MissingTool` with the Debian package if it is not installed.
pub fn require(tool: Tool) -> Result<String, CosimError> {
    let (program, package) = tool.program();
    let flag = if tool == Tool::Verilator { "--version" } else { "-V" };
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output();
    match output {
        Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_string()),
        Err(_) => Err(CosimError::MissingTool { tool: program, package }),
    }
}

/// Runs a unit's Verilog on a stimulus.
///
/// # Errors
/// `MissingTool`, `Tool`, `File`, `Watchdog`-like ends as `Tool`, `Unknown` for an X or Z.
pub(crate) fn run(
    case: &Case,
    tool: Tool,
    unit: &'static str,
    design: &Design,
    stimulus: &UnitStimulus,
    settings: &ExternalSettings,
) -> Result<UnitTrace, CosimError> {
    let mut files = verilog_files(design);
    files.push(("testbench.v".to_string(), testbench(design, stimulus)));
    let mut inputs = Vec::new();
    let mut arguments = Vec::new();
    for (name, stream, gate) in &stimulus.inputs {
        let mut text = String::new();
        for beat in 0..stream.len() {
            text += &stream.hex(beat);
            text.push('\n');
        }
        inputs.push((format!("{name}.hex"), text));
        arguments.push(format!("+{name}_seed={}", gate.seed.max(1)));
        arguments.push(format!("+{name}_threshold={}", gate.threshold));
    }
    arguments.push(format!("+output_seed={}", stimulus.output_gate.seed.max(1)));
    arguments.push(format!("+output_threshold={}", stimulus.output_gate.threshold));
    let commands = stimulus.inputs[0].1.len();
    arguments.push(format!("+commands={commands}"));
    arguments.push(format!("+limit={}", case.cycle_limit()));
    let files = Files { sources: &files, inputs: &inputs };
    let text = simulate(tool, unit, &files, &arguments, case.state_seed, settings)?;
    parse_trace(tool, unit, &text, stimulus)
}

/// Name of the source that tells Verilator which modules to build as blocks.
pub(crate) const HIERARCHY: &str = "hierarchy.vlt";

/// What a simulation is made of and plays, as name and text.
pub(crate) struct Files<'a> {
    /// Verilog, and [`HIERARCHY`] for Verilator alone.
    pub(crate) sources: &'a [(String, String)],
    /// Files in the folder it runs in.
    pub(crate) inputs: &'a [(String, String)],
}

/// Builds a simulator of the sources, or finds it in the cache, runs it with plusargs and gives its trace.
///
/// # Errors
/// `MissingTool`, `Tool`, `File`.
pub(crate) fn simulate(
    tool: Tool,
    unit: &'static str,
    files: &Files<'_>,
    arguments: &[String],
    state_seed: u64,
    settings: &ExternalSettings,
) -> Result<String, CosimError> {
    let version = require(tool)?;
    let binary = build(tool, &version, files.sources, settings)?;
    let folder = tempfile::tempdir().map_err(|e| file_error(Path::new("temporary folder"), &e))?;
    for (name, text) in files.inputs {
        write(&folder.path().join(name), text)?;
    }
    let mut command = match tool {
        Tool::Verilator => {
            let mut command = Command::new(&binary);
            // Every register powers up random, by seed.
            command.arg("+verilator+rand+reset+2").arg(format!("+verilator+seed+{}", state_seed % 0x7FFF_FFFE + 1));
            command
        }
        Tool::Icarus => {
            let mut command = Command::new("vvp");
            command.arg("-n").arg(&binary);
            command
        }
    };
    command.args(arguments).current_dir(folder.path());
    run_limited(&format!("{} of the {unit}", tool.name()), &mut command, settings.run_limit)?;
    let path = folder.path().join("trace.txt");
    fs::read_to_string(&path).map_err(|e| file_error(&path, &e))
}

/// A trace line that makes no sense.
pub(crate) fn broken_line(tool: Tool, unit: &str, line: &str) -> CosimError {
    CosimError::Tool {
        what: format!("trace of {} of the {unit}", tool.name()),
        reason: format!("line `{line}` is not understood"),
    }
}

fn parse_trace(tool: Tool, unit: &'static str, text: &str, stimulus: &UnitStimulus) -> Result<UnitTrace, CosimError> {
    let mut trace = UnitTrace { status_cycles: vec![0; stimulus.status.len()], ..UnitTrace::default() };
    let mut done = false;
    let broken = |line: &str| broken_line(tool, unit, line);
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).ok_or_else(|| broken(line));
        match fields.first().copied() {
            Some("o") => {
                let data =
                    fields.get(2).and_then(|f| parse_hex(f, stimulus.output_bits)).ok_or_else(|| broken(line))?;
                trace.outputs.push(OutputBeat { cycle: number(1)?, data });
            }
            Some("r") => trace.retirements.push(number(1)?),
            Some("s") => {
                let index = stimulus.status.iter().position(|s| Some(s) == fields.get(1));
                trace.status_cycles[index.ok_or_else(|| broken(line))?] = number(2)?;
            }
            Some("unknown") => {
                let field = |i: usize| fields.get(i).copied().unwrap_or("?").to_string();
                return Err(CosimError::Unknown { unit, port: field(1), cycle: field(2) });
            }
            Some("watchdog") => {
                return Err(CosimError::Tool {
                    what: format!("{} of the {unit}", tool.name()),
                    reason: format!(
                        "did not finish: {} commands retired, {} output beats",
                        trace.retirements.len(),
                        trace.outputs.len()
                    ),
                });
            }
            Some("done") => done = true,
            _ => return Err(broken(line)),
        }
    }
    if done { Ok(trace) } else { Err(broken("the last line should be `done`")) }
}

pub(crate) fn parse_hex(text: &str, bits: u32) -> Option<Vec<u64>> {
    let digits: Vec<u64> = text.chars().rev().map(|c| c.to_digit(16).map(u64::from)).collect::<Option<_>>()?;
    let mut words = vec![0; bits.div_ceil(64) as usize];
    for (i, digit) in digits.into_iter().enumerate() {
        *words.get_mut(i / 16)? |= digit << (4 * (i % 16));
    }
    Some(words)
}

/// Builds a simulator of the files, or finds it in the cache.
fn build(
    tool: Tool,
    version: &str,
    files: &[(String, String)],
    settings: &ExternalSettings,
) -> Result<PathBuf, CosimError> {
    let (program, _) = tool.program();
    let mut hash = Sha256::new();
    hash.update(version);
    hash.update(VERILATOR_MAIN);
    for (name, text) in files {
        hash.update(name);
        hash.update([0]);
        hash.update(text);
        hash.update([0]);
    }
    let hash: String = hash.finalize().iter().take(12).map(|b| format!("{b:02x}")).collect();
    let home = settings.cache.join(program);
    let binary = home.join(&hash);
    if binary.is_file() {
        return Ok(binary);
    }
    fs::create_dir_all(&home).map_err(|e| file_error(&home, &e))?;
    let folder = tempfile::tempdir_in(&home).map_err(|e| file_error(&home, &e))?;
    for (name, text) in files {
        write(&folder.path().join(name), text)?;
    }
    let mut names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let mut command = Command::new(program);
    let product = match tool {
        Tool::Verilator => {
            write(&folder.path().join("main.cpp"), VERILATOR_MAIN)?;
            names.push("main.cpp");
            command.args(["--cc", "--exe", "--build", "-j", "2", "--top-module", "testbench"]);
            command.args(["--x-assign", "unique", "--x-initial", "unique", "-O3", "-CFLAGS", "-O1"]);
            command.args(["-Mdir", "obj", "-o", "simulation"]);
            if names.contains(&HIERARCHY) {
                command.arg("--hierarchical");
            }
            "obj/simulation"
        }
        Tool::Icarus => {
            write(&folder.path().join("icarus_top.v"), ICARUS_TOP)?;
            names.push("icarus_top.v");
            command.args(["-g2005", "-s", "icarus_top", "-o", "simulation"]);
            "simulation"
        }
    };
    command.args(names).current_dir(folder.path());
    run_limited(&format!("building with {program}"), &mut command, settings.build_limit)?;
    let product = folder.path().join(product);
    // A concurrent build of the same files gives the same product: either may win.
    fs::rename(&product, &binary).map_err(|e| file_error(&product, &e))?;
    Ok(binary)
}

/// Runs a process to its end, or kills it at the limit.
#[allow(clippy::disallowed_methods)] // the time limit of an external tool
fn run_limited(what: &str, command: &mut Command, limit: Duration) -> Result<(), CosimError> {
    let tool_error = |reason: String| CosimError::Tool { what: what.to_string(), reason };
    let log = tempfile::NamedTempFile::new().map_err(|e| tool_error(e.to_string()))?;
    let handle = || log.reopen().map_err(|e| tool_error(e.to_string()));
    command.stdin(Stdio::null()).stdout(handle()?).stderr(handle()?);
    let mut child = command.spawn().map_err(|e| tool_error(e.to_string()))?;
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| tool_error(e.to_string()))? {
            break status;
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return Err(tool_error(format!("stopped after {} s", limit.as_secs())));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    };
    if status.success() {
        return Ok(());
    }
    let bytes = fs::read(log.path()).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(12)..].join("\n");
    Err(tool_error(format!("{status}\n{tail}")))
}

fn write(path: &Path, text: &str) -> Result<(), CosimError> {
    fs::write(path, text).map_err(|e| file_error(path, &e))
}

fn file_error(path: &Path, error: &std::io::Error) -> CosimError {
    CosimError::File { path: path.display().to_string(), reason: error.to_string() }
}
