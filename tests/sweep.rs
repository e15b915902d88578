//! Sweeps and fronts on the command line: killed and resumed, beside `simulate`, refused.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{bitmosaic, json, refused};

/// Several batches of a model of two small layers.
const SPEC: &str = r#"
summary = "a test"
phases = ["prefill:20", "decode:20"]
references = ["bitmod"]
build_for = "used-types"

[base]
model = "tiny.toml"
cache_group = 32
memory_latency = 30

[axes]
memory_bytes_per_cycle = [8, 32]
group = [32, 64]
type = ["int4", "int6"]
processing_element.significand_bits = { from = 10, to = 19 }
tiles = [
    { design = "mosaic-small", "vector_unit.lanes" = 8, "array.down" = 2 },
    { design = "mosaic-small", "vector_unit.lanes" = 8, "array.down" = 1 },
    { design = "mosaic-small", "vector_unit.lanes" = 8, "array.down" = 4 },
    { design = "mosaic-small", "vector_unit.lanes" = 8, "array.down" = 3 },
]
"#;
const MODEL: &str = r#"
name = "tiny"
source = "made up"
hidden = 128
vocabulary = 512
tied_embeddings = true
norm = "rms"

[[layers]]
blocks = ["decoder"]
repeat = 2

[blocks.decoder]
norms = 2

[blocks.decoder.attention]
heads = 4
kv_heads = 2
head_dim = 32
rotary_dim = 32

[blocks.decoder.feed_forward]
intermediate = 256
gated = true
activation = "silu"
"#;
const POINTS: usize = 320;

fn write_spec(folder: &Path) {
    std::fs::write(folder.join("s.toml"), SPEC).unwrap();
    std::fs::write(folder.join("tiny.toml"), MODEL).unwrap();
}

fn results(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name).join("results.csv")).unwrap_or_default()
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn sweep(folder: &Path, name: &str, threads: &str) {
    let output = bitmosaic(folder, &["sweep", "s.toml", "-o", name, "--threads", threads]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn killed_sweeps_go_on_without_loss_or_duplicate() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_spec(folder);
    sweep(folder, "whole", "2");
    let whole = results(folder, "whole");
    assert_eq!(lines(&whole), 1 + POINTS + 8);
    for threads in ["1", "4"] {
        let (mut kills, mut torn) = (0, false);
        loop {
            let before = lines(&results(folder, threads));
            let arguments = ["sweep", "s.toml", "-o", threads, "--threads", threads];
            let mut child = Command::new(env!("CARGO_BIN_EXE_bitmosaic"))
                .args(arguments)
                .current_dir(folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // SIGKILL, at first at once, then once there is the line of columns, then once there is a batch more.
            while (kills > 0 && lines(&results(folder, threads)) <= before) && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(2 * kills));
            child.kill().unwrap();
            child.wait().unwrap();
            let left = results(folder, threads);
            assert!(whole.starts_with(&left), "{} bytes of {}", left.len(), whole.len());
            if left.len() == whole.len() {
                break;
            }
            kills += 1;
            if lines(&left) > 1 && !torn {
                // A torn last line, as a kill within a write leaves it.
                std::fs::write(folder.join(threads).join("results.csv"), &left[..left.len() - 5]).unwrap();
                torn = true;
            }
        }
        assert!(kills >= 3 && torn, "{kills} kills in the middle");
        sweep(folder, threads, threads);
        for file in
            ["results.csv", "result.json", "index.html", "manifest.json", "front-area_um2-decode_20_seconds.csv"]
        {
            let read = |name: &str| std::fs::read(folder.join(name).join(file)).unwrap();
            assert!(read(threads) == read("whole"), "{file} on {threads} threads");
        }
    }
    // Another sweep's results are refused and stay.
    std::fs::write(folder.join("other.toml"), SPEC.replace("[32, 64]", "[64, 32]")).unwrap();
    refused(folder, &["sweep", "other.toml", "-o", "whole"], 2, &["manifest.json", "SHA-256", "--output"]);
    assert!(results(folder, "whole") == whole);
    reasons_and_fronts(folder);
}

/// Of the sweep that is there.
fn reasons_and_fronts(folder: &Path) {
    let document = json(folder, &["sweep", "s.toml", "-o", "whole", "--json"]);
    assert_eq!(document["points"], POINTS);
    // A row in which 3 tiles are down.
    assert_eq!(document["status"]["no-machine"], POINTS / 4);
    assert_eq!(document["status"]["ok"], POINTS / 4 * 3);
    assert!(document["reasons"][0][0].as_str().unwrap().contains("array.down"));
    let front = ["pareto", "whole", "--x", "area_um2", "--y", "decode:20.seconds"];
    let pareto = json(folder, &[&front[..], &["--json"]].concat());
    let fronts = document["fronts"].as_array().unwrap();
    assert_eq!(pareto["points"], fronts[2]["points"]);
    assert!(!pareto["points"].as_array().unwrap().is_empty());
    let limited =
        [&front[..], &["--z", "decode:20.utilization", "--max", "area_um2=2e5", "--min", "ram_bits=1"]].concat();
    let limited = json(folder, &[&limited[..], &["--json", "-o", "front.csv"]].concat());
    let points = limited["points"].as_array().unwrap();
    assert!(points.iter().all(|p| p["metrics"]["area_um2"].as_f64().unwrap() <= 2e5) && !points.is_empty());
    let csv = std::fs::read_to_string(folder.join("front.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + points.len());
    let text = String::from_utf8(bitmosaic(folder, &front).stdout).unwrap();
    assert!(text.contains("Front of area_um2 and decode:20.seconds"), "{text}");
    let refuse = |more: &[&str], words: &[&str]| refused(folder, &[&["pareto", "whole"], more].concat(), 2, words);
    refuse(&["--x", "area", "--y", "ram_bits"], &["area", "decode:20.seconds"]);
    refuse(&["--x", "ram_bits", "--y", "colour"], &["colour"]);
    refuse(&["--x", "ram_bits", "--y", "ram_bits"], &["--y", "different"]);
    refuse(&["--x", "ram_bits", "--y", "area_gates", "--max", "area_gates"], &["--max", "area_um2=5e6"]);
    refused(folder, &["pareto", "nowhere", "--x", "a", "--y", "b"], 2, &["nowhere"]);
    refused(folder, &["pareto", "s.toml", "--x", "a", "--y", "b"], 2, &["s.toml", "bitmosaic sweep"]);
    refused(folder, &["sweep", "s.toml", "--threads", "0"], 2, &["--threads", "1 to 1024"]);
    refused(folder, &["sweep", "nowhere.toml"], 2, &["nowhere.toml", "llama-3-8b"]);
}

#[test]
fn rows_are_what_simulate_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let spec = "summary = \"x\"\nphases = [\"generate:30+3\", \"decode:200\"]\n[base]\nmodel = \"gemma-3-270m\"\ntype = \"int4\"\n\
                group = 64\nbatch = 2\nmemory_latency = 77\n[axes]\ndesign = [\"mosaic\", \"bitmod\"]\n\
                memory = [\"ddr4-2133\", \"hbm2\"]\n";
    std::fs::write(folder.join("s.toml"), spec).unwrap();
    let printed = String::from_utf8(bitmosaic(folder, &["sweep", "s.toml"]).stdout).unwrap();
    assert!(printed.contains("hbm2") && printed.ends_with("report: bitmosaic-sweep/index.html\n"), "{printed}");
    let mut reader = std::fs::read_to_string(folder.join("bitmosaic-sweep/results.csv")).unwrap();
    reader.retain(|c| c != '"');
    let mut lines = reader.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let columns = lines.next().unwrap();
    let mut compared = 0;
    for row in lines {
        let cell = |name: &str| row[columns.iter().position(|column| *column == name).unwrap()];
        for phase in ["generate:30+3", "decode:200"] {
            let arguments = [
                "simulate",
                "--design",
                cell("design"),
                "--model",
                "gemma-3-270m",
                "--phase",
                phase,
                "--batch",
                "2",
                "--type",
                "int4",
                "--group",
                "64",
                "--memory",
                cell("memory"),
                "--memory-latency",
                "77",
                "--json",
            ];
            let document = json(folder, &arguments);
            let sum = |of: &dyn Fn(&serde_json::Value) -> u64| -> String {
                document["layers"].as_array().unwrap().iter().map(of).sum::<u64>().to_string()
            };
            let own = |metric: &str| cell(&format!("{phase}.{metric}")).to_string();
            assert_eq!(own("cycles"), document["cycles"].to_string());
            assert_eq!(own("seconds").parse::<f64>().unwrap(), document["seconds"].as_f64().unwrap());
            assert_eq!(own("utilization").parse::<f64>().unwrap(), document["utilization"].as_f64().unwrap());
            let rate = document["inference"]["tokens_per_second"].as_f64().unwrap();
            assert_eq!(own("tokens_per_second").parse::<f64>().unwrap(), rate);
            assert_eq!(own("bytes_read"), sum(&|layer| layer["bytes_read"].as_u64().unwrap()));
            assert_eq!(own("bytes_written"), sum(&|layer| layer["bytes_written"].as_u64().unwrap()));
            let waits = |key: &'static str| sum(&move |layer| layer["memory_waits"][key].as_u64().unwrap_or(0));
            assert_eq!(own("wait_operands_cycles"), waits("operands"));
            assert_eq!(own("wait_outputs_cycles"), waits("outputs"));
            assert_eq!(own("vector_cycles"), document["inference"]["vector_cycles"].to_string());
            let stalls = |key: &'static str| sum(&move |layer| layer["stalls"][key].as_u64().unwrap());
            assert_eq!(own("fill_drain_cycles"), stalls("fill_drain"));
            assert_eq!(own("stall_scale_unit_cycles"), stalls("scale_unit"));
            compared += 1;
        }
    }
    assert_eq!(compared, 8);
}
