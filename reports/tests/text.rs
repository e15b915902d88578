//! Golden text. After a wanted change: `INSTA_UPDATE=always cargo test -p bitmosaic-reports`, then review the diff.

use std::path::Path;

use bitmosaic_reports::*;
use bitmosaic_results::*;

mod sample;

#[test]
fn run() {
    let text = run_text(&sample::run(), Path::new("bitmosaic-report.html"));
    insta::assert_snapshot!(text);
}

#[test]
fn run_that_failed() {
    let mut document = sample::run();
    document.cosim = sample::differing();
    document.quantize.special_values.clear();
    document.simulate.cycles += 100;
    document.simulate.energy_pj =
        Some(EnergyPj { compute: 1.5e6, sram: 2.25e6, dram: 0.0, total: 3.75e6, sram_leakage: 1.25e6 });
    std::mem::swap(&mut document.error.datapath, &mut document.error.fp16_yardstick);
    let text = run_text(&document, Path::new("out/report.html"));
    assert!(text.ends_with("\nbits differ: 3, cycles differ: 1\nreport: out/report.html\n"));
    insta::assert_snapshot!(text);
}

#[test]
fn simulate() {
    let mut result = sample::simulate();
    result.layers.push(LayerResult {
        name: "model.layers.11.mlp.down_proj.weight".into(),
        stalls: Stalls { operand: 1_234_567, ..sample::layer().stalls },
        cycles: sample::layer().cycles + 1_234_567,
        ..sample::layer()
    });
    result.cycles += result.layers[1].cycles;
    result.seconds = result.cycles as f64 * 1e-9;
    result.utilization = 0.025_31;
    let document = SimulateDocument { schema_version: SCHEMA_VERSION, provenance: sample::provenance(), result };
    insta::assert_snapshot!(simulate_text(&document));
    insta::assert_snapshot!("layers_csv", layers_csv(&document.result).unwrap());
}

#[test]
fn cosim() {
    let document = |result| CosimDocument { schema_version: SCHEMA_VERSION, provenance: sample::provenance(), result };
    insta::assert_snapshot!("cosim_agrees", cosim_text(&document(sample::cosim())));
    insta::assert_snapshot!("cosim_differs", cosim_text(&document(sample::differing())));
}

#[test]
fn one_engine_alone_agrees_with_nobody() {
    let mut result = sample::cosim();
    result.cycles.netlist = None;
    let document = CosimDocument { schema_version: SCHEMA_VERSION, provenance: sample::provenance(), result };
    let text = cosim_text(&document);
    assert!(
        text.ends_with("Only one engine ran (simulator): nothing was compared.\nbits differ: 0, cycles differ: 0\n")
    );
}

#[test]
fn quantize() {
    let plain = QuantizedTensor {
        name: "model.layers.0.self_attn.q_proj.weight".into(),
        weight_type: "int4".into(),
        special_values: Default::default(),
        ..sample::tensor()
    };
    let document = QuantizeDocument {
        schema_version: SCHEMA_VERSION,
        provenance: sample::provenance(),
        tensors: vec![sample::tensor(), plain],
    };
    insta::assert_snapshot!(quantize_text(&document));
}

#[test]
fn rtl() {
    let module =
        |name: &str, instances, cells, flip_flops| ModuleResources { name: name.into(), instances, cells, flip_flops };
    let document = RtlDocument {
        schema_version: SCHEMA_VERSION,
        provenance: sample::provenance(),
        result: RtlResult {
            files: vec!["processing_element.v".into(), "tile.v".into(), "testbench.v".into()],
            modules: vec![module("processing_element", 64, 2_481, 213), module("tile", 1, 9_310, 1_024)],
            technology: "hpca25-28nm".into(),
            area_um2: AreaUm2 {
                processing_elements: 77_480.5,
                operands: 5_958.25,
                memories: 12_000.0,
                total: 95_438.75,
                ..AreaUm2::default()
            },
        },
    };
    insta::assert_snapshot!(rtl_text(&document));
}

#[test]
fn list() {
    let entry = |name: &str, summary: &str| ListEntry { name: name.into(), summary: summary.into() };
    let document = ListDocument(vec![
        entry("mosaic-tile", "8x8 bit-serial-block PEs, 8 lanes, 16-bit significands, two scale units"),
        entry("mosaic-tiny", "the smallest machine of its kind"),
    ]);
    insta::assert_snapshot!(list_text(&document));
    assert_eq!(list_text(&ListDocument(Vec::new())), "");
}

#[test]
fn csv_keeps_what_it_is_given() {
    let mut result = sample::simulate();
    result.layers[0].name = sample::HOSTILE.into();
    result.layers[0].energy_pj =
        Some(EnergyPj { compute: 0.1, sram: 1e-9, dram: f64::NAN, total: 1e300, sram_leakage: 0.0 });
    let csv = layers_csv(&result).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let record = reader.records().next().unwrap().unwrap();
    assert_eq!(&record[0], sample::HOSTILE);
    assert_eq!(&record[2], "20227");
    assert_eq!([&record[11], &record[12], &record[13], &record[14]], ["0.1", "1e-9", "NaN", "1e300"]);
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent").join("report.html");
    let error = write_run_page(&path, &sample::run(), &sample::details()).unwrap_err();
    assert!(matches!(&error, ReportsError::Write { path: p, .. } if *p == path));
    assert!(error.to_string().starts_with(&format!("{}: cannot be written: ", path.display())), "{error}");

    let path = folder.path().join("layers.csv");
    write_layers_csv(&path, &sample::simulate()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), layers_csv(&sample::simulate()).unwrap());
}
