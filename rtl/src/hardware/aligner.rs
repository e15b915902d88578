//! The aligner: one pass fills a group buffer and finds the largest exponent, the second shifts and rounds; two buffers
//! overlap the passes, so that it takes and gives a beat every cycle.

use bitmosaic_arch::{Aligner, Machine};
use bitmosaic_mappings::{field, ports};

use super::float::{Step, gate, shift_right_sticky};
use super::index_bits;
use crate::netlist::{Design, Module, ModuleBuilder, Net, NetlistError, address_bits};

/// Design with the top module `aligner`.
pub(super) fn build(machine: &Machine, aligner: &Aligner) -> Result<Design, NetlistError> {
    let (lanes, w) = (aligner.values_per_cycle, machine.pe.activation_bits);
    let lane_module = align_lane(w, aligner.lane_registers)?;
    let mut m = ModuleBuilder::new(
        "aligner",
        &format!(
            "Aligner of design {}: {lanes} FP16 activations a cycle in, {w}-bit integers out that share the\n\
             largest exponent of their group; NaN and infinities set the group's non-finite flag.",
            machine.name
        ),
    );
    let [command_name, fp16_name] = ports::ALIGNER_INPUTS;
    let command_valid = m.input(&format!("{command_name}_valid_i"), 1, "a command is offered");
    let command = m.input(&format!("{command_name}_data_i"), field::COMMAND_BITS, "commands of 32 bytes");
    let beat_valid = m.input(&format!("{fp16_name}_valid_i"), 1, "a chunk of activations is offered");
    let beat = m.input(&format!("{fp16_name}_data_i"), lanes * 16, "FP16 activations of a token, lowest first");
    let output_ready = m.input("output_ready_i", 1, "the aligned beat is taken");

    // Command.
    let busy = m.register("busy_q", 1, false, "a command is running");
    let output_valid = m.register("output_valid_q", 1, false, "the output register holds a beat");
    let output_last = m.register("output_last_q", 1, false, "the beat is the last of its command");
    let idle = m.not(busy);
    let accept = m.and(command_valid, idle);
    let opcode = m.slice(command, field::OPCODE.0, field::OPCODE.1);
    let is_product = m.reduce_or(opcode);
    let start = m.and(accept, is_product);
    let start = m.name(start, "start", "a product is accepted");
    let is_end = m.not(is_product);
    let end = m.and(accept, is_end);
    let finish = m.and_all(&[output_valid, output_last, output_ready]);
    let finish = m.name(finish, "finish", "the last beat of the command is taken");
    let busy_changes = m.or(start, finish);
    m.drive(busy, start, Some(busy_changes), Some(0));
    let retire = m.or(finish, end);
    let mut command_field = |name: &str, (low, _): (u32, u32), width: u32, doc: &str| {
        let value = m.slice(command, low, width);
        m.reg(name, value, Some(start), None, doc)
    };
    let group = command_field("group_q", field::GROUP, field::GROUP.1, "input channels of a group");
    let tokens = command_field("tokens_q", field::TOKENS, field::DIMENSION_BITS, "M");
    let input_channels = command_field("input_channels_q", field::INPUT_CHANNELS, field::DIMENSION_BITS, "K");
    m.ignore(command);

    // First pass: fill a buffer.
    let group_beats = aligner.group_beats;
    let beat_bits = index_bits(group_beats);
    let reading = m.register("reading_q", 1, false, "tokens are left to read");
    let write_side = m.register("write_side_q", 1, false, "buffer that is filled");
    let read_side = m.register("read_side_q", 1, false, "buffer that is emptied");
    let full = [0, 1].map(|i| m.register(&format!("full_{i}_q"), 1, false, "the buffer holds a group"));
    let write_full = m.mux(write_side, full[1], full[0]);
    let room = m.not(write_full);
    let beat_ready = m.and(reading, room);
    let take = m.and(beat_ready, beat_valid);
    let take = m.name(take, "take", "a beat enters the buffer");
    let taken = take;
    let (k, next_k, token_end) = counter(&mut m, "input_channel_q", lanes, input_channels);
    let (group_k, next_group_k, group_full) = counter(&mut m, "group_channel_q", lanes, group);
    let (token, next_token, last_token) = counter(&mut m, "token_q", 1, tokens);
    let group_end = m.or(group_full, token_end);
    let write_beat = m.register("write_beat_q", beat_bits, false, "beat of the group");
    let one = m.constant(1, beat_bits);
    let next_beat = m.add(write_beat, one);
    let next_beat = m.truncate(next_beat, beat_bits);
    let moves = m.or(start, take);
    for (register, next, wraps) in
        [(k, next_k, token_end), (group_k, next_group_k, group_end), (write_beat, next_beat, group_end)]
    {
        let restarts = m.or(start, wraps);
        let keep = m.not(restarts);
        let next = gate(&mut m, keep, next);
        m.drive(register, next, Some(moves), None);
    }
    let token_ends = m.and(take, token_end);
    let token_ends = m.name(token_ends, "token_ends", "the last beat of a token enters");
    let keep = m.not(start);
    let next_token = gate(&mut m, keep, next_token);
    let token_moves = m.or(start, token_ends);
    m.drive(token, next_token, Some(token_moves), None);
    let all_read = m.and(token_ends, last_token);
    let reading_changes = m.or(start, all_read);
    m.drive(reading, start, Some(reading_changes), Some(0));

    // Largest exponent and non-finite flag so far; a group starts from exponent 1, that of zero and subnormals.
    // With a register ahead of the buffer, room is still seen in time: a side is filled again two beats later at the earliest.
    let entering = |m: &mut ModuleBuilder, name: &str, net: Net, reset: Option<u64>| match aligner.input_registers {
        0 => net,
        _ => m.reg(&format!("entering_{name}_q"), net, None, reset, "of the beat on its way to the buffer"),
    };
    let beat = entering(&mut m, "beat", beat, None);
    let take = entering(&mut m, "valid", take, Some(0));
    let exponents: Vec<Net> = (0..lanes).map(|i| m.slice(beat, i * 16 + 10, 5)).collect();
    let infinite: Vec<Net> = exponents.iter().map(|e| m.reduce_and(*e)).collect();
    let any_infinite = m.or_all(&infinite);
    let largest = exponents.into_iter().reduce(|a, b| larger(&mut m, a, b)).unwrap_or(beat);
    let exponent_so_far = m.register("exponent_q", 5, false, "largest exponent of the group so far");
    let non_finite_so_far = m.register("non_finite_q", 1, false, "the group has a NaN or an infinity so far");
    let any_before = m.reduce_or(group_k);
    let any_before = entering(&mut m, "any_before", any_before, None);
    let floor = m.constant(1, 5);
    let so_far = m.mux(any_before, exponent_so_far, floor);
    let exponent = larger(&mut m, so_far, largest);
    let exponent = m.name(exponent, "exponent_d", "largest exponent with this beat");
    let so_far = m.and(any_before, non_finite_so_far);
    let non_finite = m.or(so_far, any_infinite);
    m.drive(exponent_so_far, exponent, Some(take), None);
    m.drive(non_finite_so_far, non_finite, Some(take), None);
    let ends = m.and(taken, group_end);
    let ends = m.name(ends, "group_ends", "the last beat of a group enters");
    let next_side = m.not(write_side);
    m.drive(write_side, next_side, Some(ends), Some(0));
    let last_group = m.and(token_end, last_token);
    let ends = entering(&mut m, "group_ends", ends, Some(0));
    let last_group = entering(&mut m, "last_group", last_group, None);
    let write_beat = entering(&mut m, "write_beat", write_beat, None);
    let write_side = entering(&mut m, "write_side", write_side, None);
    let entry = m.concat(&[exponent, non_finite, last_group, write_beat]);
    let filled = [0, 1].map(|side| {
        let this = if side == 1 { write_side } else { m.not(write_side) };
        let fills = m.and(ends, this);
        (fills, m.reg(&format!("group_{side}_q"), entry, Some(fills), None, "exponent, non-finite, last, last beat"))
    });

    // Second pass: RAM, shift and round.
    let blocked = m.not(output_ready);
    let blocked = m.and(output_valid, blocked);
    let moving = m.not(blocked);
    let moving = m.name(moving, "moving", "the second pass moves");
    let read_full = m.mux(read_side, full[1], full[0]);
    let fetch = m.and(read_full, moving);
    let fetch = m.name(fetch, "fetch", "a beat is read from the buffer");
    let group_entry = m.mux(read_side, filled[1].1, filled[0].1);
    let read_beat = m.register("read_beat_q", beat_bits, false, "beat that is read");
    let last_beat = m.slice(group_entry, 7, beat_bits);
    let read_end = m.eq(read_beat, last_beat);
    let next_beat = m.add(read_beat, one);
    let next_beat = m.truncate(next_beat, beat_bits);
    let keep = m.not(read_end);
    let next_beat = gate(&mut m, keep, next_beat);
    m.drive(read_beat, next_beat, Some(fetch), Some(0));
    let empties = m.and(fetch, read_end);
    let next_side = m.not(read_side);
    m.drive(read_side, next_side, Some(empties), Some(0));
    for side in [0, 1] {
        let this = if side == 1 { read_side } else { m.not(read_side) };
        let emptied = m.and(empties, this);
        let changes = m.or(filled[side].0, emptied);
        m.drive(full[side], filled[side].0, Some(changes), Some(0));
    }
    let depth = 2 << beat_bits;
    let write_address = m.concat(&[write_beat, write_side]);
    let read_address = m.concat(&[read_beat, read_side]);
    debug_assert_eq!(address_bits(depth), beat_bits + 1);
    let data = m.ram("group", depth, lanes * 16, take, write_address, beat, fetch, read_address, "two groups of FP16");
    let fetched = m.reg("fetched_q", fetch, Some(moving), Some(0), "the RAM shows a beat");
    let exponent = m.slice(group_entry, 0, 5);
    let exponent = m.reg("fetched_exponent_q", exponent, Some(fetch), None, "its group's exponent");
    let non_finite = m.bit(group_entry, 5);
    let non_finite = m.reg("fetched_non_finite_q", non_finite, Some(fetch), None, "its group's non-finite flag");
    let last = m.bit(group_entry, 6);
    let last = m.and(last, read_end);
    let last = m.reg("fetched_last_q", last, Some(fetch), None, "the beat is the last of its command");
    let mut aligned: Vec<Net> = (0..lanes)
        .map(|i| {
            let value = m.slice(data, i * 16, 16);
            let mut inputs = vec![("fp16_i", value), ("exponent_i", exponent)];
            if aligner.lane_registers > 0 {
                inputs.push(("advance_i", moving));
            }
            m.instance(&format!("u_lane_{i}"), &lane_module, &inputs).get("aligned_o")
        })
        .collect();
    // What goes beside the lanes.
    let beside = |m: &mut ModuleBuilder, name: &str, net: Net, reset: Option<u64>| {
        (1..=aligner.lane_registers).fold(net, |net, stage| {
            let doc = "of the beat in the lanes";
            m.reg(&format!("lane_{name}_{stage}_q"), net, Some(moving), reset, doc)
        })
    };
    let fetched = beside(&mut m, "valid", fetched, Some(0));
    let exponent = beside(&mut m, "exponent", exponent, None);
    let non_finite = beside(&mut m, "non_finite", non_finite, None);
    let last = beside(&mut m, "last", last, None);
    let sum = (machine.activation_sum_bits > 0).then(|| {
        // The sum of the beats so far is part of the output register.
        let bits = machine.activation_sum_bits;
        let first_beat = m.constant(0, beat_bits);
        let first = m.eq(read_beat, first_beat);
        let first = m.reg("fetched_first_q", first, Some(fetch), None, "the beat is the first of its group");
        let first = beside(&mut m, "first", first, None);
        let sum = m.register("sum_q", bits, true, "sum of the group's aligned activations up to the output beat");
        let zero = m.constant_signed(0, bits);
        let before = m.mux(first, zero, sum);
        let mut terms = aligned.clone();
        while terms.len() > 1 {
            terms = terms.chunks(2).map(|pair| if let [a, b] = pair { m.add(*a, *b) } else { pair[0] }).collect();
        }
        let total = terms.first().map_or(before, |tree| m.add(before, *tree));
        let total = m.truncate(total, bits);
        m.drive(sum, total, Some(moving), None);
        m.as_unsigned(sum)
    });
    aligned.extend([exponent, non_finite]);
    let aligned = m.concat(&aligned);
    m.drive(output_valid, fetched, Some(moving), Some(0));
    m.drive(output_last, last, Some(moving), None);
    let aligned = m.reg("output_data_q", aligned, Some(moving), None, "output register");
    let aligned = match sum {
        Some(sum) => m.concat(&[aligned, sum]),
        None => aligned,
    };

    m.output(&format!("{command_name}_ready_o"), idle, "the command is taken");
    m.output(&format!("{fp16_name}_ready_o"), beat_ready, "the beat is taken");
    m.output("output_valid_o", output_valid, "an aligned beat is offered");
    m.output(
        "output_data_o",
        aligned,
        "aligned activations, lowest first, exponent (5), non-finite flag, the group's sum so far if it has one",
    );
    m.output("retire_o", retire, "a command retires at this edge");
    Design::new(m.finish()?, vec![lane_module])
}

/// A counter of channels or tokens: register, next value, and whether the next value reaches the limit.
fn counter(m: &mut ModuleBuilder, name: &str, step: u32, limit: Net) -> (Net, Net, Net) {
    let counter = m.register(name, limit.width, false, "progress of the first pass");
    let step = m.constant(u64::from(step), limit.width);
    let next = m.add(counter, step);
    let limit = m.extend(limit, next.width);
    let below = m.lt(next, limit);
    let reached = m.not(below);
    (counter, m.truncate(next, counter.width), reached)
}

fn larger(m: &mut ModuleBuilder, a: Net, b: Net) -> Net {
    let below = m.lt(a, b);
    m.mux(below, b, a)
}

/// Module `align_lane`: one FP16 against the group's exponent; round to nearest even, saturation where that overflows.
fn align_lane(w: u32, registers: u32) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "align_lane",
        &format!("Aligns one FP16 to its group's largest exponent: {w}-bit two's complement, rounded to nearest even."),
    );
    let value = m.input("fp16_i", 16, "activation");
    let largest = m.input("exponent_i", 5, "largest exponent of the group, at least 1");
    let step = match registers {
        0 => Step::NONE,
        _ => Step::enabled(m.input("advance_i", 1, "the pipeline moves")),
    };
    let fraction = m.slice(value, 0, 10);
    let exponent = m.slice(value, 10, 5);
    let hidden = m.reduce_or(exponent);
    let significand = m.concat(&[fraction, hidden]);
    let one = m.constant(1, 5);
    let exponent = m.mux(hidden, exponent, one);
    let (up, down) = (w.saturating_sub(12), 12u32.saturating_sub(w));
    let magnitude = m.shift_left_const(significand, up);

    // Beyond the magnitude's own bits and one, every shift gives zero.
    let distance = m.sub(largest, exponent);
    let distance = m.truncate(distance, 5);
    let distance = m.as_unsigned(distance);
    let extra = m.constant(u64::from(down), 5);
    let distance = m.add(distance, extra);
    let distance = m.name(distance, "distance", "bits that the magnitude is moved down");
    let distance = step.cut(&mut m, "distance_q", distance, "bits that the magnitude is moved down");
    let magnitude = step.cut(&mut m, "magnitude_q", magnitude, "magnitude");
    let sign = m.bit(value, 15);
    let sign = step.cut(&mut m, "distance_sign_q", sign, "sign");
    // A bit below for the guard, and the sticky bit below it.
    let zero = m.constant(0, 1);
    let wide = m.concat(&[zero, magnitude]);
    let shifted = shift_right_sticky(&mut m, wide, distance, "significand");
    let shifted = step.cut(&mut m, "shifted_q", shifted, "magnitude, moved down");
    let sign = step.cut(&mut m, "shifted_sign_q", sign, "sign");
    let kept = m.slice(shifted, 2, magnitude.width);
    let guard = m.bit(shifted, 1);
    let sticky = m.bit(shifted, 0);
    let odd = m.bit(shifted, 2);
    let tail = m.or(sticky, odd);
    let up = m.and(guard, tail);
    let up = m.name(up, "rounds_up", "to nearest even");
    let up = m.extend(up, magnitude.width);
    let rounded = m.add(kept, up);
    // The magnitude has at most w bits; all w only for narrow significands that round up at the top, which fits two's
    // complement if it is negative and saturates if not.
    let magnitude = if rounded.width < w { m.extend(rounded, w) } else { m.truncate(rounded, w) };
    let top = m.bit(magnitude, w - 1);
    let ones = m.replicate(top, w - 1);
    let low = m.truncate(magnitude, w - 1);
    let positive = if down > 0 { m.or(low, ones) } else { low };
    let positive = m.extend(positive, w);
    let positive = m.as_signed(positive);
    let negated = m.negate(magnitude);
    let negated = m.truncate(negated, w);
    let aligned = m.mux(sign, negated, positive);
    m.output("aligned_o", aligned, "aligned activation");
    m.finish()
}
