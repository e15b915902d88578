//! The simulator against small models of the same thing. `rtl/tests/oracle.rs` compares it with a
//! bit-by-bit evaluation of random networks, `rtl/tests/operators.rs` with Verilog simulators.

use proptest::prelude::*;

use super::*;
use crate::netlist::{Module, ModuleBuilder, Net, Op};

fn simulator(module: Module) -> Simulator {
    Simulator::new(&Design::new(module, vec![]).unwrap(), 1).unwrap()
}

/// `value` as a number of that shape.
fn number(value: u64, width: u32, signed: bool) -> i128 {
    let value = value & low_mask(width);
    match signed && value >> (width - 1) == 1 {
        true => i128::from(value) - (1 << width),
        false => i128::from(value),
    }
}

proptest! {
    #[test]
    fn arithmetic_is_exact(
        (wa, wb) in (1u32..=63, 1u32..=63),
        (sa, a, b, amount) in (any::<bool>(), any::<u64>(), any::<u64>(), 0u64..128),
    ) {
        let mut m = ModuleBuilder::new("unit", "");
        let (x, y) = match sa {
            true => (m.input_signed("a_i", wa, ""), m.input_signed("b_i", wb, "")),
            false => (m.input("a_i", wa, ""), m.input("b_i", wb, "")),
        };
        let n = m.input("n_i", 7, "");
        let (na, nb) = (number(a, wa, sa), number(b, wb, sa));
        let mut expected = vec![];
        let mut put = |m: &mut ModuleBuilder, net: Net, value: i128| {
            m.output(&format!("o{}_o", expected.len()), net, "");
            expected.push(value as u64 & low_mask(net.width));
        };
        let net = m.add(x, y);
        put(&mut m, net, na + nb);
        let net = m.sub(x, y);
        put(&mut m, net, na - nb);
        let net = m.negate(x);
        put(&mut m, net, -na);
        let net = m.lt(x, y);
        put(&mut m, net, i128::from(na < nb));
        if wa + wb <= 64 {
            let net = m.mul(x, y);
            put(&mut m, net, na * nb);
        }
        let net = m.shift_right(x, n);
        put(&mut m, net, na >> amount);
        let net = m.shift_left(x, n, wb);
        put(&mut m, net, if amount < 64 { na << amount } else { 0 });
        let net = m.shift_left_const(x, 9);
        let net = m.truncate(net, wa.min(40) + 9);
        put(&mut m, net, na << 9);
        let mut simulator = simulator(m.finish().unwrap());
        for (name, value) in [("a_i", a), ("b_i", b), ("n_i", amount)] {
            let port = simulator.input(name).unwrap();
            simulator.set(port, value);
        }
        simulator.settle();
        let found: Vec<u64> = (0..expected.len())
            .map(|i| simulator.get(&simulator.output(&format!("o{i}_o")).unwrap()))
            .collect();
        prop_assert_eq!(found, expected);
    }
}

/// A counter with enable and reset, a data register behind it, a wide shift register.
fn counter() -> Module {
    let mut b = ModuleBuilder::new("counter", "");
    let en = b.input("en_i", 1, "");
    let data = b.input_signed("data_i", 5, "");
    let count = b.register("count_q", 4, false, "");
    let one = b.constant(1, 4);
    let next = b.add(count, one);
    let next = b.truncate(next, 4);
    b.drive(count, next, Some(en), Some(9));
    let last = b.reg("last_q", count, None, None, "");
    let wide = b.register("wide_q", 130, true, "");
    let kept = b.slice(wide, 0, 125);
    let moved = b.concat(&[data, kept]);
    let moved = b.as_signed(moved);
    b.drive(wide, moved, Some(en), Some(3));
    b.output("count_o", count, "");
    b.output("last_o", last, "");
    b.output("wide_o", wide, "");
    let top = b.slice(wide, 100, 30);
    let top = b.as_signed(top);
    let zero = b.constant_signed(0, 1);
    let negative = b.lt(top, zero);
    b.output("negative_o", negative, "");
    b.finish().unwrap()
}

#[test]
fn registers_reset_load_and_hold() {
    let mut sim = simulator(counter());
    let [rst, en, data] = [RESET, "en_i", "data_i"].map(|n| sim.input(n).unwrap());
    let [count, last, wide, negative] = ["count_o", "last_o", "wide_o", "negative_o"].map(|n| sim.output(n).unwrap());
    assert_eq!((sim.stats().register_bits, wide.width(), data.width()), (138, 130, 5));
    // Reset wins over enable; the data register takes what was before.
    sim.set(rst, 1);
    sim.set(en, 1);
    sim.edge();
    sim.edge();
    sim.settle();
    assert_eq!((sim.get(&count), sim.get(&last)), (9, 9));
    assert_eq!(sim.get_wide(&wide), [3, 0, 0]);
    sim.set(rst, 0);
    sim.set(data, 0x13);
    for _ in 0..8 {
        sim.edge();
    }
    sim.settle();
    assert_eq!((sim.get(&count), sim.get(&last)), (1, 0));
    let mut expected = 3u128;
    for _ in 0..8 {
        expected = expected << 5 | 0x13;
    }
    assert_eq!(sim.get_wide(&wide), [expected as u64, (expected >> 64) as u64, 0]);
    sim.set(en, 0);
    sim.edge();
    sim.settle();
    assert_eq!((sim.get(&count), sim.get(&last)), (1, 1));
    assert_eq!(sim.get(&negative), 0);
    sim.set(en, 1);
    for _ in 0..18 {
        sim.edge();
    }
    sim.settle();
    // 26 steps of 5 bits: the top bits hold the first of 0x13 = 0b10011.
    assert_eq!(sim.get_wide(&wide)[2], 0b10);
    assert_eq!(sim.get(&negative), 1);
}

#[test]
fn settling_twice_computes_once() {
    let mut sim = simulator(counter());
    let en = sim.input("en_i").unwrap();
    sim.settle();
    sim.settle();
    sim.set(en, 0);
    sim.settle();
    assert_eq!(sim.evaluations(), 1);
    sim.set(en, 1);
    sim.edge();
    sim.settle();
    assert_eq!(sim.evaluations(), 3);
}

#[test]
fn power_up_depends_on_the_seed_alone() {
    let design = Design::new(counter(), vec![]).unwrap();
    let start = |seed| {
        let mut sim = Simulator::new(&design, seed).unwrap();
        sim.settle();
        sim.get_wide(&sim.output("wide_o").unwrap())
    };
    assert_eq!(start(7), start(7));
    assert_ne!(start(7), start(8));
    assert!(start(7).iter().all(|&word| word != 0) || start(8).iter().all(|&word| word != 0));
}

fn memory(depth: u32, width: u32) -> Module {
    let mut b = ModuleBuilder::new("memory", "");
    let bits = crate::netlist::address_bits(depth);
    let write = b.input("write_i", 1, "");
    let to = b.input("to_i", bits, "");
    let data = b.input("data_i", width, "");
    let read = b.input("read_i", 1, "");
    let from = b.input("from_i", bits, "");
    let word = b.ram("words", depth, width, write, to, data, read, from, "");
    b.output("word_o", word, "");
    b.finish().unwrap()
}

#[test]
fn memories_read_a_cycle_later_and_hold() {
    let mut sim = simulator(memory(5, 70));
    let [write, to, data, read, from] =
        ["write_i", "to_i", "data_i", "read_i", "from_i"].map(|n| sim.input(n).unwrap());
    let word = sim.output("word_o").unwrap();
    assert_eq!(sim.stats().ram_bits, 350);
    assert!(sim.input(RESET).is_none());
    sim.set(write, 1);
    for i in 0..5 {
        sim.set(to, i);
        sim.set_wide(data, &[100 + i, u64::MAX]);
        sim.edge();
    }
    // At one edge, reading one word and writing another.
    sim.set(read, 1);
    sim.set(from, 2);
    sim.edge();
    sim.settle();
    assert_eq!(sim.get_wide(&word), [102, 0x3f]);
    sim.set(read, 0);
    sim.set(from, 3);
    sim.edge();
    sim.settle();
    assert_eq!(sim.get_wide(&word), [102, 0x3f], "holds");
    sim.set(write, 0);
    sim.set(read, 1);
    sim.edge();
    sim.settle();
    assert_eq!(sim.get_wide(&word), [103, 0x3f]);
    assert_eq!(sim.hazards(), 0);
}

#[test]
fn unspecified_uses_of_a_memory_are_counted() {
    let mut sim = simulator(memory(5, 64));
    let [write, to, data, read, from] =
        ["write_i", "to_i", "data_i", "read_i", "from_i"].map(|n| sim.input(n).unwrap());
    let word = sim.output("word_o").unwrap();
    let mut step = |w, t, r, f| {
        for (port, value) in [(write, w), (to, t), (data, 77), (read, r), (from, f)] {
            sim.set(port, value);
        }
        sim.edge();
        sim.settle();
        (sim.hazards(), sim.get(&word))
    };
    let (hazards, found) = step(1, 4, 1, 4);
    assert_eq!(hazards, 1);
    assert_ne!(found, 77);
    assert_eq!(step(0, 4, 1, 4), (1, 77), "the write itself took place");
    assert_eq!(step(0, 0, 1, 5).0, 2, "reading beyond the depth");
    assert_eq!(step(1, 7, 0, 0).0, 3, "writing beyond the depth");
}

/// Two instances of a module with a register each, in a row.
fn chain() -> Design {
    let mut b = ModuleBuilder::new("stage", "");
    let a = b.input("a_i", 8, "");
    let inverted = b.not(a);
    let inverted = b.name(inverted, "inverted", "");
    let low = b.slice(inverted, 0, 3);
    let low = b.name(low, "low", "");
    let q = b.reg("inverted_q", inverted, None, None, "");
    b.output("y_o", q, "");
    b.output("low_o", low, "");
    let stage = b.finish().unwrap();
    let mut b = ModuleBuilder::new("row", "");
    let a = b.input("a_i", 8, "");
    let first = b.instance("u_first", &stage, &[("a_i", a)]).get("y_o");
    let second = b.instance("u_second", &stage, &[("a_i", first)]).get("y_o");
    b.output("y_o", second, "");
    let row = b.finish().unwrap();
    let mut b = ModuleBuilder::new("top", "");
    let a = b.input("a_i", 8, "");
    let row_out = b.instance("u_row", &row, &[("a_i", a)]).get("y_o");
    b.output("y_o", row_out, "");
    Design::new(b.finish().unwrap(), vec![row, stage]).unwrap()
}

#[test]
fn probes_reach_every_named_net() {
    let mut sim = Simulator::new(&chain(), 1).unwrap();
    let a = sim.input("a_i").unwrap();
    sim.set(a, 0b1010_0101);
    sim.edge();
    sim.settle();
    let read = |sim: &Simulator, path: &str| sim.get(&sim.probe(path).unwrap());
    assert_eq!(read(&sim, "u_row.u_first.a_i"), 0xa5);
    assert_eq!(read(&sim, "u_row.u_first.inverted"), 0x5a);
    assert_eq!(read(&sim, "u_row.u_first.low"), 0b010);
    assert_eq!(read(&sim, "u_row.u_first.low_o"), 0b010);
    assert_eq!(read(&sim, "u_row.u_first.inverted_q"), 0x5a);
    assert_eq!(read(&sim, "u_row.u_second.a_i"), 0x5a);
    assert_eq!(read(&sim, "u_row.u_second.inverted"), 0xa5);
    for path in ["u_row.u_third.a_i", "u_row", "inverted", "u_row.u_first.u_x.y", ""] {
        assert_eq!(sim.probe(path), None, "{path}");
    }
    let registers: Vec<(String, u32)> = sim.registers().map(|(path, _, width)| (path, width)).collect();
    let path = |name: &str| (format!("u_row.{name}.inverted_q"), 8);
    assert_eq!(registers, [path("u_first"), path("u_second")]);
    sim.edge();
    sim.settle();
    assert_eq!(read(&sim, "y_o"), 0xa5);
}

#[test]
fn a_shift_register_moves_one_step_an_edge() {
    let mut b = ModuleBuilder::new("line", "");
    let a = b.input("a_i", 1, "");
    let mut value = a;
    for i in 0..4 {
        value = b.reg(&format!("d{i}_q"), value, None, Some(0), "");
    }
    b.output("y_o", value, "");
    let mut sim = simulator(b.finish().unwrap());
    let [rst, a] = [RESET, "a_i"].map(|n| sim.input(n).unwrap());
    let y = sim.output("y_o").unwrap();
    sim.set(rst, 1);
    sim.edge();
    sim.set(rst, 0);
    let seen = (0..7).map(|cycle| {
        sim.set(a, u64::from(cycle == 0));
        sim.settle();
        let seen = sim.get(&y);
        sim.edge();
        seen
    });
    assert_eq!(seen.collect::<Vec<_>>(), [0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn constants_and_equal_operations_cost_nothing() {
    let mut b = ModuleBuilder::new("unit", "");
    let a = b.input("a_i", 8, "");
    let (three, five) = (b.constant(3, 8), b.constant(5, 8));
    let eight = b.add(three, five);
    let first = b.and(a, five);
    let second = b.and(a, five);
    b.output("eight_o", eight, "");
    b.output("first_o", first, "");
    b.output("second_o", second, "");
    let sim = simulator(b.finish().unwrap());
    assert_eq!((sim.stats().operations, sim.stats().instructions), (3, 1));
}

#[test]
fn a_changed_operation_changes_the_result() {
    let mut b = ModuleBuilder::new("unit", "");
    let a = b.input("a_i", 8, "");
    let mask = b.constant(0x0f, 8);
    let result = b.and(a, mask);
    b.output("y_o", result, "");
    let mut design = Design::new(b.finish().unwrap(), vec![]).unwrap();
    let value = |design: &Design| {
        let mut sim = Simulator::new(design, 1)?;
        let a = sim.input("a_i").unwrap();
        sim.set(a, 0x35);
        sim.settle();
        Ok::<u64, NetlistError>(sim.get(&sim.output("y_o").unwrap()))
    };
    assert_eq!(value(&design), Ok(0x05));
    design.module_mut("unit").unwrap().ops[1].op = Op::Or(a.id, mask.id);
    assert_eq!(value(&design), Ok(0x3f));
    design.module_mut("unit").unwrap().ops[1].op = Op::Add(a.id, mask.id);
    let error = value(&design).unwrap_err();
    assert!(matches!(error.problem, Problem::WrongResult { operation: "add", .. }));
}
