//! Closed forms of a mapping against the event-driven engine: bytes, steps, and no engine below any bound.

use bitmosaic_arch::load;
use bitmosaic_mappings::{MAPPINGS, Mapping, MappingSpace, Start, matmul_command, schedule_array};
use bitmosaic_sim::cycle::array::run_timing;
use bitmosaic_sim::memory::MemoryTiming;

/// Bytes of a command of a program.
const COMMAND_BYTES: u64 = bitmosaic_mappings::COMMAND_BYTES as u64;

#[test]
fn closed_forms_are_what_the_engine_counts() {
    let mut compared = 0;
    let mut dataflows = [0; MAPPINGS.len()];
    for design in ["mosaic-small", "bitmod-small", "mosaic", "bitmod"] {
        let machine = load(design).unwrap();
        let array = machine.array.as_ref().unwrap();
        let beat = u64::from(array.beat_bytes());
        for case in 0..90usize {
            let tokens = 1 + case * 7 % 45;
            let output_channels = 1 + case * 29 % 200;
            let input_channels = [64, 200, 1000, 4096, 6001][case % 5];
            let group = [32, 64, 128][case / 5 % 3];
            let own = &machine.types[case % machine.types.len()].weight_type;
            let shape = [tokens, output_channels, input_channels];
            let matmul =
                matmul_command(&machine, own.name, own.special_values(), own.scale_kind(), group, shape).unwrap();
            let space = MappingSpace::new(&machine, &matmul).unwrap();
            let (name, _) = MAPPINGS[case % MAPPINGS.len()];
            let mapping = Mapping::load(name).unwrap();
            let Ok((tiling, traffic)) = space.best(&mapping) else { continue };
            if let Some(dataflow) = mapping.dataflow {
                assert_eq!(space.dataflow(tiling), dataflow);
            }
            dataflows[case % MAPPINGS.len()] += 1;
            let program = schedule_array(&machine, &[matmul], &mapping).unwrap().program;
            let events = program.events(&machine);
            let commands = program.commands.len() as u64;
            let timing = MemoryTiming { latency: 20, bytes_per_cycle: 24, ..MemoryTiming::FAST };
            let start = Start { address: 0, commands: commands as u32 };
            let limit = program.cycle_limit(&machine, timing.latency);
            let trace = run_timing(&machine, &program, start, timing, limit).unwrap().unwrap();
            let what = format!("{design} case {case}, {name}: {tiling:?}");
            assert_eq!(traffic.loaded_beats + commands * COMMAND_BYTES / beat, events.read_beats, "{what}");
            assert_eq!(trace.bytes_read(array.beat_bytes()), events.read_beats * beat, "{what}");
            assert_eq!(trace.status_cycles[0], events.steps, "{what}");
            let bound = program.least_cycles(&machine, timing.bytes_per_cycle);
            assert!(trace.cycles > bound, "{what}: {} cycles, bound {bound}", trace.cycles);
            compared += 1;
        }
    }
    assert!(compared >= 200 && dataflows.iter().all(|n| *n >= 20), "{compared} {dataflows:?}");
}
