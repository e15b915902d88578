use bitmosaic_results::{CosimDocument, CosimResult};

use crate::number::{count, difference};
use crate::run::provenance_table;
use crate::table::{Cell, Column, Table};
use crate::text::{listed, shell_word, visible, wrapped};

/// What `bitmosaic cosim` prints: the engines with their cycles, the first differences with the place they arise, and last
/// the line `bits differ: {n}, cycles differ: {m}`.
pub fn cosim_text(document: &CosimDocument) -> String {
    let result = &document.result;
    let mut text = provenance_table(&document.provenance, "Co-simulation").text();
    text += &format!("\n{}\n", engine_table(result).text());
    text += &differences_text(result);
    text += &wrapped(&verdict(result).about, 98, "");
    text += &format!("{}\n", counts_line(result));
    text
}

/// Differences, where they arise, how to see them again; each followed by an empty line; nothing without difference.
pub(crate) fn differences_text(result: &CosimResult) -> String {
    let mut text = String::new();
    if !result.mismatches.is_empty() {
        text += &format!("{}\n", mismatch_table(result).text());
    }
    if !result.localization.is_empty() {
        text += "Where the first difference arises\n";
        for line in &result.localization {
            text += &format!("  {}\n", visible(line));
        }
        text.push('\n');
    }
    if let Some(replay) = &result.replay {
        text += &format!("To see it again: {}\n\n", visible(&replay_command(replay)));
    }
    text
}

/// To be typed into a shell.
pub(crate) fn replay_command(replay: &str) -> String {
    format!("bitmosaic cosim --replay {}", shell_word(replay))
}

/// The contract's line.
pub(crate) fn counts_line(result: &CosimResult) -> String {
    format!("bits differ: {}, cycles differ: {}", result.mismatched_bits, result.mismatched_cycles)
}

/// Whether the engines agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// At least two engines ran, outputs were compared, nothing differs.
    Agree,
    /// Something differs.
    Differ,
    /// One engine alone, or no outputs: nothing was compared.
    NotCompared,
}

pub(crate) struct Verdict {
    pub(crate) agreement: Agreement,
    /// One sentence that says on what it rests.
    pub(crate) about: String,
}

/// Zero differences among engines that did not run is no agreement.
pub(crate) fn verdict(result: &CosimResult) -> Verdict {
    let ran: Vec<&str> = engines(result).into_iter().filter(|e| e.cycles.is_some()).map(|e| e.name).collect();
    let outputs = count(result.outputs.into());
    let totals = result.cycles;
    let apart = [totals.netlist, totals.verilator, totals.icarus].into_iter().flatten();
    let apart = apart.filter(|c| totals.simulator.is_some_and(|s| s != *c)).count();
    let differs =
        result.mismatched_bits > 0 || result.mismatched_cycles > 0 || !result.mismatches.is_empty() || apart > 0;
    let (agreement, about) = if differs {
        (Agreement::Differ, format!("{outputs} outputs compared between {}: they are not the same.", listed(&ran)))
    } else if ran.len() < 2 {
        let only = ran.first().map_or("No engine ran".into(), |name| format!("Only one engine ran ({name})"));
        (Agreement::NotCompared, format!("{only}: nothing was compared."))
    } else if result.outputs == 0 {
        (Agreement::NotCompared, "The program has no outputs: nothing was compared.".into())
    } else {
        let names = listed(&ran);
        (Agreement::Agree, format!("All {outputs} outputs have the same bits and come in the same cycle in {names}."))
    };
    Verdict { agreement, about }
}

struct Engine {
    name: &'static str,
    meaning: &'static str,
    cycles: Option<u64>,
    aligner_cycles: Option<u64>,
}

fn engines(result: &CosimResult) -> [Engine; 4] {
    let (cycles, aligner) = (&result.cycles, &result.aligner_cycles);
    [
        ("simulator", "event-driven simulator", cycles.simulator, aligner.simulator),
        ("netlist", "netlist simulator", cycles.netlist, aligner.netlist),
        ("Verilator", "exported Verilog", cycles.verilator, aligner.verilator),
        ("Icarus Verilog", "exported Verilog", cycles.icarus, aligner.icarus),
    ]
    .map(|(name, meaning, cycles, aligner_cycles)| Engine { name, meaning, cycles, aligner_cycles })
}

/// One row an engine, those that did not run included.
pub(crate) fn engine_table(result: &CosimResult) -> Table {
    let columns = vec![
        Column::left("engine"),
        Column::left("what it runs"),
        Column::right("cycles"),
        Column::right("against simulator"),
        Column::right("aligner cycles"),
    ];
    let mut table = Table::new("Engines and their cycles for the same program", columns);
    for engine in engines(result) {
        let cell = |n: Option<u64>, absent| n.map_or(Cell::text(absent), Cell::count);
        let apart = match (engine.cycles, result.cycles.simulator) {
            (Some(cycles), Some(simulator)) if engine.name != "simulator" => Cell::text(difference(cycles, simulator)),
            (Some(_), Some(_)) => Cell::text("reference"),
            _ => Cell::Empty,
        };
        let aligner = if engine.cycles.is_some() { cell(engine.aligner_cycles, "none") } else { Cell::Empty };
        table.row([
            Cell::text(engine.name),
            Cell::text(engine.meaning),
            cell(engine.cycles, "not run"),
            apart,
            aligner,
        ]);
    }
    table
}

/// The first differences.
pub(crate) fn mismatch_table(result: &CosimResult) -> Table {
    let columns = vec![
        Column::left("engine"),
        Column::right("token"),
        Column::right("output channel"),
        Column::right("cycle"),
        Column::left("expected (simulator)"),
        Column::left("found"),
    ];
    let mut table = Table::new(&format!("First differences ({} shown)", result.mismatches.len()), columns);
    for m in &result.mismatches {
        table.row([
            Cell::text(&m.engine),
            Cell::count(m.token),
            Cell::count(m.output_channel),
            m.cycle.map_or(Cell::text("no such beat"), Cell::count),
            Cell::text(&m.expected),
            Cell::text(&m.found),
        ]);
    }
    table
}
