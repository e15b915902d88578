//! Runs a sweep: rows in batches, each on all cores, appended in order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use bitmosaic_arch::{Machine, Technology};
use bitmosaic_sim::inference::{ModelProgram, ProgramTiming};
use rayon::prelude::*;

use crate::area::{NetlistCost, netlist_cost};
use crate::columns::Columns;
use crate::point::{AreaKey, Found, OK, PhaseWork, Point, ProgramKey, Ready, phase_work};
use crate::results::Table;
use crate::setting::{Settings, number, shown, text, value_at};
use crate::spec::Spec;
use crate::store::{Manifest, Store};
use crate::{ExploreError, error::one_line};

/// Rows of the results folder.
pub const RESULTS_FILE: &str = "results.csv";
/// What they belong to.
const MANIFEST_FILE: &str = "manifest.json";
/// Rows between two writes: what a kill can lose.
const BATCH: usize = 64;

/// A sweep that is done.
#[derive(Debug)]
pub struct Sweep {
    /// All rows.
    pub table: Table,
    /// Rows that this run made; the others were there.
    pub made: usize,
    /// Programs of these rows, and how many of them were timed: each key once.
    pub programs: [usize; 2],
    /// Netlists of these rows, and how many of them were counted.
    pub netlists: [usize; 2],
}

/// Runs what is missing of a sweep in `folder` on `threads` threads, all cores without it. `progress` is told after every batch
/// how many rows there are, of how many.
///
/// # Errors
/// `Results` where the folder has those of another sweep; `File`; `Internal` for a bug.
pub fn sweep(
    spec: &Spec,
    folder: &Path,
    threads: Option<usize>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Sweep, ExploreError> {
    let columns = Columns::new(&spec.space, &spec.phases);
    let manifest = Manifest {
        version: env!("CARGO_PKG_VERSION").to_string(),
        spec_sha256: spec.sha256.clone(),
        rows: spec.space.rows(),
        columns: columns.names(),
    };
    let path = folder.join(RESULTS_FILE);
    let mut store = Store::open(&path, &folder.join(MANIFEST_FILE), &manifest)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build();
    let pool = pool.map_err(|e| ExploreError::Internal(format!("cannot start threads: {e}")))?;
    let (first, rows) = (store.rows, spec.space.rows());
    let mut batches = Batches { spec, columns, found: Found::default(), work: BTreeMap::new(), counts: [[0; 2]; 2] };
    progress(first, rows);
    while store.rows < rows {
        let next = (store.rows + BATCH).min(rows);
        let batch = pool.install(|| batches.run(store.rows..next))?;
        store.append(&batch)?;
        progress(next, rows);
    }
    let [programs, netlists] = batches.counts;
    Ok(Sweep { table: Table::read(&path)?, made: rows - first, programs, netlists })
}

struct Batches<'s> {
    spec: &'s Spec,
    columns: Columns,
    found: Found,
    /// By model and batch.
    work: BTreeMap<(String, u32), Vec<PhaseWork>>,
    /// Asked for and done: programs, netlists.
    counts: [[usize; 2]; 2],
}

/// Work that rows have in common.
enum Job<'a> {
    Program(Box<ProgramKey>, &'a Ready, &'a ModelProgram),
    Area(AreaKey, &'a Machine, &'a Technology),
}

#[allow(clippy::large_enum_variant)] // a batch of them, kept for a moment
enum Done {
    /// `None` where it failed: the row finds out why.
    Program(ProgramKey, Option<ProgramTiming>),
    Area(AreaKey, Result<NetlistCost, String>),
}

impl Batches<'_> {
    fn run(&mut self, rows: std::ops::Range<usize>) -> Result<Vec<Vec<String>>, ExploreError> {
        let spec = self.spec;
        let settings: Vec<Settings> = rows.clone().map(|row| spec.space.settings(row)).collect();
        for settings in &settings {
            let key = work_key(settings);
            if let Entry::Vacant(entry) = self.work.entry(key) {
                let (model, batch) = entry.key();
                let work = phase_work(model, *batch, &spec.phases).map_err(ExploreError::Internal)?;
                entry.insert(work);
            }
        }
        let points: Vec<Point> = settings
            .par_iter()
            .map(|settings| Point::new(settings, spec.build_for, &self.work[&work_key(settings)]))
            .collect();
        for done in self.shared(&points) {
            match done {
                Done::Program(key, Some(timing)) => drop(self.found.programs.insert(key, timing)),
                Done::Program(_, None) => {}
                Done::Area(key, Ok(cost)) => drop(self.found.areas.insert(key, cost)),
                Done::Area(_, Err(error)) => return Err(ExploreError::Internal(error)),
            }
        }
        let rows: Vec<(usize, &Settings, &Point)> =
            rows.zip(&settings).zip(&points).map(|((row, settings), point)| (row, settings, point)).collect();
        Ok(rows.par_iter().map(|(row, settings, point)| self.row(*row, settings, point)).collect())
    }

    /// Times and counts what the points need and nobody did.
    fn shared(&mut self, points: &[Point]) -> Vec<Done> {
        let mut programs = BTreeMap::new();
        let mut netlists = BTreeMap::new();
        let [program_counts, netlist_counts] = &mut self.counts;
        for ready in points.iter().filter_map(|point| point.ready.as_ref().ok()) {
            for (key, program) in ready.programs() {
                program_counts[0] += 1;
                if !self.found.programs.contains_key(&key) {
                    programs.entry(key).or_insert((ready, program));
                }
            }
            netlist_counts[0] += 1;
            let key = ready.area_key();
            if !self.found.areas.contains_key(&key) {
                netlists.entry(key).or_insert((&ready.machine, &ready.technology));
            }
        }
        program_counts[1] += programs.len();
        netlist_counts[1] += netlists.len();
        let programs = programs.into_iter().map(|(key, (ready, program))| Job::Program(Box::new(key), ready, program));
        let netlists = netlists.into_iter().map(|(key, (machine, technology))| Job::Area(key, machine, technology));
        let jobs: Vec<Job> = netlists.chain(programs).collect();
        jobs.into_par_iter()
            .map(|job| match job {
                Job::Program(key, ready, program) => {
                    Done::Program(*key, program.time(&ready.machine, ready.memory, &ready.mapping).ok())
                }
                Job::Area(key, machine, technology) => Done::Area(key, netlist_cost(machine, technology)),
            })
            .collect()
    }

    fn row(&self, row: usize, settings: &Settings, point: &Point) -> Vec<String> {
        let metrics = match &point.ready {
            Ok(ready) => ready.metrics(&self.found),
            Err(refusal) => Err(refusal.clone()),
        };
        let role = if self.spec.space.reference(row).is_some() { "reference" } else { "point" };
        let (status, reason) = match &metrics {
            // Without energy where the technology does not reach.
            Ok((_, reason)) => (OK, one_line(reason)),
            Err(refusal) => (refusal.status, one_line(&refusal.reason)),
        };
        let mut cells = vec![row.to_string(), role.to_string(), status.to_string(), reason];
        cells.extend(self.columns.keys.iter().map(|key| match settings.get(key) {
            Some(value) => shown(value),
            // Not set here: what the design file says, if it is there.
            None => point.spec.as_ref().map_or_else(String::new, |spec| value_at(spec, key)),
        }));
        let metrics = metrics.map_or_else(|_| vec![None; self.columns.metric_count()], |(cells, _)| cells);
        cells.extend(metrics.into_iter().map(Option::unwrap_or_default));
        cells
    }
}

fn work_key(settings: &Settings) -> (String, u32) {
    (text(settings, "model").to_string(), number(settings, "batch").unwrap_or(1))
}
