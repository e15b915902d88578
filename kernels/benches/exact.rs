//! One thread, GEMV of a 4096 x 4096 `bitmod-fp4` g128 matrix: the scalar reference beside every level of this host, in
//! one run. Gaussian activations with 1 % outlier channels 40 times larger need four limbs, arbitrary FP16 six.
//!
//! `cargo bench -p bitmosaic-kernels` measures with criterion; `-- ratios` prints a table of medians of interleaved
//! repetitions instead, which a loaded machine disturbs less.

use std::hint::black_box;
use std::time::Instant;

use bitmosaic_kernels::{BlockDatapath, Level, PackedWeights, exact};
use bitmosaic_numerics::{QuantizedMatrix, f16, weight_type};
use criterion::{Criterion, Throughput};

#[path = "../tests/common/mod.rs"]
mod common;
use common::{Activations, Random};

const SIZE: usize = 4096;
const GROUP: usize = 128;
const MACHINE: BlockDatapath = BlockDatapath { significand_bits: 14, group: GROUP };

/// One way to compute, on one set of activations.
struct Contender<'a> {
    name: String,
    run: Box<dyn Fn() + 'a>,
}

/// Everything that is compared, the scalar reference of each family first.
fn families<'a>(
    matrix: &'a QuantizedMatrix,
    inputs: &'a [(&'static str, Vec<f16>)],
    packed: &'a [(Level, PackedWeights)],
) -> Vec<(String, Vec<Contender<'a>>)> {
    let contender = |name: String, run: Box<dyn Fn() + 'a>| Contender { name, run };
    let mut families = Vec::new();
    for (input, activations) in inputs {
        let reference = || contender("reference".into(), Box::new(|| drop(black_box(exact(activations, matrix)))));
        let mut outputs = vec![reference()];
        let mut all = vec![reference()];
        let scalar = Box::new(|| drop(black_box(MACHINE.outputs(activations, matrix))));
        let mut datapath = vec![contender("reference".into(), scalar)];
        for (level, weights) in packed {
            let name = format!("{level:?}");
            outputs.push(contender(name.clone(), Box::new(|| drop(black_box(weights.outputs(activations))))));
            all.push(contender(name.clone(), Box::new(|| drop(black_box(weights.exact(activations))))));
            datapath.push(contender(name, Box::new(|| drop(black_box(weights.block_datapath(&MACHINE, activations))))));
        }
        families.push((format!("exact outputs, {input}"), outputs));
        families.push((format!("exact with values and magnitudes, {input}"), all));
        families.push((format!("block datapath W 14, {input}"), datapath));
    }
    families
}

fn gaussian_with_outliers(random: &mut Random) -> Vec<f16> {
    let mut activations: Vec<f32> = (0..SIZE).map(|_| random.normal()).collect();
    for _ in 0..SIZE / 100 {
        activations[random.below(SIZE as u32) as usize] *= 40.0;
    }
    activations.into_iter().map(f16::from_f32).collect()
}

fn ratios(families: &[(String, Vec<Contender>)]) {
    const REPETITIONS: usize = 21;
    for (family, contenders) in families {
        println!("{family}");
        let mut times = vec![Vec::new(); contenders.len()];
        for _ in 0..REPETITIONS {
            for (contender, times) in contenders.iter().zip(&mut times) {
                #[allow(clippy::disallowed_methods)] // a bench
                let start = Instant::now();
                (contender.run)();
                times.push(start.elapsed().as_secs_f64());
            }
        }
        let median = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            (times[times.len() / 2], times[0])
        };
        let medians: Vec<(f64, f64)> = times.iter_mut().map(median).collect();
        for (contender, (median, least)) in contenders.iter().zip(&medians) {
            let (us, ratio) = (median * 1e6, medians[0].0 / median);
            println!("  {:10} {us:9.0} us (least {:7.0})  {ratio:6.1} x", contender.name, least * 1e6);
        }
    }
}

fn main() {
    let mut random = Random::new(1);
    let matrix = random.quantized_matrix(&weight_type("bitmod-fp4").unwrap(), [SIZE, SIZE], GROUP);
    let inputs = [
        ("4 limbs", gaussian_with_outliers(&mut random)),
        ("6 limbs", random.activations(Activations::AnyFinite, 1, SIZE)),
    ];
    let packed: Vec<(Level, PackedWeights)> = Level::available()
        .into_iter()
        .map(|level| (level, PackedWeights::new(&matrix).unwrap().with_level(level)))
        .collect();
    for (input, activations) in &inputs {
        assert_eq!(format!("{} limbs", packed[0].1.limbs(activations).unwrap()[0]), *input);
    }
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one_thread.install(|| {
        let families = families(&matrix, &inputs, &packed);
        if std::env::args().any(|argument| argument == "ratios") {
            ratios(&families);
            return;
        }
        let mut criterion = Criterion::default().sample_size(10).configure_from_args();
        for (family, contenders) in &families {
            let mut group = criterion.benchmark_group(family.as_str());
            group.throughput(Throughput::Elements((SIZE * SIZE) as u64));
            for contender in contenders {
                group.bench_function(&contender.name, |b| b.iter(|| (contender.run)()));
            }
            group.finish();
        }
        criterion.final_summary();
    });
}
