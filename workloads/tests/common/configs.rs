//! A `config.json` of every embedded model: names of fields as the classes of `transformers` have them, values as confirmed
//! for the embedded model (its file says where), a few fields that say nothing of shapes. The published files have more.

/// Embedded model and the text of its file.
pub const CONFIGS: &[(&str, &str)] = &[
    (
        "opt-1.3b",
        r#"{"model_type": "opt", "_name_or_path": "facebook/opt-1.3b", "activation_function": "relu",
        "do_layer_norm_before": true, "_remove_final_layer_norm": false, "ffn_dim": 8192, "hidden_size": 2048,
        "max_position_embeddings": 2048, "num_attention_heads": 32, "num_hidden_layers": 24, "vocab_size": 50272,
        "word_embed_proj_dim": 2048}"#,
    ),
    (
        "phi-2",
        r#"{"model_type": "phi", "_name_or_path": "microsoft/phi-2", "hidden_act": "gelu_new", "hidden_size": 2560,
        "intermediate_size": 10240, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
        "partial_rotary_factor": 0.4, "qk_layernorm": false, "rope_scaling": null, "tie_word_embeddings": false,
        "vocab_size": 51200}"#,
    ),
    (
        "yi-6b",
        r#"{"model_type": "llama", "attention_bias": false, "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 11008, "mlp_bias": false, "num_attention_heads": 32, "num_hidden_layers": 32,
        "num_key_value_heads": 4, "rms_norm_eps": 1e-05, "tie_word_embeddings": false, "vocab_size": 64000,
        "_name_or_path": "01-ai/Yi-6B"}"#,
    ),
    (
        "llama-2-7b",
        r#"{"model_type": "llama", "_name_or_path": "meta-llama/Llama-2-7b-hf", "hidden_act": "silu", "hidden_size":
        4096, "intermediate_size": 11008, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads":
        32, "pretraining_tp": 1, "rope_scaling": null, "tie_word_embeddings": false, "vocab_size": 32000}"#,
    ),
    (
        "llama-2-13b",
        r#"{"model_type": "llama", "attention_bias": false, "hidden_act": "silu", "hidden_size": 5120,
        "intermediate_size": 13824, "mlp_bias": false, "num_attention_heads": 40, "num_hidden_layers": 40,
        "num_key_value_heads": 40, "rms_norm_eps": 1e-05, "tie_word_embeddings": false, "vocab_size": 32000}"#,
    ),
    (
        "llama-3-8b",
        r#"{"model_type": "llama", "attention_bias": false, "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 14336, "mlp_bias": false, "num_attention_heads": 32, "num_hidden_layers": 32,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "tie_word_embeddings": false, "vocab_size": 128256,
        "rope_theta": 500000.0}"#,
    ),
    (
        "llama-3.1-8b",
        r#"{"model_type": "llama", "attention_bias": false, "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 14336, "mlp_bias": false, "num_attention_heads": 32, "num_hidden_layers": 32,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "tie_word_embeddings": false, "vocab_size": 128256,
        "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_type": "llama3"}}"#,
    ),
    (
        "llama-3.1-70b",
        r#"{"model_type": "llama", "attention_bias": false, "hidden_act": "silu", "hidden_size": 8192,
        "intermediate_size": 28672, "mlp_bias": false, "num_attention_heads": 64, "num_hidden_layers": 80,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "tie_word_embeddings": false, "vocab_size": 128256,
        "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_type": "llama3"}}"#,
    ),
    (
        "llama-3.2-1b",
        r#"{"model_type": "llama", "attention_bias": false, "hidden_act": "silu", "hidden_size": 2048,
        "intermediate_size": 8192, "mlp_bias": false, "num_attention_heads": 32, "num_hidden_layers": 16,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "tie_word_embeddings": true, "vocab_size": 128256,
        "head_dim": 64, "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_type": "llama3"}}"#,
    ),
    (
        "llama-3.2-3b",
        r#"{"model_type": "llama", "attention_bias": false, "hidden_act": "silu", "hidden_size": 3072,
        "intermediate_size": 8192, "mlp_bias": false, "num_attention_heads": 24, "num_hidden_layers": 28,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "tie_word_embeddings": true, "vocab_size": 128256,
        "head_dim": 128, "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_type": "llama3"}}"#,
    ),
    (
        "qwen2.5-0.5b",
        r#"{"model_type": "qwen2", "hidden_act": "silu", "hidden_size": 896, "intermediate_size": 4864,
        "max_window_layers": 24, "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
        "sliding_window": 32768, "tie_word_embeddings": true, "use_sliding_window": false, "vocab_size": 151936}"#,
    ),
    (
        "qwen2.5-7b",
        r#"{"model_type": "qwen2", "hidden_act": "silu", "hidden_size": 3584, "intermediate_size": 18944,
        "max_window_layers": 28, "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4,
        "sliding_window": 131072, "tie_word_embeddings": false, "use_sliding_window": false, "vocab_size": 152064}"#,
    ),
    (
        "qwen3-0.6b",
        r#"{"model_type": "qwen3", "attention_bias": false, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
        "intermediate_size": 3072, "max_window_layers": 28, "num_attention_heads": 16, "num_hidden_layers": 28,
        "num_key_value_heads": 8, "rope_scaling": null, "sliding_window": null, "tie_word_embeddings": true,
        "use_sliding_window": false, "vocab_size": 151936}"#,
    ),
    (
        "qwen3-8b",
        r#"{"model_type": "qwen3", "attention_bias": false, "head_dim": 128, "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 12288, "max_window_layers": 36, "num_attention_heads": 32, "num_hidden_layers": 36,
        "num_key_value_heads": 8, "rope_scaling": null, "sliding_window": null, "tie_word_embeddings": false,
        "use_sliding_window": false, "vocab_size": 151936}"#,
    ),
    (
        "qwen3-30b-a3b",
        r#"{"model_type": "qwen3_moe", "decoder_sparse_step": 1, "head_dim": 128, "hidden_act": "silu", "hidden_size":
        2048, "intermediate_size": 6144, "max_window_layers": 48, "mlp_only_layers": [], "moe_intermediate_size":
        768, "norm_topk_prob": true, "num_attention_heads": 32, "num_experts": 128, "num_experts_per_tok": 8,
        "num_hidden_layers": 48, "num_key_value_heads": 4, "sliding_window": null, "tie_word_embeddings": false,
        "use_sliding_window": false, "vocab_size": 151936}"#,
    ),
    (
        "qwen3-235b-a22b",
        r#"{"model_type": "qwen3_moe", "decoder_sparse_step": 1, "head_dim": 128, "hidden_act": "silu", "hidden_size":
        4096, "intermediate_size": 12288, "max_window_layers": 94, "mlp_only_layers": [], "moe_intermediate_size":
        1536, "norm_topk_prob": true, "num_attention_heads": 64, "num_experts": 128, "num_experts_per_tok": 8,
        "num_hidden_layers": 94, "num_key_value_heads": 4, "sliding_window": null, "tie_word_embeddings": false,
        "use_sliding_window": false, "vocab_size": 151936}"#,
    ),
    (
        "gemma-3-270m",
        r#"{"model_type": "gemma3_text", "_sliding_window_pattern": 6, "head_dim": 256, "hidden_activation":
        "gelu_pytorch_tanh", "hidden_size": 640, "intermediate_size": 2048, "layer_types": ["sliding_attention",
        "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
        "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention",
        "full_attention", "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention",
        "sliding_attention", "full_attention"], "num_attention_heads": 4, "num_hidden_layers": 18,
        "num_key_value_heads": 1, "query_pre_attn_scalar": 256, "sliding_window": 512,
        "use_bidirectional_attention": false, "vocab_size": 262144}"#,
    ),
    (
        "gemma-3-1b",
        r#"{"model_type": "gemma3_text", "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "hidden_size":
        1152, "intermediate_size": 6912, "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads":
        1, "query_pre_attn_scalar": 256, "sliding_window": 512, "sliding_window_pattern": 6, "vocab_size": 262144}"#,
    ),
    (
        "gemma-3-4b",
        r#"{"model_type": "gemma3", "mm_tokens_per_image": 256, "text_config": {"hidden_size": 2560,
        "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34, "rope_scaling": {"factor":
        8.0, "rope_type": "linear"}, "sliding_window": 1024}, "vision_config": {"hidden_size": 1152,
        "intermediate_size": 4304, "num_attention_heads": 16, "num_hidden_layers": 27}}"#,
    ),
    (
        "mistral-7b",
        r#"{"model_type": "mistral", "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "sliding_window": 4096,
        "tie_word_embeddings": false, "vocab_size": 32000}"#,
    ),
    (
        "mixtral-8x7b",
        r#"{"model_type": "mixtral", "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
        "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32, "num_key_value_heads": 8,
        "num_local_experts": 8, "sliding_window": null, "tie_word_embeddings": false, "vocab_size": 32000}"#,
    ),
    (
        "deepseek-v3",
        r#"{"model_type": "deepseek_v3", "first_k_dense_replace": 3, "hidden_act": "silu", "hidden_size": 7168,
        "intermediate_size": 18432, "kv_lora_rank": 512, "moe_intermediate_size": 2048, "moe_layer_freq": 1,
        "n_group": 8, "n_routed_experts": 256, "n_shared_experts": 1, "num_attention_heads": 128,
        "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128, "num_nextn_predict_layers":
        1, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "tie_word_embeddings": false,
        "topk_group": 4, "v_head_dim": 128, "vocab_size": 129280}"#,
    ),
    (
        "olmoe-1b-7b",
        r#"{"model_type": "olmoe", "clip_qkv": null, "hidden_act": "silu", "hidden_size": 2048, "intermediate_size":
        1024, "num_attention_heads": 16, "num_experts": 64, "num_experts_per_tok": 8, "num_hidden_layers": 16,
        "num_key_value_heads": 16, "tie_word_embeddings": false, "vocab_size": 50304}"#,
    ),
    (
        "phi-3-mini",
        r#"{"model_type": "phi3", "_name_or_path": "Phi-3-mini-4k-instruct", "hidden_act": "silu", "hidden_size": 3072,
        "intermediate_size": 8192, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
        "rope_scaling": null, "sliding_window": 2047, "tie_word_embeddings": false, "vocab_size": 32064}"#,
    ),
    (
        "phi-4",
        r#"{"model_type": "phi3", "hidden_act": "silu", "hidden_size": 5120, "intermediate_size": 17920,
        "num_attention_heads": 40, "num_hidden_layers": 40, "num_key_value_heads": 10, "rope_scaling": null,
        "sliding_window": null, "tie_word_embeddings": false, "vocab_size": 100352}"#,
    ),
    (
        "phonelm-1.5b",
        r#"{"model_type": "phonelm", "hidden_act": "relu", "hidden_size": 2560, "intermediate_size": 6816,
        "num_attention_heads": 16, "num_hidden_layers": 19, "num_key_value_heads": 16, "tie_word_embeddings": true,
        "vocab_size": 49152}"#,
    ),
    (
        "zamba2-1.2b",
        r#"{"model_type": "zamba2", "adapter_rank": 128, "add_bias_linear": false, "hidden_act": "gelu", "hidden_size":
        2048, "intermediate_size": 8192, "layers_block_type": ["mamba", "mamba", "mamba", "mamba", "mamba",
        "hybrid", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba",
        "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba",
        "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba"],
        "mamba_d_conv": 4, "mamba_d_state": 128, "mamba_expand": 2, "mamba_ngroups": 1, "n_mamba_heads": 64,
        "num_attention_heads": 32, "num_hidden_layers": 38, "num_key_value_heads": 32, "num_mem_blocks": 1,
        "use_mem_rope": true, "use_shared_attention_adapter": true, "vocab_size": 32000}"#,
    ),
];
