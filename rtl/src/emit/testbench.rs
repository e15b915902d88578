//! The testbench that Icarus and Verilator share: plays stream files into a unit and writes its trace.
//!
//! Run in a folder with `<stream>.hex` (a beat a line) and the plusargs `<stream>_seed`, `<stream>_threshold`,
//! `output_seed`, `output_threshold`, `commands` and `limit`. It writes `trace.txt`: `o CYCLE DATA` for an output beat,
//! `r CYCLE` for a retirement, `s NAME COUNT` for a status bit, and at the end `done`, or `watchdog` when `limit` cycles
//! have passed, or `unknown PORT CYCLE` where an X or Z reaches a handshake or an offered output beat.

use std::fmt::Write as _;

use bitmosaic_mappings::{Lfsr, UnitStimulus};

use crate::netlist::{Design, RESET};
use crate::unit::RESET_CYCLES;

/// Module `testbench` for a unit with the streams and status bits of `stimulus`.
pub fn testbench(design: &Design, stimulus: &UnitStimulus) -> String {
    let top = design.top();
    let mut text = HEADER.replace("FEEDBACK", &format!("32'h{:08x}", Lfsr::FEEDBACK));
    for (name, stream, _) in &stimulus.inputs {
        text += &SOURCE.replace("NAME", name).replace("HIGH", &(stream.width_bits() - 1).to_string());
    }
    text += &SINK.replace("HIGH", &(stimulus.output_bits - 1).to_string());
    for name in stimulus.status {
        let _ = write!(text, "    wire {name};\n    reg [63:0] {name}_count = 0;\n");
    }

    let mut ports = vec![".clk_i(clk_i)".to_string()];
    if top.input(RESET).is_some() || top.is_resettable() {
        ports.push(format!(".{RESET}(reset)"));
    }
    for (name, _, _) in &stimulus.inputs {
        ports
            .push(format!(".{name}_valid_i({name}_valid), .{name}_ready_o({name}_ready), .{name}_data_i({name}_data)"));
    }
    ports.push(".output_valid_o(output_valid), .output_ready_i(output_ready), .output_data_o(output_data)".into());
    ports.push(".retire_o(retire)".into());
    ports.extend(stimulus.status.iter().map(|name| format!(".{name}_o({name})")));
    let _ = write!(text, "\n    {} dut (\n        {}\n    );\n", top.name, ports.join(",\n        "));

    let per_stream = |template: &str| -> String {
        stimulus.inputs.iter().map(|(name, _, _)| template.replace("NAME", name)).collect()
    };
    let per_status =
        |template: &str| -> String { stimulus.status.iter().map(|name| template.replace("NAME", name)).collect() };
    text += &BODY
        .replace("OPEN_STREAMS", &per_stream(OPEN_STREAM))
        .replace("STREAM_EDGES", &per_stream(STREAM_EDGE))
        .replace("READY_CHECKS", &per_stream("        check(NAME_ready, \"NAME_ready_o\");\n"))
        .replace("STATUS_CHECKS", &per_status("        check(NAME, \"NAME_o\");\n"))
        .replace("STATUS_COUNTS", &per_status("            NAME_count <= NAME_count + {63'd0, NAME};\n"))
        .replace(
            "STATUS_PRINTS",
            &per_status("                $fdisplay(trace, \"s NAME %0d\", NAME_count + {63'd0, NAME});\n"),
        )
        .replace("RESET_CYCLES", &RESET_CYCLES.to_string());
    text
}

/// The top module for Icarus, which needs a clock made in Verilog.
pub const ICARUS_TOP: &str = "\
module icarus_top;
    reg clk = 1'b0;
    always #5 clk = ~clk;
    testbench bench (.clk_i(clk));
endmodule
";

/// The main program for Verilator: a clock until `$finish`.
pub const VERILATOR_MAIN: &str = r#"#include "Vtestbench.h"
#include "verilated.h"
#include <memory>

int main(int argc, char** argv) {
    const std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    context->commandArgs(argc, argv);
    const std::unique_ptr<Vtestbench> bench{new Vtestbench{context.get()}};
    bench->clk_i = 0;
    while (!context->gotFinish()) {
        bench->eval();
        context->timeInc(5);
        bench->clk_i = !bench->clk_i;
    }
    bench->final();
    return 0;
}
"#;

const HEADER: &str = "\
// Testbench: plays stream files into the unit and writes its trace to trace.txt.
module testbench (input wire clk_i);

    // Random stalls: Galois LFSR, one step a cycle from the first cycle after reset.
    function [31:0] lfsr_next;
        input [31:0] state;
        lfsr_next = {1'b0, state[31:1]} ^ (state[0] ? FEEDBACK : 32'd0);
    endfunction

    reg        reset = 1'b1;
    reg [7:0]  reset_count = 8'd0;
    reg        started = 1'b0;
    reg [63:0] cycle = 64'd0;
    reg [63:0] edges = 64'd0;
    reg [63:0] limit;
    reg [63:0] commands;
    reg [63:0] retired = 64'd0;
    reg        stopped = 1'b0;
    integer    trace;
    integer    scanned;
";

const SOURCE: &str = "
    integer       NAME_file;
    reg  [HIGH:0] NAME_data;
    reg  [HIGH:0] NAME_next;
    reg           NAME_have = 1'b0;
    reg           NAME_held = 1'b0;
    reg  [31:0]   NAME_lfsr;
    reg  [7:0]    NAME_threshold;
    wire          NAME_ready;
    wire          NAME_valid = NAME_have && !reset && (NAME_held || NAME_lfsr[7:0] >= NAME_threshold);
";

const SINK: &str = "
    reg  [31:0]   output_lfsr;
    reg  [7:0]    output_threshold;
    wire          output_valid;
    wire [HIGH:0] output_data;
    wire          output_ready = !reset && output_lfsr[7:0] >= output_threshold;
    wire          retire;
";

const OPEN_STREAM: &str = r#"
        if (!$value$plusargs("NAME_seed=%d", NAME_lfsr)) NAME_lfsr = 32'd1;
        if (!$value$plusargs("NAME_threshold=%d", NAME_threshold)) NAME_threshold = 8'd0;
        NAME_file = $fopen("NAME.hex", "r");
        scanned = $fscanf(NAME_file, "%h", NAME_next);
        NAME_have = scanned == 1;
        NAME_data = NAME_next;
"#;

const STREAM_EDGE: &str = r#"
            NAME_lfsr <= lfsr_next(NAME_lfsr);
            NAME_held <= NAME_valid && !NAME_ready;
            // The handle is read here so that Verilator 5.006 does not take it for a local of this block.
            if (NAME_valid && NAME_ready && NAME_file != 0) begin
                scanned = $fscanf(NAME_file, "%h", NAME_next);
                NAME_have <= scanned == 1;
                NAME_data <= NAME_next;
            end
"#;

const BODY: &str = r#"
    wire        accept = command_valid && command_ready;
    wire [63:0] now = started ? cycle : 64'd0;

    initial begin
        if (!$value$plusargs("limit=%d", limit)) limit = 64'd1000000;
        if (!$value$plusargs("commands=%d", commands)) commands = 64'd1;
        if (!$value$plusargs("output_seed=%d", output_lfsr)) output_lfsr = 32'd1;
        if (!$value$plusargs("output_threshold=%d", output_threshold)) output_threshold = 8'd0;
        trace = $fopen("trace.txt", "w");
OPEN_STREAMS
    end

    task stop;
        begin
            stopped = 1'b1;
            $fclose(trace);
            $finish;
        end
    endtask

    // A handshake or status bit must be 0 or 1 (four-state simulators).
    task check;
        input value;
        input [255:0] name;
        if (!stopped && value !== 1'b0 && value !== 1'b1) begin
            $fdisplay(trace, "unknown %0s %0d", name, now);
            stop;
        end
    endtask

    always @(posedge clk_i) begin
        reset_count <= reset_count + 8'd1;
        if (reset_count == RESET_CYCLES - 1) reset <= 1'b0;
        if (!reset && !stopped) begin
READY_CHECKS
STATUS_CHECKS
        check(output_valid, "output_valid_o");
        check(retire, "retire_o");
        if (!stopped && output_valid && ^output_data === 1'bx) begin
            $fdisplay(trace, "unknown output_data_o %0d", now);
            stop;
        end
        if (!stopped) begin
STREAM_EDGES
            output_lfsr <= lfsr_next(output_lfsr);
            if (accept) started <= 1'b1;
            if (accept || started) cycle <= now + 64'd1;
            if (output_valid && output_ready) $fdisplay(trace, "o %0d %h", now, output_data);
STATUS_COUNTS
            edges <= edges + 64'd1;
            if (retire) begin
                $fdisplay(trace, "r %0d", now);
                retired <= retired + 64'd1;
            end
            if (retire && retired + 64'd1 == commands) begin
STATUS_PRINTS
                $fdisplay(trace, "done");
                stop;
            end else if (edges + 64'd1 == limit) begin
                $fdisplay(trace, "watchdog");
                stop;
            end
        end
        end
    end
endmodule
"#;
