//! One thread, GEMV of a 4096 x 4096 `bitmod-fp4` g128 matrix: the scalar reference beside every level of this host, in
//! one run. Gaussian activations with 1 % outlier channels 40 times larger need four limbs, arbitrary FP16 six.
//!
//! `cargo bench -p bitmosaic-kernels` measures with criterion; `-- ratios` prints a table of interleaved repetitions instead.

use std::hint::black_box;
use std::time::Instant;

use bitmosaic_kernels::{BlockDatapath, FloatDatapath, Level, PackedDigits, PackedWeights, exact};
use bitmosaic_numerics::{QuantizedMatrix, f16, weight_type};
use criterion::{Criterion, Throughput};

#[path = "../tests/common/mod.rs"]
mod common;
use common::{Activations, Random};

const SIZE: usize = 4096;
const GROUP: usize = 128;
const MACHINE: BlockDatapath = BlockDatapath { significand_bits: 14, group: GROUP };
const FLOAT_MACHINE: FloatDatapath = FloatDatapath::BITMOD;

/// One way to compute, on one set of activations.
struct Contender<'a> {
    name: String,
    run: Box<dyn Fn() + 'a>,
}

/// Everything that is compared, the scalar reference of each family first.
fn families<'a>(
    matrix: &'a QuantizedMatrix,
    inputs: &'a [(&'static str, Vec<f16>)],
    packed: &'a [(Level, PackedWeights, PackedDigits)],
) -> Vec<(String, Vec<Contender<'a>>)> {
    let contender = |name: String, run: Box<dyn Fn() + 'a>| Contender { name, run };
    let mut families = Vec::new();
    for (input, activations) in inputs {
        let reference =
            || contender("scalar reference".into(), Box::new(|| drop(black_box(exact(activations, matrix)))));
        let mut outputs = vec![reference()];
        let mut all = vec![reference()];
        let scalar = Box::new(|| drop(black_box(MACHINE.outputs(activations, matrix))));
        let mut datapath = vec![contender("scalar reference".into(), scalar)];
        for (level, weights, _) in packed {
            let name = format!("panels, {level:?}");
            outputs.push(contender(name.clone(), Box::new(|| drop(black_box(weights.outputs(activations))))));
            all.push(contender(name.clone(), Box::new(|| drop(black_box(weights.exact(activations))))));
            let block = Box::new(|| drop(black_box(weights.block_datapath(&MACHINE, activations))));
            datapath.push(contender(name, block));
        }
        families.push((format!("exact outputs, {input}"), outputs));
        families.push((format!("exact with values and magnitudes, {input}"), all));
        families.push((format!("block datapath W 14, {input}"), datapath));
    }
    // Its time does not depend on the activations.
    let (_, activations) = &inputs[0];
    let scalar = Box::new(|| drop(black_box(FLOAT_MACHINE.outputs(activations, matrix))));
    let mut float = vec![contender("scalar reference".into(), scalar)];
    for (level, _, digits) in packed {
        let run = Box::new(|| drop(black_box(digits.outputs(activations))));
        float.push(contender(format!("panels, {level:?}"), run));
    }
    families.push(("float datapath, 4 lanes, 3 + 2 guard bits".to_string(), float));
    families
}

fn gaussian_with_outliers(random: &mut Random) -> Vec<f16> {
    let mut activations: Vec<f32> = (0..SIZE).map(|_| random.normal()).collect();
    for _ in 0..SIZE / 100 {
        activations[random.below(SIZE as u32) as usize] *= 40.0;
    }
    activations.into_iter().map(f16::from_f32).collect()
}

/// The tables of docs/evidence/kernels.md: least times of interleaved repetitions, which a loaded machine disturbs less than
/// it does medians.
fn ratios(families: &[(String, Vec<Contender>)]) {
    const REPETITIONS: usize = 21;
    println!("| | µs | to the reference | to scalar panels |\n| --- | ---: | ---: | ---: |");
    for (family, contenders) in families {
        println!("| **{family}** | | | |");
        let mut times = vec![f64::INFINITY; contenders.len()];
        for _ in 0..REPETITIONS {
            for (contender, least) in contenders.iter().zip(&mut times) {
                #[allow(clippy::disallowed_methods)] // a bench
                let start = Instant::now();
                (contender.run)();
                *least = least.min(start.elapsed().as_secs_f64());
            }
        }
        for (i, (contender, time)) in contenders.iter().zip(&times).enumerate() {
            let panels = if i == 0 { String::new() } else { format!("{:.1}", times[1] / time) };
            println!("| {} | {:.0} | {:.1} | {panels} |", contender.name, time * 1e6, times[0] / time);
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
    let packed: Vec<(Level, PackedWeights, PackedDigits)> = Level::available()
        .into_iter()
        .map(|level| {
            let digits = PackedDigits::new(&FLOAT_MACHINE, &matrix).unwrap().with_level(level);
            (level, PackedWeights::new(&matrix).unwrap().with_level(level), digits)
        })
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
