//! The exported Verilog in Icarus and Verilator against the simulator.

use bitmosaic_arch::{Machine, load, presets};
use bitmosaic_cosim::random::{self, Activation, LayerShape, Random};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, cosimulate};
use bitmosaic_mappings::Stalls;

fn agree(name: &str, case: &Case, engines: &[Engine]) {
    let result = cosimulate(case, engines, &ExternalSettings::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0, "{name}: {result:?}");
    assert!(result.outputs > 0);
    for engine in engines {
        let cycles = match engine {
            Engine::Icarus => result.cycles.icarus,
            _ => result.cycles.verilator,
        };
        assert_eq!(cycles, result.cycles.simulator, "{name}");
    }
}

/// One program with every type, group and kind of activations.
fn everything(machine: &Machine, tokens: usize, output_channels: usize, stalls: Stalls) -> Case {
    let mut layers = Vec::new();
    for (t, executed) in machine.types.iter().enumerate() {
        for (g, group) in [16, 32, 64, 128].into_iter().enumerate() {
            for kind in Activation::ALL {
                let shape = LayerShape { tokens, output_channels, input_channels: group + 21, group };
                let mut random = Random::new((10 * t + g) as u64);
                layers.push(random::layer(&mut random, &executed.weight_type, shape, kind));
            }
        }
    }
    Case::new(machine.clone(), layers, stalls, 11).unwrap()
}

const STALLED: Stalls = Stalls { seed: 9, input_threshold: 120, output_threshold: 150 };

#[test]
fn presets_agree_with_verilator() {
    for preset in presets() {
        let machine = load(preset.name).unwrap();
        for stalls in [Stalls::NONE, STALLED] {
            let case = everything(&machine, machine.tile.rows as usize + 1, machine.tile.columns as usize + 2, stalls);
            agree(preset.name, &case, &[Engine::Verilator]);
        }
    }
}

#[test]
fn presets_agree_with_icarus_and_no_unknown_bit_gets_out() {
    for preset in presets() {
        let machine = load(preset.name).unwrap();
        for stalls in [Stalls::NONE, STALLED] {
            let case = everything(&machine, machine.tile.rows as usize, machine.tile.columns as usize, stalls);
            agree(preset.name, &case, &[Engine::Icarus]);
        }
    }
}

#[test]
fn random_machines_agree_with_both() {
    for seed in 1000..1004 {
        let mut random = Random::new(seed);
        let machine = random::machine(&mut random, 16).unwrap();
        let layers = random::program(&mut random, &machine);
        let case = Case::new(machine, layers, random::stalls(&mut random), seed).unwrap();
        agree(&format!("seed {seed}"), &case, &[Engine::Verilator, Engine::Icarus]);
    }
}

#[test]
fn verilator_gives_the_same_with_any_power_up_state() {
    let machine = load("mosaic-tiny").unwrap();
    let case = everything(&machine, 3, 3, STALLED);
    for state_seed in [1, 2, 3] {
        agree("mosaic-tiny", &Case { state_seed, ..case.clone() }, &[Engine::Verilator]);
    }
}
