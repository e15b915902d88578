//! The checker of programs: takes every program of the lowering, refuses broken ones with the command, and whatever it takes
//! ends in the step engine.

#[path = "common/array_cases.rs"]
mod array_cases;

use array_cases::{SLOW, tiny_case};
use bitmosaic_cosim::array::random_case;
use bitmosaic_cosim::random::Random;
use bitmosaic_mappings::{Command, Program, Start};
use bitmosaic_sim::memory::{IdealMemory, MemoryTiming};
use bitmosaic_sim::run::run_array;
use bitmosaic_sim::step::ArrayStep;
use rayon::prelude::*;

#[test]
fn programs_of_the_lowering_pass() {
    let failures: Vec<String> = (0..300u64)
        .into_par_iter()
        .filter_map(|seed| {
            let case = random_case(seed).unwrap();
            let program = &case.program.program;
            let read = Program::from_text(&program.to_text()).unwrap();
            assert_eq!(&read, program);
            program.check(&case.machine).err().map(|e| format!("seed {seed}: {e}\n{}", program.to_text()))
        })
        .collect();
    assert!(failures.is_empty(), "{}: {}", failures.len(), failures[0]);
}

#[test]
fn broken_programs_are_refused_with_the_command() {
    let case = tiny_case(SLOW);
    let text = case.program.program.to_text();
    let (machine, lines) = (&case.machine, text.lines().count());
    Program::from_text(&text).unwrap().check(machine).unwrap();
    let refuse = |from: &str, to: &str, words: &[&str]| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is not in\n{text}");
        let error = Program::from_text(&changed).unwrap().check(machine).expect_err(&changed).to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{from} -> {to}: {error}");
    };
    refuse("load_weights type=0", "load_weights type=9", &["command 1", "type=9", "0 to 3"]);
    refuse("type=0 terms=2", "type=0 terms=3", &["command 3", "terms=3"]);
    refuse("group=16", "group=6", &["command 1", "group=6", "multiple of 4 input channels"]);
    refuse("group=16", "group=64", &["command 1", "up to 32"]);
    refuse("beats=", "beats=1", &["command 1", "these weights have"]);
    refuse(" beats=", "1 beats=", &["command 1", "address=0x", "multiple of the 4 bytes"]);
    refuse("half=0", "half=1", &["command 3", "no such weights in half 0"]);
    refuse("give=down", "give=none", &["waits for ever", "load to compute"]);
    refuse("wait=up", "wait=none", &["tokens left from load to compute", &format!("command {lines}")]);
    refuse("part=whole", "part=first", &["command"]);
    refuse(" m=", " m=10000", &["command"]);
    refuse("wait=none", "wait=up", &["command 1", "no neighbour"]);
    let tile = bitmosaic_arch::load("mosaic-tiny").unwrap();
    let error = case.program.program.check(&tile).unwrap_err().to_string();
    assert!(error.contains("mosaic-tiny"), "{error}");
}

/// A change of a field of a command, or of the order of the commands.
fn mutate(program: &Program, random: &mut Random) -> Program {
    let mut commands = program.commands.clone();
    let body = commands.len() - 1;
    let at = random.below(body);
    match random.below(8) {
        0 => drop(commands.remove(at)),
        1 => commands.swap(at, random.below(body)),
        2 => commands.insert(at, commands[random.below(body)].clone()),
        _ => {
            let mut bytes = commands[at].encode();
            let i = random.below(bytes.len());
            bytes[i] ^= 1 << random.below(8);
            if let Ok(command) = Command::decode(&bytes, 0).map_err(drop) {
                commands[at] = command;
            }
        }
    }
    Program { commands }
}

#[test]
fn what_the_checker_takes_ends() {
    let counts: Vec<(usize, usize)> = (0..120u64)
        .into_par_iter()
        .map(|seed| {
            let case = random_case(seed).unwrap();
            let array = case.machine.array.as_ref().unwrap();
            let mut random = Random::new(seed);
            let (mut taken, mut refused) = (0, 0);
            for _ in 0..60 {
                let mut program = mutate(&case.program.program, &mut random);
                if random.below(3) == 0 {
                    program = mutate(&program, &mut random);
                }
                if let Err(error) = program.check(&case.machine) {
                    assert!(error.to_string().contains("command"));
                    refused += 1;
                    continue;
                }
                let bytes = program.to_bytes();
                // Stores over the program make another one.
                let over = |c: &Command| matches!(c, Command::Store(store) if store.address < bytes.len() as u64);
                if program.commands.iter().any(over) {
                    continue;
                }
                taken += 1;
                let mut memory = case.program.memory.clone();
                memory.resize(memory.len().max(bytes.len()), 0);
                memory[..bytes.len()].copy_from_slice(&bytes);
                let mut memory = IdealMemory::new(MemoryTiming::FAST, array.data_bits, memory);
                let start = Start { address: 0, commands: program.commands.len() as u32 };
                let mut step = ArrayStep::new(&case.machine).unwrap();
                let trace = run_array(&mut step, &mut memory, start, 4 * case.cycle_limit() + 200_000);
                let trace = trace.unwrap_or_else(|hang| panic!("seed {seed}: {hang}\n{}", program.to_text()));
                // Addresses may lie beyond the memory.
                assert!(trace.error == 0 || trace.error == 1 || trace.error == 2, "seed {seed}");
            }
            (taken, refused)
        })
        .collect();
    let (taken, refused) = counts.iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    println!("{taken} taken, {refused} refused");
    assert!(taken > 300 && refused > 3000, "{taken} {refused}");
}
