use bitmosaic_results::{ComparePoint, CompareResult};

use super::Svg;
use super::axis::LogAxis;
use super::canvas::{Anchor, Canvas, Drawn, Ink, Point, Weight, draw, text_width};
use crate::ReportsError;
use crate::compare::front;
use crate::text::shortened;

const WIDTH: i32 = 900;
const HEIGHT: i32 = 540;
const X: (i32, i32) = (90, 860);
/// Bottom, top.
const Y: (i32, i32) = (450, 50);
/// Designs that the legend names.
const NAMED: usize = 4;

/// Gate cycles per multiply-accumulate against the relative mean square error of a layer's outputs, both logarithmic: every
/// point in its design's colour, those of the front as diamonds joined by a line, named where there is room.
///
/// # Errors
/// `Plot` if the library refuses; it does not for plots in memory.
pub fn front_plot(result: &CompareResult, layer: &str) -> Result<Svg, ReportsError> {
    let all: Vec<&ComparePoint> = result.points.iter().filter(|p| p.layer == layer).collect();
    let points: Vec<(f64, f64, &ComparePoint)> = all.iter().copied().filter_map(values).collect();
    let x = LogAxis::around(points.iter().map(|p| p.0), X);
    let y = LogAxis::around(points.iter().map(|p| p.1), Y);
    let place = |(cost, error, _): &(f64, f64, &ComparePoint)| (x.position(*cost), y.position(*error));
    let ink = |p: &ComparePoint| {
        Ink::of_series(result.designs.iter().position(|d| d.name == p.design).unwrap_or(result.designs.len()))
    };
    draw("cost against error", (WIDTH as u32, HEIGHT as u32), |canvas| {
        axes(canvas, x, y)?;
        for (i, design) in result.designs.iter().take(NAMED).enumerate() {
            let left = X.0 + 195 * i as i32;
            canvas.small_dot((left, 18), Ink::of_series(i))?;
            let name = shortened(&design.name, 20);
            canvas.text((left + 10, 18), Anchor::Start, Weight::Normal, Ink::Text, &name)?;
        }
        for point in &points {
            canvas.small_dot(place(point), ink(point.2))?;
        }
        let front: Vec<(f64, f64, &ComparePoint)> = front(result, layer).into_iter().filter_map(values).collect();
        let places: Vec<Point> = front.iter().map(place).collect();
        for pair in places.windows(2) {
            canvas.line(pair[0], pair[1], Ink::Muted)?;
        }
        let mut labels = Labels::default();
        for (at, (_, _, point)) in places.iter().zip(&front) {
            canvas.diamond(*at, ink(point))?;
            labels.write(canvas, *at, &shortened(&format!("{} g{}", point.weight_type, point.group), 24))?;
        }
        let mut title = "gate cycles per multiply-accumulate".to_string();
        if points.len() < all.len() {
            title += &format!("; {} points have no place on the axes", all.len() - points.len());
        }
        canvas.text(((X.0 + X.1) / 2, Y.0 + 44), Anchor::Middle, Weight::Normal, Ink::Muted, &title)?;
        let title = "upwards: relative mean square error against the layer before quantization";
        canvas.text(((X.0 + X.1) / 2, Y.0 + 68), Anchor::Middle, Weight::Normal, Ink::Muted, title)
    })
}

/// Cost and error of a point that a logarithmic axis can show.
fn values(point: &ComparePoint) -> Option<(f64, f64, &ComparePoint)> {
    let shown = |v: f64| v.is_finite() && v > 0.0;
    let error = point.machine?.relative_mse;
    (shown(point.gate_cycles_per_mac) && shown(error)).then_some((point.gate_cycles_per_mac, error, point))
}

fn axes(canvas: &Canvas, x: LogAxis, y: LogAxis) -> Drawn {
    for exponent in x.ticks() {
        let at = x.tick(exponent);
        canvas.line((at, Y.0), (at, Y.1), Ink::Line)?;
        canvas.text((at, Y.0 + 16), Anchor::Middle, Weight::Normal, Ink::Muted, &format!("1e{exponent}"))?;
    }
    for exponent in y.ticks() {
        let at = y.tick(exponent);
        canvas.line((X.0, at), (X.1, at), Ink::Line)?;
        canvas.text((X.0 - 10, at), Anchor::End, Weight::Normal, Ink::Muted, &format!("1e{exponent}"))?;
    }
    Ok(())
}

/// Names beside marks, none over another; a name that finds no room is left to the table.
#[derive(Default)]
struct Labels(Vec<[i32; 4]>);

impl Labels {
    fn write(&mut self, canvas: &Canvas, (x, y): Point, text: &str) -> Drawn {
        let width = text_width(text) + 4;
        for (left, middle) in [(x + 12, y - 12), (x - 12 - width, y + 12), (x + 12, y + 12), (x - 12 - width, y - 12)] {
            let own = [left, middle - 9, left + width, middle + 9];
            let inside = own[0] > X.0 && own[2] < WIDTH && own[1] > Y.1 && own[3] < Y.0;
            let apart = |o: &[i32; 4]| own[2] <= o[0] || o[2] <= own[0] || own[3] <= o[1] || o[3] <= own[1];
            if inside && self.0.iter().all(apart) {
                self.0.push(own);
                return canvas.text((left, middle), Anchor::Start, Weight::Normal, Ink::Text, text);
            }
        }
        Ok(())
    }
}
