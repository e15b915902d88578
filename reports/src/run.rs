//! The report of the main job: a short text for the terminal and a page for the browser.

mod facts;
mod sections;
mod text;

use bitmosaic_results::{Provenance, RunDocument};

pub use text::run_text;

use crate::page::Page;
use crate::table::Table;

/// What a page says beyond its document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunDetails {
    /// Command line that makes the result again, from the first word.
    pub command: String,
    /// What the models leave out, in plain language, one item each: rows of DEVIATIONS.md that concern this run.
    pub notes: Vec<String>,
}

/// The page, complete in itself: inline style, inline SVG, no script, no reference to another file.
pub fn run_page(document: &RunDocument, details: &RunDetails) -> String {
    let provenance = &document.provenance;
    let page = Page {
        title: format!("bitmosaic run: {}", provenance.design),
        subtitle: provenance.workload.clone(),
        sections: vec![
            sections::verdict(document),
            sections::provenance(document),
            sections::quantization(document),
            sections::cycles(document),
            sections::traffic(document),
            sections::error(document),
            sections::engines(document),
            sections::reproduce(document, details),
            sections::limits(document, details),
        ],
    };
    page.html()
}

/// What made a result, one fact a row. What a command has none of (an export has no memory) is empty and left out.
pub(crate) fn provenance_table(provenance: &Provenance, title: &str) -> Table {
    let seed = provenance.seed.to_string();
    let mut table = Table::facts(title);
    for (name, value) in [
        ("design", &provenance.design),
        ("workload", &provenance.workload),
        ("mapping", &provenance.mapping),
        ("engine", &provenance.engine),
        ("memory", &provenance.memory),
        ("seed", &seed),
        ("bitmosaic version", &provenance.version),
        ("design SHA-256", &provenance.design_sha256),
    ] {
        if !value.is_empty() {
            table.fact(name, value);
        }
    }
    table
}
