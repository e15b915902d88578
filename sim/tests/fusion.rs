//! The bound on what fusion could gain, beside sums by hand.

use bitmosaic_arch::load;
use bitmosaic_mappings::Mapping;
use bitmosaic_sim::fusion::FusionBound;
use bitmosaic_sim::inference::{OperandType, Precision, Timing, time_operations};
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::operation::{Function, Operand, Operation, Product, Vector, Work};

fn operation(work: Work) -> Operation {
    Operation { name: "one".into(), layers: 3, instances: 1, work }
}

fn timed(machine: &bitmosaic_arch::Machine, own: &Operation, memory: MemoryTiming) -> Timing {
    let of = |name| OperandType::named(name, 128).unwrap();
    let precision = Precision { weights: of("int4"), cache: of("int8") };
    time_operations(machine, std::slice::from_ref(own), &precision, memory, &Mapping::best()).unwrap()[0]
}

#[test]
fn the_bound_is_the_sum_by_hand() {
    let machine = load("mosaic").unwrap();
    let array = machine.array.as_ref().unwrap();
    // 256 KiB a half at 16 bits.
    assert_eq!(array.activation_values(&machine), 32 * 4096);
    let memory = MemoryTiming { bytes_per_cycle: 24, ..MemoryTiming::FAST };
    for (tokens, input_channels, output_channels) in
        [(1, 4096, 512), (32, 4096, 4096), (64, 4096, 256), (64, 4096, 4096)]
    {
        let product = Product { tokens, input_channels, output_channels, operand: Operand::Weights };
        let own = operation(Work::Product(product));
        let timing = timed(&machine, &own, memory);
        let Timing::Program(program) = timing else { panic!("no program") };
        let bound = FusionBound::of(&machine, &own, timing, memory);
        let (m, k, n) = (u64::from(tokens), u64::from(input_channels), u64::from(output_channels));
        let held = 32 * 4096;
        let loaded = program.events.activation_beats * 32;
        assert!(loaded % (2 * m * k) == 0 && loaded > 0, "rows are whole beats, loaded once or several times");
        assert_eq!(bound.activation_bytes, 3 * (loaded + 2 * m * n));
        let fitting =
            [(loaded, m * k), (2 * m * n, m * n)].map(|(bytes, values)| if values <= held { bytes } else { 0 });
        assert_eq!(bound.on_chip_bytes, 3 * (fitting[0] + fitting[1]));
        let left = program.bytes_read + program.bytes_written - fitting[0] - fitting[1];
        let read = program.bytes_read - fitting[0];
        let least = program.status_cycles[0].max(left.div_ceil(24)).max(read.div_ceil(32));
        let saved = if fitting == [0, 0] { 0 } else { program.cycles - least };
        assert_eq!(bound.cycles, 3 * saved, "{product:?}");
    }
}

#[test]
fn work_of_the_vector_unit_keeps_its_lanes_and_what_it_writes_to_the_cache() {
    let machine = load("mosaic").unwrap();
    let memory = MemoryTiming { bytes_per_cycle: 24, ..MemoryTiming::FAST };
    for (function, elements) in
        [(Function::Norm, 4096), (Function::QuantizeCache, 4096), (Function::Add, 1 << 20), (Function::Embedding, 4096)]
    {
        let own = operation(Work::Vector(Vector { function, elements }));
        let timing = timed(&machine, &own, memory);
        let Timing::Vector(vector) = timing else { panic!("no vector") };
        let bound = FusionBound::of(&machine, &own, timing, memory);
        let (passing, staying) = match function {
            Function::QuantizeCache => (vector.bytes_read, vector.bytes_written),
            Function::Embedding => (vector.bytes_written, vector.bytes_read),
            _ => (vector.bytes_read + vector.bytes_written, 0),
        };
        assert_eq!(bound.activation_bytes, 3 * passing);
        let fits = elements <= 32 * 4096;
        assert_eq!(bound.on_chip_bytes, if fits { 3 * passing } else { 0 });
        let least = vector.compute_cycles.max(staying.div_ceil(24));
        assert_eq!(bound.cycles, if fits { 3 * (vector.cycles - least) } else { 0 }, "{function:?}");
    }
}
