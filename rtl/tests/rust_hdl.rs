//! Generated modules inside rust-hdl designs: simulated by rust-hdl they give what the netlist simulator and host
//! arithmetic give, in every cycle.

#[allow(dead_code)] // Simulation and Verilog use different parts.
mod bridge;
mod program;

use bitmosaic_arch::load;
use bitmosaic_rtl::hardware::build;
use bitmosaic_rtl::rust_hdl::{Generated, declaration};
use bitmosaic_rtl::simulate::Simulator;
use bitmosaic_rtl::unit::NetlistUnit;
use rust_hdl_core::prelude::*;

use bridge::ports::{PePorts, TilePorts};
use bridge::{BLOCK_SEED, Column, SEEDS, Step, aligner, element, host, machine, steps, tile};

/// `sum` before the edge of every step: two netlist simulators and a register.
fn netlist(steps: &[Step]) -> Vec<u64> {
    let [mut head, mut tail] = SEEDS.map(|seed| Simulator::new(&element(), seed).unwrap());
    let mut register = 0;
    let mut sums = Vec::new();
    for step in steps {
        sums.push(register);
        let chain = |pe: &Simulator| pe.get(&pe.output("chain_o").unwrap());
        for (row, pe) in [&mut head, &mut tail].into_iter().enumerate() {
            let values = [
                ("digit_i", step.digit_bits()),
                ("activation_i", step.row_bits(row)),
                ("accumulate_i", u64::from(step.accumulate)),
                ("clear_i", u64::from(step.clear)),
                ("plane_i", u64::from(step.plane)),
                ("capture_i", u64::from(step.capture)),
                ("shift_i", u64::from(step.shift)),
            ];
            for (name, value) in values {
                pe.set(pe.input(name).unwrap(), value);
            }
            pe.settle();
        }
        let held = chain(&tail);
        register = if step.capture { held } else { chain(&head) };
        head.set(head.input("chain_i").unwrap(), held);
        tail.set(tail.input("chain_i").unwrap(), step.end);
        head.edge();
        tail.edge();
        head.settle();
        tail.settle();
    }
    sums
}

#[test]
fn a_column_of_pes_in_a_rust_hdl_design_gives_the_sums_of_host_and_netlist() {
    let steps = steps(1);
    let expected = netlist(&steps);
    let known: Vec<(usize, u64)> =
        host(&steps).into_iter().enumerate().filter_map(|(i, sum)| Some((i, sum?))).collect();
    assert!(known.len() > steps.len() - 20, "{} of {}", known.len(), steps.len());
    for (i, sum) in known {
        assert_eq!(expected[i], sum, "netlist and host differ in step {i}");
    }
    let mut simulation = Simulation::new();
    simulation.add_clock(5, |x: &mut Box<Column>| x.clk_i.next = !x.clk_i.val());
    simulation.add_testbench(move |mut sim: Sim<Column>| {
        let mut x = sim.init()?;
        // Inputs change just after the rising edge, as registers in front would change them.
        for (step, sum) in steps.iter().zip(&expected) {
            step.apply(&mut x);
            wait_clock_false!(sim, clk_i, x);
            sim_assert_eq!(sim, x.sum.val(), Bits::<26>::from(*sum), x);
            wait_clock_true!(sim, clk_i, x);
        }
        sim.done(x)
    });
    simulation.run(Box::new(Column::new()), 100_000).unwrap();
}

#[test]
fn a_tile_under_rust_hdl_has_the_trace_of_the_netlist_simulator() {
    for stalls in program::STALLS {
        let stimulus = program::stimulus(&machine(), stalls);
        let run =
            |unit: &mut dyn bitmosaic_mappings::Unit| bitmosaic_mappings::run_unit(unit, &stimulus, 5000).unwrap();
        let expected = run(&mut NetlistUnit::new(&tile(), &stimulus, 1).unwrap());
        assert!(expected.outputs.len() > 8);
        assert_eq!(run(&mut bridge::system::RustHdlTile::new()), expected, "{stalls:?}");
    }
}

#[test]
fn state_powers_up_as_in_the_netlist_simulator() {
    let mut block = bridge::block::<TilePorts>(&tile());
    block.connect_all();
    simulate(&mut block, 10);
    let simulator = Simulator::new(&tile(), BLOCK_SEED).unwrap();
    for (path, probe, _) in simulator.registers() {
        let own = block.simulator().probe(&path).unwrap();
        assert_eq!(block.simulator().get_wide(&own), simulator.get_wide(&probe), "{path}");
    }
}

#[test]
fn the_declarations_in_these_tests_are_the_generated_ones() {
    let file = include_str!("bridge/ports.rs");
    let tile = tile();
    assert!(file.contains(&declaration(tile.module("block_pe").unwrap(), "PePorts")));
    assert!(file.contains(&declaration(tile.top(), "TilePorts")));
    assert!(file.contains(&declaration(aligner().top(), "AlignerPorts")));
}

bitmosaic_rtl::rust_hdl_ports! {
    struct WrongPorts {
        pub clk_i: Signal<In, Bit>,
        pub digit_i: Signal<In, Bits<11>>,
        pub activation_i: Signal<Out, Bits<56>>,
        pub accumulate_i: Signal<In, Bit>,
        pub clear_i: Signal<In, Clock>,
        pub plane_i: Signal<In, Bit>,
        pub capture_i: Signal<In, Bit>,
        pub shift_i: Signal<In, Bit>,
        pub chain_i: Signal<In, Signed<26>>,
        pub sum_o: Signal<Out, Bits<26>>,
    }
}

#[test]
fn ports_that_do_not_fit_are_refused_with_the_right_declaration() {
    let error = Generated::<WrongPorts>::new(&element(), 0).unwrap_err().to_string();
    for finding in [
        "ports of module `block_pe`",
        "`chain_o` is missing",
        "the module has no port `sum_o`",
        "`digit_i` has 11 bits, the port 12",
        "`activation_i` must be an input",
        "`clk_i` must be a `Signal<In, Clock>`",
        "`clear_i` must be a `Signal<In, Bit>`",
        "pub chain_i: Signal<In, Bits<26>>,",
    ] {
        assert!(error.contains(finding), "{finding} should be named:\n{error}");
    }
    // A signed value of the right width fits.
    assert!(!error.contains("`chain_i` "), "{error}");
    // The tile of another design is refused by width.
    let other = load("mosaic-tile").unwrap();
    let error = Generated::<TilePorts>::new(&build(&other).unwrap().tile, 0).unwrap_err().to_string();
    let width = format!("`weight_data_i` has 36 bits, the port {}", other.tile.weight_beat_bits);
    assert!(error.contains(&width), "{error}");
    assert!(Generated::<PePorts>::new(&tile(), 0).is_err());
}
