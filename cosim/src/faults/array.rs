use super::{Fault, fault};

/// The named faults of the modules that a whole machine has around its tiles, by their names in design `mosaic-small`.
pub const ARRAY_FAULTS: &[Fault] = &[fault("x", "core", "y", "or")];
