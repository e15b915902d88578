//! The main job on real input: a MiniLM matrix quantized and co-simulated on every engine. `scripts/fetch-minilm` fetches
//! the checkpoint; BITMOSAIC_MINILM names the file.

use std::path::PathBuf;

use bitmosaic_arch::load;
use bitmosaic_cosim::{Case, Engine, ExternalSettings, compare_with_host, cosimulate, run_engine};
use bitmosaic_kernels::yardstick::fp16_outputs;
use bitmosaic_kernels::{exact, output_errors};
use bitmosaic_mappings::Stalls;
use bitmosaic_numerics::{quantize_matrix, weight_type, weights_to_fp16};
use bitmosaic_workloads::checkpoint::{Checkpoint, ValueCheck};
use bitmosaic_workloads::generate::{LayerParameters, generate_activations};
use bitmosaic_workloads::trace::LayerTrace;

const TENSOR: &str = "encoder.layer.0.attention.self.query.weight";

fn layer(type_name: &str) -> LayerTrace {
    let path = std::env::var_os("BITMOSAIC_MINILM").map(PathBuf::from);
    let path = path.expect("BITMOSAIC_MINILM names the checkpoint; scripts/fetch-minilm prints its path");
    let matrix = Checkpoint::open(&path).unwrap().read_matrix(TENSOR, ValueCheck::FiniteAsF16).unwrap();
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
