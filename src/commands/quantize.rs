use std::path::PathBuf;

use bitmosaic_numerics::{
    ErrorStatistics, ScaleKind, WeightType, error_statistics, quantize_matrix_with_scales, weight_type, weights_to_fp16,
};
use bitmosaic_reports::quantize_text;
use bitmosaic_results::{Provenance, QuantizeDocument, QuantizedTensor, SCHEMA_VERSION};
use bitmosaic_workloads::checkpoint::{Checkpoint, Matrix};
use bitmosaic_workloads::generate::{ActivationKind, LayerParameters, generate_activations};
use bitmosaic_workloads::trace::{Activations, LayerTrace, write_trace};

use super::layers::{describe, read_matrix, real_activations, select, select_real, token_ids};
use crate::error::CliError;
use crate::{Outcome, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Checkpoint: a safetensors file, its sharded index, or the folder of either
    checkpoint: PathBuf,
    /// Weight type, a name of `bitmosaic list types`
    #[arg(long = "type", default_value = "bitmod-fp4")]
    weight_type: String,
    /// Input channels per group
    #[arg(long, default_value_t = 128)]
    group: usize,
    /// Tensors by name, with * and ?; without it all two-dimensional ones, or those that --token-ids can serve
    #[arg(long, value_name = "GLOB")]
    tensor: Option<String>,
    /// Group scales: the type's own kind (8-bit codes under an FP16 channel scale for most), or FP16 a group
    #[arg(long, default_value = "own")]
    scale: Scale,
    /// Write a layer trace to this folder (for `cosim --trace`)
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Real activations in the trace, for the query, key and value matrices of the first layer of BERT-like encoders: the
    /// normalised embeddings of these token ids (commas between them), or of those in this file
    #[arg(long, value_name = "IDS|FILE", requires = "output", conflicts_with_all = ["tokens", "activations", "seed"])]
    token_ids: Option<String>,
    /// Tokens of generated activations in the trace
    #[arg(long, default_value_t = 8)]
    tokens: usize,
    /// Kind of generated activations, a name of `bitmosaic list activations`
    #[arg(long, default_value = "outliers")]
    activations: String,
    /// Seed of the generated activations
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scale {
    Own,
    Int8,
    Fp16,
}

impl Scale {
    fn kind(self, executed: &WeightType) -> ScaleKind {
        match self {
            Scale::Own => executed.scale_kind(),
            Scale::Int8 => ScaleKind::Int8,
            Scale::Fp16 => ScaleKind::Fp16,
        }
    }
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let executed = weight_type(&arguments.weight_type)?;
    let checkpoint = Checkpoint::open(&arguments.checkpoint)?;
    let pattern = arguments.tensor.as_deref();
    let ids = arguments.token_ids.as_deref().map(token_ids).transpose()?;
    let (names, real, workload) = match &ids {
        None => (select(&checkpoint, pattern)?, None, String::new()),
        Some(ids) => {
            let real = real_activations(&checkpoint, ids)?.fp16;
            (select_real(&checkpoint, pattern)?, Some(real), format!(", {}", describe(ids)))
        }
    };
    let mut document = QuantizeDocument {
        schema_version: SCHEMA_VERSION,
        provenance: Provenance {
            version: env!("CARGO_PKG_VERSION").to_string(),
            workload: file_name(&arguments.checkpoint) + &workload,
            engine: format!("quantizer, {} group scales", arguments.scale.kind(&executed).name()),
            seed: arguments.seed,
            ..Provenance::default()
        },
        tensors: Vec::new(),
    };
    let mut layers = Vec::new();
    for name in &names {
        output::progress(&format!("quantizing {name}"));
        let matrix = read_matrix(&checkpoint, name, real.as_ref())?;
        let (tensor, layer) = quantize(name, &matrix, &executed, real.as_ref(), arguments)?;
        document.tensors.push(tensor);
        layers.extend(layer);
    }
    output::progress_done();
    if let Some(folder) = &arguments.output {
        write_trace(folder, &layers)?;
    }
    if json {
        output::print_json(&document)?
    } else {
        output::print_text(&quantize_text(&document))?
    }
    Ok(Outcome::Done)
}

fn quantize(
    name: &str,
    matrix: &Matrix,
    executed: &WeightType,
    real: Option<&Activations>,
    arguments: &Arguments,
) -> Result<(QuantizedTensor, Option<LayerTrace>), CliError> {
    let weights = weights_to_fp16(&matrix.data);
    let shape = [matrix.rows, matrix.columns];
    let kind = arguments.scale.kind(executed);
    let quantized = quantize_matrix_with_scales(&weights, shape, arguments.group, executed, kind)?;
    let statistics = error_statistics(&weights, &quantized)?;
    let bits = executed_bits(executed, kind, arguments.group, matrix.columns);
    let record = tensor(name, shape, arguments.group, executed, &statistics, bits);
    if arguments.output.is_none() {
        return Ok((record, None));
    }
    let activations = match real {
        Some(real) => real.clone(),
        None => generate_activations(&LayerParameters {
            output_channels: matrix.rows,
            input_channels: matrix.columns,
            tokens: arguments.tokens,
            seed: arguments.seed,
            activations: ActivationKind::from_name(&arguments.activations)?,
            ..LayerParameters::default()
        })?,
    };
    Ok((record, Some(LayerTrace { name: name.to_string(), weights: quantized, activations })))
}

/// Storage per weight as machines execute it; an FP16 channel scale per output channel where the kind of group scale is under
/// one.
pub(crate) fn executed_bits(executed: &WeightType, kind: ScaleKind, group: usize, input_channels: usize) -> f64 {
    let channel_scale_bits = if kind == ScaleKind::Int8 { 16 } else { 0 };
    executed.effective_bits_per_weight(group, input_channels, kind.code_bits(), channel_scale_bits)
}

/// The record of a quantized tensor.
pub(crate) fn tensor(
    name: &str,
    [rows, columns]: [usize; 2],
    group: usize,
    weight_type: &WeightType,
    statistics: &ErrorStatistics,
    effective_bits_per_weight: f64,
) -> QuantizedTensor {
    let special = weight_type.special.iter().flat_map(|s| s.values);
    QuantizedTensor {
        name: name.to_string(),
        shape: [rows as u64, columns as u64],
        weight_type: weight_type.name.to_string(),
        group: group as u64,
        mse: statistics.mse(),
        relative_mse: statistics.relative_mse(),
        effective_bits_per_weight,
        special_values: special.zip(statistics.special_values).map(|(v, n)| (weight_type.value_name(v), n)).collect(),
    }
}

/// Last part of a path: results name no folders.
pub(crate) fn file_name(path: &std::path::Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}
