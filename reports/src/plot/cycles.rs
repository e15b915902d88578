use bitmosaic_results::SimulateResult;

use super::Svg;
use super::axis::{intervals, linear, linear_ticks};
use super::canvas::{Anchor, Canvas, Drawn, Ink, PlotterError, Weight, draw, text_width};
use crate::ReportsError;
use crate::breakdown::{Breakdown, Cause, Part};
use crate::number::{count, percent, share};

const WIDTH: i32 = 900;
const LEFT: i32 = 112;
const RIGHT: i32 = 888;
const BAR: i32 = 36;
const ALL_TOP: i32 = 46;
const LOSS_TOP: i32 = 118;

/// Stacked horizontal bars: all cycles by cause, and under them, at their own scale, those without compute.
///
/// # Errors
/// `Plot` if the library refuses; it does not for plots in memory.
pub fn cycles_plot(result: &SimulateResult) -> Result<Svg, ReportsError> {
    let breakdown = Breakdown::new(result);
    let all: Vec<Part> = breakdown.parts.iter().copied().filter(|p| p.cycles > 0).collect();
    let loss: Vec<Part> = all.iter().copied().filter(|p| p.cause != Cause::Compute).collect();
    let zoomed = !loss.is_empty() && loss.len() < all.len();
    let legend_top = if zoomed { LOSS_TOP + BAR + 56 } else { ALL_TOP + BAR + 30 };
    let entries: Vec<String> = all.iter().map(|p| legend_entry(p, breakdown.total)).collect();
    let widest = entries.iter().map(|e| text_width(e)).max().unwrap_or(0);
    let columns = ((WIDTH - 24) / (widest + 40)).clamp(1, 3);
    let rows = (all.len().max(1) as i32 + columns - 1) / columns;
    let height = legend_top + rows * 24;

    draw("cycles by cause", (WIDTH as u32, height as u32), |canvas| {
        let whole = breakdown.total.max(breakdown.sum());
        axis(canvas, whole, ALL_TOP, -1)?;
        label(canvas, ALL_TOP, "all cycles")?;
        let edges = stack(canvas, &all, whole, ALL_TOP)?;
        if zoomed {
            let lost: u128 = loss.iter().map(|p| p.cycles).sum();
            // The compute part comes first: the bar below opens up what follows it.
            let start = edges.get(1).copied().unwrap_or(LEFT);
            let end = edges.last().copied().unwrap_or(RIGHT);
            canvas.line((start, ALL_TOP + BAR), (LEFT, LOSS_TOP), Ink::Muted)?;
            canvas.line((end, ALL_TOP + BAR), (RIGHT, LOSS_TOP), Ink::Muted)?;
            label(canvas, LOSS_TOP, "not compute")?;
            stack(canvas, &loss, lost, LOSS_TOP)?;
            axis(canvas, lost, LOSS_TOP + BAR, 1)?;
        }
        legend(canvas, &all, &entries, (columns, legend_top))
    })
}

fn ink(cause: Cause) -> Ink {
    match cause {
        Cause::Compute => Ink::Blue,
        Cause::Memory => Ink::Purple,
        Cause::Operand => Ink::Orange,
        Cause::ScaleUnit => Ink::Vermilion,
        Cause::Output => Ink::Green,
        Cause::FillDrain => Ink::SkyBlue,
        Cause::Unattributed => Ink::Grey,
    }
}

/// Draws the parts side by side and returns the left edge of each, and the right edge of the last.
fn stack(canvas: &Canvas, parts: &[Part], whole: u128, top: i32) -> Result<Vec<i32>, PlotterError> {
    let mut edges = vec![LEFT];
    let mut before = 0u128;
    for part in parts {
        let left = linear(before, whole, (LEFT, RIGHT));
        before += part.cycles;
        let right = linear(before, whole, (LEFT, RIGHT));
        edges.push(right);
        // A gap of one pixel separates neighbours; what is there stays visible.
        let gap = i32::from(right < RIGHT);
        let drawn_right = (right - gap).max(left + 1);
        canvas.bar((left, top), (drawn_right, top + BAR), ink(part.cause))?;
        let name = part.cause.name();
        if text_width(name) + 12 <= right - left {
            let middle = ((left + right) / 2, top + BAR / 2);
            canvas.text(middle, Anchor::Middle, Weight::Normal, ink(part.cause).contrast(), name)?;
        }
    }
    Ok(edges)
}

/// Ticks above (`direction` -1) or below (1) a bar's edge at `y`.
fn axis(canvas: &Canvas, most: u128, y: i32, direction: i32) -> Drawn {
    let ticks = linear_ticks(most, intervals(most, RIGHT - LEFT));
    for tick in &ticks {
        let x = linear(*tick, most, (LEFT, RIGHT));
        canvas.line((x, y), (x, y + 5 * direction), Ink::Muted)?;
        let text = count(*tick);
        let anchor = if x + text_width(&text) / 2 > WIDTH { Anchor::End } else { Anchor::Middle };
        canvas.text((x, y + 14 * direction), anchor, Weight::Normal, Ink::Muted, &text)?;
    }
    canvas.text((LEFT - 18, y + 14 * direction), Anchor::End, Weight::Normal, Ink::Muted, "cycles")
}

fn label(canvas: &Canvas, top: i32, text: &str) -> Drawn {
    canvas.text((LEFT - 10, top + BAR / 2), Anchor::End, Weight::Bold, Ink::Text, text)
}

fn legend(canvas: &Canvas, parts: &[Part], entries: &[String], (columns, top): (i32, i32)) -> Drawn {
    if parts.is_empty() {
        return canvas.text((LEFT, top + 6), Anchor::Start, Weight::Normal, Ink::Text, "no cycle was simulated");
    }
    for (i, (part, entry)) in (0..).zip(parts.iter().zip(entries)) {
        let x = 12 + (WIDTH - 24) / columns * (i % columns);
        let y = top + 24 * (i / columns);
        canvas.bar((x, y), (x + 12, y + 12), ink(part.cause))?;
        canvas.text((x + 20, y + 6), Anchor::Start, Weight::Normal, Ink::Text, entry)?;
    }
    Ok(())
}

fn legend_entry(part: &Part, total: u128) -> String {
    format!("{}: {} ({})", part.cause.name(), count(part.cycles), percent(share(part.cycles, total)))
}
