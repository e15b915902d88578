//! Queues and forks of the array alone against a list: every fill, pushes, pops and takers at random, data of random bits.

use std::collections::VecDeque;

use bitmosaic_cosim::random::Random;
use bitmosaic_rtl::netlist::{Design, Module, RESET};
use bitmosaic_rtl::simulate::Simulator;

use super::bench;

/// Cycles of a check, in phases of 16 with other shares of pushes and takes.
const CYCLES: usize = 640;

/// Checks the module `name` of `design` if it is a queue or a fork; the error tells the first difference.
pub fn check(design: &Design, name: &str) -> Option<Result<(), String>> {
    let module = design.module(name)?;
    let fork = name.starts_with("fork_");
    (fork || name.starts_with("queue_")).then(|| run(design, module, fork))
}

fn run(design: &Design, module: &Module, fork: bool) -> Result<(), String> {
    let own = |name: &str| module.instances.iter().any(|instance| instance.module == name);
    let below: Vec<Module> = design.modules_in_order().iter().filter(|m| own(&m.name)).cloned().collect();
    let queue = below.first().unwrap_or(module);
    let depth = queue.registers.iter().filter(|r| queue.nets[r.net.index()].name.starts_with("entry_")).count();
    let single = Design::new(module.clone(), below.clone()).map_err(|e| e.to_string())?;
    let mut simulator = Simulator::new(&single, bench::POWER_UP).map_err(|e| e.to_string())?;
    let [push, data] = bench::inputs(&simulator, ["push_i", "data_i"]);
    let takers: Vec<_> = match fork {
        true => bench::inputs(&simulator, ["tile_ready_i", "next_ready_i"]).into(),
        false => bench::inputs(&simulator, ["pop_i"]).into(),
    };
    let offers: Vec<_> = match fork {
        true => bench::outputs(&simulator, ["tile_valid_o", "next_valid_o"]).into(),
        false => bench::outputs(&simulator, ["valid_o"]).into(),
    };
    let [ready, oldest] = bench::outputs(&simulator, ["ready_o", "data_o"]);
    let mut random = Random::new(5);
    let mut held: VecDeque<Vec<u64>> = VecDeque::new();
    // Which taker has the oldest beat already.
    let mut has = vec![false; takers.len()];
    let (mut shares, words) = ([0; 3], data.width().div_ceil(64));
    if let Some(reset) = simulator.input(RESET) {
        simulator.set(reset, 1);
        simulator.settle();
        simulator.edge();
        simulator.set(reset, 0);
    }
    simulator.settle();
    for cycle in 0..CYCLES {
        if cycle % 16 == 0 {
            shares = [(); 3].map(|()| [1, 4, 7, 8][random.below(4)]);
        }
        let differs = |what: &str| Err(format!("cycle {cycle}, {} held: {what}", held.len()));
        // Outputs are functions of registers.
        if (simulator.get(&ready) == 1) != (held.len() < depth) {
            return differs("ready_o");
        }
        let offered: Vec<bool> = has.iter().map(|has| !held.is_empty() && !has).collect();
        if offers.iter().zip(&offered).any(|(port, offered)| (simulator.get(port) == 1) != *offered) {
            return differs("valid");
        }
        if held.front().is_some_and(|beat| simulator.get_wide(&oldest) != *beat) {
            return differs("data_o");
        }
        let pushes = held.len() < depth && random.below(8) < shares[0];
        let beat: Vec<u64> = (0..words)
            .map(|word| {
                let bits = (data.width() - 64 * word).min(64);
                (u64::from(random.bits()) << 32 | u64::from(random.bits())) >> (64 - bits)
            })
            .collect();
        simulator.set(push, u64::from(pushes));
        simulator.set_wide(data, &beat);
        for (taker, port) in takers.iter().enumerate() {
            // A pop needs something to pop; a taker of a fork may be ready for nothing.
            let wants = random.below(8) < shares[1 + taker] && (fork || offered[taker]);
            simulator.set(*port, u64::from(wants));
            has[taker] |= wants && offered[taker];
        }
        simulator.settle();
        simulator.edge();
        simulator.settle();
        if has.iter().all(|has| *has) {
            held.pop_front();
            has.fill(false);
        }
        if pushes {
            held.push_back(beat);
        }
    }
    Ok(())
}
