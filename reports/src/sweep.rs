//! A sweep and its fronts: a text for the terminal, a page, a CSV of a front.

mod tables;

use std::path::Path;

use bitmosaic_results::{ParetoFront, SweepDocument, SweepPoint};

use self::tables::{
    axes_table, cycles_table, fields_table, front_csv_table, front_table, iso_table, points_table, reasons_table,
};
use crate::page::{Block, Page, Section, Tone};
use crate::plot::{Scatter, scatter_plot};
use crate::run::provenance_table;
use crate::text::{visible, wrapped};
use crate::{ReportsError, RunDetails};

const WIDTH: usize = 98;
/// Rows of a front that the terminal shows.
const MOST_LINES: usize = 16;

/// What `bitmosaic sweep` prints: how many points of which status, `rows` one by one if there are some, else the fronts, the
/// references beside the best points of their area; the last line is `report: {path}`.
pub fn sweep_text(document: &SweepDocument, rows: &[(SweepPoint, String)], report: &Path) -> String {
    let result = &document.result;
    let mut text = wrapped(&visible(&result.summary), WIDTH, "");
    text += &wrapped(&counts(document), WIDTH, "");
    if !result.reasons.is_empty() {
        text += &format!("\n{}", reasons_table(result).text());
    }
    if rows.is_empty() {
        for front in result.fronts.iter().filter(|front| front.columns.len() == 2) {
            text += &format!("\n{}", front_table(front, MOST_LINES).text());
        }
    } else {
        text += &format!("\n{}", points_table(rows, &result.phases).text());
    }
    for details in &result.details {
        text += &format!(
            "\n{}{}",
            wrapped(&tables::verdict(&details.comparison), WIDTH, ""),
            cycles_table(&details.comparison).text()
        );
    }
    text + &format!("report: {}\n", visible(&report.display().to_string()))
}

fn counts(document: &SweepDocument) -> String {
    let result = &document.result;
    let of = |status: &str| result.status.get(status).copied().unwrap_or(0);
    let mut text = format!(
        "{} points: {} timed, {} whose design does not elaborate, {} that cannot run the model; {} rows of reference designs.",
        result.points,
        of("ok"),
        of("no-machine"),
        of("no-fit"),
        result.rows - result.points
    );
    if !result.limits.is_empty() {
        text += &format!(" Fronts hold points with {}.", result.limits.join(", "));
    }
    text
}

/// The page, complete in itself: inline style, inline SVG, no script, no reference to another file. `scatters` are the planes of
/// the fronts of two columns.
pub fn sweep_page(document: &SweepDocument, scatters: &[Scatter], details: &RunDetails) -> String {
    let page = Page {
        title: "bitmosaic sweep: many machines side by side".into(),
        subtitle: document.result.summary.clone(),
        sections: vec![
            points(document),
            fronts(document, scatters),
            iso_area(document),
            reproduce(details),
            Section { id: "limits", heading: "What is left out", blocks: vec![Block::List(details.notes.clone())] },
        ],
    };
    page.html()
}

fn points(document: &SweepDocument) -> Section {
    let result = &document.result;
    let mut blocks = vec![Block::Paragraph(counts(document)), Block::Table(axes_table(result))];
    if !result.reasons.is_empty() {
        blocks.push(Block::Table(reasons_table(result)));
    }
    blocks.push(Block::Table(provenance_table(&document.provenance, "")));
    Section { id: "points", heading: "The points", blocks }
}

fn fronts(document: &SweepDocument, scatters: &[Scatter]) -> Section {
    let mut blocks = vec![Block::Paragraph(
        "A point is on a front if no other point is better in one of its columns without being worse in another; equal points are \
         all on it. Reference designs are not on fronts, they are marked where they stand."
            .into(),
    )];
    for front in &document.result.fronts {
        if let Some(scatter) = scatters.iter().find(|scatter| front.columns == scatter.columns) {
            let rows: Vec<u64> = front.points.iter().map(|point| point.row).collect();
            let caption = "Both axes logarithmic: the lower left corner is better. Diamonds are the front.";
            blocks.push(Block::Plot(caption, scatter_plot(scatter, &rows)));
        }
        blocks.push(Block::Table(front_table(front, usize::MAX)));
    }
    Section { id: "fronts", heading: "Pareto fronts", blocks }
}

fn iso_area(document: &SweepDocument) -> Section {
    let result = &document.result;
    let mut blocks = Vec::new();
    if result.iso_area.is_empty() {
        blocks.push(Block::Paragraph("The sweep names no reference designs.".into()));
    }
    for details in &result.details {
        blocks.push(Block::Statement(
            Tone::Caution,
            details.comparison.phase.clone(),
            tables::verdict(&details.comparison),
        ));
        blocks.push(Block::Table(cycles_table(&details.comparison)));
        blocks.push(Block::Table(fields_table(details)));
    }
    if !result.iso_area.is_empty() {
        blocks.push(Block::Table(iso_table(result)));
    }
    Section { id: "iso-area", heading: "Beside the reference designs, at no more area", blocks }
}

fn reproduce(details: &RunDetails) -> Section {
    Section { id: "reproduce", heading: "How to reproduce", blocks: vec![Block::Code(details.command.clone())] }
}

/// What `bitmosaic pareto` prints.
pub fn pareto_text(front: &ParetoFront, limits: &[String], results: &Path) -> String {
    let of = visible(&results.display().to_string());
    let mut line = format!("{} of {} points of {of} are on the front.", front.points.len(), front.candidates);
    if !limits.is_empty() {
        line += &format!(" Limits: {}.", limits.join(", "));
    }
    format!("{}\n{}", front_table(front, usize::MAX).text(), wrapped(&visible(&line), WIDTH, ""))
}

/// A front as CSV: row number, settings, numbers.
///
/// # Errors
/// `Csv` if the writer refuses; it does not for results in memory.
pub fn pareto_csv(front: &ParetoFront) -> Result<String, ReportsError> {
    front_csv_table(front).csv()
}
