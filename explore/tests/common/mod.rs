//! A sweep small enough for tests.

/// A model of two small layers.
pub const MODEL: &str = r#"
name = "tiny"
source = "made up"
hidden = 128
vocabulary = 512
tied_embeddings = true
norm = "rms"

[[layers]]
blocks = ["decoder"]
repeat = 2

[blocks.decoder]
norms = 2

[blocks.decoder.attention]
heads = 4
kv_heads = 2
head_dim = 32
rotary_dim = 32

[blocks.decoder.feed_forward]
intermediate = 256
gated = true
activation = "silu"
"#;

/// A sweep of that model, which lies in `tiny.toml` of `folder`; `more` is what it has beside its base.
pub fn text(folder: &std::path::Path, more: &str) -> String {
    let model = folder.join("tiny.toml");
    std::fs::write(&model, MODEL).unwrap();
    format!(
        "summary = \"a test\"\nphases = [\"prefill:20\", \"decode:20\"]\nreferences = [\"bitmod\"]\nbuild_for = \"used-types\"\n\
         [base]\nmodel = '{}'\ndesign = \"mosaic\"\ncache_group = 32\nmemory_latency = 30\n{more}",
        model.display()
    )
}
