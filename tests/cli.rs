//! The command line as a user meets it: documents, exit codes, error texts.

mod common;

use std::path::Path;
use std::process::Command;

use bitmosaic_numerics::quantize_matrix::quantize_matrix;
use bitmosaic_numerics::{f16, weight_type};
use bitmosaic_workloads::trace::{Activations, LayerTrace, write_trace};
use common::{bitmosaic, json, refused};
use serde_json::Value;

fn schema(folder: &Path, arguments: &[&str]) -> String {
    json(folder, arguments);
    String::from_utf8(bitmosaic(folder, arguments).stdout).unwrap()
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
fn whole_machines_are_simulated_with_their_memory() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = |more: &[&'static str]| {
        let mut arguments = vec![
            "simulate",
            "--design",
            "mosaic-small",
            "--matmul",
            "9x70x21",
            "--type",
            "int4",
            "--group",
            "32",
            "--json",
        ];
        arguments.extend(more);
        arguments
    };
    let narrow = ["--memory-bytes-per-cycle", "3", "--memory-latency", "40"];
    let fast = json(folder.path(), &simulate(&[]));
    let slow = json(folder.path(), &simulate(&narrow));
    for engine in ["step", "netlist"] {
        let mut more = vec!["--engine", engine];
        more.extend(narrow);
        assert_eq!(json(folder.path(), &simulate(&more))["layers"], slow["layers"], "{engine}");
    }
    let number = |v: &Value| v.as_u64().unwrap();
    for document in [&fast, &slow] {
        let layer = &document["layers"][0];
        let stalls: u64 = layer["stalls"].as_object().unwrap().values().map(number).sum();
        let accounted = number(&layer["compute_cycles"]) + number(&layer["memory_cycles"]) + stalls;
        assert_eq!(number(&layer["cycles"]), accounted);
        let waits = &layer["memory_waits"];
        assert_eq!(number(&layer["memory_cycles"]), number(&waits["operands"]) + number(&waits["outputs"]));
        assert_eq!(number(&layer["bytes_written"]), 2 * 9 * 21);
    }
    assert!(number(&slow["cycles"]) > number(&fast["cycles"]) && number(&slow["layers"][0]["bytes_read"]) > 9 * 70 * 2);
    let memory = "ideal: latency 40 cycles, 3 bytes a cycle, 64 reads and writes each";
    assert_eq!(slow["provenance"]["memory"], memory);
    assert!(slow["provenance"]["mapping"].as_str().unwrap().contains("blocks"));
    refused(folder.path(), &simulate(&["--memory-bytes-per-cycle", "0"]), 2, &["bytes per cycle of the memory: 0"]);
    refused(folder.path(), &simulate(&["--input-stalls", "9"]), 2, &["--memory-latency"]);
    let tile = ["simulate", "--design", "mosaic-tiny", "--matmul", "1x64x1", "--group", "64", "--memory-latency", "9"];
    refused(folder.path(), &tile, 2, &["--memory-latency", "mosaic-tiny"]);
    let long = ["simulate", "--design", "mosaic-small", "--matmul", "512x1024x2048", "--engine", "netlist"];
    refused(folder.path(), &long, 2, &["netlist would run at least", "at most 2000000"]);
}

#[test]
fn whole_machines_are_cosimulated() {
    let folder = tempfile::tempdir().unwrap();
    let engines = ["cosim", "--design", "mosaic-small", "--engines", "simulator,step,netlist", "--json"];
    let document = json(folder.path(), &engines);
    assert_eq!((&document["mismatched_bits"], &document["mismatched_cycles"]), (&Value::from(0), &Value::from(0)));
    assert_eq!(document["cycles"]["simulator"], document["cycles"]["netlist"]);
    assert!(document["outputs"].as_u64().unwrap() > 2000 && document["replay"].is_null());
    assert_eq!(document["provenance"]["memory"], "ideal: fast memory, far memory, narrow memory, gated memory");
}

#[test]
fn machines_that_skip_bits_stand_beside_a_design() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let matrix = |dense: bool| {
        let weights: Vec<f16> = (0..64 * 96usize)
            .map(|i| f16::from_f32(if dense { (i * 37 % 255) as f32 - 127.0 } else { (i % 96 / 95 * 127) as f32 }))
            .collect();
        let weights = quantize_matrix(&weights, [64, 96], 32, &weight_type("int8").unwrap()).unwrap();
        let values = vec![f16::ONE; 3 * 96];
        LayerTrace {
            name: format!("dense {dense}"),
            weights,
            activations: Activations { tokens: 3, input_channels: 96, values },
        }
    };
    write_trace(&trace, &[matrix(true), matrix(false)]).unwrap();
    let document = json(folder.path(), &["peers", "--trace", "trace", "--design", "mosaic", "--json"]);
    let steps = |layer: usize, peer: usize| document["layers"][layer]["peers"][peer]["steps"].as_u64().unwrap();
    // 2 blocks of 32 output channels, 12 chunks of 8 lanes; 4 terms here, 8 bits in Stripes.
    assert_eq!(document["layers"][0]["design_steps"], 2 * 12 * 4);
    assert_eq!((steps(0, 0), steps(1, 0)), (2 * 12 * 8, 2 * 12 * 8));
    assert!((1..3).all(|peer| steps(1, peer) < steps(0, peer)), "{document}");
    refused(folder.path(), &["peers", "--trace", "none"], 2, &["none"]);
}

#[test]
fn mappings_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let product = ["mapping", "explain", "--design", "mosaic", "--matmul", "256x11008x4096", "--memory", "ddr4-3200"];
    let with = |more: &[&str]| json(folder.path(), &[&product[..], more, &["--json"]].concat());
    let best = with(&[]);
    let count = |value: &serde_json::Value| value.as_u64().unwrap();
    assert_eq!(best["chosen"]["dataflow"], "output-stationary");
    assert_eq!(count(&best["macs"]), 256 * 11008 * 4096);
    // 1,024 PEs of 8 lanes, two terms.
    assert_eq!(count(&best["compute_cycles"]), 256 * 11008 * 4096 * 2 / 8192);
    for bound in ["compute_cycles", "memory_cycles", "load_cycles"] {
        assert!(count(&best["cycles"]) > count(&best[bound]), "{bound}");
    }
    let shapes = best["shapes"].as_array().unwrap();
    assert_eq!(
        shapes.iter().map(|shape| count(&shape["across"])).collect::<Vec<_>>(),
        [16, 8, 4, 2],
        "8 columns are narrower than the port"
    );
    for shape in shapes {
        assert_eq!(count(&shape["rows"]) * count(&shape["columns"]), 1024);
        // 256 tokens and 4,096 output channels fill every arrangement.
        assert_eq!(shape["compute_cycles"], best["compute_cycles"]);
    }
    for name in ["compute_cycles", "load_cycles", "memory_cycles", "cycles"] {
        assert_eq!(shapes[2][name], best[name], "its own arrangement is among them");
    }
    let decode = ["mapping", "explain", "--design", "bitmod", "--matmul", "1x4096x4096", "--json"];
    let decode = json(folder.path(), &decode);
    let steps = decode["shapes"].as_array().unwrap().iter().map(|shape| count(&shape["compute_cycles"]));
    // Loads do not keep stores waiting: the memory's bytes bind, nothing else.
    assert!(count(&decode["cycles"]) < count(&decode["memory_cycles"]) * 102 / 100, "{}", decode["cycles"]);
    // One token has one row of PEs to itself: twice the columns are half the steps.
    assert!(steps.collect::<Vec<_>>().windows(2).all(|pair| pair[1] == 2 * pair[0]));
    std::fs::write(
        folder.path().join("one.toml"),
        "name = \"one\"\nsummary = \"\"\nrow_blocks = 1\ncolumn_blocks = 1\n",
    )
    .unwrap();
    let one = with(&["--mapping", "one.toml"]);
    assert_eq!(one["provenance"]["mapping"], "one");
    assert!(count(&one["cycles"]) > 2 * count(&best["cycles"]), "one block a command loads everything for it");
    let simulated = |mapping: &str| {
        let arguments =
            ["simulate", "--design", "mosaic-small", "--matmul", "8x256x16", "--mapping", mapping, "--json"];
        json(folder.path(), &arguments)
    };
    let weights = simulated("weight-stationary");
    assert!(weights["provenance"]["mapping"].as_str().unwrap().starts_with("weight-stationary, "));
    assert!(count(&weights["layers"][0]["bytes_read"]) >= count(&simulated("best")["layers"][0]["bytes_read"]));
    let text = String::from_utf8(bitmosaic(folder.path(), &product).stdout).unwrap();
    assert!(text.contains("without a larger") && text.contains("bound by "), "{text}");

    let whole = [&product[..], &["--mapping", "weight-stationary"]].concat();
    refused(folder.path(), &whole, 2, &["86 groups", "raise `buffers.weight_chunks`"]);
    refused(folder.path(), &[&product[..], &["--mapping", "other"]].concat(), 2, &["other", "input-stationary"]);
    let huge = ["program", "show", "--design", "mosaic", "--matmul", "1048575x14336x128256"];
    refused(folder.path(), &huge, 2, &["commands of the program", "at most 4194304"]);
}

#[test]
fn programs_are_shown_and_assembled() {
    let folder = tempfile::tempdir().unwrap();
    let product = ["program", "show", "--design", "mosaic-small", "--matmul", "9x70x21", "--group", "32"];
    let shown = bitmosaic(folder.path(), &[&product[..], &["--output", "p.bin"]].concat());
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.starts_with("load_weights type=0 group=32") && text.ends_with("end\n"), "{text}");
    std::fs::write(folder.path().join("p.txt"), &text).unwrap();
    let again = bitmosaic(folder.path(), &["program", "show", "p.bin", "--design", "mosaic-small"]);
    assert_eq!(String::from_utf8(again.stdout).unwrap(), text);
    let assembled = ["program", "assemble", "p.txt", "--design", "mosaic-small", "--output", "q.bin"];
    assert!(bitmosaic(folder.path(), &assembled).status.success());
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("p.bin"), read("q.bin"));
    let document = json(folder.path(), &["program", "show", "p.bin", "--json"]);
    assert_eq!(document["commands"].as_array().unwrap().len(), text.lines().count());

    std::fs::write(folder.path().join("p.txt"), text.replacen("terms=2", "terms=3", 1)).unwrap();
    refused(folder.path(), &assembled, 2, &["p.txt", "command 3", "terms=3"]);
    std::fs::write(folder.path().join("p.txt"), text.replacen("k=70", "k=x", 1)).unwrap();
    refused(folder.path(), &assembled, 2, &["p.txt", "line 1", "k=x"]);
    std::fs::write(folder.path().join("p.bin"), &read("q.bin")[..33]).unwrap();
    refused(folder.path(), &["program", "show", "p.bin"], 2, &["p.bin", "byte 32"]);
    refused(folder.path(), &["program", "show", "none.bin"], 2, &["none.bin"]);
    refused(folder.path(), &["program", "show"], 2, &["--design"]);
    let tile = ["program", "show", "--design", "mosaic-tiny", "--matmul", "9x70x21", "--group", "32"];
    refused(folder.path(), &tile, 2, &["mosaic-tiny", "array"]);
}

#[test]
fn lists_and_schemas_are_documents() {
    let folder = tempfile::tempdir().unwrap();
    for what in ["designs", "types", "pe", "engines", "activations", "sweeps"] {
        let list = json(folder.path(), &["list", what, "--json"]);
        assert!(
            list.as_array().is_some_and(|l| !l.is_empty() && l[0]["name"].is_string() && l[0]["summary"].is_string())
        );
    }
    for command in
        ["run", "quantize", "simulate", "cosim", "compare", "sweep", "pareto", "mapping", "program", "rtl", "list"]
    {
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
fn rtl_of_a_whole_machine_is_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let document = json(folder.path(), &["rtl", "--design", "mosaic-ecp5", "-o", "out", "--json"]);
    let files: Vec<&str> = document["files"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    let read = |name: &str| std::fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    assert!(files.iter().all(|file| !read(file).is_empty()));
    for name in ["README.md", "tile.md", "bitmosaic.core", "build.tcl", "package_ip.tcl", "Makefile", "rtl/bitmosaic.v"]
    {
        assert!(files.contains(&name), "{name}");
    }
    let modules = document["modules"].as_array().unwrap();
    assert_eq!(modules.last().unwrap()["name"], "accelerator");
    assert_eq!(modules.iter().find(|m| m["name"] == "block_pe").unwrap()["instances"], 16);
    // The design's clock is below the bound of the constraints.
    assert!(read("bitmosaic.lpf").contains("FREQUENCY PORT \"aclk\" 60 MHZ;"));
    assert!(read("bitmosaic.xdc").contains("-period 16.667 "));
    assert!(read("vectors/expected.txt").ends_with("e 2\ndone\n"));
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
    // A whole machine from the edge that takes the start to the one that sets `done`.
    let whole = ["simulate", "--design", "mosaic-small", "--matmul", "3x64x9", "--engine", "netlist", "--json"];
    let document = json(folder.path(), &[&whole[..], &["--vcd", "all.vcd"]].concat());
    assert_eq!(document, json(folder.path(), &whole));
    let cycles = document["cycles"].as_u64().unwrap();
    assert_eq!(times("all.vcd").last(), Some(&(cycles * 1000)));
    let text = std::fs::read_to_string(folder.path().join("all.vcd")).unwrap();
    assert!(text.contains("$scope module u_tile_1_1 $end"), "tiles are scopes");
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
    refused(folder.path(), &simulate("1x64x1", "int4", "12"), 2, &["group is 12", "multiple of 8 input channels"]);
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
    let scales = ["quantize", "good.safetensors", "--type", "mx-fp4", "--scale", "fp16"];
    refused(folder.path(), &scales, 2, &["group scales of `mx-fp4`", "e8m0"]);
}

/// Zero points and every kind of group scale, from a checkpoint to the engines.
#[test]
fn zero_points_and_kinds_of_scale_run_on_a_machine_that_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"w":{"dtype":"F32","shape":[6,64],"data_offsets":[0,1536]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend((0..6 * 64).flat_map(|i| (((i * 37) % 101) as f32 / 90.0 - 0.4).to_le_bytes()));
    std::fs::write(folder.path().join("m.safetensors"), bytes).unwrap();
    for (weight_type, scale) in [("int4-asym", "own"), ("int4-asym", "fp16"), ("mx-fp4", "own"), ("nvfp4", "own")] {
        let trace = format!("{weight_type}-{scale}");
        let quantize = ["quantize", "m.safetensors", "--type", weight_type, "--scale", scale, "--group", "32"];
        let quantized = json(folder.path(), &[&quantize[..], &["--tokens", "3", "-o", &trace, "--json"]].concat());
        assert!(quantized["tensors"][0]["relative_mse"].as_f64().unwrap() < 0.02, "{quantized}");
        let cosim = |design: &'static str| {
            ["cosim", "--design", design, "--trace", &trace, "--engines", "simulator,step,netlist", "--json"]
        };
        let result = json(folder.path(), &cosim("mosaic-types"));
        assert_eq!((&result["mismatched_bits"], &result["mismatched_cycles"]), (&0.into(), &0.into()), "{result}");
        // A machine without them says so.
        refused(folder.path(), &cosim("mosaic-tile"), 2, &["mosaic-tile", "weights.types"]);
    }
    for weight_type in ["olive4", "flint4", "fp8-e5m2"] {
        let quantize =
            ["quantize", "m.safetensors", "--type", weight_type, "--group", "32", "-o", weight_type, "--json"];
        let quantized = json(folder.path(), &quantize);
        assert!(quantized["tensors"][0]["relative_mse"].as_f64().unwrap() < 0.03, "{quantized}");
    }
    // Measured and written; refused with the reason by a machine without the type, `fp8-e5m2` by every machine.
    for (weight_type, reason) in [("olive4", "weights.types"), ("fp8-e5m2", "digit planes")] {
        let cosim = ["cosim", "--design", "mosaic-types", "--trace", weight_type, "--engines", "simulator"];
        refused(folder.path(), &cosim, 2, &["mosaic-types", weight_type, reason]);
    }
    for (design, weight_type) in [("olive-tile", "olive4"), ("ant-tile", "flint4")] {
        let cosim = ["cosim", "--design", design, "--trace", weight_type, "--engines", "step,netlist", "--json"];
        let result = json(folder.path(), &cosim);
        assert_eq!((&result["mismatched_bits"], &result["mismatched_cycles"]), (&0.into(), &0.into()), "{result}");
    }
    let trace =
        ["quantize", "m.safetensors", "--type", "int4", "--scale", "fp16", "--group", "32", "-o", "t", "--json"];
    json(folder.path(), &trace);
    let cosim = ["cosim", "--design", "mosaic-tile", "--trace", "t", "--engines", "simulator,netlist"];
    refused(folder.path(), &cosim, 2, &["kind of group scale", "fp16", "weights.scales"]);
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

/// A BERT-like checkpoint of 5 words, 4 positions and 24 hidden channels with the tensors that real activations need, and
/// one more matrix. Value `i` of the file is `((37 i) mod 101 - 50) / 64`.
fn write_bert(path: &Path, without: &str) -> Vec<(&'static str, Vec<f64>)> {
    write_bert_with_query(path, without, 24)
}

/// Its first query matrix has `width` input channels.
fn write_bert_with_query(path: &Path, without: &str, width: usize) -> Vec<(&'static str, Vec<f64>)> {
    let tensors = [
        ("embeddings.word_embeddings.weight", vec![5, 24]),
        ("embeddings.position_embeddings.weight", vec![4, 24]),
        ("embeddings.token_type_embeddings.weight", vec![2, 24]),
        ("embeddings.LayerNorm.weight", vec![24]),
        ("embeddings.LayerNorm.bias", vec![24]),
        ("encoder.layer.0.attention.self.query.weight", vec![6, width]),
        ("encoder.layer.0.attention.self.key.weight", vec![6, 24]),
        ("encoder.layer.0.attention.self.value.weight", vec![7, 24]),
        ("encoder.layer.1.attention.self.query.weight", vec![6, 24]),
    ];
    let (mut fields, mut data, mut values) = (Vec::new(), Vec::<f32>::new(), Vec::new());
    for (name, shape) in tensors.into_iter().filter(|(name, _)| *name != without) {
        let begin = data.len();
        let count: usize = shape.iter().product();
        data.extend((begin..begin + count).map(|i| ((i * 37 % 101) as f32 - 50.0) / 64.0));
        values.push((name, data[begin..].iter().map(|v| f64::from(*v)).collect()));
        let (begin, end) = (4 * begin, 4 * data.len());
        fields.push(format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#));
    }
    let header = format!("{{{}}}", fields.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data.iter().flat_map(|v| v.to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
    values
}

#[test]
fn real_activations_reach_the_trace_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let values = write_bert(&folder.path().join("m.safetensors"), "");
    let quantize = |ids: &str, output: &str| {
        let arguments = ["--type", "int4", "--group", "16", "--token-ids", ids, "-o", output, "--json"];
        json(folder.path(), &[&["quantize", "m.safetensors"][..], &arguments].concat())
    };
    let document = quantize("4,0,2", "trace");
    assert_eq!(document["tensors"].as_array().unwrap().len(), 3);
    assert_eq!(document["provenance"]["workload"], "m.safetensors, normalised embeddings of the token ids 4,0,2");

    let trace = bitmosaic_workloads::trace::read_trace(
        &folder.path().join("trace"),
        bitmosaic_workloads::trace::NonFinite::Refuse,
    )
    .unwrap();
    assert_eq!(trace.iter().map(|l| l.weights.output_channels).collect::<Vec<_>>(), [6, 6, 7]);
    let [word, position, token_type, weight, bias] = [0, 1, 2, 3, 4].map(|t| &values[t].1);
    for (token, id) in [4, 0, 2].into_iter().enumerate() {
        let row: Vec<f64> = (0..24).map(|c| word[24 * id + c] + position[24 * token + c] + token_type[c]).collect();
        let mean = row.iter().sum::<f64>() / 24.0;
        let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 24.0;
        for layer in &trace {
            for (channel, found) in layer.activations.token(token).iter().enumerate() {
                let expected = (row[channel] - mean) / (variance + 1e-12).sqrt() * weight[channel] + bias[channel];
                let step = expected.abs().max(6.2e-5) / 2048.0;
                assert!((found.to_f64() - expected).abs() <= 1.01 * step, "token {token} channel {channel}");
            }
        }
    }

    std::fs::write(folder.path().join("ids.txt"), "4, 0\n2\n").unwrap();
    quantize("ids.txt", "again");
    let read = |name: &str| std::fs::read(folder.path().join(name).join("trace.safetensors")).unwrap();
    assert_eq!(read("trace"), read("again"));
    for design in ["mosaic-tiny", "bitmod-tiny"] {
        let cosim = ["cosim", "--design", design, "--trace", "trace", "--engines", "simulator,step,netlist", "--json"];
        let document = json(folder.path(), &cosim);
        assert_eq!([&document["outputs"], &document["mismatched_bits"]], [3 * (6 + 6 + 7), 0]);
    }
}

#[test]
fn impossible_real_activations_are_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    write_bert(&folder.path().join("m.safetensors"), "");
    write_bert(&folder.path().join("part.safetensors"), "embeddings.LayerNorm.bias");
    let quantize = |ids: &'static str| {
        ["quantize", "m.safetensors", "--type", "int4", "--group", "16", "-o", "t", "--token-ids", ids]
    };
    refused(folder.path(), &quantize("1,5"), 2, &["token id number 2", "found 5", "0 to 4", "m.safetensors"]);
    refused(folder.path(), &quantize("0,1,2,3,4"), 2, &["number of token ids", "found 5", "1 to 4"]);
    refused(folder.path(), &quantize(","), 2, &["number of token ids", "found 0"]);
    refused(folder.path(), &quantize("99999999999999999999999"), 2, &["--token-ids", "number 1", "for example"]);
    refused(folder.path(), &quantize("absent.txt"), 2, &["absent.txt", "numbers with commas"]);
    std::fs::write(folder.path().join("words.txt"), "1 two 3").unwrap();
    refused(folder.path(), &quantize("words.txt"), 2, &["words.txt", "number 2", "`two`"]);
    let with = |more: &[&'static str]| [&quantize("1,2")[..], more].concat();
    refused(folder.path(), &with(&["--tensor", "encoder.layer.*"]), 2, &["--tensor", "layer.1", "layer.0", "value"]);
    refused(folder.path(), &with(&["--tokens", "8"]), 2, &["--tokens", "cannot be used"]);
    refused(folder.path(), &["quantize", "m.safetensors", "--token-ids", "1"], 2, &["--output"]);
    let part = ["compare", "part.safetensors", "--token-ids", "1"];
    refused(folder.path(), &part, 2, &["part.safetensors", "no tensor `embeddings.LayerNorm.bias`"]);
    write_bert_with_query(&folder.path().join("wide.safetensors"), "", 32);
    let texts = ["wide.safetensors: ", "self.query.weight` has 32 input channels", "24; they must be", "--tensor"];
    refused(folder.path(), &["compare", "wide.safetensors", "--token-ids", "1"], 2, &texts);
    refused(folder.path(), &["quantize", "wide.safetensors", "-o", "t", "--token-ids", "1"], 2, &texts);
    assert!(!folder.path().join("t").exists() && !folder.path().join("bitmosaic-compare").exists());
}

#[test]
fn compare_puts_types_and_machines_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let compare = |output: &'static str| {
        let arguments = ["compare", "--matmul", "9x256x16", "--types", "int8,bitmod-fp4,nf4", "--groups", "512,32,128"];
        json(folder.path(), &[&arguments[..], &["-o", output, "--json"]].concat())
    };
    let document = compare("out");
    let points = document["points"].as_array().unwrap();
    let names =
        |p: &Value| format!("{} g{} {}", p["type"].as_str().unwrap(), p["group"], p["design"].as_str().unwrap());
    assert_eq!(points.len(), 2 * 2 * 2);
    assert_eq!(names(&points[0]), "int8 g32 mosaic-tile");
    assert_eq!(names(&points[7]), "bitmod-fp4 g128 bitmod-tile");
    let left_out: Vec<&String> = document["left_out"].as_object().unwrap().keys().collect();
    assert_eq!(left_out, ["bitmod-tile g512", "mosaic-tile g512", "nf4"]);
    assert_eq!(document["designs"][1]["name"], "bitmod-tile");
    assert!(points.iter().any(|p| p["pareto"] == true) && points.iter().any(|p| p["pareto"] == false));

    for point in points.iter().filter(|p| p["type"] == "bitmod-fp4") {
        let group = point["group"].to_string();
        let design = point["design"].as_str().unwrap();
        let simulate = ["simulate", "--design", design, "--matmul", "9x256x16", "--group", &group, "--json"];
        let simulated = json(folder.path(), &simulate);
        for key in ["cycles", "compute_cycles", "stalls"] {
            assert_eq!(point[key], simulated["layers"][0][key], "{}", names(point));
        }
        let number = |key: &str| point[key].as_f64().unwrap();
        let cost = point["area"]["gate_equivalents"].as_f64().unwrap() * number("cycles") / f64::from(9 * 256 * 16);
        assert!((number("gate_cycles_per_mac") - cost).abs() < 1e-9 * cost);
        let [quantized, machine] = ["quantized", "machine"].map(|key| point[key]["cosine"].as_f64().unwrap());
        assert!(quantized > 0.99 && quantized < 1.0 && (quantized - machine).abs() < 1e-4, "{quantized} {machine}");
    }
    let mean = |p: &Value, name: &str| p["error"][name]["mean_relative"].as_f64().unwrap();
    assert!(points.iter().all(|p| mean(p, "datapath") < mean(p, "fp16_yardstick")));

    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&read("out/result.json")).unwrap(), document);
    assert_eq!(read("out/compare.csv").lines().count(), 1 + 8);
    assert!(read("out/index.html").contains("--groups 512,32,128"));
    assert_eq!(compare("again"), document);
    for file in ["index.html", "compare.csv", "result.json"] {
        assert_eq!(read(&format!("out/{file}")), read(&format!("again/{file}")));
    }
}

#[test]
fn compare_on_real_activations_has_a_point_a_matrix() {
    let folder = tempfile::tempdir().unwrap();
    write_bert(&folder.path().join("m.safetensors"), "");
    let arguments = ["compare", "m.safetensors", "--token-ids", "4,0,2", "--types", "int8", "--groups", "16", "--json"];
    let document = json(folder.path(), &arguments);
    let layers: Vec<&str> =
        document["points"].as_array().unwrap().iter().map(|p| p["layer"].as_str().unwrap()).collect();
    let expected = ["query", "key", "value"].map(|n| format!("encoder.layer.0.attention.self.{n}.weight"));
    assert_eq!(layers, expected.iter().flat_map(|n| [n, n]).collect::<Vec<_>>());
    assert!(document["points"].as_array().unwrap().iter().all(|p| p["machine"]["cosine"].as_f64().unwrap() > 0.999));
    let one = json(folder.path(), &[&arguments[..], &["--tensor", "*.key.*", "--designs", "mosaic-tiny"]].concat());
    assert!(one["provenance"]["design"] == "mosaic-tiny" && one["points"].as_array().unwrap().len() == 1);
    let page = std::fs::read_to_string(folder.path().join("bitmosaic-compare/index.html")).unwrap();
    assert!(page.contains("D6: the bias") && page.contains("m.safetensors --token-ids 4,0,2"));
}

#[test]
fn bad_comparisons_are_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let compare = |arguments: &[&'static str]| [&["compare"][..], arguments].concat();
    refused(folder.path(), &compare(&["--types", "nf4"]), 2, &["--types", "nf4", "digit planes", "at least one type"]);
    refused(folder.path(), &compare(&["--types", "int4,int4"]), 2, &["--types", "int4", "twice"]);
    refused(folder.path(), &compare(&["--types", "fp99"]), 2, &["fp99", "known types"]);
    refused(folder.path(), &compare(&["--groups", "10,0,512"]), 2, &["--groups", "multiple of 8 input channels"]);
    refused(folder.path(), &compare(&["--designs", "mosaic-tile,mosaic-tile"]), 2, &["--designs", "mosaic-tile"]);
    refused(folder.path(), &compare(&["--designs", "absent.toml"]), 2, &["absent.toml", "presets"]);
    refused(folder.path(), &compare(&["--matmul", "16x1024"]), 2, &["--matmul", "for example"]);
    refused(folder.path(), &compare(&["--activations", "x"]), 2, &["activations", "outliers"]);
    refused(folder.path(), &compare(&["m.safetensors"]), 2, &["--token-ids"]);
    refused(folder.path(), &compare(&["--token-ids", "1"]), 2, &["CHECKPOINT"]);
    assert!(!folder.path().join("bitmosaic-compare").exists());
}
