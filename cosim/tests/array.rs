//! Whole machines: step engine = netlist at every beat, and outputs those of the host's datapath.

use bitmosaic_arch::{Machine, load};
use bitmosaic_cosim::array::{ArrayCase, run_array_engine};
use bitmosaic_cosim::random::{Activation, LayerShape, Random, layer};
use bitmosaic_cosim::{Engine, ExternalSettings, host_outputs};
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::trace::LayerTrace;

const TIMINGS: [MemoryTiming; 3] = [
    MemoryTiming::FAST,
    MemoryTiming { latency: 50, bytes_per_cycle: 3, outstanding: 2, seed: 5, threshold: 0 },
    MemoryTiming { latency: 1, bytes_per_cycle: 8, outstanding: 4, seed: 6, threshold: 150 },
];

fn layers(machine: &Machine) -> Vec<LayerTrace> {
    let mut random = Random::new(1);
    let mut layers = Vec::new();
    // At least three layers.
    for (t, executed) in machine.types.iter().cycle().take(machine.types.len().max(3)).enumerate() {
        let shape = LayerShape { tokens: 5 + 7 * t, output_channels: 37 + t, input_channels: 130, group: 32 };
        layers.push(layer(&mut random, machine, &executed.weight_type, shape, Activation::ALL[t]));
    }
    layers
}

#[test]
fn small_machines_agree_with_host_and_netlist() {
    let settings = ExternalSettings::default();
    for name in ["mosaic-small", "bitmod-small", "figna-small", "fp16-small", "ant-small"] {
        let machine = load(name).unwrap();
        for timing in TIMINGS {
            let case = ArrayCase::new(machine.clone(), layers(&machine), timing, 7).unwrap();
            let step = run_array_engine(&case, Engine::Step, &settings).unwrap();
            println!("{name}: {} cycles {:?}", step.trace.cycles, step.trace.status_cycles);
            assert_eq!(step.trace.error, 0);
            for (layer, own) in case.layers.iter().zip(case.outputs(&step.memory)) {
                let host = host_outputs(&machine, layer).unwrap();
                let differ = host.iter().zip(&own).filter(|(h, o)| h.to_bits() != o.to_bits()).count();
                assert_eq!(differ, 0, "{name} {} of {}", layer.weights.weight_type.name, own.len());
            }
            let netlist = run_array_engine(&case, Engine::Netlist, &settings).unwrap();
            assert!(step == netlist, "{name}");
        }
    }
}
