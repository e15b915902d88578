//! Area of a machine and what its events cost, from its netlist and a technology.

use bitmosaic_arch::{ArchError, Machine, MemoryKind, Technology};
use bitmosaic_results::{AccessPj, AreaUm2, CostTable};

use crate::cost::TotalCost;
use crate::hardware::{Part, Units};

const UM2_PER_MM2: f64 = 1e6;

/// Area of a machine. A design that is a tile alone has that of its tile and aligner.
///
/// # Errors
/// `Field` for memories that the technology's table does not reach.
pub fn area(machine: &Machine, units: &Units, technology: &Technology) -> Result<AreaUm2, ArchError> {
    let logic = |of: &TotalCost| {
        let logic = &technology.logic;
        of.cells as f64 * logic.um2_per_gate + of.flip_flops as f64 * logic.um2_per_flip_flop
    };
    let mut area = AreaUm2::default();
    for (part, cost) in units.parts() {
        let of = match part {
            Part::ProcessingElements => &mut area.processing_elements,
            Part::TermGenerators => &mut area.term_generators,
            Part::Operands => &mut area.operands,
            Part::ScaleUnits => &mut area.scale_units,
            Part::OutputStages => &mut area.output_stages,
            Part::Aligner => &mut area.aligner,
            Part::Queues => &mut area.queues,
            Part::Control => &mut area.control,
            Part::Dma => &mut area.dma,
        };
        *of += logic(&cost);
    }
    for banks in machine.banks() {
        let one = technology.memory.at(banks.entries, banks.bits)?;
        area.memories += f64::from(banks.count) * one.mm2 * UM2_PER_MM2;
    }
    let AreaUm2 { total: _, processing_elements, term_generators, operands, scale_units, .. } = area;
    let AreaUm2 { output_stages, aligner, queues, control, dma, memories, .. } = area;
    area.total = processing_elements + term_generators + operands + scale_units + output_stages;
    area.total += aligner + queues + control + dma + memories;
    Ok(area)
}

/// What the events of a machine cost. Logic that works takes energy by its area, logic that rests none.
///
/// # Errors
/// As [`area`].
pub fn cost_table(
    machine: &Machine,
    area: &AreaUm2,
    technology: &Technology,
    dram_pj_per_bit: f64,
) -> Result<CostTable, ArchError> {
    let busy = |um2: f64| um2 * technology.logic.pj_per_um2_cycle;
    let mut memories = vec![AccessPj::default(); MemoryKind::ALL.len()];
    let (mut counts, mut leakage_mw) = ([0.0; MemoryKind::ALL.len()], 0.0);
    for banks in machine.banks() {
        let (one, count) = (technology.memory.at(banks.entries, banks.bits)?, f64::from(banks.count));
        let of = &mut memories[banks.kind as usize];
        *of = AccessPj { read: of.read + count * one.read_pj, write: of.write + count * one.write_pj };
        counts[banks.kind as usize] += count;
        leakage_mw += count * one.leakage_mw;
    }
    // Banks of a kind are accessed equally often: the mean of them.
    for (of, count) in memories.iter_mut().zip(counts).filter(|(_, count)| *count > 0.0) {
        *of = AccessPj { read: of.read / count, write: of.write / count };
    }
    Ok(CostTable {
        technology: technology.name.clone(),
        step_pj: busy(area.processing_elements + area.term_generators + area.operands + area.queues + area.control),
        slot_pj: busy(area.scale_units),
        output_beat_pj: busy(area.output_stages),
        aligned_beat_pj: busy(area.aligner),
        port_beat_pj: busy(area.dma),
        vector_operation_pj: technology.logic.pj_per_vector_operation,
        memories,
        // mW · ns.
        leakage_pj_per_cycle: leakage_mw * 1e3 / f64::from(machine.clock_mhz),
        dram_pj_per_bit,
    })
}
