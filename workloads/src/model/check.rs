//! What a model file must say, and what follows from it.

use std::path::Path;

use super::spec::{Attention, Block, FeedForward, Mamba, Model};
use crate::files::{malformed, shown};
use crate::operation::matrix_elements;
use crate::{Fault, WorkloadsError};

/// Largest width, vocabulary or count of a field.
pub(super) const LARGEST: u32 = 1 << 20;
/// Most layers.
pub(super) const MOST_LAYERS: u32 = 1 << 12;
/// Most experts.
const MOST_EXPERTS: u32 = 1 << 14;
/// Most matrix elements of a model: a thousand times the largest there are.
const MOST_PARAMETERS: u128 = 1 << 50;

impl Model {
    /// Blocks of the layers, in order.
    ///
    /// The names are there: [`parse`](super::parse) checks them.
    pub fn layer_blocks(&self) -> impl Iterator<Item = &Block> {
        let names = self.layers.iter().flat_map(|run| (0..run.repeat).flat_map(|_| &run.blocks));
        names.filter_map(|name| self.blocks.get(name))
    }

    /// Layers of the block of this name.
    pub fn layers_of(&self, block: &str) -> u64 {
        let uses = |blocks: &[String]| blocks.iter().filter(|name| *name == block).count() as u64;
        self.layers.iter().map(|run| u64::from(run.repeat) * uses(&run.blocks)).sum()
    }

    /// Layers.
    pub fn layer_count(&self) -> u32 {
        self.layers.iter().map(|run| run.repeat * run.blocks.len() as u32).sum()
    }

    /// Checks every field of a model that came from `file`.
    pub(super) fn check(&self, file: &Path) -> Result<(), WorkloadsError> {
        let check = Check { file };
        let name_ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
        let expected = "lower case letters, digits, dots and dashes, at most 64";
        let named = !self.name.is_empty() && self.name.len() <= 64 && self.name.chars().all(name_ok);
        check.that(named, "name", &self.name, expected)?;
        check.size("hidden", self.hidden)?;
        check.size("vocabulary", self.vocabulary)?;
        let mut layers = 0u64;
        for (i, run) in self.layers.iter().enumerate() {
            for name in &run.blocks {
                let known = self.blocks.keys().cloned().collect::<Vec<_>>().join(", ");
                let expected = format!("a name of `blocks`: {}", shown(&known));
                check.that(self.blocks.contains_key(name), &format!("layers[{i}].blocks"), name, &expected)?;
            }
            layers += u64::from(run.repeat) * run.blocks.len() as u64;
        }
        let expected = format!("1 to {MOST_LAYERS} layers in all");
        check.that((1..=u64::from(MOST_LAYERS)).contains(&layers), "layers", &layers.to_string(), &expected)?;
        for (name, block) in &self.blocks {
            let used = self.layers.iter().any(|run| run.blocks.contains(name));
            check.that(used, &format!("blocks.{}", shown(name)), "a block", "one that a layer names")?;
            check.block(&format!("blocks.{}", shown(name)), block)?;
            let (copies, uses) = (block.copies.unwrap_or(1), self.layers_of(name));
            let (field, expected) = (format!("blocks.{}.copies", shown(name)), format!("1 to its {uses} layers"));
            check.that((1..=uses).contains(&u64::from(copies)), &field, &copies.to_string(), &expected)?;
        }
        let parameters = matrix_elements(self);
        let expected = format!("sizes that give at most {MOST_PARAMETERS} parameters");
        check.that(parameters <= MOST_PARAMETERS, "blocks", &format!("{parameters} parameters"), &expected)
    }
}

struct Check<'a> {
    file: &'a Path,
}

impl Check<'_> {
    fn that(&self, ok: bool, field: &str, found: &str, expected: &str) -> Result<(), WorkloadsError> {
        if ok { Ok(()) } else { Err(malformed(self.file, Fault::Field, format!("`{field}`"), shown(found), expected)) }
    }

    fn size(&self, field: &str, found: u32) -> Result<(), WorkloadsError> {
        let expected = format!("1 to {LARGEST}");
        self.that((1..=LARGEST).contains(&found), field, &found.to_string(), &expected)
    }

    /// A width that is a product of fields.
    fn width(&self, field: &str, factors: [u32; 2]) -> Result<(), WorkloadsError> {
        let found = factors.iter().map(|factor| u64::from(*factor)).product::<u64>();
        self.that(found <= LARGEST.into(), field, &found.to_string(), &format!("at most {LARGEST} channels in all"))
    }

    fn block(&self, field: &str, block: &Block) -> Result<(), WorkloadsError> {
        let parts = block.attention.is_some() || block.feed_forward.is_some() || block.mamba.is_some();
        let expected = "`attention`, `feed_forward`, `mamba` or several of them";
        self.that(parts, field, "none of the parts", expected)?;
        let shared = block.attention.is_some() || block.feed_forward.is_some();
        let expected = "`attention` or `feed_forward`, which are what is shared";
        self.that(shared || block.copies.is_none(), &format!("{field}.copies"), "neither part", expected)?;
        self.that(block.norms <= 8, &format!("{field}.norms"), &block.norms.to_string(), "0 to 8")?;
        if let Some(attention) = &block.attention {
            self.attention(&format!("{field}.attention"), attention)?;
        }
        if let Some(feed_forward) = &block.feed_forward {
            self.feed_forward(&format!("{field}.feed_forward"), feed_forward)?;
        }
        if let Some(mamba) = &block.mamba {
            self.mamba(&format!("{field}.mamba"), mamba)?;
        }
        for linear in &block.linears {
            self.size(&format!("{field}.linears.input"), linear.input)?;
            self.size(&format!("{field}.linears.output"), linear.output)?;
        }
        Ok(())
    }

    fn attention(&self, field: &str, attention: &Attention) -> Result<(), WorkloadsError> {
        let at = |name: &str| format!("{field}.{name}");
        self.size(&at("heads"), attention.heads)?;
        self.size(&at("kv_heads"), attention.kv_heads)?;
        self.size(&at("head_dim"), attention.head_dim)?;
        let (heads, kv_heads) = (attention.heads, attention.kv_heads);
        let expected = format!("a divisor of `heads`, {heads}");
        self.that(heads % kv_heads == 0, &at("kv_heads"), &kv_heads.to_string(), &expected)?;
        let rotary = attention.rotary_dim;
        let bound = if attention.latent.is_some() { LARGEST } else { attention.head_dim };
        let expected = format!("an even number, at most {bound}");
        self.that(rotary.is_multiple_of(2) && rotary <= bound, &at("rotary_dim"), &rotary.to_string(), &expected)?;
        for (name, value) in [("window", attention.window), ("input", attention.input)] {
            value.map_or(Ok(()), |value| self.size(&at(name), value))?;
        }
        self.width(&at("head_dim"), [heads, attention.head_dim])?;
        if let Some(latent) = &attention.latent {
            self.width(&at("rotary_dim"), [heads, attention.head_dim + rotary])?;
            self.width(&at("latent.value_dim"), [heads, latent.value_dim])?;
            self.size(&at("latent.kv_rank"), latent.kv_rank)?;
            self.size(&at("latent.value_dim"), latent.value_dim)?;
            latent.query_rank.map_or(Ok(()), |rank| self.size(&at("latent.query_rank"), rank))?;
            let expected = format!("as many as `heads`, {heads}: the latent is what is shared");
            self.that(kv_heads == heads, &at("kv_heads"), &kv_heads.to_string(), &expected)?;
        }
        Ok(())
    }

    fn feed_forward(&self, field: &str, feed_forward: &FeedForward) -> Result<(), WorkloadsError> {
        self.size(&format!("{field}.intermediate"), feed_forward.intermediate)?;
        let Some(experts) = &feed_forward.experts else { return Ok(()) };
        let expected = format!("1 to {MOST_EXPERTS}");
        let ok = (1..=MOST_EXPERTS).contains(&experts.count);
        self.that(ok, &format!("{field}.experts.count"), &experts.count.to_string(), &expected)?;
        let per_token = experts.per_token;
        let expected = format!("1 to `count`, {}", experts.count);
        let ok = (1..=experts.count).contains(&per_token);
        self.that(ok, &format!("{field}.experts.per_token"), &per_token.to_string(), &expected)?;
        let shared = experts.shared_intermediate;
        shared.map_or(Ok(()), |width| self.size(&format!("{field}.experts.shared_intermediate"), width))
    }

    fn mamba(&self, field: &str, mamba: &Mamba) -> Result<(), WorkloadsError> {
        let sizes = [
            ("inner", mamba.inner),
            ("heads", mamba.heads),
            ("state", mamba.state),
            ("groups", mamba.groups),
            ("convolution", mamba.convolution),
        ];
        sizes.iter().try_for_each(|(name, value)| self.size(&format!("{field}.{name}"), *value))?;
        self.width(&format!("{field}.state"), [mamba.groups, mamba.state])?;
        let expected = format!("a divisor of `inner`, {}", mamba.inner);
        let ok = mamba.inner.is_multiple_of(mamba.heads);
        self.that(ok, &format!("{field}.heads"), &mamba.heads.to_string(), &expected)
    }
}
