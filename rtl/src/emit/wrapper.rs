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
            let name = bare_name(&port.name);
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

/// Name of the module that makes few pins of the wrapper's many.
pub const FEW_PINS: &str = "few_pins";

/// Module `few_pins`, to place and route the whole machine on a chip with too few pins: inputs from a shift register, outputs
/// folded into one bit, every port one register away, so that nothing can be optimised away and no path is lengthened.
pub fn few_pins(design: &Design) -> String {
    let top = design.top();
    let mut connections = vec!["        .aclk(aclk)".to_string(), "        .aresetn(aresetn)".to_string()];
    let mut widths = [0, 0];
    for (bits, (signals, ports)) in widths.iter_mut().zip([("in_q", &top.inputs), ("out", &top.outputs)]) {
        for port in ports {
            let (name, width) = (bare_name(&port.name), top.shape(port.net).width);
            connections.push(format!("        .{name}({signals}[{}:{bits}])", *bits + width - 1));
            *bits += width;
        }
    }
    let [inputs, outputs] = widths.map(|bits| bits - 1);
    format!(
        "// {WRAPPER} behind four pins, for implementation runs: utilization and clock, no function.\n\
         module {FEW_PINS} (\n    input  wire aclk,\n    input  wire aresetn,\n    input  wire data_i,\n    \
         output wire data_o\n);\n\n    reg  [{inputs}:0] in_q;\n    wire [{outputs}:0] out;\n    reg  [{outputs}:0] out_q;\n    \
         reg  [{outputs}:0] fold_q;\n\n    always @(posedge aclk) begin\n        in_q   <= {{in_q[{}:0], data_i}};\n        \
         out_q  <= out;\n        fold_q <= out_q ^ {{fold_q[{}:0], 1'b0}};\n    end\n    assign data_o = fold_q[{outputs}];\n\n    \
         {WRAPPER} u_{WRAPPER} (\n{}\n    );\n\nendmodule\n",
        inputs - 1,
        outputs - 1,
        connections.join(",\n")
    )
}

/// A port's name without `_i` and `_o`.
pub(super) fn bare_name(port: &str) -> &str {
    port.trim_end_matches("_i").trim_end_matches("_o")
}
