//! The published model against its published results: every cycle total, every rounded energy.

use bitmosaic_arch::Technology;
use bitmosaic_sim::hpca25::published::{DECODE, DECODE_UJ, GENERATED, PREFILL, PREFILL_UJ, RATIOS};
use bitmosaic_sim::hpca25::{MACHINES, MODELS, PublishedRun, run};
use bitmosaic_workloads::model::load;

fn published(machine: usize, model: usize, prefill: bool) -> PublishedRun {
    let technology = Technology::hpca25_28nm().unwrap();
    run(&MACHINES[machine], &load(MODELS[model]).unwrap(), prefill, 256, &technology).unwrap()
}

/// Machine, model and phase with what they give, where that is not what was published.
fn differing<T: PartialEq + std::fmt::Debug>(
    totals: [(bool, [[T; 6]; 5]); 2],
    of: impl Fn(PublishedRun) -> T,
) -> Vec<String> {
    let mut differing = Vec::new();
    for (prefill, totals) in totals {
        for (machine, totals) in totals.iter().enumerate() {
            for (model, total) in totals.iter().enumerate() {
                let own = of(published(machine, model, prefill));
                if own != *total {
                    let (machine, model) = (MACHINES[machine].name, MODELS[model]);
                    differing.push(format!("{machine} {model}, prefill {prefill}: {own:?}, published {total:?}"));
                }
            }
        }
    }
    differing
}

#[test]
fn sixty_cycle_totals_are_the_published_ones() {
    let differing = differing([(true, PREFILL), (false, DECODE)], |run| run.cycles());
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn energies_are_the_published_ones_to_the_microjoule() {
    let micro = |picojoules: f64| (picojoules / 1e6).round_ties_even() as u64;
    let of = |run: PublishedRun| [run.energy().on_chip(), run.energy().total()].map(micro);
    let differing = differing([(true, PREFILL_UJ), (false, DECODE_UJ)], of);
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn parts_of_the_energy_of_llama_2_7b_are_the_published_ones() {
    let parts = |machine, prefill| {
        let energy = published(machine, 3, prefill).energy();
        [energy.compute, energy.sram_read, energy.sram_write, energy.dram].map(|pj| (pj / 1e6).round_ties_even() as u64)
    };
    assert_eq!(parts(0, true), [2353197, 465909, 109576, 12582538]);
    assert_eq!(parts(4, true), [833057, 111975, 36837, 4406501]);
    assert_eq!(parts(0, false), [91930, 21248, 16140, 1984300]);
    assert_eq!(parts(4, false), [44516, 4802, 3313, 381567]);
}

#[test]
fn ratios_of_the_figures_are_the_published_ones() {
    let of = |machine, model, prefill| {
        let run = published(machine, model, prefill);
        [run.cycles() as f64, run.energy().total()]
    };
    for (name, time, energy) in RATIOS {
        let machine = MACHINES.iter().position(|machine| machine.name == name).unwrap();
        for (quantity, printed) in [time, energy].into_iter().enumerate() {
            let mut means = [0.0; 2];
            for model in 0..MODELS.len() {
                let spent = |machine| [of(machine, model, true)[quantity], of(machine, model, false)[quantity]];
                let ([own_prefill, own_decode], [prefill, decode]) = (spent(machine), spent(0));
                let tokens = GENERATED as f64;
                let both = [(own_prefill, prefill), (own_prefill + tokens * own_decode, prefill + tokens * decode)];
                for (mean, (own, fp16)) in means.iter_mut().zip(both) {
                    *mean += if quantity == 0 { fp16 / own } else { own / fp16 } / MODELS.len() as f64;
                }
            }
            // Speedups are averaged as such; energies relative to FP16, and the mean is turned over.
            let means = if quantity == 0 { means } else { means.map(|mean| 1.0 / mean) };
            for (own, printed) in means.into_iter().zip(printed) {
                // Times were printed with four decimals, energies with three.
                let unit = if quantity == 0 { 1e-4 } else { 1e-3 };
                assert!((own - printed).abs() <= 0.51 * unit, "{name}: {own}, printed {printed}");
            }
        }
    }
}

/// The model again in whole numbers, from its description: no code, no floating point shared with the engine.
fn again(machine: usize, model: usize, prefill: bool, context: u128) -> u128 {
    let (rows, columns, dot) = [
        [(32, 24, 1), (64, 12, 1)],
        [(32, 32, 1), (64, 16, 1)],
        [(36, 32, 1), (72, 16, 1)],
        [(32, 32, 4), (64, 16, 4)],
        [(32, 32, 4), (64, 16, 4)],
    ][machine][usize::from(!prefill)];
    // Sixteenths of a bit.
    let sixteenths: u128 = match (machine, prefill) {
        (0, _) => 256,
        (1, true) => 88,
        (1, false) => [80, 80, 84, 80, 80, 72][model],
        (2, true) => 72,
        (2, false) => [62, 64, 68, 60, 60, 56][model],
        (3, _) => 97,
        (4, true) => 65,
        (4, false) => 49,
        _ => unreachable!(),
    };
    let latency = if machine < 3 { 1 } else { (sixteenths / 16).div_ceil(2) };
    // Layers, hidden, intermediate, heads, key-value heads, vocabulary, matrices between hidden and intermediate.
    let (layers, h, f, a, kv, v, networks): (u128, u128, u128, u128, u128, u128, u128) = [
        (24, 2048, 8192, 32, 32, 50272, 2),
        (32, 2560, 10240, 32, 32, 51200, 2),
        (32, 4096, 11008, 32, 4, 64000, 3),
        (32, 4096, 11008, 32, 32, 32000, 3),
        (40, 5120, 13824, 40, 40, 32000, 3),
        (32, 4096, 14336, 32, 8, 128256, 3),
    ][model];
    let layer = |cin: u128, cout: u128, sixteenths: u128, input: u128, n: u128| {
        let weights = (cin * sixteenths).div_ceil(128) * cout;
        let (inputs, outputs) = (2 * input * n, 2 * cout * n);
        let buffer = 524_288;
        let moved = if weights > buffer && inputs > buffer {
            (inputs.div_ceil(buffer) * weights + inputs).min(weights.div_ceil(buffer) * inputs + weights)
        } else {
            weights + inputs
        } + outputs;
        (cin.div_ceil(dot) * cout.div_ceil(rows) * n.div_ceil(columns) * latency).max(moved / 32)
    };
    let n = if prefill { context } else { 1 };
    let linear = |cin, cout| layer(cin, cout, sixteenths, cin, n);
    let group = h * kv / a;
    let (scores, values) = match prefill {
        true => (layer(h, n, 256, group, a * n), layer(n, a * n, 256, group, n)),
        false => (layer(h, 1, 256, group, a), layer(context, a, 256, group, 1)),
    };
    let network = (networks - 1) * linear(h, f) + linear(f, h);
    layers * (2 * linear(h, h) + 2 * linear(h, group) + network + scores + values) + linear(h, v)
}

#[test]
fn other_contexts_follow_the_same_formulas() {
    let technology = Technology::hpca25_28nm().unwrap();
    for (number, machine) in MACHINES.iter().enumerate() {
        for (position, name) in MODELS.iter().enumerate() {
            let model = load(name).unwrap();
            for context in [1, 7, 100, 256, 257, 1000, 4096] {
                for prefill in [true, false] {
                    let own = run(machine, &model, prefill, context, &technology).unwrap().cycles();
                    let again = again(number, position, prefill, context.into());
                    assert_eq!(u128::from(own), again, "{} {name} {context} {prefill}", machine.name);
                }
            }
        }
    }
}

#[test]
fn other_models_are_refused() {
    let technology = Technology::hpca25_28nm().unwrap();
    let mut model = load("llama-2-7b").unwrap();
    model.name = "mine".into();
    let error = run(&MACHINES[0], &model, true, 256, &technology).unwrap_err().to_string();
    assert!(error.contains("mine") && error.contains("llama-2-7b"), "{error}");
}
