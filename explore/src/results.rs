//! A results file, and what a sweep comes to.

use std::collections::BTreeMap;
use std::path::Path;

use bitmosaic_results::{IsoArea, IsoAreaDetails, ParetoFront, PhaseCycles, SweepAxis, SweepPoint, SweepResult};

use sha2::{Digest as _, Sha256};

use crate::ExploreError;
use crate::columns::{Columns, FIRST};
use crate::pareto::{Front, front, within};
use crate::point::OK;
use crate::setting::{design, fields};
use crate::spec::{Spec, describe, surroundings};

/// Largest results file, bytes.
const LONGEST_FILE: u64 = 1 << 31;
/// Column of the area that fronts and comparisons take: memories are in it.
const AREA: &str = "area_um2";
/// Reasons that a result names.
const MOST_REASONS: usize = 20;

/// Rows of a results file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    file: String,
    /// SHA-256 of the text.
    pub sha256: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Cells of every row, as many as columns.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a results file, or the one in a folder.
    ///
    /// # Errors
    /// `File`, and those of [`Table::parse`].
    pub fn read(path: &Path) -> Result<Table, ExploreError> {
        let path = if path.is_dir() { path.join(crate::RESULTS_FILE) } else { path.to_path_buf() };
        let size = std::fs::metadata(&path).map_err(|e| ExploreError::file(&path, e))?.len();
        if size > LONGEST_FILE {
            let expected = format!("at most {LONGEST_FILE}");
            return Err(ExploreError::results(&path, format!("{size} bytes"), &expected));
        }
        let bytes = std::fs::read(&path).map_err(|e| ExploreError::file(&path, e))?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|e| ExploreError::results(&path, e.utf8_error(), "results are text: run the sweep"))?;
        Table::parse(&text, &path.display().to_string())
    }

    /// The rows of a text; `file` names the origin in errors.
    ///
    /// # Errors
    /// `Results` with the line.
    pub fn parse(text: &str, file: &str) -> Result<Table, ExploreError> {
        let refused = |found: String| {
            let expected =
                "must be a results file of `bitmosaic sweep`; one that was cut is completed by running it again";
            ExploreError::Results { file: file.to_string(), found, expected: expected.into() }
        };
        let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
        let columns: Vec<String> =
            reader.headers().map_err(|e| refused(e.to_string()))?.iter().map(String::from).collect();
        if !columns.iter().map(String::as_str).take(FIRST.len()).eq(FIRST) {
            return Err(refused(format!("columns {}", columns.join(",").chars().take(80).collect::<String>())));
        }
        let mut rows = Vec::new();
        for row in reader.records() {
            rows.push(row.map_err(|e| refused(e.to_string()))?.iter().map(String::from).collect());
        }
        let sha256 = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Table { file: file.to_string(), sha256, columns, rows })
    }

    fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    /// A cell; empty where the column is not there.
    pub fn cell(&self, row: usize, column: &str) -> &str {
        self.place(column).map_or("", |place| &self.rows[row][place])
    }

    fn number(&self, row: usize, column: &str) -> Option<f64> {
        self.cell(row, column).parse().ok().filter(|value: &f64| value.is_finite())
    }

    fn count(&self, row: usize, column: &str) -> Option<u64> {
        self.cell(row, column).parse().ok()
    }

    /// A row of the space, no reference.
    pub fn is_point(&self, row: usize) -> bool {
        self.cell(row, "role") == "point"
    }

    /// Numbers of a column, `None` where a row has none.
    ///
    /// # Errors
    /// `Results` where there is no such column, or no number in it.
    pub fn numbers(&self, column: &str) -> Result<Vec<Option<f64>>, ExploreError> {
        let refused = |found: String| {
            let names = self.columns.iter().filter(|name| !FIRST.contains(&name.as_str()));
            let with_numbers = names.filter(|name| (0..self.rows.len()).any(|row| self.number(row, name).is_some()));
            let expected = with_numbers.cloned().collect::<Vec<_>>().join(", ");
            ExploreError::Results {
                file: self.file.clone(),
                found,
                expected: format!("columns with numbers: {expected}"),
            }
        };
        let shown: String = column.chars().take(80).collect();
        let place = self.place(column).ok_or_else(|| refused(format!("no column `{shown}`")))?;
        let of = |row: &Vec<String>| row[place].parse().ok().filter(|value: &f64| value.is_finite());
        let values: Vec<Option<f64>> = self.rows.iter().map(of).collect();
        if values.iter().all(Option::is_none) {
            return Err(refused(format!("no number in column `{shown}`")));
        }
        Ok(values)
    }

    /// A row as a record: settings are what stands between the first columns and the area.
    pub fn point(&self, row: usize) -> SweepPoint {
        let metrics = self.place(crate::columns::MACHINE[0]).unwrap_or(self.columns.len());
        let cells = || self.columns.iter().zip(&self.rows[row]);
        let settings = cells().take(metrics).skip(FIRST.len());
        let settings = settings.filter(|(_, cell)| !cell.is_empty()).map(|(name, cell)| (name.clone(), cell.clone()));
        let metrics = cells().skip(metrics).filter_map(|(name, cell)| {
            Some((name.clone(), cell.parse().ok().filter(|value: &f64| value.is_finite())?))
        });
        SweepPoint { row: row as u64, settings: settings.collect(), metrics: metrics.collect() }
    }

    /// A front as a record.
    pub fn record(&self, front: Front) -> ParetoFront {
        ParetoFront {
            columns: front.columns,
            candidates: front.candidates as u64,
            points: front.rows.into_iter().map(|row| self.point(row)).collect(),
        }
    }
}

/// Limits as text.
pub fn limits_text(at_most: &[(String, f64)], at_least: &[(String, f64)]) -> Vec<String> {
    let most = at_most.iter().map(|(column, value)| format!("{column} at most {value}"));
    most.chain(at_least.iter().map(|(column, value)| format!("{column} at least {value}"))).collect()
}

/// What the rows of a sweep come to.
///
/// # Errors
/// `Results` for a table that is not the sweep's.
pub fn result(spec: &Spec, table: &Table) -> Result<SweepResult, ExploreError> {
    let phases: Vec<String> = spec.phases.iter().map(ToString::to_string).collect();
    let columns = Columns::new(&spec.space, &spec.phases).names();
    if table.columns != columns || table.rows.len() != spec.space.rows() {
        let (found, expected) = (format!("{} rows", table.rows.len()), format!("{} of this sweep", spec.space.rows()));
        return Err(ExploreError::Results { file: table.file.clone(), found, expected });
    }
    let (mut status, mut reasons) = (BTreeMap::new(), BTreeMap::new());
    for row in 0..spec.space.points() {
        *status.entry(table.cell(row, "status").to_string()).or_insert(0) += 1;
        let reason = table.cell(row, "reason");
        if !reason.is_empty() {
            *reasons.entry(reason.to_string()).or_insert(0) += 1;
        }
    }
    let mut reasons: Vec<(String, u64)> = reasons.into_iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    reasons.truncate(MOST_REASONS);
    let [at_most, at_least] = &spec.limits;
    let mut fronts = Vec::new();
    if table.numbers(AREA).is_ok() {
        for columns in front_columns(table, &phases) {
            fronts.push(table.record(front(table, &columns, at_most, at_least)?));
        }
    }
    // Limits need a column of numbers, which there is none of where no point was timed.
    let within = if fronts.is_empty() { Vec::new() } else { within(table, at_most, at_least)? };
    let iso_area = if fronts.is_empty() { Vec::new() } else { iso_area(spec, table, &phases, &within) };
    let axes = spec.space.axes.iter();
    Ok(SweepResult {
        summary: spec.summary.clone(),
        axes: axes.map(|axis| SweepAxis { name: axis.name.clone(), values: axis.values.len() as u64 }).collect(),
        details: details(spec, &iso_area),
        phases,
        points: spec.space.points() as u64,
        status,
        reasons,
        rows: table.rows.len() as u64,
        limits: limits_text(at_most, at_least),
        fronts,
        iso_area,
    })
}

/// Area and time of each phase, with the energy where there is one.
fn front_columns(table: &Table, phases: &[String]) -> Vec<Vec<String>> {
    let has = |column: &String| table.numbers(column).is_ok();
    let mut fronts = Vec::new();
    for phase in phases {
        let plane = vec![AREA.to_string(), format!("{phase}.seconds")];
        let energy = format!("{phase}.energy_pj");
        let with_energy = has(&energy).then(|| [&plane[..], &[energy]].concat());
        fronts.extend([Some(plane), with_energy].into_iter().flatten());
    }
    fronts
}

fn cycles(table: &Table, row: usize, phase: &str) -> Option<PhaseCycles> {
    let of = |metric: &str| table.count(row, &format!("{phase}.{metric}"));
    Some(PhaseCycles {
        compute: of("compute_cycles")?,
        memory: of("wait_operands_cycles")? + of("wait_outputs_cycles")?,
        scale_unit: of("stall_scale_unit_cycles")?,
        fill_drain: of("fill_drain_cycles")? + of("stall_operand_cycles")? + of("stall_output_cycles")?,
        vector: of("vector_cycles")?,
    })
}

/// Every reference row beside the best point in its surroundings, phase by phase.
fn iso_area(spec: &Spec, table: &Table, phases: &[String], within: &[bool]) -> Vec<IsoArea> {
    let space = &spec.space;
    let mut around: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let timed = |row: &usize| within[*row] && table.cell(*row, "status") == OK;
    for row in (0..space.points()).filter(|row| space.rows() > space.points() && timed(row)) {
        around.entry(describe(&space.surroundings(row))).or_default().push(row);
    }
    let mut found = Vec::new();
    for reference in space.points()..space.rows() {
        let surroundings = describe(&space.surroundings(reference));
        let points = around.get(&surroundings).map_or(&[][..], |rows| &rows[..]);
        let area = table.number(reference, AREA);
        for phase in phases {
            let column = format!("{phase}.seconds");
            let timed = points.iter();
            let timed = timed.filter_map(|row| Some((table.number(*row, &column)?, table.number(*row, AREA)?, *row)));
            let small = timed.filter(|(_, own, _)| area.is_some_and(|area| *own <= area));
            let best = small.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
            let joules = |row: usize| table.number(row, &format!("{phase}.joules_per_token"));
            let seconds = [table.number(reference, &column), best.map(|best| best.0)];
            found.push(IsoArea {
                reference: space.reference(reference).unwrap_or_default().to_string(),
                phase: phase.clone(),
                surroundings: surroundings.clone(),
                reference_row: reference as u64,
                best_row: best.map(|best| best.2 as u64),
                area_um2: [area, best.map(|best| best.1)],
                joules_per_token: [joules(reference), best.and_then(|best| joules(best.2))],
                seconds,
                cycles: [cycles(table, reference, phase), best.and_then(|best| cycles(table, best.2, phase))],
                speed_up: seconds[0].zip(seconds[1]).map(|(reference, best)| reference / best),
            });
        }
    }
    found
}

/// Of each reference and phase the comparison in the surroundings of the spec's base; where points do not have these, the first.
fn details(spec: &Spec, all: &[IsoArea]) -> Vec<IsoAreaDetails> {
    let base = describe(&surroundings(&spec.space.base));
    let mut chosen: Vec<&IsoArea> = Vec::new();
    for comparison in all.iter().filter(|comparison| comparison.best_row.is_some()) {
        let same = |other: &&IsoArea| (&other.reference, &other.phase) == (&comparison.reference, &comparison.phase);
        match chosen.iter().position(same) {
            None => chosen.push(comparison),
            Some(place) if comparison.surroundings == base => chosen[place] = comparison,
            Some(_) => {}
        }
    }
    let of = |row: u64| {
        let settings = spec.space.settings(row as usize);
        design(&settings, spec.build_for).map(|spec| fields(&spec)).unwrap_or_default()
    };
    let details = |comparison: &IsoArea| {
        let (reference, best) = (of(comparison.reference_row), of(comparison.best_row.unwrap_or(0)));
        let paths = reference.keys().chain(best.keys()).collect::<std::collections::BTreeSet<_>>();
        let value = |fields: &BTreeMap<String, String>, path: &str| fields.get(path).cloned().unwrap_or_default();
        let fields = paths.into_iter().map(|path| [path.clone(), value(&reference, path), value(&best, path)]);
        let differing = fields.filter(|[path, a, b]| a != b && path != "summary" && path != "name").collect();
        IsoAreaDetails { comparison: comparison.clone(), fields: differing }
    };
    chosen.into_iter().map(details).collect()
}
