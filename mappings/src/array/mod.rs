//! Products lowered for a whole machine: the tiling, the program, and the memory it runs in.

mod events;
mod image;
mod lower;
mod tiling;

pub use events::{Accesses, Events};
pub use lower::{ArrayProgram, ArraySchedule, OutputRegion, lower_array, read_outputs, schedule_array};
pub use tiling::Tiling;
