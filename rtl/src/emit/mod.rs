//! Text made from a netlist.

pub mod array_testbench;
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
