//! Models on whole machines: sums, bounds, and the direction in which a change moves the time.

use bitmosaic_arch::{Machine, load};
use bitmosaic_mappings::Mapping;
use bitmosaic_sim::device::Device;
use bitmosaic_sim::inference::{InferenceError, OperandType, Precision, Timing, time_operations};
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::model;
use bitmosaic_workloads::operation::{LmHead, Operand, Operation, Scope, Work, operations};
use bitmosaic_workloads::phase::Step;
use bitmosaic_workloads::routing::Routing;

fn precision(weights: (&str, usize), cache: (&str, usize)) -> Precision {
    let operand = |(name, group)| OperandType::named(name, group).unwrap();
    Precision { weights: operand(weights), cache: operand(cache) }
}

fn list(name: &str, step: Step) -> Vec<Operation> {
    let routing = Routing::Uniform { seed: 1 };
    let scope = Scope { batch: 1, lm_head: LmHead::Last, routing, quantized_cache: true };
    operations(&model::load(name).unwrap(), step, &scope)
}

fn device(machine: &Machine, name: &str) -> MemoryTiming {
    Device::named(name).unwrap().timing(machine.clock_mhz)
}

const DECODE: Step = Step { new: 1, context: 300 };

/// All cycles of a decode.
fn cycles(machine: &Machine, name: &str, step: Step, precision: &Precision, memory: MemoryTiming) -> u64 {
    let list = list(name, step);
    let timings = time_operations(machine, &list, precision, memory, &Mapping::best()).unwrap();
    list.iter().zip(timings).map(|(operation, timing)| operation.layers * timing.cycles()).sum()
}

#[test]
fn no_operation_beats_its_roofline_and_all_tensors_move() {
    for design in ["mosaic", "bitmod"] {
        let machine = load(design).unwrap();
        let precision = precision(("bitmod-fp4", 128), ("int8", 64));
        let memory = device(&machine, "ddr4-3200");
        for preset in model::presets() {
            let list = list(preset.name, DECODE);
            let timings = time_operations(&machine, &list, &precision, memory, &Mapping::best()).unwrap();
            assert_eq!(timings.len(), list.len());
            for (operation, timing) in list.iter().zip(timings) {
                let name = format!("{design} {} {}", preset.name, operation.name);
                let bound = |bytes: u64| bytes.div_ceil(u64::from(memory.bytes_per_cycle));
                match (operation.work, timing) {
                    (Work::Product(product), Timing::Program(timing)) => {
                        let pes =
                            u128::from(machine.array.as_ref().unwrap().tiles() * machine.pes() * machine.pe.lanes);
                        assert!(timing.useful_terms <= pes * u128::from(timing.cycles), "{name}: utilization above 1");
                        assert!(timing.cycles >= bound(timing.bytes_read + timing.bytes_written), "{name}");
                        // `room` overlaps with the others.
                        let causes: u64 = timing.status_cycles[..6].iter().sum();
                        assert!(causes <= timing.cycles, "{name}");
                        // Codes alone, and a lane for each token: padding and scales come on top.
                        let operand = precision.of(product.operand);
                        let weights = u64::from(product.input_channels) * u64::from(product.output_channels);
                        let least = weights * u64::from(operand.weight_type.code_bits) / 8
                            + 2 * u64::from(product.tokens) * u64::from(product.input_channels);
                        assert!(
                            timing.bytes_read >= least * operation.instances,
                            "{name}: {} {least}",
                            timing.bytes_read
                        );
                        let outputs = 2 * u64::from(product.tokens) * u64::from(product.output_channels);
                        assert_eq!(timing.bytes_written, outputs * operation.instances, "{name}");
                        // One pass over the weights: at most a tenth more than codes and the record of each group.
                        if product.tokens == 1
                            && product.operand == Operand::Weights
                            && product.output_channels % 32 == 0
                        {
                            assert!(timing.bytes_read * 10 <= least * operation.instances * 12, "{name}");
                        }
                    }
                    (Work::Vector(_), Timing::Vector(timing)) => {
                        assert!(timing.cycles >= bound(timing.bytes_read + timing.bytes_written), "{name}");
                        assert!(timing.cycles >= timing.compute_cycles, "{name}");
                    }
                    _ => panic!("{name}: the wrong kind of timing"),
                }
            }
        }
    }
}

#[test]
fn changes_move_the_time_as_formulas_predict() {
    let machine = load("mosaic").unwrap();
    let base = precision(("bitmod-fp4", 128), ("int8", 64));
    let of = |precision: &Precision, memory: &str, step| {
        cycles(&machine, "llama-3-8b", step, precision, device(&machine, memory))
    };
    let reference = of(&base, "ddr4-3200", DECODE);
    // A decode is bound by memory: bytes over bandwidth, within the machine's own losses.
    let slow = of(&base, "ddr4-2133", DECODE) as f64 / reference as f64;
    assert!((slow - 24.0 / 16.0).abs() < 0.15, "24 to 16 bytes a cycle: {slow}");
    // Three bits instead of four; scales and selectors stay.
    let three = of(&precision(("bitmod-fp3", 128), ("int8", 64)), "ddr4-3200", DECODE) as f64 / reference as f64;
    assert!((three - 3.17 / 4.17).abs() < 0.06, "{three}");
    let eight = of(&precision(("int8", 128), ("int8", 64)), "ddr4-3200", DECODE) as f64 / reference as f64;
    assert!((eight - 8.17 / 4.17).abs() < 0.12, "{eight}");
    // Shorter groups have more scales.
    let short = of(&precision(("bitmod-fp4", 32), ("int8", 64)), "ddr4-3200", DECODE);
    assert!(short > reference, "{short} {reference}");
    // A narrower cache matters with the context.
    let long = Step { new: 1, context: 8192 };
    let (wide, narrow) =
        (of(&base, "ddr4-3200", long), of(&precision(("bitmod-fp4", 128), ("int4", 64)), "ddr4-3200", long));
    assert!(narrow < wide && wide > reference, "{narrow} {wide}");
    // The port has 32 bytes a cycle: a faster memory than that changes little.
    let (port, faster) = (of(&base, "lpddr5-6400", DECODE), of(&base, "hbm2", DECODE));
    assert!(port < reference && faster.abs_diff(port) < port / 20, "{port} {faster}");
}

#[test]
fn results_are_the_same_at_any_thread_count() {
    let machine = load("bitmod").unwrap();
    let precision = precision(("int6", 64), ("int8", 128));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let list = list("opt-1.3b", Step { new: 40, context: 40 });
        pool.install(|| {
            time_operations(&machine, &list, &precision, device(&machine, "hbm2"), &Mapping::best()).unwrap()
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let list = list("opt-1.3b", DECODE);
    let run = |design: &str, weights: &str| {
        let machine = load(design).unwrap();
        let precision = precision((weights, 128), ("int8", 128));
        time_operations(&machine, &list, &precision, MemoryTiming::FAST, &Mapping::best()).unwrap_err()
    };
    assert!(matches!(run("mosaic-small", "int4"), InferenceError::Missing { section: "vector_unit", .. }));
    let error = run("mosaic", "nf4").to_string();
    assert!(error.contains("attention.query") && error.contains("nf4"), "{error}");
}
