//! Matrices of a checkpoint by name, and the real activations that meet them.

use bitmosaic_kernels::forward::embedding_layer_norm;
use bitmosaic_workloads::bert::{FIRST_LAYER_INPUTS, LAYER_NORM_EPSILON, embedding_rows};
use bitmosaic_workloads::checkpoint::{Checkpoint, Matrix, ValueCheck};
use bitmosaic_workloads::trace::Activations;
use globset::{Glob, GlobMatcher};

use crate::error::CliError;

/// Largest file of token ids, in bytes.
const MAX_TOKEN_FILE_BYTES: u64 = 1 << 20;

/// What the normalised embeddings of some tokens are.
pub(crate) struct RealActivations {
    /// As the model computes them, `[tokens, input channels]`.
    pub(crate) fp32: Vec<f32>,
    /// Rounded to FP16, as a machine takes them.
    pub(crate) fp16: Activations,
}

/// Token ids: numbers with commas between them, or the path of a file of numbers with commas or white space between them.
pub(crate) fn token_ids(text: &str) -> Result<Vec<usize>, CliError> {
    let is_list = text.chars().all(|c| c.is_ascii_digit() || c == ',' || c.is_whitespace());
    let (option, list) = if is_list {
        ("--token-ids".to_string(), text.to_string())
    } else {
        let unreadable = |reason: String| CliError::File { path: text.to_string(), reason };
        let size = std::fs::metadata(text).map_err(|e| {
            unreadable(format!("{e}; --token-ids takes numbers with commas between them, or a file of them"))
        })?;
        if size.len() > MAX_TOKEN_FILE_BYTES {
            let reason = format!("{} bytes; a file of token ids has at most {MAX_TOKEN_FILE_BYTES}", size.len());
            return Err(unreadable(reason));
        }
        (format!("--token-ids {text}"), std::fs::read_to_string(text).map_err(|e| unreadable(e.to_string()))?)
    };
    let words = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()).enumerate();
    let parse = |(place, word): (usize, &str)| {
        word.parse().map_err(|_| {
            let found = format!("token id number {} is `{}`", place + 1, word.escape_debug());
            CliError::option(&option, found, "a whole number, for example 101,7592,2088,102")
        })
    };
    words.map(parse).collect()
}

/// The activations that [`FIRST_LAYER_INPUTS`] meet.
pub(crate) fn real_activations(checkpoint: &Checkpoint, token_ids: &[usize]) -> Result<RealActivations, CliError> {
    let rows = embedding_rows(checkpoint, token_ids)?;
    let fp32 = embedding_layer_norm(&rows.addends, &rows.norm_weight, &rows.norm_bias, LAYER_NORM_EPSILON)?;
    let input_channels = rows.norm_weight.len();
    let matrix = Matrix { rows: token_ids.len(), columns: input_channels, data: fp32 };
    let fp16 = Activations { tokens: token_ids.len(), input_channels, values: matrix.to_f16() };
    if let Some((token, channel, value)) = fp16.first_non_finite() {
        return Err(CliError::File {
            path: checkpoint.path().display().to_string(),
            reason: format!(
                "the activation of token {token}, input channel {channel} is {value} in FP16; a finite one is needed: repair the tensors `embeddings.*`"
            ),
        });
    }
    Ok(RealActivations { fp32: matrix.data, fp16 })
}

/// A matrix of the checkpoint, as wide as the activations that meet it, if there are any.
pub(crate) fn read_matrix(
    checkpoint: &Checkpoint,
    name: &str,
    activations: Option<&Activations>,
) -> Result<Matrix, CliError> {
    let matrix = checkpoint.read_matrix(name, ValueCheck::FiniteAsF16)?;
    match activations.map(|a| a.input_channels) {
        Some(width) if width != matrix.columns => Err(CliError::File {
            path: checkpoint.path().display().to_string(),
            reason: format!(
                "tensor `{name}` has {} input channels, the embeddings {width}; they must be as many: repair the \
                 checkpoint, or leave the tensor out with --tensor",
                matrix.columns
            ),
        }),
        _ => Ok(matrix),
    }
}

/// How a result names activations of these tokens.
pub(crate) fn describe(token_ids: &[usize]) -> String {
    let ids = token_ids.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    format!("normalised embeddings of the token ids {ids}")
}

/// Names of the tensors that match the pattern; without one, all two-dimensional ones.
pub(crate) fn select(checkpoint: &Checkpoint, pattern: Option<&str>) -> Result<Vec<String>, CliError> {
    let glob: Option<GlobMatcher> = pattern
        .map(|p| Glob::new(p).map_err(|e| CliError::option("--tensor", format!("`{p}`"), e)))
        .transpose()?
        .map(|g| g.compile_matcher());
    let wanted = |name: &str, dimensions: usize| match &glob {
        Some(glob) => glob.is_match(name),
        None => dimensions == 2,
    };
    let tensors = checkpoint.tensors().iter().filter(|t| wanted(&t.name, t.shape.len()));
    let names: Vec<String> = tensors.map(|t| t.name.clone()).collect();
    if names.is_empty() {
        let example = checkpoint.tensors().iter().find(|t| t.shape.len() == 2).map_or("none", |t| &t.name);
        let found = format!("`{}` matches no tensor", pattern.unwrap_or("*"));
        let expected = format!(
            "{} has {} tensors; a two-dimensional one: {example}",
            checkpoint.path().display(),
            checkpoint.tensors().len()
        );
        return Err(CliError::option("--tensor", found, expected));
    }
    Ok(names)
}

/// Names of the tensors that match the pattern and meet the normalised embeddings; without a pattern, all of those.
pub(crate) fn select_real(checkpoint: &Checkpoint, pattern: Option<&str>) -> Result<Vec<String>, CliError> {
    let Some(pattern) = pattern else { return Ok(FIRST_LAYER_INPUTS.map(String::from).to_vec()) };
    let names = select(checkpoint, Some(pattern))?;
    match names.iter().find(|name| !FIRST_LAYER_INPUTS.contains(&name.as_str())) {
        None => Ok(names),
        Some(other) => Err(CliError::option(
            "--tensor",
            format!("`{pattern}` with --token-ids matches `{other}`, whose real activations need more of the model"),
            format!("one or more of {}", FIRST_LAYER_INPUTS.join(", ")),
        )),
    }
}
