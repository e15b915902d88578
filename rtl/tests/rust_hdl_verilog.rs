//! The Verilog that rust-hdl writes for designs with generated modules inside: in Icarus Verilog it behaves as rust-hdl's
//! own simulation, yosys proves it equivalent to the exported Verilog, and a fault in the text is found both ways.
//!
//! Needs `iverilog` and `yosys`; a missing tool is a failure.

#[allow(dead_code)] // Simulation and Verilog use different parts.
mod bridge;
mod common;
mod program;

use std::fmt::Write as _;
use std::fs;

use bitmosaic_mappings::{Stalls, UnitStimulus, run_unit};
use bitmosaic_rtl::emit::testbench::{ICARUS_TOP, testbench};
use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::netlist::{CLOCK, Design, ModulePort, RESET};
use bitmosaic_rtl::unit::NetlistUnit;
use rust_hdl_core::prelude::*;

use bridge::ports::{AlignerPorts, PePorts, TilePorts};
use bridge::{Column, Step, aligner, block, element, host, machine, steps, tile};
use common::Folder;
use program::{STALLS, stimulus};

/// What rust-hdl writes for a design; it checks connections and loops first.
fn emitted<B: Block>(mut block: B) -> String {
    block.connect_all();
    generate_verilog(&block)
}

/// Replaces one place of a text.
fn planted(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` must be there once");
    text.replacen(from, to, 1)
}

/// `sum` before the edge of every step in Icarus; unknown bits as `x`.
fn icarus_column(folder: &Folder, verilog: &str, steps: &[Step]) -> Vec<String> {
    let mut bench = String::from(
        "module bench;\n    reg clk = 0, accumulate, clear, plane, capture, shift;\n    reg [11:0] digit;\n    \
         reg [111:0] activation;\n    reg [25:0] chain_end;\n    wire [25:0] sum;\n    top dut (.clk_i(clk), \
         .digit(digit), .activation(activation), .accumulate(accumulate), .clear(clear), .plane(plane), \
         .capture(capture), .shift(shift), .chain_end(chain_end), .sum(sum));\n    initial begin\n",
    );
    for step in steps {
        let _ = writeln!(
            bench,
            "        digit = 12'h{:x}; activation = {{56'h{:x}, 56'h{:x}}}; accumulate = {}; clear = {}; plane = {}; \
             capture = {}; shift = {}; chain_end = 26'h{:x}; #5 $display(\"%h\", sum); clk = 1; #5 clk = 0;",
            step.digit_bits(),
            step.row_bits(1),
            step.row_bits(0),
            step.accumulate as u8,
            step.clear as u8,
            step.plane as u8,
            step.capture as u8,
            step.shift as u8,
            step.end
        );
    }
    bench += "        $finish;\n    end\nendmodule\n";
    fs::write(folder.path().join("bench.v"), bench).unwrap();
    fs::write(folder.path().join("emitted.v"), verilog).unwrap();
    folder.run("iverilog", &["-g2005", "-Wall", "-s", "bench", "-o", "bench.vvp", "bench.v", "emitted.v"]);
    let lines: Vec<String> = folder.run("vvp", &["bench.vvp"]).lines().map(str::to_string).collect();
    lines.into_iter().filter(|line| !line.contains("$finish")).collect()
}

/// Steps in which Icarus differs from host arithmetic.
fn differences(sums: &[String], steps: &[Step]) -> usize {
    assert_eq!(sums.len(), steps.len());
    let known = host(steps).into_iter().zip(sums).filter_map(|(host, sum)| Some((host?, sum)));
    known.filter(|(host, sum)| u64::from_str_radix(sum, 16).ok() != Some(*host)).count()
}

#[test]
fn the_verilog_of_a_column_gives_the_sums_of_the_host_in_icarus() {
    let folder = Folder::new("rust_hdl_column");
    let steps = steps(2);
    let text = emitted(Column::new());
    assert_eq!(differences(&icarus_column(&folder, &text, &steps), &steps), 0);
    // Both PEs share one module; rust-hdl writes it twice, the second is passed over.
    assert_eq!(text.matches("\nmodule block_pe_").count(), 2);
    // Wrong pin, wrong chain.
    for (from, to) in
        [("tail$clear_i = clear", "tail$clear_i = accumulate"), ("tail$chain_i = chain_end", "tail$chain_i = sum")]
    {
        let sums = icarus_column(&folder, &planted(&text, from, to), &steps);
        assert!(differences(&sums, &steps) > 0, "`{to}` was not found");
    }
}

/// Trace of the testbench that every engine has, on a tile that rust-hdl wrote as `top`.
fn icarus_tile(folder: &Folder, verilog: &str, stimulus: &UnitStimulus) -> Vec<String> {
    let bench = planted(&testbench(&tile(), stimulus), "\n    tile dut (", "\n    top dut (");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("testbench.v", &bench);
    write("icarus_top.v", ICARUS_TOP);
    write("emitted.v", verilog);
    let files = ["testbench.v", "icarus_top.v", "emitted.v"];
    folder.run("iverilog", &[&["-g2005", "-s", "icarus_top", "-o", "tile.vvp"], &files[..]].concat());
    let mut arguments = vec!["tile.vvp".to_string(), "+limit=5000".to_string()];
    for (name, stream, gate) in &stimulus.inputs {
        let beats: String = (0..stream.len()).map(|beat| stream.hex(beat) + "\n").collect();
        write(&format!("{name}.hex"), &beats);
        arguments.push(format!("+{name}_seed={}", gate.seed.max(1)));
        arguments.push(format!("+{name}_threshold={}", gate.threshold));
    }
    arguments.push(format!("+output_seed={}", stimulus.output_gate.seed.max(1)));
    arguments.push(format!("+output_threshold={}", stimulus.output_gate.threshold));
    arguments.push(format!("+commands={}", stimulus.inputs[0].1.len()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    folder.run("vvp", &arguments);
    folder.trace()
}

/// The trace of the netlist simulator, as the testbench writes it, sorted.
fn netlist_tile(stimulus: &UnitStimulus) -> Vec<String> {
    let trace = run_unit(&mut NetlistUnit::new(&tile(), stimulus, 1).unwrap(), stimulus, 5000).unwrap();
    let outputs = trace.outputs.iter().map(|beat| format!("o {} {:04x}", beat.cycle, beat.data[0]));
    let retirements = trace.retirements.iter().map(|cycle| format!("r {cycle}"));
    let status = stimulus.status.iter().zip(&trace.status_cycles).map(|(name, count)| format!("s {name} {count}"));
    let mut lines: Vec<String> = outputs.chain(retirements).chain(status).chain(["done".to_string()]).collect();
    lines.sort();
    lines
}

#[test]
fn the_verilog_of_a_tile_has_the_trace_of_the_netlist_simulator_in_icarus() {
    let folder = Folder::new("rust_hdl_tile");
    let text = emitted(block::<TilePorts>(&tile()));
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    for stalls in STALLS {
        let stimulus = stimulus(&machine(), stalls);
        assert_eq!(sorted(icarus_tile(&folder, &text, &stimulus)), netlist_tile(&stimulus), "{stalls:?}");
    }
    let stimulus = stimulus(&machine(), Stalls::NONE);
    let broken = planted(&text, ".scale_data_i (scale_data_i)", ".scale_data_i (scale_data_i + 16'd1)");
    assert_ne!(sorted(icarus_tile(&folder, &broken, &stimulus)), netlist_tile(&stimulus));
}

/// Proves with yosys, register by register and output by output, that `verilog`'s module `top` is the exported design.
/// Both are flattened below an instance of the same name, so that nets pair up by name.
fn proven(name: &str, design: &Design, verilog: &str) -> Result<(), String> {
    let folder = Folder::new(name);
    let top = design.top();
    let mut names = vec![(top.is_clocked(), "input", CLOCK, 1), (top.is_resettable(), "input", RESET, 1)];
    let width = |port: &ModulePort| top.shape(port.net).width;
    names.extend(top.inputs.iter().map(|port| (true, "input", port.name.as_str(), width(port))));
    names.extend(top.outputs.iter().map(|port| (true, "output", port.name.as_str(), width(port))));
    let names: Vec<_> = names.into_iter().filter(|port| port.0).collect();
    let ports: Vec<String> =
        names.iter().map(|(_, direction, name, width)| format!("{direction} wire [{}:0] {name}", width - 1)).collect();
    let pins: Vec<String> = names.iter().map(|port| format!(".{0}({0})", port.2)).collect();
    let shim =
        format!("module shim ({});\n    {} u_{1} ({});\nendmodule\n", ports.join(", "), top.name, pins.join(", "));
    let mut exported = vec![("shim.v".to_string(), shim)];
    exported.extend(verilog_files(design));
    for (name, text) in exported.iter().map(|(name, text)| (name.as_str(), text.as_str())).chain([("top.v", verilog)]) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let files: Vec<&str> = exported.iter().map(|(name, _)| name.as_str()).collect();
    let flat = |files: &str, top: &str, name: &str| {
        format!(
            "read_verilog {files}; hierarchy -check -top {top}; proc; flatten; memory; opt_clean -purge; \
             rename {top} {name}; design -stash {name}; "
        )
    };
    let script = flat(&files.join(" "), "shim", "exported")
        + &flat("top.v", "top", "bridged")
        + "design -copy-from exported exported; design -copy-from bridged bridged; \
           equiv_make exported bridged both; hierarchy -top both; \
           equiv_struct -icells; equiv_remove; equiv_simple; equiv_status -assert";
    folder.try_run("yosys", &["-q", "-p", &script]).map(drop)
}

#[test]
fn yosys_proves_that_the_verilog_is_the_exported_one() {
    let (tile, aligner) = (tile(), aligner());
    let text = emitted(block::<PePorts>(&element()));
    proven("proof_pe", &element(), &text).unwrap();
    for (from, to) in [
        (".clear_i (clear_i)", ".clear_i (accumulate_i)"),
        ("if (accumulate_i) begin", "if (capture_i) begin"),
        ("hold_q <= capture_i ?", "hold_q <= shift_i ?"),
    ] {
        let found = proven("proof_wrong_pe", &element(), &planted(&text, from, to));
        assert!(found.is_err_and(|said| said.contains("unproven")), "`{to}` was not found");
    }

    proven("proof_aligner", &aligner, &emitted(block::<AlignerPorts>(&aligner))).unwrap();
    let text = emitted(block::<TilePorts>(&tile));
    proven("proof_tile", &tile, &text).unwrap();
    let wrong = planted(&text, ".scale_data_i (scale_data_i)", ".scale_data_i (~scale_data_i)");
    assert!(proven("proof_wrong_tile", &tile, &wrong).unwrap_err().contains("unproven"));
}
