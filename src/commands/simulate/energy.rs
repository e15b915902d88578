//! What energy a simulation is charged.

use bitmosaic_arch::{Machine, TECHNOLOGIES, Technology};
use bitmosaic_results::CostTable;
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
