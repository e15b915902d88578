//! User codebooks: a weight type in a TOML file, usable wherever a type name is.
//!
//! ```toml
//! name = "my-fp4"
//! summary = "FP4 with 5 and 8"            # optional
//! code_bits = 4
//! fraction_bits = 1                       # values are multiples of 2^-1
//! # The value of each code, ascending codes; codes beyond the list are unused.
//! values = [0, 1, 2, 3, 4, 6, 8, 12, "special", -1, -2, -3, -4, -6, -8, "unused"]
//! special_values = [10, -10, 16, -16]     # with a "special" code only: what a group chooses from
//! ```

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde::Deserialize;

use crate::{CodeValue, NumericsError, Rounding, SPECIAL_VALUES, ScaleRule, SpecialValues, WeightType};

const MAX_FILE_BYTES: u64 = 64 << 10;
const MAX_NAME_BYTES: usize = 64;
const MAX_FRACTION_BITS: u32 = 15;
/// Values pass this many units of 1 only at the cost of FP16's precision in the quantizer's scales.
const LARGEST_WEIGHT: u64 = 511;
/// No digit planes reach further.
const LARGEST_SPECIAL_VALUE: u32 = 1 << 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    summary: String,
    code_bits: u32,
    fraction_bits: u32,
    values: Vec<Entry>,
    special_values: Option<[i32; SPECIAL_VALUES]>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected an integer, \"special\" or \"unused\"")]
enum Entry {
    Value(i64),
    Word(Word),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Special,
    Unused,
}

/// The codebook in this file.
///
/// # Errors
/// `Codebook`: not readable, not TOML, an unknown key, an impossible field.
pub fn load_codebook(path: &str) -> Result<WeightType, NumericsError> {
    let refused = |what: String| NumericsError::Codebook { file: path.to_string(), what };
    let size = std::fs::metadata(path).map_err(|e| refused(e.to_string()))?.len();
    if size > MAX_FILE_BYTES {
        return Err(refused(format!("the file has {size} bytes, a codebook has at most {MAX_FILE_BYTES}")));
    }
    parse_codebook(&std::fs::read_to_string(path).map_err(|e| refused(e.to_string()))?, path)
}

/// The codebook of this text; `file` names the origin in errors.
///
/// # Errors
/// As [`load_codebook`].
pub fn parse_codebook(text: &str, file: &str) -> Result<WeightType, NumericsError> {
    let refused = |what: String| NumericsError::Codebook { file: file.to_string(), what };
    let parsed: File = toml::from_str(text).map_err(|e| refused(syntax(text, &e)))?;
    check(&parsed).map_err(|(field, found, expected)| refused(format!("field `{field}` is {found}; {expected}")))?;
    let mut codes: Vec<CodeValue> = parsed
        .values
        .iter()
        .map(|entry| match entry {
            Entry::Value(v) => CodeValue::Value(*v),
            Entry::Word(Word::Special) => CodeValue::Special,
            Entry::Word(Word::Unused) => CodeValue::Unused,
        })
        .collect();
    codes.resize(1 << parsed.code_bits, CodeValue::Unused);
    Ok(WeightType {
        name: interned(parsed.name),
        summary: interned(if parsed.summary.is_empty() { "user codebook".into() } else { parsed.summary }),
        code_bits: parsed.code_bits,
        fraction_bits: parsed.fraction_bits,
        codes,
        special: parsed.special_values.map(|values| SpecialValues { values }),
        rounding: Rounding::TableTieToLower,
        scale_rule: ScaleRule::LargestMagnitude,
    })
}

/// What is wrong with the TOML, on one line: place, finding, remedy.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = &text.as_bytes()[..start];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    let finding = error.message().lines().collect::<Vec<_>>().join(", ");
    format!(
        "line {line}, column {column}: {finding}; a codebook is TOML with `name`, `code_bits`, `fraction_bits`, `values`, \
         perhaps `summary`, and `special_values` where a value is \"special\""
    )
}

type Refusal = (&'static str, String, String);

fn check(file: &File) -> Result<(), Refusal> {
    let that = |ok: bool, field: &'static str, found: String, expected: &str| {
        if ok { Ok(()) } else { Err((field, found, expected.to_string())) }
    };
    let name_is_valid = file.name.starts_with(|c: char| c.is_ascii_lowercase())
        && file.name.len() <= MAX_NAME_BYTES
        && file.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let expected = "must be lower case letters, digits and dashes, starting with a letter";
    that(name_is_valid, "name", format!("{:?}", file.name), expected)?;
    let taken = super::registry().iter().any(|t| t.name == file.name);
    that(!taken, "name", format!("{:?}", file.name), "must not be the name of a built-in type")?;
    let summary_is_valid = file.summary.len() <= 256 && !file.summary.chars().any(char::is_control);
    that(summary_is_valid, "summary", format!("{:?}", file.summary), "must be one line of at most 256 bytes")?;
    that((1..=8).contains(&file.code_bits), "code_bits", file.code_bits.to_string(), "must be 1 to 8")?;
    let fraction = file.fraction_bits;
    that(fraction <= MAX_FRACTION_BITS, "fraction_bits", fraction.to_string(), "must be 0 to 15")?;
    let length = file.values.len();
    let expected = format!("must be at most {} values, one a code", 1u32 << file.code_bits);
    that(length <= 1 << file.code_bits, "values", format!("{length} values"), &expected)?;

    let numbers = || file.values.iter().filter_map(|e| if let Entry::Value(v) = e { Some(*v) } else { None });
    that(numbers().any(|v| v != 0), "values", "without a number but 0".into(), "must hold at least one")?;
    let limit = LARGEST_WEIGHT << fraction;
    for value in numbers().chain(file.special_values.into_iter().flatten().map(i64::from)) {
        let expected = format!("must stay within ±{limit}, {LARGEST_WEIGHT} · 2^fraction_bits");
        that(value.unsigned_abs() <= limit, "values", value.to_string(), &expected)?;
    }
    let special = file.values.iter().filter(|e| matches!(e, Entry::Word(Word::Special))).count();
    that(special <= 1, "values", format!("{special} times \"special\""), "at most one code is special")?;
    match file.special_values {
        Some(_) if special == 0 => {
            that(false, "special_values", "given".into(), "needs a \"special\" code among the values")
        }
        None if special == 1 => {
            that(false, "special_values", "missing".into(), "name the four values of the special code")
        }
        Some(values) => values.into_iter().try_for_each(|v| {
            let expected = "must have a magnitude of at most 1024";
            that(v.unsigned_abs() <= LARGEST_SPECIAL_VALUE, "special_values", v.to_string(), expected)
        }),
        None => Ok(()),
    }
}

/// Names of types live as long as the process, like those of the registry; each distinct text is kept once.
fn interned(text: String) -> &'static str {
    static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut texts = TEXTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    match texts.get(text.as_str()) {
        Some(known) => known,
        None => {
            let text: &'static str = Box::leak(text.into_boxed_str());
            texts.insert(text);
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "mine"
        code_bits = 4
        fraction_bits = 1
        values = [0, 1, 2, 3, 4, 6, 8, 12, "special", -1, -2, -3, -4, -6, -8, -12]
        special_values = [10, -10, 16, -16]
    "#;

    #[test]
    fn a_codebook_can_say_what_a_built_in_type_says() {
        let mine = parse_codebook(GOOD, "x.toml").unwrap();
        let bitmod = crate::weight_type("bitmod-fp4").unwrap();
        assert_eq!(mine, WeightType { name: "mine", summary: "user codebook", ..bitmod });
        assert!(std::ptr::eq(mine.name, parse_codebook(GOOD, "y.toml").unwrap().name));
    }

    #[test]
    fn codes_beyond_the_values_are_unused() {
        let text = "name = 'short'\ncode_bits = 2\nfraction_bits = 0\nvalues = [0, 3, 'unused']";
        let codes = parse_codebook(text, "x.toml").unwrap().codes;
        assert_eq!(codes, [CodeValue::Value(0), CodeValue::Value(3), CodeValue::Unused, CodeValue::Unused]);
    }

    #[test]
    fn impossible_fields_are_named_with_the_remedy() {
        let refuse = |from: &str, to: &str, texts: [&str; 2]| {
            assert!(GOOD.contains(from), "{from}");
            let error = parse_codebook(&GOOD.replacen(from, to, 1), "x.toml").unwrap_err().to_string();
            assert!(error.starts_with("codebook `x.toml`: ") && !error.contains('\n'), "{error}");
            assert!(texts.iter().all(|t| error.contains(t)), "{error}");
        };
        refuse("mine", "Mine", ["`name`", "lower case"]);
        refuse("mine", "int4", ["`name`", "built-in"]);
        refuse("code_bits = 4", "code_bits = 9", ["`code_bits` is 9", "1 to 8"]);
        refuse("code_bits = 4", "code_bits = 3", ["`values` is 16 values", "at most 8"]);
        refuse("fraction_bits = 1", "fraction_bits = 16", ["`fraction_bits`", "0 to 15"]);
        refuse("-12]", "-1200]", ["`values` is -1200", "±1022"]);
        refuse("-12]", "-12.5]", ["line 5", "an integer"]);
        refuse("\"special\"", "\"spezial\"", ["line 5", "an integer"]);
        refuse("\"special\"", "\"unused\"", ["`special_values`", "needs a \"special\" code"]);
        refuse("-12]", "\"special\"]", ["2 times", "at most one"]);
        refuse("special_values = [10, -10, 16, -16]", "", ["`special_values` is missing", "four values"]);
        refuse("[10, -10, 16, -16]", "[10, -10, 16]", ["line 6", "length"]);
        refuse("name", "nom", ["line 2", "nom"]);
        refuse("code_bits = 4", "", ["missing field `code_bits`", "a codebook is TOML with `name`"]);
        refuse("code_bits = 4", "code_bits == 4", ["line 3, column 20: ", "; a codebook is TOML"]);
        assert!(parse_codebook("name = 'z'\ncode_bits = 1\nfraction_bits = 0\nvalues = [0]", "x").is_err());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = crate::weight_type("/nowhere/book.toml").unwrap_err().to_string();
        assert!(error.contains("/nowhere/book.toml"), "{error}");
    }
}
