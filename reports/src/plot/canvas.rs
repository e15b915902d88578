use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, TextStyle};

use super::Svg;
use crate::ReportsError;
use crate::text::visible;

/// Colours of a plot. The page's style sheet knows the first three by value and swaps them on a dark background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Muted,
    Line,
    /// Text on a dark mark.
    White,
    /// Text on a light mark.
    Black,
    Blue,
    SkyBlue,
    Green,
    Orange,
    Vermilion,
    Purple,
    Grey,
}

impl Ink {
    /// Colours that tell rows of a series apart; from the seventh on they repeat.
    pub(super) fn of_series(index: usize) -> Ink {
        const SERIES: [Ink; 6] = [Ink::Blue, Ink::Vermilion, Ink::Green, Ink::Orange, Ink::Purple, Ink::SkyBlue];
        SERIES[index % SERIES.len()]
    }

    fn color(self) -> RGBColor {
        match self {
            Ink::Text => RGBColor(0x1B, 0x1F, 0x24),
            Ink::Muted => RGBColor(0x57, 0x60, 0x6A),
            Ink::Line => RGBColor(0xD0, 0xD7, 0xDE),
            Ink::White => RGBColor(0xFF, 0xFF, 0xFF),
            Ink::Black => RGBColor(0x00, 0x00, 0x00),
            Ink::Blue => RGBColor(0x00, 0x72, 0xB2),
            Ink::SkyBlue => RGBColor(0x56, 0xB4, 0xE9),
            Ink::Green => RGBColor(0x00, 0x9E, 0x73),
            Ink::Orange => RGBColor(0xE6, 0x9F, 0x00),
            Ink::Vermilion => RGBColor(0xD5, 0x5E, 0x00),
            Ink::Purple => RGBColor(0xCC, 0x79, 0xA7),
            Ink::Grey => RGBColor(0x7F, 0x7F, 0x7F),
        }
    }

    /// What to write with on a mark of this colour.
    pub(super) fn contrast(self) -> Ink {
        if self == Ink::Blue { Ink::White } else { Ink::Black }
    }
}

/// Which part of a text its position names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Normal,
    Bold,
}

pub(super) type Point = (i32, i32);
pub(super) type PlotterError = DrawingAreaErrorKind<std::io::Error>;
pub(super) type Drawn = Result<(), PlotterError>;

/// Pixels of a text of normal size.
pub(super) const FONT_PX: f64 = 13.0;

/// An SVG being drawn. Coordinates in pixels from the top left corner.
pub(super) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

/// Draws one plot.
pub(super) fn draw(
    plot: &'static str,
    size: (u32, u32),
    marks: impl FnOnce(&Canvas) -> Drawn,
) -> Result<Svg, ReportsError> {
    let mut svg = String::new();
    {
        let canvas = Canvas(SVGBackend::with_string(&mut svg, size).into_drawing_area());
        let drawn = marks(&canvas).and_then(|()| canvas.0.present());
        drawn.map_err(|e| ReportsError::Plot { plot, reason: e.to_string() })?;
    }
    Ok(Svg(svg))
}

/// Rough width in pixels, without fonts: generous for a common sans-serif.
pub(super) fn text_width(text: &str) -> i32 {
    (text.chars().count() as f64 * FONT_PX * 0.58) as i32
}

impl Canvas<'_> {
    pub(super) fn bar(&self, corner: Point, opposite: Point, ink: Ink) -> Drawn {
        self.0.draw(&Rectangle::new([corner, opposite], ink.color().filled()))
    }

    pub(super) fn line(&self, from: Point, to: Point, ink: Ink) -> Drawn {
        self.0.draw(&PathElement::new(vec![from, to], ink.color().stroke_width(1)))
    }

    pub(super) fn thick_line(&self, from: Point, to: Point, ink: Ink) -> Drawn {
        self.0.draw(&PathElement::new(vec![from, to], ink.color().stroke_width(3)))
    }

    pub(super) fn dot(&self, at: Point, ink: Ink) -> Drawn {
        self.0.draw(&Circle::new(at, 6, ink.color().filled()))
    }

    pub(super) fn small_dot(&self, at: Point, ink: Ink) -> Drawn {
        self.0.draw(&Circle::new(at, 3, ink.color().filled()))
    }

    pub(super) fn diamond(&self, (x, y): Point, ink: Ink) -> Drawn {
        self.0.draw(&Polygon::new(vec![(x - 8, y), (x, y - 8), (x + 8, y), (x, y + 8)], ink.color().filled()))
    }

    /// Text whose vertical middle is at the position.
    pub(super) fn text(&self, at: Point, anchor: Anchor, weight: Weight, ink: Ink, text: &str) -> Drawn {
        let horizontal = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let style = match weight {
            Weight::Normal => FontStyle::Normal,
            Weight::Bold => FontStyle::Bold,
        };
        let color = ink.color();
        // The backend divides by 1.24 on the way to the attribute.
        let font = ("sans-serif", FONT_PX * 1.24, style).into_font();
        let style = TextStyle::from(font).color(&color).pos(Pos::new(horizontal, VPos::Center));
        self.0.draw(&Text::new(visible(text), at, style))
    }
}
