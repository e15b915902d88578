//! The file of a sweep.

use std::collections::BTreeMap;
use std::path::Path;

use bitmosaic_arch::load_spec;
use bitmosaic_mappings::Mapping;
use bitmosaic_workloads::phase::Phase;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::ExploreError;
use crate::axis::flatten;
use crate::columns::Columns;
use crate::error::Check;
use crate::setting::{BuildFor, KEYS, Settings, check_value, is_path, shown, text, with_defaults};
use crate::space::{Reference, Space};

/// Names and texts of the embedded specs. Adding one is a file in `explore/specs/` and a line here.
pub const SPECS: [(&str, &str); 3] = [
    ("llama-3-8b", include_str!("../specs/llama-3-8b.toml")),
    ("llama-3-8b-machines", include_str!("../specs/llama-3-8b-machines.toml")),
    ("qwen3-moe-designs", include_str!("../specs/qwen3-moe-designs.toml")),
];

/// Most phases, each has its own columns.
const MOST_PHASES: usize = 8;
/// Largest spec file, bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// A sweep as its file describes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecFile {
    /// One line.
    summary: String,
    /// Phases, each timed at every point: `prefill:256`, `decode:4096`, `generate:256+20`.
    phases: Vec<String>,
    /// Designs to compare with: each runs wherever a point does, with the point's model, groups and memory, and its types unless it
    /// has its own: `{ design = "fp16", type = "fp16", cache_type = "fp16" }`.
    #[serde(default)]
    references: Vec<toml::Value>,
    /// Which weight types machines are built for.
    #[serde(default)]
    build_for: BuildFor,
    /// Settings of every point where no axis says otherwise.
    #[serde(default)]
    base: toml::Table,
    /// What the space ranges over.
    axes: toml::Table,
    /// So many points of the grid, at random; all of them without it.
    sample: Option<Sample>,
    /// Largest values of columns, for points on fronts and beside references.
    #[serde(default)]
    at_most: BTreeMap<String, f64>,
    /// Smallest values likewise.
    #[serde(default)]
    at_least: BTreeMap<String, f64>,
}

/// A random choice of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sample {
    /// How many.
    pub(crate) points: u64,
    /// Seed.
    pub(crate) seed: u64,
}

/// A checked sweep.
#[derive(Debug, Clone)]
pub struct Spec {
    /// File, or name of the embedded spec.
    pub file: String,
    /// One line.
    pub summary: String,
    /// Phases, each timed at every point.
    pub phases: Vec<Phase>,
    /// Which weight types machines are built for.
    pub build_for: BuildFor,
    /// The points.
    pub space: Space,
    /// Limits of the fronts: column, value; at most, at least.
    pub limits: [Vec<(String, f64)>; 2],
    /// SHA-256 of everything that decides the results: the spec's contents, and the files that it names.
    pub sha256: String,
}

/// An embedded spec by name, or a file by path.
///
/// # Errors
/// `NotFound`, `Syntax`, or `Field` with the field's path.
pub fn load(name_or_path: &str) -> Result<Spec, ExploreError> {
    let text = match SPECS.iter().find(|(name, _)| *name == name_or_path) {
        Some((_, text)) => (*text).to_string(),
        None => read(name_or_path)?,
    };
    parse(&text, name_or_path)
}

fn read(path: &str) -> Result<String, ExploreError> {
    let not_found = |reason: String| ExploreError::NotFound {
        name: path.chars().take(200).collect(),
        reason,
        embedded: SPECS.map(|(name, _)| name).join(", "),
    };
    let size = std::fs::metadata(Path::new(path)).map_err(|e| not_found(e.to_string()))?.len();
    if size > LONGEST_FILE {
        return Err(not_found(format!("the file has {size} bytes, a sweep has at most {LONGEST_FILE}")));
    }
    std::fs::read_to_string(path).map_err(|e| not_found(e.to_string()))
}

/// Parses and checks a spec; `file` names the origin in errors.
///
/// # Errors
/// `Syntax`, or `Field` with the field's path.
pub fn parse(text: &str, file: &str) -> Result<Spec, ExploreError> {
    let own: SpecFile = toml::from_str(text)
        .map_err(|e| ExploreError::Syntax { file: file.to_string(), message: e.to_string().trim_end().to_string() })?;
    let check = Check { file };
    let phases = phases(check, &own.phases)?;
    let base = flatten(&own.base);
    let references = references(check, &own.references)?;
    let space = Space::new(check, &own.axes, &base, &references, own.sample)?;
    let designs = space.designs();
    for (key, value) in &base {
        check_value(check, &format!("base.{key}"), key, value, &designs)?;
    }
    for axis in &space.axes {
        for (key, value) in axis.values.iter().flatten() {
            check_value(check, &format!("axes.{}", axis.name), key, value, &designs)?;
        }
    }
    models(check, &space, &phases)?;
    let columns = Columns::new(&space, &phases);
    for (field, limits) in [("at_most", &own.at_most), ("at_least", &own.at_least)] {
        for (column, value) in limits {
            let field = format!("{field}.{column}");
            check.that(&field, value, columns.can_limit(column), columns.expected_limit())?;
            check.that(&field, value, value.is_finite(), "must be a finite number")?;
        }
    }
    let sha256 = digest(&own, (&space, &references), &phases)?;
    let limits = [own.at_most, own.at_least].map(|limits| limits.into_iter().collect());
    Ok(Spec { file: file.to_string(), summary: own.summary, phases, build_for: own.build_for, space, limits, sha256 })
}

fn phases(check: Check, texts: &[String]) -> Result<Vec<Phase>, ExploreError> {
    let count = texts.len();
    check.that("phases", count, (1..=MOST_PHASES).contains(&count), format!("name 1 to {MOST_PHASES}"))?;
    let mut phases = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        let field = format!("phases[{i}]");
        let phase = Phase::parse(text).map_err(|e| check.error(&field, text, e))?;
        check.that(&field, text, !phases.contains(&phase), "is named twice")?;
        phases.push(phase);
    }
    Ok(phases)
}

/// A model is set at every point, and no batch is too large for a phase.
fn models(check: Check, space: &Space, phases: &[Phase]) -> Result<(), ExploreError> {
    let everywhere = |key: &str| space.base.contains_key(key) || space.axes.iter().any(|axis| axis.sets(key));
    let expected =
        "say under `base` which model runs, or range over some under `axes`; `bitmosaic list models` has names";
    check.that("base.model", "missing", everywhere("model"), expected)?;
    let batches = space.values("batch");
    for batch in batches.iter().filter_map(|value| u32::try_from(value.as_integer()?).ok()) {
        for (i, phase) in phases.iter().enumerate() {
            if let Some((found, expected)) = phase.too_large(batch) {
                return Err(check.error(&format!("phases[{i}]"), format!("`{phase}`: {found}"), expected));
            }
        }
    }
    Ok(())
}

/// References: names of designs, or tables of a design and its own types.
fn references(check: Check, values: &[toml::Value]) -> Result<Vec<Reference>, ExploreError> {
    let mut references: Vec<Reference> = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let field = format!("references[{i}]");
        let expected = "a design's name or path, or a table of `design`, `type` and `cache_type`";
        let own = match value {
            toml::Value::Table(table) => table.clone(),
            name => toml::Table::from_iter([("design".to_string(), name.clone())]),
        };
        let known = |(key, value): (&String, &toml::Value)| {
            ["design", "type", "cache_type"].contains(&key.as_str()) && value.is_str()
        };
        check.that(&field, value, own.iter().all(known), expected)?;
        let mut own = flatten(&own);
        let design = own.remove("design").ok_or_else(|| check.error(&field, value, expected))?;
        let design = design.as_str().unwrap_or_default().to_string();
        load_spec(&design).map_err(|e| check.error(&field, &design, e))?;
        for (key, value) in &own {
            check_value(check, &format!("{field}.{key}"), key, value, std::slice::from_ref(&design))?;
        }
        let once = references.iter().all(|other| other.design != design);
        check.that(&field, &design, once, "is named twice")?;
        references.push(Reference { design, own });
    }
    Ok(references)
}

impl Spec {
    /// Mappings that points have, by name or path.
    pub fn mappings(&self) -> Vec<String> {
        self.space.values("mapping").iter().map(shown).collect()
    }
}

/// SHA-256 of the spec's contents and of the designs and models that it names.
fn digest(
    own: &SpecFile,
    (space, references): (&Space, &[Reference]),
    phases: &[Phase],
) -> Result<String, ExploreError> {
    let mut hash = Sha256::new();
    hash.update(format!("{space:?} {phases:?} {references:?} {:?}", own.build_for));
    let file = |e: String| ExploreError::Internal(e);
    for design in space.designs().iter().chain(references.iter().map(|reference| &reference.design)) {
        let (spec, machine) = load_spec(design).map_err(|e| file(e.to_string()))?;
        hash.update(format!("{spec:?}{}", machine.design_sha256));
    }
    let named = |key: &str| -> Vec<String> {
        let of_references = references.iter().filter_map(|reference| reference.own.get(key));
        let values = space.values(key);
        values.iter().chain(of_references).filter_map(|value| value.as_str().map(String::from)).collect()
    };
    for name in named("model") {
        let model = bitmosaic_workloads::model::load(&name).map_err(|e| file(e.to_string()))?;
        hash.update(format!("{model:?}"));
    }
    for name in named("type").iter().chain(&named("cache_type")) {
        let weight_type = bitmosaic_numerics::weight_type(name).map_err(|e| file(e.to_string()))?;
        hash.update(format!("{weight_type:?}"));
    }
    for name in named("technology") {
        let technology = bitmosaic_arch::Technology::load(&name).map_err(|e| file(e.to_string()))?;
        hash.update(format!("{technology:?}"));
    }
    for name in named("mapping") {
        hash.update(format!("{:?}", Mapping::load(&name).map_err(|e| file(e.to_string()))?));
    }
    for name in named("memory") {
        hash.update(format!("{:?}", bitmosaic_sim::device::Device::named(&name).map_err(file)?));
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Settings of a reference design in the surroundings of a point: all but the design and what is written over it.
pub(crate) fn surroundings(settings: &Settings) -> Settings {
    let own = |key: &str| !is_path(key) && key != "design";
    settings.iter().filter(|(key, _)| own(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The surroundings as text, for people.
pub(crate) fn describe(settings: &Settings) -> String {
    let all = with_defaults(settings.clone());
    let number = |key: &str| all.get(key).map(shown).unwrap_or_default();
    let mut parts = vec![
        // Paths without their folders, as everywhere in results.
        text(&all, "model").rsplit('/').next().unwrap_or_default().to_string(),
        format!("batch {}", number("batch")),
        format!("{} g{}", text(&all, "type"), number("group")),
        format!("cache {} g{}", text(&all, "cache_type"), number("cache_group")),
    ];
    for (key, _) in &KEYS[7..] {
        if let Some(value) = all.get(*key) {
            parts.push(format!("{} {}", key.replace('_', " "), shown(value)));
        }
    }
    parts.join(", ")
}
