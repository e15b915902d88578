//! `simulate --model`: a model's phase on a whole machine.

use std::collections::BTreeMap;

use bitmosaic_arch::Machine;
use bitmosaic_mappings::Mapping;
use bitmosaic_results::{
    CostTable, EnergyPj, FusionResult, InferenceResult, LayerResult, MemoryWaits, SimulateResult, Stalls,
};
use bitmosaic_sim::energy::{self as charge, energy};
use bitmosaic_sim::fusion::FusionBound;
use bitmosaic_sim::inference::{OperandType, Precision, Timing, time_operations};
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::model::{Experts, Model, load};
use bitmosaic_workloads::operation::{
    Function, LmHead, Operand, Operation, Product, Scope, Work, cache_elements, operations, parameters,
};
use bitmosaic_workloads::phase::Phase;
use bitmosaic_workloads::routing::Routing;

use super::{Arguments, SimulateEngine, energy, type_or_usual};
use crate::error::CliError;

#[derive(Debug, clap::Args)]
pub(super) struct ModelArguments {
    /// Model: a name of `bitmosaic list models`, or the path of a model file
    #[arg(long, value_name = "MODEL", conflicts_with = "matmul", requires = "phase")]
    pub(super) model: Option<String>,
    /// What it does: `prefill:TOKENS`, `decode:CONTEXT` or `generate:PROMPT+TOKENS`
    #[arg(long, requires = "model")]
    phase: Option<String>,
    /// Sequences
    #[arg(long, default_value_t = 1, requires = "model")]
    batch: u32,
    /// Type of keys and values in the cache [default: int8; fp16 on machines of FP16 weights]
    #[arg(long, value_name = "TYPE", requires = "model")]
    cache_type: Option<String>,
    /// Elements per group of keys (along the head) and values (along the tokens)
    #[arg(long, value_name = "GROUP", default_value_t = 128, requires = "model")]
    cache_group: usize,
    /// Tokens whose logits are computed
    #[arg(long, default_value = "last", requires = "model")]
    lm_head: LmHeadTokens,
    /// How a mixture's tokens choose experts: `uniform` (at random, all alike, by --seed), `worst` (as many experts as there are
    /// choices), or a text file with the measured share of each expert
    #[arg(long, value_name = "HOW|FILE", default_value = "uniform", requires = "model")]
    routing: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LmHeadTokens {
    /// The last of every sequence
    Last,
    /// All new ones
    All,
}

/// What a model's run adds to a document.
pub(super) struct ModelResult {
    pub(super) result: SimulateResult,
    pub(super) workload: String,
}

/// What operations of the same name took in all layers and steps.
#[derive(Default)]
struct Sum {
    order: usize,
    shape: Option<String>,
    shapes: usize,
    layer: LayerResult,
    energy: EnergyPj,
    useful: u128,
    on_cache: bool,
    vector: bool,
}

pub(super) fn simulate(
    machine: &Machine,
    name: &str,
    timing: MemoryTiming,
    arguments: &Arguments,
) -> Result<ModelResult, CliError> {
    let own = &arguments.model;
    if arguments.engine != SimulateEngine::Cycle {
        return Err(CliError::option("--engine", "a model", "whole models run on `--engine cycle`"));
    }
    let (model, phase) = (load(name)?, Phase::parse(own.phase.as_deref().unwrap_or_default())?);
    if let Some((found, expected)) = phase.too_large(own.batch) {
        return Err(CliError::option("--phase, --batch", found, expected));
    }
    let weight_type = arguments.weight_type(machine);
    let cache_type = type_or_usual(machine, own.cache_type.as_deref(), "int8");
    let precision = Precision {
        weights: OperandType::named(weight_type, arguments.group)?,
        cache: OperandType::named(cache_type, own.cache_group)?,
    };
    let scope = Scope {
        batch: own.batch,
        lm_head: match own.lm_head {
            LmHeadTokens::Last => LmHead::Last,
            LmHeadTokens::All => LmHead::All,
        },
        routing: routing(&own.routing, &model, arguments.seed)?,
        quantized_cache: true,
    };
    let list: Vec<Operation> = phase.steps().into_iter().flat_map(|step| operations(&model, step, &scope)).collect();
    let timings = time_operations(machine, &list, &precision, timing, &Mapping::load(&arguments.mapping)?)
        .map_err(|error| CliError::option("--model", &model.name, error.to_string()))?;
    let workload = format!(
        "{} {phase}, batch {}, weights {} g{}, cache {} g{}, logits of {} tokens{}",
        model.name,
        own.batch,
        weight_type,
        arguments.group,
        cache_type,
        own.cache_group,
        if own.lm_head == LmHeadTokens::Last { "last" } else { "all" },
        if experts(&model).is_some() { format!(", {} routing", own.routing) } else { String::new() },
    );
    let context = phase.steps().last().map_or(0, |step| step.context);
    let cache = cache_elements(&model, context) as f64 * precision.cache_bits() / 8.0;
    let cache_bytes = cache.ceil() as u64 * u64::from(own.batch);
    let tokens = u64::from(phase.tokens_out()) * u64::from(own.batch);
    let costs = energy::costs(machine, arguments)?;
    let mut result = total(machine, &list, (&timings, timing), &precision, &costs);
    let energy = result.energy_pj.unwrap_or_default();
    if let Some(inference) = &mut result.inference {
        inference.tokens = tokens;
        inference.tokens_per_second = tokens as f64 / result.seconds;
        inference.joules_per_token = Some(energy.total * 1e-12 / tokens as f64);
        inference.parameters = parameters(&model);
        inference.cache_bytes = cache_bytes;
    }
    Ok(ModelResult { result, workload })
}

/// The experts of a mixture: of all its blocks the same number, or the first block's.
fn experts(model: &Model) -> Option<&Experts> {
    model.blocks.values().find_map(|block| block.feed_forward.as_ref()?.experts.as_ref())
}

/// Largest file of shares.
const MOST_SHARE_BYTES: u64 = 1 << 20;

/// How tokens choose experts; a file has a number an expert, with commas or blanks between them.
fn routing(how: &str, model: &Model, seed: u64) -> Result<Routing, CliError> {
    match how {
        "uniform" => return Ok(Routing::Uniform { seed }),
        "worst" => return Ok(Routing::Worst),
        _ => {}
    }
    let error = |reason: String| CliError::File { path: how.to_string(), reason };
    let expected = "`--routing` takes `uniform`, `worst` or a file of shares";
    let size = std::fs::metadata(how).map_err(|e| error(format!("{e}; {expected}")))?.len();
    if size > MOST_SHARE_BYTES {
        return Err(error(format!("{size} bytes; {expected} of at most {MOST_SHARE_BYTES}")));
    }
    let text = std::fs::read_to_string(how).map_err(|e| error(format!("{e}; {expected}")))?;
    let mut shares = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in line.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()) {
            let share = word.parse::<f64>().ok().filter(|share| share.is_finite() && *share >= 0.0);
            shares.push(
                share.ok_or_else(|| error(format!("line {number}: `{word}` is no share, 0 or a positive number")))?,
            );
        }
    }
    let Some(Experts { count, per_token, .. }) = experts(model) else {
        return Err(error(format!("model `{}` has no experts to share tokens; take another model", model.name)));
    };
    let taken = shares.iter().filter(|share| **share > 0.0).count();
    if shares.len() != *count as usize || taken < *per_token as usize {
        let needed = format!("model `{}` needs {count}, at least {per_token} of them positive", model.name);
        return Err(error(format!("{} shares, {taken} of them positive; {needed}", shares.len())));
    }
    Ok(Routing::Measured { shares, seed })
}

/// Adds up operations by name.
fn total(
    machine: &Machine,
    list: &[Operation],
    (timings, memory): (&[Timing], MemoryTiming),
    precision: &Precision,
    costs: &CostTable,
) -> SimulateResult {
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for (operation, timing) in list.iter().zip(timings) {
        let order = sums.len();
        let sum = sums.entry(&operation.name).or_insert_with(|| Sum { order, ..Sum::default() });
        add(sum, operation, *timing, precision);
        charge::add(&mut sum.energy, energy(timing, costs), operation.layers);
    }
    let mut sums: Vec<(&str, Sum)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| sum.order);
    let mut fusion = FusionResult::default();
    for (operation, own) in list.iter().zip(timings) {
        let bound = FusionBound::of(machine, operation, *own, memory);
        fusion.activation_bytes += bound.activation_bytes;
        fusion.on_chip_bytes += bound.on_chip_bytes;
        fusion.cycles += bound.cycles;
    }
    let cycles: u64 = sums.iter().map(|(_, sum)| sum.layer.cycles).sum();
    let of = |which: fn(&Sum) -> bool| sums.iter().filter(|(_, sum)| which(sum)).map(|(_, sum)| sum.layer.cycles).sum();
    let (cache_cycles, vector_cycles) = (of(|sum| sum.on_cache), of(|sum| sum.vector));
    let useful: u128 = sums.iter().map(|(_, sum)| sum.useful).sum();
    let tiles = machine.array.as_ref().map_or(1, |array| u64::from(array.tiles()));
    let offered = u128::from(cycles) * u128::from(tiles * u64::from(machine.pes() * machine.pe.lanes));
    let mut all = EnergyPj::default();
    sums.iter().for_each(|(_, sum)| charge::add(&mut all, sum.energy, 1));
    let layers = sums.into_iter().map(|(name, sum)| LayerResult {
        name: name.to_string(),
        energy_pj: Some(sum.energy),
        op: match (sum.shape, sum.shapes) {
            (Some(shape), 1) => shape,
            (shape, shapes) => format!("{shapes} shapes, the first {}", shape.unwrap_or_default()),
        },
        ..sum.layer
    });
    SimulateResult {
        cycles,
        seconds: cycles as f64 / (f64::from(machine.clock_mhz) * 1e6),
        layers: layers.collect(),
        technology: Some(costs.technology.clone()),
        energy_pj: Some(all),
        utilization: if offered == 0 { 0.0 } else { useful as f64 / offered as f64 },
        inference: Some(InferenceResult { cache_cycles, vector_cycles, fusion, ..InferenceResult::default() }),
    }
}

fn add(sum: &mut Sum, operation: &Operation, timing: Timing, precision: &Precision) {
    let n = operation.layers;
    let layer = &mut sum.layer;
    layer.cycles += n * timing.cycles();
    let shape = match (operation.work, timing) {
        (Work::Product(product), Timing::Program(timing)) => {
            // In the order of `ports::ARRAY_STATUS`.
            let [compute, operand, scale_unit, output, operands, outputs, room] = timing.status_cycles.map(|c| n * c);
            layer.compute_cycles += compute;
            layer.memory_cycles += operands + outputs;
            let waits = layer.memory_waits.get_or_insert_with(MemoryWaits::default);
            waits.operands += operands;
            waits.outputs += outputs;
            waits.room += room;
            let known = compute + operand + scale_unit + output + operands + outputs;
            let stalls = &mut layer.stalls;
            *stalls = Stalls {
                operand: stalls.operand + operand,
                scale_unit: stalls.scale_unit + scale_unit,
                output: stalls.output + output,
                fill_drain: stalls.fill_drain + n * timing.cycles - known,
            };
            layer.bytes_read += n * timing.bytes_read;
            layer.bytes_written += n * timing.bytes_written;
            sum.useful += u128::from(n) * timing.useful_terms;
            sum.on_cache |= product.operand != Operand::Weights;
            describe(operation, product, precision)
        }
        (Work::Vector(vector), Timing::Vector(timing)) => {
            layer.compute_cycles += n * timing.compute_cycles;
            layer.memory_cycles += n * (timing.cycles - timing.compute_cycles);
            layer.bytes_read += n * timing.bytes_read;
            layer.bytes_written += n * timing.bytes_written;
            sum.vector = true;
            sum.on_cache |= vector.function == Function::QuantizeCache;
            format!("{} x vector of {} elements", operation.count(), vector.elements)
        }
        // Timings come from the operations, one each.
        (Work::Product(_), Timing::Vector(_)) | (Work::Vector(_), Timing::Program(_)) => String::new(),
    };
    if sum.shape.as_ref() != Some(&shape) {
        sum.shapes += 1;
        sum.shape.get_or_insert(shape);
    }
}

fn describe(operation: &Operation, product: Product, precision: &Precision) -> String {
    let of = precision.of(product.operand);
    format!(
        "{} x matmul {}x{}x{} {} g{}",
        operation.count(),
        product.tokens,
        product.input_channels,
        product.output_channels,
        of.weight_type.name,
        of.group
    )
}
