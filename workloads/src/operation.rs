//! What a forward pass computes, operation by operation: matrix products and work of the vector unit.
//!
//! A product is `[tokens, input channels] x [output channels, input channels]`. In attention the cache takes the place of
//! weights: keys are output channels of the scores, tokens of the cache are input channels of the values. Queries of one
//! key-value head are tokens of one product, so that grouped heads share what is loaded.

use crate::model::{Activation, Attention, Block, FeedForward, Latent, Mamba, Model};
use crate::phase::Step;
use crate::routing::Routing;

/// Queries that share a product of scores in a prefill: later queries see more keys, so that a product computes few scores
/// that causality masks.
pub const QUERY_BLOCK: u32 = 256;

/// One kind of operation of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Block and part, for example `decoder.attention.query`.
    pub name: String,
    /// Layers it runs in.
    pub layers: u64,
    /// How often it runs in a layer, by itself: sequences times key-value heads, experts.
    pub instances: u64,
    /// What runs.
    pub work: Work,
}

/// Kinds of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// On the array.
    Product(Product),
    /// On the vector unit.
    Vector(Vector),
}

/// A matrix product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Product {
    /// M.
    pub tokens: u32,
    /// K.
    pub input_channels: u32,
    /// N.
    pub output_channels: u32,
    /// What stands where weights do.
    pub operand: Operand,
}

impl Operation {
    /// How often it runs in the step.
    pub fn count(&self) -> u64 {
        self.layers * self.instances
    }
}

impl Product {
    /// Multiply-accumulates.
    pub fn macs(&self) -> u128 {
        u128::from(self.tokens) * u128::from(self.input_channels) * u128::from(self.output_channels)
    }
}

/// The operand in the place of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operand {
    /// Weights of the model.
    Weights,
    /// Keys of the cache; groups run along the head dimension.
    Keys,
    /// Values of the cache; groups run along the tokens.
    Values,
}

/// Elementwise work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vector {
    /// What is done.
    pub function: Function,
    /// FP16 elements that it takes.
    pub elements: u64,
}

/// Functions of the vector unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// Rows of the embedding table are fetched.
    Embedding,
    /// Root mean square or layer norm.
    Norm,
    /// Rotary embedding.
    Rotary,
    /// Softmax of scores.
    Softmax,
    /// Activation function.
    Activation(Activation),
    /// Product of two, gating.
    Multiply,
    /// Sum of two, the residual stream or weighted experts.
    Add,
    /// Quantization of new keys and values for the cache.
    QuantizeCache,
    /// Short convolution of Mamba, multiply-adds.
    Convolution,
    /// State update and read of Mamba-2, multiply-adds.
    StateSpace,
}

/// Where logits are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LmHead {
    /// For the last token of every sequence, which generation needs.
    Last,
    /// For all new tokens, as scoring a text does.
    All,
}

/// Everything a step's operations depend on beside the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// Sequences.
    pub batch: u32,
    /// Logits.
    pub lm_head: LmHead,
    /// Experts.
    pub routing: Routing,
    /// New keys and values are quantized.
    pub quantized_cache: bool,
}

/// The operations of one forward pass, in order of execution within a layer; layers of the same block are counted together.
pub fn operations(model: &Model, step: Step, scope: &Scope) -> Vec<Operation> {
    let tokens = step.new * scope.batch;
    let mut list = List { operations: Vec::new(), prefix: String::new(), layers: 1 };
    list.vector("embedding", Function::Embedding, u64::from(tokens) * u64::from(model.hidden));
    for (name, block) in &model.blocks {
        list.prefix = format!("{name}.");
        list.layers = model.layers_of(name);
        list.block(model, block, step, scope, tokens);
    }
    (list.prefix, list.layers) = (String::new(), 1);
    let outputs = match scope.lm_head {
        LmHead::Last => scope.batch,
        LmHead::All => tokens,
    };
    list.vector("norm", Function::Norm, u64::from(outputs) * u64::from(model.hidden));
    list.linear("lm_head", outputs, model.hidden, model.vocabulary, 1);
    list.operations
}

/// Matrix elements of a model that lie in memory, the embedding table included; without norms, biases and taps.
pub fn parameters(model: &Model) -> u64 {
    // Model files are checked to have fewer.
    u64::try_from(matrix_elements(model)).unwrap_or(u64::MAX)
}

/// [`parameters`] of a model whose sizes are within their bounds, but perhaps absurd together.
pub(crate) fn matrix_elements(model: &Model) -> u128 {
    let table = u128::from(model.vocabulary) * u128::from(model.hidden);
    let scope = Scope { batch: 1, lm_head: LmHead::Last, routing: Routing::Every, quantized_cache: false };
    let step = Step { new: 1, context: 1 };
    let mut list = List { operations: Vec::new(), prefix: String::new(), layers: 1 };
    for (name, block) in &model.blocks {
        list.layers = block.copies.map_or(model.layers_of(name), u64::from);
        list.transformer(model, block, step, &scope, 1);
        list.layers = model.layers_of(name);
        list.own(model, block, 1);
    }
    let matrices = list.operations.into_iter().map(|operation| match operation.work {
        Work::Product(product) if product.operand == Operand::Weights => product.macs() * u128::from(operation.count()),
        _ => 0,
    });
    matrices.sum::<u128>() + table * if model.tied_embeddings { 1 } else { 2 }
}

/// Elements of the cache of one sequence: keys and values of every layer, at most its window; of latent attention the latent.
pub fn cache_elements(model: &Model, context: u32) -> u64 {
    let layer = |block: &Block| {
        let Some(attention) = &block.attention else { return 0 };
        let tokens = u64::from(attention.window.map_or(context, |window| window.min(context)));
        tokens * u64::from(cache_width(attention))
    };
    model.layer_blocks().map(layer).sum()
}

/// Elements that a token adds to a layer's cache.
fn cache_width(attention: &Attention) -> u32 {
    match &attention.latent {
        Some(latent) => latent.kv_rank + attention.rotary_dim,
        None => 2 * attention.kv_heads * attention.head_dim,
    }
}

struct List {
    operations: Vec<Operation>,
    prefix: String,
    layers: u64,
}

impl List {
    fn push(&mut self, name: &str, instances: u64, work: Work) {
        self.operations.push(Operation {
            name: format!("{}{name}", self.prefix),
            layers: self.layers,
            instances,
            work,
        });
    }

    fn vector(&mut self, name: &str, function: Function, elements: u64) {
        if elements > 0 {
            self.push(name, 1, Work::Vector(Vector { function, elements }));
        }
    }

    fn product(
        &mut self,
        name: &str,
        count: u64,
        [tokens, input_channels, output_channels]: [u32; 3],
        operand: Operand,
    ) {
        self.push(name, count, Work::Product(Product { tokens, input_channels, output_channels, operand }));
    }

    fn linear(&mut self, name: &str, tokens: u32, input: u32, output: u32, count: u64) {
        self.product(name, count, [tokens, input, output], Operand::Weights);
    }

    fn block(&mut self, model: &Model, block: &Block, step: Step, scope: &Scope, tokens: u32) {
        let width = u64::from(tokens) * u64::from(model.hidden);
        self.vector("norms", Function::Norm, width * u64::from(block.norms));
        self.transformer(model, block, step, scope, tokens);
        self.own(model, block, tokens);
    }

    /// Attention and feed-forward network, whose weights layers may share.
    fn transformer(&mut self, model: &Model, block: &Block, step: Step, scope: &Scope, tokens: u32) {
        let hidden = model.hidden;
        let width = u64::from(tokens) * u64::from(hidden);
        if let Some(attention) = &block.attention {
            self.attention(attention, hidden, step, scope);
            self.vector("attention.residual", Function::Add, width);
        }
        if let Some(feed_forward) = &block.feed_forward {
            self.feed_forward(feed_forward, hidden, tokens, &scope.routing);
            self.vector("feed_forward.residual", Function::Add, width);
        }
    }

    /// What every layer has of its own.
    fn own(&mut self, model: &Model, block: &Block, tokens: u32) {
        for linear in &block.linears {
            self.linear(&linear.name, tokens, linear.input, linear.output, 1);
        }
        if let Some(mamba) = &block.mamba {
            self.mamba(mamba, model.hidden, tokens);
            self.vector("mamba.residual", Function::Add, u64::from(tokens) * u64::from(model.hidden));
        }
    }

    fn attention(&mut self, attention: &Attention, hidden: u32, step: Step, scope: &Scope) {
        let tokens = step.new * scope.batch;
        let input = attention.input.unwrap_or(hidden);
        let (heads, kv_heads, dim) = (attention.heads, attention.kv_heads, attention.head_dim);
        if let Some(latent) = &attention.latent {
            return self.latent(attention, latent, hidden, step, scope);
        }
        self.linear("attention.query", tokens, input, heads * dim, 1);
        self.linear("attention.key", tokens, input, kv_heads * dim, 1);
        self.linear("attention.value", tokens, input, kv_heads * dim, 1);
        let of_heads = u64::from(tokens) * u64::from(heads + kv_heads);
        if attention.query_key_norm {
            self.vector("attention.query_key_norm", Function::Norm, of_heads * u64::from(dim));
        }
        self.vector("attention.rotary", Function::Rotary, of_heads * u64::from(attention.rotary_dim));
        self.cache(attention, tokens, scope);
        self.scores(attention, step, u64::from(scope.batch * kv_heads), heads / kv_heads, [dim, dim]);
        self.linear("attention.output", tokens, heads * dim, hidden, 1);
    }

    fn cache(&mut self, attention: &Attention, tokens: u32, scope: &Scope) {
        if scope.quantized_cache {
            let elements = u64::from(tokens) * u64::from(cache_width(attention));
            self.vector("attention.quantize_cache", Function::QuantizeCache, elements);
        }
    }

    /// Scores, softmax and weighted values of `sharing` query heads on each of `count` key-value heads.
    fn scores(&mut self, attention: &Attention, step: Step, count: u64, sharing: u32, [key, value]: [u32; 2]) {
        let first = step.context - step.new;
        for start in (0..step.new).step_by(QUERY_BLOCK as usize) {
            let queries = (step.new - start).min(QUERY_BLOCK);
            let end = first + start + queries;
            // The block's first query sees the tokens of its window, its last one all up to itself.
            let seen_from = attention.window.map_or(0, |window| (first + start + 1).saturating_sub(window));
            let keys = end - seen_from;
            let tokens = queries * sharing;
            self.product("attention.scores", count, [tokens, key, keys], Operand::Keys);
            let elements = u64::from(tokens) * u64::from(keys);
            self.push("attention.softmax", count, Work::Vector(Vector { function: Function::Softmax, elements }));
            self.product("attention.values", count, [tokens, keys, value], Operand::Values);
        }
    }

    /// Multi-head latent attention: a prefill expands keys and values of all heads; a decode multiplies queries and outputs by
    /// the expansion instead and attends to the latent, which all heads share ("absorbed", DeepSeek-V2, section 2.1.3).
    fn latent(&mut self, attention: &Attention, latent: &Latent, hidden: u32, step: Step, scope: &Scope) {
        let tokens = step.new * scope.batch;
        let (heads, dim, rotary) = (attention.heads, attention.head_dim, attention.rotary_dim);
        let (rank, value) = (latent.kv_rank, latent.value_dim);
        match latent.query_rank {
            Some(query_rank) => {
                self.linear("attention.query_down", tokens, hidden, query_rank, 1);
                self.vector("attention.query_norm", Function::Norm, u64::from(tokens) * u64::from(query_rank));
                self.linear("attention.query_up", tokens, query_rank, heads * (dim + rotary), 1);
            }
            None => self.linear("attention.query", tokens, hidden, heads * (dim + rotary), 1),
        }
        self.linear("attention.latent", tokens, hidden, rank + rotary, 1);
        self.vector("attention.latent_norm", Function::Norm, u64::from(tokens) * u64::from(rank));
        let rotated = u64::from(tokens) * u64::from(heads + 1) * u64::from(rotary);
        self.vector("attention.rotary", Function::Rotary, rotated);
        self.cache(attention, tokens, scope);
        if step.new > 1 {
            self.linear("attention.key_up", tokens, rank, heads * dim, 1);
            self.linear("attention.value_up", tokens, rank, heads * value, 1);
            self.scores(attention, step, u64::from(scope.batch) * u64::from(heads), 1, [dim + rotary, value]);
        } else {
            self.linear("attention.query_absorbed", tokens, dim, rank, u64::from(heads));
            self.scores(attention, step, scope.batch.into(), heads, [rank + rotary, rank]);
            self.linear("attention.value_absorbed", tokens, rank, value, u64::from(heads));
        }
        self.linear("attention.output", tokens, heads * value, hidden, 1);
    }

    fn feed_forward(&mut self, feed_forward: &FeedForward, hidden: u32, tokens: u32, routing: &Routing) {
        let Some(experts) = &feed_forward.experts else {
            return self.network("feed_forward", feed_forward, hidden, feed_forward.intermediate, tokens, 1);
        };
        self.linear("feed_forward.router", tokens, hidden, experts.count, 1);
        let logits = u64::from(tokens) * u64::from(experts.count);
        self.vector("feed_forward.router_softmax", Function::Softmax, logits);
        for (load, count) in routing.loads(experts.count, experts.per_token, tokens) {
            self.network("feed_forward.expert", feed_forward, hidden, feed_forward.intermediate, load, count.into());
        }
        if let Some(width) = experts.shared_intermediate {
            self.network("feed_forward.shared", feed_forward, hidden, width, tokens, 1);
        }
        let combined = u64::from(tokens) * u64::from(hidden);
        let sums = u64::from(experts.per_token) + u64::from(experts.shared_intermediate.is_some());
        self.vector("feed_forward.combine", Function::Add, combined * sums);
    }

    fn network(&mut self, name: &str, of: &FeedForward, hidden: u32, width: u32, tokens: u32, count: u64) {
        let elements = u64::from(tokens) * u64::from(width);
        if of.gated {
            self.linear(&format!("{name}.gate"), tokens, hidden, width, count);
        }
        self.linear(&format!("{name}.up"), tokens, hidden, width, count);
        let function = Function::Activation(of.activation);
        self.push(&format!("{name}.activation"), count, Work::Vector(Vector { function, elements }));
        if of.gated {
            let work = Work::Vector(Vector { function: Function::Multiply, elements });
            self.push(&format!("{name}.gating"), count, work);
        }
        self.linear(&format!("{name}.down"), tokens, width, hidden, count);
    }

    fn mamba(&mut self, mamba: &Mamba, hidden: u32, tokens: u32) {
        let (inner, per_token) = (mamba.inner, u64::from(tokens));
        let mixed = inner + 2 * mamba.groups * mamba.state;
        self.linear("mamba.input", tokens, hidden, inner + mixed + mamba.heads, 1);
        let taps = u64::from(mixed) * u64::from(mamba.convolution);
        self.vector("mamba.convolution", Function::Convolution, per_token * taps);
        self.vector("mamba.activation", Function::Activation(Activation::Silu), per_token * u64::from(mixed));
        // Decay and input of every state, and its product with the output matrix.
        let states = u64::from(inner) * u64::from(mamba.state);
        self.vector("mamba.state", Function::StateSpace, per_token * 3 * states);
        self.vector("mamba.gating", Function::Multiply, per_token * u64::from(inner));
        self.vector("mamba.norm", Function::Norm, per_token * u64::from(inner));
        self.linear("mamba.output", tokens, inner, hidden, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{load, presets};

    fn scope() -> Scope {
        Scope { batch: 1, lm_head: LmHead::Last, routing: Routing::Worst, quantized_cache: true }
    }

    fn products(model: &Model, step: Step, scope: &Scope) -> Vec<(Product, u64)> {
        let of = |operation: Operation| match operation.work {
            Work::Product(product) => Some((product, operation.count())),
            Work::Vector(_) => None,
        };
        operations(model, step, scope).into_iter().filter_map(of).collect()
    }

    #[test]
    fn a_prefill_computes_what_its_decodes_would() {
        // Linear layers exactly; scores at least, since a block of queries computes some that are masked.
        for preset in presets() {
            let model = load(preset.name).unwrap();
            let macs = |step: Step, linear: bool| -> u128 {
                let counted = |(product, count): (Product, u64)| match (product.operand == Operand::Weights) == linear {
                    true => product.macs() * u128::from(count),
                    false => 0,
                };
                let all = Scope { lm_head: LmHead::All, ..scope() };
                products(&model, step, &all).into_iter().map(counted).sum()
            };
            let latent =
                model.blocks.values().any(|block| block.attention.as_ref().is_some_and(|a| a.latent.is_some()));
            for tokens in [1, 300] {
                let prefill = |linear| macs(Step { new: tokens, context: tokens }, linear);
                let decodes = |linear| (1..=tokens).map(|context| macs(Step { new: 1, context }, linear)).sum::<u128>();
                if !latent {
                    assert_eq!(prefill(true), decodes(true), "{} {tokens}", preset.name);
                    assert!(prefill(false) >= decodes(false) && prefill(false) <= 2 * decodes(false) + prefill(true));
                }
            }
        }
    }

    #[test]
    fn a_batch_shares_weights_and_has_its_own_scores() {
        let model = load("llama-3-8b").unwrap();
        let step = Step { new: 1, context: 512 };
        let (one, eight) = (products(&model, step, &scope()), products(&model, step, &Scope { batch: 8, ..scope() }));
        for ((a, a_count), (b, b_count)) in one.into_iter().zip(eight) {
            match a.operand {
                Operand::Weights => assert_eq!((b.tokens, b_count), (8 * a.tokens, a_count)),
                Operand::Keys | Operand::Values => assert_eq!((b, b_count), (a, 8 * a_count)),
            }
        }
        // Grouped heads: four queries share a key-value head.
        let scores = products(&model, step, &scope()).into_iter().find(|(p, _)| p.operand == Operand::Keys).unwrap();
        assert_eq!(
            (scores.0.tokens, scores.0.input_channels, scores.0.output_channels, scores.1),
            (4, 128, 512, 8 * 32)
        );
    }

    #[test]
    fn the_cache_holds_keys_and_values_of_every_layer() {
        assert_eq!(cache_elements(&load("llama-2-7b").unwrap(), 1000), 32 * 2 * 4096 * 1000);
        assert_eq!(cache_elements(&load("llama-3-8b").unwrap(), 1000), 32 * 2 * 1024 * 1000);
    }
}
