use bitmosaic_results::RtlDocument;

use crate::number::count;
use crate::run::provenance_table;
use crate::table::{Cell, Column, Table};

/// What `bitmosaic rtl` prints: provenance, the files, the modules and their resources.
pub fn rtl_text(document: &RtlDocument) -> String {
    let columns = vec![
        Column::left("module"),
        Column::right("instances"),
        Column::right("cells each"),
        Column::right("flip-flops each"),
        Column::right("cells"),
        Column::right("flip-flops"),
    ];
    let mut table = Table::new("Modules, leaves first", columns);
    let (mut instances, mut cells, mut flip_flops) = (0u128, 0u128, 0u128);
    for module in &document.result.modules {
        let n = u128::from(module.instances);
        let all = [n * u128::from(module.cells), n * u128::from(module.flip_flops)];
        instances += n;
        cells = cells.saturating_add(all[0]);
        flip_flops = flip_flops.saturating_add(all[1]);
        table.row([
            Cell::text(&module.name),
            Cell::Count(n),
            Cell::count(module.cells),
            Cell::count(module.flip_flops),
            Cell::Count(all[0]),
            Cell::Count(all[1]),
        ]);
    }
    let each = [Cell::Empty, Cell::Empty];
    let mut total = vec![Cell::text("total"), Cell::Count(instances)];
    total.extend(each);
    total.extend([Cell::Count(cells), Cell::Count(flip_flops)]);
    table.total = Some(total);

    let mut files = Table::facts(&format!("Files ({})", count(document.result.files.len() as u128)));
    for file in &document.result.files {
        files.row([Cell::text(file)]);
    }
    format!(
        "{}\n{}\n{}  Cells: combinational gate equivalents (2-input gates) as the netlist counts them; not a synthesis result.\n",
        provenance_table(&document.provenance, "Verilog export").text(),
        files.text(),
        table.text()
    )
}
