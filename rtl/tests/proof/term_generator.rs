//! The term generator is combinational: the solver sees every code, selector, weight type and programmed special value at
//! once, in copies of the module, one a digit plane.
//!
//! Two claims, for every lane:
//! - the digits of a code with a value sum to it: Σ digit · radix^plane over the planes of the type is the code's value as the
//!   codebook has it, beside whatever the other lane of its pair holds;
//! - the digits are those of the type's canonical table; those of the special code are the ones programmed for the group's
//!   selector, whatever they are (-0 is 0), so that they sum to the special value.
//!
//! Bits of the code above the type's own are free, and a type index behind the last means the last type. Codes without a weight
//! and planes from the type's terms on are left out: no program has them.

use std::fmt::Write;

use bitmosaic_arch::Machine;
use bitmosaic_numerics::term::{DIGIT_BITS, Digit, Digits, MAX_PLANES, SIGNIFICAND_BITS};
use bitmosaic_numerics::{CodeValue, DigitSet, SPECIAL_VALUES};
use bitmosaic_rtl::netlist::Design;

use super::yosys::{self, Claim, Given, Subject};
use crate::common::Folder;

/// Bits of a sum of digits, sign included: below 8 · 85 = 680 in radix 4, 6 · 585 in radix 8, 256 in two's complement, 112 · 17 with shifts.
const VALUE_BITS: u32 = 13;

/// Proves both claims for the term generator of a tile.
pub fn prove(folder: &Folder, machine: &Machine, tile: &Design) -> Result<(), String> {
    let module = tile.module("term_generator").unwrap();
    let design = Design::new(module.clone(), vec![]).unwrap();
    let (show, given) = ("-show-inputs", Given::Nothing);
    let outputs = outputs(machine);
    let claims: Vec<Claim<'_>> = outputs
        .iter()
        .flat_map(|[sum, digits]| {
            let claim = |name, output| Claim { name, output, given, show };
            [claim("the digits sum to the value", sum), claim("the digits are the table's", digits)]
        })
        .collect();
    let subject = Subject { property: property(machine, &design), ..Subject::default() };
    yosys::prove(folder, &design, &subject, &claims)
}

/// Names of the claims' outputs, a lane.
fn outputs(machine: &Machine) -> Vec<[String; 2]> {
    (0..machine.pe.lanes).map(|lane| [format!("sum_{lane}_ok"), format!("digits_{lane}_ok")]).collect()
}

fn property(machine: &Machine, design: &Design) -> String {
    let width = |port: &str| {
        let module = design.top();
        module.shape(module.input(port).unwrap().net).width
    };
    let (lanes, bits) = (machine.pe.lanes, machine.code_bits);
    let set = machine.pe.digit_set;
    let digit_bits = machine.pe.digit_bits;
    let place_bits = set.places() as u32 * DIGIT_BITS;
    let special_bits = SPECIAL_VALUES * MAX_PLANES * DIGIT_BITS as usize;
    let mut text = codebook(machine, width("weight_type_i"));
    let _ = writeln!(
        text,
        "module property (\n  input wire [{}:0] code_i,\n  input wire [1:0] selector_i,\n  \
         input wire [{}:0] weight_type_i,\n  input wire [{}:0] special_digits_i,\n  \
         {}\n);",
        lanes * bits - 1,
        width("weight_type_i") - 1,
        special_bits - 1,
        outputs(machine).iter().flatten().map(|name| format!("output wire {name}")).collect::<Vec<_>>().join(",\n  ")
    );
    let _ = writeln!(
        text,
        "  function signed [{}:0] digit(input [{}:0] code);\n    case (code)\n      {} default: digit = 0;\n    endcase\n  \
         endfunction",
        VALUE_BITS - 1,
        digit_bits - 1,
        digit_values(set, digit_bits)
    );
    for k in 0..machine.max_terms {
        let _ = writeln!(
            text,
            "  wire [{0}:0] plane_{k};\n  term_generator u_{k} (.code_i(code_i), .selector_i(selector_i), \
             .weight_type_i(weight_type_i), .plane_i({1}'d{k}), .special_digits_i(special_digits_i), .digit_o(plane_{k}));\n  \
             wire [{4}:0] programmed_{k} = special_digits_i >> ({2} * selector_i + {3});\n  \
             wire [{4}:0] special_{k} = programmed_{k}[{5}:0] == 0 ? 0 : programmed_{k};",
            lanes * digit_bits - 1,
            width("plane_i"),
            MAX_PLANES as u32 * DIGIT_BITS,
            k * place_bits,
            digit_bits - 1,
            if set.is_sign_magnitude() { set.magnitude_bits() } else { digit_bits } - 1
        );
    }
    for lane in 0..lanes {
        // A lane alone has no neighbour, and no type that looks at it.
        let other = if lanes > 1 { lane ^ 1 } else { lane };
        let _ = writeln!(
            text,
            "  wire signed [{0}:0] value_{lane};\n  wire is_special_{lane}, is_unused_{lane};\n  wire [{2}:0] there_{lane};\n  \
             wire [{1}:0] table_{lane};\n  codebook u_codebook_{lane} (weight_type_i, code_i[{3}:{4}], code_i[{5}:{6}], \
             value_{lane}, is_special_{lane}, is_unused_{lane}, there_{lane}, table_{lane});",
            VALUE_BITS - 1,
            MAX_PLANES * DIGIT_BITS as usize - 1,
            MAX_PLANES - 1,
            (lane + 1) * bits - 1,
            lane * bits,
            (other + 1) * bits - 1,
            other * bits
        );
        let top = digit_bits - 1;
        for k in 0..machine.max_terms {
            let low = lane * digit_bits;
            let _ = writeln!(
                text,
                "  wire [{top}:0] digit_{lane}_{k} = plane_{k}[{}:{low}];\n  \
                 wire [{top}:0] expected_{lane}_{k} = is_special_{lane} ? special_{k} : table_{lane}[{}:{}];",
                low + top,
                k * place_bits + top,
                k * place_bits
            );
        }
        let planes = || 0..machine.max_terms;
        let sum = planes().map(|k| {
            format!("(there_{lane}[{k}] ? digit(digit_{lane}_{k}) <<< {} : {VALUE_BITS}'sd0)", set.radix_bits() * k)
        });
        let right = planes().map(|k| format!("(!there_{lane}[{k}] || digit_{lane}_{k} == expected_{lane}_{k})"));
        let _ = writeln!(
            text,
            "  wire signed [{}:0] sum_{lane} = {};\n  \
             assign sum_{lane}_ok = is_unused_{lane} || is_special_{lane} || sum_{lane} == value_{lane};\n  \
             assign digits_{lane}_ok = is_unused_{lane} || {};",
            VALUE_BITS - 1,
            sum.collect::<Vec<_>>().join(" + "),
            right.collect::<Vec<_>>().join(" && ")
        );
    }
    text + "endmodule\n"
}

/// Cases of the value of each encoded digit; the others, -0 among them, are 0.
fn digit_values(set: DigitSet, digit_bits: u32) -> String {
    // Where lanes multiply a machine may have fewer bits than the set.
    let mask = u8::MAX >> (u8::BITS - digit_bits);
    let fits = |d: &Digit| match set {
        _ if set.is_sign_magnitude() => true,
        DigitSet::Shifted if digit_bits >= SIGNIFICAND_BITS => set.encode(*d) & mask == set.encode(*d),
        _ => (d.value() << (32 - digit_bits)) >> (32 - digit_bits) == d.value(),
    };
    let non_zero = set.digits().into_iter().filter(|d| d.value() != 0 && fits(d));
    non_zero.map(|d| format!("{}: digit = {};", set.encode(d) & mask, d.value())).collect::<Vec<_>>().join(" ")
}

/// Module `codebook`: what each type's codes stand for, its planes and its table.
fn codebook(machine: &Machine, type_bits: u32) -> String {
    let mut text = format!(
        "module codebook (\n  input wire [{}:0] weight_type,\n  input wire [{}:0] code,\n  input wire [{1}:0] neighbour,\n  \
         output reg signed [{}:0] value,\n  \
         output reg special,\n  output reg unused,\n  output reg [{}:0] planes,\n  output reg [{}:0] digits\n);\n  \
         always @* begin\n    value = 0;\n    special = 0;\n    unused = 1;\n    digits = 0;\n    case (weight_type)\n",
        type_bits - 1,
        machine.code_bits - 1,
        VALUE_BITS - 1,
        MAX_PLANES - 1,
        MAX_PLANES * DIGIT_BITS as usize - 1
    );
    for (t, executed) in machine.types.iter().enumerate() {
        let (kind, terms) = (&executed.weight_type, executed.table.terms);
        let label = if t + 1 == machine.types.len() { "default".into() } else { format!("{type_bits}'d{t}") };
        let (top, victim) = (kind.code_bits - 1, kind.victim_code());
        // Below the code, whether the neighbour is a victim.
        let beside = match victim {
            Some(victim) => format!("neighbour[{top}:0] == {victim}"),
            None => "1'b0".into(),
        };
        let _ = writeln!(
            text,
            "      {label}: begin\n        planes = {};\n        case ({{code[{top}:0], {beside}}})",
            (1 << terms) - 1
        );
        let codes = (0..=u16::MAX).zip(&kind.codes).filter(|(_, value)| **value != CodeValue::Unused);
        let neighbours = || [None].into_iter().chain(victim.map(Some));
        for ((code, value), neighbour) in codes.flat_map(|entry| neighbours().map(move |n| (entry, n))) {
            let label = 2 * u32::from(code) + u32::from(neighbour.is_some());
            if *value == CodeValue::Special {
                let _ = writeln!(text, "          {label}: begin special = 1; unused = 0; end");
                continue;
            }
            let value = kind.value_beside(code, neighbour, 0).unwrap();
            let digits = executed.table.digits_of(code, neighbour, &Digits::default());
            let places = machine.pe.digit_set.to_places(&digits);
            let digits = places.iter().rev().fold(0u32, |word, place| word << DIGIT_BITS | u32::from(*place));
            let _ = writeln!(text, "          {label}: begin value = {value}; unused = 0; digits = {digits}; end");
        }
        text.push_str("          default: ;\n        endcase\n      end\n");
    }
    text.push_str("    endcase\n  end\nendmodule\n\n");
    text
}
