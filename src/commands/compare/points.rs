//! One layer in one type and group on several designs.

use bitmosaic_arch::{DesignSpec, Machine, elaborate};
use bitmosaic_cosim::host_outputs;
use bitmosaic_kernels::yardstick::{fp16_outputs, fp32_outputs};
use bitmosaic_kernels::{agreement, exact, unquantized};
use bitmosaic_mappings::{MappingError, Matmul, Stalls, TileWalk, matmul_command};
use bitmosaic_numerics::{WeightType, error_statistics, f16, quantize_matrix, weights_to_fp16};
use bitmosaic_results::{AccuracyResult, Area, ComparePoint, ErrorStatistics, Fidelity};
use bitmosaic_rtl::cost::total_cost;
use bitmosaic_rtl::hardware::build;
use bitmosaic_workloads::trace::{Activations, LayerTrace};

use crate::commands::quantize::executed_bits;
use crate::commands::run::errors;
use crate::commands::simulate::{result, timing};
use crate::error::CliError;

/// A layer before quantization.
pub(super) struct Source {
    pub(super) name: String,
    /// Output channels, input channels.
    pub(super) shape: [usize; 2],
    pub(super) weights: Vec<f32>,
    /// `[tokens, input channels]`, as the model has them.
    pub(super) fp32_activations: Vec<f32>,
    /// The same in FP16, as machines take them.
    pub(super) activations: Activations,
}

/// A design built for one type alone.
pub(super) struct Variant {
    pub(super) machine: Machine,
    area: Area,
}

impl Variant {
    /// `type_name` as a design file has it, with the type's own kind of group scale; `file` names the design in errors.
    pub(super) fn new(
        spec: &DesignSpec,
        file: &str,
        type_name: &str,
        executed: &WeightType,
    ) -> Result<Variant, CliError> {
        let mut spec = spec.clone();
        spec.weights.types = vec![type_name.to_string()];
        spec.weights.scales = vec![executed.scale_kind().name().to_string()];
        let machine = elaborate(&spec, file)?;
        let area = area(&machine)?;
        Ok(Variant { machine, area })
    }
}

/// Resources of a machine: tile, and aligner where it has one.
pub(super) fn area(machine: &Machine) -> Result<Area, CliError> {
    let total = total_cost(build(machine)?.designs());
    Ok(Area {
        gate_equivalents: total.gate_equivalents(),
        cells: total.cells,
        flip_flops: total.flip_flops,
        ram_bits: total.ram_bits,
    })
}

/// Why the machine takes no products in such groups; nothing if it does.
pub(super) fn group_refusal(machine: &Machine, group: usize) -> Option<String> {
    let any = &machine.types[0].weight_type;
    command(machine, any, group, [1, 1, 1]).err().map(|refusal| refusal.to_string())
}

fn command(machine: &Machine, executed: &WeightType, group: usize, shape: [usize; 3]) -> Result<Matmul, MappingError> {
    matmul_command(machine, executed.name, executed.special_values(), executed.scale_kind(), group, shape)
}

/// The points of a layer quantized to this type and group, one a design. Cycles come from the event-driven simulator's
/// timing, outputs from the host's datapath, which the tests hold equal to the simulator's.
pub(super) fn points(
    source: &Source,
    executed: &WeightType,
    group: usize,
    variants: &[&Variant],
) -> Result<Vec<ComparePoint>, CliError> {
    let [output_channels, input_channels] = source.shape;
    let original = weights_to_fp16(&source.weights);
    let weights = quantize_matrix(&original, source.shape, group, executed)?;
    let weights_relative_mse = error_statistics(&original, &weights)?.relative_mse();
    let layer = LayerTrace { name: source.name.clone(), weights, activations: source.activations.clone() };
    let (activations, weights) = (&layer.activations.values, &layer.weights);
    let unquantized = unquantized(&source.fp32_activations, &source.weights, input_channels)?;
    let fidelity = |outputs: &[f16]| -> Result<Option<Fidelity>, CliError> {
        let record = |a: bitmosaic_kernels::Agreement| Fidelity { cosine: a.cosine, relative_mse: a.relative_mse };
        Ok(agreement(&unquantized, outputs)?.map(record))
    };
    let reference = exact(activations, weights)?;
    let quantized = fidelity(&reference.outputs)?;
    let yardsticks = AccuracyResult {
        datapath: ErrorStatistics::default(),
        fp16_yardstick: errors(&reference, &fp16_outputs(activations, weights)?)?,
        fp32_yardstick: errors(&reference, &fp32_outputs(activations, weights)?)?,
    };
    let point = |variant: &&Variant| {
        let machine = &variant.machine;
        let outputs = host_outputs(machine, &layer)?;
        let shape = [layer.activations.tokens, output_channels, input_channels];
        let matmul = command(machine, executed, group, shape)?;
        let macs = TileWalk::new(machine, &matmul).macs();
        let trace = timing(machine, &matmul, Stalls::NONE);
        let terms = matmul.terms.into();
        let simulated = result(machine, &[(source.name.clone(), String::new(), matmul)], &trace);
        let product = &simulated.layers[0];
        Ok(ComparePoint {
            layer: source.name.clone(),
            weight_type: executed.name.to_string(),
            group: group as u64,
            design: machine.name.clone(),
            terms,
            effective_bits_per_weight: executed_bits(executed, executed.scale_kind(), group, input_channels),
            weights_relative_mse,
            area: variant.area,
            cycles: product.cycles,
            compute_cycles: product.compute_cycles,
            stalls: product.stalls,
            utilization: simulated.utilization,
            gate_cycles_per_mac: variant.area.gate_equivalents as f64 * product.cycles as f64 / macs as f64,
            quantized,
            machine: fidelity(&outputs)?,
            error: AccuracyResult { datapath: errors(&reference, &outputs)?, ..yardsticks.clone() },
            pareto: false,
        })
    };
    variants.iter().map(point).collect()
}

/// Marks the points that no other is better than in gate cycles or error without being worse in the other.
pub(super) fn mark_front(points: &mut [ComparePoint]) {
    let place = |p: &ComparePoint| p.machine.map(|m| (p.gate_cycles_per_mac, m.relative_mse));
    let places: Vec<_> = points.iter().map(place).collect();
    for (point, own) in points.iter_mut().zip(&places) {
        let Some((cost, error)) = own else { continue };
        let beats = |(c, e): &(f64, f64)| c <= cost && e <= error && (c < cost || e < error);
        point.pareto = !places.iter().flatten().any(beats);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitmosaic_arch::load_spec;
    use bitmosaic_cosim::{Case, Engine, ExternalSettings, run_engine};
    use bitmosaic_numerics::{DigitSet, ScaleKind, TermTable, registry};
    use bitmosaic_workloads::generate::{LayerParameters, generate};

    fn source(tokens: usize, output_channels: usize, input_channels: usize) -> Source {
        let parameters = LayerParameters { tokens, output_channels, input_channels, ..LayerParameters::default() };
        let layer = generate(&parameters).unwrap();
        let to_f32 = |values: &[f16]| values.iter().map(|v| v.to_f32()).collect::<Vec<f32>>();
        Source {
            name: "layer".into(),
            shape: [output_channels, input_channels],
            weights: to_f32(&layer.weights),
            fp32_activations: to_f32(&layer.activations.values),
            activations: layer.activations,
        }
    }

    /// Every executable type and group on both default designs: the simulator's run of the same layer has the same cycles,
    /// stalls and outputs as the point.
    #[test]
    fn points_are_what_the_simulator_does() {
        let source = source(9, 11, 144);
        let mut compared = 0;
        for executed in registry().iter().filter(|t| TermTable::new(t, DigitSet::Radix4).is_ok()) {
            for design in ["mosaic-tile", "bitmod-tile"] {
                let variant = Variant::new(&load_spec(design).unwrap().0, design, executed.name, executed);
                let own = executed.has_zero_point() || executed.scale_kind() != ScaleKind::Int8;
                assert_eq!(variant.is_err(), own && design == "bitmod-tile", "{}", executed.name);
                let Ok(variant) = variant else { continue };
                for group in [16, 128] {
                    let point = &points(&source, executed, group, &[&variant]).unwrap()[0];
                    let weights =
                        quantize_matrix(&weights_to_fp16(&source.weights), source.shape, group, executed).unwrap();
                    let layer = LayerTrace { name: "x".into(), weights, activations: source.activations.clone() };
                    let case = Case::new(variant.machine.clone(), vec![layer.clone()], Stalls::NONE, 1).unwrap();
                    let run = run_engine(&case, Engine::Simulator, &ExternalSettings::default()).unwrap();
                    let place = format!("{} g{group} {design}", executed.name);
                    assert_eq!(point.cycles, run.tile.cycles(), "{place}");
                    let status = [point.compute_cycles, 0, point.stalls.scale_unit, 0];
                    assert_eq!(run.tile.status_cycles, status, "{place}");
                    let outputs = &case.outputs(&run.tile.outputs).unwrap()[0];
                    let reference = exact(&layer.activations.values, &layer.weights).unwrap();
                    assert_eq!(point.error.datapath, errors(&reference, outputs).unwrap(), "{place}");
                    let own = unquantized(&source.fp32_activations, &source.weights, 144).unwrap();
                    let found = agreement(&own, outputs).unwrap().unwrap();
                    let machine = point.machine.unwrap();
                    assert_eq!((machine.cosine, machine.relative_mse), (found.cosine, found.relative_mse), "{place}");
                    compared += 1;
                }
            }
        }
        assert!(compared >= 4 * 17, "{compared}");
    }

    #[test]
    fn the_front_has_what_nothing_beats() {
        let point = |cost, error: Option<f64>| ComparePoint {
            gate_cycles_per_mac: cost,
            machine: error.map(|relative_mse| Fidelity { cosine: 1.0, relative_mse }),
            ..ComparePoint::default()
        };
        let mut points = [
            point(1.0, Some(9.0)),
            point(2.0, Some(9.0)),
            point(2.0, Some(4.0)),
            point(2.0, Some(4.0)),
            point(3.0, Some(5.0)),
            point(9.0, Some(1.0)),
            point(12.0, Some(1.0)),
            point(1.0, Some(10.0)),
            point(0.5, None),
        ];
        mark_front(&mut points);
        assert_eq!(points.map(|p| p.pareto), [true, false, true, true, false, true, false, false, false]);
    }
}
