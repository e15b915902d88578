//! Text made from a netlist.

mod array_readme;
pub mod array_testbench;
pub mod bundle;
mod expression;
mod plan;
pub mod readme;
mod table;
pub mod verilog;
mod waveform;
pub mod wrapper;

pub mod testbench;
pub use verilog::verilog_files;

#[cfg(test)]
mod tests;
