//! Families of state space layers with attention between.

use super::Decoder;
use super::dense::block;
use super::fields::Fields;
use crate::WorkloadsError;
use crate::model::spec::{Activation, Attention, Block, FeedForward, Linear, Mamba, Norm};

const MAMBA: &str = "mamba";
const HYBRID: &str = "hybrid";

/// Zamba2: Mamba-2 layers, before some of which a transformer block stands that they share. It sees the hidden state beside
/// the embedding; adapters and a projection are the layer's own.
pub(super) fn zamba2(fields: &Fields) -> Result<Decoder, WorkloadsError> {
    let hidden = fields.size("hidden_size")?;
    let Some(layers) = fields.kinds("layers_block_type", &[MAMBA, HYBRID])? else {
        return Err(fields.missing("layers_block_type", "a list of mamba and hybrid, one a layer"));
    };
    let expand = fields.size_or("mamba_expand", 2)?;
    let Some(inner) = hidden.checked_mul(expand) else {
        return Err(fields.wrong("mamba_expand", &expand.to_string(), "a few"));
    };
    let mamba_heads = fields.size("n_mamba_heads")?;
    fields.share("n_mamba_heads", mamba_heads, inner, "`mamba_expand` x `hidden_size`")?;
    let mamba = Mamba {
        inner,
        heads: mamba_heads,
        state: fields.size_or("mamba_d_state", 64)?,
        groups: fields.size_or("mamba_ngroups", 1)?,
        convolution: fields.size_or("mamba_d_conv", 4)?,
    };
    let input = 2 * hidden;
    let heads = fields.size("num_attention_heads")?;
    let head_dim = fields.share("num_attention_heads", heads, input, "2 x `hidden_size`")?;
    let kv_heads = fields.optional_size("num_key_value_heads", None)?.unwrap_or(heads);
    fields.share("num_key_value_heads", kv_heads, heads, "`num_attention_heads`")?;
    let attention = Attention {
        heads,
        kv_heads,
        head_dim,
        rotary_dim: if fields.flag("use_mem_rope", false)? { head_dim } else { 0 },
        window: None,
        query_key_norm: false,
        input: Some(input),
        latent: None,
    };
    let intermediate = fields.optional_size("intermediate_size", None)?.unwrap_or(4 * hidden);
    let activation = fields.activation("hidden_act", Activation::Gelu)?;
    let feed_forward = FeedForward { intermediate, gated: true, activation, experts: None };

    let rank = fields.size_or("adapter_rank", 128)?;
    let linear = |name: &str, input, output| Linear { name: name.into(), input, output };
    let mut linears = Vec::new();
    if fields.flag("use_shared_attention_adapter", false)? {
        for part in ["query", "key", "value"] {
            linears.push(linear(&format!("adapter.{part}_down"), input, rank));
            linears.push(linear(&format!("adapter.{part}_up"), rank, input));
        }
    }
    linears.push(linear("adapter.down", hidden, rank));
    linears.push(linear("adapter.up", rank, 2 * intermediate));
    linears.push(linear("projection", hidden, hidden));

    let hybrids = layers.iter().filter(|kind| **kind == HYBRID).count();
    let copies = fields.size_or("num_mem_blocks", 1)?;
    if hybrids > 0 && copies as usize > hybrids {
        let expected = format!("at most the number of hybrid layers, {hybrids}");
        return Err(fields.wrong("num_mem_blocks", &copies.to_string(), &expected));
    }
    // The norm before attention has twice the channels.
    let shared = block(4, attention, feed_forward);
    let hybrid = Block { copies: Some(copies), linears, mamba: Some(mamba.clone()), ..shared };
    let plain = Block { norms: 1, mamba: Some(mamba), ..Block::default() };
    Ok(Decoder {
        hidden,
        vocabulary: fields.size("vocab_size")?,
        tied: fields.flag("tie_word_embeddings", true)?,
        norm: Norm::Rms,
        layers,
        kinds: vec![(HYBRID, hybrid), (MAMBA, plain)],
    })
}
