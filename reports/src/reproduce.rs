//! A publication beside what is computed here.

use bitmosaic_results::{ReproduceDocument, ReproduceResult};

use crate::run::provenance_table;
use crate::table::{Cell, Column, Table};
use crate::text::wrapped;

const WIDTH: usize = 98;

/// Why the cycle engine says something else than the published model, in the order of the columns.
const REASONS: [&str; 6] = [
    "Attention: the published model computes the scores of a prefill `heads` times over, and its weighted values 2 or more times; \
     its decode attends to no context in the scores.",
    "Attention runs on a cache of 8 bits here, 4 terms an element; the published model moves 16 bits and computes them at the \
     terms of the linear layers.",
    "Rows: a decode uses one of the array's 32 rows here; the published model reshapes the array to 64 x 16 and fills one of 16.",
    "Memory: here operands are fetched as often as double buffers of 256 KiB a half and the accumulators of 16 passes make them, \
     scales, selectors and commands with them, and loads take a word a cycle; there once, or once for every 512 KiB of the other \
     operand.",
    "Overlap: here each operation fills and drains, and waits for its first operands; there each takes the longer of compute and \
     memory.",
    "Vector unit: norms, softmax, rotary embedding, quantization of the cache and residuals take time here, none there.",
];

/// What `bitmosaic reproduce` prints: cycles and energies in columns published, engine `hpca25`, cycle engine; means of the
/// figures; why the last column differs; the last line counts published numbers that are not reproduced.
pub fn reproduce_text(document: &ReproduceDocument) -> String {
    let result = &document.result;
    let mut text = provenance_table(&document.provenance, "Reproduction").text();
    for table in [cycles(result), energies(result), ratios(result), causes(result)] {
        text += &format!("\n{}", table.text());
    }
    text += "\nWhy the cycle engine differs\n";
    for reason in REASONS {
        text += &wrapped(&format!("- {reason}"), WIDTH, "  ");
    }
    let numbers = 3 * result.points.len() + result.ratios.len();
    text + &format!("\npublished numbers: {numbers}, not reproduced: {}\n", result.differing)
}

fn cycles(result: &ReproduceResult) -> Table {
    let columns = vec![
        Column::left("machine"),
        Column::left("model"),
        Column::left("phase"),
        Column::right("published"),
        Column::right("hpca25"),
        Column::right("cycle engine"),
        Column::right("of published"),
    ];
    let mut table = Table::new("Cycles", columns);
    for point in &result.points {
        let own = point.cycle_engine.as_ref().map(|engine| engine.cycles);
        table.row([
            Cell::text(&point.machine),
            Cell::text(&point.model),
            Cell::text(&point.phase),
            Cell::count(point.published_cycles),
            Cell::count(point.hpca25_cycles),
            own.map_or(Cell::Empty, Cell::count),
            own.map_or(Cell::Empty, |own| Cell::text(format!("{:.3}", own as f64 / point.published_cycles as f64))),
        ]);
    }
    table
}

fn energies(result: &ReproduceResult) -> Table {
    let columns = vec![
        Column::left("machine"),
        Column::left("model"),
        Column::left("phase"),
        Column::right("on chip, published").unit("uJ"),
        Column::right("hpca25").unit("uJ"),
        Column::right("total, published").unit("uJ"),
        Column::right("hpca25").unit("uJ"),
    ];
    let mut table = Table::new("Energy", columns);
    for point in &result.points {
        let ([chip, total], [own_chip, own_total]) = (point.published_energy_uj, point.hpca25_energy_uj);
        table.row([
            Cell::text(&point.machine),
            Cell::text(&point.model),
            Cell::text(&point.phase),
            Cell::count(chip),
            Cell::count(own_chip),
            Cell::count(total),
            Cell::count(own_total),
        ]);
    }
    table
}

fn ratios(result: &ReproduceResult) -> Table {
    let columns = vec![
        Column::left("machine"),
        Column::left("quantity"),
        Column::left("scenario"),
        Column::right("published"),
        Column::right("hpca25"),
    ];
    let mut table = Table::new("Gain over FP16, mean of the models", columns);
    for ratio in &result.ratios {
        table.row([
            Cell::text(&ratio.machine),
            Cell::text(&ratio.quantity),
            Cell::text(&ratio.scenario),
            Cell::text(format!("{:.4}", ratio.published)),
            Cell::text(format!("{:.4}", ratio.hpca25)),
        ]);
    }
    table
}

fn causes(result: &ReproduceResult) -> Table {
    let columns = vec![
        Column::left("machine"),
        Column::left("model"),
        Column::left("phase"),
        Column::left("weights"),
        Column::right("attention, hpca25"),
        Column::right("attention"),
        Column::right("compute"),
        Column::right("memory"),
        Column::right("vector unit"),
        Column::right("bytes"),
    ];
    let mut table = Table::new("What the cycles of the cycle engine are", columns);
    for point in &result.points {
        let Some(engine) = &point.cycle_engine else { continue };
        table.row([
            Cell::text(&point.machine),
            Cell::text(&point.model),
            Cell::text(&point.phase),
            Cell::text(&engine.weights),
            Cell::count(point.hpca25_attention_cycles),
            Cell::count(engine.attention_cycles),
            Cell::count(engine.compute_cycles),
            Cell::count(engine.memory_cycles),
            Cell::count(engine.vector_cycles),
            Cell::count(engine.bytes),
        ]);
    }
    table
}
