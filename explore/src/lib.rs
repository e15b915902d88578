//! Design space exploration: a space of designs, weight types, memories and models; its points timed on all cores into a file
//! that survives a kill; Pareto fronts of that file.

mod area;
mod axis;
mod columns;
mod error;
mod point;
mod results;
mod run;
mod setting;
mod space;
mod spec;
mod store;

pub mod pareto;

pub use columns::{Better, better};
pub use error::ExploreError;
pub use results::{Table, limits_text, result};
pub use run::{RESULTS_FILE, Sweep, sweep};
pub use space::Space;
pub use spec::{SPECS, Spec, load, parse};
