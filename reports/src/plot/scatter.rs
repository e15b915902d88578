use super::Svg;
use super::canvas::{Anchor, Canvas, Drawn, Ink, Point, Weight, draw};
use crate::ReportsError;
use crate::number::{decades, seconds, significant, trimmed};
use crate::text::shortened;

const WIDTH: i32 = 900;
const HEIGHT: i32 = 540;
const X: (i32, i32) = (110, 860);
/// Bottom, top.
const Y: (i32, i32) = (450, 50);
/// References that the legend names.
const NAMED: usize = 4;

/// Rows in the plane of two columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scatter {
    /// The columns.
    pub columns: [String; 2],
    /// The rows that have both.
    pub points: Vec<ScatterPoint>,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScatterPoint {
    /// Its number.
    pub row: u64,
    /// Value of the first column.
    pub x: f64,
    /// Value of the second.
    pub y: f64,
    /// The design of a reference row.
    pub reference: Option<String>,
}

/// Both columns logarithmic: every row in grey, references in a colour of their design, those of the front (`rows`, in order)
/// joined by a line.
///
/// # Errors
/// `Plot` if the library refuses; it does not for plots in memory.
pub fn scatter_plot(scatter: &Scatter, front: &[u64]) -> Result<Svg, ReportsError> {
    let shown = |v: f64| v.is_finite() && v > 0.0;
    let points: Vec<&ScatterPoint> = scatter.points.iter().filter(|p| shown(p.x) && shown(p.y)).collect();
    let x = Axis::around(points.iter().map(|p| p.x), X);
    let y = Axis::around(points.iter().map(|p| p.y), Y);
    let place = |p: &ScatterPoint| (x.position(p.x), y.position(p.y));
    let mut references: Vec<&str> = points.iter().filter_map(|p| p.reference.as_deref()).collect();
    references.sort_unstable();
    references.dedup();
    draw("area against time", (WIDTH as u32, HEIGHT as u32), |canvas| {
        axes(canvas, &x, &y, &scatter.columns)?;
        canvas.small_dot((X.0, 18), Ink::Grey)?;
        canvas.text((X.0 + 10, 18), Anchor::Start, Weight::Normal, Ink::Text, "points")?;
        canvas.diamond((X.0 + 90, 18), Ink::Blue)?;
        canvas.text((X.0 + 104, 18), Anchor::Start, Weight::Normal, Ink::Text, "front")?;
        for (i, name) in references.iter().take(NAMED).enumerate() {
            let left = X.0 + 180 + 150 * i as i32;
            canvas.small_dot((left, 18), Ink::of_series(i + 1))?;
            canvas.text((left + 10, 18), Anchor::Start, Weight::Normal, Ink::Text, &shortened(name, 18))?;
        }
        for point in points.iter().filter(|p| p.reference.is_none()) {
            canvas.small_dot(place(point), Ink::Grey)?;
        }
        let of_front = front.iter().filter_map(|row| points.iter().find(|p| p.row == *row));
        let places: Vec<Point> = of_front.map(|p| place(p)).collect();
        for pair in places.windows(2) {
            canvas.line(pair[0], pair[1], Ink::Muted)?;
        }
        for at in places {
            canvas.diamond(at, Ink::Blue)?;
        }
        for point in &points {
            let Some(name) = &point.reference else { continue };
            let series = references.iter().position(|other| other == name).unwrap_or(0);
            canvas.small_dot(place(point), Ink::of_series(series + 1))?;
        }
        Ok(())
    })
}

fn axes(canvas: &Canvas, x: &Axis, y: &Axis, [x_name, y_name]: &[String; 2]) -> Drawn {
    let label = |name: &str, value: f64| match name.ends_with("seconds") {
        true => seconds(value),
        false if value < 1e9 => trimmed(value, 4),
        false => significant(value, 2),
    };
    for value in x.ticks() {
        let at = x.position(value);
        canvas.line((at, Y.0), (at, Y.1), Ink::Line)?;
        canvas.text((at, Y.0 + 16), Anchor::Middle, Weight::Normal, Ink::Muted, &label(x_name, value))?;
    }
    for value in y.ticks() {
        let at = y.position(value);
        canvas.line((X.0, at), (X.1, at), Ink::Line)?;
        canvas.text((X.0 - 10, at), Anchor::End, Weight::Normal, Ink::Muted, &label(y_name, value))?;
    }
    let below = format!("{}; upwards: {}", shortened(x_name, 40), shortened(y_name, 60));
    canvas.text(((X.0 + X.1) / 2, Y.0 + 44), Anchor::Middle, Weight::Normal, Ink::Muted, &below)
}

/// A logarithmic axis between two of 1, 2 and 5 times powers of ten.
struct Axis {
    /// Steps of the series 1, 2, 5, 10, ...; step 0 is 1.
    low: i32,
    high: i32,
    pixels: (i32, i32),
}

impl Axis {
    fn around(values: impl Iterator<Item = f64> + Clone, pixels: (i32, i32)) -> Axis {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(f64::NEG_INFINITY, f64::max);
        if least > most {
            return Axis { low: 0, high: 1, pixels };
        }
        let mut low = 3 * decades(least).floor() as i32;
        while step(low + 1) <= least {
            low += 1;
        }
        let mut high = low + 1;
        while step(high) < most {
            high += 1;
        }
        Axis { low, high, pixels }
    }

    /// At most nine.
    fn ticks(&self) -> Vec<f64> {
        // Powers of ten alone where there are many.
        let every = match self.high - self.low {
            0..=8 => 1,
            steps => 3 * (steps / 27 + 1),
        };
        (self.low..=self.high).filter(|i| i.rem_euclid(every) == 0).map(step).collect()
    }

    fn position(&self, value: f64) -> i32 {
        let (low, high) = (decades(step(self.low)), decades(step(self.high)));
        let (left, right) = self.pixels;
        left + (f64::from(right - left) * (decades(value) - low) / (high - low)).round() as i32
    }
}

/// 1, 2, 5, 10, 20, ... and 0.5, 0.2, 0.1, ...
fn step(index: i32) -> f64 {
    let power = index.div_euclid(3);
    let text = format!("{}e{power}", [1, 2, 5][index.rem_euclid(3) as usize]);
    text.parse().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_reach_around_their_values() {
        let axis = |values: &[f64]| Axis::around(values.iter().copied(), (0, 300));
        let ends = |values: &[f64]| (step(axis(values).low), step(axis(values).high));
        assert_eq!(ends(&[3.0, 40.0]), (2.0, 50.0));
        assert_eq!(ends(&[1.0, 1.0]), (1.0, 2.0));
        assert_eq!(ends(&[0.003, 0.01]), (0.002, 0.01));
        assert_eq!(ends(&[]), (1.0, 2.0));
        assert_eq!(axis(&[3.0, 40.0]).ticks(), [2.0, 5.0, 10.0, 20.0, 50.0]);
        assert!(axis(&[1e-30, 1e30]).ticks().len() <= 9);
        assert_eq!([axis(&[2.0, 5.0]).position(2.0), axis(&[2.0, 5.0]).position(5.0)], [0, 300]);
    }
}
