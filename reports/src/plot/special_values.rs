use bitmosaic_results::QuantizedTensor;

use super::Svg;
use super::axis::{intervals, linear, linear_ticks};
use super::canvas::{Anchor, Ink, Weight, draw};
use crate::ReportsError;
use crate::number::{count, percent, share};
use crate::quantize::{groups, special_values};
use crate::text::shortened;

const WIDTH: i32 = 760;
const AXIS: (i32, i32) = (140, 470);
const TOP: i32 = 32;
const ROW: i32 = 28;
/// Rows drawn; a type has a handful of special values, a stranger's file may claim more.
const MOST: usize = 24;

/// How many groups chose each special value, one bar a value; `None` for a type without special values.
///
/// # Errors
/// `Plot` if the library refuses; it does not for plots in memory.
pub fn special_values_plot(tensor: &QuantizedTensor) -> Result<Option<Svg>, ReportsError> {
    let values = special_values(tensor);
    if values.is_empty() {
        return Ok(None);
    }
    let sum: u128 = values.iter().map(|(_, n)| u128::from(*n)).sum();
    let all = groups(tensor).max(sum);
    let most = values.iter().map(|(_, n)| u128::from(*n)).max().unwrap_or(0);
    let shown = values.len().min(MOST);
    let bottom = TOP + ROW * shown as i32;
    draw("special values", (WIDTH as u32, (bottom + 48) as u32), |canvas| {
        let head = "special value";
        canvas.text((AXIS.0 - 10, 16), Anchor::End, Weight::Normal, Ink::Muted, head)?;
        for tick in linear_ticks(most, intervals(most, AXIS.1 - AXIS.0)) {
            let x = linear(tick, most, AXIS);
            canvas.line((x, TOP - 4), (x, bottom + 4), Ink::Line)?;
            canvas.text((x, bottom + 14), Anchor::Middle, Weight::Normal, Ink::Muted, &count(tick))?;
        }
        let title = match values.len() - shown {
            0 => "groups".to_string(),
            hidden => format!("groups; {hidden} more values are in the table"),
        };
        canvas.text(((AXIS.0 + AXIS.1) / 2, bottom + 34), Anchor::Middle, Weight::Normal, Ink::Muted, &title)?;
        for (i, (name, n)) in values.iter().take(shown).enumerate() {
            let y = TOP + ROW * i as i32;
            let n = u128::from(*n);
            let x = linear(n, most, AXIS);
            let name = shortened(name, 16);
            canvas.text((AXIS.0 - 10, y + ROW / 2), Anchor::End, Weight::Bold, Ink::Text, &name)?;
            if n > 0 {
                canvas.bar((AXIS.0, y + 4), (x.max(AXIS.0 + 1), y + ROW - 4), Ink::Blue)?;
            }
            let text = format!("{} ({})", count(n), percent(share(n, all)));
            canvas.text((x + 8, y + ROW / 2), Anchor::Start, Weight::Normal, Ink::Text, &text)?;
        }
        Ok(())
    })
    .map(Some)
}
