//! Text made from a netlist.

mod expression;
mod plan;
pub mod verilog;

pub mod testbench;
pub use verilog::verilog_files;

#[cfg(test)]
mod tests;
