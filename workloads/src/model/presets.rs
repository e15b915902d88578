//! Embedded models. Adding one is a file in `workloads/models/` and a line here.

use std::path::Path;

use super::config_json;
use super::spec::Model;
use crate::files;
use crate::{Fault, WorkloadsError};

/// An embedded model.
#[derive(Debug, Clone, Copy)]
pub struct ModelPreset {
    /// Name on the command line.
    pub name: &'static str,
    /// The TOML text.
    pub text: &'static str,
}

macro_rules! preset {
    ($name:literal) => {
        ModelPreset { name: $name, text: include_str!(concat!("../../models/", $name, ".toml")) }
    };
}

/// Every embedded model, in the order listings show: the paper's six, then by family.
pub fn presets() -> &'static [ModelPreset] {
    const PRESETS: &[ModelPreset] = &[
        preset!("opt-1.3b"),
        preset!("phi-2"),
        preset!("yi-6b"),
        preset!("llama-2-7b"),
        preset!("llama-2-13b"),
        preset!("llama-3-8b"),
        preset!("llama-3.1-8b"),
        preset!("llama-3.1-70b"),
        preset!("llama-3.2-1b"),
        preset!("llama-3.2-3b"),
        preset!("qwen2.5-0.5b"),
        preset!("qwen2.5-7b"),
        preset!("qwen3-0.6b"),
        preset!("qwen3-8b"),
        preset!("qwen3-30b-a3b"),
        preset!("qwen3-235b-a22b"),
        preset!("gemma-3-270m"),
        preset!("gemma-3-1b"),
        preset!("gemma-3-4b"),
        preset!("mistral-7b"),
        preset!("mixtral-8x7b"),
        preset!("deepseek-v3"),
        preset!("olmoe-1b-7b"),
        preset!("phi-3-mini"),
        preset!("phi-4"),
        preset!("phonelm-1.5b"),
        preset!("zamba2-1.2b"),
    ];
    PRESETS
}

/// Largest model file, bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// Parses and checks the text of a model file; unknown keys are errors. `file` names the origin in errors; where it ends in
/// `.json`, the text is the `config.json` of a Hugging Face checkpoint, of which keys that say nothing of shapes are left
/// alone.
///
/// # Errors
/// `Malformed` with line and column, or with the field.
pub fn parse(text: &str, file: &Path) -> Result<Model, WorkloadsError> {
    if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return config_json::parse(text, file);
    }
    let model: Model = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        let expected = "a model file of the form of `workloads/models`";
        files::malformed(file, Fault::Syntax, format!("line {line}"), files::shown(e.message()), expected)
    })?;
    model.check(file)?;
    Ok(model)
}

/// A preset by name, or a file by path (a path works wherever a name does), a model file or a `config.json`.
///
/// # Errors
/// `Request` for a name that is neither, else those of [`parse`].
pub fn load(name_or_path: &str) -> Result<Model, WorkloadsError> {
    if let Some(preset) = presets().iter().find(|preset| preset.name == name_or_path) {
        return parse(preset.text, Path::new(name_or_path));
    }
    let path = Path::new(name_or_path);
    if !path.exists() {
        let names = presets().iter().map(|preset| preset.name).collect::<Vec<_>>().join(", ");
        return Err(WorkloadsError::Request {
            what: "model".into(),
            found: format!("`{}`", files::shown(name_or_path)),
            expected: format!("the path of a model file, or one of {names}"),
        });
    }
    let bytes = files::read_small(path, LONGEST_FILE)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let place = format!("byte {}", e.utf8_error().valid_up_to());
        files::malformed(path, Fault::Syntax, place, "bytes that are not UTF-8", "text")
    })?;
    parse(&text, path)
}
