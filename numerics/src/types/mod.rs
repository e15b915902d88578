//! The registry: one file a family, one line a type.

mod ant;
mod bitmod;
mod codebook;
mod fp16;
mod integer;
mod microscaling;
mod minifloat;
mod nf4;
mod olive;
mod razer;
mod ternary;

use crate::{CodeValue, NumericsError, WeightType};

pub use codebook::{load_codebook, parse_codebook};

/// Every weight type, in the order listings show.
pub fn registry() -> Vec<WeightType> {
    vec![
        bitmod::bitmod_fp4(),
        integer::symmetric("int4", "4-bit integers, symmetric: -7..7", 4),
        bitmod::bitmod_fp3(),
        razer::razer_fp4(),
        integer::symmetric("int2", "2-bit integers, symmetric: -1..1 under the largest magnitude", 2),
        integer::symmetric("int3", "3-bit integers, symmetric: -3..3", 3),
        integer::symmetric("int5", "5-bit integers, symmetric: -15..15", 5),
        integer::symmetric("int6", "6-bit integers, symmetric: -31..31", 6),
        integer::symmetric("int7", "7-bit integers, symmetric: -63..63", 7),
        integer::symmetric("int8", "8-bit integers, symmetric: -127..127", 8),
        integer::asymmetric("int2-asym", "2-bit integers above a zero point of the group", 2),
        integer::asymmetric("int3-asym", "3-bit integers above a zero point of the group", 3),
        integer::asymmetric("int4-asym", "4-bit integers above a zero point of the group", 4),
        integer::asymmetric("int5-asym", "5-bit integers above a zero point of the group", 5),
        integer::asymmetric("int6-asym", "6-bit integers above a zero point of the group", 6),
        integer::asymmetric("int7-asym", "7-bit integers above a zero point of the group", 7),
        integer::asymmetric("int8-asym", "8-bit integers above a zero point of the group", 8),
        minifloat::float("fp3", "3-bit float E2M0: 0, ±1, ±2, ±4", 2, 0),
        minifloat::float("fp4", "4-bit float E2M1: 0, ±0.5 to ±6", 2, 1),
        minifloat::float("fp5-e2m2", "5-bit float E2M2: 0, ±0.25 to ±7", 2, 2),
        minifloat::float("fp5-e3m1", "5-bit float E3M1: 0, ±0.125 to ±24", 3, 1),
        minifloat::float("fp6-e2m3", "6-bit float E2M3: 0, ±0.125 to ±7.5", 2, 3),
        minifloat::float("fp6-e3m2", "6-bit float E3M2: 0, ±0.0625 to ±28", 3, 2),
        minifloat::fp8_e4m3(),
        minifloat::fp8_e5m2(),
        ant::flint4(),
        ant::flint5(),
        microscaling::mx_fp4(),
        microscaling::mx_fp6(),
        microscaling::mx_fp8(),
        microscaling::mx_int8(),
        microscaling::nvfp4(),
        ternary::ternary(),
        ternary::binary(),
        nf4::nf4(),
        olive::olive4(),
        fp16::fp16(),
    ]
}

/// The type of this name, or of the user codebook in the TOML file of this path (see [`parse_codebook`]): whatever ends
/// in `.toml` is a path.
///
/// # Errors
/// `UnknownType`, which lists what is known; `Codebook` for a file that is not a codebook.
pub fn weight_type(name_or_path: &str) -> Result<WeightType, NumericsError> {
    let all = registry();
    let known = all.iter().map(|t| t.name).collect::<Vec<_>>().join(", ");
    if let Some(found) = all.into_iter().find(|t| t.name == name_or_path) {
        return Ok(found);
    }
    if name_or_path.ends_with(".toml") {
        return load_codebook(name_or_path);
    }
    Err(NumericsError::UnknownType { name: name_or_path.to_string(), known })
}

/// Codes of a sign-magnitude type: the sign is the highest bit, the magnitude's index the others; -0 is what `negative_zero` says.
fn sign_magnitude(magnitudes: &[i64], negative_zero: CodeValue) -> Vec<CodeValue> {
    let negative = magnitudes.iter().map(|m| if *m == 0 { negative_zero } else { CodeValue::Value(-m) });
    magnitudes.iter().map(|m| CodeValue::Value(*m)).chain(negative).collect()
}
