//! `reproduce`: a publication's figures beside what is computed here.

use std::path::{Path, PathBuf};

use bitmosaic_arch::{Machine, Technology, load};
use bitmosaic_mappings::Mapping;
use bitmosaic_reports::{
    gains_plot, reproduce_cycles_plot, reproduce_gains_csv, reproduce_page, reproduce_points_csv, reproduce_text,
};
use bitmosaic_results::{
    CostTable, CycleEnginePoint, EnergyPj, ReproduceDocument, ReproduceResult, ReproducedPoint, ReproducedRatio,
    ReproducedTile, SCHEMA_VERSION,
};
use bitmosaic_rtl::area::{area, cost_table};
use bitmosaic_rtl::hardware::build;
use bitmosaic_sim::energy::{add, energy};
use bitmosaic_sim::hpca25::published::{DECODE, DECODE_UJ, GENERATED, PREFILL, PREFILL_UJ, RATIOS, TILES};
use bitmosaic_sim::hpca25::{MACHINES, MODELS, PublishedRun, run};
use bitmosaic_sim::inference::{OperandType, Precision, Timing, time_operations};
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::model::{self, Model};
use bitmosaic_workloads::operation::{LmHead, Operand, Scope, Work, operations};
use bitmosaic_workloads::phase::Step;
use bitmosaic_workloads::routing::Routing;

use crate::error::CliError;
use crate::{Outcome, output};

/// Tokens of the paper's prompt and context.
const CONTEXT: u32 = 256;
/// The design that is the paper's machine.
const DESIGN: &str = "bitmod";
/// The same as a tile alone.
const TILE: &str = "bitmod-tile";
/// The paper's memory: 256 bits a cycle.
const MEMORY: MemoryTiming = MemoryTiming { bytes_per_cycle: 32, ..MemoryTiming::FAST };
/// The paper's keys and values.
const CACHE: (&str, usize) = ("int8", 128);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to reproduce
    publication: Publication,
    /// Folder for the report, the plots and the tables, made if it is not there
    #[arg(short, long, default_value = "bitmosaic-reproduce")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Publication {
    /// The BitMoD paper: cycles, energies and means of its simulator, beside the cycle engine on design `bitmod`
    Hpca25,
}

/// Exit code 1 where the published model gives another number than was published.
pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let Publication::Hpca25 = arguments.publication;
    let machine = load(DESIGN)?;
    let result = hpca25(&machine)?;
    let outcome = if result.differing == 0 { Outcome::Done } else { Outcome::CheckFailed };
    let workload = format!("the paper's six models, prefill and decode at {CONTEXT}");
    let mapping = "published; output-stationary in the cycle engine";
    let engine = "hpca25, cycle".to_string();
    let provenance = output::provenance(&machine, workload, mapping, engine, &MEMORY.to_string(), 0);
    let document = ReproduceDocument { schema_version: SCHEMA_VERSION, provenance, result };
    let report = write_report(&arguments.output, &document)?;
    if json {
        output::print_json(&document)?
    } else {
        output::print_text(&reproduce_text(&document, &report))?
    }
    Ok(outcome)
}

/// Page, plots and tables; the path of the page.
fn write_report(folder: &Path, document: &ReproduceDocument) -> Result<PathBuf, CliError> {
    output::create_folder(folder)?;
    let result = &document.result;
    output::write_file(&folder.join("gains.svg"), gains_plot(result)?.as_str())?;
    output::write_file(&folder.join("cycles.svg"), reproduce_cycles_plot(result)?.as_str())?;
    output::write_file(&folder.join("gains.csv"), &reproduce_gains_csv(result)?)?;
    output::write_file(&folder.join("points.csv"), &reproduce_points_csv(result)?)?;
    let page = folder.join("index.html");
    output::write_file(&page, &reproduce_page(document))?;
    Ok(page)
}

/// Rounded to microjoules as the paper's tables are.
fn microjoules(picojoules: f64) -> u64 {
    (picojoules / 1e6).round_ties_even() as u64
}

fn hpca25(machine: &Machine) -> Result<ReproduceResult, CliError> {
    let technology = Technology::hpca25_28nm()?;
    let models: Vec<Model> = MODELS.iter().map(|name| model::load(name)).collect::<Result<_, _>>()?;
    let own_area = area(machine, &build(machine)?, &technology)?;
    let costs = cost_table(machine, &own_area, &technology, technology.dram_pj_per_bit)?;
    let mut result = ReproduceResult { tiles: tiles(&technology)?, ..ReproduceResult::default() };
    // By machine and model: prefill, decode.
    let mut runs: Vec<Vec<[PublishedRun; 2]>> = Vec::new();
    for (m, published) in MACHINES.iter().enumerate() {
        let mut of_machine = Vec::new();
        for (i, model) in models.iter().enumerate() {
            let both = [
                run(published, model, true, CONTEXT, &technology)?,
                run(published, model, false, CONTEXT, &technology)?,
            ];
            for (prefill, run) in [true, false].into_iter().zip(&both) {
                let (cycles, energy) = if prefill { (PREFILL, PREFILL_UJ) } else { (DECODE, DECODE_UJ) };
                let point = ReproducedPoint {
                    machine: published.name.to_string(),
                    model: model.name.clone(),
                    phase: format!("{}:{CONTEXT}", if prefill { "prefill" } else { "decode" }),
                    published_cycles: cycles[m][i],
                    hpca25_cycles: run.cycles(),
                    hpca25_attention_cycles: run.attention_cycles(),
                    published_energy_uj: energy[m][i],
                    hpca25_energy_uj: [run.energy().on_chip(), run.energy().total()].map(microjoules),
                    cycle_engine: cycle_engine((machine, &costs), published.name, model, prefill)?,
                };
                result.differing += u64::from(point.published_cycles != point.hpca25_cycles);
                let energies = point.published_energy_uj.iter().zip(&point.hpca25_energy_uj);
                result.differing += energies.filter(|(printed, own)| printed != own).count() as u64;
                result.points.push(point);
            }
            of_machine.push(both);
        }
        runs.push(of_machine);
    }
    for (name, time, energy) in RATIOS {
        let own = MACHINES.iter().position(|machine| machine.name == name).map_or(&runs[0], |position| &runs[position]);
        for (quantity, printed) in [("time", time), ("energy", energy)] {
            for (scenario, published) in ["discriminative", "generative"].into_iter().zip(printed) {
                let hpca25 = gain(&runs[0], own, quantity == "time", scenario == "generative");
                // Times were printed with four decimals, energies with three.
                let unit = if quantity == "time" { 1e-4 } else { 1e-3 };
                result.differing += u64::from((hpca25 - published).abs() > 0.51 * unit);
                result.ratios.push(ReproducedRatio {
                    machine: name.to_string(),
                    scenario: scenario.to_string(),
                    quantity: quantity.to_string(),
                    published,
                    hpca25,
                });
            }
        }
    }
    Ok(result)
}

/// What a machine gains over FP16 on average, as the paper's figures count: the mean of speedups, or the reciprocal of the mean
/// of relative energies.
fn gain(fp16: &[[PublishedRun; 2]], own: &[[PublishedRun; 2]], time: bool, generative: bool) -> f64 {
    let spent = |[prefill, decode]: &[PublishedRun; 2]| {
        let of = |run: &PublishedRun| if time { run.cycles() as f64 } else { run.energy().total() };
        of(prefill) + if generative { GENERATED as f64 * of(decode) } else { 0.0 }
    };
    let pairs = fp16.iter().zip(own).map(|(fp16, own)| (spent(fp16), spent(own)));
    let n = own.len() as f64;
    if time {
        pairs.map(|(fp16, own)| fp16 / own / n).sum()
    } else {
        1.0 / pairs.map(|(fp16, own)| own / fp16 / n).sum::<f64>()
    }
}

/// The paper's table of areas and powers beside the tile that is built.
fn tiles(technology: &Technology) -> Result<Vec<ReproducedTile>, CliError> {
    let machine = load(TILE)?;
    let own = area(&machine, &build(&machine)?, technology)?;
    let rest = own.operands + own.scale_units + own.output_stages + own.control;
    let row = |(machine, part): (&str, &str), published: Option<(f64, f64)>, um2: Option<f64>| ReproducedTile {
        machine: machine.to_string(),
        part: part.to_string(),
        published_um2: published.map(|(um2, _)| um2),
        published_mw: published.map(|(_, mw)| mw),
        um2,
        // pJ a cycle of a ns.
        mw: um2.map(|um2| um2 * technology.logic.pj_per_um2_cycle),
    };
    let mut rows: Vec<ReproducedTile> = Vec::new();
    for (name, part, um2, mw) in TILES {
        let built = match (name, part) {
            ("bitmod", "processing elements") => Some(own.processing_elements),
            ("bitmod", "term generators") => Some(own.term_generators),
            _ => None,
        };
        rows.push(row((name, part), Some((um2, mw)), built));
    }
    rows.push(row(("bitmod", "operands, control, accumulators, output"), None, Some(rest)));
    Ok(rows)
}

/// The cycle engine on the built machine, in the types the paper's machine of this name uses.
fn cycle_engine(
    (machine, costs): (&Machine, &CostTable),
    name: &str,
    model: &Model,
    prefill: bool,
) -> Result<Option<CycleEnginePoint>, CliError> {
    let weights = match (name, prefill) {
        ("bitmod-lossless", _) => ("int6", 128),
        ("bitmod-lossy", true) => ("bitmod-fp4", 128),
        ("bitmod-lossy", false) => ("bitmod-fp3", 128),
        _ => return Ok(None),
    };
    let precision =
        Precision { weights: OperandType::named(weights.0, weights.1)?, cache: OperandType::named(CACHE.0, CACHE.1)? };
    let step = Step { new: if prefill { CONTEXT } else { 1 }, context: CONTEXT };
    let scope = Scope { batch: 1, lm_head: LmHead::All, routing: Routing::Worst, quantized_cache: true };
    let list = operations(model, step, &scope);
    let timings = time_operations(machine, &list, &precision, MEMORY, &Mapping::best())
        .map_err(|error| CliError::Internal(format!("{} on {DESIGN}: {error}", model.name)))?;
    let mut point =
        CycleEnginePoint { weights: format!("{} g{}", weights.0, weights.1), ..CycleEnginePoint::default() };
    let mut spent = EnergyPj::default();
    for (operation, timing) in list.iter().zip(timings) {
        let n = operation.layers;
        point.cycles += n * timing.cycles();
        add(&mut spent, energy(&timing, costs), n);
        match timing {
            Timing::Program(timing) => {
                // In the order of `ports::ARRAY_STATUS`.
                let [compute, _, _, _, operands, outputs, _] = timing.status_cycles;
                point.compute_cycles += n * compute;
                point.memory_cycles += n * (operands + outputs);
                point.bytes += n * (timing.bytes_read + timing.bytes_written);
            }
            Timing::Vector(timing) => {
                point.vector_cycles += n * timing.cycles;
                point.bytes += n * (timing.bytes_read + timing.bytes_written);
            }
        }
        let attention = matches!(operation.work, Work::Product(product) if product.operand != Operand::Weights);
        point.attention_cycles += if attention { n * timing.cycles() } else { 0 };
    }
    point.leakage_uj = spent.sram_leakage / 1e6;
    point.on_chip_uj = (spent.compute + spent.sram - spent.sram_leakage) / 1e6;
    point.total_uj = spent.total / 1e6;
    Ok(Some(point))
}
