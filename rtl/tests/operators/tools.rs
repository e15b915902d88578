//! Running the external tools in a folder of their own.

use std::fs;

use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::netlist::Design;

use crate::common::Folder;

fn files(design: &Design) -> Vec<String> {
    verilog_files(design).into_iter().map(|f| f.0).collect()
}

/// Verilator with all warnings and yosys with its checks: nothing to say.
pub fn lint(folder: &Folder, design: &Design) {
    let files = files(design);
    let top = &design.top().name;
    let mut arguments = vec!["--lint-only", "-Wall", "--top-module", top];
    // A random network may compare values that turn out to be constant.
    arguments.extend(["-Wno-UNSIGNED", "-Wno-CMPCONST"]);
    arguments.extend(files.iter().map(String::as_str));
    let said = folder.run("verilator", &arguments);
    assert!(said.is_empty(), "verilator -Wall: {said}");
    let script = format!(
        "read_verilog {}; hierarchy -check -top {top}; proc; check -assert; select -assert-none t:$dlatch t:$adlatch",
        files.join(" ")
    );
    let said = folder.run("yosys", &["-Q", "-T", "-p", &script]);
    assert!(!said.contains("Warning"), "yosys: {said}");
}

/// Trace of Icarus Verilog.
pub fn icarus(folder: &Folder, design: &Design) -> Vec<String> {
    let clock = "module clock;\n    reg clk = 1'b0;\n    always #5 clk = !clk;\n    tb u_tb (.clk(clk));\nendmodule\n";
    fs::write(folder.path().join("clock.v"), clock).unwrap();
    let files = files(design);
    let mut arguments = vec!["-g2005", "-s", "clock", "-o", "icarus.vvp", "clock.v", "tb.v"];
    arguments.extend(files.iter().map(String::as_str));
    folder.run("iverilog", &arguments);
    folder.run("vvp", &["icarus.vvp"]);
    folder.trace()
}

/// Trace of Verilator, state filled at random with the seed.
pub fn verilator(folder: &Folder, design: &Design, seed: u32) -> Vec<String> {
    let main = "#include \"Vtb.h\"\n#include \"verilated.h\"\n#include <cstdlib>\n\
        double sc_time_stamp() { return 0; }\n\
        int main(int argc, char** argv) {\n    Verilated::randReset(2);\n    \
        Verilated::randSeed(argc > 1 ? std::atoi(argv[1]) : 1);\n    Vtb tb;\n    tb.clk = 0;\n    tb.eval();\n    \
        while (!Verilated::gotFinish()) {\n        tb.clk = !tb.clk;\n        tb.eval();\n    }\n    \
        tb.final();\n    return 0;\n}\n";
    let binary = folder.path().join("obj_dir/Vtb");
    if !binary.exists() {
        fs::write(folder.path().join("main.cpp"), main).unwrap();
        let files = files(design);
        let mut arguments = vec!["--cc", "--exe", "--build", "-j", "2", "-O1", "-Wno-lint", "-Wno-style"];
        arguments.extend(["--x-initial", "unique", "--x-assign", "unique", "-CFLAGS", "-O1"]);
        arguments.extend(["--top-module", "tb", "main.cpp", "tb.v"]);
        arguments.extend(files.iter().map(String::as_str));
        folder.run("verilator", &arguments);
    }
    folder.run(&binary.to_string_lossy(), &[&seed.to_string()]);
    folder.trace()
}
