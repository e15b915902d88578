//! Why a product runs as it does on a machine.

use bitmosaic_results::{MappingDocument, MappingPoint};

use crate::run::provenance_table;
use crate::table::{Cell, Column, Table};

/// What `bitmosaic mapping explain` prints.
pub fn mapping_text(document: &MappingDocument) -> String {
    let result = &document.result;
    let mut text = provenance_table(&document.provenance, "Mapping").text();

    let columns = ["what", "dataflow", "row blocks", "column blocks", "groups", "changes last", "commands"];
    let mut heads: Vec<Column> = columns.iter().take(2).map(|name| Column::left(name)).collect();
    heads.extend(columns[2..].iter().map(|name| Column::right(name)));
    heads.extend(["weights, bytes", "times", "activations, bytes", "times"].map(Column::right));
    let mut table = Table::new("Tilings", heads);
    let [weights, activations] = result.tensor_bytes;
    let mut row = |what: &str, point: &MappingPoint| {
        table.row([
            Cell::text(what),
            Cell::text(&point.dataflow),
            Cell::count(point.row_blocks),
            Cell::count(point.column_blocks),
            Cell::count(point.groups),
            Cell::text(&point.changes_last),
            Cell::count(point.commands),
            Cell::count(point.weight_bytes),
            Cell::text(format!("{:.1}", point.weight_bytes as f64 / weights as f64)),
            Cell::count(point.activation_bytes),
            Cell::text(format!("{:.1}", point.activation_bytes as f64 / activations as f64)),
        ]);
    };
    row("chosen", &result.chosen);
    for point in &result.by_dataflow {
        row("best of", point);
    }
    text += &format!("\n{}", table.text());

    let mut table = Table::new("Where the time goes", vec![Column::left(""), Column::right("cycles")]);
    for (name, cycles) in [
        ("array, closed form", result.compute_cycles),
        ("way into the buffers, closed form", result.load_cycles),
        ("memory, closed form", result.memory_cycles),
        ("event-driven engine", result.cycles),
    ] {
        table.row([Cell::text(name), Cell::count(cycles)]);
    }
    text += &format!("\n{}", table.text());
    let names = ["tiles", "rows x columns of PEs", "array", "way in", "memory", "engine, cycles"];
    let heads =
        names.iter().take(1).map(|name| Column::left(name)).chain(names[1..].iter().map(|name| Column::right(name)));
    let mut table = Table::new("Arrangements of the same tiles and buffer bytes, cycles", heads.collect());
    for shape in &result.shapes {
        table.row([
            Cell::text(format!("{} x {}", shape.down, shape.across)),
            Cell::text(format!("{} x {}", shape.rows, shape.columns)),
            Cell::count(shape.compute_cycles),
            Cell::count(shape.load_cycles),
            Cell::count(shape.memory_cycles),
            Cell::count(shape.cycles),
        ]);
    }
    text += &format!("\n{}", table.text());
    if !result.limits.is_empty() {
        let heads = vec![Column::left("a command cannot have"), Column::left("without a larger")];
        let mut table = Table::new("What limits the tiling", heads);
        for limit in &result.limits {
            table.row([Cell::text(&limit.step), Cell::text(&limit.field)]);
        }
        text += &format!("\n{}", table.text());
    }
    let [rows, columns, groups] = result.blocks;
    text + &format!(
        "\n{rows} x {columns} blocks (tokens x output channels), {groups} groups; {} tilings compared\n\
         {:.1} multiply-accumulates a byte, ridge point {:.1}: bound by {}\n",
        result.compared, result.arithmetic_intensity, result.ridge_point, result.bound
    )
}
