//! What a result looks like in a terminal, in a browser and in a spreadsheet. Reads the records of `results`, computes
//! nothing that a record could hold, and says so where a number is absent: an energy that no model produced is not zero.
//!
//! Every rendering is a function from a document to a `String` and the same bytes on every run; printing is the command
//! line's. What may come from a stranger's file (names of tensors, of designs) is escaped in all of them.

mod breakdown;
mod compare;
mod cosim;
mod error;
mod files;
mod html;
mod layers;
mod list;
mod mapping;
mod number;
mod page;
mod peers;
mod plot;
mod quantize;
mod reproduce;
mod rtl;
mod run;
mod simulate;
mod sweep;
mod table;
mod text;
mod yardstick;

pub use breakdown::{Breakdown, Cause, Part};
pub use compare::{compare_csv, compare_page, compare_text};
pub use cosim::cosim_text;
pub use error::ReportsError;
pub use files::{write_compare_csv, write_compare_page, write_file, write_layers_csv, write_run_page};
pub use html::escape;
pub use layers::layers_csv;
pub use list::list_text;
pub use mapping::mapping_text;
pub use page::{Block, Page, Section, Tone};
pub use peers::peers_text;
pub use plot::{
    Scatter, ScatterPoint, Svg, cycles_plot, error_plot, front_plot, groups_plot, scatter_plot, special_values_plot,
};
pub use quantize::quantize_text;
pub use reproduce::{
    cycles_plot as reproduce_cycles_plot, gains_plot, reproduce_gains_csv, reproduce_page, reproduce_points_csv,
    reproduce_text,
};
pub use rtl::rtl_text;
pub use run::{RunDetails, run_page, run_text};
pub use simulate::simulate_text;
pub use sweep::{pareto_csv, pareto_text, sweep_page, sweep_text};
pub use table::{Align, Cell, Column, Head, Table};
