//! Tables of a sweep.

use std::collections::{BTreeMap, BTreeSet};

use bitmosaic_results::{IsoArea, IsoAreaDetails, ParetoFront, PhaseCycles, SweepPoint, SweepResult};

use crate::number::{percent, seconds, significant};
use crate::table::{Cell, Column, Table};

const UM2_PER_MM2: f64 = 1e6;

pub(super) fn axes_table(result: &SweepResult) -> Table {
    let mut table = Table::new("Axes", vec![Column::left("axis"), Column::right("values")]);
    for axis in &result.axes {
        table.row([Cell::text(&axis.name), Cell::count(axis.values)]);
    }
    table
}

pub(super) fn reasons_table(result: &SweepResult) -> Table {
    let title = "Points without numbers, or without energy: the most frequent reasons";
    let mut table = Table::new(title, vec![Column::right("points"), Column::left("reason")]);
    for (reason, count) in &result.reasons {
        table.row([Cell::count(*count), Cell::text(reason)]);
    }
    table
}

/// What tells the points apart: by point, the settings that are not the same in all; paths by their last names.
fn differences<'a>(points: impl Iterator<Item = &'a SweepPoint> + Clone) -> Vec<String> {
    let mut values: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    let keys: BTreeSet<&str> = points.clone().flat_map(|p| p.settings.keys()).map(String::as_str).collect();
    for point in points.clone() {
        for key in &keys {
            values.entry(key).or_default().insert(point.settings.get(*key).map(String::as_str));
        }
    }
    let differing: Vec<&str> = values.iter().filter(|(_, values)| values.len() > 1).map(|(key, _)| *key).collect();
    let short = |key: &'a str| key.rsplit('.').next().unwrap_or(key).replace('_', " ");
    points
        .map(|point| {
            let named = differing.iter().filter_map(|key| Some((*key, point.settings.get(*key)?)));
            let parts = named.map(|(key, value)| match key {
                "design" | "type" | "model" | "memory" => value.clone(),
                _ => format!("{} {value}", short(key)),
            });
            parts.collect::<Vec<_>>().join(", ")
        })
        .collect()
}

fn metric(point: &SweepPoint, column: &str) -> Cell {
    match point.metrics.get(column) {
        None => Cell::Empty,
        Some(value) if column.ends_with("seconds") => Cell::text(seconds(*value)),
        Some(value) => Cell::Number(*value),
    }
}

pub(super) fn front_table(front: &ParetoFront, most: usize) -> Table {
    let metrics = front.columns.iter().map(|column| Column::right(column));
    let columns = std::iter::once(Column::right("row")).chain(metrics).chain([Column::left("what tells it apart")]);
    let mut title =
        format!("Front of {}: {} of {} points", front.columns.join(" and "), front.points.len(), front.candidates);
    // Ends and middle of a long one.
    let count = front.points.len();
    let step = count.div_ceil(most.max(1)).max(1);
    if step > 1 {
        title += &format!(", one in {step} shown");
    }
    let mut table = Table::new(&title, columns.collect());
    let apart = differences(front.points.iter());
    for (i, (point, apart)) in front.points.iter().zip(apart).enumerate() {
        if i % step == 0 || i + 1 == count {
            let metrics = front.columns.iter().map(|column| metric(point, column));
            table.row(std::iter::once(Cell::count(point.row)).chain(metrics).chain([Cell::text(apart)]));
        }
    }
    table
}

pub(super) fn front_csv_table(front: &ParetoFront) -> Table {
    let keys = |of: fn(&SweepPoint) -> Vec<&String>| -> Vec<String> {
        front.points.iter().flat_map(of).collect::<BTreeSet<_>>().into_iter().cloned().collect()
    };
    let (settings, metrics) = (keys(|p| p.settings.keys().collect()), keys(|p| p.metrics.keys().collect()));
    let columns = settings.iter().map(|key| Column::left(key)).chain(metrics.iter().map(|key| Column::right(key)));
    let mut table = Table::new("", std::iter::once(Column::right("row")).chain(columns).collect());
    for point in &front.points {
        let settings = settings.iter().map(|key| Cell::text(point.settings.get(key).cloned().unwrap_or_default()));
        let metrics =
            metrics.iter().map(|key| point.metrics.get(key).map_or(Cell::Empty, |value| Cell::Number(*value)));
        table.row(std::iter::once(Cell::count(point.row)).chain(settings).chain(metrics));
    }
    table
}

/// Every row by itself: what tells it apart, its area, time, tokens a second and what binds it in each phase.
pub(super) fn points_table(rows: &[(SweepPoint, String)], phases: &[String]) -> Table {
    let mut columns =
        vec![Column::right("row"), Column::left("what tells it apart"), Column::right("area").unit("mm²")];
    for phase in phases {
        columns.extend([
            Column::right(&format!("{phase} time")),
            Column::right("tokens a second"),
            Column::right("compute"),
            Column::right("waits for memory"),
            Column::right("joules a token"),
        ]);
    }
    columns.push(Column::left("status"));
    let mut table = Table::new("", columns);
    for ((point, status), apart) in rows.iter().zip(differences(rows.iter().map(|(point, _)| point))) {
        let mut cells = vec![Cell::count(point.row), Cell::text(apart)];
        let of = |column: &str| point.metrics.get(column).copied();
        cells.push(of("area_um2").map_or(Cell::Empty, |um2| Cell::Number(um2 / UM2_PER_MM2)));
        for phase in phases {
            let of = |name: &str| of(&format!("{phase}.{name}"));
            let part = |names: &[&str]| match of("cycles") {
                Some(cycles) if cycles > 0.0 => {
                    Cell::Share(names.iter().filter_map(|name| of(name)).sum::<f64>() / cycles)
                }
                _ => Cell::Empty,
            };
            cells.extend([
                of("seconds").map_or(Cell::Empty, |value| Cell::text(seconds(value))),
                of("tokens_per_second").map_or(Cell::Empty, Cell::Number),
                part(&["compute_cycles"]),
                part(&["wait_operands_cycles", "wait_outputs_cycles"]),
                of("joules_per_token").map_or(Cell::Empty, Cell::Number),
            ]);
        }
        cells.push(Cell::text(status));
        table.row(cells);
    }
    table
}

/// What binds: the larger of compute and waits for memory.
fn binds(cycles: &PhaseCycles) -> &'static str {
    if cycles.memory > cycles.compute { "memory" } else { "compute" }
}

pub(super) fn verdict(comparison: &IsoArea) -> String {
    let IsoArea { reference, phase, surroundings, .. } = comparison;
    let (Some(row), [Some(area), Some(best_area)], [Some(time), Some(best)], Some(speed_up)) =
        (comparison.best_row, comparison.area_um2, comparison.seconds, comparison.speed_up)
    else {
        return format!("{phase}: no point of no more area than `{reference}` in {surroundings}");
    };
    let what = match comparison.cycles {
        [Some(reference), Some(best)] => {
            format!("{} binds the reference, {} the point.", binds(&reference), binds(&best))
        }
        _ => String::new(),
    };
    format!(
        "{phase}: row {row} takes {} where `{reference}` takes {}, {} times the speed on {} of its area ({surroundings}). {what}",
        seconds(best),
        seconds(time),
        significant(speed_up, 3),
        percent(best_area / area),
    )
}

pub(super) fn cycles_table(comparison: &IsoArea) -> Table {
    let best = comparison.best_row.map_or("no point".to_string(), |row| format!("row {row}"));
    let columns = vec![Column::left("cycles by cause"), Column::right(&comparison.reference), Column::right(&best)];
    let mut table = Table::new("", columns);
    type Cause = (&'static str, fn(&PhaseCycles) -> u64);
    let causes: [Cause; 5] = [
        ("compute", |c| c.compute),
        ("waits for memory", |c| c.memory),
        ("scale units", |c| c.scale_unit),
        ("fill and drain", |c| c.fill_drain),
        ("vector unit", |c| c.vector),
    ];
    for (name, of) in causes {
        let cells = comparison.cycles.iter().map(|cycles| cycles.as_ref().map_or(Cell::Empty, |c| Cell::count(of(c))));
        table.row(std::iter::once(Cell::text(name)).chain(cells));
    }
    let all = comparison.cycles.iter().map(|cycles| {
        let sum = |c: &PhaseCycles| causes.iter().map(|(_, of)| of(c)).sum::<u64>();
        cycles.as_ref().map_or(Cell::Empty, |c| Cell::count(sum(c)))
    });
    table.total = Some(std::iter::once(Cell::text("all")).chain(all).collect());
    table
}

pub(super) fn fields_table(details: &IsoAreaDetails) -> Table {
    let comparison = &details.comparison;
    let best = comparison.best_row.map_or("no point".to_string(), |row| format!("row {row}"));
    let columns =
        vec![Column::left("what differs in the design"), Column::left(&comparison.reference), Column::left(&best)];
    let mut table = Table::new("", columns);
    for [path, reference, point] in &details.fields {
        table.row([Cell::text(path), Cell::text(reference), Cell::text(point)]);
    }
    table
}

pub(super) fn iso_table(result: &SweepResult) -> Table {
    let columns = vec![
        Column::left("reference"),
        Column::left("phase"),
        Column::left("surroundings"),
        Column::right("its time"),
        Column::right("row"),
        Column::right("time"),
        Column::right("speed-up"),
        Column::right("share of its area"),
        Column::right("its joules a token"),
        Column::right("joules a token"),
        Column::left("bound by"),
    ];
    let mut table = Table::new("The fastest point of no more area, in all surroundings", columns);
    for comparison in &result.iso_area {
        let time = |value: Option<f64>| value.map_or(Cell::Empty, |value| Cell::text(seconds(value)));
        let gates = match comparison.area_um2 {
            [Some(reference), Some(best)] => Cell::Share(best / reference),
            _ => Cell::Empty,
        };
        let joules = comparison.joules_per_token.map(|value| value.map_or(Cell::Empty, Cell::Number));
        table.row([
            Cell::text(&comparison.reference),
            Cell::text(&comparison.phase),
            Cell::text(&comparison.surroundings),
            time(comparison.seconds[0]),
            comparison.best_row.map_or(Cell::Empty, Cell::count),
            time(comparison.seconds[1]),
            comparison.speed_up.map_or(Cell::Empty, Cell::Number),
            gates,
            joules[0].clone(),
            joules[1].clone(),
            comparison.cycles[1].as_ref().map_or(Cell::Empty, |cycles| Cell::text(binds(cycles))),
        ]);
    }
    table
}
