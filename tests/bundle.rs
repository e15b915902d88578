//! The bundle of a whole machine runs as its page says: `make icarus`, `make verilator`, `make cocotb` (cocotb and cocotbext-axi
//! must be on the path, `scripts/test` sees to it), and fails when an expected value is another.

use std::path::Path;
use std::process::{Command, Output};

fn bundle(design: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut rtl = Command::new(env!("CARGO_BIN_EXE_bitmosaic"));
    rtl.args(["rtl", "--design", design, "-o", "."]).current_dir(folder.path());
    succeeded(&rtl.output().unwrap());
    folder
}

fn make(folder: &Path, target: &str) -> Output {
    Command::new("make").arg(target).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", text(output));
}

#[test]
fn vectors_hold_in_icarus_and_verilator() {
    for (design, target) in [("mosaic-small", "icarus"), ("bitmod-small", "icarus"), ("mosaic-ecp5", "verilator")] {
        let folder = bundle(design);
        succeeded(&make(folder.path(), target));
    }
}

#[test]
fn cocotb_finds_the_expected_memory_and_a_wrong_one() {
    let folder = bundle("mosaic-ecp5");
    let output = make(folder.path(), "cocotb");
    succeeded(&output);
    assert!(text(&output).contains("PASS=3"), "{}", text(&output));
    // One digit of the first beat written is another.
    let path = folder.path().join("vectors/expected.txt");
    let expected = std::fs::read_to_string(&path).unwrap();
    let line = expected.lines().find(|line| line.starts_with("w ")).unwrap();
    let [kind, cycle, data, strobes, last] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let other = if data.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{kind} {cycle} {}{other} {strobes} {last}", &data[..data.len() - 1]);
    std::fs::write(&path, expected.replacen(line, &wrong, 1)).unwrap();
    let output = make(folder.path(), "cocotb");
    assert!(!output.status.success() && text(&output).contains("FAIL=2"), "{}", text(&output));
}
