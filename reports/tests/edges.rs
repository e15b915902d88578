//! Every rendering with every number at an edge: no panic, no text outside a plot, no two texts over each other, the same
//! bytes twice.

use std::path::Path;

use bitmosaic_reports::*;
use bitmosaic_results::*;
use page::{assert_balanced, text_boxes, tokens};

mod page;
mod sample;

const EDGES: [f64; 8] = [0.0, -0.0, 5e-324, 1e-4, 1.0, f64::MAX, f64::INFINITY, f64::NAN];
const COUNTS: [u64; 5] = [0, 1, 7, 123_456, u64::MAX];

fn documents() -> Vec<RunDocument> {
    let mut documents = vec![sample::run()];
    for edge in EDGES {
        documents.extend(COUNTS.map(|count| sample::hostile(edge, count)));
        documents.push(sample::hostile(-edge, 9));
    }
    // Errors far apart, beside zeros; a stall of one cycle among many; one part alone.
    let mut wide = sample::run();
    wide.error.datapath.mean_relative = 0.0;
    wide.error.datapath.max_relative = 1e-300;
    wide.error.fp16_yardstick.max_relative = f64::INFINITY;
    wide.error.fp32_yardstick = ErrorStatistics::default();
    wide.simulate.cycles = 1 << 50;
    wide.simulate.layers[0].cycles = 1 << 50;
    documents.push(wide);
    let mut zero = sample::run();
    zero.error = AccuracyResult {
        datapath: ErrorStatistics { outputs: 1, equal_outputs: 1, ..ErrorStatistics::default() },
        ..AccuracyResult::default()
    };
    zero.simulate = SimulateResult::default();
    zero.quantize.special_values.values_mut().for_each(|n| *n = 0);
    documents.push(zero);
    let mut compute = sample::run();
    compute.simulate.layers[0].stalls = Stalls::default();
    compute.simulate.cycles = compute.simulate.layers[0].compute_cycles;
    documents.push(compute);
    let mut stalled = sample::run();
    stalled.simulate.layers[0].compute_cycles = 0;
    documents.push(stalled);
    documents
}

#[test]
fn every_text_and_page_at_every_edge() {
    for document in documents() {
        let RunDocument { provenance, quantize, simulate, cosim, .. } = document.clone();
        let schema_version = SCHEMA_VERSION;
        let files = vec![sample::HOSTILE.to_string()];
        let modules = vec![
            ModuleResources {
                name: sample::HOSTILE.into(),
                instances: cosim.outputs,
                cells: cosim.outputs,
                flip_flops: cosim.outputs
            };
            2
        ];
        let entry = ListEntry { name: sample::HOSTILE.into(), summary: sample::HOSTILE.into() };
        let p = || provenance.clone();
        let texts = [
            run_text(&document, Path::new(sample::HOSTILE)),
            simulate_text(&SimulateDocument { schema_version, provenance: p(), result: simulate.clone() }),
            cosim_text(&CosimDocument { schema_version, provenance: p(), result: cosim }),
            quantize_text(&QuantizeDocument {
                schema_version,
                provenance: p(),
                tensors: vec![quantize.clone(), quantize],
            }),
            rtl_text(&RtlDocument {
                schema_version,
                provenance: p(),
                result: RtlResult { files, modules, ..RtlResult::default() },
            }),
            list_text(&ListDocument(vec![entry])),
        ];
        for text in texts {
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
            assert!(text.ends_with('\n'));
        }
        layers_csv(&simulate).unwrap();
        assert_balanced(&tokens(&run_page(&document, &sample::details())));
    }
}

#[test]
fn the_last_lines_are_the_contract() {
    for document in documents() {
        let text = run_text(&document, Path::new("a b/report.html"));
        let cosim = &document.cosim;
        let end = format!(
            "\nbits differ: {}, cycles differ: {}\nreport: a b/report.html\n",
            cosim.mismatched_bits, cosim.mismatched_cycles
        );
        assert!(text.ends_with(&end), "{text}");
    }
}

#[test]
fn plots_keep_their_texts_apart_and_inside() {
    for document in documents() {
        let plots = [
            Some(cycles_plot(&document.simulate).unwrap()),
            Some(error_plot(&document.error).unwrap()),
            special_values_plot(&document.quantize).unwrap(),
        ];
        for svg in plots.iter().flatten() {
            let (width, height, boxes) = text_boxes(svg.as_str());
            assert!(!boxes.is_empty());
            for (i, ([l, t, r, b], text)) in boxes.iter().enumerate() {
                assert!(*l >= 0.0 && *t >= 0.0 && *r <= width && *b <= height, "{text} outside {width} x {height}");
                for ([l2, t2, r2, b2], other) in &boxes[i + 1..] {
                    assert!(r <= l2 || r2 <= l || b <= t2 || b2 <= t, "{text} over {other}\n{}", svg.as_str());
                }
            }
            for coordinate in ["x=\"-", "y=\"-", "width=\"-", "height=\"-", "NaN", "inf\""] {
                assert!(!svg.as_str().contains(coordinate), "{coordinate} in {}", svg.as_str());
            }
        }
    }
}

#[test]
fn the_same_bytes_twice() {
    let details = sample::details();
    for document in documents() {
        assert_eq!(run_page(&document, &details), run_page(&document.clone(), &details));
        let path = Path::new("r");
        assert_eq!(run_text(&document, path), run_text(&document.clone(), path));
    }
}

#[test]
fn a_type_without_special_values_has_no_plot_of_them() {
    let mut tensor = sample::tensor();
    tensor.special_values.clear();
    assert!(special_values_plot(&tensor).unwrap().is_none());
}

#[test]
fn plot_golden() {
    insta::assert_snapshot!("plot_cycles", cycles_plot(&sample::simulate()).unwrap().as_str());
    insta::assert_snapshot!("plot_error", error_plot(&sample::accuracy()).unwrap().as_str());
    insta::assert_snapshot!("plot_special_values", special_values_plot(&sample::tensor()).unwrap().unwrap().as_str());
}
