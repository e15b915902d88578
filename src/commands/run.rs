use std::path::PathBuf;

use bitmosaic_arch::load;
use bitmosaic_cosim::{Case, Engine, EngineRun, ExternalSettings, compare_with_host, cosimulate, run_engine};
use bitmosaic_kernels::yardstick::{fp16_outputs, fp32_outputs};
use bitmosaic_kernels::{ExactResult, exact, output_errors};
use bitmosaic_mappings::Stalls;
use bitmosaic_numerics::{error_statistics, f16, quantize_matrix, weight_type};
use bitmosaic_reports::{RunDetails, run_text, write_layers_csv, write_run_page};
use bitmosaic_results::{AccuracyResult, ErrorStatistics, RunDocument, SCHEMA_VERSION};
use bitmosaic_workloads::generate::{LayerParameters, generate};
use bitmosaic_workloads::trace::LayerTrace;

use super::quantize::{executed_bits, tensor};
use super::simulate::{MAPPING, memory, result};
use crate::error::CliError;
use crate::{Outcome, output};

const DESIGN: &str = "mosaic-tile";
const WEIGHT_TYPE: &str = "bitmod-fp4";
const GROUP: usize = 128;
const LAYER: &str = "generated heavy-tailed layer";
/// Rows of DEVIATIONS.md that concern this run.
const NOTES: [&str; 3] = [
    "D1: a tile has no memory; its operands come as streams that always offer. Memory cycles and bytes moved from DRAM are not in these cycles.",
    "D2: activations are aligned once, ahead of the tile; the aligner's cycles are reported apart and not added.",
    "D3: no technology is attached to the design, so there is no energy.",
];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder for the report, made if it is not there
    #[arg(short, long, default_value = "bitmosaic-report")]
    output: PathBuf,
}

impl Default for Arguments {
    fn default() -> Arguments {
        Arguments { output: PathBuf::from("bitmosaic-report") }
    }
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let machine = load(DESIGN)?;
    let parameters = LayerParameters::default();
    let seed = parameters.seed;

    output::progress("quantizing the generated layer");
    let layer = generate(&parameters)?;
    let executed = weight_type(WEIGHT_TYPE)?;
    let shape = [layer.output_channels, layer.input_channels];
    let weights = quantize_matrix(&layer.weights, shape, GROUP, &executed)?;
    let statistics = error_statistics(&layer.weights, &weights)?;
    let bits = executed_bits(&executed, executed.scale_kind(), GROUP, layer.input_channels);
    let quantize = tensor(LAYER, shape, GROUP, &executed, &statistics, bits);

    output::progress("mapping and simulating");
    let trace = LayerTrace { name: LAYER.to_string(), weights, activations: layer.activations };
    let case = Case::new(machine, vec![trace], Stalls::NONE, seed)?;
    let settings = ExternalSettings::default();
    let run = run_engine(&case, Engine::Simulator, &settings)?;
    output::progress("running the netlist");
    let mut cosim = cosimulate(&case, &[Engine::Netlist], &settings)?;
    output::progress("verifying every output against the host");
    let outputs = compare_with_host(&case, &run, &mut cosim)?;
    let error = accuracy(&case, &outputs[0])?;
    output::progress_done();

    let failed = cosim.mismatched_bits + cosim.mismatched_cycles > 0;
    let document = document(&case, &run, quantize, cosim, error, seed);
    write(&document, arguments)?;
    if json {
        output::print_json(&document)?;
    } else {
        output::print_text(&run_text(&document, &arguments.output.join(&document.report)))?;
    }
    Ok(if failed { Outcome::CheckFailed } else { Outcome::Done })
}

fn document(
    case: &Case,
    run: &EngineRun,
    quantize: bitmosaic_results::QuantizedTensor,
    cosim: bitmosaic_results::CosimResult,
    error: AccuracyResult,
    seed: u64,
) -> RunDocument {
    let layer = &case.layers[0];
    let shape =
        format!("{}x{}x{}", layer.activations.tokens, layer.weights.input_channels, layer.weights.output_channels);
    let op = format!("matmul {shape} {WEIGHT_TYPE} g{GROUP}");
    let matmuls = case.lowered.program.matmuls().map(|m| (LAYER.to_string(), op.clone(), m.clone()));
    RunDocument {
        schema_version: SCHEMA_VERSION,
        provenance: output::provenance(
            &case.machine,
            format!("{LAYER}, {op}"),
            MAPPING,
            "simulator,netlist".to_string(),
            &memory(case.stalls),
            seed,
        ),
        quantize,
        simulate: result(&case.machine, &matmuls.collect::<Vec<_>>(), &run.tile),
        cosim,
        error,
        report: "index.html".to_string(),
    }
}

/// Errors of the machine's outputs and of the yardsticks against the exact reference.
fn accuracy(case: &Case, outputs: &[f16]) -> Result<AccuracyResult, CliError> {
    let layer = &case.layers[0];
    let (activations, weights) = (&layer.activations.values, &layer.weights);
    let reference = exact(activations, weights)?;
    Ok(AccuracyResult {
        datapath: errors(&reference, outputs)?,
        fp16_yardstick: errors(&reference, &fp16_outputs(activations, weights)?)?,
        fp32_yardstick: errors(&reference, &fp32_outputs(activations, weights)?)?,
    })
}

/// The record of the errors of outputs.
pub(crate) fn errors(reference: &ExactResult, outputs: &[f16]) -> Result<ErrorStatistics, CliError> {
    let errors = output_errors(reference, outputs)?;
    Ok(ErrorStatistics {
        mean_relative: errors.mean_normalized,
        rms_relative: errors.rms_normalized,
        max_relative: errors.max_normalized,
        equal_outputs: errors.outputs - errors.differing,
        non_finite_mismatches: errors.non_finite_mismatches,
        outputs: errors.outputs,
    })
}

/// Writes the page, the document and the layers as CSV.
fn write(document: &RunDocument, arguments: &Arguments) -> Result<(), CliError> {
    output::create_folder(&arguments.output)?;
    let details = RunDetails { command: "bitmosaic run".to_string(), notes: NOTES.map(String::from).to_vec() };
    write_run_page(&arguments.output.join(&document.report), document, &details)?;
    write_layers_csv(&arguments.output.join("layers.csv"), &document.simulate)?;
    let text = serde_json::to_string_pretty(document).map_err(|e| CliError::Internal(e.to_string()))?;
    output::write_file(&arguments.output.join("result.json"), &text)
}
