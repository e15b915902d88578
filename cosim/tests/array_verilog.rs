//! Whole machines in Verilator and Icarus Verilog. Icarus is slow: small machines and short programs.

#[path = "common/array_cases.rs"]
mod array_cases;

use array_cases::{SLOW, failing_cases, hard_case, tiny_case, tiny_design};
use bitmosaic_arch::elaborate;
use bitmosaic_cosim::array::{
    ArrayCase, cosimulate_array, first_difference, random_case, run_array_engine, standard_array_cases,
};
use bitmosaic_cosim::{Engine, ExternalSettings};

/// Both Verilog simulators agree with the simulator.
fn agree(name: &str, case: &ArrayCase, engines: &[Engine]) {
    let result =
        cosimulate_array(case, engines, &ExternalSettings::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
    println!("{name}: {:?}", result.cycles);
    assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0, "{name}: {result:?}");
    assert!(result.outputs > 0);
}

#[test]
fn small_machines_agree_with_verilog() {
    for name in ["mosaic-small", "bitmod-small", "figna-small", "fp16-small", "ant-small"] {
        let machine = bitmosaic_arch::load(name).unwrap();
        for (memory, mut case) in standard_array_cases(&machine, 1).unwrap() {
            agree(&format!("{name}, {memory}"), &case, &[Engine::Verilator]);
            // A layer of the gated memory stands for all in Icarus.
            if memory == "gated memory" {
                case = ArrayCase::new(machine.clone(), case.layers[..1].to_vec(), case.timing, 2).unwrap();
                agree(&format!("{name}, {memory}, a layer"), &case, &[Engine::Icarus]);
            }
        }
    }
}

/// Random machines of every kind with memory ports of 16 to 256 bits and up to eight tiles, whose programs are short.
const SEEDS: [u64; 8] = [8, 92, 104, 106, 111, 124, 209, 274];

#[test]
fn random_machines_agree_with_verilog() {
    for seed in SEEDS {
        agree(&format!("seed {seed}"), &random_case(seed).unwrap(), &[Engine::Verilator, Engine::Icarus]);
    }
}

#[test]
fn errors_are_reported_in_verilog() {
    let settings = ExternalSettings::default();
    for (case, error) in failing_cases() {
        let step = run_array_engine(&case, Engine::Step, &settings).unwrap();
        assert_eq!(step.trace.error, error);
        for engine in [Engine::Verilator, Engine::Icarus] {
            let run = run_array_engine(&case, engine, &settings).unwrap();
            let first = first_difference(&step.trace, &run.trace);
            assert!(step == run, "error {error} in {}: {first:?}", engine.name());
        }
    }
}

#[test]
fn the_longest_bursts_agree_with_verilog() {
    let mut spec = tiny_design("mosaic-small");
    if let Some(memory) = &mut spec.memory {
        memory.burst_beats = 256;
    }
    let machine = elaborate(&spec, "test").unwrap();
    agree("bursts of 256 beats", &hard_case(&machine, SLOW), &[Engine::Verilator, Engine::Icarus]);
}

#[test]
fn unknown_state_does_not_show() {
    let float = elaborate(&tiny_design("bitmod-small"), "test").unwrap();
    for case in [tiny_case(SLOW), hard_case(&float, SLOW)] {
        for state_seed in 1..3 {
            agree("tiny", &ArrayCase { state_seed, ..case.clone() }, &[Engine::Verilator]);
        }
    }
}
