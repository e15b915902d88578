//! Hugging Face's `config.json` as models.

use std::fs;
use std::path::Path;

use bitmosaic_workloads::WorkloadsError;
use bitmosaic_workloads::model::{Activation, Attention, Block, LayerRun, Model, Norm, load, parse, presets};
use bitmosaic_workloads::operation::parameters;
use serde_json::{Map, Value, json};

#[path = "common/configs.rs"]
mod configs;
use configs::CONFIGS;

/// Reads a text as the `config.json` of a folder.
fn read(text: &str) -> Result<Model, WorkloadsError> {
    let model = parse(text, Path::new("folder/config.json"));
    if let Err(error) = &model {
        let message = error.to_string();
        assert!(message.starts_with("folder/config.json: "), "{message}");
        assert!(message.contains("found ") && message.contains("expected ") && message.contains("; "), "{message}");
    }
    model
}

fn message(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

fn fields(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap()
}

/// The fields with one changed.
fn with(fields: &Map<String, Value>, name: &str, value: Value) -> String {
    let mut fields = fields.clone();
    fields.insert(name.into(), value);
    Value::Object(fields).to_string()
}

fn without(fields: &Map<String, Value>, name: &str) -> String {
    let mut fields = fields.clone();
    fields.remove(name);
    Value::Object(fields).to_string()
}

/// Layer by layer, without what names the model: what two texts of the same shapes have in common.
fn shapes(model: Model) -> Model {
    let names = model.layers.iter().flat_map(|run| (0..run.repeat).flat_map(|_| run.blocks.clone())).collect();
    Model { name: String::new(), source: String::new(), layers: vec![LayerRun { blocks: names, repeat: 1 }], ..model }
}

fn attention(model: &Model) -> &Attention {
    model.blocks.values().find_map(|block| block.attention.as_ref()).unwrap()
}

#[test]
fn the_config_of_every_embedded_model_is_that_model() {
    for (name, text) in CONFIGS {
        assert_eq!(shapes(read(text).unwrap()), shapes(load(name).unwrap()), "{name}");
    }
    let mut names: Vec<&str> = CONFIGS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let mut embedded: Vec<&str> = presets().iter().map(|preset| preset.name).collect();
    embedded.sort_unstable();
    assert_eq!(names, embedded);
}

#[test]
fn an_absurd_value_is_refused_by_name_or_has_no_say() {
    let absurd = [json!(-1), json!(1.5), json!("x"), json!(1u64 << 40), json!([]), json!({"a": 1}), json!(0)];
    let (mut named, mut silent) = (0, 0);
    for (name, text) in CONFIGS {
        let original = fields(text);
        let model = shapes(read(text).unwrap());
        for (field, value) in &original {
            for text in absurd.iter().map(|absurd| with(&original, field, absurd.clone())) {
                match read(&text) {
                    Err(error) => {
                        let message = error.to_string();
                        let names = [format!("`{field}`"), format!("`{field}.")];
                        assert!(names.iter().any(|name| message.contains(name)), "{name} {field}: {message}");
                        named += 1;
                    }
                    // Layers from the first one on may be what they are; a scale of 0 rotates nothing.
                    Ok(other) if ["first_k_dense_replace", "partial_rotary_factor"].contains(&field.as_str()) => {
                        assert!(text.contains(&format!("\"{field}\":0")), "{name} {field}");
                        assert_ne!(shapes(other), model, "{name} {field}");
                    }
                    Ok(other) => {
                        assert_eq!(shapes(other), model, "{name} {field}: {value}");
                        silent += 1;
                    }
                }
            }
        }
    }
    println!("{named} refused by name, {silent} without a say");
    assert!(named > 2000, "{named}");
}

#[test]
fn fields_that_must_be_there_are_named() {
    for (name, text) in CONFIGS {
        let original = fields(text);
        let required = ["model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"];
        for field in required.into_iter().filter(|field| original.contains_key(*field)) {
            // The class of Gemma 3 has sizes that its own files leave out.
            if original["model_type"] == "gemma3_text" && ["num_attention_heads", "vocab_size"].contains(&field) {
                continue;
            }
            let message = message(&without(&original, field));
            assert!(message.contains(&format!("`{field}`: found no such field")), "{name}: {message}");
        }
    }
    let message =
        message(&without(&fields(CONFIGS.iter().find(|(name, _)| *name == "gemma-3-4b").unwrap().1), "text_config"));
    assert!(message.contains("`text_config`: found no such field"), "{message}");
}

#[test]
fn a_field_of_the_part_that_reads_is_named_in_full() {
    let text = r#"{"model_type": "gemma3", "text_config": {"hidden_size": "wide", "num_hidden_layers": 1,
        "intermediate_size": 1}}"#;
    assert!(message(text).contains("`text_config.hidden_size`: found `wide`"), "{}", message(text));
}

/// What a family makes of a file with nothing in it that has a default, 64 layers, 64 heads, 4096 channels.
fn smallest(model_type: &str, further: Value) -> Model {
    let mut fields = json!({"model_type": model_type, "hidden_size": 4096, "num_hidden_layers": 64,
        "num_attention_heads": 64, "intermediate_size": 4096, "vocab_size": 1000});
    fields.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    read(&fields.to_string()).unwrap()
}

#[test]
fn absent_fields_have_the_defaults_of_their_family() {
    // Family, what else it needs; key-value heads, head dimension, rotated channels, window of the first and last layer, tied.
    let defaults = [
        ("opt", json!({"ffn_dim": 4096}), 64, 64, 0, None, true),
        ("phi", json!({}), 64, 64, 32, None, false),
        ("phi3", json!({}), 64, 64, 64, None, false),
        ("llama", json!({}), 64, 64, 64, None, false),
        ("phonelm", json!({}), 64, 64, 64, None, false),
        ("mistral", json!({}), 8, 64, 64, Some(4096), false),
        ("mixtral", json!({}), 8, 64, 64, None, false),
        ("qwen2", json!({}), 32, 64, 64, None, false),
        ("qwen3", json!({}), 32, 128, 128, None, false),
        ("qwen3_moe", json!({}), 4, 64, 64, None, false),
        ("olmoe", json!({}), 64, 64, 64, None, false),
        ("gemma3_text", json!({}), 4, 256, 256, Some(4096), true),
        ("zamba2", json!({"layers_block_type": vec!["hybrid"; 64], "n_mamba_heads": 64}), 64, 128, 0, None, true),
    ];
    for (family, further, kv_heads, head_dim, rotary_dim, window, tied) in defaults {
        let model = smallest(family, further);
        let first = model.layer_blocks().next().unwrap().attention.clone().unwrap();
        let found = (first.kv_heads, first.head_dim, first.rotary_dim, first.window, model.tied_embeddings);
        assert_eq!(found, (kv_heads, head_dim, rotary_dim, window, tied), "{family}");
        assert_eq!(model.layer_count(), 64);
        assert_eq!(model.norm, if ["opt", "phi"].contains(&family) { Norm::Layer } else { Norm::Rms });
        let norms = if family == "phi" { 1 } else { 2 };
        let norms = if ["gemma3_text", "zamba2"].contains(&family) { 4 } else { norms };
        assert!(model.blocks.values().all(|block| block.norms == norms), "{family}");
        let activation = |block: &Block| block.feed_forward.as_ref().map(|f| (f.activation, f.gated));
        let expected = match family {
            "opt" => (Activation::Relu, false),
            "phi" => (Activation::Gelu, false),
            "gemma3_text" | "zamba2" => (Activation::Gelu, true),
            _ => (Activation::Silu, true),
        };
        assert!(model.blocks.values().all(|block| activation(block) == Some(expected)), "{family}");
    }
    let experts = |model: Model| model.layer_blocks().next().unwrap().feed_forward.clone().unwrap().experts.unwrap();
    for (family, count, per_token) in [("mixtral", 8, 2), ("qwen3_moe", 128, 8), ("olmoe", 64, 8)] {
        let experts = experts(smallest(family, json!({})));
        assert_eq!((experts.count, experts.per_token), (count, per_token), "{family}");
    }
    // DeepSeek's needs more; the first dense layers, shared experts and rank of queries have defaults.
    for (family, dense, shared) in [("deepseek_v2", 0, 2), ("deepseek_v3", 3, 1)] {
        let further = json!({"kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 100,
            "moe_intermediate_size": 50, "n_routed_experts": 16, "num_experts_per_tok": 4});
        let model = smallest(family, further);
        assert_eq!(model.layers_of("dense"), dense, "{family}");
        let latent = attention(&model).latent.clone().unwrap();
        assert_eq!((latent.query_rank, latent.kv_rank, latent.value_dim), (Some(1536), 512, 100));
        let block = model.layer_blocks().last().unwrap().clone();
        let experts = block.feed_forward.unwrap().experts.unwrap();
        assert_eq!((experts.shared_intermediate, model.tied_embeddings), (Some(50 * shared), false), "{family}");
    }
    let zamba = smallest(
        "zamba2",
        json!({"layers_block_type": vec!["hybrid"; 64], "n_mamba_heads": 64,
        "intermediate_size": null}),
    );
    let block = &zamba.blocks["decoder"];
    assert_eq!(block.feed_forward.as_ref().unwrap().intermediate, 4 * 4096);
    let mamba = block.mamba.as_ref().unwrap();
    assert_eq!((mamba.inner, mamba.state, mamba.groups, mamba.convolution), (8192, 64, 1, 4));
    assert_eq!((block.copies, block.linears[0].output), (Some(1), 128));
}

#[test]
fn null_is_nothing_where_the_family_reads_it_so() {
    // As many key-value heads as heads; no window.
    for family in ["phi", "phi3", "llama", "phonelm", "mistral", "mixtral", "qwen2", "qwen3", "olmoe"] {
        let model = smallest(family, json!({"num_key_value_heads": null, "sliding_window": null}));
        assert_eq!((attention(&model).kv_heads, attention(&model).window), (64, None), "{family}");
    }
    for family in ["qwen3_moe", "gemma3_text"] {
        let text = json!({"model_type": family, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
            "intermediate_size": 64, "vocab_size": 100, "num_key_value_heads": null});
        assert!(message(&text.to_string()).contains("`num_key_value_heads`: found null"));
    }
}

#[test]
fn windows_are_where_the_family_puts_them() {
    let windows = |model: &Model| -> Vec<Option<u32>> {
        model.layer_blocks().map(|block| block.attention.as_ref().unwrap().window).collect()
    };
    // Qwen: from `max_window_layers` on, if `use_sliding_window`.
    let used = json!({"use_sliding_window": true, "max_window_layers": 60, "sliding_window": 100});
    let expected: Vec<Option<u32>> = (0..64).map(|i| (i >= 60).then_some(100)).collect();
    assert_eq!(windows(&smallest("qwen2", used.clone())), expected);
    assert_eq!(windows(&smallest("qwen3", used.clone())), expected);
    // Its mixture has it everywhere.
    assert_eq!(windows(&smallest("qwen3_moe", used)), [Some(100); 64]);
    // Gemma: all but every sixth, or every `sliding_window_pattern`-th layer, or as `layer_types` says.
    let gemma = |n: usize| (1..=64).map(|i| (i % n != 0).then_some(4096)).collect::<Vec<_>>();
    assert_eq!(windows(&smallest("gemma3_text", json!({}))), gemma(6));
    assert_eq!(windows(&smallest("gemma3_text", json!({"sliding_window_pattern": 4}))), gemma(4));
    let types: Vec<&str> = (1..=64).map(|i| if i % 3 == 0 { "full_attention" } else { "sliding_attention" }).collect();
    assert_eq!(windows(&smallest("gemma3_text", json!({"layer_types": types}))), gemma(3));
    // Said to slide, but no window.
    let text = json!({"model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
        "num_key_value_heads": 4, "intermediate_size": 64, "vocab_size": 100, "layer_types": ["sliding_attention"]});
    assert!(message(&text.to_string()).contains("`layer_types`: found sliding_attention, but no window"));
}

#[test]
fn what_cannot_be_said_is_refused() {
    let original = |preset: &str| fields(CONFIGS.iter().find(|(name, _)| *name == preset).unwrap().1);
    let refused = [
        ("llama-3.1-8b", "model_type", json!("gpt2"), "expected one of opt, phi, phi3, llama"),
        ("llama-3.1-8b", "is_encoder_decoder", json!(true), "expected false"),
        ("llama-3.1-8b", "layer_types", json!(vec!["linear_attention"; 32]), "only full_attention"),
        ("llama-3.1-8b", "layer_types", json!(vec!["full_attention"; 31]), "31 entries"),
        ("llama-3.1-8b", "hidden_act", json!("xielu"), "relu, gelu"),
        ("llama-3.1-8b", "num_key_value_heads", json!(5), "a divisor of `num_attention_heads`, 32"),
        ("llama-3.1-8b", "num_attention_heads", json!(24), "a divisor of"),
        ("mistral-7b", "layer_types", json!(vec!["full_attention"; 32]), "only sliding_attention"),
        ("qwen3-8b", "layer_types", json!(vec!["chunked_attention"; 36]), "only full_attention and sliding_attention"),
        ("gemma-3-1b", "use_bidirectional_attention", json!(true), "expected false"),
        ("opt-1.3b", "word_embed_proj_dim", json!(512), "no projections"),
        ("opt-1.3b", "do_layer_norm_before", json!(false), "expected true"),
        ("phi-2", "partial_rotary_factor", json!(0.0875), "an even number"),
        ("mixtral-8x7b", "num_experts_per_tok", json!(9), "at most the number of experts, 8"),
        ("deepseek-v3", "num_key_value_heads", json!(8), "the latent is what is shared"),
        ("deepseek-v3", "moe_layer_freq", json!(2), "expected 1"),
        ("deepseek-v3", "qk_rope_head_dim", json!(63), "an even number"),
        ("zamba2-1.2b", "num_mem_blocks", json!(7), "at most the number of hybrid layers, 6"),
        ("zamba2-1.2b", "n_mamba_heads", json!(63), "a divisor of"),
        ("zamba2-1.2b", "layers_block_type", json!(vec!["m"; 38]), "only mamba and hybrid"),
    ];
    for (preset, field, value, expected) in refused {
        let message = message(&with(&original(preset), field, value));
        assert!(message.contains(&format!("`{field}`: found ")) && message.contains(expected), "{message}");
    }
    let message = message(&with(&original("llama-3.1-8b"), "model_type", json!("gpt2")));
    assert!(
        message.contains("zamba2; describe the model in a TOML file of the form of `workloads/models`"),
        "{message}"
    );
    assert!(self::message("[]").contains("line 1, column 0"), "{}", self::message("[]"));
    assert!(self::message("{\"model_type\": \"llama\",\n nonsense}").contains("line 2"));
}

#[test]
fn experts_stand_where_the_family_puts_them() {
    // Qwen: every second layer, and not where it is said.
    let model = smallest("qwen3_moe", json!({"decoder_sparse_step": 2, "mlp_only_layers": [3, 5]}));
    let has: Vec<bool> =
        model.layer_blocks().map(|block| block.feed_forward.as_ref().unwrap().experts.is_some()).collect();
    assert_eq!(has, (0..64).map(|i| i % 2 == 1 && i != 3 && i != 5).collect::<Vec<_>>());
    assert_eq!(model.blocks["dense"].feed_forward.as_ref().unwrap().intermediate, 4096);
    assert_eq!(model.blocks["experts"].feed_forward.as_ref().unwrap().intermediate, 768);
}

#[test]
fn deepseek_v2_lite_has_its_published_parameters() {
    let model = read(
        r#"{"model_type": "deepseek_v2", "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 2048,
        "intermediate_size": 10944, "kv_lora_rank": 512, "moe_intermediate_size": 1408, "moe_layer_freq": 1,
        "n_routed_experts": 64, "n_shared_experts": 2, "num_attention_heads": 16, "num_experts_per_tok": 6,
        "num_hidden_layers": 27, "num_key_value_heads": 16, "q_lora_rank": null, "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64, "tie_word_embeddings": false, "v_head_dim": 128, "vocab_size": 102400}"#,
    )
    .unwrap();
    // Norms of two a layer and the last one, and of the latent.
    assert_eq!(parameters(&model) + (2 * 27 + 1) * 2048 + 27 * 512, 15_706_484_224);
}

#[test]
fn two_shared_blocks_lie_twice_in_memory() {
    // Zamba2-2.7B, whose hybrid layers are these of 54; two blocks take turns, there are no adapters on attention.
    let hybrid = [6, 12, 18, 24, 30, 36, 42, 47, 51];
    let types: Vec<&str> = (0..54).map(|i| if hybrid.contains(&i) { "hybrid" } else { "mamba" }).collect();
    let model = read(
        &json!({"model_type": "zamba2", "_name_or_path": "Zyphra/Zamba2-2.7B", "adapter_rank": 128, "hidden_size": 2560,
            "intermediate_size": 10240, "layers_block_type": types, "mamba_d_state": 64, "mamba_expand": 2,
            "mamba_ngroups": 1, "n_mamba_heads": 80, "num_attention_heads": 32, "num_hidden_layers": 54,
            "num_key_value_heads": 32, "num_mem_blocks": 2, "use_mem_rope": false,
            "use_shared_attention_adapter": false, "vocab_size": 32000})
        .to_string(),
    )
    .unwrap();
    let mamba = 54 * (2560 * (2 * 5120 + 2 * 64 + 80) + 5120 * 2560);
    let shared = 2 * (3 * 5120 * 5120 + 5120 * 2560 + 3 * 2560 * 10240);
    let own = 9 * (2560 * 128 + 128 * 2 * 10240 + 2560 * 2560);
    assert_eq!(parameters(&model), mamba + shared + own + 32000 * 2560);
    assert_eq!((model.layer_count(), model.layers_of("hybrid")), (54, 9));
    assert_eq!(model.name, "zamba2-2.7b");
}

#[test]
fn a_model_is_named_by_its_repository_or_its_folder() {
    let original = fields(CONFIGS.iter().find(|(name, _)| *name == "llama-3-8b").unwrap().1);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("Meta_Llama 3 (8B)");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("config.JSON");
    let names = [
        (json!("meta-llama/Meta-Llama-3-8B"), "meta-llama-3-8b"),
        (json!("Yi_6B"), "yi-6b"),
        // Where someone's copy was says nothing, and what is not text is not a name.
        (json!("/some/where/final"), "meta-llama-3--8b"),
        (json!("./out"), "meta-llama-3--8b"),
        (json!("a/b/c"), "meta-llama-3--8b"),
        (json!(""), "meta-llama-3--8b"),
        (json!("///"), "meta-llama-3--8b"),
        (json!(7), "meta-llama-3--8b"),
    ];
    for (value, expected) in names {
        fs::write(&path, with(&original, "_name_or_path", value)).unwrap();
        let model = load(path.to_str().unwrap()).unwrap();
        assert_eq!((model.name.as_str(), model.source.as_str()), (expected, "config.json of model type llama"));
    }
}
