//! What goes with the Verilog of a whole machine: constraints, scripts of FPGA flows, testbench, vectors, a cocotb test. All
//! of it is text made from the machine and its netlist; the scripts stand as templates in `rtl/src/emit/bundle`.

use std::fmt::Write as _;

use bitmosaic_arch::{Array, Machine};

use super::array_readme::array_readme;
use super::array_testbench::{array_testbench, hierarchy};
use super::testbench::{ICARUS_TOP, VERILATOR_MAIN};
use super::verilog_files;
use super::wrapper::{FEW_PINS, WRAPPER, few_pins, wrapper};
use crate::hardware::Units;
use crate::hardware::array::{CONTROL_BYTES, control_registers, counters};

/// Clock of the constraints in MHz where the design's own is faster: that one is an ASIC's.
const FPGA_CLOCK_MHZ: u32 = 100;

/// A program for the testbench, and what the machine does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vectors {
    /// Memory before the run, a beat a line, for `$readmemh`.
    pub memory: String,
    /// Beats of it.
    pub memory_beats: u64,
    /// Commands of the program at address 0.
    pub commands: u32,
    /// Trace of the run, as the testbench writes it.
    pub trace: String,
    /// Plusargs of the run.
    pub plusargs: Vec<String>,
    /// What the program computes, a sentence.
    pub summary: String,
    /// Cycles of the run.
    pub cycles: u64,
}

/// Clock of the constraints in MHz.
pub(super) fn constraint_mhz(machine: &Machine) -> u32 {
    machine.clock_mhz.min(FPGA_CLOCK_MHZ)
}

/// Files of the bundle as name and text: `rtl/*.v` first, then what goes with them; nothing for a design that is a tile alone.
pub fn array_bundle(machine: &Machine, units: &Units, vectors: &Vectors) -> Vec<(String, String)> {
    let (Some(array), Some(design)) = (&machine.array, &units.array) else { return Vec::new() };
    let mut files: Vec<(String, String)> =
        verilog_files(design).into_iter().map(|(name, text)| (format!("rtl/{name}"), text)).collect();
    files.push((format!("rtl/{WRAPPER}.v"), wrapper(design)));
    let sources: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    let room = vectors.memory_beats.next_power_of_two();
    let fill = |template: &str| fill(template, machine, array, vectors);
    let hierarchy = hierarchy(array, units);
    let blocks = if hierarchy.is_some() { "--hierarchical sim/hierarchy.vlt " } else { "" };
    let own = [
        ("files.f", sources.iter().map(|name| format!("{name}\n")).collect()),
        ("README.md", array_readme(machine, array, design, vectors)),
        ("Makefile", fill(include_str!("bundle/Makefile")).replace("@BLOCKS@", blocks)),
        ("bitmosaic.core", fusesoc(machine, &sources, vectors)),
        ("bitmosaic.xdc", xdc(machine)),
        ("bitmosaic.lpf", format!("FREQUENCY PORT \"aclk\" {} MHZ;\n", constraint_mhz(machine))),
        ("build.tcl", fill(include_str!("bundle/build.tcl"))),
        ("package_ip.tcl", fill(include_str!("bundle/package_ip.tcl")).replace("@REGISTERS@", &tcl_registers())),
        ("ecp5/few_pins.v", few_pins(design)),
        ("sim/testbench.v", array_testbench(array, room)),
        ("sim/icarus_top.v", ICARUS_TOP.to_string()),
        ("sim/main.cpp", VERILATOR_MAIN.to_string()),
        ("vectors/memory.hex", vectors.memory.clone()),
        ("vectors/expected.txt", vectors.trace.clone()),
        ("cocotb/Makefile", include_str!("bundle/cocotb.mk").to_string()),
        (
            "cocotb/test_bitmosaic.py",
            fill(include_str!("bundle/test_bitmosaic.py")).replace("@REGISTERS@", &python_registers()),
        ),
    ];
    files.extend(own.map(|(name, text)| (name.to_string(), text)));
    files.extend(hierarchy.map(|text| ("sim/hierarchy.vlt".to_string(), text)));
    files
}

fn fill(template: &str, machine: &Machine, array: &Array, vectors: &Vectors) -> String {
    let counters: Vec<String> = counters().into_iter().map(|(name, _)| format!("\"{name}\"")).collect();
    // Time for a memory far slower than the one of the trace.
    let timeout_us = vectors.cycles.div_ceil(5).max(100);
    template
        .replace("@DESIGN@", &machine.name)
        .replace("@IDENTIFIER@", &identifier(machine))
        .replace("@SUMMARY@", &machine.summary)
        .replace("@DESIGN_WORD@", &machine.design_sha256[..8])
        .replace("@PLUSARGS@", &vectors.plusargs.join(" "))
        .replace("@BEAT_BYTES@", &array.beat_bytes().to_string())
        .replace(
            "@MEMORY_BYTES@",
            &(vectors.memory_beats * u64::from(array.beat_bytes())).next_power_of_two().to_string(),
        )
        .replace("@COMMANDS@", &vectors.commands.to_string())
        .replace("@COUNTERS@", &format!("[\n    {},\n]", counters.join(",\n    ")))
        .replace("@CONTROL_BYTES@", &CONTROL_BYTES.to_string())
        .replace("@TIMEOUT_US@", &timeout_us.to_string())
}

/// The design's name as tools take it.
fn identifier(machine: &Machine) -> String {
    machine.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn tcl_registers() -> String {
    let line = |register: crate::hardware::array::ControlRegister| {
        format!("    0x{:02x} {} {{{}}}", register.address, register.name, register.doc)
    };
    control_registers().into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn python_registers() -> String {
    let line = |register: crate::hardware::array::ControlRegister| {
        format!("    \"{}\": 0x{:02X},", register.name, register.address)
    };
    control_registers().into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn xdc(machine: &Machine) -> String {
    let mhz = constraint_mhz(machine);
    format!(
        "# {mhz} MHz. Reset is synchronous; all ports are synchronous to aclk.\n\
         create_clock -name aclk -period {:.3} [get_ports aclk]\n",
        1e3 / f64::from(mhz)
    )
}

/// FuseSoC core description: lint, simulation, ECP5 and Vivado.
fn fusesoc(machine: &Machine, sources: &[String], vectors: &Vectors) -> String {
    let rtl: String = sources.iter().fold(String::new(), |mut text, name| {
        let _ = writeln!(text, "      - {name}");
        text
    });
    let plusargs: Vec<(&str, &str)> =
        vectors.plusargs.iter().filter_map(|plusarg| plusarg.trim_start_matches('+').split_once('=')).collect();
    let names: Vec<&str> = plusargs.iter().map(|(name, _)| *name).collect();
    let parameters = plusargs.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "  {name}: {{datatype: int, paramtype: plusarg, default: {value}}}");
        text
    });
    include_str!("bundle/fusesoc.core")
        .replace("@IDENTIFIER@", &identifier(machine))
        .replace("@SUMMARY@", &machine.summary)
        .replace("@SOURCES@\n", &rtl)
        .replace("@PLUSARG_NAMES@", &names.join(", "))
        .replace("@PARAMETERS@\n", &parameters)
        .replace("@FEW_PINS@", FEW_PINS)
}
