//! Whether a machine can execute a program: for programs that come from elsewhere than the lowering.

use bitmosaic_arch::{ADDRESS_BITS, Array, Machine};

use crate::field::DIMENSION_BITS;
use crate::{Command, LoadActivations, LoadWeights, MappingError, Matmul, Part, Program, Store, Tokens};

mod order;

/// Refusal of a command: what was found, and what would be right.
type Refusal = (String, String);

fn refuse<T>(found: impl ToString, expected: impl ToString) -> Result<T, Refusal> {
    Err((found.to_string(), expected.to_string()))
}

impl Program {
    /// Whether `machine` can execute the program: fields in their ranges, operands and outputs that fit halves of the buffers
    /// and are there, addresses on beats, and waits that cannot deadlock. What lies in memory is not looked at.
    ///
    /// # Errors
    /// `Command` with its number, what stands there and what would be right; `Field` for a design without array.
    pub fn check(&self, machine: &Machine) -> Result<(), MappingError> {
        let Some(array) = &machine.array else {
            let expected = "a whole machine has `array`, `buffers` and `memory` in its design";
            return Err(MappingError::field("design", &machine.name, expected));
        };
        let mut checker = Checker {
            machine,
            array,
            weights: [None; 2],
            activations: [None; 2],
            outputs: [None; 2],
            unfinished: None,
        };
        for (i, command) in self.commands.iter().enumerate() {
            checker.command(command).map_err(|(found, expected)| MappingError::Command {
                command: i + 1,
                found,
                expected,
            })?;
        }
        order::check(&self.commands)
    }
}

/// Weights or activations in a half: type if weights, group, input channels, blocks.
type Operands = (Option<u8>, u16, u32, u32);

/// What the commands so far leave in the halves of the buffers.
struct Checker<'m> {
    machine: &'m Machine,
    array: &'m Array,
    weights: [Option<Operands>; 2],
    activations: [Option<Operands>; 2],
    /// Row and column blocks.
    outputs: [Option<(u32, u32)>; 2],
    /// The last matmul left its sums for the next.
    unfinished: Option<(u32, u32)>,
}

impl Checker<'_> {
    fn command(&mut self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::LoadWeights(load) => self.load_weights(load),
            Command::LoadActivations(load) => self.load_activations(load),
            Command::Matmul(matmul) => self.matmul(matmul),
            Command::Store(store) => self.store(store),
            Command::End if self.unfinished.is_some() => {
                refuse("`end` after an unfinished reduction", "a matmul with part=last before it")
            }
            Command::End => Ok(()),
        }
    }

    fn load_weights(&mut self, load: &LoadWeights) -> Result<(), Refusal> {
        neighbours("load_weights", load.order, false, true)?;
        self.weight_type(load.weight_type)?;
        let (entries, groups) = self.reduction(load.input_channels, load.group)?;
        let blocks = self.blocks("n", load.output_channels, self.machine.tile.columns)?;
        self.weights_fit(blocks, entries, groups)?;
        let code_bits = self.machine.types[usize::from(load.weight_type)].weight_type.code_bits;
        let words = u64::from(blocks) * self.array.block_words(groups as usize, entries as usize, code_bits);
        let beats = (words * u64::from(self.array.weight_word_bits)).div_ceil(u64::from(self.array.data_bits));
        if u64::from(load.beats) != beats {
            return refuse(format!("beats={}", load.beats), format!("these weights have {beats} beats"));
        }
        self.region(load.address, 1, beats, 0)?;
        self.weights[usize::from(load.half)] = Some((Some(load.weight_type), load.group, load.input_channels, blocks));
        Ok(())
    }

    fn load_activations(&mut self, load: &LoadActivations) -> Result<(), Refusal> {
        neighbours("load_activations", load.order, false, true)?;
        let (entries, groups) = self.reduction(load.input_channels, load.group)?;
        dimension("m", load.tokens)?;
        let blocks = load.tokens.div_ceil(self.array.rows);
        self.activations_fit(blocks, entries, groups)?;
        let beats = self.array.activation_row_beats(self.machine, load.input_channels);
        self.region(load.address, load.tokens, beats, load.pitch)?;
        self.activations[usize::from(load.half)] = Some((None, load.group, load.input_channels, blocks));
        Ok(())
    }

    fn matmul(&mut self, matmul: &Matmul) -> Result<(), Refusal> {
        self.weight_type(matmul.weight_type)?;
        let executed = &self.machine.types[usize::from(matmul.weight_type)];
        let name = executed.weight_type.name;
        if usize::from(matmul.terms) != executed.table.terms {
            return refuse(format!("terms={}", matmul.terms), format!("{name} has {} terms", executed.table.terms));
        }
        if u32::from(matmul.fraction_bits) != executed.weight_type.fraction_bits {
            let expected = format!("{name} has {}", executed.weight_type.fraction_bits);
            return refuse(format!("fraction_bits={}", matmul.fraction_bits), expected);
        }
        if !self.machine.scale_kinds.contains(&matmul.scale_kind) {
            let kinds = self.machine.scale_kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
            return refuse(format!("scales={}", matmul.scale_kind.name()), format!("this design executes {kinds}"));
        }
        let uses_special = executed.weight_type.special_code().is_some();
        let set = self.machine.pe.digit_set;
        for places in &matmul.special_digits {
            let canonical = set.to_places(&set.from_places(*places));
            let known = |place: usize| uses_special && place / set.places() < executed.table.terms;
            let unknown = |place: &usize| {
                let digit = places[*place];
                digit != 0 && (!known(*place) || canonical[*place] != digit)
            };
            if let Some(place) = (0..places.len()).find(unknown) {
                let (digit, plane) = (places[place], place / set.places());
                let expected = format!("no digit of the special values of {name} in this design");
                return refuse(format!("digit {digit:x} in plane {plane} of `special`"), expected);
            }
        }
        let (entries, groups) = self.reduction(matmul.input_channels, matmul.group)?;
        let rows = self.blocks("m", matmul.tokens, self.machine.tile.rows)?;
        let columns = self.blocks("n", matmul.output_channels, self.machine.tile.columns)?;
        self.weights_fit(columns, entries, groups)?;
        self.activations_fit(rows, entries, groups)?;
        self.outputs_fit(rows, columns)?;
        let wanted = (Some(matmul.weight_type), matmul.group, matmul.input_channels, columns);
        let half = matmul.halves.weight;
        if self.weights[usize::from(half)] != Some(wanted) {
            return refuse(
                format!("no such weights in half {half}"),
                "the last load_weights into it must have this type, group, n and k",
            );
        }
        let half = matmul.halves.activation;
        if self.activations[usize::from(half)] != Some((None, matmul.group, matmul.input_channels, rows)) {
            return refuse(
                format!("no such activations in half {half}"),
                "the last load_activations into it must have this group and k, and as many row blocks",
            );
        }
        if matmul.part.continues != self.unfinished.is_some() {
            let drops = self.unfinished.is_some();
            let found = format!("a matmul that {} sums", if drops { "drops" } else { "continues no" });
            return refuse(found, "after part=first or middle comes part=middle or last, else whole or first");
        }
        if let Some((held_rows, held_columns)) = self.unfinished.filter(|held| *held != (rows, columns)) {
            let expected = format!("{held_rows} x {held_columns}, those of the part before");
            return refuse(format!("{rows} x {columns} passes"), expected);
        }
        self.unfinished = matmul.part.unfinished.then_some((rows, columns));
        let most = self.machine.scale_unit.accumulator_blocks;
        if matmul.part != Part::default() && rows * columns > most {
            let expected =
                format!("at most {most}, `buffers.accumulator_blocks` of the design: their sums stay in the tiles");
            return refuse(format!("{rows} x {columns} passes of a part"), expected);
        }
        if !matmul.part.unfinished {
            self.outputs[usize::from(matmul.halves.output)] = Some((rows, columns));
        }
        Ok(())
    }

    fn store(&mut self, store: &Store) -> Result<(), Refusal> {
        neighbours("store", store.order, true, false)?;
        dimension("m", store.tokens)?;
        dimension("n", store.output_channels)?;
        let rows = store.tokens.div_ceil(self.array.rows);
        let columns = store.output_channels.div_ceil(self.array.columns);
        let row_blocks = u32::from(store.row_blocks);
        let held = self.outputs[usize::from(store.half)];
        if held.is_none_or(|(held_rows, held_columns)| {
            held_rows != row_blocks || rows > held_rows || columns > held_columns
        }) {
            return refuse(
                format!("no such outputs in half {}", store.half),
                "the last matmul into it must have these row_blocks and at least this m and n",
            );
        }
        let beats = self.array.output_row_beats(store.output_channels);
        self.region(store.address, store.tokens, beats, store.pitch)
    }

    fn weight_type(&self, index: u8) -> Result<(), Refusal> {
        let types = self.machine.types.len();
        match usize::from(index) < types {
            true => Ok(()),
            false => refuse(format!("type={index}"), format!("this design has the types 0 to {}", types - 1)),
        }
    }

    /// Entries and groups of a reduction.
    fn reduction(&self, input_channels: u32, group: u16) -> Result<(u32, u32), Refusal> {
        dimension("k", input_channels)?;
        let (group, step) = (u32::from(group), self.machine.entry_channels);
        if group == 0 || group > self.machine.max_group || !group.is_multiple_of(step) {
            let expected = format!("a multiple of {step} input channels up to {}", self.machine.max_group);
            return refuse(format!("group={group}"), expected);
        }
        Ok((input_channels.div_ceil(step), input_channels.div_ceil(group)))
    }

    /// Blocks in the share of one tile.
    fn blocks(&self, name: &str, size: u32, step: u32) -> Result<u32, Refusal> {
        dimension(name, size)?;
        match size.is_multiple_of(step) {
            true => Ok(size / step),
            false => refuse(format!("{name}={size}"), format!("the share of a tile, a multiple of {step}")),
        }
    }

    fn weights_fit(&self, blocks: u32, entries: u32, groups: u32) -> Result<(), Refusal> {
        let array = self.array;
        fits("column blocks", blocks, 1, "blocks", array.blocks)?;
        self.chunks_fit("chunks of weights", entries, blocks, "weight_chunks", array.weight_entries)?;
        fits("groups of weights", groups, blocks, "groups", array.groups)
    }

    fn activations_fit(&self, blocks: u32, entries: u32, groups: u32) -> Result<(), Refusal> {
        let array = self.array;
        self.chunks_fit("chunks of activations", entries, blocks, "activation_chunks", array.activation_entries)?;
        match array.exponent_entry_bits {
            Some(_) => fits("groups of activations", groups, blocks, "groups", array.groups),
            None => Ok(()),
        }
    }

    /// As [`fits`], of entries by the chunks that they have room for.
    fn chunks_fit(&self, what: &str, entries: u32, times: u32, buffer: &str, held: u32) -> Result<(), Refusal> {
        let chunks = self.machine.entry_chunks();
        fits(what, entries * chunks, times, buffer, held * chunks)
    }

    fn outputs_fit(&self, rows: u32, columns: u32) -> Result<(), Refusal> {
        fits("passes", rows, columns, "blocks", self.array.blocks)
    }

    /// Rows of `beats` beats in memory.
    fn region(&self, address: u64, rows: u32, beats: u64, pitch: u32) -> Result<(), Refusal> {
        let beat = u64::from(self.array.beat_bytes());
        for (name, value) in [("address", address), ("pitch", u64::from(pitch))] {
            if value % beat != 0 {
                return refuse(format!("{name}={value:#x}"), format!("a multiple of the {beat} bytes of a beat"));
            }
        }
        let end = address + u64::from(rows - 1) * u64::from(pitch) + beats * beat;
        match end > 1 << ADDRESS_BITS {
            true => refuse(format!("memory up to {end:#x}"), format!("addresses have {ADDRESS_BITS} bits")),
            false => Ok(()),
        }
    }
}

fn fits(what: &str, count: u32, times: u32, buffer: &str, held: u32) -> Result<(), Refusal> {
    let needed = u64::from(count) * u64::from(times);
    match needed <= u64::from(held) {
        true => Ok(()),
        false => refuse(format!("{needed} {what}"), format!("a half holds {held} (`buffers.{buffer}` of the design)")),
    }
}

fn dimension(name: &str, size: u32) -> Result<(), Refusal> {
    match size > 0 && size < 1 << DIMENSION_BITS {
        true => Ok(()),
        false => refuse(format!("{name}={size}"), format!("1 to {}", (1 << DIMENSION_BITS) - 1)),
    }
}

/// Queues at either end have one neighbour only.
fn neighbours(opcode: &str, order: Tokens, up: bool, down: bool) -> Result<(), Refusal> {
    let wrong = (!up && (order.wait_up || order.give_up)) || (!down && (order.wait_down || order.give_down));
    match wrong {
        true => refuse(format!("`{opcode}` with {order}"), "this queue has no neighbour there"),
        false => Ok(()),
    }
}
