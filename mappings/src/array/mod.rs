//! Products lowered for a whole machine: the tiling, the program, and the memory it runs in.

mod events;
mod image;
mod lower;
mod mapping;
mod tiling;
mod work;

pub use events::{Accesses, Events};
pub use lower::{ArrayProgram, ArraySchedule, OutputRegion, lower_array, read_outputs, schedule_array};
pub use mapping::{Dataflow, MAPPINGS, Mapping};
pub use tiling::{MappingSpace, Tiling, Traffic};
