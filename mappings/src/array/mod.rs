//! Products lowered for a whole machine: the tiling, the program, and the memory it runs in.

mod image;
mod lower;
mod tiling;

pub use lower::{ArrayProgram, ArraySchedule, OutputRegion, lower_array, read_outputs, schedule_array};
pub use tiling::{MappingSpace, Tiling, Traffic};
