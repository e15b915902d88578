//! Every rule, as the error that breaking it gives.

use super::*;

/// A builder with an 8-bit unsigned, a 6-bit signed and a 100-bit input.
fn start() -> (ModuleBuilder, Net, Net, Net) {
    let mut b = ModuleBuilder::new("unit", "");
    let u = b.input("u_i", 8, "");
    let s = b.input_signed("s_i", 6, "");
    let w = b.input("w_i", 100, "");
    (b, u, s, w)
}

/// The problem that a module with those inputs ends with.
fn problem<R>(build: impl FnOnce(&mut ModuleBuilder, Net, Net, Net) -> R) -> Problem {
    let (mut b, u, s, w) = start();
    build(&mut b, u, s, w);
    let error = b.finish().expect_err("a rule is broken");
    assert_eq!(error.module, "unit");
    error.problem
}

fn text<R>(build: impl FnOnce(&mut ModuleBuilder, Net, Net, Net) -> R) -> String {
    problem(build).to_string()
}

#[test]
fn results_have_the_documented_shapes() {
    let (mut b, u, s, w) = start();
    let bit = b.bit(u, 7);
    let unsigned = |width| Shape { width, signed: false };
    let signed = |width| Shape { width, signed: true };
    let three = b.slice(w, 90, 3);
    let (four, u6) = (b.truncate(u, 4), b.as_unsigned(s));
    let shapes = [
        (b.not(s), signed(6)),
        (b.and(u6, u6), unsigned(6)),
        (b.or(s, s), signed(6)),
        (b.xor(u, u), unsigned(8)),
        (b.reduce_or(s), unsigned(1)),
        (b.reduce_and(s), unsigned(1)),
        (b.reduce_xor(s), unsigned(1)),
        (b.and_all(&[]), unsigned(1)),
        (b.or_all(&[bit, bit]), unsigned(1)),
        (b.add(u, four), unsigned(9)),
        (b.add(s, s), signed(7)),
        (b.sub(four, u), signed(9)),
        (b.mul(u, four), unsigned(12)),
        (b.mul(s, s), signed(12)),
        (b.negate(u), signed(9)),
        (b.eq(s, s), unsigned(1)),
        (b.lt(u, four), unsigned(1)),
        (b.mux(bit, s, s), signed(6)),
        (b.select(three, &[s, s, s]), signed(6)),
        (b.shift_left(s, three, 11), signed(11)),
        (b.shift_right(s, three), signed(6)),
        (b.slice(s, 5, 1), unsigned(1)),
        (b.concat(&[w, s]), unsigned(106)),
        (b.replicate(bit, 80), unsigned(80)),
        (b.extend(s, 90), signed(90)),
        (b.truncate(w, 70), unsigned(70)),
        (b.as_signed(w), signed(100)),
        (b.shift_left_const(s, 70), signed(76)),
        (b.constant(9, 4), unsigned(4)),
        (b.constant_signed(-8, 4), signed(4)),
        (b.constant(1, 200), unsigned(200)),
    ];
    for (net, shape) in shapes {
        assert_eq!(net.shape(), shape);
    }
    b.finish().unwrap();
}

#[test]
fn equal_shapes_are_needed() {
    for operation in ["and", "or", "xor", "eq", "ne", "mux", "select"] {
        let message = text(|b, u, s, _| {
            let (x, y) = (b.truncate(u, 6), s);
            match operation {
                "and" => b.and(x, y),
                "or" => b.or(x, y),
                "xor" => b.xor(x, y),
                "eq" => b.eq(x, y),
                "ne" => b.ne(x, y),
                "mux" => {
                    let bit = b.bit(u, 0);
                    b.mux(bit, x, y)
                }
                _ => b.select(u, &[x, y]),
            };
        });
        let end = "`part_3` (6 bits, unsigned) and `s_i` (6 bits, signed)";
        assert_eq!(message, format!("{operation} needs equal widths and signedness, found {end}"));
    }
    let found = problem(|b, u, _, _| {
        let x = b.truncate(u, 6);
        b.and(u, x);
    });
    assert!(matches!(found, Problem::ShapeMismatch { operation: "and", .. }));
}

#[test]
fn equal_signs_are_needed() {
    for operation in ["add", "sub", "mul", "lt"] {
        let found = problem(|b, u, s, _| {
            match operation {
                "add" => b.add(u, s),
                "sub" => b.sub(u, s),
                "mul" => b.mul(u, s),
                _ => b.lt(u, s),
            };
        });
        assert!(matches!(found, Problem::SignMismatch { operation: o, .. } if o == operation));
    }
}

#[test]
fn arithmetic_stops_at_64_bits() {
    let wide = |build: fn(&mut ModuleBuilder, Net, Net) -> Net| {
        problem(|b, _, _, w| {
            let x = b.slice(w, 0, 64);
            build(b, x, w);
        })
    };
    let cases: [fn(&mut ModuleBuilder, Net, Net) -> Net; 7] = [
        |b, x, _| b.add(x, x),
        |b, x, _| b.negate(x),
        |b, x, _| b.mul(x, x),
        |b, _, w| b.not(w),
        |b, _, w| b.eq(w, w),
        |b, _, w| b.reduce_or(w),
        |b, _, w| {
            let bit = b.bit(w, 0);
            b.mux(bit, w, w)
        },
    ];
    for case in cases {
        assert!(matches!(wide(case), Problem::TooWide { .. }));
    }
    let found = problem(|b, u, _, _| b.shift_left(u, u, 65));
    assert!(matches!(found, Problem::TooWide { operation: "shift_left", .. }));
}

#[test]
fn operands_with_a_fixed_shape() {
    let role = |found| match found {
        Problem::WrongOperand { operation, role, .. } => (operation, role),
        other => panic!("{other}"),
    };
    assert_eq!(role(problem(|b, u, _, _| b.mux(u, u, u))), ("mux", "a select"));
    assert_eq!(role(problem(|b, u, s, _| b.select(s, &[u]))), ("select", "an index"));
    assert_eq!(role(problem(|b, u, s, _| b.shift_left(u, s, 8))), ("shift_left", "an amount"));
    let long = |b: &mut ModuleBuilder, u, w| {
        let amount = b.slice(w, 0, 33);
        b.shift_right(u, amount)
    };
    assert_eq!(role(problem(|b, u, _, w| long(b, u, w))), ("shift_right", "an amount"));
    assert_eq!(role(problem(|b, u, _, _| b.replicate(u, 2))), ("replicate", "a bit"));
    let enable = problem(|b, u, _, _| b.reg("x_q", u, Some(u), None, ""));
    assert_eq!(role(enable), ("register", "an enable"));
    let ram = |address_bits| {
        move |b: &mut ModuleBuilder, u: Net, _: Net, _: Net| {
            let (bit, address) = (b.bit(u, 0), b.truncate(u, address_bits));
            b.ram("m", 12, 8, bit, address, u, bit, address, "");
        }
    };
    assert_eq!(role(problem(ram(5))), ("ram", "a write address"));
    let (mut b, u, s, w) = start();
    ram(4)(&mut b, u, s, w);
    b.finish().unwrap();
}

#[test]
fn sizes_that_do_not_exist() {
    assert_eq!(problem(|b, _, _, _| b.input("x_i", 0, "")), Problem::BadWidth { name: "x_i".into(), width: 0 });
    let found = problem(|b, _, _, w| {
        let huge = b.shift_left_const(w, 1 << 20);
        b.concat(&[huge, huge]);
    });
    assert!(matches!(found, Problem::BadWidth { width: 1_048_676, .. }));
    let found = problem(|b, u, _, _| b.slice(u, 6, 3));
    assert!(matches!(found, Problem::SliceOutOfRange { low: 6, end: 9, .. }));
    let found = problem(|b, u, _, _| b.slice(u, u32::MAX, 3));
    assert!(matches!(found, Problem::SliceOutOfRange { .. }));
    assert!(matches!(problem(|b, u, _, _| b.extend(u, 7)), Problem::WrongResult { operation: "extend", .. }));
    assert!(matches!(problem(|b, u, _, _| b.truncate(u, 9)), Problem::WrongResult { operation: "truncate", .. }));
    assert_eq!(problem(|b, _, _, _| b.concat(&[])), Problem::EmptyConcat);
    let found = problem(|b, u, _, _| b.ram("m", 0, 8, u, u, u, u, u, ""));
    assert_eq!(found, Problem::BadMemory { name: "m".into(), depth: 0, width: 8 });
    let found = problem(|b, u, _, _| b.ram("m", 1 << 20, 2048, u, u, u, u, u, ""));
    assert!(matches!(found, Problem::BadMemory { .. }));
    let none = Problem::WrongChoiceCount { choices: 0, index_bits: 8 };
    assert_eq!(problem(|b, u, _, _| b.select(u, &[])), none);
    let found = problem(|b, u, _, _| {
        let bit = b.bit(u, 0);
        b.select(bit, &[u, u, u]);
    });
    assert_eq!(found, Problem::WrongChoiceCount { choices: 3, index_bits: 1 });
}

#[test]
fn values_must_fit() {
    let shape = |width, signed| Shape { width, signed };
    let found = problem(|b, _, _, _| b.constant(16, 4));
    assert_eq!(found, Problem::ValueTooLarge { value: "16".into(), shape: shape(4, false) });
    let found = problem(|b, _, _, _| b.constant_signed(-9, 4));
    assert_eq!(found, Problem::ValueTooLarge { value: "-9".into(), shape: shape(4, true) });
    let found = problem(|b, u, _, _| b.reg("x_q", u, None, Some(256), ""));
    assert_eq!(found, Problem::ValueTooLarge { value: "256".into(), shape: shape(8, false) });
}

#[test]
fn names_are_checked_at_the_end() {
    let found = problem(|b, _, _, _| b.input("wire", 1, ""));
    assert_eq!(found, Problem::ReservedWord { name: "wire".into() });
    let found = problem(|b, u, _, _| b.output("a b", u, ""));
    assert_eq!(found, Problem::BadIdentifier { name: "a b".into() });
    let found = problem(|b, _, _, _| b.input("clk_i", 1, ""));
    assert_eq!(found, Problem::OwnName { name: "clk_i".into() });
    let found = problem(|b, u, _, _| b.output("u_i", u, ""));
    assert_eq!(found, Problem::DuplicateName { name: "u_i".into() });
}

#[test]
fn given_names_win_over_generated_ones() {
    let (mut b, u, ..) = start();
    let sum = b.add(u, u);
    let copy = b.name(u, "sum_3", "a copy of the input");
    assert_ne!(copy.id, u.id, "a port keeps its name");
    b.output("sum_o", sum, "");
    b.output("copy_o", copy, "");
    let module = b.finish().unwrap();
    assert_eq!(module.nets[sum.id.index()].name, "sum_3_");
    assert_eq!(module.net("sum_3"), Some(copy.id));
}

#[test]
fn registers_are_driven_once() {
    let found = problem(|b, _, _, _| b.register("x_q", 3, true, ""));
    assert_eq!(found.to_string(), "`x_q` (3 bits, signed) is not driven");
    let found = problem(|b, u, _, _| {
        let x = b.reg("x_q", u, None, None, "");
        b.drive(x, u, None, None);
    });
    assert!(matches!(found, Problem::DrivenTwice { .. }));
    let found = problem(|b, u, _, _| b.drive(u, u, None, None));
    assert!(matches!(found, Problem::NotARegister { .. }));
    let found = problem(|b, u, s, _| {
        let x = b.register("x_q", 8, false, "");
        b.drive(x, s, None, None);
        b.and(u, s);
    });
    assert!(matches!(found, Problem::ShapeMismatch { operation: "register", .. }), "the first error stays");
}

#[test]
fn foreign_nets_are_refused() {
    let mut other = ModuleBuilder::new("other", "");
    let nets: Vec<Net> = (0..9).map(|i| other.input(&format!("i{i}"), 5, "")).collect();
    assert_eq!(problem(|b, u, _, _| b.add(u, nets[8])), Problem::UnknownNet { id: 8 });
    assert_eq!(problem(|b, u, _, _| b.concat(&[u, nets[0]])), Problem::UnknownNet { id: 0 });
    assert_eq!(problem(|b, _, _, _| b.output("y_o", nets[8], "")), Problem::UnknownNet { id: 8 });
}

/// `y_o = a_i + 1` truncated, and `z_q`, a register that loads `b_i`.
fn child() -> Module {
    let mut b = ModuleBuilder::new("child", "");
    let a = b.input("a_i", 4, "");
    let x = b.input("b_i", 4, "");
    let one = b.constant(1, 4);
    let sum = b.add(a, one);
    let sum = b.truncate(sum, 4);
    b.output("y_o", sum, "");
    let z = b.reg("z_q", x, None, Some(0), "");
    b.output("z_o", z, "");
    b.finish().unwrap()
}

#[test]
fn instances_are_connected_completely() {
    let child = child();
    let connect = |ports: &'static [&'static str]| {
        problem(|b, u, _, _| {
            let x = b.truncate(u, 4);
            let inputs: Vec<(&str, Net)> = ports.iter().map(|p| (*p, x)).collect();
            b.instance("u_child", &child, &inputs);
        })
    };
    let names = |port: &str| (String::from("u_child"), String::from("child"), String::from(port));
    let (instance, of, port) = names("b_i");
    assert_eq!(connect(&["a_i"]), Problem::MissingConnection { instance, of, port });
    let (instance, of, port) = names("c_i");
    let expected = Problem::UnknownPort { instance, of, port, direction: "input" };
    assert_eq!(connect(&["a_i", "b_i", "c_i"]), expected);
    let (instance, _, port) = names("a_i");
    assert_eq!(connect(&["a_i", "b_i", "a_i"]), Problem::ConnectedTwice { instance, port });
    let found = problem(|b, u, _, _| {
        b.instance("u_child", &child, &[("a_i", u), ("b_i", u)]);
    });
    assert!(matches!(found, Problem::ConnectionShape { port, .. } if port == "a_i"));
    let found = problem(|b, u, _, _| {
        let x = b.truncate(u, 4);
        b.instance("u_child", &child, &[("a_i", x), ("b_i", x)]).get("q_o");
    });
    let (instance, of, port) = names("q_o");
    assert_eq!(found, Problem::UnknownPort { instance, of, port, direction: "output" });
}

#[test]
fn clock_and_reset_appear_where_they_are_needed() {
    let child = child();
    assert!(child.is_clocked() && child.is_resettable());
    let (mut b, u, ..) = start();
    let x = b.truncate(u, 4);
    b.instance("u_child", &child, &[("a_i", x), ("b_i", x)]);
    let parent = b.finish().unwrap();
    assert!(parent.is_clocked() && parent.is_resettable());
    let (mut b, u, ..) = start();
    b.reg("x_q", u, None, None, "");
    let data = b.finish().unwrap();
    assert!(data.is_clocked() && !data.is_resettable());
    let (b, ..) = start();
    assert!(!b.finish().unwrap().is_clocked());
}

#[test]
fn loops_are_found_also_through_instances() {
    let child = child();
    let (mut b, u, ..) = start();
    let x = b.truncate(u, 4);
    let outputs = b.instance("u_child", &child, &[("a_i", x), ("b_i", x)]);
    let (y, z) = (outputs.get("y_o"), outputs.get("z_o"));
    let copy = b.not(y);
    b.output("y_o", copy, "");
    let mut module = b.finish().unwrap();
    assert_eq!(module.combinational_inputs(), vec![vec![0]]);
    // Through the register of the child there is no loop, past it there is.
    module.instances[0].inputs[1].1 = copy.id;
    module.check().unwrap();
    module.instances[0].inputs[0].1 = copy.id;
    let found = module.check().unwrap_err().to_string();
    let start = "module `unit`: combinational loop through";
    assert_eq!(found, format!("{start} u_child_y_o -> inverted_6 -> u_child_y_o"));
    module.instances[0].inputs[0].1 = z.id;
    module.check().unwrap();
}

#[test]
fn a_changed_operation_is_checked_again() {
    let (mut b, u, ..) = start();
    let other = b.not(u);
    let sum = b.add(u, other);
    b.output("y_o", sum, "");
    let mut design = Design::new(b.finish().unwrap(), vec![]).unwrap();
    let change = |design: &mut Design, op| {
        let module = design.module_mut("unit").unwrap();
        let index = module.ops.iter().position(|o| o.result == sum.id).unwrap();
        module.ops[index].op = op;
        design.check().map_err(|e| e.problem)
    };
    assert_eq!(change(&mut design, Op::Add(other.id, other.id)), Ok(()));
    let found = change(&mut design, Op::Sub(u.id, other.id));
    assert!(matches!(found, Err(Problem::WrongResult { operation: "sub", .. })));
    let found = change(&mut design, Op::Add(sum.id, other.id));
    assert!(matches!(found, Err(Problem::WrongResult { .. })));
    assert_eq!(change(&mut design, Op::Add(NetId(99), other.id)), Err(Problem::UnknownNet { id: 99 }));
    assert_eq!(
        change(&mut design, Op::Extend(sum.id)),
        Err(Problem::CombinationalLoop { nets: vec!["sum_4".into(), "sum_4".into()] })
    );
    let module = design.module_mut("unit").unwrap();
    module.ops[0].result = sum.id;
    module.ops[0].op = Op::Constant(1);
    assert!(matches!(design.check().unwrap_err().problem, Problem::DrivenTwice { .. }));
    design.module_mut("unit").unwrap().ops.remove(0);
    assert!(matches!(design.check().unwrap_err().problem, Problem::Undriven { .. }));
}

fn parent(name: &str, child: &Module, count: u32) -> Module {
    let mut b = ModuleBuilder::new(name, "");
    let a = b.input("a_i", 4, "");
    let x = b.input("b_i", 4, "");
    for i in 0..count {
        let outputs = b.instance(&format!("u_{i}"), child, &[("a_i", a), ("b_i", x)]);
        b.output(&format!("y_{i}_o"), outputs.get("y_o"), "");
    }
    if count == 1 {
        b.output("y_o", a, "");
    }
    b.finish().unwrap()
}

#[test]
fn a_design_counts_and_orders_its_modules() {
    let child = child();
    let middle = parent("middle", &child, 1);
    let top = parent("top", &middle, 3);
    let unused = parent("unused", &child, 1);
    let design = Design::new(top, vec![middle.clone(), unused, child.clone(), child.clone()]).unwrap();
    let names: Vec<&str> = design.modules_in_order().iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["child", "middle", "top"]);
    let count = |name: &str, n| (name.to_string(), n);
    assert_eq!(design.instance_counts(), [count("child", 3), count("middle", 3), count("top", 1)]);
    assert_eq!(design.top().name, "top");
}

#[test]
fn a_design_must_be_whole() {
    let child = child();
    let middle = parent("middle", &child, 1);
    let error = |top: &Module, others: Vec<Module>| Design::new(top.clone(), others).unwrap_err().problem;
    let found = error(&middle, vec![]);
    assert_eq!(found, Problem::UnknownModule { instance: "u_0".into(), of: "child".into() });
    let mut other = child.clone();
    other.doc = "another".into();
    let found = error(&middle, vec![child.clone(), other]);
    assert_eq!(found, Problem::ConflictingModules { name: "child".into() });
    let mut recursive = middle.clone();
    recursive.instances[0].module = "middle".into();
    assert_eq!(error(&recursive, vec![]), Problem::Recursion { name: "middle".into() });
    let stale = |change: fn(&mut Module)| {
        let mut other = child.clone();
        change(&mut other);
        match error(&middle, vec![other]) {
            Problem::StaleInstance { detail, .. } => detail,
            problem => panic!("{problem}"),
        }
    };
    assert_eq!(stale(|m| m.inputs[0].name = "x_i".into()), "other outputs".replace("out", "in"));
    assert_eq!(stale(|m| drop(m.outputs.pop())), "other outputs");
    assert_eq!(stale(|m| m.registers[0].reset = None), "another need of clock or reset");
    assert_eq!(stale(|m| m.outputs[1].net = m.inputs[0].net), "other combinational paths");
}

#[test]
fn memories_share_a_template_by_size() {
    let (mut b, u, ..) = start();
    let bit = b.bit(u, 0);
    let address = b.truncate(u, 3);
    for name in ["first", "second"] {
        let data = b.ram(name, 8, 8, bit, address, u, bit, address, "");
        b.output(&format!("{name}_o"), data, "");
    }
    let module = b.finish().unwrap();
    assert_eq!(module.rams[0].instance_name(), "u_first");
    let shape = RamShape { depth: 8, width: 8 };
    let design = Design::new(module, vec![]).unwrap();
    assert_eq!(design.ram_counts(), [(shape, 2)]);
    assert_eq!(shape.module_name(), "ram_8x8");
    assert_eq!([1, 2, 3, 8, 9].map(address_bits), [1, 1, 2, 3, 4]);
}
