//! The exported Verilog in Icarus and Verilator against the simulator.

use bitmosaic_arch::{Machine, load, presets};
use bitmosaic_cosim::random::{self, Random};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, STALL_SETTINGS, cosimulate, standard_case};

/// Icarus is slow: a part of a design's program, a layer of every type, spread over groups and kinds of activations.
fn slice(case: &Case) -> Case {
    let wanted = case.machine.types.len().max(6).min(case.layers.len());
    let stride = case.layers.len() / wanted;
    let layers = (0..wanted).map(|i| case.layers[i * stride + i * 7 % stride].clone()).collect();
    Case::new(case.machine.clone(), layers, case.stalls, case.state_seed).unwrap()
}

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

/// Designs that are a tile alone; the tiles of the others run in `array_verilog.rs`.
fn tiles() -> impl Iterator<Item = Machine> {
    presets().iter().map(|preset| load(preset.name).unwrap()).filter(|machine| machine.array.is_none())
}

#[test]
fn presets_agree_with_verilator() {
    for machine in tiles() {
        for (name, stalls) in STALL_SETTINGS {
            let case = standard_case(&machine, 1, stalls).unwrap();
            agree(&format!("{}, {name}", machine.name), &case, &[Engine::Verilator]);
        }
    }
}

#[test]
fn presets_agree_with_icarus_and_no_unknown_bit_gets_out() {
    for machine in tiles() {
        for (name, stalls) in [STALL_SETTINGS[0], STALL_SETTINGS[3]] {
            let case = slice(&standard_case(&machine, 2, stalls).unwrap());
            agree(&format!("{}, {name}", machine.name), &case, &[Engine::Icarus]);
        }
    }
}

#[test]
fn random_machines_agree_with_both() {
    for seed in 1000..1012 {
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
    let case = standard_case(&machine, 3, STALL_SETTINGS[3].1).unwrap();
    for state_seed in [1, 2, 3] {
        agree("mosaic-tiny", &Case { state_seed, ..case.clone() }, &[Engine::Verilator]);
    }
}
