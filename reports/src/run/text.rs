use std::path::Path;

use bitmosaic_results::RunDocument;

use super::facts::{document_contradictions, performance, quantization_table, special_values_fact};
use super::provenance_table;
use crate::breakdown::Breakdown;
use crate::cosim::{counts_line, differences_text, engine_table, verdict};
use crate::table::Table;
use crate::text::{visible, wrapped};
use crate::yardstick;

const WIDTH: usize = 98;

/// What `bitmosaic run` prints, line breaks included. The last two lines are `bits differ: {n}, cycles differ: {m}` and
/// `report: {path}`.
pub fn run_text(document: &RunDocument, report: &Path) -> String {
    let mut text = provenance_table(&document.provenance, "What ran").text();
    let mut quantization = quantization_table(&document.quantize);
    special_values_fact(&mut quantization, &document.quantize);
    text += &format!("\n{}", quantization.text());
    text += &format!("\n{}", causes(&Breakdown::new(&document.simulate)));
    text += &format!("\n{}", performance(document).text());
    text += &format!("\n{}", yardstick::table(&document.error).text());
    text += &wrapped(yardstick::DEFINITION, WIDTH, "  ");
    let error = &document.error;
    for (yardstick, name) in [(&error.fp16_yardstick, "FP16"), (&error.fp32_yardstick, "FP32")] {
        text += &wrapped(&yardstick::sentence(&error.datapath, yardstick, name), WIDTH, "  ");
    }
    text += &format!("\n{}\n", engine_table(&document.cosim).text());
    text += &differences_text(&document.cosim);
    for contradiction in document_contradictions(document) {
        text += &wrapped(&format!("WARNING, the result contradicts itself: {contradiction}"), WIDTH, "");
    }
    text += &wrapped(&verdict(&document.cosim).about, WIDTH, "");
    text += &format!("{}\nreport: {}\n", counts_line(&document.cosim), visible(&report.display().to_string()));
    text
}

/// Causes that took cycles, and the names of the others on a line.
fn causes(breakdown: &Breakdown) -> String {
    let mut table: Table = breakdown.table();
    let mut part = breakdown.parts.iter();
    table.rows.retain(|_| part.next().is_some_and(|p| p.cycles > 0));
    let zero: Vec<&str> = breakdown.parts.iter().filter(|p| p.cycles == 0).map(|p| p.cause.name()).collect();
    let mut text = table.text();
    if !zero.is_empty() {
        text += &wrapped(&format!("0 cycles: {}", zero.join(", ")), WIDTH, "  ");
    }
    text
}
