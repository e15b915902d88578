//! Whole machines: step engine = netlist at every beat, and outputs those of the host's datapath.

use bitmosaic_arch::{Machine, load};
use bitmosaic_cosim::host_outputs;
use bitmosaic_cosim::random::{Activation, LayerShape, Random, layer};
use bitmosaic_mappings::{Accelerator, ArrayProgram, Start, lower_array, read_outputs};
use bitmosaic_rtl::accelerator::NetlistArray;
use bitmosaic_rtl::hardware::build;
use bitmosaic_sim::memory::{IdealMemory, MemoryTiming};
use bitmosaic_sim::run::{ArrayTrace, run_array};
use bitmosaic_sim::step::ArrayStep;
use bitmosaic_workloads::trace::LayerTrace;

fn run(
    machine: &Machine,
    engine: &mut dyn Accelerator,
    program: &ArrayProgram,
    timing: MemoryTiming,
) -> (ArrayTrace, Vec<u8>) {
    let data_bits = machine.array.as_ref().unwrap().data_bits;
    let mut memory = IdealMemory::new(timing, data_bits, program.memory.clone());
    let start = Start { address: 0, commands: program.program.commands.len() as u32 };
    let trace =
        run_array(engine, &mut memory, start, 1_000_000).unwrap_or_else(|e| panic!("{e}\n{:?}", e.trace.retirements));
    (trace, memory.bytes)
}

fn layers(machine: &Machine) -> Vec<LayerTrace> {
    let mut random = Random::new(1);
    let mut layers = Vec::new();
    for (t, executed) in machine.types.iter().enumerate() {
        let shape = LayerShape { tokens: 5 + 7 * t, output_channels: 37 + t, input_channels: 130, group: 32 };
        layers.push(layer(&mut random, machine, &executed.weight_type, shape, Activation::ALL[t]));
    }
    layers
}

#[test]
fn small_machines_agree_with_host_and_netlist() {
    let timings = [
        MemoryTiming::FAST,
        MemoryTiming { latency: 50, bytes_per_cycle: 3, outstanding: 2, seed: 5, threshold: 0 },
        MemoryTiming { latency: 1, bytes_per_cycle: 8, outstanding: 4, seed: 6, threshold: 150 },
    ];
    for name in ["mosaic-small", "bitmod-small"] {
        let machine = load(name).unwrap();
        let layers = layers(&machine);
        let operands: Vec<_> = layers.iter().map(|l| (&l.weights, &l.activations.values[..])).collect();
        let program = lower_array(&machine, &operands).unwrap();
        let design = build(&machine).unwrap().array.unwrap();
        for timing in timings {
            let (step, memory) = run(&machine, &mut ArrayStep::new(&machine).unwrap(), &program, timing);
            println!("{name}: {} cycles {:?} error {}", step.cycles, step.status_cycles, step.error);
            assert_eq!(step.error, 0);
            for (layer, region) in layers.iter().zip(&program.outputs) {
                let host = host_outputs(&machine, layer).unwrap();
                let own = read_outputs(&memory, region);
                let differ = host.iter().zip(&own).filter(|(h, o)| h.to_bits() != **o).count();
                assert_eq!(differ, 0, "{name} {} of {}", layer.weights.weight_type.name, own.len());
            }
            let mut hardware = NetlistArray::new(&design, 7).unwrap();
            let (netlist, other) = run(&machine, &mut hardware, &program, timing);
            let counted = hardware.read_counters();
            assert_eq!(counted[0], step.cycles);
            assert_eq!(counted[3..], step.status_cycles);
            assert_eq!(counted[2], step.beats.len() as u64);
            let first = step.beats.iter().zip(&netlist.beats).position(|(a, b)| a != b);
            println!(
                "netlist {} cycles; first beat apart {first:?} of {} {}",
                netlist.cycles,
                step.beats.len(),
                netlist.beats.len()
            );
            let first = step.reads.iter().zip(&netlist.reads).position(|(a, b)| a != b);
            println!("first read apart {first:?} of {} {}", step.reads.len(), netlist.reads.len());
            assert!(step == netlist && memory == other, "{name}");
        }
    }
}
