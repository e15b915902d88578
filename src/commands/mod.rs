//! One file a subcommand.

pub(crate) mod completions;
pub(crate) mod cosim;
pub(crate) mod list;
pub(crate) mod quantize;
pub(crate) mod rtl;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod simulate;
