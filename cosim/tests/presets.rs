//! The embedded designs on every type, group and kind of activations, with and without stalls: simulator = step =
//! netlist, and every output equals the host's datapath.

use std::collections::BTreeSet;

use bitmosaic_arch::{Digits, Machine, PeKind, elaborate, load, load_spec, presets};
use bitmosaic_cosim::random::{self, Activation, LayerShape, Random};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, cosimulate, host_outputs, run_engine};
use bitmosaic_mappings::{Latency, Stalls, TileWalk};
use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::hardware::build;
use rayon::prelude::*;

const SETTINGS: [Stalls; 3] = [
    Stalls::NONE,
    Stalls { seed: 5, input_threshold: 200, output_threshold: 0 },
    Stalls { seed: 6, input_threshold: 0, output_threshold: 230 },
];

/// The presets whose tile and aligner no preset before them has: `mosaic` is made of `mosaic-tile` and so on. But for memories of
/// accumulators and the width of the aligner, which `cosim/tests/random_arrays.rs` and `faults.rs` have.
fn machines() -> Vec<Machine> {
    let mut seen = BTreeSet::new();
    let all = presets().iter().map(|preset| load(preset.name).unwrap());
    all.filter(|machine| {
        let mut spec = load_spec(&machine.name).unwrap().0;
        spec.buffers.iter_mut().for_each(|buffers| (buffers.accumulator_blocks, buffers.chunks_per_entry) = (1, 1));
        let units = build(&elaborate(&spec, "test").unwrap()).unwrap();
        // But for the design in the first line.
        let texts = units
            .designs()
            .flat_map(verilog_files)
            .map(|(_, text)| text.replace(&format!("design {}", machine.name), ""));
        seen.insert(texts.collect::<Vec<_>>())
    })
    .collect()
}

fn cases() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for machine in machines() {
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
                    let name = format!("{} {} g{group} {kind:?}", machine.name, executed.weight_type.name);
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
    // Without stalls from outside; whole and ragged groups, tiles and columns.
    for machine in machines() {
        for group in [16, 32, 64, 128].into_iter().filter(|group| *group <= machine.max_group as usize) {
            for (i, input_channels) in [3 * group, 2 * group + 9, 7].into_iter().enumerate() {
                let shape = LayerShape { tokens: 3, output_channels: 11, input_channels, group };
                let executed = &machine.types[i % machine.types.len()];
                let layer =
                    random::layer(&mut Random::new(1), &machine, &executed.weight_type, shape, Activation::Normal);
                let case = Case::new(machine.clone(), vec![layer], Stalls::NONE, 1).unwrap();
                let run = run_engine(&case, Engine::Step, &ExternalSettings::default()).unwrap();
                let matmul = case.lowered.program.matmuls().next().unwrap();
                let name = format!("{} g{group} K{input_channels}", machine.name);
                assert_eq!(run.tile.cycles(), Latency::new(&machine, matmul).cycles(), "{name}");
                let walk = TileWalk::new(&machine, matmul);
                let compute = walk.pass_count() as u64 * walk.chunks() as u64 * u64::from(matmul.terms);
                assert_eq!(run.tile.status_cycles[0], compute, "{name}");
                let [operand, scale_unit, output] = [1, 2, 3].map(|i| run.tile.status_cycles[i]);
                assert_eq!([operand, output], [0, 0], "{name}");
                // All groups alike: each but the first waits where its steps are fewer than the slots.
                if input_channels == 3 * group {
                    let steps = compute / (3 * walk.pass_count() as u64);
                    let stalled =
                        (3 * walk.pass_count() as u64 - 1) * u64::from(machine.scale_unit.slots).saturating_sub(steps);
                    assert_eq!(scale_unit, stalled, "{name}");
                }
            }
        }
    }
}

/// Whole weights and digits have the same group sums: the same outputs, the fewer terms the fewer cycles.
#[test]
fn bit_parallel_machines_give_the_outputs_of_bit_serial_ones() {
    let settings = ExternalSettings::default();
    for design in ["figna-int8-tile", "figna-mixed-tile", "ant-tile", "olive-tile"] {
        let parallel = load(design).unwrap();
        let mut spec = load_spec(design).unwrap().0;
        spec.processing_element.kind = PeKind::BitSerialBlock;
        spec.processing_element.digits = Digits::Radix4;
        let serial = elaborate(&spec, "test").unwrap();
        assert_eq!(serial.pe.accumulator_bits, parallel.pe.accumulator_bits);
        for (executed, in_series) in parallel.types.iter().zip(&serial.types) {
            for kind in Activation::ALL {
                let shape = LayerShape { tokens: 5, output_channels: 6, input_channels: 300, group: 128 };
                let layer = random::layer(&mut Random::new(1), &parallel, &executed.weight_type, shape, kind);
                let [(outputs, cycles), (serial_outputs, serial_cycles)] = [&parallel, &serial].map(|machine| {
                    let case = Case::new(machine.clone(), vec![layer.clone()], Stalls::NONE, 1).unwrap();
                    let run = run_engine(&case, Engine::Netlist, &settings).unwrap();
                    let outputs = case.outputs(&run.tile.outputs).unwrap().remove(0);
                    let bits: Vec<u16> = outputs.iter().map(|output| output.to_bits()).collect();
                    (bits, run.tile.cycles())
                });
                let place = format!("{design} {} {kind:?}", executed.weight_type.name);
                assert_eq!(outputs, serial_outputs, "{place}");
                assert!(executed.table.terms < in_series.table.terms && cycles < serial_cycles, "{place}");
            }
        }
    }
}

#[test]
fn the_full_machines_are_made_of_the_default_tiles() {
    let names: Vec<String> = machines().into_iter().map(|machine| machine.name).collect();
    let tiles =
        ["mosaic-tile", "bitmod-tile", "figna-int8-tile", "figna-mixed-tile", "fp16-tile", "ant-tile", "olive-tile"];
    assert!(tiles.iter().all(|tile| names.iter().any(|name| name == tile)), "{names:?}");
    assert!(
        ["mosaic", "bitmod", "figna-int8", "figna-mixed", "fp16", "ant", "olive"]
            .iter()
            .all(|full| names.iter().all(|name| name != full)),
        "{names:?}"
    );
}
