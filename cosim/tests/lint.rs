//! The Verilog of every preset and of random machines passes `verilator --lint-only -Wall` and yosys'
//! `hierarchy -check; proc; check -assert` without a word.

use std::path::Path;
use std::process::Command;

use bitmosaic_arch::{Machine, elaborate, load, presets};
use bitmosaic_cosim::random::{self, Random};
use bitmosaic_cosim::random_array::array_design;
use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::emit::wrapper::{FEW_PINS, WRAPPER, few_pins, wrapper};
use bitmosaic_rtl::hardware::build;
use rayon::prelude::*;

fn silent(folder: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && text.is_empty(), "{program}: {}", String::from_utf8_lossy(&text));
}

fn lint_files(top: &str, files: &[(String, String)]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        assert!(!text.contains("latch"));
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    silent(folder.path(), "verilator", &[&["--lint-only", "-Wall", "--top-module", top][..], &names].concat());
    let script = format!(
        "read_verilog {}; hierarchy -check -top {top}; proc; check -assert; select -assert-none t:$dlatch t:$_DLATCH*",
        names.join(" ")
    );
    silent(folder.path(), "yosys", &["-q", "-p", &script]);
}

fn lint(machine: &Machine) {
    let units = build(machine).unwrap();
    for design in units.designs() {
        lint_files(&design.top().name, &verilog_files(design));
    }
    if let Some(design) = &units.array {
        let mut files = verilog_files(design);
        files.push((format!("{WRAPPER}.v"), wrapper(design)));
        lint_files(WRAPPER, &files);
        files.push((format!("{FEW_PINS}.v"), few_pins(design)));
        lint_files(FEW_PINS, &files);
    }
}

#[test]
fn presets_are_lint_free() {
    presets().par_iter().for_each(|preset| lint(&load(preset.name).unwrap()));
}

#[test]
fn random_machines_are_lint_free() {
    (0..40u64).into_par_iter().for_each(|seed| lint(&random::machine(&mut Random::new(seed), 16).unwrap()));
}

#[test]
fn random_whole_machines_are_lint_free() {
    (0..12u64)
        .into_par_iter()
        .for_each(|seed| lint(&elaborate(&array_design(&mut Random::new(seed)), "random").unwrap()));
}
