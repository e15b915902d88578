//! What a spec may not say: file, field, finding and remedy.

mod common;

use bitmosaic_explore::{load, parse};

#[track_caller]
fn refused(text: &str, words: &[&str]) {
    let error = parse(text, "my.toml").unwrap_err().to_string();
    for word in ["my.toml"].iter().chain(words) {
        assert!(error.contains(word), "should name `{word}`: {error}");
    }
    assert!(error.len() < 4000 && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn bad_specs_name_field_finding_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |more: &str, words: &[&str]| refused(&common::text(folder.path(), more), words);
    refuse("[axes]\n", &["axes", "empty", "at least one"]);
    refuse("[axes]\ngroup = []\n", &["axes.group", "empty", "at least one value"]);
    refuse("[axes]\ngroup = 64\n", &["axes.group", "64", "list of values"]);
    refuse("[axes]\ngroup = [64, 64]\n", &["axes.group", "`64` twice"]);
    refuse("[axes]\ngroup = [64, 300]\n", &["axes.group", "300", "1 to 256"]);
    refuse("[axes]\ngroup = [\"64\"]\n", &["axes.group", "whole number"]);
    refuse("[axes]\ngroup = { from = 64, to = 32 }\n", &["axes.group", "64 to 32", "empty"]);
    refuse("[axes]\ngroup = { from = 0, to = 32, factor = 2 }\n", &["axes.group.from", "0", "1 or above"]);
    refuse("[axes]\ngroup = { from = 1, to = 32, factor = 1 }\n", &["axes.group.factor", "at least 2"]);
    refuse("[axes]\ngroup = { from = 1, to = 32, step = 0 }\n", &["axes.group.step", "at least 1"]);
    refuse("[axes]\ngroup = { from = 1, to = 32, step = 1, factor = 2 }\n", &["axes.group", "one of them"]);
    refuse("[axes]\ngroup = { from = 1, until = 32, to = 3 }\n", &["axes.group.until", "unknown"]);
    refuse("[axes]\ngroup = { from = 1 }\n", &["axes.group.to", "missing"]);
    refuse("[axes]\ngroup = { from = -4, to = 9 }\n", &["axes.group.from", "-4"]);
    refuse("[axes]\nclock_mhz = { from = 1, to = 4294967295 }\n", &["axes.clock_mhz", "at most 4096"]);
    refuse(
        "[axes]\ngroup = { from = 4294967295, to = 4294967295, factor = 4294967295 }\n",
        &["4294967295", "1 to 256"],
    );
    refuse("[axes]\ncolour = [1]\n", &["axes.colour", "`1`", "must be one of design, model", "unknown field `colour`"]);
    refuse("[axes]\narray.up = [1]\n", &["axes.array.up", "unknown field `up`", "`down`"]);
    refuse("[axes]\narray.down = [1, \"two\"]\n", &["axes.array.down", "two", "invalid type"]);
    refuse("[axes]\narray.down.left = [1]\n", &["axes.array.down.left", "no section"]);
    refuse("[axes]\ntype = [\"int9\"]\n", &["axes.type", "int9", "bitmod-fp4"]);
    refuse("[axes]\ndesign = [\"mosaik\"]\n", &["axes.design", "mosaik", "bitmod-tile"]);
    refuse("[axes]\nmemory = [\"sram\"]\n", &["axes.memory", "sram", "hbm2"]);
    refuse("[axes]\nmodel = [\"gpt-9\"]\n", &["axes.model", "gpt-9", "llama-3-8b"]);
    refuse("[axes]\nmemory_bytes_per_cycle = [0]\n", &["axes.memory_bytes_per_cycle", "1 to 1048576"]);
    refuse("[axes]\nbatch = [4096]\nphases = [1]\n", &["axes.phases"]);
    refuse("[axes]\nbatch = [9999999]\n", &["axes.batch", "1 to 4096"]);
    refuse("[axes]\na = [{ group = 32 }, 4]\n", &["axes.a", "1 tables of 2 values"]);
    refuse("[axes]\na = [{}]\n", &["axes.a", "empty table"]);
    refuse("[axes]\na = [{ group = 32 }]\ngroup = [64]\n", &["axes.group", "`axes.a` sets too"]);
    refuse("colour = 3\n[axes]\ngroup = [32]\n", &["base.colour", "unknown field"]);
    refuse("[axes]\ngroup = [32]\n[sample]\npoints = 0\nseed = 1\n", &["sample.points", "1 to 1"]);
    refuse("[axes]\ngroup = [32]\n[sample]\npoints = 2\nseed = 1\n", &["sample.points", "grid of 1 points"]);
    refuse("[axes]\ngroup = [32]\n[at_most]\nsize = 2\n", &["at_most.size", "area_gates"]);
    refuse("[axes]\ngroup = [32]\n[at_least]\narea_gates = nan\n", &["at_least.area_gates", "finite"]);
    refuse("[axes]\ngroup = [32]\n[colour]\n", &["colour", "unknown field", "line"]);
    refuse("[axes\n", &["line"]);
    let grid = "clock_mhz = { from = 1, to = 2000 }\n\"vector_unit.lanes\" = { from = 1, to = 1000 }\n";
    refuse(&format!("[axes]\n{grid}"), &["a grid of 2000000 points", "at most 1000000", "sample"]);
}

#[test]
fn absurd_phases_models_and_references_are_refused() {
    let spec = |phases: &str, more: &str| format!("summary = \"x\"\nphases = {phases}\n{more}\n[axes]\ngroup = [32]\n");
    let model = "[base]\nmodel = \"opt-1.3b\"\n";
    refused(&spec("[]", model), &["phases", "1 to 8"]);
    refused(&spec("[\"train:1\"]", model), &["phases[0]", "train:1", "prefill:256"]);
    refused(&spec("[\"decode:1\", \"decode:1\"]", model), &["phases[1]", "twice"]);
    refused(&spec("[\"prefill:4194304\"]", model), &["phases[0]", "4194304 new tokens", "131072"]);
    refused(&spec("[\"generate:1+4194304\"]", model), &["phases[0]", "4194304", "4096"]);
    refused(&spec("[\"decode:9\"]", ""), &["base.model", "missing", "list models"]);
    refused(&spec("[\"decode:9\"]", &format!("references = [\"bitmud\"]\n{model}")), &["references[0]", "bitmud"]);
    for (reference, named) in [
        ("{ design = \"fp16\", lanes = 3 }", "references[0]"),
        ("{ type = \"fp16\" }", "a table of `design`"),
        ("7", "a design's name"),
        ("{ design = \"fp16\", type = \"fp17\" }", "references[0].type"),
        ("\"fp16\", { design = \"fp16\", type = \"fp16\" }", "twice"),
    ] {
        refused(&spec("[\"decode:9\"]", &format!("references = [{reference}]\n{model}")), &["references[", named]);
    }
    refused(&spec("[\"decode:9\"]", &format!("build_for = \"all\"\n{model}")), &["build_for", "used-types"]);
    let error = load("nowhere.toml").unwrap_err().to_string();
    assert!(error.contains("nowhere.toml") && error.contains("llama-3-8b"), "{error}");
}
