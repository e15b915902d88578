use std::path::PathBuf;

use bitmosaic_arch::{DesignSpec, Machine, load_spec};
use bitmosaic_cosim::array::{ArrayCase, MEMORY_SETTINGS, cosimulate_array, standard_array_cases};
use bitmosaic_cosim::{
    Case, Engine, ExternalSettings, Replay, STALL_SETTINGS, Tool, cosimulate, require, standard_case,
};
use bitmosaic_mappings::Stalls;
use bitmosaic_reports::cosim_text;
use bitmosaic_results::{CosimDocument, CosimResult, EngineCycles, SCHEMA_VERSION};
use bitmosaic_workloads::trace::{LayerTrace, NonFinite, read_trace};

use super::quantize::file_name;
use super::simulate::{MAPPING, memory};
use crate::error::CliError;
use crate::{Outcome, output};

/// File that takes what a differing co-simulation needs to be shown again.
const REPLAY_FILE: &str = "bitmosaic-replay.json";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Design: a name of `bitmosaic list designs`, or a TOML file
    #[arg(long, required_unless_present = "replay")]
    design: Option<String>,
    /// Layer trace to run (from `bitmosaic quantize --output`); a generated program of every type, group and kind of
    /// activations without it
    #[arg(long, value_name = "FOLDER", conflicts_with = "replay")]
    trace: Option<PathBuf>,
    /// Run only the first output channels of each layer of the trace
    #[arg(long, value_name = "N", requires = "trace")]
    output_channels: Option<usize>,
    /// Run only the first tokens of each layer of the trace
    #[arg(long, value_name = "N", requires = "trace")]
    tokens: Option<usize>,
    /// Accept NaN and infinite activations in the trace
    #[arg(long, requires = "trace")]
    allow_non_finite: bool,
    /// Engines to compare, by name, separated by commas; the simulator always runs
    #[arg(long, value_delimiter = ',', default_value = "simulator,netlist,verilator,icarus")]
    engines: Vec<String>,
    /// Seed of the generated program, of stalls and of state that powers up unknown
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show a reported difference again
    #[arg(long, value_name = "FILE", conflicts_with = "design")]
    replay: Option<PathBuf>,
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let replay = arguments.replay.as_deref().map(Replay::read).transpose()?;
    let names = replay.as_ref().map_or(&arguments.engines, |r| &r.engines);
    let engines = parse_engines(names)?;
    for engine in &engines {
        match engine {
            Engine::Verilator => drop(require(Tool::Verilator)?),
            Engine::Icarus => drop(require(Tool::Icarus)?),
            Engine::Simulator | Engine::Step | Engine::Netlist => {}
        }
    }
    let (spec, workload, cases) = match &replay {
        Some(replay) => {
            let case = match replay.array_case()? {
                Some(case) => AnyCase::Array(Box::new(case)),
                None => AnyCase::Tile(Box::new(replay.case()?)),
            };
            (replay.design.clone(), "replay".to_string(), vec![("replay", case)])
        }
        None => cases(arguments)?,
    };
    let mut total: Option<CosimResult> = None;
    for (name, case) in &cases {
        output::progress(&format!("{workload}, {name}: {}", names.join(", ")));
        let mut result = case.run(&engines)?;
        if result.mismatched_bits + result.mismatched_cycles > 0 && total.as_ref().is_none_or(|t| t.replay.is_none()) {
            case.replay(&spec, &engines).write(REPLAY_FILE.as_ref())?;
            result.replay = Some(REPLAY_FILE.to_string());
        }
        total = Some(match total {
            Some(before) => merge(before, result),
            None => result,
        });
    }
    output::progress_done();
    let result = total.ok_or_else(|| CliError::Internal("no case".into()))?;
    let failed = result.mismatched_bits + result.mismatched_cycles > 0;
    let stalls = match &cases[..] {
        [(_, only)] => only.memory(),
        [(_, AnyCase::Tile(_)), ..] => format!("{}; {} stall settings", super::simulate::STREAMS, cases.len()),
        several => format!("ideal: {}", several.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")),
    };
    let machine = cases[0].1.machine();
    let engine = names.join(",");
    let seed = cases[0].1.seed();
    let provenance = output::provenance(machine, workload, MAPPING, engine, &stalls, seed);
    let document = CosimDocument { schema_version: SCHEMA_VERSION, provenance, result };
    if json {
        output::print_json(&document)?
    } else {
        output::print_text(&cosim_text(&document))?
    }
    Ok(if failed { Outcome::CheckFailed } else { Outcome::Done })
}

fn parse_engines(names: &[String]) -> Result<Vec<Engine>, CliError> {
    let known = Engine::ALL.map(Engine::name).join(", ");
    let parse = |name: &String| {
        Engine::from_name(name)
            .ok_or_else(|| CliError::option("--engines", format!("`{name}`"), format!("one of {known}")))
    };
    names.iter().map(parse).collect()
}

type Cases = (DesignSpec, String, Vec<(&'static str, AnyCase)>);

/// A case of a tile alone or of a whole machine.
enum AnyCase {
    Tile(Box<Case>),
    Array(Box<ArrayCase>),
}

impl AnyCase {
    fn machine(&self) -> &Machine {
        match self {
            AnyCase::Tile(case) => &case.machine,
            AnyCase::Array(case) => &case.machine,
        }
    }

    fn seed(&self) -> u64 {
        match self {
            AnyCase::Tile(case) => case.state_seed,
            AnyCase::Array(case) => case.state_seed,
        }
    }

    fn memory(&self) -> String {
        match self {
            AnyCase::Tile(case) => memory(case.stalls),
            AnyCase::Array(case) => case.timing.to_string(),
        }
    }

    fn run(&self, engines: &[Engine]) -> Result<CosimResult, CliError> {
        let settings = ExternalSettings::default();
        Ok(match self {
            AnyCase::Tile(case) => cosimulate(case, engines, &settings)?,
            AnyCase::Array(case) => cosimulate_array(case, engines, &settings)?,
        })
    }

    fn replay(&self, spec: &DesignSpec, engines: &[Engine]) -> Replay {
        match self {
            AnyCase::Tile(case) => Replay::new(case, spec, engines, None),
            AnyCase::Array(case) => Replay::of_array(case, spec, engines, None),
        }
    }
}

fn cases(arguments: &Arguments) -> Result<Cases, CliError> {
    let (spec, machine) = load_spec(arguments.design.as_deref().unwrap_or_default())?;
    let seed = arguments.seed;
    let Some(folder) = &arguments.trace else {
        let tile = |(name, stalls)| {
            let case = standard_case(&machine, seed, stalls)?;
            Ok((name, AnyCase::Tile(Box::new(case))))
        };
        let cases = match machine.array {
            None => STALL_SETTINGS.into_iter().map(tile).collect::<Result<_, CliError>>()?,
            Some(_) => {
                let cases = standard_array_cases(&machine, seed)?.into_iter();
                cases.map(|(name, case)| (name, AnyCase::Array(Box::new(case)))).collect()
            }
        };
        return Ok((spec, "standard program".to_string(), cases));
    };
    let non_finite = if arguments.allow_non_finite { NonFinite::Allow } else { NonFinite::Refuse };
    let layers: Vec<LayerTrace> = read_trace(folder, non_finite)?
        .iter()
        .map(|layer| {
            let channels = arguments.output_channels.unwrap_or(usize::MAX);
            layer.first(channels, arguments.tokens.unwrap_or(usize::MAX))
        })
        .collect::<Result<_, _>>()?;
    let cases = match machine.array {
        None => {
            let case = Case::new(machine, layers, Stalls { seed: seed as u32, ..Stalls::NONE }, seed)?;
            vec![("trace", AnyCase::Tile(Box::new(case)))]
        }
        Some(_) => {
            let case = |(name, timing)| {
                let case = ArrayCase::new(machine.clone(), layers.clone(), timing, seed)?;
                Ok((name, AnyCase::Array(Box::new(case))))
            };
            MEMORY_SETTINGS.into_iter().map(case).collect::<Result<_, CliError>>()?
        }
    };
    Ok((spec, format!("trace {}", file_name(folder)), cases))
}

/// Two results of one design together: counts and cycles add up.
fn merge(before: CosimResult, after: CosimResult) -> CosimResult {
    let add = |a: EngineCycles, b: EngineCycles| {
        let sum = |x: Option<u64>, y: Option<u64>| Some(x? + y?);
        EngineCycles {
            simulator: sum(a.simulator, b.simulator),
            netlist: sum(a.netlist, b.netlist),
            verilator: sum(a.verilator, b.verilator),
            icarus: sum(a.icarus, b.icarus),
        }
    };
    let mut mismatches = before.mismatches;
    mismatches.extend(after.mismatches);
    mismatches.truncate(16);
    CosimResult {
        outputs: before.outputs + after.outputs,
        mismatched_bits: before.mismatched_bits + after.mismatched_bits,
        mismatched_cycles: before.mismatched_cycles + after.mismatched_cycles,
        cycles: add(before.cycles, after.cycles),
        aligner_cycles: add(before.aligner_cycles, after.aligner_cycles),
        mismatches,
        localization: if before.localization.is_empty() { after.localization } else { before.localization },
        replay: before.replay.or(after.replay),
    }
}
