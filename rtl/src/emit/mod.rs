//! Text made from a netlist.

mod expression;
mod plan;
pub mod readme;
mod table;
pub mod verilog;
mod waveform;

pub mod testbench;
pub use verilog::verilog_files;

#[cfg(test)]
mod tests;
