//! Families of one feed-forward network a layer.

use super::fields::Fields;
use super::{Decoder, ONLY};
use crate::WorkloadsError;
use crate::model::spec::{Activation, Attention, Block, FeedForward, Norm};

const FULL: &str = "full_attention";
const SLIDING: &str = "sliding_attention";

/// OPT; learned positions, no gate.
pub(super) fn opt(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    fields.must_be("do_layer_norm_before", true)?;
    fields.must_be("_remove_final_layer_norm", false)?;
    let hidden = fields.size("hidden_size")?;
    if let Some(width) = fields.optional_size("word_embed_proj_dim", None)?.filter(|width| *width != hidden) {
        let expected = format!("`hidden_size`, {hidden}: no projections between table and layers");
        return Err(fields.unsupported("word_embed_proj_dim", &width.to_string(), &expected));
    }
    let attention = attention(fields, KvHeads::AsHeads, HeadDim::Derived)?;
    let feed_forward = FeedForward {
        intermediate: fields.size("ffn_dim")?,
        gated: false,
        activation: fields.activation("activation_function", Activation::Relu)?,
        experts: None,
    };
    let block = block(2, Attention { rotary_dim: 0, ..attention }, feed_forward);
    uniform(fields, Norm::Layer, true, block)
}

/// Phi-1, 1.5 and 2: attention and feed-forward network in parallel behind one norm.
pub(super) fn phi(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let attention = attention(fields, KvHeads::Nullable(None), HeadDim::OrDerived)?;
    let attention = Attention {
        rotary_dim: fields.rotary(attention.head_dim, 0.5)?,
        query_key_norm: fields.flag("qk_layernorm", false)?,
        ..attention
    };
    let feed_forward = FeedForward { gated: false, ..gated(fields, "hidden_act", Activation::Gelu)? };
    uniform(fields, Norm::Layer, false, block(1, attention, feed_forward))
}

/// Phi-3 and 4.
pub(super) fn phi3(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let attention = attention(fields, KvHeads::Nullable(None), HeadDim::OrDerived)?;
    let attention = Attention {
        rotary_dim: fields.rotary(attention.head_dim, 1.0)?,
        window: fields.optional_size("sliding_window", None)?,
        ..attention
    };
    uniform(fields, Norm::Rms, false, block(2, attention, gated(fields, "hidden_act", Activation::Silu)?))
}

/// Llama and the many that are shaped like it.
pub(super) fn llama(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let attention = attention(fields, KvHeads::Nullable(None), HeadDim::OrDerived)?;
    uniform(fields, Norm::Rms, false, block(2, attention, gated(fields, "hidden_act", Activation::Silu)?))
}

/// PhoneLM; its class knows no `head_dim`.
pub(super) fn phonelm(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let attention = attention(fields, KvHeads::Nullable(None), HeadDim::Derived)?;
    uniform(fields, Norm::Rms, false, block(2, attention, gated(fields, "hidden_act", Activation::Silu)?))
}

/// Mistral; the window is 4096 where the field is missing, none where it is `null`.
pub(super) fn mistral(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let attention = attention(fields, KvHeads::Nullable(Some(8)), HeadDim::OrDerived)?;
    let attention = Attention { window: fields.optional_size("sliding_window", Some(4096))?, ..attention };
    uniform(fields, Norm::Rms, false, block(2, attention, gated(fields, "hidden_act", Activation::Silu)?))
}

/// Qwen2 and 2.5.
pub(super) fn qwen2(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let attention = attention(fields, KvHeads::Nullable(Some(32)), HeadDim::OrDerived)?;
    qwen(fields, attention)
}

/// Qwen3.
pub(super) fn qwen3(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let attention = attention(fields, KvHeads::Nullable(Some(32)), HeadDim::Or(128))?;
    qwen(fields, Attention { query_key_norm: true, ..attention })
}

/// A window in layers from `max_window_layers` on, if at all.
fn qwen(fields: &Fields, attention: Attention) -> Result<Decoder, WorkloadsError> {
    let used = fields.flag("use_sliding_window", false)?;
    let window = if used { fields.optional_size("sliding_window", Some(4096))? } else { None };
    let first = fields.count_or("max_window_layers", 28)?;
    let layers = match fields.kinds("layer_types", &[FULL, SLIDING])? {
        Some(layers) => layers,
        None => (0..fields.layers()?).map(|i| if window.is_some() && i >= first { SLIDING } else { FULL }).collect(),
    };
    let feed_forward = gated(fields, "hidden_act", Activation::Silu)?;
    let decoder = Decoder {
        hidden: fields.size("hidden_size")?,
        vocabulary: fields.size("vocab_size")?,
        tied: fields.flag("tie_word_embeddings", false)?,
        norm: Norm::Rms,
        layers: Vec::new(),
        kinds: vec![(ONLY, block(2, attention, feed_forward))],
    };
    mixed_attention(fields, decoder, layers, window)
}

/// Gemma 3 with eyes: the part that reads.
pub(super) fn gemma3(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    gemma3_text(&fields.text_config()?)
}

/// Gemma 3: norms before and behind each part; every sixth layer sees everything. Published files of the models with eyes
/// leave out what is as in the class.
pub(super) fn gemma3_text(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    fields.must_be("use_bidirectional_attention", false)?;
    let heads = fields.size_or("num_attention_heads", 8)?;
    let attention = with_heads(fields, heads, KvHeads::Or(4), HeadDim::Or(256))?;
    let window = Some(fields.size_or("sliding_window", 4096)?);
    let layers = match fields.kinds("layer_types", &[FULL, SLIDING])? {
        Some(layers) => layers,
        None => {
            let pattern = fields.size_or("sliding_window_pattern", 6)?;
            (1..=fields.layers()?).map(|i| if i.is_multiple_of(pattern) { FULL } else { SLIDING }).collect()
        }
    };
    let feed_forward = gated(fields, "hidden_activation", Activation::Gelu)?;
    let block = block(4, Attention { query_key_norm: true, ..attention }, feed_forward);
    let decoder = Decoder {
        hidden: fields.size("hidden_size")?,
        vocabulary: fields.size_or("vocab_size", 262_208)?,
        tied: fields.flag("tie_word_embeddings", true)?,
        norm: Norm::Rms,
        layers: Vec::new(),
        kinds: vec![(ONLY, block)],
    };
    mixed_attention(fields, decoder, layers, window)
}

/// Layers that differ in the window only: `local` with it, `global` without.
fn mixed_attention(
    fields: &Fields,
    decoder: Decoder,
    layers: Vec<&'static str>,
    window: Option<u32>,
) -> Result<Decoder, WorkloadsError> {
    if window.is_none() && layers.contains(&SLIDING) {
        let expected = "a window: `use_sliding_window` true and a number in `sliding_window`";
        return Err(fields.wrong("layer_types", "sliding_attention, but no window", expected));
    }
    let (_, global) = decoder.kinds[0].clone();
    let mut local = global.clone();
    if let Some(attention) = &mut local.attention {
        attention.window = window;
    }
    let layers = layers.into_iter().map(|kind| if kind == SLIDING { "local" } else { "global" }).collect();
    Ok(Decoder { layers, kinds: vec![("global", global), ("local", local)], ..decoder })
}

/// Layers that are all the same, and must not be said to be otherwise.
pub(super) fn uniform(fields: &Fields, norm: Norm, tied: bool, block: Block) -> Result<Decoder, WorkloadsError> {
    let window = block.attention.as_ref().is_some_and(|attention| attention.window.is_some());
    fields.kinds("layer_types", &[if window { SLIDING } else { FULL }])?;
    Ok(Decoder {
        hidden: fields.size("hidden_size")?,
        vocabulary: fields.size("vocab_size")?,
        tied: fields.flag("tie_word_embeddings", tied)?,
        norm,
        layers: vec![ONLY; fields.layers()? as usize],
        kinds: vec![(ONLY, block)],
    })
}

pub(super) fn block(norms: u32, attention: Attention, feed_forward: FeedForward) -> Block {
    Block { norms, attention: Some(attention), feed_forward: Some(feed_forward), ..Block::default() }
}

/// A gated network of `intermediate_size` channels.
pub(super) fn gated(fields: &Fields, field: &str, missing: Activation) -> Result<FeedForward, WorkloadsError> {
    let activation = fields.activation(field, missing)?;
    Ok(FeedForward { intermediate: fields.size("intermediate_size")?, gated: true, activation, experts: None })
}

/// Where `num_key_value_heads` comes from.
#[derive(Clone, Copy)]
pub(super) enum KvHeads {
    /// The family has no such field.
    AsHeads,
    /// A number if the field is missing (none: as many as heads), as many as heads if it is `null`.
    Nullable(Option<u32>),
    /// A number if the field is missing; `null` is wrong.
    Or(u32),
}

/// Where `head_dim` comes from.
#[derive(Clone, Copy)]
pub(super) enum HeadDim {
    /// `hidden_size` / `num_attention_heads`; the family has no such field.
    Derived,
    /// The same where the field is missing or `null`.
    OrDerived,
    /// A number if the field is missing; `null` is wrong.
    Or(u32),
}

/// Attention of `num_attention_heads`, all channels rotated.
pub(super) fn attention(fields: &Fields, kv_heads: KvHeads, head_dim: HeadDim) -> Result<Attention, WorkloadsError> {
    with_heads(fields, fields.size("num_attention_heads")?, kv_heads, head_dim)
}

fn with_heads(fields: &Fields, heads: u32, kv_heads: KvHeads, head_dim: HeadDim) -> Result<Attention, WorkloadsError> {
    let field = "num_key_value_heads";
    let kv_heads = match kv_heads {
        KvHeads::AsHeads => heads,
        KvHeads::Nullable(missing) => fields.optional_size(field, missing)?.unwrap_or(heads),
        KvHeads::Or(missing) => fields.size_or(field, missing)?,
    };
    fields.share(field, kv_heads, heads, "`num_attention_heads`")?;
    let derived = || fields.share("num_attention_heads", heads, fields.size("hidden_size")?, "`hidden_size`");
    let head_dim = match head_dim {
        HeadDim::Derived => derived()?,
        HeadDim::OrDerived => fields.optional_size("head_dim", None)?.map_or_else(derived, Ok)?,
        HeadDim::Or(missing) => fields.size_or("head_dim", missing)?,
    };
    Ok(Attention {
        heads,
        kv_heads,
        head_dim,
        rotary_dim: head_dim,
        window: None,
        query_key_norm: false,
        input: None,
        latent: None,
    })
}
