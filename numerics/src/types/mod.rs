//! The registry: one file a family, one line a type.

mod bitmod;
mod integer;

use crate::{NumericsError, WeightType};

/// Every weight type, in the order listings show.
pub fn registry() -> Vec<WeightType> {
    vec![bitmod::bitmod_fp4(), integer::symmetric("int4", "4-bit integers, symmetric: -7..7", 4)]
}

/// The type of this name.
///
/// # Errors
/// `UnknownType`, which lists what is known.
pub fn weight_type(name: &str) -> Result<WeightType, NumericsError> {
    let all = registry();
    let known = all.iter().map(|t| t.name).collect::<Vec<_>>().join(", ");
    all.into_iter().find(|t| t.name == name).ok_or_else(|| NumericsError::UnknownType { name: name.to_string(), known })
}
