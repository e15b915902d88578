//! Documents as the command line would make them.
#![allow(dead_code)] // every test binary uses some of them

use std::collections::BTreeMap;

use bitmosaic_reports::RunDetails;
use bitmosaic_results::*;

pub fn provenance() -> Provenance {
    Provenance {
        version: "0.1.0".into(),
        design: "mosaic-tile".into(),
        design_sha256: "9f3c1b7a5e2d48c6b0a1f4e7d9835c2e6b1a0f9d8c7e5b4a3f2e1d0c9b8a7f6e".into(),
        workload: "generated heavy-tailed layer 16x256x1024, bitmod-fp4 g128".into(),
        mapping: "output-stationary".into(),
        engine: "simulator, netlist".into(),
        memory: "streams, never stalled".into(),
        seed: 1,
    }
}

pub fn tensor() -> QuantizedTensor {
    QuantizedTensor {
        name: "generated".into(),
        shape: [256, 1024],
        weight_type: "bitmod-fp4".into(),
        group: 128,
        mse: 1.386e-6,
        relative_mse: 0.007_914,
        effective_bits_per_weight: 4.093_75,
        special_values: BTreeMap::from(
            [("-8", 497), ("+8", 522), ("-5", 521), ("+5", 508)].map(|(k, v)| (k.into(), v)),
        ),
    }
}

pub fn layer() -> LayerResult {
    LayerResult {
        name: "generated".into(),
        op: "matmul 16x256x1024 bitmod-fp4 g128".into(),
        cycles: 20_227,
        compute_cycles: 16_384,
        memory_cycles: 0,
        memory_waits: None,
        stalls: Stalls { operand: 0, scale_unit: 1_008, output: 147, fill_drain: 2_688 },
        bytes_read: 2_363_392,
        bytes_written: 8_192,
        energy_pj: None,
    }
}

pub fn simulate() -> SimulateResult {
    SimulateResult {
        inference: None,
        cycles: 20_227,
        seconds: 20_227e-9,
        layers: vec![layer()],
        technology: None,
        energy_pj: None,
        utilization: 16_384.0 / 20_227.0,
    }
}

pub fn accuracy() -> AccuracyResult {
    let error = |mean_relative, max_relative, equal_outputs| ErrorStatistics {
        mean_relative,
        rms_relative: 1.3 * mean_relative,
        max_relative,
        equal_outputs,
        non_finite_mismatches: 0,
        outputs: 4_096,
    };
    AccuracyResult {
        datapath: error(3.584e-6, 2.212e-5, 3_961),
        fp16_yardstick: error(4.127e-5, 3.946e-4, 261),
        fp32_yardstick: error(3.551e-6, 2.186e-5, 4_052),
    }
}

pub fn cosim() -> CosimResult {
    CosimResult {
        outputs: 4_096,
        cycles: EngineCycles { simulator: Some(20_227), netlist: Some(20_227), ..EngineCycles::default() },
        aligner_cycles: EngineCycles { simulator: Some(4_103), netlist: Some(4_103), ..EngineCycles::default() },
        ..CosimResult::default()
    }
}

pub fn run() -> RunDocument {
    RunDocument {
        schema_version: SCHEMA_VERSION,
        provenance: provenance(),
        quantize: tensor(),
        simulate: simulate(),
        cosim: cosim(),
        error: accuracy(),
        report: "bitmosaic-report.html".into(),
    }
}

pub fn details() -> RunDetails {
    RunDetails {
        command: "bitmosaic run --design mosaic-tile --type bitmod-fp4 --group 128 --seed 1".into(),
        notes: vec![
            "D1: the run is one tile. Buffers, DMA and DRAM are not in it; operands come as streams that never stall."
                .into(),
            "D2: the layer is generated. Its outliers follow measured models, its outputs mean nothing.".into(),
        ],
    }
}

/// A run on engines that disagree.
pub fn differing() -> CosimResult {
    CosimResult {
        mismatched_bits: 3,
        mismatched_cycles: 1,
        cycles: EngineCycles { verilator: Some(20_229), ..cosim().cycles },
        mismatches: vec![
            Mismatch {
                engine: "verilator".into(),
                output_channel: 17,
                token: 3,
                cycle: Some(1_204),
                expected: "0x3c01 @ 1204".into(),
                found: "0x3c06 @ 1204".into(),
            },
            Mismatch {
                engine: "netlist".into(),
                output_channel: 255,
                token: 15,
                cycle: None,
                expected: "0x0000 @ 20226".into(),
                found: "nothing".into(),
            },
        ],
        localization: vec!["cycle 1189, module scale_unit, net acc_q: 0x41200000 instead of 0x41200001".into()],
        replay: Some("replay-17-3.json".into()),
        ..cosim()
    }
}

/// Names from a hostile file.
pub const HOSTILE: &str = "</style><script>alert('x')</script>&amp;\"\u{1b}[2J\u{0}\u{202e}\nsecond line ]]> <!-- --";

/// Every text hostile, every number at an edge.
pub fn hostile(edge: f64, count: u64) -> RunDocument {
    let text = || HOSTILE.to_string();
    let error = ErrorStatistics {
        mean_relative: edge,
        rms_relative: edge,
        max_relative: edge,
        equal_outputs: count,
        outputs: count,
        ..ErrorStatistics::default()
    };
    let energy = Some(EnergyPj { compute: edge, sram: edge, dram: edge, total: edge, sram_leakage: edge });
    let cycles =
        EngineCycles { simulator: Some(count), netlist: Some(count / 2), verilator: Some(0), icarus: Some(u64::MAX) };
    RunDocument {
        schema_version: SCHEMA_VERSION,
        provenance: Provenance {
            version: text(),
            design: text(),
            design_sha256: text(),
            workload: text(),
            mapping: text(),
            engine: text(),
            memory: text(),
            seed: count,
        },
        quantize: QuantizedTensor {
            name: text(),
            shape: [count, count],
            weight_type: text(),
            group: count,
            mse: edge,
            relative_mse: edge,
            effective_bits_per_weight: edge,
            special_values: (0..40).map(|i| (format!("{i} {HOSTILE}"), count)).collect(),
        },
        simulate: SimulateResult {
            technology: None,
            inference: None,
            cycles: count,
            seconds: edge,
            layers: vec![
                LayerResult {
                    name: text(),
                    op: text(),
                    cycles: count,
                    compute_cycles: count,
                    memory_cycles: count,
                    memory_waits: None,
                    stalls: Stalls { operand: count, scale_unit: count, output: count, fill_drain: count },
                    bytes_read: count,
                    bytes_written: count,
                    energy_pj: energy,
                };
                3
            ],
            energy_pj: energy,
            utilization: edge,
        },
        cosim: CosimResult {
            outputs: count,
            mismatched_bits: count,
            mismatched_cycles: count,
            cycles,
            aligner_cycles: cycles,
            mismatches: vec![Mismatch {
                engine: text(),
                output_channel: count,
                token: count,
                cycle: None,
                expected: text(),
                found: text(),
            }],
            localization: vec![text()],
            replay: Some(text()),
        },
        error: AccuracyResult { datapath: error, fp16_yardstick: error, fp32_yardstick: error },
        report: text(),
    }
}
