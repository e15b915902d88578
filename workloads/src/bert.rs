//! The front end of BERT-like encoders: what the embeddings and the layer norm behind them need for given token ids.
//!
//! With the encoder's normalisation after each block (BERT, MiniLM), `LayerNorm(word + position + token type)` is what the
//! first layer's query, key and value products meet: [`FIRST_LAYER_INPUTS`] are the only matrices whose real activations
//! follow from these tables alone.

use std::path::Path;

use crate::checkpoint::{Checkpoint, ValueCheck};
use crate::files::{malformed, shown};
use crate::{Fault, WorkloadsError};

/// The matrices that the normalised embeddings meet.
pub const FIRST_LAYER_INPUTS: [&str; 3] = [
    "encoder.layer.0.attention.self.query.weight",
    "encoder.layer.0.attention.self.key.weight",
    "encoder.layer.0.attention.self.value.weight",
];
/// Added to the variance by the layer norm of BERT and MiniLM (`layer_norm_eps` of their `config.json`, which the
/// checkpoint does not hold).
pub const LAYER_NORM_EPSILON: f64 = 1e-12;

const WORD: &str = "embeddings.word_embeddings.weight";
const POSITION: &str = "embeddings.position_embeddings.weight";
const TOKEN_TYPE: &str = "embeddings.token_type_embeddings.weight";
const NORM_WEIGHT: &str = "embeddings.LayerNorm.weight";
const NORM_BIAS: &str = "embeddings.LayerNorm.bias";

/// The table rows of a sequence of one segment: token type 0, positions from 0.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingRows {
    /// Word, position and token type embedding, each `[tokens, hidden]`, row-major.
    pub addends: [Vec<f32>; 3],
    /// Scale of the layer norm, `[hidden]`.
    pub norm_weight: Vec<f32>,
    /// Shift of the layer norm, `[hidden]`.
    pub norm_bias: Vec<f32>,
}

/// Reads the rows of these token ids; the tables themselves stay on disk.
///
/// # Errors
/// `Request` for no token id, one that the vocabulary does not have, or more than there are positions; as
/// [`Checkpoint::read_matrix`] for tensors that are absent or not what they should be.
pub fn embedding_rows(checkpoint: &Checkpoint, token_ids: &[usize]) -> Result<EmbeddingRows, WorkloadsError> {
    let request = |what: String, found: usize, expected: String| {
        Err(WorkloadsError::Request { what, found: found.to_string(), expected })
    };
    let rows = |name: &str| checkpoint.rows(name);
    let file = checkpoint.path().display();
    let (vocabulary, positions) = (rows(WORD)?, rows(POSITION)?);
    if token_ids.is_empty() || token_ids.len() > positions {
        let expected = format!("1 to {positions}, the rows of `{POSITION}` in {file}");
        return request("number of token ids".into(), token_ids.len(), expected);
    }
    if let Some(place) = token_ids.iter().position(|id| *id >= vocabulary) {
        let expected = format!("0 to {}, the rows of `{WORD}` in {file}", vocabulary - 1);
        return request(format!("token id number {}", place + 1), token_ids[place], expected);
    }
    let sequence: Vec<usize> = (0..token_ids.len()).collect();
    let read = |name: &str, rows: &[usize]| checkpoint.read_rows(name, rows, ValueCheck::Finite);
    let word = read(WORD, token_ids)?;
    let tables = [(POSITION, read(POSITION, &sequence)?), (TOKEN_TYPE, read(TOKEN_TYPE, &vec![0; token_ids.len()])?)];
    let vectors = [NORM_WEIGHT, NORM_BIAS].map(|name| checkpoint.read_vector(name, ValueCheck::Finite));
    let [norm_weight, norm_bias] = vectors;
    let (norm_weight, norm_bias) = (norm_weight?, norm_bias?);
    let widths = tables.iter().map(|(name, table)| (*name, table.columns));
    for (name, width) in widths.chain([(NORM_WEIGHT, norm_weight.len()), (NORM_BIAS, norm_bias.len())]) {
        check_width(checkpoint.path(), name, width, word.columns)?;
    }
    let [(_, position), (_, token_type)] = tables;
    Ok(EmbeddingRows { addends: [word.data, position.data, token_type.data], norm_weight, norm_bias })
}

fn check_width(path: &Path, name: &str, found: usize, hidden: usize) -> Result<(), WorkloadsError> {
    if found == hidden {
        return Ok(());
    }
    let expected = format!("{hidden}, the width of `{WORD}`");
    Err(malformed(path, Fault::Shape, format!("tensor `{}`", shown(name)), format!("a width of {found}"), expected))
}
