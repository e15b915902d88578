//! The Verilog of every preset and of random machines passes `verilator --lint-only -Wall` and yosys'
//! `hierarchy -check; proc; check -assert` without a word.

use std::path::Path;
use std::process::Command;

use bitmosaic_arch::{Machine, load, presets};
use bitmosaic_cosim::random::{self, Random};
use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::hardware::build;

fn silent(folder: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && text.is_empty(), "{program}: {}", String::from_utf8_lossy(&text));
}

fn lint(machine: &Machine) {
    let units = build(machine).unwrap();
    for design in units.designs() {
        let folder = tempfile::tempdir().unwrap();
        let mut names = Vec::new();
        for (name, text) in verilog_files(design) {
            assert!(!text.contains("latch"));
            std::fs::write(folder.path().join(&name), text).unwrap();
            names.push(name);
        }
        let top = &design.top().name;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        silent(folder.path(), "verilator", &[&["--lint-only", "-Wall", "--top-module", top][..], &names].concat());
        let script = format!(
            "read_verilog {}; hierarchy -check -top {top}; proc; check -assert; select -assert-none t:$dlatch t:$_DLATCH*",
            names.join(" ")
        );
        silent(folder.path(), "yosys", &["-q", "-p", &script]);
    }
}

#[test]
fn presets_are_lint_free() {
    for preset in presets() {
        lint(&load(preset.name).unwrap());
    }
}

#[test]
fn random_machines_are_lint_free() {
    for seed in 0..40 {
        lint(&random::machine(&mut Random::new(seed), 16).unwrap());
    }
}
