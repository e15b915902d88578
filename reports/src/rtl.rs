use bitmosaic_results::{AreaUm2, RtlDocument};

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
        "{}\n{}\n{}  Cells: combinational gate equivalents (2-input gates) as the netlist counts them; not a synthesis result.\n\n{}",
        provenance_table(&document.provenance, "Verilog export").text(),
        files.text(),
        table.text(),
        area_table(&document.result.technology, &document.result.area_um2).text()
    )
}

/// Area by part with shares.
fn area_table(technology: &str, area: &AreaUm2) -> Table {
    let columns = vec![Column::left("part"), Column::right("area").unit("µm²"), Column::right("share")];
    let mut table = Table::new(&format!("Estimated area, {technology}"), columns);
    let parts = [
        ("processing elements", area.processing_elements),
        ("term generators", area.term_generators),
        ("operands", area.operands),
        ("scale units", area.scale_units),
        ("output stages", area.output_stages),
        ("aligner", area.aligner),
        ("queues between tiles", area.queues),
        ("control", area.control),
        ("fetch, load, store", area.dma),
        ("memories", area.memories),
    ];
    let share = |um2: f64| Cell::Share(if um2 == 0.0 { 0.0 } else { um2 / area.total });
    for (name, um2) in parts.into_iter().filter(|(_, um2)| *um2 != 0.0) {
        table.row([Cell::text(name), Cell::Number(um2), share(um2)]);
    }
    table.total = Some(vec![Cell::text("total"), Cell::Number(area.total), share(area.total)]);
    table
}
