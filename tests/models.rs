//! Models, devices and published figures on the command line.

mod common;

use common::{bitmosaic, json, refused};
use serde_json::Value;

fn sum(document: &Value, key: &str) -> u64 {
    document["layers"].as_array().unwrap().iter().map(|layer| layer[key].as_u64().unwrap()).sum()
}

#[test]
fn a_phase_of_a_model_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    for (design, model, phase) in [
        ("mosaic", "llama-2-7b", "decode:256"),
        ("bitmod", "gemma-3-1b", "prefill:300"),
        ("mosaic", "qwen3-30b-a3b", "decode:4096"),
        ("bitmod", "opt-1.3b", "generate:20+3"),
    ] {
        let arguments =
            ["simulate", "--design", design, "--model", model, "--phase", phase, "--memory", "ddr4-3200", "--json"];
        let document = json(folder.path(), &arguments);
        let cycles = document["cycles"].as_u64().unwrap();
        assert_eq!(sum(&document, "cycles"), cycles, "{model}");
        for layer in document["layers"].as_array().unwrap() {
            let stalls = &layer["stalls"];
            let causes = ["operand", "scale_unit", "output", "fill_drain"].map(|cause| stalls[cause].as_u64().unwrap());
            let moving = ["compute_cycles", "memory_cycles"].map(|key| layer[key].as_u64().unwrap());
            assert_eq!(causes.iter().chain(&moving).sum::<u64>(), layer["cycles"].as_u64().unwrap(), "{layer}");
        }
        // 24 bytes a cycle.
        assert!(cycles >= (sum(&document, "bytes_read") + sum(&document, "bytes_written")) / 24, "{model}");
        let inference = &document["inference"];
        let seconds = document["seconds"].as_f64().unwrap();
        let rate = inference["tokens"].as_f64().unwrap() / seconds;
        assert!((inference["tokens_per_second"].as_f64().unwrap() - rate).abs() < 1e-9 * rate);
        let utilization = document["utilization"].as_f64().unwrap();
        assert!(utilization > 0.0 && utilization <= 1.0);
        assert!(inference["cache_cycles"].as_u64().unwrap() + inference["vector_cycles"].as_u64().unwrap() < cycles);
        // The same bytes again.
        assert_eq!(bitmosaic(folder.path(), &arguments).stdout, bitmosaic(folder.path(), &arguments).stdout);
    }
}

#[test]
fn generation_is_its_prefill_and_its_decodes() {
    let folder = tempfile::tempdir().unwrap();
    let cycles = |phase: &str| {
        let arguments = ["simulate", "--design", "mosaic", "--model", "opt-1.3b", "--phase", phase, "--json"];
        json(folder.path(), &arguments)["cycles"].as_u64().unwrap()
    };
    assert_eq!(cycles("generate:30+3"), cycles("prefill:30") + cycles("decode:31") + cycles("decode:32"));
}

#[test]
fn what_a_model_needs_is_asked_for_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = |more: &[&'static str]| [&["simulate", "--model", "llama-2-7b"], more].concat();
    let phase = ["--phase", "decode:9"];
    let refuse = |more: &[&'static str], words: &[&str]| refused(folder.path(), &simulate(more), 2, words);
    refuse(&["--design", "mosaic"], &["--phase"]);
    refuse(&["--design", "mosaic", "--phase", "decode:0"], &["decode:0", "prefill:TOKENS"]);
    refuse(&[&["--design", "mosaic-tile"], &phase[..]].concat(), &["mosaic-tile", "vector_unit"]);
    refuse(&[&["--design", "mosaic", "--memory", "sram"], &phase[..]].concat(), &["sram", "hbm2", "list devices"]);
    refuse(&[&["--design", "mosaic", "--batch", "0"], &phase[..]].concat(), &["--batch", "4096"]);
    refuse(&[&["--design", "mosaic", "--type", "nf4"], &phase[..]].concat(), &["nf4"]);
    refuse(&[&["--design", "mosaic", "--engine", "netlist"], &phase[..]].concat(), &["--engine cycle"]);
    let huge = |more: &[&'static str], words: &[&str]| refuse(&[&["--design", "mosaic"], more].concat(), words);
    huge(&["--phase", "prefill:4194304", "--batch", "4096"], &["--batch", "131072"]);
    huge(&["--phase", "generate:1+4194304"], &["4194304", "4096"]);
    let wide =
        ["simulate", "--design", "mosaic", "--model", "llama-3-8b", "--phase", "prefill:131072", "--lm-head", "all"];
    refused(folder.path(), &wide, 2, &["lm_head", "blocks", "fewer tokens"]);
    let unknown = ["simulate", "--design", "mosaic", "--model", "gpt-9", "--phase", "decode:9"];
    refused(folder.path(), &unknown, 2, &["gpt-9", "llama-2-7b"]);
    let neither = ["simulate", "--design", "mosaic"];
    refused(folder.path(), &neither, 2, &["--matmul"]);
}

#[test]
fn models_and_devices_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    for (what, least) in [("models", 25), ("devices", 5)] {
        let list = json(folder.path(), &["list", what, "--json"]);
        assert!(list.as_array().unwrap().len() >= least, "{what}");
    }
}

#[test]
fn the_published_figures_are_reproduced() {
    let folder = tempfile::tempdir().unwrap();
    let document = json(folder.path(), &["reproduce", "hpca25", "--json"]);
    assert_eq!(document["differing"], 0);
    let read = |name: &str| std::fs::read_to_string(folder.path().join("bitmosaic-reproduce").join(name)).unwrap();
    assert_eq!(read("points.csv").lines().count(), 61);
    assert_eq!(read("gains.csv").lines().count(), 17);
    assert!(read("points.csv").contains("bitmod-lossy,llama-2-7b,decode:256,79493200,79493200,"));
    assert!(read("index.html").contains("published numbers: 196, not reproduced: 0"));
    assert!(read("gains.svg").contains("4.1760") && read("cycles.svg").contains("<svg"));
    let points = document["points"].as_array().unwrap();
    assert_eq!(points.len(), 60);
    let engines = points.iter().filter(|point| !point["cycle_engine"].is_null());
    assert_eq!(engines.clone().count(), 24);
    // Fetching more, one row of 32 in a decode, fill and drain: never faster than the published model says.
    for point in engines {
        assert!(point["cycle_engine"]["cycles"].as_u64() > point["published_cycles"].as_u64(), "{point}");
    }
}
