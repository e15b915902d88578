//! The comparison's text, page, CSV and plots: golden text, every number at an edge, hostile names.
//! After a wanted change: `INSTA_UPDATE=always cargo test -p bitmosaic-reports`, then review the diff.

use std::collections::BTreeMap;
use std::path::Path;

use bitmosaic_reports::*;
use bitmosaic_results::*;
use page::{Token, assert_balanced, attribute, text_boxes, tokens};

mod page;
mod sample;

/// A point like those of `bitmosaic compare`.
fn point(weight_type: &str, group: u64, design: &str, terms: u64, error: f64) -> ComparePoint {
    let (lanes, slots, gates) = if design == "mosaic-tile" { (8, 32, 165_000) } else { (4, 16, 240_000) };
    let steps = group / lanes * terms;
    let groups = 64 * 1024 / group;
    let cycles = groups * steps.max(slots) + 41;
    ComparePoint {
        layer: "generated layer".into(),
        weight_type: weight_type.into(),
        group,
        design: design.into(),
        terms,
        effective_bits_per_weight: 4.0 + 8.0 / group as f64,
        weights_relative_mse: error,
        area: Area { gate_equivalents: gates, cells: gates / 2, flip_flops: gates / 12, ram_bits: 4096 },
        cycles,
        compute_cycles: groups * steps,
        stalls: Stalls { scale_unit: groups * slots.saturating_sub(steps), fill_drain: 41, ..Stalls::default() },
        utilization: 0.9,
        gate_cycles_per_mac: gates as f64 * cycles as f64 / 4_194_304.0,
        quantized: Some(Fidelity { cosine: 1.0 - error / 2.0, relative_mse: error }),
        machine: Some(Fidelity { cosine: 1.0 - error / 1.9, relative_mse: error * 1.01 }),
        error: sample::accuracy(),
        pareto: group == 128 && design == "mosaic-tile",
    }
}

fn compare() -> CompareDocument {
    let design = |name: &str, terms_per_cycle| ComparedDesign {
        name: name.into(),
        design_sha256: "9f3c".repeat(16),
        types: vec!["bitmod-fp4".into(), "int4".into()],
        max_group: 128,
        terms_per_cycle,
        area: Area { gate_equivalents: 170_812, cells: 116_326, flip_flops: 9_081, ram_bits: 4_096 },
    };
    let mut points = Vec::new();
    for (weight_type, terms, error) in [("bitmod-fp4", 2, 1e-2), ("int8", 4, 4e-5), ("int4", 2, 1.7e-2)] {
        for group in [16, 128] {
            points.extend(["mosaic-tile", "bitmod-tile"].map(|d| point(weight_type, group, d, terms, error)));
        }
    }
    // A machine behind FP16 accumulation in its largest error.
    points[0].error.datapath.max_relative = 1e-3;
    CompareDocument {
        schema_version: SCHEMA_VERSION,
        provenance: Provenance { design: "mosaic-tile,bitmod-tile".into(), ..sample::provenance() },
        result: CompareResult {
            designs: vec![design("mosaic-tile", 512), design("bitmod-tile", 256)],
            points,
            left_out: BTreeMap::from([("nf4".to_string(), "host only: too many planes".to_string())]),
        },
        report: "index.html".into(),
    }
}

/// Every text hostile, every number at an edge.
fn hostile(edge: f64, count: u64) -> CompareDocument {
    let mut document = compare();
    let text = sample::HOSTILE;
    let area = Area { gate_equivalents: count, cells: count, flip_flops: count, ram_bits: count };
    for design in &mut document.result.designs {
        *design = ComparedDesign {
            types: vec![text.into()],
            max_group: count,
            terms_per_cycle: count,
            area,
            ..design.clone()
        };
        design.name += text;
    }
    let fidelity = Some(Fidelity { cosine: edge, relative_mse: edge });
    let error = sample::hostile(edge, count).error;
    for (i, point) in document.result.points.iter_mut().enumerate() {
        *point = ComparePoint {
            layer: text.into(),
            weight_type: format!("{i}{text}"),
            design: point.design.clone() + text,
            effective_bits_per_weight: edge,
            weights_relative_mse: edge,
            area,
            cycles: count,
            compute_cycles: count,
            stalls: Stalls { operand: count, scale_unit: count, output: count, fill_drain: count },
            utilization: edge,
            gate_cycles_per_mac: if i % 2 == 0 { edge } else { 1e3 },
            quantized: fidelity,
            machine: fidelity,
            error: error.clone(),
            pareto: i % 3 == 0,
            ..point.clone()
        };
        if i < 4 {
            (point.group, point.terms) = (count, count);
        }
    }
    document
}

fn documents() -> Vec<CompareDocument> {
    let mut documents = vec![compare()];
    for edge in [0.0, -0.0, 5e-324, 1e-4, 1.0, f64::MAX, f64::INFINITY, f64::NAN, -1.0] {
        documents.extend([0, 1, 7, 123_456, u64::MAX].map(|count| hostile(edge, count)));
    }
    let mut empty = compare();
    empty.result = CompareResult::default();
    documents.push(empty);
    // Designs that take different groups, more rows and designs than plots show, a front where names have no room.
    let mut many = compare();
    let design = many.result.designs[0].clone();
    many.result
        .designs
        .extend((0..6).map(|i| ComparedDesign { name: format!("a-long-name-of-design-{i}"), ..design.clone() }));
    many.result.points = (1..60)
        .flat_map(|i| {
            let names: Vec<String> = many.result.designs.iter().map(|d| d.name.clone()).collect();
            let point =
                move |name: &String| ComparePoint { pareto: true, ..point("int4", 8 * i, name, 1 + i % 4, 1e-3) };
            names.iter().skip(i as usize % 2).map(point).collect::<Vec<_>>()
        })
        .collect();
    documents.push(many);
    documents
}

#[test]
fn text() {
    let text = compare_text(&compare(), Path::new("out/index.html"));
    assert!(text.ends_with("\nreport: out/index.html\n"));
    insta::assert_snapshot!("compare", text);
}

#[test]
fn csv_has_every_field_of_every_point() {
    let mut document = compare();
    document.result.points[1].machine = None;
    let csv = compare_csv(&document.result).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let head = reader.headers().unwrap().clone();
    let records: Vec<csv::StringRecord> = reader.records().map(|r| r.unwrap()).collect();
    assert_eq!(records.len(), 12);
    let field = |row: usize, name: &str| &records[row][head.iter().position(|h| h == name).unwrap()];
    assert_eq!([field(0, "type"), field(0, "group"), field(0, "design")], ["bitmod-fp4", "16", "mosaic-tile"]);
    assert_eq!(field(0, "stall_scale_unit_cycles"), (64 * 64 * 28).to_string());
    assert_eq!([field(0, "datapath_max"), field(0, "fp32_mean"), field(0, "pareto")], ["0.001", "3.551e-6", "0"]);
    assert_eq!([field(1, "quantized_cosine"), field(1, "machine_cosine")], ["0.995", ""]);
    assert_eq!([field(2, "pareto"), field(2, "ram_bits")], ["1", "4096"]);
}

#[test]
fn the_page_says_where_the_claim_does_not_hold() {
    let html = compare_page(&compare(), &sample::details());
    assert!(html.contains("mosaic-tile: no less accurate than FP16 accumulation in 6 of 6 points by mean error, 6 by rms, 5 by largest error."));
    assert!(html.contains("mosaic-tile: generated layer, bitmod-fp4 g16: largest"));
    assert_eq!(html.matches("<span class=\"word\">pass</span>").count(), 1);
    assert!(html.contains("Not compared, nf4: host only"));
    let mut broken = compare();
    broken.result.points[1].error.datapath.non_finite_mismatches = 1;
    let html = compare_page(&broken, &sample::details());
    assert!(html.contains("bitmod-tile: generated layer, bitmod-fp4 g16: mean, rms, largest"));
    let nothing =
        compare_page(&CompareDocument { result: CompareResult::default(), ..compare() }, &RunDetails::default());
    assert!(nothing.contains("No command line was recorded") && !nothing.contains("pass</span>"));
}

#[test]
fn pages_and_texts_at_every_edge() {
    for document in documents() {
        let html = compare_page(&document, &sample::details());
        let tokens = tokens(&html);
        assert_balanced(&tokens);
        assert!(!tokens.iter().any(|t| matches!(t, Token::Open { name, .. } if name == "script")));
        let ids: Vec<&str> = tokens.iter().filter_map(|t| attribute(t, "id")).collect();
        for target in tokens.iter().filter_map(|t| attribute(t, "href")) {
            assert!(ids.contains(&target.strip_prefix('#').unwrap()), "{target}");
        }
        let text = compare_text(&document, Path::new(sample::HOSTILE));
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        compare_csv(&document.result).unwrap();
        assert_eq!(html, compare_page(&document.clone(), &sample::details()));
    }
}

#[test]
fn plots_keep_their_texts_apart_and_inside() {
    for document in documents() {
        let layer = document.result.points.first().map_or("", |p| &p.layer[..]);
        for svg in [groups_plot(&document.result).unwrap(), front_plot(&document.result, layer).unwrap()] {
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
fn plots_golden() {
    let result = compare().result;
    insta::assert_snapshot!("plot_groups", groups_plot(&result).unwrap().as_str());
    insta::assert_snapshot!("plot_front", front_plot(&result, "generated layer").unwrap().as_str());
}
