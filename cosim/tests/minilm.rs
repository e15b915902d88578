//! The main job on real input: MiniLM matrices quantized and co-simulated on every engine, with generated activations and
//! with the real ones of a sentence. `scripts/fetch-minilm` fetches the checkpoint; BITMOSAIC_MINILM names the file.

use std::path::PathBuf;

use bitmosaic_arch::load;
use bitmosaic_cosim::{Case, Engine, ExternalSettings, compare_with_host, cosimulate, run_engine};
use bitmosaic_kernels::forward::embedding_layer_norm;
use bitmosaic_kernels::yardstick::fp16_outputs;
use bitmosaic_kernels::{agreement, exact, output_errors, unquantized};
use bitmosaic_mappings::Stalls;
use bitmosaic_numerics::{f16, quantize_matrix, weight_type, weights_to_fp16};
use bitmosaic_workloads::bert::{FIRST_LAYER_INPUTS, LAYER_NORM_EPSILON, embedding_rows};
use bitmosaic_workloads::checkpoint::{Checkpoint, ValueCheck};
use bitmosaic_workloads::generate::{LayerParameters, generate_activations};
use bitmosaic_workloads::trace::{Activations, LayerTrace};
use sha2::{Digest as _, Sha256};

const TENSOR: &str = "encoder.layer.0.attention.self.query.weight";

/// `[CLS] hello world [SEP]`.
const TOKEN_IDS: [usize; 4] = [101, 7592, 2088, 102];

fn checkpoint() -> Checkpoint {
    let path = std::env::var_os("BITMOSAIC_MINILM").map(PathBuf::from);
    let path = path.expect("BITMOSAIC_MINILM names the checkpoint; scripts/fetch-minilm prints its path");
    Checkpoint::open(&path).unwrap()
}

fn layer(type_name: &str) -> LayerTrace {
    let matrix = checkpoint().read_matrix(TENSOR, ValueCheck::FiniteAsF16).unwrap();
    let shape = [matrix.rows, matrix.columns];
    assert_eq!(shape, [384, 384]);
    let weights =
        quantize_matrix(&weights_to_fp16(&matrix.data), shape, 128, &weight_type(type_name).unwrap()).unwrap();
    let parameters =
        LayerParameters { tokens: 8, input_channels: 384, output_channels: 384, ..LayerParameters::default() };
    LayerTrace { name: TENSOR.into(), weights, activations: generate_activations(&parameters).unwrap() }
}

#[test]
fn a_real_matrix_agrees_on_every_engine() {
    let settings = ExternalSettings::default();
    let machine = load("mosaic-tile").unwrap();
    for type_name in ["bitmod-fp4", "int4"] {
        let whole = layer(type_name);
        let case = Case::new(machine.clone(), vec![whole.clone()], Stalls::NONE, 1).unwrap();
        let mut result = cosimulate(&case, &[Engine::Netlist, Engine::Verilator], &settings).unwrap();
        let run = run_engine(&case, Engine::Simulator, &settings).unwrap();
        let outputs = compare_with_host(&case, &run, &mut result).unwrap();
        assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0, "{type_name}: {result:?}");
        assert_eq!(result.outputs, 8 * 384);
        assert_eq!(result.cycles.verilator, result.cycles.simulator);
        // 48 passes of 3 groups of 32 steps, then the drain of the last.
        assert_eq!(result.cycles.simulator, Some(48 * 3 * 32 + 3 + 32 + 6));

        let slice = Case::new(machine.clone(), vec![whole.first(32, 8).unwrap()], Stalls::NONE, 1).unwrap();
        let result = cosimulate(&slice, &[Engine::Icarus], &settings).unwrap();
        assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0, "{type_name}: {result:?}");
        assert_eq!(result.outputs, 8 * 32);

        let reference = exact(&whole.activations.values, &whole.weights).unwrap();
        let machine_error = output_errors(&reference, &outputs[0]).unwrap();
        let fp16 = fp16_outputs(&whole.activations.values, &whole.weights).unwrap();
        let fp16_error = output_errors(&reference, &fp16).unwrap();
        assert!(machine_error.mean_normalized < fp16_error.mean_normalized, "{machine_error:?} {fp16_error:?}");
        assert!(machine_error.max_normalized < fp16_error.max_normalized, "{machine_error:?} {fp16_error:?}");
    }
}

/// The normalised embeddings of [`TOKEN_IDS`], FP32 `[4, 384]`.
fn real_activations() -> Vec<f32> {
    let rows = embedding_rows(&checkpoint(), &TOKEN_IDS).unwrap();
    embedding_layer_norm(&rows.addends, &rows.norm_weight, &rows.norm_bias, LAYER_NORM_EPSILON).unwrap()
}

/// The expected values come from a separate implementation, run once: NumPy 2 in binary64 on the file's bytes,
/// `x = word[ids] + token_type[0] + position[:4]; y = (x - mean) / sqrt(var + 1e-12) * weight + bias`, `float32(y)`, and its
/// product with the transposed matrices.
#[test]
fn real_activations_and_products_are_those_of_another_implementation() {
    let activations = real_activations();
    let first = [-0.176_567_51, -0.048_236_39, 0.037_698_21, -0.015_717_912];
    let last = [-0.188_390_1, -0.037_669_323, 0.001_407_640_5, -0.156_174_66];
    assert_eq!(activations[..4], first);
    assert_eq!(activations[4 * 384 - 4..], last);
    let bits: Vec<u8> = activations.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
    let hash: String = Sha256::digest(&bits).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hash, "7ba90b06dacf45b1b3a9abff01f07caefd3d9d524104eb3e589415c657370fb0");

    let products: [(f64, [f64; 4]); 3] = [
        (39.742444603447346, [-0.605411654110589, -1.210972783411584, -0.7344667197386086, -0.027405204526177035]),
        (50.47350860760901, [-0.8186768588758604, -1.01049119011683, 0.4312814889348571, 0.5894278555916558]),
        (16.757354466390236, [0.12776448983279917, 0.0010118673357275183, -0.28273825423256843, 0.37372058962557514]),
    ];
    for (name, (norm, corners)) in FIRST_LAYER_INPUTS.into_iter().zip(products) {
        let weights = checkpoint().read_matrix(name, ValueCheck::Finite).unwrap();
        let outputs = unquantized(&activations, &weights.data, 384).unwrap();
        let found = outputs.iter().map(|v| v * v).sum::<f64>().sqrt();
        assert!((found - norm).abs() < 1e-9, "{name}: {found}");
        let end = outputs.len();
        for (found, expected) in [outputs[0], outputs[1], outputs[end - 2], outputs[end - 1]].into_iter().zip(corners) {
            assert!((found - expected).abs() < 1e-12, "{name}: {found} {expected}");
        }
    }
}

#[test]
fn real_query_key_and_value_products_agree_on_both_machines() {
    let settings = ExternalSettings::default();
    let fp32 = real_activations();
    let values = fp32.iter().map(|v| f16::from_f32(*v)).collect();
    let activations = Activations { tokens: TOKEN_IDS.len(), input_channels: 384, values };
    for design in ["mosaic-tile", "bitmod-tile"] {
        let machine = load(design).unwrap();
        let layers: Vec<LayerTrace> = FIRST_LAYER_INPUTS
            .iter()
            .map(|name| {
                let matrix = checkpoint().read_matrix(name, ValueCheck::FiniteAsF16).unwrap();
                let bitmod = weight_type("bitmod-fp4").unwrap();
                let weights = quantize_matrix(&weights_to_fp16(&matrix.data), [384, 384], 128, &bitmod).unwrap();
                LayerTrace { name: name.to_string(), weights, activations: activations.clone() }
            })
            .collect();
        let case = Case::new(machine, layers, Stalls::NONE, 1).unwrap();
        let mut result = cosimulate(&case, &[Engine::Netlist, Engine::Verilator], &settings).unwrap();
        let run = run_engine(&case, Engine::Simulator, &settings).unwrap();
        let outputs = compare_with_host(&case, &run, &mut result).unwrap();
        assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0, "{design}: {result:?}");
        assert_eq!(result.outputs, 3 * 4 * 384);
        for (name, outputs) in FIRST_LAYER_INPUTS.iter().zip(&outputs) {
            let weights = checkpoint().read_matrix(name, ValueCheck::Finite).unwrap();
            let own = unquantized(&fp32, &weights.data, 384).unwrap();
            let found = agreement(&own, outputs).unwrap().unwrap();
            println!("{design} {name}: cosine {:.6}, relative MSE {:.2e}", found.cosine, found.relative_mse);
            assert!(found.cosine > 0.995 && found.cosine < 0.999, "{design} {name}: {found:?}");
        }
    }
}
