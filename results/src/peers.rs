use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Steps of an array whose PEs skip what a published machine skips.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PeerPoint {
    /// The machine.
    pub peer: String,
    /// Steps where all columns wait for the slowest with each chunk.
    pub steps: u64,
    /// Steps where columns wait for each other at the end of each group only.
    pub run_ahead_steps: u64,
}

/// A layer on the design and on the peers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PeerLayer {
    /// Layer.
    pub name: String,
    /// Tokens, input channels, output channels.
    pub shape: [u64; 3],
    /// Weight type.
    pub weight_type: String,
    /// Input channels per group.
    pub group: u64,
    /// Steps of the design's own PEs; null for a type that it does not execute.
    pub design_steps: Option<u64>,
    /// The peers.
    pub peers: Vec<PeerPoint>,
}

/// Steps of all layers of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PeersResult {
    /// Layers.
    pub layers: Vec<PeerLayer>,
}
