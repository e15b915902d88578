//! Types and machines side by side: a text for the terminal, a page, a CSV with everything.

mod sections;
mod tables;

use std::path::Path;

use bitmosaic_results::{CompareDocument, ComparePoint, CompareResult};

pub(crate) use self::tables::front;
use self::tables::{Claim, csv_table, designs_table, front_table, groups_table, terms_table};
use crate::page::Page;
use crate::run::provenance_table;
use crate::text::{visible, wrapped};
use crate::{ReportsError, RunDetails};

const WIDTH: usize = 98;

/// What `bitmosaic compare` prints: the designs, cycles by group, the front of each layer, how each machine stands beside
/// FP16 accumulation; the last line is `report: {path}`.
pub fn compare_text(document: &CompareDocument, report: &Path) -> String {
    let result = &document.result;
    let mut text = provenance_table(&document.provenance, "What was compared").text();
    for table in [designs_table(result), terms_table(result), groups_table(result)] {
        text += &format!("\n{}", table.text());
    }
    for layer in layers(result) {
        text += &format!("\n{}", front_table(result, layer).text());
    }
    text.push('\n');
    for claim in result.designs.iter().map(|d| Claim::new(result, &d.name)) {
        text += &wrapped(&visible(&claim.sentence()), WIDTH, "");
    }
    text + &format!("report: {}\n", visible(&report.display().to_string()))
}

/// The page, complete in itself: inline style, inline SVG, no script, no reference to another file.
pub fn compare_page(document: &CompareDocument, details: &RunDetails) -> String {
    let page = Page {
        title: "bitmosaic compare: types and machines side by side".into(),
        subtitle: document.provenance.workload.clone(),
        sections: vec![
            sections::verdict(document),
            sections::provenance(document),
            sections::groups(document),
            sections::front(document),
            sections::accuracy(document),
            sections::cost(document),
            sections::reproduce(details),
            sections::limits(document, details),
        ],
    };
    page.html()
}

/// Every point as CSV, one row each; columns as in the JSON document, empty where a fidelity is null.
///
/// # Errors
/// `Csv` if the writer refuses; it does not for results in memory.
pub fn compare_csv(result: &CompareResult) -> Result<String, ReportsError> {
    csv_table(result).csv()
}

/// Names of the layers, in order.
fn layers(result: &CompareResult) -> Vec<&str> {
    let mut names: Vec<&str> = result.points.iter().map(|p| &p.layer[..]).collect();
    names.dedup();
    names
}

/// Points of the same layer, type and group, one a design.
pub(crate) struct Row<'a> {
    pub(crate) first: &'a ComparePoint,
    /// In the order of the designs; nothing where a design does not take the group.
    pub(crate) designs: Vec<Option<&'a ComparePoint>>,
}

/// The rows of a layer.
pub(crate) fn rows<'a>(result: &'a CompareResult, layer: &str) -> Vec<Row<'a>> {
    let points: Vec<&ComparePoint> = result.points.iter().filter(|p| p.layer == layer).collect();
    let row = |same: &[&'a ComparePoint]| Row {
        first: same[0],
        designs: result.designs.iter().map(|d| same.iter().copied().find(|p| p.design == d.name)).collect(),
    };
    points.chunk_by(|a, b| (&a.weight_type, a.group) == (&b.weight_type, b.group)).map(row).collect()
}

/// The first row of each group and number of terms, ascending: cycles depend on nothing else of a type.
pub(crate) fn rows_by_terms(result: &CompareResult) -> Vec<Row<'_>> {
    let Some(layer) = layers(result).first().copied() else { return Vec::new() };
    let mut rows = rows(result, layer);
    rows.sort_by_key(|row| (row.first.group, row.first.terms));
    rows.dedup_by_key(|row| (row.first.group, row.first.terms));
    rows
}
