//! Families with mixtures of experts.

use super::Decoder;
use super::dense::{HeadDim, KvHeads, attention, block, gated, uniform};
use super::fields::Fields;
use crate::WorkloadsError;
use crate::model::spec::{Activation, Attention, Block, Experts, FeedForward, Latent, Norm};

/// Mixtral: every layer has experts.
pub(super) fn mixtral(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let attention = attention(fields, KvHeads::Nullable(Some(8)), HeadDim::OrDerived)?;
    let attention = Attention { window: fields.optional_size("sliding_window", None)?, ..attention };
    let experts = experts(fields, fields.size_or("num_local_experts", 8)?, fields.size_or("num_experts_per_tok", 2)?)?;
    let feed_forward = gated(fields, "hidden_act", Activation::Silu)?;
    uniform(fields, Norm::Rms, false, block(2, attention, FeedForward { experts: Some(experts), ..feed_forward }))
}

/// OLMoE: every layer has experts; queries and keys pass a norm over all heads at once, as many channels as one a head.
pub(super) fn olmoe(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let attention = attention(fields, KvHeads::Nullable(None), HeadDim::Derived)?;
    let attention = Attention { query_key_norm: true, ..attention };
    let experts = experts(fields, fields.size_or("num_experts", 64)?, fields.size_or("num_experts_per_tok", 8)?)?;
    let feed_forward = gated(fields, "hidden_act", Activation::Silu)?;
    uniform(fields, Norm::Rms, false, block(2, attention, FeedForward { experts: Some(experts), ..feed_forward }))
}

/// Qwen3 with experts in every `decoder_sparse_step`-th layer that `mlp_only_layers` does not name.
pub(super) fn qwen3_moe(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let attention = attention(fields, KvHeads::Or(4), HeadDim::OrDerived)?;
    let used = fields.flag("use_sliding_window", false)?;
    let window = if used { fields.optional_size("sliding_window", Some(4096))? } else { None };
    let attention = Attention { query_key_norm: true, window, ..attention };
    let (count, per_token) = (fields.size_or("num_experts", 128)?, fields.size_or("num_experts_per_tok", 8)?);
    let feed_forward = FeedForward {
        intermediate: fields.size_or("moe_intermediate_size", 768)?,
        gated: true,
        activation: fields.activation("hidden_act", Activation::Silu)?,
        experts: Some(experts(fields, count, per_token)?),
    };
    let mut decoder = uniform(fields, Norm::Rms, false, block(2, attention, feed_forward))?;
    let (step, dense) = (fields.size_or("decoder_sparse_step", 1)?, fields.numbers("mlp_only_layers")?);
    for (layer, i) in decoder.layers.iter_mut().zip(0u32..) {
        *layer = if dense.contains(&i) || !(i + 1).is_multiple_of(step) { "dense" } else { "experts" };
    }
    split(fields, decoder)
}

/// DeepSeek-V2, also Lite.
pub(super) fn deepseek_v2(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    deepseek(fields, 0, 2)
}

/// DeepSeek-V3. The layer that predicts a further token is not part of the main model.
pub(super) fn deepseek_v3(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    deepseek(fields, 3, 1)
}

/// Latent attention; experts from layer `first_k_dense_replace` on.
fn deepseek(fields: &Fields, first_missing: u32, shared_missing: u32) -> Result<Decoder, WorkloadsError> {
    // Of the authors' classes; transformers' know no such field.
    let step = fields.size_or("moe_layer_freq", 1)?;
    if step != 1 {
        return Err(fields.unsupported("moe_layer_freq", &step.to_string(), "1"));
    }
    let heads = fields.size("num_attention_heads")?;
    if let Some(kv_heads) = fields.optional_size("num_key_value_heads", None)?.filter(|kv_heads| *kv_heads != heads) {
        let expected = format!("as many as `num_attention_heads`, {heads}: the latent is what is shared");
        return Err(fields.unsupported("num_key_value_heads", &kv_heads.to_string(), &expected));
    }
    let rotary = fields.size("qk_rope_head_dim")?;
    if !rotary.is_multiple_of(2) {
        return Err(fields.wrong("qk_rope_head_dim", &rotary.to_string(), "an even number"));
    }
    let attention = Attention {
        heads,
        kv_heads: heads,
        head_dim: fields.size("qk_nope_head_dim")?,
        rotary_dim: rotary,
        window: None,
        query_key_norm: false,
        input: None,
        latent: Some(Latent {
            query_rank: fields.optional_size("q_lora_rank", Some(1536))?,
            kv_rank: fields.size("kv_lora_rank")?,
            value_dim: fields.size("v_head_dim")?,
        }),
    };
    let activation = fields.activation("hidden_act", Activation::Silu)?;
    let intermediate = fields.size("moe_intermediate_size")?;
    let shared = fields.optional_size("n_shared_experts", Some(shared_missing))?;
    let shared_intermediate = shared.map_or(Ok(None), |shared| {
        let width = intermediate.checked_mul(shared);
        width.map(Some).ok_or_else(|| fields.wrong("n_shared_experts", &shared.to_string(), "a few"))
    })?;
    let experts = Experts {
        shared_intermediate,
        ..experts(fields, fields.size("n_routed_experts")?, fields.size("num_experts_per_tok")?)?
    };
    let feed_forward = FeedForward { intermediate, gated: true, activation, experts: Some(experts) };
    let mut decoder = uniform(fields, Norm::Rms, false, block(2, attention, feed_forward))?;
    let first = fields.count_or("first_k_dense_replace", first_missing)?;
    for (layer, i) in decoder.layers.iter_mut().zip(0u32..) {
        *layer = if i < first { "dense" } else { "experts" };
    }
    split(fields, decoder)
}

/// Gives a decoder whose only kind of layer has experts the same with one network, where layers name it.
fn split(fields: &Fields, mut decoder: Decoder) -> Result<Decoder, WorkloadsError> {
    let (_, experts) = decoder.kinds.remove(0);
    if decoder.layers.contains(&"dense") {
        let dense = gated(fields, "hidden_act", Activation::Silu)?;
        let block = Block { feed_forward: Some(dense), ..experts.clone() };
        decoder.kinds.push(("dense", block));
    }
    decoder.kinds.push(("experts", experts));
    Ok(decoder)
}

fn experts(fields: &Fields, count: u32, per_token: u32) -> Result<Experts, WorkloadsError> {
    if per_token > count {
        let expected = format!("at most the number of experts, {count}");
        return Err(fields.wrong("num_experts_per_tok", &per_token.to_string(), &expected));
    }
    Ok(Experts { count, per_token, shared_intermediate: None })
}
