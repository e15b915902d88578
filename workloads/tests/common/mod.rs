//! What the tests of traces share.

use std::fs;
use std::path::Path;

use bitmosaic_numerics::{QuantizedMatrix, ScaleKind, WeightType, f16};
use bitmosaic_workloads::generate::{LayerParameters, generate};
use bitmosaic_workloads::trace::{DATA_FILE, INDEX_FILE, LayerTrace};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A layer named `first` of random codes of the type, two tokens.
pub fn layer(t: &WeightType, output_channels: usize, input_channels: usize, group: usize, seed: u64) -> LayerTrace {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let codes: Vec<u16> = t.codebook(Some(0)).into_iter().map(|(_, code)| code).collect();
    let mut code = || codes[rng.next_u32() as usize % codes.len()];
    let mut codes: Vec<u16> = (0..output_channels * input_channels).map(|_| code()).collect();
    // Every other pair an outlier and its victim.
    if let (Some(victim), Some((_, outlier))) = (t.victim_code(), t.outliers().pop()) {
        let groups = codes.chunks_mut(input_channels).flat_map(|row| row.chunks_mut(group));
        groups
            .flat_map(|group| group.chunks_exact_mut(2))
            .step_by(2)
            .for_each(|p| p.copy_from_slice(&[victim, outlier]));
    }
    let groups = output_channels * input_channels.div_ceil(group);
    let scale_kind = if seed % 3 == 2 { ScaleKind::Fp16 } else { t.scale_kind() };
    let scales: Vec<u16> = (0..=u16::MAX).filter(|code| scale_kind.decode(*code).is_some()).collect();
    let parameters = LayerParameters { input_channels, tokens: 2, seed, ..Default::default() };
    LayerTrace {
        name: "first".into(),
        weights: QuantizedMatrix {
            weight_type: t.clone(),
            output_channels,
            input_channels,
            group,
            codes,
            selectors: (0..groups).map(|_| if t.special.is_some() { rng.next_u32() as u8 % 4 } else { 0 }).collect(),
            zero_points: (0..if t.has_zero_point() { groups } else { 0 })
                .map(|_| (rng.next_u32() % (1 << t.code_bits)) as i32 - (1 << (t.code_bits - 1)))
                .map(|z| z as i8)
                .collect(),
            scale_kind,
            scales: (0..groups).map(|_| scales[rng.next_u32() as usize % scales.len()]).collect(),
            channel_scales: (0..output_channels).map(|_| f16::from_bits(rng.next_u32() as u16 % 0x7C00)).collect(),
            special_values: t.special_values(),
        },
        activations: generate(&parameters).unwrap().activations,
    }
}

/// Writes the hash of the tensor file as it is now into the index.
pub fn reseal(dir: &Path) {
    let hash: String =
        Sha256::digest(fs::read(dir.join(DATA_FILE)).unwrap()).iter().map(|b| format!("{b:02x}")).collect();
    let path = dir.join(INDEX_FILE);
    let lines = fs::read_to_string(&path).unwrap();
    let lines = lines.lines().enumerate().map(|(number, line)| {
        let mut fields: Vec<&str> = line.split(',').collect();
        if number > 0 {
            fields[9] = &hash;
        }
        fields.join(",") + "\n"
    });
    fs::write(path, lines.collect::<String>()).unwrap();
}
