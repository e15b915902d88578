//! Machines and products of equal timing key take equal cycles, whatever else they differ in.

use std::collections::BTreeSet;

use bitmosaic_arch::{DesignSpec, Machine, PeKind, elaborate};
use bitmosaic_cosim::random::Random;
use bitmosaic_cosim::random_array::{array_design, memory_timing};
use bitmosaic_mappings::{Events, Mapping, Matmul, Start, TimingKey, matmul_command, schedule_array};
use bitmosaic_numerics::registry;
use bitmosaic_sim::cycle::array::run_cycles;
use bitmosaic_sim::memory::MemoryTiming;

/// Random machines.
const MACHINES: u64 = 150;

/// Changes some of what should not matter: widths of the datapath, guard bits, the largest group, types of as many terms and bits.
fn another(spec: &DesignSpec, random: &mut Random) -> DesignSpec {
    let mut other = spec.clone();
    other.name = "another".into();
    other.clock_mhz = 1 + random.below(2000) as u32;
    let element = &mut other.processing_element;
    match element.kind {
        PeKind::BitSerialBlock | PeKind::Fp16Int => element.significand_bits = Some(8 + random.below(17) as u32),
        PeKind::BitSerialFloat | PeKind::Fp16Mac => {
            element.guard_bits = Some(random.below(9) as u32);
            element.accumulator_guard_bits = Some(random.below(9) as u32);
        }
    }
    if random.below(2) == 0 {
        let names: Vec<&str> = registry().iter().map(|t| t.name).collect();
        other.weights.types.push(random.pick(&names).to_string());
    }
    let entry = other.processing_element.lanes * other.buffers.as_ref().map_or(1, |buffers| buffers.chunks_per_entry);
    other.weights.max_group = entry * (1 + random.below(256 / entry as usize) as u32);
    other
}

/// Commands of the same sizes on a machine, one a type.
fn commands(machine: &Machine, group: usize, shape: [usize; 3]) -> Vec<Matmul> {
    let command = |t: &bitmosaic_arch::ExecutedType| {
        let t = &t.weight_type;
        matmul_command(machine, t.name, t.special_values(), t.scale_kind(), group, shape).ok()
    };
    machine.types.iter().filter_map(command).collect()
}

fn cycles(
    machine: &Machine,
    matmul: &Matmul,
    instances: u64,
    timing: MemoryTiming,
) -> Option<(u64, [u64; 7], Events, u64)> {
    let schedule = schedule_array(machine, &vec![matmul.clone(); instances as usize], &Mapping::best()).ok()?;
    let start = Start { address: 0, commands: schedule.program.commands.len() as u32 };
    let (cycles, status) = run_cycles(machine, &schedule.program, start, timing, u64::MAX / 8)?;
    Some((cycles?, status, schedule.program.events(machine), schedule.program.bytes_written()))
}

#[test]
fn equal_keys_take_equal_cycles() {
    let (mut equal, mut different, mut unlike) = (0, 0, 0);
    let mut fields = BTreeSet::new();
    for seed in 0..MACHINES {
        let mut random = Random::new(77_000 + seed);
        let spec = array_design(&mut random);
        let machine = elaborate(&spec, "random").unwrap();
        let (rows, columns) = machine.array.as_ref().map(|a| (a.rows, a.columns)).unwrap();
        let timing = MemoryTiming { threshold: 0, ..memory_timing(&mut random) };
        let group = machine.entry_channels as usize * (1 + random.below(4));
        let shape = [1 + random.below(4 * rows as usize), 1 + random.below(6 * columns as usize), 1 + random.below(90)];
        let instances = 1 + random.below(3) as u64;
        for _ in 0..6 {
            let Ok(other) = elaborate(&another(&spec, &mut random), "random") else { continue };
            for own in commands(&machine, group, shape) {
                for theirs in commands(&other, group, shape) {
                    let keys = [(&machine, &own), (&other, &theirs)];
                    let [a, b] = keys.map(|(machine, matmul)| TimingKey::new(machine, matmul, instances).unwrap());
                    let [x, y] = keys.map(|(machine, matmul)| cycles(machine, matmul, instances, timing));
                    if a == b {
                        assert_eq!(x, y, "seed {seed}\n{a:?}\n{machine:?}\n{other:?}");
                        equal += 1;
                        fields.insert(format!("{:?} {}", other.pe, other.max_group));
                    } else {
                        different += 1;
                        unlike += u32::from(x != y);
                    }
                }
            }
        }
    }
    println!(
        "{equal} pairs of equal keys, {} other PEs; of {different} other pairs {unlike} differ in time",
        fields.len()
    );
    assert!(equal > 300 && fields.len() > 100 && unlike > 100, "{equal} {} {unlike}", fields.len());
}
