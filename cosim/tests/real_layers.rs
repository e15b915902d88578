//! Whole layers of MiniLM in every executed type and group, on the machines of both kinds: simulator = step = netlist, and the
//! host; one layer a type in Verilator, a slice in Icarus. `scripts/fetch-minilm` fetches the checkpoint; BITMOSAIC_MINILM
//! names the file.

use std::path::PathBuf;

use bitmosaic_arch::{Machine, ScaleUnitSpec, elaborate, load, load_spec};
use bitmosaic_cosim::array::{ArrayCase, MEMORY_SETTINGS, cosimulate_array, differing_from_host, run_array_engine};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, compare_with_host, cosimulate, run_engine};
use bitmosaic_kernels::forward::embedding_layer_norm;
use bitmosaic_mappings::Stalls;
use bitmosaic_numerics::{ScaleKind, WeightType, f16, quantize_matrix_with_scales, weights_to_fp16};
use bitmosaic_workloads::bert::{LAYER_NORM_EPSILON, embedding_rows};
use bitmosaic_workloads::checkpoint::{Checkpoint, ValueCheck};
use bitmosaic_workloads::trace::{Activations, LayerTrace};
use rayon::prelude::*;

const TENSOR: &str = "encoder.layer.0.attention.self.query.weight";
const SIZE: usize = 384;

/// `[CLS] hello world [SEP]`.
const TOKEN_IDS: [usize; 4] = [101, 7592, 2088, 102];

const DESIGNS: [&str; 3] = ["mosaic-types", "mosaic-tile", "bitmod-tile"];

/// The layer's FP16 weights and the real activations of the tokens.
struct Layer {
    weights: Vec<f16>,
    activations: Activations,
}

impl Layer {
    fn read() -> Layer {
        let path = std::env::var_os("BITMOSAIC_MINILM").map(PathBuf::from);
        let path = path.expect("BITMOSAIC_MINILM names the checkpoint; scripts/fetch-minilm prints its path");
        let checkpoint = Checkpoint::open(&path).unwrap();
        let matrix = checkpoint.read_matrix(TENSOR, ValueCheck::FiniteAsF16).unwrap();
        assert_eq!([matrix.rows, matrix.columns], [SIZE; 2]);
        let rows = embedding_rows(&checkpoint, &TOKEN_IDS).unwrap();
        let fp32 = embedding_layer_norm(&rows.addends, &rows.norm_weight, &rows.norm_bias, LAYER_NORM_EPSILON).unwrap();
        let values = fp32.iter().map(|v| f16::from_f32(*v)).collect();
        let activations = Activations { tokens: TOKEN_IDS.len(), input_channels: SIZE, values };
        Layer { weights: weights_to_fp16(&matrix.data), activations }
    }

    fn quantized(&self, weight_type: &WeightType, group: usize, kind: ScaleKind) -> LayerTrace {
        let weights = quantize_matrix_with_scales(&self.weights, [SIZE; 2], group, weight_type, kind).unwrap();
        let name = format!("{} g{group} {}", weight_type.name, kind.name());
        LayerTrace { name, weights, activations: self.activations.clone() }
    }

    /// The layer in every type that the machine executes, in this group, and again with FP16 scales where those can be.
    fn of_every_type(&self, machine: &Machine, group: usize) -> Vec<LayerTrace> {
        let types = machine.types.iter().map(|t| &t.weight_type);
        types
            .flat_map(|t| {
                let own = t.scale_kind();
                let fp16 = own == ScaleKind::Int8 && machine.scale_kinds.contains(&ScaleKind::Fp16);
                let kinds = [own].into_iter().chain(fp16.then_some(ScaleKind::Fp16));
                kinds.map(|kind| self.quantized(t, group, kind)).collect::<Vec<_>>()
            })
            .collect()
    }
}

#[test]
fn whole_layers_agree_in_every_type_and_group_on_both_kinds_of_machine() {
    let layer = Layer::read();
    let settings = ExternalSettings::default();
    let mut cases = Vec::new();
    for design in DESIGNS {
        let machine = load(design).unwrap();
        for group in [16, 32, 64, 128, 256] {
            for layer in layer.of_every_type(&machine, group) {
                cases.push((design, Case::new(machine.clone(), vec![layer], Stalls::NONE, 1).unwrap()));
            }
        }
    }
    assert!(cases.len() > 200);
    let failures: Vec<String> = cases
        .into_par_iter()
        .filter_map(|(design, case)| {
            let mut result = cosimulate(&case, &[Engine::Step, Engine::Netlist], &settings).unwrap();
            let run = run_engine(&case, Engine::Simulator, &settings).unwrap();
            compare_with_host(&case, &run, &mut result).unwrap();
            let differs = result.mismatched_bits + result.mismatched_cycles > 0;
            let place = format!("{design} {}", case.layers[0].name);
            (differs || result.outputs != (TOKEN_IDS.len() * SIZE) as u64).then(|| format!("{place}: {result:?}"))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures[0]);
}

/// All four memories, the netlist on whole layers, Verilator on a slice.
#[test]
fn whole_machines_run_a_real_layer_of_every_type() {
    let layer = Layer::read();
    let settings = ExternalSettings::default();
    for design in ["mosaic-small", "bitmod-small"] {
        let machine = load(design).unwrap();
        let types = machine.types.iter().map(|t| &t.weight_type);
        let own: Vec<LayerTrace> = types.map(|t| layer.quantized(t, 64, t.scale_kind())).collect();
        for ((memory, timing), layer) in MEMORY_SETTINGS.into_iter().zip(&own) {
            let case = ArrayCase::new(machine.clone(), vec![layer.clone()], timing, 1).unwrap();
            let result = cosimulate_array(&case, &[Engine::Step, Engine::Netlist], &settings).unwrap();
            assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0, "{design}, {memory}: {result:?}");
            let run = run_array_engine(&case, Engine::Simulator, &settings).unwrap();
            assert_eq!(differing_from_host(&case, &run).unwrap(), 0, "{design}, {memory}");
            let slice = ArrayCase::new(machine.clone(), vec![layer.first(33, 3).unwrap()], timing, 1).unwrap();
            let result = cosimulate_array(&slice, &[Engine::Verilator], &settings).unwrap();
            assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0, "{design}, {memory}: {result:?}");
        }
    }
}

/// One build a design runs them all.
#[test]
fn a_whole_layer_of_every_type_agrees_in_verilator() {
    let layer = Layer::read();
    for design in DESIGNS {
        let machine = load(design).unwrap();
        let own =
            machine.types.iter().map(|t| layer.quantized(&t.weight_type, 64, t.weight_type.scale_kind())).collect();
        let case = Case::new(machine, own, Stalls::NONE, 1).unwrap();
        let result = cosimulate(&case, &[Engine::Verilator], &ExternalSettings::default()).unwrap();
        assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0, "{design}: {result:?}");
    }
}

/// A machine a type: Icarus is slow where many types share a term generator.
#[test]
fn a_slice_of_every_type_agrees_in_icarus() {
    let layer = Layer::read();
    let mut spec = load_spec("mosaic-types").unwrap().0;
    (spec.tile.rows, spec.tile.columns) = (2, 2);
    spec.scale_unit = Some(ScaleUnitSpec { pes_per_scale_unit: 2 });
    for executed in load("mosaic-types").unwrap().types {
        let weight_type = &executed.weight_type;
        spec.weights.types = vec![weight_type.name.to_string()];
        let machine = elaborate(&spec, "test").unwrap();
        let layers = vec![layer.quantized(weight_type, 64, weight_type.scale_kind()).first(2, 1).unwrap()];
        let case = Case::new(machine, layers, Stalls::NONE, 1).unwrap();
        let result = cosimulate(&case, &[Engine::Icarus], &ExternalSettings::default()).unwrap();
        assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0, "{}: {result:?}", weight_type.name);
    }
}
