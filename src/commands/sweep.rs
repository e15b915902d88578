//! `sweep` and `pareto`: many designs at once.

use std::path::{Path, PathBuf};

use bitmosaic_explore::pareto::front;
use bitmosaic_explore::{RESULTS_FILE, Spec, Sweep, Table, limits_text, load, result, sweep};
use bitmosaic_reports::{RunDetails, Scatter, ScatterPoint, pareto_csv, pareto_text, sweep_page, sweep_text};
use bitmosaic_results::{ParetoDocument, Provenance, SCHEMA_VERSION, SweepDocument};

use super::quantize::file_name;
use crate::error::CliError;
use crate::{Outcome, output};

/// File name of the report.
const REPORT: &str = "index.html";
/// Most threads.
const MOST_THREADS: usize = 1024;
/// Rows of a sweep that the terminal shows one by one; of larger ones it shows the fronts.
const MOST_ROWS: usize = 24;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Sweep: a name of `bitmosaic list sweeps`, or a TOML file
    spec: String,
    /// Folder of the results, made if it is not there; one with some of the sweep's results is completed
    #[arg(short, long, default_value = "bitmosaic-sweep")]
    output: PathBuf,
    /// Threads; as many as there are cores without it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ParetoArguments {
    /// Results file of a sweep, or its folder
    results: PathBuf,
    /// Column, for example `area_um2`; more of rates and utilization is better, less of all others
    #[arg(long, value_name = "COLUMN")]
    x: String,
    /// Column, for example `decode:256.seconds`
    #[arg(long, value_name = "COLUMN")]
    y: String,
    /// A third column
    #[arg(long, value_name = "COLUMN")]
    z: Option<String>,
    /// Only points with at most so much in a column
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = parse_limit)]
    max: Vec<(String, f64)>,
    /// Only points with at least so much in a column
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = parse_limit)]
    min: Vec<(String, f64)>,
    /// Write the front as CSV
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn parse_limit(text: &str) -> Result<(String, f64), String> {
    let parts = text.split_once('=').and_then(|(column, value)| Some((column.to_string(), value.parse().ok()?)));
    let finite = parts.filter(|(_, value): &(String, f64)| value.is_finite());
    finite.ok_or_else(|| "a column, `=` and a number, for example area_um2=5e6".to_string())
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    if let Some(threads) = arguments.threads.filter(|threads| !(1..=MOST_THREADS).contains(threads)) {
        return Err(CliError::option("--threads", threads, format!("1 to {MOST_THREADS}")));
    }
    let spec = load(&arguments.spec)?;
    output::create_folder(&arguments.output)?;
    let done = sweep(&spec, &arguments.output, arguments.threads, &|rows, of| {
        output::progress(&format!("{rows} of {of} rows"));
    })?;
    output::progress_done();
    report_work(&done);
    let document = document(&spec, &done.table)?;
    write(&document, &spec, &done.table, arguments)?;
    if json {
        output::print_json(&document)?
    } else {
        let rows = if done.table.rows.len() <= MOST_ROWS { 0..done.table.rows.len() } else { 0..0 };
        let rows: Vec<_> = rows.map(|row| (done.table.point(row), status(&done.table, row))).collect();
        output::print_text(&sweep_text(&document, &rows, &arguments.output.join(REPORT)))?
    }
    Ok(Outcome::Done)
}

/// What is not the same on every run: standard error alone.
fn report_work(done: &Sweep) {
    let Sweep { made, programs, netlists, .. } = done;
    if *made > 0 {
        output::progress(&format!(
            "{made} rows made: {} programs, {} of them timed; {} netlists, {} of them counted",
            programs[0], programs[1], netlists[0], netlists[1]
        ));
        output::progress_done();
    }
}

fn status(table: &Table, row: usize) -> String {
    let [role, status, reason] = ["role", "status", "reason"].map(|column| table.cell(row, column));
    match (role, reason) {
        ("reference", "") => "reference".to_string(),
        (_, "") => status.to_string(),
        _ => format!("{status}: {reason}"),
    }
}

fn document(spec: &Spec, table: &Table) -> Result<SweepDocument, CliError> {
    Ok(SweepDocument {
        schema_version: SCHEMA_VERSION,
        provenance: Provenance {
            version: env!("CARGO_PKG_VERSION").to_string(),
            design: "those of the sweep".to_string(),
            design_sha256: spec.sha256.clone(),
            workload: format!("sweep {}", file_name(spec.file.as_ref())),
            mapping: spec.mappings().join(", "),
            engine: "event-driven simulator for cycles, netlist for area".to_string(),
            memory: "ideal, by point".to_string(),
            seed: 1,
        },
        result: result(spec, table)?,
        results: RESULTS_FILE.to_string(),
        report: REPORT.to_string(),
    })
}

/// Writes the page, the document and a file for each front.
fn write(document: &SweepDocument, spec: &Spec, table: &Table, arguments: &Arguments) -> Result<(), CliError> {
    let details = RunDetails {
        command: format!("bitmosaic sweep {}", file_name(spec.file.as_ref())),
        notes: NOTES.map(String::from).to_vec(),
    };
    let scatters: Vec<Scatter> =
        document.result.fronts.iter().filter_map(|front| scatter(table, &front.columns)).collect();
    let folder = &arguments.output;
    output::write_file(&folder.join(REPORT), &sweep_page(document, &scatters, &details))?;
    for front in &document.result.fronts {
        let name = front.columns.join("-").replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
        output::write_file(&folder.join(format!("front-{name}.csv")), &pareto_csv(front)?)?;
    }
    let text = serde_json::to_string_pretty(document).map_err(|e| CliError::Internal(e.to_string()))?;
    output::write_file(&folder.join("result.json"), &text)
}

/// All rows in the plane of a front of two columns.
fn scatter(table: &Table, columns: &[String]) -> Option<Scatter> {
    let [x, y] = columns else { return None };
    let (xs, ys) = (table.numbers(x).ok()?, table.numbers(y).ok()?);
    let points = (0..table.rows.len()).filter_map(|row| {
        let reference = (!table.is_point(row)).then(|| table.cell(row, "design").to_string());
        Some(ScatterPoint { row: row as u64, x: xs[row]?, y: ys[row]?, reference })
    });
    Some(Scatter { columns: [x.clone(), y.clone()], points: points.collect() })
}

/// What the figures of every sweep leave out.
const NOTES: [&str; 5] = [
    "D5: gates are counted in the netlist before any logic optimisation, area and energy follow from them and from tables of memories: compare machines.",
    "D13: memory is the ideal model, with a latency and bytes a cycle.",
    "D17: the vector unit is timed, not built: its area is not counted.",
    "D18, D19: operations run one after another, each from memory to memory; a decode of one sequence uses one row of the array.",
    "Accuracy is no column: weight types, groups and W differ in it. `bitmosaic compare` and docs/evidence/accuracy.md have it.",
];

pub(crate) fn execute_pareto(arguments: &ParetoArguments, json: bool) -> Result<Outcome, CliError> {
    let table = Table::read(&arguments.results)?;
    let columns: Vec<String> =
        [Some(&arguments.x), Some(&arguments.y), arguments.z.as_ref()].into_iter().flatten().cloned().collect();
    if (1..columns.len()).any(|i| columns[..i].contains(&columns[i])) {
        return Err(CliError::option("--x, --y, --z", columns.join(", "), "different columns"));
    }
    let front = front(&table, &columns, &arguments.max, &arguments.min)?;
    let document = ParetoDocument {
        schema_version: SCHEMA_VERSION,
        results_sha256: table.sha256.clone(),
        limits: limits_text(&arguments.max, &arguments.min),
        front: table.record(front),
    };
    if let Some(path) = &arguments.output {
        output::write_file(path, &pareto_csv(&document.front)?)?;
    }
    if json {
        output::print_json(&document)?
    } else {
        output::print_text(&pareto_text(&document.front, &document.limits, Path::new(&file_name(&arguments.results))))?
    }
    Ok(Outcome::Done)
}
