//! The same machine as hardware: a typed netlist of our own, the modules of a machine built from its `Machine` alone,
//! the Verilog writer, the netlist simulator and the shared testbench.

pub mod accelerator;
pub mod area;
pub mod cost;
pub mod emit;
pub mod hardware;
pub mod netlist;
#[cfg(feature = "rust-hdl")]
pub mod rust_hdl;
pub mod simulate;
pub mod unit;
