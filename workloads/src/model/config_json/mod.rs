//! Hugging Face's `config.json` as a [`Model`]: the shapes that `transformers` 4.57 would build from it, defaults included.
//!
//! A field that changes no size is passed over. One that would change the operations in a way that a [`Model`] cannot say
//! is an error, never misread. Of two fields of one name the last counts, as it does there.

mod dense;
mod fields;
mod hybrid;
mod mixture;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::spec::{Block, LayerRun, Model, Norm};
use crate::files::{malformed, shown};
use crate::{Fault, WorkloadsError};
use fields::Fields;

/// What a family makes of its fields.
struct Decoder {
    hidden: u32,
    vocabulary: u32,
    tied: bool,
    norm: Norm,
    /// Kind of every layer.
    layers: Vec<&'static str>,
    /// Kinds of layers; those that no layer names are left out.
    kinds: Vec<(&'static str, Block)>,
}

type Reader = fn(&Fields) -> Result<Decoder, WorkloadsError>;

/// Every `model_type` that is understood.
const FAMILIES: &[(&str, Reader)] = &[
    ("opt", dense::opt),
    ("phi", dense::phi),
    ("phi3", dense::phi3),
    ("llama", dense::llama),
    ("phonelm", dense::phonelm),
    ("mistral", dense::mistral),
    ("qwen2", dense::qwen2),
    ("qwen3", dense::qwen3),
    ("gemma3_text", dense::gemma3_text),
    ("gemma3", dense::gemma3),
    ("mixtral", mixture::mixtral),
    ("qwen3_moe", mixture::qwen3_moe),
    ("olmoe", mixture::olmoe),
    ("deepseek_v2", mixture::deepseek_v2),
    ("deepseek_v3", mixture::deepseek_v3),
    ("zamba2", hybrid::zamba2),
];

/// Reads and checks the text of a `config.json`; `file` names the origin in errors, and the model where the text does not.
///
/// # Errors
/// `Malformed` with the field, or with line and column.
pub(super) fn parse(text: &str, file: &Path) -> Result<Model, WorkloadsError> {
    let map: Map<String, Value> = serde_json::from_str(text).map_err(|e| {
        let place = format!("line {}, column {}", e.line(), e.column());
        malformed(file, Fault::Syntax, place, shown(&e.to_string()), "the JSON object of a Hugging Face config.json")
    })?;
    let whole = Fields { file, prefix: "", map: &map };
    let family = whole.text("model_type")?;
    let Some((family, read)) = FAMILIES.iter().find(|(name, _)| *name == family) else {
        let known = FAMILIES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        return Err(whole.unsupported("model_type", &format!("`{family}`"), &format!("one of {known}")));
    };
    whole.must_be("is_encoder_decoder", false)?;
    let decoder = read(&whole)?;
    let model = Model {
        name: name(&map, file, family),
        source: format!("config.json of model type {family}"),
        hidden: decoder.hidden,
        vocabulary: decoder.vocabulary,
        tied_embeddings: decoder.tied,
        norm: decoder.norm,
        layers: runs(&decoder),
        blocks: blocks(&decoder),
    };
    model.check(file)?;
    Ok(model)
}

/// The only kind of layer is called this, as in the embedded models.
const ONLY: &str = "decoder";

fn is_uniform(decoder: &Decoder) -> bool {
    decoder.layers.iter().all(|kind| *kind == decoder.layers[0])
}

fn runs(decoder: &Decoder) -> Vec<LayerRun> {
    let run = |run: &[&'static str]| {
        let name = if is_uniform(decoder) { ONLY } else { run[0] };
        LayerRun { blocks: vec![name.into()], repeat: run.len() as u32 }
    };
    decoder.layers.chunk_by(|a, b| a == b).map(run).collect()
}

fn blocks(decoder: &Decoder) -> BTreeMap<String, Block> {
    let used = decoder.kinds.iter().filter(|(kind, _)| decoder.layers.contains(kind));
    let named = used.map(|(kind, block)| {
        let name = if is_uniform(decoder) { ONLY } else { kind };
        (name.into(), block.clone())
    });
    named.collect()
}

/// The name of the repository that the text names, else of the folder, else of the family, in the letters of a model's name.
fn name(map: &Map<String, Value>, file: &Path, family: &str) -> String {
    let fit = |name: &str| {
        let letter = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
        let name: String = name.chars().map(letter).take(64).collect();
        Some(name.trim_matches(['-', '.']).to_string()).filter(|name| !name.is_empty())
    };
    // `owner/name` or `name`; a path says where someone's copy was.
    let repository = map.get("_name_or_path").and_then(Value::as_str);
    let repository = repository.filter(|name| !name.starts_with(['/', '.', '~']) && !name.contains('\\'));
    let repository = repository.filter(|name| name.matches('/').count() <= 1);
    let repository = repository.and_then(|name| fit(name.rsplit('/').next().unwrap_or(name)));
    let folder = || {
        let absolute = std::path::absolute(file).ok()?;
        fit(&absolute.parent()?.file_name()?.to_string_lossy())
    };
    repository.or_else(folder).or_else(|| fit(family)).unwrap_or_default()
}
