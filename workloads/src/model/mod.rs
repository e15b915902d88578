//! Language models as shapes: embedded ones (`workloads/models/`), files of the same form, and Hugging Face's `config.json`.

mod check;
mod config_json;
mod presets;
mod spec;

pub use presets::{ModelPreset, load, parse, presets};
pub use spec::{Activation, Attention, Block, Experts, FeedForward, Latent, LayerRun, Linear, Mamba, Model, Norm};
