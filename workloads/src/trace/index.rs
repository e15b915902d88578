//! The index of a trace, `layers.csv`.

use std::collections::BTreeSet;
use std::path::Path;

use bitmosaic_numerics::{MAX_GROUP, SPECIAL_VALUES, ScaleKind, WeightType, weight_type};
use serde::{Deserialize, Serialize};

use super::{MAX_DIMENSION, NAME_EXPECTED, is_name};
use crate::files::{check_plain_name, malformed, read_small, shown};
use crate::{Fault, WorkloadsError};

/// Largest index, in bytes.
const MAX_INDEX_BYTES: u64 = 16 << 20;
/// Characters of a SHA-256 in hexadecimal.
const SHA256_CHARACTERS: usize = 64;

/// One line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) tokens: usize,
    pub(super) output_channels: usize,
    pub(super) input_channels: usize,
    pub(super) group: usize,
    pub(super) weight_type: String,
    pub(super) special_values: String,
    pub(super) scale_kind: String,
    pub(super) file: String,
    pub(super) sha256: String,
    pub(super) tensors: String,
}

/// The columns, in the order [`Line`] writes them.
const COLUMNS: [&str; 11] = [
    "name",
    "tokens",
    "output_channels",
    "input_channels",
    "group",
    "weight_type",
    "special_values",
    "scale_kind",
    "file",
    "sha256",
    "tensors",
];

/// A line whose fields have been checked against each other and the registry, not yet against the tensors.
#[derive(Debug, Clone)]
pub(super) struct CheckedLine {
    pub(super) line: Line,
    pub(super) weight_type: WeightType,
    pub(super) special_values: [i32; SPECIAL_VALUES],
    pub(super) scale_kind: ScaleKind,
}

/// How the four special values stand in their field.
pub(super) fn format_special_values(values: &[i32; SPECIAL_VALUES]) -> String {
    values.map(|v| v.to_string()).join(";")
}

fn parse_special_values(text: &str) -> Option<[i32; SPECIAL_VALUES]> {
    let values: Vec<i32> = text.split(';').map(|v| v.parse().ok()).collect::<Option<_>>()?;
    values.try_into().ok()
}

/// The text of an index.
pub(super) fn to_csv(path: &Path, lines: &[Line]) -> Result<Vec<u8>, WorkloadsError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: String| malformed(path, Fault::Syntax, "index", shown(&e), "fields that CSV can hold");
    for line in lines {
        writer.serialize(line).map_err(|e| failed(e.to_string()))?;
    }
    writer.into_inner().map_err(|e| failed(e.to_string()))
}

/// Reads and checks an index.
pub(super) fn read(path: &Path) -> Result<Vec<CheckedLine>, WorkloadsError> {
    let bytes = read_small(path, MAX_INDEX_BYTES)?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let columns = reader.headers().map_err(|e| syntax(path, &e))?.clone();
    check_columns(path, &columns)?;
    let mut lines = Vec::new();
    let (mut names, mut tensors) = (BTreeSet::new(), BTreeSet::new());
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| syntax(path, &e))? {
        let number = record.position().map_or(0, csv::Position::line);
        let line: Line = record.deserialize(Some(&columns)).map_err(|e| syntax(path, &e))?;
        let field = |column: &str| format!("line {number}, column `{column}`");
        if !names.insert(line.name.clone()) {
            let found = format!("`{}` for the second time", shown(&line.name));
            return Err(malformed(path, Fault::Duplicate, field("name"), found, "a name of its own for each layer"));
        }
        if !tensors.insert((line.file.clone(), line.tensors.clone())) {
            let found = format!("`{}` for the second time", shown(&line.tensors));
            return Err(malformed(
                path,
                Fault::Duplicate,
                field("tensors"),
                found,
                "tensors of its own for each layer",
            ));
        }
        lines.push(check_line(path, line, &field)?);
    }
    if lines.is_empty() {
        return Err(malformed(path, Fault::Shape, "index", "no layer", "at least one line below the header"));
    }
    Ok(lines)
}

/// A CSV or number error as a place and a finding.
fn syntax(path: &Path, error: &csv::Error) -> WorkloadsError {
    let number = error.position().map_or(1, csv::Position::line);
    let (place, found) = match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => {
            let column = err.field().and_then(|n| COLUMNS.get(usize::try_from(n).ok()?));
            let place = column.map_or(format!("line {number}"), |c| format!("line {number}, column `{c}`"));
            (place, err.kind().to_string())
        }
        csv::ErrorKind::UnequalLengths { len, .. } => (format!("line {number}"), format!("{len} fields")),
        csv::ErrorKind::Utf8 { .. } => (format!("line {number}"), "bytes that are not UTF-8".into()),
        _ => (format!("line {number}"), error.to_string()),
    };
    malformed(
        path,
        Fault::Syntax,
        place,
        shown(&found),
        format!("{} fields as the header line names them", COLUMNS.len()),
    )
}

/// The columns must be the known ones in the known order, so that a place can be named by its column.
fn check_columns(path: &Path, columns: &csv::StringRecord) -> Result<(), WorkloadsError> {
    let refused = |found: String| {
        Err(malformed(path, Fault::Column, "header line", found, format!("the columns {}", COLUMNS.join(","))))
    };
    if let Some(unknown) = columns.iter().find(|c| !COLUMNS.contains(c)) {
        return refused(format!("the unknown column `{}`", shown(unknown)));
    }
    if let Some(missing) = COLUMNS.iter().find(|c| !columns.iter().any(|d| d == **c)) {
        return refused(format!("no column `{missing}`"));
    }
    if !columns.iter().eq(COLUMNS) {
        return refused("another order, or a column twice".into());
    }
    Ok(())
}

fn check_line(path: &Path, line: Line, field: &dyn Fn(&str) -> String) -> Result<CheckedLine, WorkloadsError> {
    let refused = |column: &str, found: &str, expected: String| {
        malformed(path, Fault::Field, field(column), format!("`{}`", shown(found)), expected)
    };
    for (column, text) in [("name", &line.name), ("tensors", &line.tensors)] {
        if !is_name(text) {
            return Err(refused(column, text, NAME_EXPECTED.into()));
        }
    }
    for (column, number, limit) in [
        ("tokens", line.tokens, MAX_DIMENSION),
        ("output_channels", line.output_channels, MAX_DIMENSION),
        ("input_channels", line.input_channels, MAX_DIMENSION),
        ("group", line.group, MAX_GROUP),
    ] {
        if !(1..=limit).contains(&number) {
            return Err(refused(column, &number.to_string(), format!("1 to {limit}")));
        }
    }
    let weight_type = weight_type(&line.weight_type).map_err(|e| match e {
        bitmosaic_numerics::NumericsError::UnknownType { known, .. } => {
            refused("weight_type", &line.weight_type, format!("one of {known}"))
        }
        cause => WorkloadsError::Numerics { file: path.to_path_buf(), place: field("weight_type"), cause },
    })?;
    let special_values = parse_special_values(&line.special_values).ok_or_else(|| {
        refused("special_values", &line.special_values, format!("{SPECIAL_VALUES} integers, `;` between them"))
    })?;
    let scale_kind = ScaleKind::named(&line.scale_kind).map_err(|_| {
        refused("scale_kind", &line.scale_kind, format!("one of {}", ScaleKind::ALL.map(ScaleKind::name).join(", ")))
    })?;
    check_plain_name(path, &field("file"), &line.file)?;
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if line.sha256.len() != SHA256_CHARACTERS || !line.sha256.bytes().all(is_digit) {
        return Err(refused("sha256", &line.sha256, format!("{SHA256_CHARACTERS} lower-case hexadecimal digits")));
    }
    Ok(CheckedLine { line, weight_type, special_values, scale_kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_that_are_written() {
        let text = to_csv(Path::new("x"), &[Line::default()]).unwrap();
        let header = String::from_utf8(text).unwrap().lines().next().unwrap().to_string();
        assert_eq!(header, COLUMNS.join(","));
    }

    #[test]
    fn special_values_round_trip() {
        for values in [[10, -10, 16, -16], [0; 4], [i32::MIN, i32::MAX, 1, -1]] {
            assert_eq!(parse_special_values(&format_special_values(&values)), Some(values));
        }
        for text in ["", "1;2;3", "1;2;3;4;5", "1;2;3;x", "1;2;3;4294967296", "1;2;3;4;"] {
            assert_eq!(parse_special_values(text), None, "{text}");
        }
    }
}
