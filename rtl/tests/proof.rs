//! Proofs of the written Verilog with yosys' SAT solver: the term generators for every type, code, selector and plane, the
//! bit-serial dequantizer for every group sum and every scale code. What they are proven against is written here from the
//! definitions, not from the tables and formulas that built the hardware. The solver looks at every input (and every
//! state), so that a proof leaves no case out; without one it shows a counterexample, which the failing test prints.
//!
//! Needs `yosys`; a missing tool is a failure.

mod common;
mod proof {
    pub mod dequantizer;
    pub mod faults;
    pub mod term_generator;
    pub mod yosys;
}

use bitmosaic_arch::{DesignSpec, Digits, Machine, PeKind, elaborate, load, parse, presets};
use bitmosaic_numerics::{DigitSet, ScaleKind, TermTable, registry};
use bitmosaic_rtl::hardware::build;
use bitmosaic_rtl::netlist::{Module, Op};
use common::Folder;
use proof::{dequantizer, faults, term_generator};

/// The preset of this name with changes.
fn machine(preset: &str, change: impl Fn(&mut DesignSpec)) -> Machine {
    let preset = presets().iter().find(|p| p.name == preset).unwrap();
    let mut spec = parse(preset.text, preset.name).unwrap();
    change(&mut spec);
    elaborate(&spec, "test").unwrap()
}

/// Types that some machine with these digits executes.
fn executable(set: DigitSet) -> Vec<String> {
    registry().iter().filter(|t| TermTable::new(t, set).is_ok()).map(|t| t.name.to_string()).collect()
}

/// The bit-parallel kinds of digits.
const MULTIPLIED: [(Digits, DigitSet); 3] =
    [(Digits::Radix16, DigitSet::Radix16), (Digits::Whole, DigitSet::Whole), (Digits::Shifted, DigitSet::Shifted)];

fn all_scales() -> Vec<String> {
    ScaleKind::ALL.map(|kind| kind.name().to_string()).to_vec()
}

fn term_generator_is_proven(folder: &Folder, machine: &Machine) {
    let tile = build(machine).unwrap().tile;
    let types: Vec<&str> = machine.types.iter().map(|t| t.weight_type.name).collect();
    let proven = term_generator::prove(folder, machine, &tile);
    proven.unwrap_or_else(|e| panic!("{types:?}, {} lanes: {e}", machine.pe.lanes));
}

fn dequantizer_is_proven(folder: &Folder, machine: &Machine) {
    let tile = build(machine).unwrap().tile;
    dequantizer::prove(folder, machine, &tile).unwrap_or_else(|e| panic!("{} {:?}: {e}", machine.name, machine.pe));
}

#[test]
fn term_generators_of_every_type_give_the_value_of_every_code() {
    let folder = Folder::new("proof-types");
    let prove = |name: &str, kind: PeKind, digits: Digits| {
        let only = |spec: &mut DesignSpec| {
            let element = &mut spec.processing_element;
            // A pair of lanes for weights that stand in pairs.
            let lanes = if name == "olive4" { 2 } else { 1 };
            (element.kind, element.digits, element.lanes) = (kind, digits, lanes);
            spec.weights.types = vec![name.to_string()];
            spec.weights.scales = all_scales();
        };
        term_generator_is_proven(&folder, &machine("mosaic-tiny", only));
    };
    for name in executable(DigitSet::Radix4) {
        prove(&name, PeKind::BitSerialBlock, Digits::Radix4);
    }
    for (digits, set) in MULTIPLIED {
        executable(set).iter().for_each(|name| prove(name, PeKind::Fp16Int, digits));
    }
}

#[test]
fn term_generators_of_many_types_give_the_value_of_every_code() {
    let folder = Folder::new("proof-many-types");
    // Narrow and wide types side by side, in every digit set.
    let serial = [Digits::Radix4, Digits::Paper, Digits::Radix8].map(|digits| (digits, DigitSet::Radix4));
    for (digits, set) in serial.into_iter().chain(MULTIPLIED) {
        term_generator_is_proven(
            &folder,
            &machine("mosaic-tiny", |spec| {
                // One lane, hence no pairs: the designs that have them follow.
                spec.weights.types = executable(set).into_iter().filter(|name| name != "olive4").collect();
                spec.weights.scales = all_scales();
                if !set.is_sign_magnitude() {
                    spec.processing_element.kind = PeKind::Fp16Int;
                }
                spec.processing_element.digits = digits;
                spec.processing_element.lanes = 1;
            }),
        );
    }
    // Lanes are alike; the design with every type would take minutes, the full machines have the default tiles.
    let full = ["mosaic-types", "mosaic", "bitmod", "figna-int8", "figna-mixed", "ant", "olive"];
    for preset in presets().iter().filter(|p| !full.contains(&p.name)) {
        let machine = load(preset.name).unwrap();
        // FP16 weights have none.
        if machine.pe.digit_set != DigitSet::Fp16 {
            term_generator_is_proven(&folder, &machine);
        }
    }
}

/// A user codebook: unordered values that need all planes, a special code in the middle, unused codes inside and behind.
const CODEBOOK: &str = "name = 'proof'\ncode_bits = 5\nfraction_bits = 1\n\
     values = [7, -340, 'unused', 340, 'special', 1, 0, -2, 13, 'unused', 101, -77, 255, -256, 85]\n\
     special_values = [320, -5, 0, 170]\n";

/// A machine with that codebook.
fn codebook_machine(folder: &Folder) -> Machine {
    let path = folder.path().join("codebook.toml");
    std::fs::write(&path, CODEBOOK).unwrap();
    let name = path.to_str().unwrap().to_string();
    machine("bitmod-tiny", |spec| spec.weights.types = vec![name.clone(), "int4".into()])
}

#[test]
fn the_term_generator_of_a_user_codebook_gives_the_value_of_every_code() {
    let folder = Folder::new("proof-codebook");
    term_generator_is_proven(&folder, &codebook_machine(&folder));
}

#[test]
fn dequantizers_multiply_every_group_sum_by_every_scale_code() {
    let folder = Folder::new("proof-dequantizer");
    for preset in presets().iter().filter(|p| p.name != "bitmod") {
        let machine = load(preset.name).unwrap();
        if machine.scale_unit.dequantize_cycles > 0 {
            dequantizer_is_proven(&folder, &machine);
        }
    }
    // The widest and the narrowest accumulator; one row, whose PE waits a slot; no, one and two pipeline registers.
    let shapes = [(16, 8, 8, 256, 2, [3, 2]), (1, 0, 0, 1, 1, [1, 3])];
    for (lanes, guard_bits, accumulator_guard_bits, max_group, pipeline_registers, [rows, columns]) in shapes {
        let machine = machine("bitmod-tiny", |spec| {
            spec.tile.rows = rows;
            spec.tile.columns = columns;
            spec.processing_element.lanes = lanes;
            spec.processing_element.guard_bits = Some(guard_bits);
            spec.processing_element.accumulator_guard_bits = Some(accumulator_guard_bits);
            spec.processing_element.pipeline_registers = pipeline_registers;
            spec.weights.max_group = max_group;
            spec.weights.types = vec![if lanes > 1 { "int8" } else { "ternary" }.into()];
        });
        dequantizer_is_proven(&folder, &machine);
    }
}

#[test]
fn the_bits_of_every_scale_code_sum_to_the_code() {
    for code in 0..=u8::MAX {
        assert!([-(1 << 53), -1, 0, 1, (1 << 53) - 1].into_iter().all(|s| dequantizer::value_is_the_product(s, code)));
    }
}

/// A multiplexer with its choices swapped.
fn swapped(op: &Op) -> Option<Op> {
    let Op::Mux { select, when_true, when_false } = *op else { return None };
    Some(Op::Mux { select, when_true: when_false, when_false: when_true })
}

#[test]
fn proofs_of_faulty_term_generators_fail_with_a_counterexample() {
    let folder = Folder::new("proof-term-generator-faults");
    let sound = machine("bitmod-tiny", |spec| spec.processing_element.lanes = 2);
    let tile = build(&sound).unwrap().tile;
    // Every table, its first digit that of the second code; the multiplexers of the special digit swapped; the recoder's carry
    // and digits.
    let table = |module: &Module, op: &Op| {
        let Op::Select { index, choices } = op else { return None };
        let is_constant = |net| module.ops.iter().any(|o| o.result == net && matches!(o.op, Op::Constant(_)));
        let mut entries = choices.clone();
        entries[0] = entries[1];
        let is_table = entries.len() > 2 && entries != *choices && entries.iter().all(|e| is_constant(*e));
        is_table.then_some(Op::Select { index: *index, choices: entries })
    };
    let digits = faults::of(&tile, "term_generator", table);
    assert_eq!(digits.len(), 2);
    let special = faults::of(&tile, "term_generator", |_, op| swapped(op));
    assert_eq!(special.len(), 2);
    let recoded = ["carry_1", "odd_1"].map(|name| {
        let of = |module: &Module, op: &Op| {
            let is_it = module.ops.iter().any(|o| Some(o.result) == module.net(name) && o.op == *op);
            match op {
                Op::And(a, b) if is_it => Some(Op::Or(*a, *b)),
                Op::Xor(a, b) if is_it => Some(Op::Or(*a, *b)),
                _ => None,
            }
        };
        faults::of(&tile, "term_generator", of)
    });
    assert_eq!(recoded.each_ref().map(Vec::len), [1, 1]);
    let faulty = digits.into_iter().chain(special).chain(recoded.into_iter().flatten()).map(|faulty| (&sound, faulty));
    let with_codebook = codebook_machine(&folder);
    let tile = build(&with_codebook).unwrap().tile;
    let entries = faults::of(&tile, "term_generator", table);
    assert_eq!(entries.len(), 4);
    for (machine, faulty) in faulty.chain(entries.into_iter().map(|faulty| (&with_codebook, faulty))) {
        let found = term_generator::prove(&folder, machine, &faulty).unwrap_err();
        assert!(found.contains("code_i") && found.contains("weight_type_i"), "no counterexample: {found}");
    }
}

#[test]
fn proofs_of_faulty_dequantizers_fail_with_a_counterexample() {
    let folder = Folder::new("proof-dequantizer-faults");
    let machine = load("bitmod-tiny").unwrap();
    let tile = build(&machine).unwrap().tile;
    let mut faulty = Vec::new();
    // The PE: the scale bit inverted, the dequantizer and the chain exchanged, another sum added, none added.
    for port in ["scale_bit_i", "dequantize_i"] {
        let of = |module: &Module, op: &Op| {
            let select = module.input(port).unwrap().net;
            swapped(op).filter(|_| matches!(op, Op::Mux { select: s, .. } if *s == select))
        };
        faulty.extend(faults::of(&tile, "float_pe", of));
    }
    // The addition of the doubled product, if it is that: its first operand.
    let sum_of_doubled = |module: &Module, op: &Op| {
        let Op::Add(first, _) = *op else { return None };
        let doubled = Op::ShiftLeftConst { a: module.net("hold_q").unwrap(), amount: 1 };
        module.ops.iter().any(|o| o.result == first && o.op == doubled).then_some(first)
    };
    for with in [|doubled| Op::Extend(doubled), |doubled| Op::Add(doubled, doubled)] {
        faulty.extend(faults::of(&tile, "float_pe", |m, op| sum_of_doubled(m, op).map(with)));
    }
    assert_eq!(faulty.len(), 4);
    // The drain: nine bits, another bit of the first and of the second column.
    faulty.extend(faults::of(&tile, "drain_control", |_, op| match op {
        Op::Constant(8) => Some(Op::Constant(9)),
        _ => None,
    }));
    faulty.extend(faults::of(&tile, "drain_control", |m, op| match op {
        Op::Slice { a, low } if *a == m.net("scale_q").unwrap() && low % 8 == 7 => {
            Some(Op::Slice { a: *a, low: low - 1 })
        }
        _ => None,
    }));
    assert_eq!(faulty.len(), 7);
    // The tile: a PE with the bits of the other column.
    faulty.push(faults::connected(&tile, "scale_bit_i", "u_pe_1_0", "u_pe_1_1"));
    for (i, faulty) in faulty.iter().enumerate() {
        let found = dequantizer::prove(&folder, &machine, faulty).unwrap_err();
        assert!(found.contains("counterexample") && found.contains("taken"), "fault {i}: no counterexample: {found}");
    }
}
