//! The command line as a user meets it: documents, exit codes, error texts.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bitmosaic(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bitmosaic")).args(arguments).current_dir(folder).output().unwrap()
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = bitmosaic(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn schema(folder: &Path, arguments: &[&str]) -> String {
    json(folder, arguments);
    String::from_utf8(bitmosaic(folder, arguments).stdout).unwrap()
}

/// Runs a command that must fail with this code, names all of `words` on standard error and print nothing else.
#[track_caller]
fn refused(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let output = bitmosaic(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert!(!error.contains("panicked"), "{error}");
    for word in words {
        assert!(error.contains(word), "{arguments:?} should name `{word}`:\n{error}");
    }
}

#[test]
fn the_main_job_verifies_and_reports() {
    let folder = tempfile::tempdir().unwrap();
    let output = bitmosaic(folder.path(), &[]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut last = text.lines().rev();
    assert_eq!(last.next(), Some("report: bitmosaic-report/index.html"));
    assert_eq!(last.next(), Some("bits differ: 0, cycles differ: 0"));
    let page = std::fs::read_to_string(folder.path().join("bitmosaic-report/index.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("mosaic-tile"));

    let document = json(folder.path(), &["run", "--json"]);
    assert_eq!(document["cosim"]["outputs"], 16 * 256);
    assert_eq!(document["cosim"]["mismatched_bits"], 0);
    assert_eq!(document["cosim"]["cycles"]["simulator"], document["cosim"]["cycles"]["netlist"]);
    // Closed form: 64 passes of 8 groups of 32 steps; load 1, accept 1, pipeline 1, slots 32, output latency 6.
    assert_eq!(document["simulate"]["cycles"], 64 * 8 * 32 + 1 + 1 + 1 + 32 + 6);
    let mean = |name: &str| document["error"][name]["mean_relative"].as_f64().unwrap();
    assert!(mean("datapath") < mean("fp16_yardstick"));
    let file = std::fs::read_to_string(folder.path().join("bitmosaic-report/result.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap(), document);
}

#[test]
fn two_runs_give_the_same_bytes() {
    let files = || {
        let folder = tempfile::tempdir().unwrap();
        let output = bitmosaic(folder.path(), &["run", "--json"]).stdout;
        let read = |name: &str| std::fs::read(folder.path().join("bitmosaic-report").join(name)).unwrap();
        (output, read("index.html"), read("layers.csv"))
    };
    assert!(files() == files());
}

#[test]
fn simulate_is_the_same_on_every_engine() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = |engine: &str, stalls: &str| {
        let arguments = [
            "simulate",
            "--design",
            "mosaic-tiny",
            "--matmul",
            "5x70x3",
            "--type",
            "int4",
            "--group",
            "32",
            "--engine",
            engine,
            "--input-stalls",
            stalls,
            "--output-stalls",
            stalls,
            "--json",
        ];
        json(folder.path(), &arguments)
    };
    for stalls in ["0", "150"] {
        let cycle = simulate("cycle", stalls);
        for engine in ["step", "netlist"] {
            let other = simulate(engine, stalls);
            assert_eq!(cycle["layers"], other["layers"], "{engine}, stalls {stalls}");
        }
        let layer = &cycle["layers"][0];
        let number = |v: &Value| v.as_u64().unwrap();
        let stalls: u64 = layer["stalls"].as_object().unwrap().values().map(number).sum();
        assert_eq!(number(&layer["cycles"]), number(&layer["compute_cycles"]) + stalls);
        assert!(cycle["utilization"].as_f64().unwrap() <= 1.0);
    }
}

#[test]
fn lists_and_schemas_are_documents() {
    let folder = tempfile::tempdir().unwrap();
    for what in ["designs", "types", "pe", "engines", "activations"] {
        let list = json(folder.path(), &["list", what, "--json"]);
        assert!(
            list.as_array().is_some_and(|l| !l.is_empty() && l[0]["name"].is_string() && l[0]["summary"].is_string())
        );
    }
    for command in ["run", "quantize", "simulate", "cosim", "rtl", "list"] {
        insta::assert_snapshot!(format!("schema_{command}"), schema(folder.path(), &["schema", "result", command]));
    }
    insta::assert_snapshot!("schema_design", schema(folder.path(), &["schema", "design"]));
    for shell in ["bash", "zsh", "fish"] {
        assert!(bitmosaic(folder.path(), &["completions", shell]).stdout.len() > 1000);
    }
}

#[test]
fn rtl_writes_every_file_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let document = json(folder.path(), &["rtl", "--design", "mosaic-tiny", "-o", "out", "--json"]);
    let files = document["files"].as_array().unwrap();
    assert!(files.iter().all(|f| folder.path().join("out").join(f.as_str().unwrap()).is_file()));
    let pe = document["modules"].as_array().unwrap().iter().find(|m| m["name"] == "block_pe").unwrap().clone();
    assert_eq!(pe["instances"], 4);
    assert_eq!(pe["flip_flops"], 2 * 26);
    let page = std::fs::read_to_string(folder.path().join("out/README.md")).unwrap();
    assert!(
        page.starts_with("# Design mosaic-tiny\n")
            && page.contains(document["provenance"]["design_sha256"].as_str().unwrap())
    );
    assert_eq!(files.iter().any(|f| f == "rust_hdl.rs"), cfg!(feature = "rust-hdl"));
    if cfg!(feature = "rust-hdl") {
        let ports = std::fs::read_to_string(folder.path().join("out/rust_hdl.rs")).unwrap();
        assert!(ports.contains("pub struct TilePorts {") && ports.contains("pub struct AlignerPorts {"));
    }
}

#[test]
fn simulate_writes_waveforms_of_the_netlist() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = ["simulate", "--design", "mosaic-tiny", "--matmul", "2x64x4", "--group", "32", "--engine"];
    let with = |more: &[&'static str]| [&simulate[..], more].concat();
    let plain = json(folder.path(), &with(&["netlist", "--json"]));
    assert_eq!(json(folder.path(), &with(&["netlist", "--vcd", "w.vcd", "--json"])), plain);
    let cycles = plain["cycles"].as_u64().unwrap();
    let times = |name: &str| -> Vec<u64> {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(text.starts_with("$timescale 1 ps $end") && text.contains("$scope module u_pe_1_1 $end"));
        text.lines().filter_map(|line| line.strip_prefix('#')?.parse().ok()).collect()
    };
    // 1 GHz: a rising edge every 1000 ps.
    assert_eq!(times("w.vcd").last(), Some(&(cycles * 1000)));
    json(folder.path(), &with(&["netlist", "--vcd", "part.vcd", "--vcd-cycles", "10..13", "--json"]));
    assert_eq!(times("part.vcd"), [10_000, 10_500, 11_000, 11_500, 12_000, 12_500, 13_000]);

    let only = "only `--engine netlist` writes a waveform";
    refused(folder.path(), &with(&["cycle", "--vcd", "x.vcd"]), 2, &["--vcd", "`--engine cycle` has no nets", only]);
    refused(folder.path(), &with(&["step", "--vcd", "x.vcd"]), 2, &["--vcd", only]);
    refused(folder.path(), &with(&["netlist", "--vcd-cycles", "1..2"]), 2, &["--vcd"]);
    refused(folder.path(), &with(&["netlist", "--vcd", "x.vcd", "--vcd-cycles", "2..2"]), 2, &["2..2", "100..200"]);
    let late = with(&["netlist", "--vcd", "x.vcd", "--vcd-cycles", "900000..900001"]);
    refused(folder.path(), &late, 2, &["--vcd-cycles", "900000..900001", "would be empty"]);
    refused(folder.path(), &with(&["netlist", "--vcd", "absent/x.vcd"]), 2, &["absent/x.vcd"]);
    let long =
        ["simulate", "--design", "mosaic-tiny", "--matmul", "64x2048x256", "--engine", "netlist", "--vcd", "x.vcd"];
    refused(folder.path(), &long, 2, &["--vcd", "at most 750000 cycles", "--vcd-cycles FIRST..END"]);
    assert!(!folder.path().join("x.vcd").exists());
}

#[test]
fn bad_designs_are_refused_with_field_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = include_str!("../arch/designs/mosaic-tiny.toml");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("key.toml", &tiny.replace("[tile]", "[tile]\ndepth = 1"));
    write("zero.toml", &tiny.replace("lanes = 4", "lanes = 0"));
    write("group.toml", &tiny.replace("max_group = 128", "max_group = 126"));
    write("broken.toml", "name = ");
    write("bytes.toml", "\u{0}\u{1}");
    write("huge.toml", &tiny.replace("rows = 2", "rows = 99999999999999999999"));
    let rtl = |name: &'static str| ["rtl", "--design", name, "-o", "out"];
    refused(folder.path(), &rtl("key.toml"), 2, &["key.toml", "line 7", "depth"]);
    refused(folder.path(), &rtl("zero.toml"), 2, &["zero.toml", "processing_element.lanes", "is 0", "1 to 16"]);
    refused(folder.path(), &rtl("group.toml"), 2, &["group.toml", "weights.max_group", "multiple of the 4 lanes"]);
    refused(folder.path(), &rtl("broken.toml"), 2, &["broken.toml", "line 1"]);
    refused(folder.path(), &rtl("bytes.toml"), 2, &["bytes.toml"]);
    refused(folder.path(), &rtl("huge.toml"), 2, &["huge.toml", "rows"]);
    refused(folder.path(), &rtl("absent.toml"), 2, &["absent.toml", "presets: mosaic-tile, mosaic-tiny"]);
    assert!(!folder.path().join("out").exists());
}

#[test]
fn bad_options_are_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = |shape: &'static str, weight_type: &'static str, group: &'static str| {
        ["simulate", "--design", "mosaic-tile", "--matmul", shape, "--type", weight_type, "--group", group]
    };
    refused(folder.path(), &simulate("16x1024", "int4", "128"), 2, &["--matmul", "16x1024", "for example"]);
    refused(folder.path(), &simulate("0x1x1", "int4", "128"), 2, &["tokens is 0"]);
    refused(folder.path(), &simulate("1x99999999x1", "int4", "128"), 2, &["input channels", "1 to 1048575"]);
    refused(folder.path(), &simulate("1x64x1", "int4", "12"), 2, &["group is 12", "multiple of its 8 lanes"]);
    refused(folder.path(), &simulate("1x64x1", "int4", "0"), 2, &["group is 0"]);
    refused(folder.path(), &simulate("1x64x1", "fp99", "128"), 2, &["fp99", "known types: bitmod-fp4"]);
    refused(
        folder.path(),
        &["cosim", "--design", "mosaic-tiny", "--engines", "modelsim"],
        2,
        &["modelsim", "one of simulator"],
    );
    refused(folder.path(), &["cosim", "--replay", "none.json"], 2, &["none.json"]);
    refused(folder.path(), &["cosim"], 2, &["--design"]);
    refused(folder.path(), &["list", "unicorns"], 2, &["unicorns", "designs"]);
    std::fs::write(folder.path().join("replay.json"), "{\"version\": 1").unwrap();
    refused(folder.path(), &["cosim", "--replay", "replay.json"], 2, &["replay.json", "line 1"]);
    let estimate = ["simulate", "--design", "mosaic-tiny", "--matmul", "64x4096x4096", "--engine", "netlist"];
    refused(folder.path(), &estimate, 2, &["--engine", "cycles", "at most"]);
}

#[test]
fn an_unsupported_type_of_a_design_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let text = include_str!("../arch/designs/mosaic-tiny.toml").replace("\"bitmod-fp4\", ", "");
    std::fs::write(folder.path().join("int4.toml"), text).unwrap();
    let arguments = ["simulate", "--design", "int4.toml", "--matmul", "1x64x1", "--type", "bitmod-fp4"];
    refused(folder.path(), &arguments, 2, &["no term table for `bitmod-fp4`", "executes int4", "weights.types"]);
}

#[test]
fn bad_checkpoints_are_refused_with_file_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, header: &str, data: &[u8]| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        std::fs::write(folder.path().join(name), bytes).unwrap();
    };
    let tensor = r#"{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    write("short.safetensors", tensor, &[0; 15]);
    write("nan.safetensors", tensor, &[[0u8; 4], [0, 0, 0xC0, 0x7F], [0; 4], [0; 4]].concat());
    write("type.safetensors", &tensor.replace("F32", "I32"), &[0; 16]);
    let two = r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2,2],"data_offsets":[8,24]}}"#;
    write("overlap.safetensors", two, &[0; 24]);
    std::fs::write(folder.path().join("huge.safetensors"), (1u64 << 60).to_le_bytes()).unwrap();
    let quantize = |name: &'static str| ["quantize", name, "--group", "32"];
    refused(folder.path(), &quantize("short.safetensors"), 2, &["short.safetensors"]);
    refused(folder.path(), &quantize("nan.safetensors"), 2, &["nan.safetensors", "row 0, column 1", "NaN"]);
    refused(folder.path(), &quantize("type.safetensors"), 2, &["type.safetensors", "I32", "supported are"]);
    refused(folder.path(), &quantize("overlap.safetensors"), 2, &["overlap.safetensors"]);
    refused(folder.path(), &quantize("huge.safetensors"), 2, &["huge.safetensors"]);
    refused(folder.path(), &quantize("absent.safetensors"), 2, &["absent.safetensors"]);
    write("good.safetensors", tensor, &[0, 0, 128, 63].repeat(4));
    refused(folder.path(), &["quantize", "good.safetensors", "--tensor", "x*"], 2, &["--tensor", "x*", "w"]);
    refused(folder.path(), &["quantize", "good.safetensors", "--group", "0"], 2, &["group"]);
    let trace = ["quantize", "good.safetensors", "--scale", "fp16", "-o", "t"];
    refused(folder.path(), &trace, 2, &["no machine executes FP16 group scales"]);
}

#[test]
fn a_quantized_checkpoint_runs_on_simulator_and_netlist() {
    let folder = tempfile::tempdir().unwrap();
    let values: Vec<u8> = (0..6 * 40).flat_map(|i| (((i * 37 % 101) as f32 - 50.0) / 64.0).to_le_bytes()).collect();
    let header = r#"{"layer.weight":{"dtype":"F32","shape":[6,40],"data_offsets":[0,960]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(&values);
    std::fs::write(folder.path().join("m.safetensors"), bytes).unwrap();
    let quantize =
        ["quantize", "m.safetensors", "--type", "int4", "--group", "16", "-o", "trace", "--tokens", "5", "--json"];
    let document = json(folder.path(), &quantize);
    assert_eq!(document["tensors"][0]["shape"], serde_json::json!([6, 40]));
    assert!(document["tensors"][0]["relative_mse"].as_f64().unwrap() < 0.02);
    let cosim =
        ["cosim", "--design", "mosaic-tiny", "--trace", "trace", "--engines", "simulator,step,netlist", "--json"];
    let document = json(folder.path(), &cosim);
    assert_eq!(document["outputs"], 30);
    assert_eq!(document["mismatched_bits"], 0);
    assert_eq!(document["cycles"]["icarus"], Value::Null);
    let part = [&cosim[..], &["--output-channels", "2", "--tokens", "3"]].concat();
    assert_eq!(json(folder.path(), &part)["outputs"], 6);
}

#[test]
fn a_missing_tool_is_named_with_its_package() {
    let folder = tempfile::tempdir().unwrap();
    for engine in ["verilator", "icarus"] {
        let output = Command::new(env!("CARGO_BIN_EXE_bitmosaic"))
            .args(["cosim", "--design", "mosaic-tiny", "--engines", engine])
            .current_dir(folder.path())
            .env("PATH", folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let package = if engine == "icarus" { "iverilog" } else { "verilator" };
        assert!(error.contains(&format!("Debian package `{package}`")), "{error}");
    }
}
