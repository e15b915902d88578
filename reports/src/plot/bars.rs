use super::Svg;
use super::canvas::{Anchor, Ink, Weight, draw};
use crate::ReportsError;
use crate::text::shortened;

const WIDTH: i32 = 900;
const LABEL: i32 = 12;
const AXIS: (i32, i32) = (330, 790);
const TOP: i32 = 40;
const BAR: i32 = 14;
const GAP: i32 = 12;

/// Bars that belong together: a label and, for each series that has one, a value and what stands beside it.
pub(crate) struct BarGroup {
    pub(crate) label: String,
    pub(crate) values: Vec<Option<(f64, String)>>,
}

/// Groups of horizontal bars at one scale from zero, a colour a series.
///
/// # Errors
/// `Plot` if the library refuses; it does not for plots in memory.
pub(crate) fn bars_plot(
    plot: &'static str,
    series: &[&str],
    groups: &[BarGroup],
    foot: &str,
) -> Result<Svg, ReportsError> {
    let bars: i32 = groups.iter().map(|group| group.values.iter().flatten().count() as i32).sum();
    let height = TOP + bars * BAR + groups.len() as i32 * GAP + 30;
    let values = groups.iter().flat_map(|group| group.values.iter().flatten().map(|(value, _)| *value));
    let most = values.fold(0.0, f64::max);
    draw(plot, (WIDTH as u32, height as u32), |canvas| {
        for (i, name) in (0..).zip(series) {
            let x = LABEL + 240 * i;
            canvas.bar((x, 10), (x + 12, 22), Ink::of_series(i as usize))?;
            canvas.text((x + 20, 16), Anchor::Start, Weight::Normal, Ink::Text, name)?;
        }
        let mut y = TOP;
        for group in groups {
            let own = group.values.iter().flatten().count() as i32;
            let label = shortened(&group.label, 42);
            canvas.text((LABEL, y + own * BAR / 2), Anchor::Start, Weight::Normal, Ink::Text, &label)?;
            for (i, value) in group.values.iter().enumerate() {
                let Some((value, text)) = value else { continue };
                let share = if most > 0.0 { value / most } else { 0.0 };
                let right = AXIS.0 + (share * f64::from(AXIS.1 - AXIS.0)) as i32;
                canvas.bar((AXIS.0, y + 1), (right.max(AXIS.0 + 1), y + BAR - 1), Ink::of_series(i))?;
                canvas.text((right + 8, y + BAR / 2), Anchor::Start, Weight::Normal, Ink::Text, text)?;
                y += BAR;
            }
            y += GAP;
        }
        canvas.text(((AXIS.0 + AXIS.1) / 2, y + 8), Anchor::Middle, Weight::Normal, Ink::Muted, foot)
    })
}
