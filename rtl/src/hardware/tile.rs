//! The tile: operand registers, a term generator a column, PEs, hold chains, scale units and output stages.

use bitmosaic_arch::{EXPONENT_BITS, Machine, PeWidths, TermOrder};
use bitmosaic_mappings::{field, ports};
use bitmosaic_numerics::DigitSet;

use super::drain_control::drain_control;
use super::output_stage::output_stage;
use super::parts::{Part, PartsOf};
use super::pe::bit_serial_float::{DECODED_BITS, activation_decoder};
use super::pe::fp16_mac::weight_decoder;
use super::pe::processing_element;
use super::scale_decoder::scale_decoder;
use super::scale_unit::scale_unit;
use super::term_generator::term_generator;
use super::tile_control::tile_control;
use crate::netlist::{Design, Module, ModuleBuilder, Net, NetlistError, Outputs};

/// Design with the top module `tile`, and the parts that its modules are.
pub(super) fn build(machine: &Machine) -> Result<(Design, PartsOf), NetlistError> {
    let tile = &machine.tile;
    let pe = &machine.pe;
    let (rows, columns, lanes) = (tile.rows, tile.columns, pe.lanes);
    let control_module = tile_control(machine)?;
    let takes_fp16 = pe.digit_set == DigitSet::Fp16;
    let generator_module = if takes_fp16 { weight_decoder(machine)? } else { term_generator(machine)? };
    let pe_module = processing_element(machine)?;
    let decoder_module = machine.aligner.is_none().then(|| activation_decoder(machine)).transpose()?;
    let drain_module = drain_control(machine)?;
    let scale_module = scale_unit(machine)?;
    let decoder_of_scales = (machine.scale_unit.decode_cycles > 0).then(|| scale_decoder(machine)).transpose()?;
    let output_module = output_stage(machine)?;

    let mut m = ModuleBuilder::new(
        "tile",
        &format!(
            "Tile of design {}: {rows} rows (tokens) x {columns} columns (output channels), {lanes} lanes.\n\
             Streams are ready/valid: a beat moves at the edge where both are high, and an offered beat stays until taken.",
            machine.name
        ),
    );
    let docs = [
        "commands of 32 bytes",
        "a chunk of weights: per column, lowest first, codes of the lanes and the group's special value selector",
        "a chunk of activations: per row, lowest first, the lanes",
        "a group's scale codes and zero points: per column, the code lowest",
        "a pass' channel scales: per column FP16",
        "a group's shared exponents: per row 5 bits, the non-finite flag, the sum of the activations if zero points need it",
    ];
    let widths = [
        field::COMMAND_BITS,
        tile.weight_beat_bits,
        tile.activation_beat_bits,
        tile.scale_beat_bits,
        tile.channel_beat_bits,
        tile.exponent_beat_bits.unwrap_or(0),
    ];
    let streams: Vec<(Net, Net)> = ports::tile_inputs(machine)
        .iter()
        .zip(docs)
        .zip(widths)
        .map(|((name, doc), width)| {
            let valid = m.input(&format!("{name}_valid_i"), 1, doc);
            (valid, m.input(&format!("{name}_data_i"), width, doc))
        })
        .collect();
    let output_ready = m.input("output_ready_i", 1, "the output beat is taken");
    let [command, weight, activation, scale, channel] = [0, 1, 2, 3, 4].map(|i| streams[i]);
    let exponent = streams.get(5);

    // Drain control and tile control see each other's state only through registers, which the netlist checks.
    let hold_free = m.wire("hold_free", 1, "the hold chains can take a group");
    let output_valid = m.wire("output_valid", 1, "an output beat is offered");
    let output_last = m.wire("output_last", 1, "it ends its command");
    let mut inputs = vec![
        ("command_valid_i", command.0),
        ("command_data_i", command.1),
        ("weight_valid_i", weight.0),
        ("activation_valid_i", activation.0),
        ("scale_valid_i", scale.0),
        ("channel_valid_i", channel.0),
        ("hold_free_i", hold_free),
        ("output_valid_i", output_valid),
        ("output_last_i", output_last),
        ("output_ready_i", output_ready),
    ];
    inputs.extend(exponent.map(|e| ("exponent_valid_i", e.0)));
    let control = m.instance("u_control", &control_module, &inputs);

    // Operand registers; without aligner the rows' FP16 activations are taken apart at the edge.
    let load = Some(control.get("load_o"));
    let weights = m.reg("weight_q", weight.1, load, None, "codes and selectors of the chunk");
    let activations = m.reg("activation_q", activation.1, load, None, "activations of the chunk");
    let row_bits = lanes * pe.activation_bits;
    let rows_raw: Vec<Net> = (0..rows).map(|r| m.slice(activations, r * row_bits, row_bits)).collect();
    let (row_activations, non_finite) = match &decoder_module {
        None => {
            let rows = (0..).zip(rows_raw);
            (rows.map(|(r, row)| with_triples(&mut m, machine, r, row)).collect::<Vec<_>>(), None)
        }
        Some(decoder) => {
            let decoders: Vec<Outputs> = (0..rows)
                .map(|r| m.instance(&format!("u_row_{r}"), decoder, &[("activation_i", rows_raw[r as usize])]))
                .collect();
            let flags: Vec<Net> = decoders.iter().map(|d| d.get("non_finite_o")).collect();
            let flags = m.concat(&flags);
            let group_flags = group_non_finite(&mut m, machine, &control, flags);
            (decoders.iter().map(|d| d.get("activation_o")).collect(), Some(group_flags))
        }
    };
    debug_assert!(row_activations.iter().all(|a| decoder_module.is_none() || a.width == lanes * DECODED_BITS));

    let mut inputs = vec![
        ("capture_i", control.get("capture_o")),
        ("advance_i", control.get("moving_o")),
        ("first_group_i", control.get("first_group_o")),
        ("pass_end_i", control.get("pass_end_o")),
        ("last_i", control.get("last_o")),
        ("scale_i", scale.1),
        ("channel_i", channel.1),
    ];
    inputs.extend(exponent.map(|e| ("exponent_i", e.1)));
    inputs.extend(non_finite.map(|flags| ("non_finite_i", flags)));
    let in_memory = machine.scale_unit.accumulator_blocks > 1;
    if in_memory {
        inputs.extend([("continues_i", control.get("continues_o")), ("block_i", control.get("block_o"))]);
    }
    let drain = m.instance("u_drain", &drain_module, &inputs);
    m.assign(hold_free, drain.get("hold_free_o"));
    m.assign(output_valid, drain.get("output_valid_o"));
    m.assign(output_last, drain.get("output_last_o"));

    // Term generators; of FP16 weights decoders.
    let code_bits = lanes * machine.code_bits;
    let digits: Vec<Net> = (0..columns)
        .map(|c| {
            let base = c * (code_bits + 2);
            let codes = m.slice(weights, base, code_bits);
            let selector = m.slice(weights, base + code_bits, 2);
            let mut inputs = vec![("code_i", codes)];
            if !takes_fp16 {
                inputs.extend([
                    ("selector_i", selector),
                    ("weight_type_i", control.get("weight_type_o")),
                    ("plane_i", control.get("plane_o")),
                    ("special_digits_i", control.get("special_digits_o")),
                ]);
            }
            m.instance(&format!("u_term_{c}"), &generator_module, &inputs).get("digit_o")
        })
        .collect();

    let plane = match pe.order {
        TermOrder::WeightMajor => ("plane_i", control.get("term_plane_o")),
        TermOrder::PlaneMajor => ("next_plane_i", control.get("term_next_plane_o")),
    };

    // PEs, built from the tail of each chain to its head, which feeds the scale unit.
    let unit = &machine.scale_unit;
    let multiplies = unit.dequantize_cycles == 0;
    let has_exponents = pe.kind.float().is_some();
    let mut outputs = Vec::new();
    for u in 0..unit.units {
        let held_bits = if multiplies { pe.accumulator_bits } else { unit.product_bits };
        let mut chain = m.constant_signed(0, held_bits);
        let mut chain_exponent = m.constant(0, unit.exponent_bits);
        for index in (0..unit.pes).rev() {
            let Some((row, column)) = machine.pe_of_unit(u, index) else { continue };
            let mut inputs = vec![
                ("digit_i", digits[column as usize]),
                ("activation_i", row_activations[row as usize]),
                ("accumulate_i", control.get("accumulate_o")),
                ("clear_i", control.get("term_clear_o")),
                ("capture_i", control.get("capture_o")),
                ("shift_i", drain.get("issue_o")),
                ("chain_i", chain),
            ];
            if !takes_fp16 {
                inputs.push(plane);
            }
            if pe.pipeline_registers > 0 {
                inputs.push(("advance_i", control.get("advance_o")));
            }
            if !multiplies {
                let scale_bit = m.bit(drain.get("scale_bit_o"), column);
                inputs.push(("dequantize_i", drain.get("dequantize_o")));
                inputs.push(("scale_bit_i", scale_bit));
            }
            if has_exponents {
                inputs.push(("chain_exponent_i", chain_exponent));
            }
            let element = m.instance(&format!("u_pe_{row}_{column}"), &pe_module, &inputs);
            chain = element.get("chain_o");
            if has_exponents {
                chain_exponent = element.get("chain_exponent_o");
            }
        }
        let slice = |m: &mut ModuleBuilder, port: &str, bits: u32| m.slice(drain.get(port), u * bits, bits);
        let mut inputs = vec![
            ("sum_i", chain),
            ("channel_i", slice(&mut m, "slot_channel_o", 16)),
            ("non_finite_i", slice(&mut m, "slot_non_finite_o", 1)),
            ("advance_i", control.get("moving_o")),
        ];
        if multiplies {
            inputs.push(("scale_i", slice(&mut m, "slot_scale_o", machine.scale_code_bits)));
        }
        let exponent = if has_exponents { chain_exponent } else { slice(&mut m, "slot_exponent_o", EXPONENT_BITS) };
        inputs.push(("exponent_i", exponent));
        if let Some(decoder) = &decoder_of_scales {
            if machine.zero_point_bits > 0 {
                let zero = slice(&mut m, "slot_zero_point_o", machine.zero_point_bits);
                inputs.push(("zero_point_i", m.as_signed(zero)));
                let sum = slice(&mut m, "slot_activation_sum_o", machine.activation_sum_bits);
                inputs.push(("activation_sum_i", m.as_signed(sum)));
            }
            if machine.scale_kinds.len() > 1 {
                inputs.push(("scale_kind_i", control.get("scale_kind_o")));
            }
            let decoded = m.instance(&format!("u_decode_{u}"), decoder, &inputs);
            inputs = vec![
                ("sum_i", decoded.get("sum_o")),
                ("channel_i", decoded.get("channel_o")),
                ("non_finite_i", decoded.get("non_finite_o")),
                ("advance_i", control.get("moving_o")),
                ("scale_i", decoded.get("significand_o")),
                ("exponent_i", decoded.get("exponent_o")),
            ];
        }
        inputs.extend([("first_group_i", drain.get("first_group_o")), ("write_i", drain.get("write_o"))]);
        if in_memory {
            let addresses = [("read_address_i", "read_address_o"), ("write_address_i", "write_address_o")];
            let ports = addresses.into_iter().chain([("read_i", "read_o")]);
            inputs.extend(ports.map(|(input, output)| (input, drain.get(output))));
        } else if unit.step_registers > 0 {
            inputs.push(("in_flight_i", drain.get("in_flight_o")));
        }
        let scale = m.instance(&format!("u_scale_{u}"), &scale_module, &inputs);
        let inputs = [
            ("accumulator_i", scale.get("accumulator_o")),
            ("channel_i", scale.get("channel_o")),
            ("non_finite_i", scale.get("non_finite_o")),
            ("fraction_bits_i", control.get("fraction_bits_o")),
            ("advance_i", control.get("moving_o")),
        ];
        outputs.push(m.instance(&format!("u_output_{u}"), &output_module, &inputs).get("output_o"));
    }

    let readies = ["command_ready_o", "load_o", "load_o", "capture_o", "channel_ready_o", "capture_o"];
    for (name, ready) in ports::tile_inputs(machine).iter().zip(readies) {
        m.output(&format!("{name}_ready_o"), control.get(ready), "the beat is taken at this edge if offered");
    }
    let beat = m.concat(&outputs);
    m.output("output_valid_o", output_valid, "an output beat is offered");
    m.output("output_data_o", beat, "FP16 outputs, one a scale unit");
    m.output("retire_o", control.get("retire_o"), "a command retires at this edge");
    for name in ports::TILE_STATUS {
        let port = format!("{name}_o");
        m.output(&port, control.get(&port), "status, counted by testbenches");
    }
    let top = m.finish()?;
    let of = |module: &Module, part| (module.name.clone(), part);
    let mut parts = vec![
        of(&top, Part::Operands),
        of(&control_module, Part::Control),
        of(&generator_module, Part::TermGenerators),
        of(&pe_module, Part::ProcessingElements),
        of(&drain_module, Part::ScaleUnits),
        of(&scale_module, Part::ScaleUnits),
        of(&output_module, Part::OutputStages),
    ];
    parts.extend(decoder_module.as_ref().map(|module| of(module, Part::Operands)));
    parts.extend(decoder_of_scales.as_ref().map(|module| of(module, Part::ScaleUnits)));
    let mut modules = vec![control_module, generator_module, pe_module, drain_module, scale_module, output_module];
    modules.extend(decoder_module);
    modules.extend(decoder_of_scales);
    Ok((Design::new(top, modules)?, parts))
}

/// A row's aligned activations, each with three times itself above it where the digits need that: once for all PEs of the row.
fn with_triples(m: &mut ModuleBuilder, machine: &Machine, index: u32, row: Net) -> Net {
    let (w, triple_bits) = match &machine.pe.kind {
        PeWidths::Block(block) if block.triple_bits > 0 => (block.significand_bits, block.triple_bits),
        _ => return row,
    };
    let mut fields = Vec::new();
    for lane in 0..machine.pe.lanes {
        let activation = m.slice(row, lane * w, w);
        let signed = m.as_signed(activation);
        let doubled = m.shift_left_const(signed, 1);
        let triple = m.add(doubled, signed);
        let triple = m.truncate(triple, triple_bits);
        let name = format!("triple_{index}_{lane}");
        let triple = m.name(triple, &name, "three times the activation: row, lane");
        fields.extend([activation, m.as_unsigned(triple)]);
    }
    m.concat(&fields)
}

/// Flags of the group that ends with the term at the accumulators, a row: they move with the steps as the lanes do.
fn group_non_finite(m: &mut ModuleBuilder, machine: &Machine, control: &Outputs, flags: Net) -> Net {
    let mut flags = flags;
    for stage in 1..=machine.pe.pipeline_registers {
        let advance = Some(control.get("advance_o"));
        flags = m.reg(&format!("non_finite_{stage}_q"), flags, advance, None, "non-finite flags, move with the step");
    }
    let seen = m.register("non_finite_q", flags.width, false, "the group has a NaN or an infinity so far, a row");
    let clear = m.replicate(control.get("term_clear_o"), flags.width);
    let keep = m.not(clear);
    let before = m.and(keep, seen);
    let now = m.or(before, flags);
    let now = m.name(now, "non_finite", "the group has a NaN or an infinity, a row");
    m.drive(seen, now, Some(control.get("accumulate_o")), None);
    now
}
