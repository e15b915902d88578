//! Energy on the command line: sums, closed forms, and the direction in which a change moves it.

mod common;

use common::{json, refused};
use serde_json::Value;

const PJ_PER_BIT: [(&str, f64); 3] = [("ddr4-3200", 18.75), ("lpddr5-6400", 7.0), ("hbm2", 3.9)];

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn energy(of: &Value, part: &str) -> f64 {
    of["energy_pj"][part].as_f64().unwrap()
}

/// A decode of a model with these options instead of the first ones.
fn decode(model: &str, more: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["simulate", "--model", model, "--json"];
    for (option, value) in [("--design", "mosaic"), ("--phase", "decode:200"), ("--memory", "lpddr5-6400")] {
        if !more.contains(&option) {
            arguments.extend([option, value]);
        }
    }
    json(folder.path(), &[&arguments, more].concat())
}

#[test]
fn parts_and_layers_add_up_on_every_model_and_design() {
    for design in ["mosaic", "bitmod"] {
        for technology in ["hpca25-28nm", "low-power-28nm"] {
            for (model, phase) in [
                ("llama-2-7b", "decode:256"),
                ("gemma-3-1b", "prefill:40"),
                ("qwen3-30b-a3b", "decode:900"),
                ("opt-1.3b", "generate:20+3"),
            ] {
                let (memory, pj_per_bit) = PJ_PER_BIT[model.len() % PJ_PER_BIT.len()];
                let options = ["--design", design, "--phase", phase, "--memory", memory, "--technology", technology];
                let document = decode(model, &options);
                let name = format!("{design} {model} {phase} {technology}");
                assert_eq!(document["technology"], technology);
                let layers = document["layers"].as_array().unwrap();
                for part in ["compute", "sram", "dram", "total", "sram_leakage"] {
                    let sum: f64 = layers.iter().map(|layer| energy(layer, part)).sum();
                    assert!(close(sum, energy(&document, part)), "{name}: {part}");
                }
                for of in layers.iter().chain([&document]) {
                    let parts: f64 = ["compute", "sram", "dram"].iter().map(|part| energy(of, part)).sum();
                    assert!(close(parts, energy(of, "total")), "{name}");
                    assert!(energy(of, "sram_leakage") <= energy(of, "sram") && energy(of, "compute") > 0.0, "{name}");
                }
                for layer in layers {
                    let bytes = layer["bytes_read"].as_f64().unwrap() + layer["bytes_written"].as_f64().unwrap();
                    assert!(close(energy(layer, "dram"), 8.0 * bytes * pj_per_bit), "{name}: {}", layer["name"]);
                }
                let inference = &document["inference"];
                let joules = energy(&document, "total") * 1e-12 / inference["tokens"].as_f64().unwrap();
                assert!(close(inference["joules_per_token"].as_f64().unwrap(), joules), "{name}");
            }
        }
    }
}

/// Memories leak in every cycle alike.
#[test]
fn leakage_follows_the_time() {
    let power = |model, more: &[&str]| {
        let document = decode(model, more);
        energy(&document, "sram_leakage") / document["cycles"].as_f64().unwrap()
    };
    let reference = power("opt-1.3b", &[]);
    assert!(close(reference, power("llama-2-7b", &["--memory", "ddr4-2133"])));
    assert!(power("opt-1.3b", &["--technology", "low-power-28nm"]) < reference / 100.0);
}

#[test]
fn changes_move_the_energy_the_right_way() {
    let total = |more: &[&str]| energy(&decode("llama-3-8b", more), "total");
    let dram = |more: &[&str]| energy(&decode("llama-3-8b", more), "dram");
    let reference = total(&[]);
    // Devices by their energy a bit: the bytes stay.
    let base = dram(&[]) / 7.0;
    for (memory, pj_per_bit) in PJ_PER_BIT {
        assert!(close(dram(&["--memory", memory]), base * pj_per_bit), "{memory}");
    }
    assert!(total(&["--memory", "hbm2"]) < reference && reference < total(&["--memory", "ddr4-3200"]));
    // Fewer bits, fewer bytes and fewer steps; shorter groups, more scales and more reads of records.
    let three = total(&["--type", "bitmod-fp3"]);
    let eight = total(&["--type", "int8"]);
    assert!(three < reference && reference < eight, "{three} {reference} {eight}");
    let short = total(&["--group", "32"]);
    assert!(short > reference && short < 1.5 * reference, "{short} {reference}");
    // Steps by terms: int8 has four, FP4 two.
    let compute = |more: &[&str]| energy(&decode("llama-3-8b", more), "compute");
    let ratio = compute(&["--type", "int8"]) / compute(&[]);
    assert!((1.6..2.1).contains(&ratio), "{ratio}");
    // A batch shares the weights.
    let token = |more: &[&str]| decode("llama-3-8b", more)["inference"]["joules_per_token"].as_f64().unwrap();
    assert!(token(&["--batch", "8"]) < 0.3 * token(&[]));
    // More context, more cache.
    assert!(total(&["--phase", "decode:4000"]) > reference);
}

#[test]
fn a_product_s_energy_is_the_same_on_every_engine() {
    let folder = tempfile::tempdir().unwrap();
    let run = |engine| {
        let arguments = [
            "simulate",
            "--design",
            "mosaic-small",
            "--matmul",
            "5x96x24",
            "--group",
            "32",
            "--engine",
            engine,
            "--json",
        ];
        json(folder.path(), &arguments)["energy_pj"].clone()
    };
    let reference = run("cycle");
    assert!(reference["compute"].as_f64().unwrap() > 0.0);
    assert_eq!(reference, run("step"));
    assert_eq!(reference, run("netlist"));
}

#[test]
fn technologies_are_asked_for_by_name_or_file() {
    let folder = tempfile::tempdir().unwrap();
    let product = |design: &'static str, technology: &'static str| {
        vec![
            "simulate",
            "--design",
            design,
            "--matmul",
            "4x64x16",
            "--group",
            "32",
            "--technology",
            technology,
            "--json",
        ]
    };
    let listed = json(folder.path(), &["list", "technologies", "--json"]);
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["hpca25-28nm", "low-power-28nm"]);
    refused(folder.path(), &product("mosaic-small", "7nm"), 2, &["technology `7nm`", "hpca25-28nm", "low-power-28nm"]);
    refused(folder.path(), &product("mosaic-tile", "hpca25-28nm"), 2, &["--technology", "mosaic-tile"]);
    // A file of the user's: twice the energy of logic, everything else the same.
    let text = std::fs::read_to_string("arch/technologies/hpca25-28nm.toml").unwrap();
    let own = text
        .replace("pj_per_um2_cycle = 3.81e-4", "pj_per_um2_cycle = 7.62e-4")
        .replace("name = \"hpca25-28nm\"", "name = \"own\"");
    std::fs::write(folder.path().join("own.toml"), own).unwrap();
    let (reference, doubled) = (
        json(folder.path(), &product("mosaic-small", "hpca25-28nm")),
        json(folder.path(), &product("mosaic-small", "own.toml")),
    );
    assert_eq!(doubled["technology"], "own");
    assert!(close(energy(&doubled, "compute"), 2.0 * energy(&reference, "compute")));
    assert_eq!(
        (energy(&doubled, "sram"), energy(&doubled, "dram")),
        (energy(&reference, "sram"), energy(&reference, "dram"))
    );
    std::fs::write(folder.path().join("bad.toml"), text.replace("um2_per_gate = 0.398", "um2_per_gate = -1")).unwrap();
    refused(
        folder.path(),
        &product("mosaic-small", "bad.toml"),
        2,
        &["bad.toml", "logic.um2_per_gate", "-1", "positive"],
    );
    std::fs::write(
        folder.path().join("short.toml"),
        text.replacen("    { entries = 64, bits = 8,", "    { entries = 65, bits = 8,", 1),
    )
    .unwrap();
    refused(folder.path(), &product("mosaic-small", "short.toml"), 2, &["short.toml", "memory.macros", "each pair"]);
}

/// Area beside the Verilog: the parts are the whole.
#[test]
fn rtl_tells_the_area() {
    let folder = tempfile::tempdir().unwrap();
    for design in ["mosaic-tiny", "mosaic-small"] {
        let document = json(folder.path(), &["rtl", "--design", design, "-o", design, "--json"]);
        let area = document["area_um2"].as_object().unwrap();
        let sum: f64 = area.iter().filter(|(part, _)| *part != "total").map(|(_, um2)| um2.as_f64().unwrap()).sum();
        assert!(close(sum, area["total"].as_f64().unwrap()) && sum > 0.0, "{design}");
    }
}
