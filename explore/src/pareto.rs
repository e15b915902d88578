//! Pareto fronts: exact, ties kept, in a fixed order.

use std::cmp::Ordering;

use crate::{Better, ExploreError, Table, better};

/// A front and what it was taken from.
#[derive(Debug, Clone, PartialEq)]
pub struct Front {
    /// Columns; less or more of each is better, as [`better`] says.
    pub columns: Vec<String>,
    /// Rows with all values, within the limits.
    pub candidates: usize,
    /// Rows of the table that no other beats, from the best in the first column to the worst, ties by number.
    pub rows: Vec<usize>,
}

/// The points (no reference rows) of a table that no other is better than in one of `columns` without being worse in another,
/// among those with values `at_most` and `at_least` so large.
///
/// # Errors
/// `Results` for a column that the table does not have, or that has no numbers.
pub fn front(
    table: &Table,
    columns: &[String],
    at_most: &[(String, f64)],
    at_least: &[(String, f64)],
) -> Result<Front, ExploreError> {
    let values: Vec<Vec<Option<f64>>> = columns.iter().map(|column| table.numbers(column)).collect::<Result<_, _>>()?;
    let within = within(table, at_most, at_least)?;
    // What is better is less from here on.
    let signs: Vec<f64> =
        columns.iter().map(|column| if better(column) == Better::More { -1.0 } else { 1.0 }).collect();
    let mut candidates: Vec<(Vec<f64>, usize)> = (0..table.rows.len())
        .filter(|row| table.is_point(*row) && within[*row])
        .filter_map(|row| {
            let place: Option<Vec<f64>> = values.iter().zip(&signs).map(|(v, sign)| Some(v[row]? * sign)).collect();
            Some((place?, row))
        })
        .collect();
    candidates.sort_by(|a, b| order(&a.0, &b.0).then(a.1.cmp(&b.1)));
    let count = candidates.len();
    let places: Vec<&[f64]> = candidates.iter().map(|(place, _)| &place[..]).collect();
    let kept = if columns.len() == 2 { sweep_line(&places) } else { pairwise(&places) };
    let rows = candidates.iter().zip(kept).filter(|(_, kept)| *kept).map(|((_, row), _)| *row).collect();
    Ok(Front { columns: columns.to_vec(), candidates: count, rows })
}

/// Which rows are within limits.
///
/// # Errors
/// As [`front`].
pub(crate) fn within(
    table: &Table,
    at_most: &[(String, f64)],
    at_least: &[(String, f64)],
) -> Result<Vec<bool>, ExploreError> {
    let mut within = vec![true; table.rows.len()];
    for (limits, sign) in [(at_most, 1.0), (at_least, -1.0)] {
        for (column, limit) in limits {
            for (within, value) in within.iter_mut().zip(table.numbers(column)?) {
                *within &= value.is_some_and(|value| sign * value <= sign * limit);
            }
        }
    }
    Ok(within)
}

fn order(a: &[f64], b: &[f64]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Whether `a` is nowhere worse than `b` and better somewhere.
fn beats(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a <= b) && a.iter().zip(b).any(|(a, b)| a < b)
}

/// Which of the places, in ascending order, no other beats. A place can only be beaten by one before it, and then also by one
/// that is kept.
fn pairwise(places: &[&[f64]]) -> Vec<bool> {
    let mut front: Vec<&[f64]> = Vec::new();
    places
        .iter()
        .map(|place| {
            let kept = !front.iter().any(|other| beats(other, place));
            if kept {
                front.push(place);
            }
            kept
        })
        .collect()
}

/// The same for two columns: the second must be below all before, or the place equal to the last one kept.
fn sweep_line(places: &[&[f64]]) -> Vec<bool> {
    let mut last: Option<&[f64]> = None;
    places
        .iter()
        .map(|place| {
            let kept = last.is_none_or(|last| place[1] < last[1] || *place == last);
            if kept {
                last = Some(place);
            }
            kept
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    /// The definition, without any order.
    fn by_definition(places: &[&[f64]]) -> Vec<bool> {
        places.iter().map(|place| !places.iter().any(|other| beats(other, place))).collect()
    }

    #[test]
    fn fronts_are_those_of_the_definition() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for round in 0..300u64 {
            let columns = 1 + (round % 4) as usize;
            // Few different values, so that many tie.
            let mut place = || -> Vec<f64> { (0..columns).map(|_| (random.next_u64() % 9) as f64 - 3.0).collect() };
            let mut places: Vec<Vec<f64>> = (0..1 + round % 60).map(|_| place()).collect();
            places.sort_by(|a, b| order(a, b));
            let places: Vec<&[f64]> = places.iter().map(|place| &place[..]).collect();
            let expected = by_definition(&places);
            assert!(expected.contains(&true));
            assert_eq!(pairwise(&places), expected);
            if columns == 2 {
                assert_eq!(sweep_line(&places), expected);
            }
        }
    }

    #[test]
    fn limits_directions_and_ties() {
        let text = "point,role,status,reason,area,p.seconds,p.utilization\n\
                    0,point,ok,,10,1.0,0.5\n\
                    1,point,ok,,10,1.0,0.7\n\
                    2,point,ok,,5,2.0,0.1\n\
                    3,point,no-fit,too large,,,\n\
                    4,reference,ok,,1,0.1,1.0\n\
                    5,point,ok,,7,2.0,0.9\n\
                    6,point,ok,,20,0.5,0.2\n";
        let table = Table::parse(text, "r.csv").unwrap();
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let of = |columns: &[&str], most: &[(String, f64)], least: &[(String, f64)]| {
            front(&table, &names(columns), most, least).unwrap().rows
        };
        assert_eq!(of(&["area", "p.seconds"], &[], &[]), [2, 0, 1, 6]);
        assert_eq!(of(&["area", "p.seconds"], &[("area".into(), 10.0)], &[]), [2, 0, 1]);
        assert_eq!(of(&["area", "p.seconds"], &[], &[("p.utilization".into(), 0.5)]), [5, 0, 1]);
        assert_eq!(of(&["p.utilization"], &[], &[]), [5]);
        assert_eq!(of(&["area", "p.seconds", "p.utilization"], &[], &[]), [2, 5, 1, 6]);
        let error = front(&table, &names(&["size"]), &[], &[]).unwrap_err().to_string();
        assert!(error.contains("size") && error.contains("p.seconds"), "{error}");
    }
}
