//! The top module of a whole machine as FPGA flows want it: `aclk`, `aresetn`, AXI port names that Vivado infers.

use std::fmt::Write as _;

use crate::netlist::{CLOCK, Design, RESET};

/// Name of the wrapper module and its file.
pub const WRAPPER: &str = "bitmosaic";

/// Module `bitmosaic` around the design's top: its ports without `_i` and `_o`, reset from `aresetn` by one register.
pub fn wrapper(design: &Design) -> String {
    let top = design.top();
    let mut ports = vec![
        "    // Clock of everything.\n    input  wire aclk".to_string(),
        "    // Synchronous reset, active low.\n    input  wire aresetn".to_string(),
    ];
    let mut connections = vec![format!("        .{CLOCK}(aclk)"), format!("        .{RESET}(reset)")];
    let directions = [("input  wire", &top.inputs), ("output wire", &top.outputs)];
    for (direction, of) in directions {
        for port in of {
            let name = port.name.trim_end_matches("_i").trim_end_matches("_o");
            let width = top.shape(port.net).width;
            let range = if width == 1 { String::new() } else { format!("[{}:0] ", width - 1) };
            ports.push(format!("    // {}.\n    {direction} {range}{name}", port.doc));
            connections.push(format!("        .{}({name})", port.name));
        }
    }
    let mut text = String::new();
    let _ = write!(
        text,
        "// Top module for FPGA flows: {}.v with the usual names.\nmodule {WRAPPER} (\n{}\n);\n\n\
         \x20   reg reset;\n    always @(posedge aclk) reset <= !aresetn;\n\n    {} u_{} (\n{}\n    );\n\nendmodule\n",
        top.name,
        ports.join(",\n"),
        top.name,
        top.name,
        connections.join(",\n")
    );
    text
}
