//! Mappings as data: what a file of `mappings/presets/` or of the user fixes of the space of tilings.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::MappingError;

/// Which data stays in the array and its buffers while others pass by. Within a pass every PE keeps its outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dataflow {
    /// Sums of several passes stay in the accumulators, both operands stream in parts of the reduction.
    OutputStationary,
    /// Weights stay in their buffer while activations change.
    WeightStationary,
    /// Activations stay in their buffer while weights change.
    InputStationary,
}

impl Dataflow {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Dataflow::OutputStationary => "output-stationary",
            Dataflow::WeightStationary => "weight-stationary",
            Dataflow::InputStationary => "input-stationary",
        }
    }
}

/// A mapping: the best tiling among those that have what is given here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Name.
    pub name: String,
    /// One line for listings.
    pub summary: String,
    /// Which data stays.
    pub dataflow: Option<Dataflow>,
    /// Row blocks (tokens) of the array that a command takes.
    pub row_blocks: Option<usize>,
    /// Column blocks (output channels) of the array that a command takes.
    pub column_blocks: Option<usize>,
    /// Groups of the reduction that a command takes.
    pub groups: Option<usize>,
}

/// Embedded mappings: name and text. Adding one is a file in `mappings/presets/` and a line here.
pub const MAPPINGS: [(&str, &str); 4] = [
    ("best", include_str!("../../presets/best.toml")),
    ("output-stationary", include_str!("../../presets/output-stationary.toml")),
    ("weight-stationary", include_str!("../../presets/weight-stationary.toml")),
    ("input-stationary", include_str!("../../presets/input-stationary.toml")),
];

/// Largest mapping file.
const MOST_BYTES: u64 = 1 << 16;

impl Mapping {
    /// Nothing fixed.
    pub fn best() -> Mapping {
        Mapping {
            name: "best".into(),
            summary: String::new(),
            dataflow: None,
            row_blocks: None,
            column_blocks: None,
            groups: None,
        }
    }

    /// Parses a mapping file; unknown keys are errors. `file` names the origin in errors.
    ///
    /// # Errors
    /// `Field` for text that is no mapping, or numbers that are zero.
    pub fn parse(text: &str, file: &str) -> Result<Mapping, MappingError> {
        let keys =
            "`name`, `summary` and, each if it is to be fixed, `dataflow`, `row_blocks`, `column_blocks`, `groups`";
        let mapping: Mapping = toml::from_str(text).map_err(|error| {
            let found = format!("no mapping: {}", error.to_string().trim_end());
            MappingError::field(format!("mapping `{file}`"), found, format!("a TOML file with {keys}"))
        })?;
        let numbers =
            [("row_blocks", mapping.row_blocks), ("column_blocks", mapping.column_blocks), ("groups", mapping.groups)];
        match numbers.into_iter().find(|(_, value)| *value == Some(0)) {
            Some((field, _)) => Err(MappingError::field(format!("mapping `{file}`: {field}"), 0, "must be at least 1")),
            None => Ok(mapping),
        }
    }

    /// An embedded mapping by name, or one of a file.
    ///
    /// # Errors
    /// As [`Mapping::parse`], and `Field` for what is neither.
    pub fn load(name_or_path: &str) -> Result<Mapping, MappingError> {
        if let Some((name, text)) = MAPPINGS.iter().find(|(name, _)| *name == name_or_path) {
            return Mapping::parse(text, name);
        }
        let names = || MAPPINGS.map(|(name, _)| name).join(", ");
        let refuse = |found: String| {
            MappingError::field(
                format!("mapping `{name_or_path}`"),
                found,
                format!("a TOML file, or one of {}", names()),
            )
        };
        let size = std::fs::metadata(Path::new(name_or_path)).map_err(|e| refuse(e.to_string()))?.len();
        if size > MOST_BYTES {
            return Err(refuse(format!("a file of {size} bytes, more than {MOST_BYTES}")));
        }
        let text = std::fs::read_to_string(name_or_path).map_err(|e| refuse(e.to_string()))?;
        Mapping::parse(&text, name_or_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_mappings_load_and_bad_ones_are_refused() {
        for (name, _) in MAPPINGS {
            assert_eq!(Mapping::load(name).unwrap().name, name);
        }
        let text = MAPPINGS[0].1;
        let all = [("best", Mapping::load("best")), ("own", Mapping::parse(&format!("{text}groups = 3"), "own"))];
        let [(_, best), (_, own)] = all.map(|(name, mapping)| (name, mapping.unwrap()));
        assert_eq!((best.groups, own.groups), (None, Some(3)));
        for (added, part) in [
            ("groups = 0", "groups is 0; must be at least 1"),
            ("groups = -1", "line"),
            ("rows = 1", "unknown field `rows`"),
            ("dataflow = \"row-stationary\"", "unknown variant"),
        ] {
            let error = Mapping::parse(&format!("{text}{added}"), "own.toml").unwrap_err().to_string();
            assert!(error.contains("own.toml") && error.contains(part), "{error}");
        }
        assert!(Mapping::load("no-such").unwrap_err().to_string().contains("weight-stationary"));
    }
}
