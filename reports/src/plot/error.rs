use bitmosaic_results::{AccuracyResult, ErrorStatistics};

use super::Svg;
use super::axis::LogAxis;
use super::canvas::{Anchor, Canvas, Drawn, Ink, Point, Weight, draw};
use crate::ReportsError;
use crate::number::scientific;
use crate::yardstick::rows;

const WIDTH: i32 = 900;
const NAME: i32 = 12;
/// Where an error of exactly 0 is drawn, left of the axis: a logarithm has no zero.
const ZERO: i32 = 190;
/// The axis; it begins at `ZERO` where nothing stands there.
const LEFT: i32 = 270;
const RIGHT: i32 = 830;
const TOP: i32 = 44;
const ROW: i32 = 56;

/// Mean and largest relative error of datapath and yardsticks on a logarithmic axis; errors of 0 stand left of it, what is
/// not a finite number is said in words.
///
/// # Errors
/// `Plot` if the library refuses; it does not for plots in memory.
pub fn error_plot(accuracy: &AccuracyResult) -> Result<Svg, ReportsError> {
    let rows = rows(accuracy);
    let values = rows.map(|(_, _, s)| values(s)).concat();
    let zeros = values.contains(&0.0);
    let left = if zeros { LEFT } else { ZERO };
    let axis = LogAxis::around(values.iter().copied(), (left, RIGHT));
    let bottom = TOP + ROW * rows.len() as i32;
    draw("error against the exact reference", (WIDTH as u32, (bottom + 54) as u32), |canvas| {
        legend(canvas, left)?;
        for exponent in axis.ticks() {
            let x = axis.tick(exponent);
            canvas.line((x, TOP), (x, bottom), Ink::Line)?;
            let text = format!("1e{exponent}");
            canvas.text((x, bottom + 14), Anchor::Middle, Weight::Normal, Ink::Muted, &text)?;
        }
        if zeros {
            canvas.line((ZERO, TOP), (ZERO, bottom), Ink::Line)?;
            canvas.text((ZERO, bottom + 14), Anchor::Middle, Weight::Normal, Ink::Muted, "0")?;
        }
        let title = "relative error, no unit, logarithmic scale: left is better";
        let middle = (left + RIGHT) / 2;
        canvas.text((middle, bottom + 38), Anchor::Middle, Weight::Normal, Ink::Muted, title)?;
        for (i, ((name, _, statistics), ink)) in
            rows.into_iter().zip([Ink::Blue, Ink::Vermilion, Ink::Green]).enumerate()
        {
            let y = TOP + ROW * i as i32 + ROW / 2;
            canvas.text((NAME, y), Anchor::Start, Weight::Bold, Ink::Text, name)?;
            row(canvas, &axis, statistics, (left, y), ink)?;
        }
        Ok(())
    })
}

/// Mean and maximum; none where nothing was compared.
fn values(statistics: &ErrorStatistics) -> Vec<f64> {
    if statistics.outputs == 0 { Vec::new() } else { vec![statistics.mean_relative, statistics.max_relative] }
}

fn row(canvas: &Canvas, axis: &LogAxis, statistics: &ErrorStatistics, (left, y): Point, ink: Ink) -> Drawn {
    let values = values(statistics);
    if values.is_empty() {
        return canvas.text((left, y), Anchor::Start, Weight::Normal, Ink::Text, "no outputs were compared");
    }
    let place = |value: f64| match value {
        0.0 => Some(ZERO),
        v if v.is_finite() && v > 0.0 => Some(axis.position(v)),
        _ => None,
    };
    if let [Some(mean), Some(max)] = [place(values[0]), place(values[1])] {
        canvas.thick_line((mean, y), (max, y), ink)?;
    }
    // The mean's label above, the maximum's below: they stay apart however close the marks are.
    for (value, name, shift) in [(values[0], "mean", -18), (values[1], "max", 18)] {
        match place(value) {
            Some(x) => {
                if name == "mean" {
                    canvas.dot((x, y), ink)?;
                } else {
                    canvas.diamond((x, y), ink)?;
                }
                let text = format!("{name} {}", scientific(value));
                canvas.text((x, y + shift), Anchor::Middle, Weight::Normal, Ink::Text, &text)?;
            }
            None => {
                let text = format!("{name}: {}", scientific(value));
                canvas.text((left + 8, y + shift), Anchor::Start, Weight::Normal, Ink::Text, &text)?;
            }
        }
    }
    Ok(())
}

fn legend(canvas: &Canvas, left: i32) -> Drawn {
    canvas.dot((left + 8, 18), Ink::Grey)?;
    canvas.text((left + 22, 18), Anchor::Start, Weight::Normal, Ink::Text, "mean of all outputs")?;
    canvas.diamond((left + 208, 18), Ink::Grey)?;
    canvas.text((left + 224, 18), Anchor::Start, Weight::Normal, Ink::Text, "largest of all outputs")
}
