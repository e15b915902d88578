//! A publication beside what is computed here.

use std::path::Path;

use bitmosaic_results::{CycleEnginePoint, ReproduceDocument, ReproduceResult, ReproducedPoint};

use crate::ReportsError;
use crate::number::significant;
use crate::page::{Block, Page, Section, Tone};
use crate::plot::{BarGroup, Svg, bars_plot};
use crate::run::provenance_table;
use crate::table::{Cell, Column, Table};
use crate::text::{visible, wrapped};

const WIDTH: usize = 98;

/// Why the cycle engine says something else than the published model, in the order of the columns.
const REASONS: [&str; 7] = [
    "Attention: the published model computes the scores of a prefill `heads` times over, and its weighted values 2 or more times; \
     its decode attends to no context in the scores.",
    "Attention runs on a cache of 8 bits here, 4 terms an element; the published model moves 16 bits and computes them at the \
     terms of the linear layers.",
    "Rows: a decode uses one of the array's 32 rows here; the published model reshapes the array to 64 x 16 and fills one of 16.",
    "Memory: here operands are fetched as often as double buffers of 256 KiB a half and the accumulators of 16 passes make them, \
     scales, selectors and commands with them; there once, or once for every 512 KiB of the other \
     operand.",
    "Overlap: here each operation fills and drains, and waits for its first operands; there each takes the longer of compute and \
     memory.",
    "Energy: SRAM here is counted in words of every bank that is read or written, with leakage apart; there in accesses of one \
     512 KiB memory a bus wide, without leakage. DRAM costs the same a bit.",
    "Vector unit: norms, softmax, rotary embedding, quantization of the cache and residuals take time here, none there.",
];

/// What `bitmosaic reproduce` prints: cycles and energies in columns published, engine `hpca25`, cycle engine; means of the
/// figures; why the last column differs; the last lines count published numbers that are not reproduced and name the page.
pub fn reproduce_text(document: &ReproduceDocument, report: &Path) -> String {
    let result = &document.result;
    let mut text = provenance_table(&document.provenance, "Reproduction").text();
    for table in [cycles(result), energies(result), ratios(result), tiles(result), causes(result)] {
        text += &format!("\n{}", table.text());
    }
    text += "\nWhy the cycle engine differs\n";
    for reason in REASONS {
        text += &wrapped(&format!("- {reason}"), WIDTH, "  ");
    }
    text + &format!("\n{}\nreport: {}\n", count(result), visible(&report.display().to_string()))
}

fn count(result: &ReproduceResult) -> String {
    let numbers = 3 * result.points.len() + result.ratios.len();
    format!("published numbers: {numbers}, not reproduced: {}", result.differing)
}

/// The page, complete in itself.
pub fn reproduce_page(document: &ReproduceDocument) -> String {
    let result = &document.result;
    let tone = if result.differing == 0 { Tone::Pass } else { Tone::Fail };
    let about = "Cycles to the cycle, energies to the microjoule, means to the digits printed.";
    let page = Page {
        title: "bitmosaic reproduce hpca25: the BitMoD paper beside what is computed here".into(),
        subtitle: document.provenance.workload.clone(),
        sections: vec![
            Section {
                id: "verdict",
                heading: "Published numbers",
                blocks: vec![
                    Block::Statement(tone, count(result), about.into()),
                    Block::Table(provenance_table(&document.provenance, "")),
                ],
            },
            Section {
                id: "gains",
                heading: "Gain over FP16",
                blocks: vec![
                    Block::Plot(
                        "Mean over the models of the time and energy that a machine saves.",
                        gains_plot(result),
                    ),
                    Block::Table(ratios(result)),
                ],
            },
            Section {
                id: "cycles",
                heading: "Cycles",
                blocks: vec![
                    Block::Plot(
                        "The paper's machine: as published (the engine hpca25 gives the same), and what the machine that is built \
                         takes on the cycle engine.",
                        cycles_plot(result),
                    ),
                    Block::List(REASONS.map(str::to_string).into()),
                    Block::Table(causes(result)),
                    Block::Table(cycles(result)),
                ],
            },
            Section { id: "energy", heading: "Energy", blocks: vec![Block::Table(energies(result))] },
            Section {
                id: "tiles",
                heading: "Area and power of a tile",
                blocks: vec![Block::Paragraph(TILES_NOTE.into()), Block::Table(tiles(result))],
            },
        ],
    };
    page.html()
}

/// Gains over FP16, published and computed.
///
/// # Errors
/// `Plot` if the library refuses; it does not for plots in memory.
pub fn gains_plot(result: &ReproduceResult) -> Result<Svg, ReportsError> {
    let bar = |value: f64| Some((value, format!("{value:.4}")));
    let groups = result.ratios.iter().map(|ratio| BarGroup {
        label: format!("{}, {}, {}", ratio.machine, ratio.quantity, ratio.scenario),
        values: vec![bar(ratio.published), bar(ratio.hpca25)],
    });
    let groups: Vec<BarGroup> = groups.collect();
    bars_plot("gains", &["published", "engine hpca25"], &groups, "times better than FP16: longer is better")
}

/// Cycles of the paper's machine, published and on the cycle engine.
///
/// # Errors
/// `Plot` if the library refuses; it does not for plots in memory.
pub fn cycles_plot(result: &ReproduceResult) -> Result<Svg, ReportsError> {
    let bar = |cycles: u64| Some((cycles as f64, significant(cycles as f64, 4)));
    let groups = result.points.iter().filter_map(|point| {
        let engine = point.cycle_engine.as_ref()?;
        Some(BarGroup {
            label: format!("{}, {}, {}", point.machine, point.model, point.phase),
            values: vec![bar(point.published_cycles), bar(engine.cycles)],
        })
    });
    let groups: Vec<BarGroup> = groups.collect();
    bars_plot("cycles", &["published", "cycle engine"], &groups, "cycles: shorter is better")
}

/// Cycles and energies as CSV, a row a machine, model and phase.
///
/// # Errors
/// `Csv` if the writer refuses; it does not for results in memory.
pub fn reproduce_points_csv(result: &ReproduceResult) -> Result<String, ReportsError> {
    let names = ["machine", "model", "phase"].map(Column::left);
    let numbers = [
        "published_cycles",
        "hpca25_cycles",
        "hpca25_attention_cycles",
        "published_on_chip_uj",
        "hpca25_on_chip_uj",
        "published_total_uj",
        "hpca25_total_uj",
        "cycle_engine_cycles",
        "cycle_engine_compute_cycles",
        "cycle_engine_memory_cycles",
        "cycle_engine_attention_cycles",
        "cycle_engine_vector_cycles",
        "cycle_engine_bytes",
        "cycle_engine_on_chip_uj",
        "cycle_engine_leakage_uj",
        "cycle_engine_total_uj",
    ];
    let mut table = Table::new("", names.into_iter().chain(numbers.map(Column::right)).collect());
    for point in &result.points {
        let ([chip, total], [own_chip, own_total]) = (point.published_energy_uj, point.hpca25_energy_uj);
        let published = [point.published_cycles, point.hpca25_cycles, point.hpca25_attention_cycles];
        let engine = point.cycle_engine.as_ref();
        let engine = engine.map(|e| {
            [e.cycles, e.compute_cycles, e.memory_cycles, e.attention_cycles, e.vector_cycles, e.bytes].map(Cell::count)
        });
        let engine = engine.unwrap_or_else(|| [(); 6].map(|()| Cell::Empty));
        let texts = [&point.machine, &point.model, &point.phase].map(Cell::text);
        let energies = [
            microjoules(point, |engine| engine.on_chip_uj),
            microjoules(point, |engine| engine.leakage_uj),
            microjoules(point, |engine| engine.total_uj),
        ];
        let numbers = published.into_iter().chain([chip, own_chip, total, own_total]).map(Cell::count);
        table.row(texts.into_iter().chain(numbers).chain(engine).chain(energies));
    }
    table.csv()
}

/// Means of the figures as CSV.
///
/// # Errors
/// `Csv` if the writer refuses; it does not for results in memory.
pub fn reproduce_gains_csv(result: &ReproduceResult) -> Result<String, ReportsError> {
    ratios(result).csv()
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
        Column::right("cycle engine").unit("uJ"),
        Column::right("and leakage").unit("uJ"),
        Column::right("total, published").unit("uJ"),
        Column::right("hpca25").unit("uJ"),
        Column::right("cycle engine").unit("uJ"),
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
            microjoules(point, |engine| engine.on_chip_uj),
            microjoules(point, |engine| engine.leakage_uj),
            Cell::count(total),
            Cell::count(own_total),
            microjoules(point, |engine| engine.total_uj),
        ]);
    }
    table
}

/// A figure of the cycle engine in whole microjoules.
fn microjoules(point: &ReproducedPoint, of: fn(&CycleEnginePoint) -> f64) -> Cell {
    point.cycle_engine.as_ref().map_or(Cell::Empty, |engine| Cell::count(of(engine).round() as u64))
}

/// How the last columns of the tiles came about.
const TILES_NOTE: &str = "Here: the built tile's gate equivalents at the paper's average density, its PEs correct at any exponent \
                          and with the dequantizer, pipeline registers and hold chain that they need; no FP16 tile is built.";

fn tiles(result: &ReproduceResult) -> Table {
    let heads = ["machine", "part"].map(Column::left);
    let numbers = [("published", "um2"), ("here", "um2"), ("published", "mW"), ("here", "mW")];
    let numbers = numbers.map(|(name, unit)| Column::right(name).unit(unit));
    let mut table = Table::new("A tile at 1 GHz, 28 nm", heads.into_iter().chain(numbers).collect());
    let whole = |value: Option<f64>| value.map_or(Cell::Empty, |value| Cell::count(value.round() as u64));
    let tenths = |value: Option<f64>| value.map_or(Cell::Empty, |value| Cell::text(format!("{value:.2}")));
    for tile in &result.tiles {
        table.row([
            Cell::text(&tile.machine),
            Cell::text(&tile.part),
            whole(tile.published_um2),
            whole(tile.um2),
            tenths(tile.published_mw),
            tenths(tile.mw),
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
