//! Whole machines: outputs those of the host's datapath.

use bitmosaic_arch::load;
use bitmosaic_cosim::host_outputs;
use bitmosaic_cosim::random::{Activation, LayerShape, Random, layer};
use bitmosaic_mappings::{Start, lower_array, read_outputs};
use bitmosaic_sim::memory::{IdealMemory, MemoryTiming};
use bitmosaic_sim::run::run_array;
use bitmosaic_sim::step::ArrayStep;

#[test]
fn small_machines_compute_what_the_host_does() {
    for name in ["mosaic-small", "bitmod-small"] {
        let machine = load(name).unwrap();
        let mut random = Random::new(1);
        let mut layers = Vec::new();
        for (t, executed) in machine.types.iter().enumerate() {
            let shape = LayerShape { tokens: 5 + 7 * t, output_channels: 37 + t, input_channels: 130, group: 32 };
            layers.push(layer(&mut random, &machine, &executed.weight_type, shape, Activation::ALL[t]));
        }
        let operands: Vec<_> = layers.iter().map(|l| (&l.weights, &l.activations.values[..])).collect();
        let lowered = lower_array(&machine, &operands).unwrap();
        println!("{:?}", lowered.tilings);
        let mut engine = ArrayStep::new(&machine).unwrap();
        let data_bits = machine.array.as_ref().unwrap().data_bits;
        let mut memory = IdealMemory::new(MemoryTiming::FAST, data_bits, lowered.memory.clone());
        let start = Start { address: 0, commands: lowered.program.commands.len() as u32 };
        let trace = run_array(&mut engine, &mut memory, start, 1_000_000).unwrap_or_else(|e| panic!("{name}: {e}\n{:?}", e.trace.retirements));
        println!("{name}: {} cycles {:?} error {}", trace.cycles, trace.status_cycles, trace.error);
        assert_eq!(trace.error, 0);
        for (layer, region) in layers.iter().zip(&lowered.outputs) {
            let host = host_outputs(&machine, layer).unwrap();
            let own = read_outputs(&memory.bytes, region);
            let differ = host.iter().zip(&own).filter(|(h, o)| h.to_bits() != **o).count();
            assert_eq!(differ, 0, "{name} {} of {}", layer.weights.weight_type.name, own.len());
        }
    }
}
