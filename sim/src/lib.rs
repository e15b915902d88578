//! Cycle-accurate, bit-accurate simulator. [`step`] is the oracle, one clocked state machine a unit; [`cycle`] is the
//! event-driven engine, accepted only as equal to it.

pub mod cycle;
pub mod device;
pub mod energy;
pub mod fusion;
pub mod hpca25;
pub mod inference;
pub mod memory;
pub mod pe;
pub mod peers;
pub mod probe;
mod ring;
pub mod run;
pub mod step;
pub mod vector_unit;
