use bitmosaic_results::{EnergyPj, SimulateResult};

use crate::ReportsError;
use crate::breakdown::Cause;
use crate::table::{Cell, Column, Table};

/// Layers as CSV, one row each, no total; columns as in the JSON document, empty where no energy is modelled.
///
/// # Errors
/// `Csv` if the writer refuses; it does not for results in memory.
pub fn layers_csv(result: &SimulateResult) -> Result<String, ReportsError> {
    let names = [
        "name",
        "op",
        "cycles",
        "compute_cycles",
        "memory_cycles",
        "stall_operand_cycles",
        "stall_scale_unit_cycles",
        "stall_output_cycles",
        "stall_fill_drain_cycles",
        "bytes_read",
        "bytes_written",
        "energy_compute_pj",
        "energy_sram_pj",
        "energy_dram_pj",
        "energy_total_pj",
    ];
    let mut table = Table::new("layers", names.map(Column::left).into());
    for layer in &result.layers {
        let mut row = vec![Cell::text(&layer.name), Cell::text(&layer.op), Cell::count(layer.cycles)];
        row.extend(Cause::RECORDED.map(|cause| Cell::count(cause.of(layer))));
        row.extend([Cell::count(layer.bytes_read), Cell::count(layer.bytes_written)]);
        row.extend(layer.energy_pj.iter().flat_map(energy));
        table.row(row);
    }
    table.csv()
}

fn energy(energy: &EnergyPj) -> [Cell; 4] {
    [energy.compute, energy.sram, energy.dram, energy.total].map(Cell::Number)
}

/// One row a layer. A cause that took no cycle in any layer has no column; the title says which.
pub(crate) fn layer_table(result: &SimulateResult) -> Table {
    let used = |cause: &Cause| result.layers.iter().any(|l| cause.of(l) > 0);
    let (shown, hidden): (Vec<Cause>, Vec<Cause>) = Cause::RECORDED.into_iter().partition(used);
    let energy = result.layers.iter().any(|l| l.energy_pj.is_some()) || result.energy_pj.is_some();

    let mut columns = vec![Column::left("layer"), Column::left("operation"), Column::right("cycles")];
    columns.extend(shown.iter().map(|c| Column::right(c.name())));
    columns.extend([Column::right("bytes read"), Column::right("bytes written")]);
    if energy {
        columns.push(Column::right("energy").unit("pJ"));
    }
    let mut title = String::from("Cycles by layer");
    if !hidden.is_empty() {
        let names: Vec<&str> = hidden.iter().map(|c| c.name()).collect();
        title += &format!(" (0 in every layer, not shown: {})", names.join(", "));
    }
    let mut table = Table::new(&title, columns);

    let energy_cell = |e: &Option<EnergyPj>| e.map_or(Cell::text("not modelled"), |e| Cell::Number(e.total));
    for layer in &result.layers {
        let mut row = vec![Cell::text(&layer.name), Cell::text(&layer.op), Cell::count(layer.cycles)];
        row.extend(shown.iter().map(|c| Cell::count(c.of(layer))));
        row.extend([Cell::count(layer.bytes_read), Cell::count(layer.bytes_written), energy_cell(&layer.energy_pj)]);
        table.row(row);
    }
    let sum = |of: &dyn Fn(&bitmosaic_results::LayerResult) -> u64| {
        Cell::Count(result.layers.iter().map(|l| u128::from(of(l))).sum())
    };
    let mut total = vec![Cell::text("total"), Cell::Empty, Cell::count(result.cycles)];
    total.extend(shown.iter().map(|c| sum(&|l| c.of(l))));
    total.extend([sum(&|l| l.bytes_read), sum(&|l| l.bytes_written), energy_cell(&result.energy_pj)]);
    table.total = Some(total);
    table
}
