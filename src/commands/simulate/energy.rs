//! What energy a simulation is charged.

use bitmosaic_arch::{Machine, TECHNOLOGIES, Technology};
use bitmosaic_results::{CostTable, EnergyPj};
use bitmosaic_rtl::area::{area, cost_table};
use bitmosaic_rtl::hardware::build;

use super::{Arguments, device};
use crate::error::CliError;

/// Costs of a whole machine's events in the technology asked for and with the memory device asked for.
pub(super) fn costs(machine: &Machine, arguments: &Arguments) -> Result<CostTable, CliError> {
    let technology = Technology::load(arguments.technology.as_deref().unwrap_or(TECHNOLOGIES[0].0))?;
    let device = arguments.memory.as_deref().map(device).transpose()?;
    let area = area(machine, &build(machine)?, &technology)?;
    let dram = device.map_or(technology.dram_pj_per_bit, |device| device.pj_per_bit);
    Ok(cost_table(machine, &area, &technology, dram)?)
}

/// Adds `times` times an energy.
pub(super) fn add(sum: &mut EnergyPj, energy: EnergyPj, times: u64) {
    let times = times as f64;
    sum.compute += times * energy.compute;
    sum.sram += times * energy.sram;
    sum.dram += times * energy.dram;
    sum.sram_leakage += times * energy.sram_leakage;
    sum.total = sum.compute + sum.sram + sum.dram;
}
