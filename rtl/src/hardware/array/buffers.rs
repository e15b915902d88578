//! Weight and activation buffer: banks, and how their words become the beats of all tiles.

use bitmosaic_arch::{Array, Machine};

use super::place_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `weight_buffer`: a bank a code bit, banks for records and channel scales.
pub(super) fn weight_buffer(machine: &Machine, array: &Array) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "weight_buffer",
        "Weight buffer: a bank a code bit, banks of group records (scale code, zero point, selector a column) and of\n\
         channel scales, two halves each. Read together as the beats of all columns.",
    );
    let word_bits = array.weight_word_bits;
    let word = m.input("word_i", word_bits, "weight word to write");
    let read = m.input("read_i", 1, "an entry is read");
    let chunk = chunk_input(&mut m, machine);
    let group_read = m.input("group_read_i", 1, "a group's record is read");
    let channel_read = m.input("channel_read_i", 1, "a column block's channel scales are read");
    let code_mask = m.input("code_mask_i", machine.code_bits, "code bits that the weight type has");
    // Name, words an entry, bits an entry, entries a half, read enable.
    let kinds = [
        ("weight", machine.code_bits, machine.code_bits * word_bits, array.weight_entries, read),
        ("record", array.record_words, array.record_bits, array.groups, group_read),
        ("channel", array.channel_words, 16 * array.columns, array.blocks, channel_read),
    ];
    let mut banks = kinds.map(|(name, words, bits, entries, read)| {
        let writes = m.input(&format!("{name}_write_i"), words, "banks to write");
        let address_bits = place_bits(entries) + 1;
        let write_address = m.input(&format!("{name}_write_address_i"), address_bits, "half and entry to write");
        let read_address = m.input(&format!("{name}_address_i"), address_bits, "half and entry to read");
        let words: Vec<Net> = (0..words)
            .map(|i| {
                let own_bits = word_bits.min(bits - i * word_bits);
                let data = m.slice(word, 0, own_bits);
                let write = m.bit(writes, i);
                m.ram(
                    &format!("{name}_{i}"),
                    2 * entries,
                    own_bits,
                    write,
                    write_address,
                    data,
                    read,
                    read_address,
                    &format!("word {i} of each entry"),
                )
            })
            .collect();
        words
    });
    let channels = m.concat(&banks[2]);
    let record = m.concat(&banks[1]);
    // Bits above the type's codes were never written.
    let chunk_bits = word_bits / machine.entry_chunks();
    for (bit, bank) in banks[0].iter_mut().enumerate() {
        let on = m.bit(code_mask, bit as u32);
        let parts: Vec<Net> = (0..chunk_bits)
            .step_by(64)
            .map(|low| {
                let bits = 64.min(chunk_bits - low);
                let part = of_chunk(&mut m, *bank, chunk, [low, bits, chunk_bits]);
                let mask = m.replicate(on, bits);
                m.and(part, mask)
            })
            .collect();
        *bank = m.concat(&parts);
    }
    let (lanes, columns) = (machine.pe.lanes, array.columns);
    let scale_bits = machine.tile.scale_field_bits;
    let (mut weights, mut scales) = (Vec::new(), Vec::new());
    for column in 0..columns {
        for lane in 0..lanes {
            weights.extend(banks[0].iter().map(|bank| m.bit(*bank, column * lanes + lane)));
        }
        let base = column * (scale_bits + 2);
        weights.push(m.slice(record, base + scale_bits, 2));
        scales.push(m.slice(record, base, scale_bits));
    }
    let weights = m.concat(&weights);
    let scales = m.concat(&scales);
    m.output("weight_o", weights, "per column codes of the lanes and selector");
    m.output("scale_o", scales, "per column scale code and zero point");
    m.output("channel_o", channels, "per column channel scale");
    m.finish()
}

/// Input for the chunk of the entry read that the tiles get; none where an entry is a chunk.
fn chunk_input(m: &mut ModuleBuilder, machine: &Machine) -> Option<Net> {
    let bits = place_bits(machine.entry_chunks());
    (bits > 0).then(|| m.input("chunk_i", bits, "chunk of the entry read"))
}

/// `bits` from `low` on of the chunk of an entry, whose chunks have `chunk_bits`.
fn of_chunk(m: &mut ModuleBuilder, entry: Net, chunk: Option<Net>, [low, bits, chunk_bits]: [u32; 3]) -> Net {
    let chunks: Vec<Net> = (0..entry.width / chunk_bits).map(|i| m.slice(entry, i * chunk_bits + low, bits)).collect();
    chunk.map_or(chunks[0], |chunk| m.select(chunk, &chunks))
}

/// Module `activation_buffer`: a bank a row, and one for the row's exponents.
pub(super) fn activation_buffer(machine: &Machine, array: &Array) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "activation_buffer",
        "Activation buffer: a bank a row, beside it one of shared exponents if there is an aligner, two halves each.",
    );
    let chunk = chunk_input(&mut m, machine);
    let chunk_bits = machine.pe.lanes * machine.pe.activation_bits;
    let value_bits = machine.entry_channels * machine.pe.activation_bits;
    let mut kinds = vec![("activation", "read_i", value_bits, array.activation_entries)];
    kinds.extend(array.exponent_entry_bits.map(|bits| ("exponent", "group_read_i", bits, array.groups)));
    for (name, read, bits, entries) in kinds {
        let address_bits = place_bits(entries) + 1;
        let writes = m.input(&format!("{name}_write_i"), array.rows, "rows to write");
        let write_address = m.input(&format!("{name}_write_address_i"), address_bits, "half and entry to write");
        let data = m.input(&format!("{name}_i"), bits, "entry to write");
        let read = m.input(read, 1, "an entry of every row is read");
        let read_address = m.input(&format!("{name}_address_i"), address_bits, "half and entry to read");
        let is_values = name == "activation";
        let rows: Vec<Net> = (0..array.rows)
            .map(|row| {
                let write = m.bit(writes, row);
                let name = format!("{name}_{row}");
                let doc = format!("row {row}");
                let entry = m.ram(&name, 2 * entries, bits, write, write_address, data, read, read_address, &doc);
                if !is_values {
                    return entry;
                }
                let parts: Vec<Net> = (0..chunk_bits)
                    .step_by(64)
                    .map(|low| of_chunk(&mut m, entry, chunk, [low, 64.min(chunk_bits - low), chunk_bits]))
                    .collect();
                m.concat(&parts)
            })
            .collect();
        let rows = m.concat(&rows);
        m.output(&format!("{name}_o"), rows, "what is read, a row each");
    }
    m.finish()
}

/// Module `output_buffer`: a tile's outputs, a bank for each column and scale unit that writes to it at a time.
pub(super) fn output_buffer(machine: &Machine, array: &Array) -> Result<Module, NetlistError> {
    use super::build::{add_const, is};
    let mut m = ModuleBuilder::new(
        "output_buffer",
        "Outputs of a tile: collects its beats pass by pass in one half, the other is read row by row.",
    );
    let (rows, columns, pes) = (machine.tile.rows, machine.tile.columns, machine.scale_unit.pes);
    let (parts, blocks) = (array.output_parts, array.blocks);
    let part_rows = rows / parts;
    let valid = m.input("valid_i", 1, "an output beat arrives");
    let data = m.input("data_i", machine.tile.output_beat_bits, "the beat");
    let restart = m.input("restart_i", 1, "the command is done");
    let half = m.input("half_i", 1, "half that it writes");
    let read = m.input("read_i", 1, "a row is read");
    let read_half = m.input("read_half_i", 1, "its half");
    let read_block = m.input("read_block_i", place_bits(blocks), "its pass");
    let row_bits = place_bits(rows).max(1);
    let read_row = m.input("read_row_i", row_bits, "its row");

    let beat_bits = place_bits(pes).max(1);
    let beat = m.register("beat_q", beat_bits, false, "beats of the pass");
    let last = is(&mut m, beat, u64::from(pes - 1));
    let zero = m.constant(0, beat_bits);
    let next = add_const(&mut m, beat, 1);
    let clears = m.or(restart, last);
    let next = m.mux(clears, zero, next);
    let changes = m.or(restart, valid);
    m.drive(beat, next, Some(changes), Some(0));
    let block = m.register("block_q", place_bits(blocks), false, "passes of the command");
    let next = add_const(&mut m, block, 1);
    let first = m.constant(0, block.width);
    let next = m.mux(restart, first, next);
    let pass_ends = m.and(valid, last);
    let changes = m.or(restart, pass_ends);
    m.drive(block, next, Some(changes), Some(0));

    // Address: half, pass, row within the part.
    let inner_bits = place_bits(part_rows);
    let address = |m: &mut ModuleBuilder, row: Net, block: Net, half: Net| match inner_bits {
        0 => m.concat(&[block, half]),
        bits => {
            let inner = m.slice(row, 0, bits);
            m.concat(&[inner, block, half])
        }
    };
    let write_address = address(&mut m, beat, block, half);
    let read_address = address(&mut m, read_row, read_block, read_half);
    let part_bits = place_bits(parts);
    let read_part = (parts > 1).then(|| {
        let part = m.slice(read_row, inner_bits, part_bits);
        m.reg("read_part_q", part, Some(read), None, "part of the row that was read")
    });
    let outputs: Vec<Net> = (0..columns)
        .map(|column| {
            let words: Vec<Net> = (0..parts)
                .map(|part| {
                    // The unit whose chain has these rows, and the columns of the chain before this one.
                    let pe = column * rows + part * part_rows;
                    let (unit, before) = (pe / pes, pe % pes / rows);
                    let write = if pes > rows {
                        let own = m.slice(beat, place_bits(rows), beat_bits - place_bits(rows));
                        let own = is(&mut m, own, u64::from(before));
                        m.and(valid, own)
                    } else {
                        valid
                    };
                    let value = m.slice(data, unit * 16, 16);
                    let name = format!("output_{column}_{part}");
                    let depth = 2 * blocks * part_rows;
                    let doc = format!("column {column}, part {part} of its rows");
                    m.ram(&name, depth, 16, write, write_address, value, read, read_address, &doc)
                })
                .collect();
            match read_part {
                Some(part) => m.select(part, &words),
                None => words[0],
            }
        })
        .collect();
    if part_rows == 1 && parts == 1 {
        m.ignore(read_row);
    }
    let row = m.concat(&outputs);
    m.output("row_o", row, "the row read, an FP16 a column");
    m.finish()
}
