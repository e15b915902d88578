//! Energy: events times what each costs. Where the costs come from is not known here.

use bitmosaic_mappings::Events;
use bitmosaic_results::{CostTable, EnergyPj};

use crate::inference::{ProgramTiming, Timing};
use crate::vector_unit::VectorTiming;

/// Energy of an operation's timing.
pub fn energy(timing: &Timing, costs: &CostTable) -> EnergyPj {
    match timing {
        Timing::Program(program) => program_energy(program, costs),
        Timing::Vector(vector) => vector_energy(vector, costs),
    }
}

/// Energy of a program.
pub fn program_energy(program: &ProgramTiming, costs: &CostTable) -> EnergyPj {
    let Events { steps, slots, output_beats, aligned_beats, read_beats, activation_beats: _, written_beats, memories } =
        program.events;
    let of = |count: u64, pj: f64| count as f64 * pj;
    let compute = of(steps, costs.step_pj)
        + of(slots, costs.slot_pj)
        + of(output_beats, costs.output_beat_pj)
        + of(aligned_beats, costs.aligned_beat_pj)
        + of(read_beats + written_beats, costs.port_beat_pj);
    let accesses = memories.iter().zip(&costs.memories);
    let accesses: f64 = accesses.map(|(count, cost)| of(count.reads, cost.read) + of(count.writes, cost.write)).sum();
    sum(compute, accesses, program.cycles, program.bytes_read + program.bytes_written, costs)
}

/// Energy of work of the vector unit, whose operands are in memory.
pub fn vector_energy(vector: &VectorTiming, costs: &CostTable) -> EnergyPj {
    let compute = vector.operations as f64 * costs.vector_operation_pj;
    sum(compute, 0.0, vector.cycles, vector.bytes_read + vector.bytes_written, costs)
}

/// Adds `times` times an energy.
pub fn add(sum: &mut EnergyPj, energy: EnergyPj, times: u64) {
    let times = times as f64;
    sum.compute += times * energy.compute;
    sum.sram += times * energy.sram;
    sum.dram += times * energy.dram;
    sum.sram_leakage += times * energy.sram_leakage;
    sum.total = sum.compute + sum.sram + sum.dram;
}

fn sum(compute: f64, accesses: f64, cycles: u64, bytes: u64, costs: &CostTable) -> EnergyPj {
    let sram_leakage = cycles as f64 * costs.leakage_pj_per_cycle;
    let sram = accesses + sram_leakage;
    let dram = 8.0 * bytes as f64 * costs.dram_pj_per_bit;
    EnergyPj { compute, sram, dram, total: compute + sram + dram, sram_leakage }
}

#[cfg(test)]
mod tests {
    use bitmosaic_mappings::Accesses;
    use bitmosaic_results::AccessPj;

    use super::*;

    /// Every cost a different power of two, so that each event shows in a digit of its own.
    fn costs() -> CostTable {
        CostTable {
            technology: "test".into(),
            step_pj: 1.0,
            slot_pj: 2.0,
            output_beat_pj: 4.0,
            aligned_beat_pj: 8.0,
            port_beat_pj: 16.0,
            vector_operation_pj: 32.0,
            memories: (0..8).map(|i| AccessPj { read: f64::from(1 << i), write: f64::from(256 << i) }).collect(),
            leakage_pj_per_cycle: 0.25,
            dram_pj_per_bit: 0.5,
        }
    }

    #[test]
    fn each_event_has_its_cost() {
        let mut program = ProgramTiming { cycles: 8, bytes_read: 3, bytes_written: 2, ..ProgramTiming::default() };
        program.events = Events {
            steps: 1,
            slots: 1,
            output_beats: 1,
            aligned_beats: 1,
            read_beats: 1,
            activation_beats: 0,
            written_beats: 2,
            memories: [Accesses { reads: 1, writes: 1 }; 8],
        };
        let energy = program_energy(&program, &costs());
        assert_eq!(energy.compute, 1.0 + 2.0 + 4.0 + 8.0 + 3.0 * 16.0);
        assert_eq!(energy.sram_leakage, 2.0);
        assert_eq!(energy.sram, 255.0 + 256.0 * 255.0 + 2.0);
        assert_eq!(energy.dram, 5.0 * 8.0 * 0.5);
        assert_eq!(energy.total, energy.compute + energy.sram + energy.dram);
        let vector =
            VectorTiming { cycles: 4, operations: 3, bytes_read: 1, bytes_written: 1, ..VectorTiming::default() };
        let energy = vector_energy(&vector, &costs());
        assert_eq!((energy.compute, energy.sram, energy.dram), (96.0, 1.0, 8.0));
    }
}
