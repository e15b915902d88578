//! The schema of a model file: what the operations of a decoder and their sizes follow from, nothing that can be derived.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A decoder-only language model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name, lower case letters, digits, dots and dashes.
    pub name: String,
    /// Where the numbers come from.
    pub source: String,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Rows of the embedding table, and output channels of the lm_head.
    pub vocabulary: u32,
    /// The lm_head shares the embedding table: one copy in memory, computed all the same.
    #[serde(default)]
    pub tied_embeddings: bool,
    /// Kind of the norms.
    pub norm: Norm,
    /// Layers in order: runs of named blocks, repeated.
    pub layers: Vec<LayerRun>,
    /// Kinds of layers by name.
    pub blocks: BTreeMap<String, Block>,
}

/// Kind of a norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// Root mean square.
    Rms,
    /// Mean and variance.
    Layer,
}

/// Layers that repeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRun {
    /// Names of blocks, one a layer.
    pub blocks: Vec<String>,
    /// How often they come one after another.
    #[serde(default = "one")]
    pub repeat: u32,
}

fn one() -> u32 {
    1
}

/// What a layer has. Parts run in the order of the fields.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Norms of `hidden` channels a token passes: 2 in most, 1 where attention and feed-forward are parallel, 4 with norms
    /// behind both. A norm of twice the channels counts twice.
    pub norms: u32,
    /// Sets of weights of attention and feed-forward network that its layers share; one a layer without it. State space and
    /// further linear layers are not shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<u32>,
    /// Attention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<Attention>,
    /// Feed-forward network, dense or of experts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed_forward: Option<FeedForward>,
    /// Further linear layers that every token passes: adapters, projections behind a shared block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linears: Vec<Linear>,
    /// State space (Mamba-2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mamba: Option<Mamba>,
}

/// Self-attention with a key-value cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attention {
    /// Query heads.
    pub heads: u32,
    /// Heads of keys and values; divides `heads`. As many as `heads`: MHA, one: MQA, else GQA. With `latent` as many as `heads`.
    pub kv_heads: u32,
    /// Channels of a head of queries and keys; with `latent` those without rotation.
    pub head_dim: u32,
    /// Rotated channels of a head; 0 without rotary embedding. With `latent` they come on top of `head_dim`.
    #[serde(default)]
    pub rotary_dim: u32,
    /// Tokens that a token attends to at most, itself included (sliding window).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    /// Norms of each head of queries and keys.
    #[serde(default)]
    pub query_key_norm: bool,
    /// Channels into the projections, where not `hidden`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u32>,
    /// Multi-head latent attention (MLA, DeepSeek-V2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latent: Option<Latent>,
}

/// Low-rank projections of multi-head latent attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latent {
    /// Rank of the queries; full without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_rank: Option<u32>,
    /// Rank of keys and values: what the cache holds, with the rotated channels, per token.
    pub kv_rank: u32,
    /// Channels of a head of values.
    pub value_dim: u32,
}

/// Feed-forward network of one or, gated, two matrices in and one out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedForward {
    /// Channels within, of an expert where there are experts.
    pub intermediate: u32,
    /// A second input matrix gates the first one's outputs.
    pub gated: bool,
    /// Activation function.
    pub activation: Activation,
    /// Mixture of experts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts: Option<Experts>,
}

/// Activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x · Φ(x), or its tanh form.
    Gelu,
    /// x · sigmoid(x).
    Silu,
}

/// Experts of a feed-forward network, and a router over them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// Experts that are routed to.
    pub count: u32,
    /// Of them, experts a token passes.
    pub per_token: u32,
    /// Channels within the network that every token passes beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_intermediate: Option<u32>,
}

/// State space layer of Mamba-2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mamba {
    /// Channels within: heads times channels of a head.
    pub inner: u32,
    /// Heads.
    pub heads: u32,
    /// State a channel.
    pub state: u32,
    /// Groups that share input and output matrices of the state.
    pub groups: u32,
    /// Taps of the convolution.
    pub convolution: u32,
}

/// A linear layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Name in results.
    pub name: String,
    /// Input channels.
    pub input: u32,
    /// Output channels.
    pub output: u32,
}
