//! The binary command stream: fixed-size little-endian commands that every engine executes.

use bitmosaic_numerics::{SPECIAL_VALUES, ScaleKind, term::DIGIT_BITS, term::MAX_PLANES};

use crate::stream::{read_bits, write_bits};
use crate::{MappingError, field};

/// Bytes of a command.
pub const COMMAND_BYTES: usize = 32;

/// Opcodes.
pub mod opcode {
    /// The program is over.
    pub const END: u8 = 0;
    /// A matrix product.
    pub const MATMUL: u8 = 1;
    /// Weights of whole column blocks into the weight buffer.
    pub const LOAD_WEIGHTS: u8 = 2;
    /// Activations of whole row blocks into the activation buffer.
    pub const LOAD_ACTIVATIONS: u8 = 3;
    /// Outputs to memory.
    pub const STORE: u8 = 4;
}

/// One command. The tile alone knows `matmul` and `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Output = activations × weights.
    Matmul(Matmul),
    /// Memory to weight buffer.
    LoadWeights(LoadWeights),
    /// Memory to activation buffer.
    LoadActivations(LoadActivations),
    /// Output buffer to memory.
    Store(Store),
    /// The program is over.
    End,
}

/// Order between the queues load, compute, store: a command waits for a token of a neighbour and gives it one when done. Up
/// is towards load, down towards store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Wait for one from the queue above (compute: load; store: compute).
    pub wait_up: bool,
    /// Wait for one from the queue below (load: compute; compute: store).
    pub wait_down: bool,
    /// Give one to the queue above.
    pub give_up: bool,
    /// Give one to the queue below.
    pub give_down: bool,
}

/// Which half of each double buffer a command works on, 0 or 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Halves {
    /// Of the weight buffer.
    pub weight: u8,
    /// Of the activation buffer.
    pub activation: u8,
    /// Of the output buffer.
    pub output: u8,
}

/// Place of a command in a product whose input channels are more than the buffers hold: its commands run one after the other
/// with one pass each, and the FP32 accumulators stay where they are between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    /// The accumulators go on from the command before.
    pub continues: bool,
    /// The accumulators stay for the next command: no outputs, no channel scales.
    pub unfinished: bool,
}

/// A matrix product `[tokens, input channels] × [input channels, output channels]`. In a whole machine tokens and output
/// channels are the share of one tile, padding included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matmul {
    /// Index of the weight type in the machine's list.
    pub weight_type: u8,
    /// Terms per weight.
    pub terms: u8,
    /// Weight values are multiples of 2^-fraction_bits.
    pub fraction_bits: u8,
    /// Group in input channels.
    pub group: u16,
    /// Kind of group scale.
    pub scale_kind: ScaleKind,
    /// M.
    pub tokens: u32,
    /// N.
    pub output_channels: u32,
    /// K.
    pub input_channels: u32,
    /// Digits of the special values as the machine's digit set encodes them, by selector and place: planes, of wider digits
    /// two places a plane (`DigitSet::to_places`).
    pub special_digits: [[u8; MAX_PLANES]; SPECIAL_VALUES],
    /// Part of a longer reduction; a tile alone has whole ones.
    pub part: Part,
    /// Order between queues; none on a tile alone.
    pub order: Tokens,
    /// Halves of all three buffers; 0 on a tile alone.
    pub halves: Halves,
}

/// The weight words of whole column blocks, one run of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadWeights {
    /// Index of the weight type, which gives the code width.
    pub weight_type: u8,
    /// Group in input channels.
    pub group: u16,
    /// One tile's share, padding included: column blocks × the tile's columns.
    pub output_channels: u32,
    /// K.
    pub input_channels: u32,
    /// Byte address.
    pub address: u64,
    /// Beats of the memory port.
    pub beats: u32,
    /// Order between queues.
    pub order: Tokens,
    /// Half of the weight buffer.
    pub half: u8,
}

/// FP16 rows, a token each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadActivations {
    /// Group in input channels.
    pub group: u16,
    /// Tokens, padding not included.
    pub tokens: u32,
    /// K.
    pub input_channels: u32,
    /// Byte address of the first row.
    pub address: u64,
    /// Bytes from row to row.
    pub pitch: u32,
    /// Order between queues.
    pub order: Tokens,
    /// Half of the activation buffer.
    pub half: u8,
}

/// The outputs of a product, FP16 rows, a token each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Row blocks of the product.
    pub row_blocks: u16,
    /// Tokens, padding not included.
    pub tokens: u32,
    /// Output channels, padding not included.
    pub output_channels: u32,
    /// Byte address of the first row.
    pub address: u64,
    /// Bytes from row to row.
    pub pitch: u32,
    /// Order between queues.
    pub order: Tokens,
    /// Half of the output buffer.
    pub half: u8,
}

impl Tokens {
    fn bits(self) -> u64 {
        let flags = [self.wait_up, self.wait_down, self.give_up, self.give_down];
        flags.iter().rev().fold(0, |bits, flag| bits << 1 | u64::from(*flag))
    }

    fn from_bits(bits: u64) -> Tokens {
        let at = |i: u32| bits >> i & 1 == 1;
        Tokens { wait_up: at(0), wait_down: at(1), give_up: at(2), give_down: at(3) }
    }
}

impl Halves {
    fn bits(self) -> u64 {
        u64::from(self.weight) | u64::from(self.activation) << 1 | u64::from(self.output) << 2
    }

    fn from_bits(bits: u64) -> Halves {
        let at = |i: u32| (bits >> i & 1) as u8;
        Halves { weight: at(0), activation: at(1), output: at(2) }
    }
}

impl Command {
    /// The 256 bits as words, lowest first.
    pub fn words(&self) -> [u64; COMMAND_BYTES / 8] {
        let mut words = [0; COMMAND_BYTES / 8];
        let mut put = |(low, bits): (u32, u32), value: u64| write_bits(&mut words, low, value, bits);
        match self {
            Command::End => put(field::OPCODE, u64::from(opcode::END)),
            Command::Matmul(m) => {
                let digits = m.special_digits.iter().flatten().rev();
                let special = digits.fold(0u64, |acc, d| acc << DIGIT_BITS | u64::from(*d));
                put(field::OPCODE, u64::from(opcode::MATMUL));
                put(field::WEIGHT_TYPE, u64::from(m.weight_type));
                put(field::TERMS, u64::from(m.terms));
                put(field::FRACTION_BITS, u64::from(m.fraction_bits));
                put(field::GROUP, u64::from(m.group));
                put(field::SCALE_KIND, m.scale_kind.index() as u64);
                put(field::TOKENS, u64::from(m.tokens));
                put(field::OUTPUT_CHANNELS, u64::from(m.output_channels));
                put(field::INPUT_CHANNELS, u64::from(m.input_channels));
                put(field::SPECIAL_DIGITS, special);
                put(field::PART, u64::from(m.part.continues) | u64::from(m.part.unfinished) << 1);
                put(field::TOKEN_FLAGS, m.order.bits());
                put(field::HALVES, m.halves.bits());
            }
            Command::LoadWeights(l) => {
                put(field::OPCODE, u64::from(opcode::LOAD_WEIGHTS));
                put(field::WEIGHT_TYPE, u64::from(l.weight_type));
                put(field::GROUP, u64::from(l.group));
                put(field::OUTPUT_CHANNELS, u64::from(l.output_channels));
                put(field::INPUT_CHANNELS, u64::from(l.input_channels));
                put(field::ADDRESS, l.address);
                put(field::BEATS, u64::from(l.beats));
                put(field::TOKEN_FLAGS, l.order.bits());
                put(field::HALVES, Halves { weight: l.half, ..Halves::default() }.bits());
            }
            Command::LoadActivations(l) => {
                put(field::OPCODE, u64::from(opcode::LOAD_ACTIVATIONS));
                put(field::GROUP, u64::from(l.group));
                put(field::TOKENS, u64::from(l.tokens));
                put(field::INPUT_CHANNELS, u64::from(l.input_channels));
                put(field::ADDRESS, l.address);
                put(field::PITCH, u64::from(l.pitch));
                put(field::TOKEN_FLAGS, l.order.bits());
                put(field::HALVES, Halves { activation: l.half, ..Halves::default() }.bits());
            }
            Command::Store(s) => {
                put(field::OPCODE, u64::from(opcode::STORE));
                put(field::ROW_BLOCKS, u64::from(s.row_blocks));
                put(field::TOKENS, u64::from(s.tokens));
                put(field::OUTPUT_CHANNELS, u64::from(s.output_channels));
                put(field::ADDRESS, s.address);
                put(field::PITCH, u64::from(s.pitch));
                put(field::TOKEN_FLAGS, s.order.bits());
                put(field::HALVES, Halves { output: s.half, ..Halves::default() }.bits());
            }
        }
        words
    }

    /// The 32 bytes.
    pub fn encode(&self) -> [u8; COMMAND_BYTES] {
        let mut bytes = [0; COMMAND_BYTES];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(self.words()) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads a command that starts at `offset` of a program.
    ///
    /// # Errors
    /// `Program` naming the byte, what stands there and what would be right.
    pub fn decode(bytes: &[u8; COMMAND_BYTES], offset: usize) -> Result<Command, MappingError> {
        let refuse = |at: usize, found: String, expected: &str| {
            Err(MappingError::Program { offset: offset + at, found, expected: expected.to_string() })
        };
        let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|c| u64::from_le_bytes(*c)).collect();
        let at = |(low, bits): (u32, u32)| read_bits(&words, low, bits);
        let (order, halves) = (Tokens::from_bits(at(field::TOKEN_FLAGS)), Halves::from_bits(at(field::HALVES)));
        let (group, tokens) = (at(field::GROUP) as u16, at(field::TOKENS) as u32);
        let (output_channels, input_channels) = (at(field::OUTPUT_CHANNELS) as u32, at(field::INPUT_CHANNELS) as u32);
        let (weight_type, address, pitch) = (bytes[1], at(field::ADDRESS), at(field::PITCH) as u32);
        let command = match bytes[0] {
            opcode::END => Command::End,
            opcode::MATMUL => {
                let special = at(field::SPECIAL_DIGITS);
                if !(1..=MAX_PLANES).contains(&usize::from(bytes[2])) {
                    return refuse(2, format!("{} terms per weight", bytes[2]), &format!("1 to {MAX_PLANES}"));
                }
                let Some(scale_kind) = ScaleKind::ALL.get(usize::from(bytes[6])).copied() else {
                    return refuse(
                        6,
                        format!("kind of group scale {}", bytes[6]),
                        "0 (int8), 1 (e8m0), 2 (e4m3) or 3 (fp16)",
                    );
                };
                let digit = |i: usize| (special >> (i as u32 * DIGIT_BITS)) as u8 & ((1 << DIGIT_BITS) - 1);
                Command::Matmul(Matmul {
                    weight_type,
                    terms: bytes[2],
                    fraction_bits: bytes[3],
                    group,
                    scale_kind,
                    tokens,
                    output_channels,
                    input_channels,
                    special_digits: std::array::from_fn(|s| std::array::from_fn(|k| digit(s * MAX_PLANES + k))),
                    part: Part { continues: at(field::PART) & 1 == 1, unfinished: at(field::PART) & 2 == 2 },
                    order,
                    halves,
                })
            }
            opcode::LOAD_WEIGHTS => {
                let (beats, half) = (pitch, halves.weight);
                Command::LoadWeights(LoadWeights {
                    weight_type,
                    group,
                    output_channels,
                    input_channels,
                    address,
                    beats,
                    order,
                    half,
                })
            }
            opcode::LOAD_ACTIVATIONS => {
                let half = halves.activation;
                Command::LoadActivations(LoadActivations { group, tokens, input_channels, address, pitch, order, half })
            }
            opcode::STORE => {
                let (row_blocks, half) = (group, halves.output);
                Command::Store(Store { row_blocks, tokens, output_channels, address, pitch, order, half })
            }
            other => {
                let known = "0 (end), 1 (matmul), 2 (load_weights), 3 (load_activations) or 4 (store)";
                return refuse(0, format!("opcode {other}"), known);
            }
        };
        let canonical = command.encode();
        match (0..COMMAND_BYTES).find(|i| canonical[*i] != bytes[*i]) {
            Some(at) => refuse(at, format!("byte {:#04x}", bytes[at]), &format!("{:#04x} there", canonical[at])),
            None => Ok(command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Program;

    fn example() -> Matmul {
        Matmul {
            weight_type: 1,
            terms: 2,
            fraction_bits: 1,
            group: 128,
            scale_kind: ScaleKind::E4m3,
            tokens: 16,
            output_channels: 256,
            input_channels: 1024,
            special_digits: std::array::from_fn(|s| std::array::from_fn(|k| ((3 * s + k) % 16) as u8)),
            part: Part { continues: true, unfinished: false },
            order: Tokens { wait_up: true, give_up: true, ..Tokens::default() },
            halves: Halves { weight: 1, activation: 0, output: 1 },
        }
    }

    fn examples() -> Vec<Command> {
        let order = Tokens { wait_down: true, give_down: true, ..Tokens::default() };
        let load = LoadWeights {
            weight_type: 3,
            group: 64,
            output_channels: 12,
            input_channels: 100,
            address: 0x8000_1234_5680,
            beats: 0x1234_5678,
            order,
            half: 1,
        };
        let (address, pitch) = (0x1234_5640, 4096);
        let activations = LoadActivations { group: 64, tokens: 9, input_channels: 100, address, pitch, order, half: 1 };
        let order = Tokens { wait_up: true, give_up: true, ..Tokens::default() };
        let store = Store { row_blocks: 2, tokens: 9, output_channels: 300, address, pitch, order, half: 1 };
        vec![
            Command::LoadWeights(load),
            Command::LoadActivations(activations),
            Command::Matmul(example()),
            Command::Store(store),
            Command::End,
        ]
    }

    #[test]
    fn programs_round_trip() {
        let program = Program { commands: examples() };
        assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
    }

    #[test]
    fn fields_stand_where_the_hardware_slices_them() {
        let words = Command::Matmul(example()).words();
        let at = |(low, width): (u32, u32)| crate::stream::read_bits(&words, low, width);
        assert_eq!(at(field::OPCODE), 1);
        assert_eq!(at(field::WEIGHT_TYPE), 1);
        assert_eq!(at(field::TERMS), 2);
        assert_eq!(at(field::FRACTION_BITS), 1);
        assert_eq!(at(field::GROUP), 128);
        assert_eq!(at(field::SCALE_KIND), 2);
        assert_eq!(at(field::TOKENS), 16);
        assert_eq!(at(field::OUTPUT_CHANNELS), 256);
        assert_eq!(at(field::INPUT_CHANNELS), 1024);
        assert_eq!(at((field::SPECIAL_DIGITS.0, DIGIT_BITS)), 0);
        assert_eq!(at((field::SPECIAL_DIGITS.0 + DIGIT_BITS * 5, DIGIT_BITS)), 4);
    }

    #[test]
    fn every_command_has_its_fields_in_the_list_and_no_other_bit() {
        let commands = examples();
        assert_eq!(commands.len(), field::COMMANDS.len());
        for format in field::COMMANDS {
            let command = commands.iter().find(|command| command.words()[0] as u8 == format.opcode).unwrap();
            let words = command.words();
            let at = |(low, width): (u32, u32)| crate::stream::read_bits(&words, low, width);
            let mut end = 0;
            for (name, (low, width), _) in format.fields {
                assert!(*low >= end && *width <= 64, "{} {name}", format.name);
                end = low + width;
            }
            let listed = |bit| format.fields.iter().any(|(_, (low, width), _)| (*low..low + width).contains(&bit));
            let stray = (0..field::COMMAND_BITS).find(|bit| !listed(*bit) && at((*bit, 1)) == 1);
            assert_eq!(stray, None, "{}", format.name);
        }
    }

    #[test]
    fn broken_programs_are_refused_with_the_byte() {
        let good = Program { commands: vec![Command::Matmul(example()), Command::End] }.to_bytes();
        let text = |bytes: &[u8]| Program::from_bytes(bytes).unwrap_err().to_string();
        assert!(text(&good[..40]).contains("byte 32"));
        assert!(text(&good[..32]).contains("no `end`"));
        let mut bad = good.clone();
        bad[32] = 7;
        assert!(text(&bad).contains("byte 32: opcode 7"));
        let mut kind = good.clone();
        kind[6] = 4;
        assert!(text(&kind).contains("byte 6: kind of group scale 4"));
        for terms in [0, MAX_PLANES as u8 + 1, u8::MAX] {
            let mut planes = good.clone();
            planes[2] = terms;
            assert!(text(&planes).contains(&format!("byte 2: {terms} terms per weight; 1 to 4")));
        }
        bad[32] = 0;
        bad[40] = 1;
        assert!(text(&bad).contains("byte 40"));
        assert!(text(&[good.clone(), good].concat()).contains("after `end`"));
    }

    #[test]
    fn mutated_programs_never_panic() {
        let good = Program { commands: examples() }.to_bytes();
        let mut lfsr = crate::Lfsr::new(7);
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..3 {
                lfsr.step();
                let at = lfsr.state() as usize % bytes.len();
                bytes[at] = (lfsr.state() >> 24) as u8;
            }
            bytes.truncate(bytes.len() - (lfsr.state() >> 8) as usize % 3);
            if let Ok(program) = Program::from_bytes(&bytes) {
                assert_eq!(program.to_bytes(), bytes);
            }
        }
    }
}
