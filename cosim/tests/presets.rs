//! The embedded designs on every type, group and kind of activations, with and without stalls: simulator = step =
//! netlist, and every output equals the host's datapath.

use bitmosaic_arch::{load, presets};
use bitmosaic_cosim::random::{self, Activation, LayerShape, Random};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, cosimulate, host_outputs, run_engine};
use bitmosaic_mappings::Stalls;
use rayon::prelude::*;

const SETTINGS: [Stalls; 3] = [
    Stalls::NONE,
    Stalls { seed: 5, input_threshold: 200, output_threshold: 0 },
    Stalls { seed: 6, input_threshold: 0, output_threshold: 230 },
];

fn cases() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for preset in presets() {
        let machine = load(preset.name).unwrap();
        for (t, executed) in machine.types.iter().enumerate() {
            let groups = [16, 32, 64, 128, 256].into_iter().filter(|g| *g <= machine.max_group as usize);
            for (g, group) in groups.enumerate() {
                for (a, kind) in Activation::ALL.into_iter().enumerate() {
                    let seed = (t * 100 + g * 10 + a) as u64;
                    // K is no multiple of the group, M and N none of the tile.
                    let shape = LayerShape {
                        tokens: machine.tile.rows as usize + 1,
                        output_channels: machine.tile.columns as usize + 3,
                        input_channels: 2 * group + 5,
                        group,
                    };
                    let layer = random::layer(&mut Random::new(seed), &machine, &executed.weight_type, shape, kind);
                    let name = format!("{} {} g{group} {kind:?}", preset.name, executed.weight_type.name);
                    cases.push((name, Case::new(machine.clone(), vec![layer], SETTINGS[(g + a) % 3], seed).unwrap()));
                }
            }
        }
    }
    cases
}

#[test]
fn presets_agree_on_every_type_group_and_activation() {
    let engines = [Engine::Simulator, Engine::Step, Engine::Netlist];
    let failures: Vec<String> = cases()
        .into_par_iter()
        .filter_map(|(name, case)| {
            let result = cosimulate(&case, &engines, &ExternalSettings::default()).unwrap();
            (result.mismatched_bits + result.mismatched_cycles > 0).then(|| format!("{name}: {result:?}"))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures[0]);
}

#[test]
fn outputs_equal_the_host_datapath() {
    let settings = ExternalSettings::default();
    cases().into_par_iter().for_each(|(name, case)| {
        let run = run_engine(&case, Engine::Simulator, &settings).unwrap();
        let layer = &case.layers[0];
        let outputs = &case.outputs(&run.tile.outputs).unwrap()[0];
        let host = host_outputs(&case.machine, layer).unwrap();
        for (i, (machine, host)) in outputs.iter().zip(&host).enumerate() {
            assert_eq!(machine.to_bits(), host.to_bits(), "{name}: output {i}");
        }
    });
}

#[test]
fn cycles_follow_the_closed_formula() {
    // Without stalls from outside: accept, load, then per group the longer of its terms and its slots (but for the first,
    // whose predecessor is idle), pipeline registers, slots of the last group, output latency.
    for preset in presets() {
        let machine = load(preset.name).unwrap();
        for group in [16, 32, 64, 128] {
            let shape = LayerShape { tokens: 3, output_channels: 11, input_channels: 3 * group, group };
            let executed = &machine.types[0];
            let layer = random::layer(&mut Random::new(1), &machine, &executed.weight_type, shape, Activation::Normal);
            let case = Case::new(machine.clone(), vec![layer], Stalls::NONE, 1).unwrap();
            let run = run_engine(&case, Engine::Step, &ExternalSettings::default()).unwrap();
            let blocks = |size: usize, by: u32| size.div_ceil(by as usize) as u64;
            let passes = blocks(3, machine.tile.rows) * blocks(11, machine.tile.columns);
            let terms = (group as u64 / u64::from(machine.pe.lanes)) * executed.table.terms as u64;
            let slots = u64::from(machine.scale_unit.slots);
            let groups = 3 * passes;
            let captured = 1 + terms + (groups - 1) * terms.max(slots) + u64::from(machine.pe.pipeline_registers);
            let unit = &machine.scale_unit;
            let last = captured + u64::from(unit.dequantize_cycles + unit.pes + unit.output_latency_cycles);
            assert_eq!(run.tile.cycles(), last + 1, "{} g{group}", preset.name);
            let stalled = (groups - 1) * slots.saturating_sub(terms);
            assert_eq!(run.tile.status_cycles, [groups * terms, 0, stalled, 0], "{} g{group}", preset.name);
        }
    }
}
