//! Plots as SVG text. Positions are computed here and drawn through `plotters`' SVG backend, which needs no fonts: text
//! stays text. Colours are Okabe and Ito's, told apart by colour-blind eyes and, in the order used, by lightness.

mod axis;
mod bars;
mod canvas;
mod cycles;
mod error;
mod front;
mod groups;
mod scatter;
mod special_values;

pub(crate) use bars::{BarGroup, bars_plot};
pub use cycles::cycles_plot;
pub use error::error_plot;
pub use front::front_plot;
pub use groups::groups_plot;
pub use scatter::{Scatter, ScatterPoint, scatter_plot};
pub use special_values::special_values_plot;

/// A finished plot: one `svg` element, text escaped, no scripts and no references. Only the functions of this room that
/// draw can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svg(String);

impl Svg {
    /// The element, as a page embeds it and as a `.svg` file holds it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
