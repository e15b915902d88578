use bitmosaic_results::{ComparePoint, CompareResult};

use super::Svg;
use super::axis::linear;
use super::canvas::{Anchor, Canvas, Drawn, Ink, Weight, draw};
use crate::ReportsError;
use crate::compare::rows_by_terms;
use crate::number::{percent, share, significant};
use crate::text::shortened;

const WIDTH: i32 = 900;
const LABEL: i32 = 12;
const AXIS: (i32, i32) = (300, 680);
const TOP: i32 = 40;
const BAR: i32 = 18;
const GAP: i32 = 14;
/// Rows drawn; the table has all.
const MOST: usize = 40;
const PARTS: [(Ink, &str); 3] =
    [(Ink::Blue, "compute"), (Ink::Vermilion, "waiting for scale units"), (Ink::SkyBlue, "fill, drain, other stalls")];

/// Cycles of the first layer by group and terms per weight, a bar a design: compute, scale unit stalls, the rest.
///
/// # Errors
/// `Plot` if the library refuses; it does not for plots in memory.
pub fn groups_plot(result: &CompareResult) -> Result<Svg, ReportsError> {
    let mut rows = rows_by_terms(result);
    let hidden = rows.len().saturating_sub(MOST);
    rows.truncate(MOST);
    let bars = rows.iter().map(|row| row.designs.iter().flatten().count() as i32).sum::<i32>();
    let height = TOP + bars * BAR + rows.len() as i32 * GAP + 30;
    let cycles = |p: &ComparePoint| [p.compute_cycles, p.stalls.scale_unit, rest(p)].map(u128::from);
    let whole = |p: &ComparePoint| cycles(p).iter().sum::<u128>().max(p.cycles.into());
    let most = rows.iter().flat_map(|r| r.designs.iter().flatten()).map(|p| whole(p)).max().unwrap_or(0);
    draw("cycles by group", (WIDTH as u32, height as u32), |canvas| {
        legend(canvas)?;
        let mut y = TOP;
        for row in &rows {
            let terms = if row.first.terms == 1 { "term" } else { "terms" };
            let label = format!("group {}, {} {terms}", row.first.group, row.first.terms);
            canvas.text((LABEL, y + BAR / 2), Anchor::Start, Weight::Bold, Ink::Text, &shortened(&label, 22))?;
            for point in row.designs.iter().flatten() {
                let middle = y + BAR / 2;
                let name = shortened(&point.design, 14);
                canvas.text((AXIS.0 - 10, middle), Anchor::End, Weight::Normal, Ink::Text, &name)?;
                let mut before = 0u128;
                for (part, (ink, _)) in cycles(point).into_iter().zip(PARTS) {
                    let (left, right) = (linear(before, most, AXIS), linear(before + part, most, AXIS));
                    before += part;
                    if right > left {
                        canvas.bar((left, y + 2), (right, y + BAR - 2), ink)?;
                    }
                }
                let waiting = percent(share(point.stalls.scale_unit.into(), point.cycles.into()));
                let text = match point.stalls.scale_unit {
                    0 => significant(point.cycles as f64, 4),
                    _ => format!("{}, {waiting} waiting", significant(point.cycles as f64, 4)),
                };
                let end = linear(before, most, AXIS).max(AXIS.0);
                canvas.text((end + 8, middle), Anchor::Start, Weight::Normal, Ink::Text, &shortened(&text, 27))?;
                y += BAR;
            }
            y += GAP;
        }
        let foot = match (rows.len(), hidden) {
            (0, _) => "nothing was compared".to_string(),
            (_, 0) => "cycles, all bars at one scale: shorter is better".to_string(),
            (_, hidden) => format!("cycles, all bars at one scale; {hidden} more rows are in the table"),
        };
        canvas.text(((AXIS.0 + AXIS.1) / 2, y + 8), Anchor::Middle, Weight::Normal, Ink::Muted, &foot)
    })
}

/// Cycles that are neither compute nor scale unit stalls.
fn rest(point: &ComparePoint) -> u64 {
    point.cycles.saturating_sub(point.compute_cycles).saturating_sub(point.stalls.scale_unit)
}

fn legend(canvas: &Canvas) -> Drawn {
    for (i, (ink, name)) in (0..).zip(PARTS) {
        let x = AXIS.0 + 200 * i - 10;
        canvas.bar((x, 10), (x + 12, 22), ink)?;
        canvas.text((x + 20, 16), Anchor::Start, Weight::Normal, Ink::Text, name)?;
    }
    Ok(())
}
