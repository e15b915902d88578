//! Embedded models against what is published about them.

use std::path::Path;

use bitmosaic_workloads::model::{Model, load, parse, presets};
use bitmosaic_workloads::operation::parameters;

/// What is published of a model.
struct Published {
    name: &'static str,
    /// Parameters of the checkpoint, as its repository counts them.
    parameters: u64,
    /// Of these, what is not a matrix: norms, biases, learned positions, taps and decays of Mamba. All of it is below the
    /// tolerance, but with it the count is exact, so that no two errors can hide behind each other.
    rest: u64,
    layers: u32,
    /// Query heads that share a head of keys and values.
    sharing: u32,
}

/// Root mean square norms: `a_layer` of each layer and the last one.
const fn norms(layers: u64, a_layer: u64, hidden: u64) -> u64 {
    (layers * a_layer + 1) * hidden
}

const fn published(name: &'static str, parameters: u64, rest: u64, layers: u32, sharing: u32) -> Published {
    Published { name, parameters, rest, layers, sharing }
}

/// Every embedded model but [`ROUNDED`].
const EXACT: &[Published] = &[
    // Biases everywhere, norms with shifts, 2050 learned positions: 0.4 % in all, the largest share here.
    published("opt-1.3b", 1_315_758_080, 24 * (4 * 2048 + 8192 + 2048 + 4 * 2048) + 2 * 2048 + 2050 * 2048, 24, 1),
    // Biases everywhere, of the lm_head too; one norm with shift a layer.
    published("phi-2", 2_779_683_840, 32 * (4 * 2560 + 10240 + 2560 + 2 * 2560) + 2 * 2560 + 51200, 32, 1),
    published("yi-6b", 6_061_035_520, norms(32, 2, 4096), 32, 8),
    published("llama-2-7b", 6_738_415_616, norms(32, 2, 4096), 32, 1),
    published("llama-2-13b", 13_015_864_320, norms(40, 2, 5120), 40, 1),
    published("llama-3-8b", 8_030_261_248, norms(32, 2, 4096), 32, 4),
    published("llama-3.1-8b", 8_030_261_248, norms(32, 2, 4096), 32, 4),
    published("llama-3.1-70b", 70_553_706_496, norms(80, 2, 8192), 80, 8),
    published("llama-3.2-1b", 1_235_814_400, norms(16, 2, 2048), 16, 4),
    published("llama-3.2-3b", 3_212_749_824, norms(28, 2, 3072), 28, 3),
    // Biases of queries, keys and values.
    published("qwen2.5-0.5b", 494_032_768, norms(24, 2, 896) + 24 * (14 + 2 * 2) * 64, 24, 7),
    published("qwen2.5-7b", 7_615_616_512, norms(28, 2, 3584) + 28 * (28 + 2 * 4) * 128, 28, 7),
    // Norms of queries and keys.
    published("qwen3-0.6b", 596_049_920, norms(28, 2, 1024) + 28 * 2 * 128, 28, 2),
    published("qwen3-8b", 8_190_735_360, norms(36, 2, 4096) + 36 * 2 * 128, 36, 4),
    published("qwen3-30b-a3b", 30_532_122_624, norms(48, 2, 2048) + 48 * 2 * 128, 48, 8),
    published("qwen3-235b-a22b", 235_093_634_560, norms(94, 2, 4096) + 94 * 2 * 128, 94, 16),
    // Four norms a layer, and those of queries and keys.
    published("gemma-3-270m", 268_098_176, norms(18, 4, 640) + 18 * 2 * 256, 18, 4),
    published("gemma-3-1b", 999_885_952, norms(26, 4, 1152) + 26 * 2 * 256, 26, 4),
    published("gemma-3-4b", 3_880_263_168, norms(34, 4, 2560) + 34 * 2 * 256, 34, 2),
    published("mistral-7b", 7_241_732_096, norms(32, 2, 4096), 32, 4),
    published("mixtral-8x7b", 46_702_792_704, norms(32, 2, 4096), 32, 4),
    // Norms of both latents, and a bias of each expert in the choice among them.
    published("deepseek-v3", 671_026_419_200, norms(61, 2, 7168) + 61 * (1536 + 512) + 58 * 256, 61, 1),
    // Norms of queries and keys over all heads.
    published("olmoe-1b-7b", 6_919_161_856, norms(16, 2, 2048) + 16 * 2 * 2048, 16, 1),
    published("phi-3-mini", 3_821_079_552, norms(32, 2, 3072), 32, 1),
    published("phi-4", 14_659_507_200, norms(40, 2, 5120), 40, 4),
    // Of Mamba: its norms, taps and bias of the convolution (4096 + 2 x 128 channels), three numbers a head. The two norms of
    // the shared block lie once in memory.
    published(
        "zamba2-1.2b",
        1_215_064_704,
        norms(38, 1, 2048) + 38 * (4096 + 5 * (4096 + 2 * 128) + 3 * 64) + 4096 + 2048,
        38,
        1,
    ),
];

/// Models of which only a rounded count is published: billions without the embedding table, layers, sharing.
const ROUNDED: &[(&str, f64, u32, u32)] = &[("phonelm-1.5b", 1.5, 19, 1)];

/// Largest share of a model that is not in its matrices.
const TOLERANCE: f64 = 0.005;

fn check_shape(model: &Model, layers: u32, sharing: u32) {
    assert_eq!(model.layer_count(), layers, "{}", model.name);
    for attention in model.blocks.values().filter_map(|block| block.attention.as_ref()) {
        assert_eq!(attention.heads / attention.kv_heads, sharing, "{}", model.name);
    }
}

#[test]
fn parameters_layers_and_sharing_are_the_published_ones() {
    for of in EXACT {
        let model = load(of.name).unwrap();
        let own = parameters(&model);
        assert_eq!(own + of.rest, of.parameters, "{}", of.name);
        let share = own as f64 / of.parameters as f64;
        assert!((share - 1.0).abs() < TOLERANCE, "{}: {share}", of.name);
        check_shape(&model, of.layers, of.sharing);
    }
    for (name, billions, layers, sharing) in ROUNDED {
        let model = load(name).unwrap();
        let table = u64::from(model.vocabulary) * u64::from(model.hidden);
        let share = (parameters(&model) - table) as f64 / 1e9 / billions;
        assert!((share - 1.0).abs() < TOLERANCE, "{name}: {share}");
        check_shape(&model, *layers, *sharing);
    }
}

#[test]
fn every_embedded_model_is_compared_and_says_where_it_is_from() {
    let mut compared: Vec<&str> = EXACT.iter().map(|of| of.name).chain(ROUNDED.iter().map(|of| of.0)).collect();
    compared.sort_unstable();
    let mut names: Vec<&str> = presets().iter().map(|preset| preset.name).collect();
    names.sort_unstable();
    assert_eq!(compared, names);
    for preset in presets() {
        let model = parse(preset.text, Path::new(preset.name)).unwrap();
        assert_eq!(model.name, preset.name);
        assert!(model.source.starts_with("https://huggingface.co/"), "{}", model.source);
    }
}

#[test]
fn a_model_survives_being_written() {
    for preset in presets() {
        let model = load(preset.name).unwrap();
        let text = toml::to_string(&model).unwrap();
        assert_eq!(parse(&text, Path::new("again.toml")).unwrap(), model, "{}", preset.name);
    }
}

#[test]
fn active_experts_are_the_published_ones() {
    use bitmosaic_workloads::operation::{LmHead, Operand, Scope, Work, operations};
    use bitmosaic_workloads::phase::Step;
    use bitmosaic_workloads::routing::Routing;
    // Billions of parameters that a token passes, as the model cards round them; the embedding table counts beside the lm_head.
    for (name, billions) in [
        ("mixtral-8x7b", 12.9),
        ("qwen3-30b-a3b", 3.3),
        ("qwen3-235b-a22b", 22.0),
        ("deepseek-v3", 37.0),
        ("olmoe-1b-7b", 1.3),
    ] {
        let model = load(name).unwrap();
        let scope = Scope { batch: 1, lm_head: LmHead::Last, routing: Routing::Worst, quantized_cache: false };
        let weights =
            operations(&model, Step { new: 1, context: 1 }, &scope).into_iter().map(|operation| match operation.work {
                Work::Product(product) if product.operand == Operand::Weights => {
                    product.macs() * u128::from(operation.count())
                }
                _ => 0,
            });
        let table = u128::from(model.vocabulary) * u128::from(model.hidden);
        let active = (weights.sum::<u128>() + table) as f64 / 1e9;
        assert!((active / billions - 1.0).abs() < 0.03, "{name}: {active}");
    }
}
