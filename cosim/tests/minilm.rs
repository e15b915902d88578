//! The main job on real input: a MiniLM matrix quantized and co-simulated on every engine.
fn main() {}
