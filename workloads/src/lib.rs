//! What a machine runs: models as shapes ([`model`]) and what they compute in a phase ([`operation`]), checkpoints as published ([`checkpoint`]) and the front end of BERT-like ones ([`bert`]), quantized
//! layers with their activations on disk ([`trace`]), and layers made from a seed ([`generate`]) whose statistics ([`statistics`]) follow measured ones.
//!
//! Files come from strangers. Every reader checks all sizes against the length of the file before it allocates, never
//! follows a path out of its folder, and answers with a [`WorkloadsError`] that names file, place, finding and remedy.

pub mod bert;
pub mod checkpoint;
mod error;
mod files;
pub mod generate;
pub mod model;
pub mod operation;
pub mod phase;
pub mod routing;
pub mod statistics;
pub mod trace;

pub use error::{Fault, WorkloadsError};
