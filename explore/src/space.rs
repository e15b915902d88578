//! The points of a sweep and their order.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use toml::{Table, Value};

use crate::ExploreError;
use crate::axis::{Axis, axes};
use crate::error::Check;
use crate::setting::{Settings, is_path, shown, with_defaults};
use crate::spec::{Sample, surroundings};

/// Most points of a sweep.
const MOST_POINTS: u64 = 1_000_000;
/// Most reference rows: reference designs times the surroundings that points have.
const MOST_REFERENCES: usize = 20_000;

/// Points by number: the grid of all axes, the last axis fastest, or a sample of it in the same order; then the references.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    pub(crate) base: Settings,
    pub(crate) axes: Vec<Axis>,
    /// Places in the grid; all of them without it.
    picks: Option<Vec<u128>>,
    points: usize,
    /// References in the surroundings of points.
    references: Vec<(Reference, Settings)>,
}

/// A design to compare with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    pub(crate) design: String,
    /// Its types where it has others than the points.
    pub(crate) own: Settings,
}

impl Axis {
    /// Whether any of its values sets the key.
    pub(crate) fn sets(&self, key: &str) -> bool {
        self.values.iter().any(|settings| settings.contains_key(key))
    }
}

impl Space {
    pub(crate) fn new(
        check: Check,
        table: &Table,
        base: &Settings,
        references: &[Reference],
        sample: Option<Sample>,
    ) -> Result<Space, ExploreError> {
        let axes = axes(check, table)?;
        check.that("axes", "empty", !axes.is_empty(), "name at least one")?;
        for (i, axis) in axes.iter().enumerate() {
            for key in axis.values.iter().flat_map(Settings::keys) {
                let other = axes[..i].iter().find(|other| other.sets(key));
                let found = || format!("`{key}`, which `axes.{}` sets too", other.map_or("", |other| &other.name));
                check.that(&format!("axes.{}", axis.name), found(), other.is_none(), "an axis alone sets a key")?;
            }
        }
        let grid = axes.iter().try_fold(1u128, |all, axis| all.checked_mul(axis.values.len() as u128));
        let grid = grid.ok_or_else(|| check.error("axes", "more than 10^38 points", "leave some values out"))?;
        let picks = match sample {
            None => {
                let expected = format!("at most {MOST_POINTS}: leave values out, or take some at random with `sample`");
                check.that("axes", format!("a grid of {grid} points"), grid <= MOST_POINTS.into(), expected)?;
                None
            }
            Some(sample) => {
                let most = u128::from(MOST_POINTS).min(grid);
                let ok = sample.points > 0 && u128::from(sample.points) <= most;
                let expected = format!("must be 1 to {most}, of a grid of {grid} points");
                check.that("sample.points", sample.points, ok, expected)?;
                Some(choose(grid, sample))
            }
        };
        let points = picks.as_ref().map_or(grid as usize, Vec::len);
        let mut space = Space { base: base.clone(), axes, picks, points, references: Vec::new() };
        if !references.is_empty() {
            // In the order in which points first have them.
            let mut seen = BTreeSet::new();
            for point in 0..points {
                let around = surroundings(&space.settings(point));
                if seen.insert(text_of(&around)) {
                    space.references.extend(references.iter().map(|own| (own.clone(), around.clone())));
                }
                let most = format!("at most {MOST_REFERENCES}: fewer models, types, groups or memories");
                let count = space.references.len();
                check.that("references", format!("{count} rows"), count <= MOST_REFERENCES, most)?;
            }
        }
        Ok(space)
    }

    /// Points of the space.
    pub fn points(&self) -> usize {
        self.points
    }

    /// Rows: points, then references.
    pub fn rows(&self) -> usize {
        self.points + self.references.len()
    }

    /// The reference design of a row; `None` for a point.
    pub(crate) fn reference(&self, row: usize) -> Option<&str> {
        self.reference_row(row).map(|(reference, _)| reference.design.as_str())
    }

    fn reference_row(&self, row: usize) -> Option<&(Reference, Settings)> {
        row.checked_sub(self.points).and_then(|i| self.references.get(i))
    }

    /// What surrounds a row's design: of a reference what surrounds the points that it is compared with.
    pub(crate) fn surroundings(&self, row: usize) -> Settings {
        self.reference_row(row).map_or_else(|| surroundings(&self.settings(row)), |(_, around)| around.clone())
    }

    /// All settings of a row.
    pub(crate) fn settings(&self, row: usize) -> Settings {
        if let Some((reference, around)) = self.reference_row(row) {
            let mut settings = around.clone();
            settings.insert("design".into(), Value::String(reference.design.clone()));
            settings.extend(reference.own.clone());
            return settings;
        }
        let mut place = self.picks.as_ref().map_or(row as u128, |picks| picks[row]);
        let mut settings = self.base.clone();
        for axis in self.axes.iter().rev() {
            let count = axis.values.len() as u128;
            settings.extend(axis.values[(place % count) as usize].clone());
            place /= count;
        }
        with_defaults(settings)
    }

    /// Values that a key takes, each once.
    pub(crate) fn values(&self, key: &str) -> Vec<Value> {
        let of_axes = self.axes.iter().flat_map(|axis| &axis.values).filter_map(|settings| settings.get(key));
        let defaults = with_defaults(self.base.clone());
        let mut values: Vec<Value> = Vec::new();
        for value in defaults.get(key).into_iter().chain(of_axes) {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        values
    }

    /// Names of the designs that points start from.
    pub(crate) fn designs(&self) -> Vec<String> {
        self.values("design").iter().filter_map(|value| value.as_str().map(String::from)).collect()
    }

    /// Keys that points or references differ in, in the order of columns: what surrounds a design, then paths into it.
    pub(crate) fn keys(&self) -> Vec<String> {
        let of_axes = self.axes.iter().flat_map(|axis| &axis.values);
        let of_references = self.references.iter().map(|(reference, _)| &reference.own);
        let set: BTreeSet<&String> = of_axes.chain(of_references).flat_map(Settings::keys).collect();
        let (paths, around): (Vec<&String>, Vec<&String>) = set.into_iter().partition(|key| is_path(key));
        let own = around.into_iter().filter(|key| *key != "design");
        std::iter::once("design".to_string()).chain(own.chain(paths).cloned()).collect()
    }
}

fn text_of(settings: &Settings) -> String {
    settings.iter().map(|(key, value)| format!("{key}={};", shown(value))).collect()
}

/// Different places below `grid` at random, ascending (Floyd).
fn choose(grid: u128, sample: Sample) -> Vec<u128> {
    let mut random = ChaCha8Rng::seed_from_u64(sample.seed);
    let mut chosen = BTreeSet::new();
    for last in grid - u128::from(sample.points)..grid {
        let place = below(&mut random, last + 1);
        if !chosen.insert(place) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

/// A number below `bound`, all alike likely.
fn below(random: &mut ChaCha8Rng, bound: u128) -> u128 {
    let mask = u128::MAX >> (bound - 1).leading_zeros().min(127);
    loop {
        let number = (u128::from(random.next_u64()) << 64 | u128::from(random.next_u64())) & mask;
        if number < bound {
            return number;
        }
    }
}
