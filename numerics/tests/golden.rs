//! The published quantizers' hashes on real weights. `golden.csv` names its source. Needs the feature `external-data`
//! and the MiniLM checkpoint: `BITMOSAIC_MINILM=$(scripts/fetch-minilm) cargo test -p bitmosaic-numerics --features
//! external-data`. A missing or different file is a failure, never a skip.

use bitmosaic_numerics::quantize_group_fp32::{Fp32Group, quantize_group_fp32};
use bitmosaic_numerics::second_level::{SecondLevelGroup, second_level_row};
use bitmosaic_numerics::{
    ErrorStatistics, WeightType, error_statistics, f16, quantize_matrix, weight_type, weights_to_fp16,
};
use common::first_level;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

mod common;

const MINILM_SHA256: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

/// One line of `golden.csv`.
struct Golden<'a> {
    tensor: &'a str,
    shape: [usize; 2],
    weights_hash: &'a str,
    group: usize,
    type_name: &'a str,
    weight_type: WeightType,
    scale: &'a str,
    relative_mse: f64,
    dequantized: &'a str,
    codes: &'a str,
    group_scales: &'a str,
    choices: &'a str,
}

impl<'a> Golden<'a> {
    fn parse(line: &'a str) -> Golden<'a> {
        let f: Vec<&str> = line.split(',').collect();
        assert_eq!(f.len(), 12, "golden.csv: {line}");
        Golden {
            tensor: f[0],
            shape: [f[1].parse().unwrap(), f[2].parse().unwrap()],
            weights_hash: f[3],
            group: f[4].parse().unwrap(),
            type_name: f[5],
            weight_type: type_of(f[5]),
            scale: f[6],
            relative_mse: f[7].parse().unwrap(),
            dequantized: f[8],
            codes: f[9],
            group_scales: f[10],
            choices: f[11],
        }
    }

    fn all(scale: &str) -> Vec<Golden<'static>> {
        let lines = include_str!("golden.csv").lines().filter(|l| !l.starts_with('#')).skip(1);
        lines.map(Golden::parse).filter(|g| g.scale == scale).collect()
    }

    fn place(&self) -> String {
        format!("{} g{} {} --scale {}", self.tensor, self.group, self.type_name, self.scale)
    }

    /// Code values in integer units, those above a zero point unsigned; zeros for a group without a choice.
    fn values<'b>(&'b self, codes: &'b [u16], selector: u8) -> impl Iterator<Item = i64> + 'b {
        let special = self.weight_type.special_values()[usize::from(selector)];
        let offset = if self.weight_type.has_zero_point() { 1 << (self.weight_type.code_bits - 1) } else { 0 };
        codes.iter().map(move |c| self.weight_type.value(*c, special).unwrap() + offset)
    }
}

/// A registry type; `:er` and `:ea` after its name leave it the first or last two of its special values. Twice each, since
/// the first of equals wins.
fn type_of(name: &str) -> WeightType {
    let Some((name, family)) = name.split_once(':') else { return weight_type(name).unwrap() };
    let mut weight_type = weight_type(name).unwrap();
    let special = weight_type.special.as_mut().unwrap();
    let [a, b, c, d] = special.values;
    special.values = if family == "er" { [a, b, a, b] } else { [c, d, c, d] };
    weight_type
}

fn checkpoint() -> Vec<u8> {
    let path = std::env::var_os("BITMOSAIC_MINILM")
        .expect("BITMOSAIC_MINILM is not set; it names MiniLM's model.safetensors, see scripts/fetch-minilm");
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("BITMOSAIC_MINILM={}: {e}", path.display()));
    let found: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(found, MINILM_SHA256, "SHA-256 of {}", path.display());
    bytes
}

fn weights(checkpoint: &SafeTensors, golden: &Golden) -> Vec<f16> {
    let tensor = checkpoint.tensor(golden.tensor).unwrap();
    assert_eq!((tensor.shape(), tensor.dtype()), (&golden.shape[..], Dtype::F32), "{}", golden.tensor);
    let (words, _) = tensor.data().as_chunks::<4>();
    let weights = weights_to_fp16(&words.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>());
    assert_eq!(hash(weights.iter().map(|w| w.to_le_bytes())), golden.weights_hash, "{}", golden.tensor);
    weights
}

fn hash<const N: usize>(elements: impl Iterator<Item = [u8; N]>) -> String {
    let bytes: Vec<u8> = elements.flatten().collect();
    Sha256::digest(bytes)[..8].iter().map(|b| format!("{b:02x}")).collect()
}

fn assert_close(found: f64, expected: f64, place: &str) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{place}: relative mean square error {found}, published {expected}");
}

/// Sums of squares: of the errors, of the weights.
fn squares<'a>(weights: &[f16], dequantized: impl Iterator<Item = &'a f16>) -> [f64; 2] {
    let square = |x: f64| x * x;
    let error = dequantized.zip(weights).map(|(d, w)| square(d.to_f64() - w.to_f64())).sum();
    [error, weights.iter().map(|w| square(w.to_f64())).sum()]
}

#[test]
fn first_level_equals_the_published_hashes() {
    let bytes = checkpoint();
    let checkpoint = SafeTensors::deserialize(&bytes).unwrap();
    let all = Golden::all("fp16");
    assert_eq!(all.len(), 18 * 24); // nine matrices, two groups
    for golden in all {
        let place = golden.place();
        let weights = weights(&checkpoint, &golden);
        let groups = first_level(&weights, golden.shape[1], golden.group, &golden.weight_type);
        assert!(groups.iter().all(|g| g.chosen));
        let codes = groups.iter().flat_map(|g| golden.values(&g.codes, g.selector));
        assert_eq!(hash(codes.map(|v| (v as i16).to_le_bytes())), golden.codes, "codes of {place}");
        if golden.choices != "-" {
            assert_eq!(hash(groups.iter().map(|g| [g.selector])), golden.choices, "choices of {place}");
        }
        if golden.group_scales != "-" {
            let scales = groups.iter().map(|g| g.scale.to_le_bytes());
            assert_eq!(hash(scales), golden.group_scales, "scales of {place}");
        }
        let dequantized = || groups.iter().flat_map(|g| &g.dequantized);
        assert_eq!(hash(dequantized().map(|d| d.to_le_bytes())), golden.dequantized, "dequantized weights of {place}");
        let [error, energy] = squares(&weights, dequantized());
        assert_close(error / energy, golden.relative_mse, &place);
    }
}

/// The published second level, and what the executable form's one channel scale per output channel costs against it.
#[test]
fn second_level_equals_the_published_hashes_and_one_channel_scale_costs_nothing() {
    let bytes = checkpoint();
    let checkpoint = SafeTensors::deserialize(&bytes).unwrap();
    let all = Golden::all("int8");
    assert_eq!(all.len(), 18 * 8);
    let mut totals: Vec<((usize, &str), ErrorStatistics, f64)> = Vec::new();
    for golden in &all {
        let place = golden.place();
        let weights = weights(&checkpoint, golden);
        let rows = weights.chunks(golden.shape[1]);
        let groups: Vec<SecondLevelGroup> =
            rows.flat_map(|row| second_level_row(row, golden.group, &golden.weight_type).unwrap()).collect();
        let dequantized = || groups.iter().flat_map(|g| &g.dequantized);
        assert_eq!(hash(dequantized().map(|d| d.to_le_bytes())), golden.dequantized, "dequantized weights of {place}");
        let [error, energy] = squares(&weights, dequantized());
        assert_close(error / energy, golden.relative_mse, &place);

        let matrix = quantize_matrix(&weights, golden.shape, golden.group, &golden.weight_type).unwrap();
        assert!(groups.iter().zip(&matrix.selectors).all(|(g, s)| g.selector == *s), "choices of {place}");
        assert!(groups.iter().flat_map(|g| &g.codes).eq(&matrix.codes), "codes of {place}");
        let statistics = error_statistics(&weights, &matrix).unwrap();
        assert_eq!(statistics.zeroed_groups, 0, "{place}");
        println!(
            "{place}: published {:.7}, one channel scale {:.7} ({:+.3} %)",
            golden.relative_mse,
            statistics.relative_mse(),
            (statistics.relative_mse() / golden.relative_mse - 1.0) * 100.0
        );
        assert!((statistics.relative_mse() / golden.relative_mse - 1.0).abs() < 1e-3, "{place}");
        let key = (golden.group, golden.type_name);
        match totals.iter_mut().find(|(k, ..)| *k == key) {
            Some((_, total, published)) => {
                *total = total.merge(&statistics);
                *published += error;
            }
            None => totals.push((key, statistics, error)),
        }
    }
    for ((group, name), total, published) in totals {
        println!(
            "{name} g{group}: published {:.7}, one channel scale {:.7}, special values {:?}",
            published / total.squared_weight,
            total.relative_mse(),
            total.special_values
        );
    }
}

/// RaZeR's quantizer computes in binary32.
#[test]
fn binary32_quantizer_equals_the_published_hashes() {
    let bytes = checkpoint();
    let checkpoint = SafeTensors::deserialize(&bytes).unwrap();
    let all = Golden::all("fp32");
    assert_eq!(all.len(), 18 * 2);
    for golden in all {
        let place = golden.place();
        let weights = weights(&checkpoint, &golden);
        let groups: Vec<Fp32Group> = weights
            .chunks(golden.shape[1])
            .flat_map(|row| row.chunks(golden.group))
            .map(|group| quantize_group_fp32(group, &golden.weight_type).unwrap())
            .collect();
        let codes = groups.iter().flat_map(|g| golden.values(&g.codes, g.selector));
        assert_eq!(hash(codes.map(|v| (v as i16).to_le_bytes())), golden.codes, "codes of {place}");
        if golden.choices != "-" {
            assert_eq!(hash(groups.iter().map(|g| [g.selector])), golden.choices, "choices of {place}");
        }
        let dequantized = groups.iter().flat_map(|g| &g.dequantized).map(|d| d.to_le_bytes());
        assert_eq!(hash(dequantized), golden.dequantized, "dequantized weights of {place}");
    }
}

/// The block formats: MXFP4 whole, of NVFP4 the codes (the published weights need a binary32 tensor scale; here it is FP16).
#[test]
fn block_formats_equal_the_published_hashes() {
    let bytes = checkpoint();
    let checkpoint = SafeTensors::deserialize(&bytes).unwrap();
    let all = Golden::all("block");
    assert_eq!(all.len(), 18 * 2);
    for golden in all {
        let place = golden.place();
        let weights = weights(&checkpoint, &golden);
        let matrix = quantize_matrix(&weights, golden.shape, golden.group, &golden.weight_type).unwrap();
        let codes = golden.values(&matrix.codes, 0);
        assert_eq!(hash(codes.map(|v| (v as i16).to_le_bytes())), golden.codes, "codes of {place}");
        let relative_mse = error_statistics(&weights, &matrix).unwrap().relative_mse();
        println!("{place}: published {:.7}, here {relative_mse:.7}", golden.relative_mse);
        if golden.dequantized == "-" {
            // The FP16 tensor scale costs up to 0.12 %.
            assert!((relative_mse / golden.relative_mse - 1.0).abs() < 2e-3, "{place}");
            continue;
        }
        assert_close(relative_mse, golden.relative_mse, &place);
        let dequantized = (0..golden.shape[0] * golden.shape[1]).map(|i| {
            let (row, column) = (i / golden.shape[1], i % golden.shape[1]);
            let code = matrix.scales[row * matrix.groups() + column / golden.group];
            let scale = matrix.scale_kind.value(code) / f64::from(1 << golden.weight_type.fraction_bits);
            // The published code keeps the sign of what rounds to zero.
            let magnitude = f16::from_f32((matrix.value(row, column) as f64 * scale).abs() as f32);
            let signed = if weights[i] < f16::ZERO { -magnitude } else { magnitude };
            signed.to_le_bytes()
        });
        assert_eq!(hash(dequantized), golden.dequantized, "dequantized weights of {place}");
    }
}
