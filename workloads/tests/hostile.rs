//! Seeded mutations of small valid files: readers answer with a value or an error, never with a panic, and within bounds
//! of time and memory.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bitmosaic_numerics::weight_type;
use bitmosaic_workloads::WorkloadsError;
use bitmosaic_workloads::checkpoint::{Checkpoint, ValueCheck};
use bitmosaic_workloads::model;
use bitmosaic_workloads::operation::{LmHead, Scope, cache_elements, operations, parameters};
use bitmosaic_workloads::phase::Step;
use bitmosaic_workloads::routing::Routing;
use bitmosaic_workloads::trace::{DATA_FILE, INDEX_FILE, LayerTrace, NonFinite, read_trace, write_trace};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

mod common;
#[path = "common/configs.rs"]
mod configs;
use common::{layer, reseal};

/// Mutated files a test.
const CASES: u64 = 3000;
/// Longest time one file may take, generous for a loaded machine.
const LONGEST_CASE_SECONDS: u64 = 5;
/// Most memory the whole process may ever have used, in KiB; the files have a few hundred bytes.
const PEAK_MEMORY_KIB: u64 = 256 << 10;

/// Bytes that mean something in a header or an index.
const TOKENS: [&[u8]; 22] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b";",
    b"\n",
    b"-",
    b"0",
    b"9",
    b"null",
    b"1e309",
    b"18446744073709551615",
    b"9223372036854775808",
    b"4294967296",
    b"\\ud800",
    b"\xff",
    b"\0",
    b"../",
    b"__metadata__",
];

/// One, two or four changes: flips, truncations, insertions, removals, copies, edits of the header length.
fn mutate(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let changes = [1, 1, 2, 4][rng.next_u32() as usize % 4];
    for _ in 0..changes {
        let below = |rng: &mut ChaCha8Rng, n: usize| rng.next_u32() as usize % n.max(1);
        let at = below(rng, bytes.len());
        let end = at + below(rng, bytes.len() - at).min(40);
        match rng.next_u32() % 16 {
            0 if at < bytes.len() => bytes[at] ^= 1 << (rng.next_u32() % 8),
            1 if at < bytes.len() => bytes[at] = rng.next_u32() as u8,
            2 => bytes.truncate(at),
            3 | 4 => {
                let token = TOKENS[below(rng, TOKENS.len())];
                let replaced = if rng.next_u32().is_multiple_of(2) { end } else { at };
                bytes.splice(at..replaced, token.iter().copied());
            }
            5 => drop(bytes.drain(at..end)),
            6 => {
                let copy = bytes[at..end].to_vec();
                let to = below(rng, bytes.len());
                bytes.splice(to..to, copy);
            }
            7 if bytes.len() >= 8 => {
                let length = u64::from_le_bytes(bytes[..8].try_into().unwrap());
                let edits = [
                    0,
                    length.wrapping_sub(1),
                    length.wrapping_add(1),
                    length.wrapping_add(8),
                    1 << 60,
                    u64::MAX,
                    100_000_000,
                    u64::from(rng.next_u32()),
                ];
                bytes[..8].copy_from_slice(&edits[below(rng, edits.len())].to_le_bytes());
            }
            // Bytes of the data, behind the text of both formats.
            8..12 => {
                let from = bytes.len() * 2 / 3;
                let place = from + below(rng, bytes.len() - from);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = rng.next_u32() as u8;
                }
            }
            // A digit for a digit keeps the text well-formed, so that the checks behind the parser are reached.
            _ => {
                let digits: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    bytes[digits[below(rng, digits.len())]] = b'0' + (rng.next_u32() % 10) as u8;
                }
            }
        }
    }
    bytes
}

/// Runs `attempt` on `CASES` mutations; returns how many it accepted.
fn run(seed: u64, bytes: &[u8], mut attempt: impl FnMut(&[u8]) -> bool) -> u64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut accepted = 0;
    for case in 0..CASES {
        let mutated = mutate(bytes, &mut rng);
        #[expect(clippy::disallowed_methods, reason = "the bound on time is what is tested")]
        let start = std::time::Instant::now();
        match catch_unwind(AssertUnwindSafe(|| attempt(&mutated))) {
            Ok(ok) => accepted += u64::from(ok),
            Err(_) => panic!("case {case} of seed {seed}: {:?}", String::from_utf8_lossy(&mutated)),
        }
        assert!(start.elapsed().as_secs() < LONGEST_CASE_SECONDS, "case {case} of seed {seed}");
    }
    if let Some(peak) = peak_memory_kib() {
        assert!(peak < PEAK_MEMORY_KIB, "{peak} KiB");
    }
    accepted
}

/// The most memory this process has used, where the system tells.
fn peak_memory_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Every error names its file and is short and fit for a terminal.
fn check_error(error: &WorkloadsError, dir: &Path) {
    let message = error.to_string();
    assert!(message.contains(dir.to_str().unwrap()), "{message}");
    assert!(message.len() < 4000 && !message.contains(|c: char| c.is_control()), "{message:?}");
}

fn checkpoint_bytes() -> Vec<u8> {
    let data: Vec<u8> = (0..48).collect();
    let view = |dtype, shape: &[usize], bytes| TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
    let tensors = [
        ("layer.0.weight", view(Dtype::F32, &[2, 3], &data[..24])),
        ("layer.1.weight", view(Dtype::BF16, &[3, 2], &data[24..36])),
        ("layer.2.weight", view(Dtype::F16, &[1, 4], &data[36..44])),
        ("layer.3.bias", view(Dtype::U8, &[4], &data[44..])),
    ];
    safetensors::serialize(tensors, None).unwrap()
}

#[test]
fn mutated_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let accepted = run(1, &checkpoint_bytes(), |bytes| {
        fs::write(&path, bytes).unwrap();
        // The crate that defines the format is the oracle; where it overflows on hostile offsets it has no opinion.
        let reference = catch_unwind(|| SafeTensors::deserialize(bytes).map(|t| t.len()));
        match Checkpoint::open(&path) {
            Ok(checkpoint) => {
                assert_eq!(reference.unwrap().unwrap(), checkpoint.tensors().len());
                for tensor in checkpoint.tensors() {
                    match checkpoint.read_matrix(&tensor.name, ValueCheck::FiniteAsF16) {
                        Ok(matrix) => assert_eq!(matrix.data.len(), matrix.rows * matrix.columns),
                        Err(error) => check_error(&error, folder.path()),
                    }
                }
                true
            }
            Err(error) => {
                check_error(&error, folder.path());
                if matches!(reference, Ok(Ok(_))) {
                    // Stricter in this only.
                    assert!(error.to_string().contains("a second entry named"), "{error}");
                }
                false
            }
        }
    });
    println!("{accepted} of {CASES} accepted");
    assert!((100..CASES / 2).contains(&accepted), "the mutations are too weak or too strong: {accepted}");
}

/// A trace of two layers.
fn trace(dir: &Path) -> Vec<LayerTrace> {
    let first = layer(&weight_type("bitmod-fp4").unwrap(), 2, 10, 8, 1);
    let second = LayerTrace { name: "second".into(), ..layer(&weight_type("int4").unwrap(), 3, 5, 4, 2) };
    let layers = vec![first, second];
    write_trace(dir, &layers).unwrap();
    layers
}

/// Reads a trace; what is accepted has to hold together.
fn accepts(dir: &Path, non_finite: NonFinite) -> bool {
    match read_trace(dir, non_finite) {
        Ok(layers) => {
            assert!(!layers.is_empty());
            layers.iter().for_each(|layer| layer.check().unwrap());
            true
        }
        Err(error) => {
            check_error(&error, dir);
            false
        }
    }
}

#[test]
fn mutated_tensor_files_of_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let layers = trace(folder.path());
    let path = folder.path().join(DATA_FILE);
    let good = fs::read(&path).unwrap();
    let accepted = run(2, &good, |bytes| {
        fs::write(&path, bytes).unwrap();
        // As it is, the hash gives every change away.
        assert_eq!(accepts(folder.path(), NonFinite::Allow), bytes == good);
        reseal(folder.path());
        let accepted = accepts(folder.path(), NonFinite::Refuse);
        write_trace(folder.path(), &layers).unwrap();
        accepted
    });
    println!("{accepted} of {CASES} accepted");
    assert!((100..CASES / 2).contains(&accepted), "the mutations are too weak or too strong: {accepted}");
}

#[test]
fn mutated_indices_of_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    trace(folder.path());
    let path = folder.path().join(INDEX_FILE);
    let good = fs::read(&path).unwrap();
    let accepted = run(3, &good, |bytes| {
        fs::write(&path, bytes).unwrap();
        accepts(folder.path(), NonFinite::Refuse)
    });
    println!("{accepted} of {CASES} accepted");
    assert!((20..CASES / 2).contains(&accepted), "the mutations are too weak or too strong: {accepted}");
}

#[test]
fn mutated_indices_of_a_sharded_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model-1.safetensors"), checkpoint_bytes()).unwrap();
    let path = folder.path().join("model.safetensors.index.json");
    let good = br#"{"metadata":{"total_size":48},"weight_map":{"layer.0.weight":"model-1.safetensors",
        "layer.3.bias":"model-1.safetensors"}}"#;
    let accepted = run(4, good, |bytes| {
        fs::write(&path, bytes).unwrap();
        match Checkpoint::open(&path) {
            Ok(_) => true,
            Err(error) => {
                check_error(&error, folder.path());
                false
            }
        }
    });
    println!("{accepted} of {CASES} accepted");
    assert!((20..CASES * 3 / 4).contains(&accepted), "the mutations are too weak or too strong: {accepted}");
}

/// Reads a model; what is accepted has to be within its bounds, and its operations can be listed.
fn accepts_model(path: &Path, bytes: &[u8], dir: &Path) -> bool {
    // Only what is not text needs the file.
    let model = match std::str::from_utf8(bytes) {
        Ok(text) => model::parse(text, path),
        Err(_) => {
            fs::write(path, bytes).unwrap();
            model::load(path.to_str().unwrap())
        }
    };
    match model {
        Ok(model) => {
            assert!((1..=1 << 12).contains(&model.layer_count()) && parameters(&model) <= 1 << 50);
            let scope = Scope { batch: 2, lm_head: LmHead::All, routing: Routing::Worst, quantized_cache: true };
            for step in [Step { new: 300, context: 300 }, Step { new: 1, context: 1 << 22 }] {
                assert!(operations(&model, step, &scope).iter().all(|operation| operation.count() > 0));
                cache_elements(&model, step.context);
            }
            true
        }
        Err(error) => {
            check_error(&error, dir);
            false
        }
    }
}

#[test]
fn mutated_configs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let mut accepted = 0;
    let families = ["opt-1.3b", "phi-2", "qwen2.5-7b", "gemma-3-4b", "gemma-3-270m", "deepseek-v3", "zamba2-1.2b"];
    for (seed, name) in (5..).zip(families) {
        let (_, good) = configs::CONFIGS.iter().find(|(preset, _)| *preset == name).unwrap();
        accepted += run(seed, good.as_bytes(), |bytes| accepts_model(&path, bytes, folder.path()));
    }
    println!("{accepted} of {} accepted", CASES * 7);
    assert!((CASES / 2..CASES * 5).contains(&accepted), "the mutations are too weak or too strong: {accepted}");
}

#[test]
fn mutated_model_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.toml");
    let mut accepted = 0;
    for (seed, name) in (20..).zip(["gemma-3-1b", "deepseek-v3", "zamba2-1.2b"]) {
        let good = model::presets().iter().find(|preset| preset.name == name).unwrap().text;
        accepted += run(seed, good.as_bytes(), |bytes| accepts_model(&path, bytes, folder.path()));
    }
    println!("{accepted} of {} accepted", CASES * 3);
    assert!((CASES / 4..CASES * 2).contains(&accepted), "the mutations are too weak or too strong: {accepted}");
}
