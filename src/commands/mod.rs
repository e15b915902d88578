//! One file a subcommand; `layers` is what `quantize` and `compare` share.

pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod cosim;
pub(crate) mod layers;
pub(crate) mod list;
pub(crate) mod mapping;
pub(crate) mod peers;
pub(crate) mod program;
pub(crate) mod quantize;
pub(crate) mod reproduce;
pub(crate) mod rtl;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod simulate;
pub(crate) mod sweep;
