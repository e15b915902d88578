//! A difference can be written to a file and shown again from it; broken files are refused.

use std::path::Path;

use bitmosaic_arch::{load_spec, parse, presets};
use bitmosaic_cosim::faults::{FAULTS, mutant_of, plant};
use bitmosaic_cosim::random::{self, Activation, LayerShape, Random};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, Replay, cosimulate};
use bitmosaic_mappings::Stalls;

fn small_case() -> (bitmosaic_arch::DesignSpec, Case) {
    case_of("mosaic-tiny")
}

fn case_of(design: &str) -> (bitmosaic_arch::DesignSpec, Case) {
    let (spec, machine) = load_spec(design).unwrap();
    let shape = LayerShape { tokens: 3, output_channels: 3, input_channels: 40, group: 16 };
    let layer = random::layer(&mut Random::new(4), &machine, &machine.types[0].weight_type, shape, Activation::Any);
    let stalls = Stalls { seed: 8, input_threshold: 77, output_threshold: 99 };
    (spec, Case::new(machine, vec![layer], stalls, 5).unwrap())
}

#[test]
fn a_difference_is_shown_again_from_its_file() {
    let (spec, mut case) = small_case();
    let fault = &FAULTS[0];
    let mutant = mutant_of(&case.units, fault).unwrap();
    plant(&mut case.units, &mutant).unwrap();
    let settings = ExternalSettings::default();
    let first = cosimulate(&case, &[Engine::Netlist], &settings).unwrap();
    assert!(first.mismatched_bits > 0 && !first.localization.is_empty());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replay.json");
    Replay::new(&case, &spec, &[Engine::Netlist], Some(fault.name)).write(&path).unwrap();
    let replay = Replay::read(&path).unwrap();
    assert_eq!(replay.fault.as_deref(), Some(fault.name));
    let mut again = replay.case().unwrap();
    assert!(again.lowered == case.lowered); // bits, so that NaN compares too
    let sound = cosimulate(&again, &[Engine::Netlist], &settings).unwrap();
    assert_eq!(sound.mismatched_bits + sound.mismatched_cycles, 0);
    plant(&mut again.units, &mutant).unwrap();
    assert_eq!(cosimulate(&again, &[Engine::Netlist], &settings).unwrap(), first);
}

#[test]
fn codes_of_sixteen_bits_come_back_from_a_file() {
    let (spec, case) = case_of("fp16-tile");
    assert!(case.layers[0].weights.codes.iter().any(|code| code >> 8 != 0));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replay.json");
    Replay::new(&case, &spec, &[Engine::Netlist], None).write(&path).unwrap();
    let again = Replay::read(&path).unwrap().case().unwrap();
    assert!(again.lowered == case.lowered);
}

/// Mutates bytes of `text` by seed and hands every result to `read`, which must not panic.
fn mutate(text: &[u8], rounds: usize, read: &mut dyn FnMut(&[u8])) {
    let mut random = Random::new(1);
    for _ in 0..rounds {
        let mut bytes = text.to_vec();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.bits() as u8,
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, random.pick(b"0123456789\"[]{}=-.,\n\xFF")),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                bytes.push(b' ');
            }
        }
        read(&bytes);
    }
}

#[test]
fn mutated_replay_files_never_panic() {
    let (spec, case) = small_case();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replay.json");
    Replay::new(&case, &spec, &[Engine::Netlist], None).write(&path).unwrap();
    let text = std::fs::read(&path).unwrap();
    let broken = folder.path().join("broken.json");
    let (mut read, mut refused) = (0, 0);
    mutate(&text, 1500, &mut |bytes| {
        std::fs::write(&broken, bytes).unwrap();
        match Replay::read(Path::new(&broken)).and_then(|replay| replay.case()) {
            Ok(_) => read += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    });
    assert!(read > 10 && refused > 500, "{read} {refused}");
}

#[test]
fn mutated_designs_never_panic() {
    let (mut elaborated, mut refused) = (0, 0);
    for preset in presets() {
        mutate(preset.text.as_bytes(), 2000, &mut |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let machine = parse(&text, "mutated").and_then(|spec| bitmosaic_arch::elaborate(&spec, "mutated"));
            match machine {
                Ok(_) => elaborated += 1,
                Err(error) => {
                    assert!(error.to_string().contains("mutated"));
                    refused += 1;
                }
            }
        });
    }
    assert!(elaborated > 100 && refused > 100, "{elaborated} {refused}");
}
