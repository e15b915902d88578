//! The bit-serial dequantizer: the product that leaves the PE's hold register is the group sum times the scale code, exact,
//! with the group sum's exponent, for every sum and every code, however the drain is stalled.
//!
//! A 25-bit sum times an 8-bit code is out of reach of a SAT solver where the additions come in another order than in `*`.
//! So the proof is split, and every part is complete:
//! 1. **The PE alone**, any bits in any cycles: an observer records the group sum `s` of a capture and computes
//!    `value = 2 · value + bit · s` from 0 with every scale bit taken, wide enough that nothing is lost. By induction over
//!    cycles the held sum stays `s`, the hold register equals `value` and loses nothing (`|value| <= (2^n - 1) · 2^(A-1)`
//!    after n bits, A the accumulator's width), and the exponent is the group sum's, until the register shifts.
//! 2. **The tile** without the insides of its PEs and scale units, all inputs free: from reset on, between a capture and the first shift every PE sees exactly 8 bits, those
//!    of the scale code that its column was offered at the capture, the highest first, and nothing else moves it; captures
//!    come with the last term and an offered scale beat, and not before all slots have left.
//! 3. **Algebra**: a code is Σ bit_i · 2^i, so `value` after its 8 bits, the highest first, is `s` · code
//!    ([`value_is_the_product`] goes through the codes).
//!
//! An induction is two queries, a start and a step over one cycle from *any* state in which the invariant holds; the group
//! sum is cut out of the datapath as a free number in part 1, which claims more than is needed.

use std::fmt::Write;

use bitmosaic_arch::{Machine, PeWidths};
use bitmosaic_rtl::netlist::{CLOCK, Design, Module, RESET};

use super::yosys::{self, Claim, Given, Subject};
use crate::common::Folder;

/// Scale codes have 8 bits: stated here, not read from the machine.
const SCALE_BITS: u32 = 8;

/// Proves all parts for a tile with dequantizers.
pub fn prove(folder: &Folder, machine: &Machine, tile: &Design) -> Result<(), String> {
    let element = Design::new(tile.module("float_pe").unwrap().clone(), vec![]).unwrap();
    let show = "-show valid,taken,sum,value,held,hold,capture_i,dequantize_i,scale_bit_i,shift_i";
    let claim = |name, output, given| Claim { name, output, given, show };
    let claims = [
        claim("the PE holds nothing before its first capture", "invariant", Given::Now("valid", 0)),
        claim("the PE multiplies bit by bit", "invariant", Given::Before("invariant")),
        claim("after the scale bits the hold register has the product", "product", Given::Now("invariant", 1)),
    ];
    let nets = [
        ("held", "held_q"),
        ("hold", "hold_q"),
        ("exponent", "hold_exponent_q"),
        ("total", "accumulator_d"),
        ("accumulator", "accumulator_q"),
        ("accumulator_exponent", "accumulator_exponent_q"),
    ];
    let subject = Subject {
        property: element_property(machine, element.top()),
        shown: nets.map(|(wire, net)| (wire.to_string(), format!("u_pe.{net}"))).to_vec(),
        free: Some("u_pe.accumulator_d"),
        ..Subject::default()
    };
    yosys::prove(folder, &element, &subject, &claims)?;

    let show = "-show capture,dequantize,issue,draining,slot,taken,code_0,left_0";
    let claim = |name, output, given| Claim { name, output, given, show };
    let claims = [
        claim("after a reset the drain is empty", "invariant", Given::Before(RESET)),
        claim("the drain gives the bits of the scale codes in order", "invariant", Given::Before("invariant")),
        claim("every PE sees its column's bits, then its slot", "wiring", Given::Now("invariant", 1)),
    ];
    yosys::prove(folder, tile, &tile_subject(machine, tile), &claims)
}

/// Part 3: 2 · value + bit · sum with the bits of the code, the highest first.
pub fn value_is_the_product(sum: i64, code: u8) -> bool {
    let bits = (0..SCALE_BITS).rev().map(|i| i64::from(code >> i & 1));
    bits.fold(0, |value, bit| 2 * value + bit * sum) == sum * i64::from(code)
}

/// Port list of module `property` and the instance: all inputs of the design's top are free.
fn head(top: &Module, instance: &str, outputs: &[&str]) -> String {
    let mut ports = vec![format!("  input wire {CLOCK}")];
    ports.extend(top.is_resettable().then(|| format!("  input wire {RESET}")));
    let range = |port: &bitmosaic_rtl::netlist::ModulePort| top.shape(port.net).width - 1;
    ports.extend(top.inputs.iter().map(|p| format!("  input wire [{}:0] {}", range(p), p.name)));
    ports.extend(outputs.iter().map(|name| format!("  output wire {name}")));
    let mut connections: Vec<String> = top.inputs.iter().map(|p| format!(".{0}({0})", p.name)).collect();
    connections.push(format!(".{CLOCK}({CLOCK})"));
    connections.extend(top.is_resettable().then(|| format!(".{RESET}({RESET})")));
    format!("module property (\n{}\n);\n  {} {instance} ({});\n", ports.join(",\n"), top.name, connections.join(", "))
}

fn element_property(machine: &Machine, element: &Module) -> String {
    let PeWidths::Float(widths) = &machine.pe.kind else { unreachable!("only float PEs have a dequantizer") };
    let bits = machine.pe.accumulator_bits;
    // Wider than any value can get: what is lost in the product's width would show.
    let wide = bits + SCALE_BITS + 4;
    head(element, "u_pe", &["invariant", "product"])
        + &format!(
            "  wire signed [{a}:0] total, held, accumulator;
  wire signed [{p}:0] hold;
  wire [{e}:0] exponent, accumulator_exponent;
  reg valid, fresh;
  reg [3:0] taken;
  reg signed [{a}:0] sum;
  reg signed [{w}:0] value;
  reg [{e}:0] sum_exponent;
  always @(posedge {CLOCK}) begin
    fresh <= capture_i;
    if (capture_i) begin
      valid <= accumulate_i;
      taken <= 0;
      sum <= total;
      value <= 0;
    end else begin
      if (shift_i || (dequantize_i && taken == {SCALE_BITS}))
        valid <= 0;
      if (dequantize_i) begin
        taken <= taken + 4'd1;
        value <= 2 * value + (scale_bit_i ? sum : {bits}'sd0);
      end
    end
    if (fresh)
      sum_exponent <= accumulator_exponent;
  end
  wire signed [{w}:0] limit = (({wide}'sd1 <<< taken) - {wide}'sd1) <<< {a};
  wire is_sum = held == sum && (!fresh || held == accumulator) && (fresh ? !taken : 1'b1);
  wire is_exponent = exponent == (fresh ? accumulator_exponent : sum_exponent);
  assign invariant = !valid || (taken <= {SCALE_BITS} && is_sum && is_exponent && hold == value && value <= limit && -limit <= value);
  assign product = !(valid && taken == {SCALE_BITS}) || (hold == value && exponent == sum_exponent);
endmodule
",
            a = bits - 1,
            p = widths.held_bits - 1,
            e = widths.exponent_bits - 1,
            w = wide - 1,
        )
}

fn tile_subject(machine: &Machine, tile: &Design) -> Subject<'static> {
    let drain = tile.module("drain_control").unwrap();
    let slot_bits = drain.shape(drain.net("slot_q").unwrap()).width;
    let (rows, columns) = (machine.tile.rows, machine.tile.columns);
    let mut text = head(tile.top(), "u_tile", &["invariant", "wiring"]);
    let mut shown = [
        ("capture", "u_control.capture"),
        ("dequantize", "u_drain.dequantize"),
        ("issue", "u_drain.issue"),
        ("draining", "u_drain.draining_q"),
        ("slot", "u_drain.slot_q"),
        ("ready", "scale_ready_o"),
    ]
    .into_iter()
    .map(|(wire, net)| (wire.to_string(), format!("u_tile.{net}")))
    .collect::<Vec<_>>();
    let _ = writeln!(
        text,
        "  wire capture, dequantize, issue, draining, ready;
  wire [{}:0] slot;
  reg [3:0] taken;
  always @(posedge {CLOCK})
    if (capture) taken <= 0;
    else if (dequantize) taken <= taken + 4'd1;
  wire counted = slot < {} && taken == (slot < {SCALE_BITS} ? slot : {SCALE_BITS});
  wire ordered = (!issue || taken == {SCALE_BITS}) && !(issue && dequantize)
    && (!capture || ((!draining || (issue && slot == {})) && ready && scale_valid_i));",
        slot_bits - 1,
        machine.scale_unit.slots,
        machine.scale_unit.slots - 1
    );
    let (mut codes, mut wires) = (Vec::new(), vec!["ordered".to_string()]);
    for c in 0..columns {
        let (high, low) = (8 * c + 7, 8 * c);
        let _ = writeln!(
            text,
            "  wire [7:0] left_{c};\n  reg [7:0] code_{c};\n  \
             always @(posedge {CLOCK}) if (capture) code_{c} <= scale_data_i[{high}:{low}];\n  \
             wire [7:0] rest_{c} = code_{c} << slot;"
        );
        codes.push(format!("left_{c} == rest_{c}"));
        shown.push((format!("left_{c}"), format!("u_tile.u_drain.scale_q[{high}:{low}]")));
        for r in 0..rows {
            let _ = writeln!(
                text,
                "  wire capture_{r}_{c}, accumulate_{r}_{c}, dequantize_{r}_{c}, bit_{r}_{c}, shift_{r}_{c};"
            );
            wires.push(format!(
                "capture_{r}_{c} == capture && (!capture || accumulate_{r}_{c}) && shift_{r}_{c} == issue && \
                 dequantize_{r}_{c} == dequantize && (!dequantize || (taken < {SCALE_BITS} && bit_{r}_{c} == code_{c}[7 - taken]))"
            ));
            let ports = ["capture", "accumulate", "dequantize", "shift", "scale_bit"];
            shown.extend(ports.map(|port| {
                let wire = if port == "scale_bit" { "bit" } else { port };
                (format!("{wire}_{r}_{c}"), format!("u_tile.u_pe_{r}_{c}.{port}_i"))
            }));
        }
    }
    let _ = writeln!(
        text,
        "  assign invariant = !draining || (counted && (slot > {SCALE_BITS} || ({})));\n  assign wiring = {};\nendmodule",
        codes.join(" && "),
        wires.join("\n    && ")
    );
    let emptied = &["float_pe", "activation_decoder", "term_generator", "scale_unit", "output_stage"];
    Subject { property: text, emptied, shown, free: None }
}
