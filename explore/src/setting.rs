//! What a point is made of: settings by key. A key is one of the names below, or a dotted path into the design file.

use std::collections::BTreeMap;

use bitmosaic_arch::{ArchError, DesignSpec, Technology, load_spec, parse};
use bitmosaic_mappings::Mapping;
use bitmosaic_numerics::weight_type;
use bitmosaic_sim::device::Device;
use bitmosaic_sim::inference::{OperandType, Precision};
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::model;
use bitmosaic_workloads::phase::MOST_SEQUENCES;
use toml::Value;

use crate::ExploreError;
use crate::error::{Check, one_line};

/// Settings of a point by key.
pub(crate) type Settings = BTreeMap<String, Value>;

/// Keys that are not paths into the design file, with the value where nothing says otherwise.
pub(crate) const KEYS: [(&str, Option<&str>); 12] = [
    ("design", Some("\"mosaic\"")),
    ("model", None),
    ("batch", Some("1")),
    ("type", Some("\"bitmod-fp4\"")),
    ("group", Some("128")),
    ("cache_type", Some("\"int8\"")),
    ("cache_group", Some("128")),
    ("memory", None),
    ("memory_bytes_per_cycle", None),
    ("memory_latency", None),
    ("technology", Some("\"hpca25-28nm\"")),
    ("mapping", Some("\"best\"")),
];

/// Whether the key is a path into the design file.
pub(crate) fn is_path(key: &str) -> bool {
    KEYS.iter().all(|(name, _)| *name != key)
}

/// Which weight types a point's machine is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildFor {
    /// Those of the design file.
    #[default]
    DesignTypes,
    /// Those that the point uses, for weights and cache, and no other: their area is the point's own.
    UsedTypes,
}

/// Fills in defaults.
pub(crate) fn with_defaults(mut settings: Settings) -> Settings {
    for (key, default) in KEYS {
        let value = default.and_then(|text| format!("v = {text}").parse::<toml::Table>().ok()?.remove("v"));
        if let Some(value) = value {
            settings.entry(key.to_string()).or_insert(value);
        }
    }
    settings
}

/// A value as a cell or a message shows it: on one line.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text),
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join("+"),
        other => one_line(&other.to_string()),
    }
}

pub(crate) fn text<'a>(settings: &'a Settings, key: &str) -> &'a str {
    settings.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn number(settings: &Settings, key: &str) -> Option<u32> {
    settings.get(key).and_then(Value::as_integer).and_then(|value| u32::try_from(value).ok())
}

/// Checks a value by its key, whatever else a point sets. `field` is where the spec has it, `designs` what points start from.
pub(crate) fn check_value(
    check: Check,
    field: &str,
    key: &str,
    value: &Value,
    designs: &[String],
) -> Result<(), ExploreError> {
    let refuse = |expected: &dyn ToString| check.error(field, format!("`{}`", shown(value)), expected.to_string());
    let string = || value.as_str().ok_or_else(|| refuse(&"must be a text in quotes"));
    let range = |low: i64, high: i64| {
        let ok = value.as_integer().is_some_and(|found| (low..=high).contains(&found));
        if ok { Ok(()) } else { Err(refuse(&format!("must be a whole number from {low} to {high}"))) }
    };
    match key {
        "design" => load_spec(string()?).map(drop).map_err(|e| refuse(&e)),
        "model" => model::load(string()?).map(drop).map_err(|e| refuse(&e)),
        "type" | "cache_type" => weight_type(string()?).map(drop).map_err(|e| refuse(&e)),
        "memory" => Device::named(string()?).map(drop).map_err(|e| refuse(&e)),
        "technology" => Technology::load(string()?).map(drop).map_err(|e| refuse(&e)),
        "mapping" => Mapping::load(string()?).map(drop).map_err(|e| refuse(&e)),
        "batch" => range(1, MOST_SEQUENCES.into()),
        "group" | "cache_group" => range(1, 256),
        "memory_bytes_per_cycle" | "memory_latency" => range(1, 1 << 20),
        path => {
            // A path is right if any of the designs can be described with it.
            let mut first = None;
            for design in designs {
                let spec = load_spec(design).map_err(|e| check.error("design", design, e))?.0;
                match with_paths(&spec, &BTreeMap::from([(path.to_string(), value.clone())]), design) {
                    Ok(_) => return Ok(()),
                    Err(error) => first = first.or(Some(error)),
                }
            }
            let keys = KEYS.map(|(name, _)| name).join(", ");
            let reason = first.map_or_else(String::new, |error| one_line(&error.to_string()));
            let expected =
                format!("must be one of {keys}, or a field of a design file (`bitmosaic schema design`): {reason}");
            Err(refuse(&expected))
        }
    }
}

/// The design with the paths among the settings written over it.
pub(crate) fn with_paths(spec: &DesignSpec, settings: &Settings, file: &str) -> Result<DesignSpec, ArchError> {
    let paths: Vec<_> = settings.iter().filter(|(key, _)| is_path(key)).collect();
    if paths.is_empty() {
        return Ok(spec.clone());
    }
    let syntax = |message: String| ArchError::Syntax { file: file.to_string(), message };
    let mut table = toml::Table::try_from(spec).map_err(|e| syntax(e.to_string()))?;
    for (path, value) in paths {
        set(&mut table, path, value).map_err(syntax)?;
    }
    parse(&table.to_string(), file)
}

fn set(table: &mut toml::Table, path: &str, value: &Value) -> Result<(), String> {
    let (parents, last) = path.rsplit_once('.').map_or(("", path), |(parents, last)| (parents, last));
    let mut place = table;
    for name in parents.split('.').filter(|name| !name.is_empty()) {
        let entry = place.entry(name).or_insert_with(|| Value::Table(toml::Table::new()));
        place = entry.as_table_mut().ok_or_else(|| format!("`{name}` of `{path}` is no section"))?;
    }
    place.insert(last.to_string(), value.clone());
    Ok(())
}

/// The value at a path of the design, as a cell shows it; empty where the design has none.
pub(crate) fn value_at(spec: &DesignSpec, path: &str) -> String {
    let Ok(table) = toml::Table::try_from(spec) else { return String::new() };
    let mut names = path.split('.');
    let mut value = names.next().and_then(|name| table.get(name));
    for name in names {
        value = value.and_then(|value| value.as_table()).and_then(|table| table.get(name));
    }
    value.map_or_else(String::new, shown)
}

/// Everything a design file says, by path, as cells show it.
pub(crate) fn fields(spec: &DesignSpec) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if let Ok(table) = toml::Table::try_from(spec) {
        collect("", &table, &mut found);
    }
    found
}

fn collect(prefix: &str, table: &toml::Table, found: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => collect(&path, inner, found),
            value => {
                found.insert(path, shown(value));
            }
        }
    }
}

/// The design that the settings describe.
pub(crate) fn design(settings: &Settings, build_for: BuildFor) -> Result<DesignSpec, ArchError> {
    let name = text(settings, "design");
    let mut spec = with_paths(&load_spec(name)?.0, settings, name)?;
    if build_for == BuildFor::UsedTypes {
        spec.weights.types = vec![text(settings, "type").to_string()];
        let cache = text(settings, "cache_type");
        if cache != spec.weights.types[0] {
            spec.weights.types.push(cache.to_string());
        }
        let kinds = spec.weights.types.iter().filter_map(|name| weight_type(name).ok());
        let mut kinds: Vec<String> = kinds.map(|t| t.scale_kind().name().to_string()).collect();
        kinds.sort();
        kinds.dedup();
        spec.weights.scales = kinds;
    }
    Ok(spec)
}

/// Types and groups of the settings.
pub(crate) fn precision(settings: &Settings) -> Result<Precision, String> {
    let operand = |name: &str, group: &str| {
        let group = number(settings, group).unwrap_or(128) as usize;
        OperandType::named(text(settings, name), group).map_err(|e| e.to_string())
    };
    Ok(Precision { weights: operand("type", "group")?, cache: operand("cache_type", "cache_group")? })
}

/// The memory of the settings behind a machine of this clock: a device's, or the fast one, with what else is set.
pub(crate) fn memory(settings: &Settings, clock_mhz: u32) -> Result<MemoryTiming, String> {
    let base = match text(settings, "memory") {
        "" => MemoryTiming::FAST,
        name => Device::named(name)?.timing(clock_mhz),
    };
    let timing = MemoryTiming {
        latency: number(settings, "memory_latency").unwrap_or(base.latency),
        bytes_per_cycle: number(settings, "memory_bytes_per_cycle").unwrap_or(base.bytes_per_cycle),
        ..base
    };
    timing.check().map(|()| timing)
}

/// Energy of a bit to or from the memory: the device's, else the technology's.
pub(crate) fn dram_pj_per_bit(settings: &Settings, technology: &Technology) -> Result<f64, String> {
    match text(settings, "memory") {
        "" => Ok(technology.dram_pj_per_bit),
        name => Ok(Device::named(name)?.pj_per_bit),
    }
}
