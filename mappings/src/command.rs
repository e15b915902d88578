//! The binary command stream: fixed-size little-endian commands that every engine executes.

use bitmosaic_numerics::{SPECIAL_VALUES, ScaleKind, term::DIGIT_BITS, term::MAX_PLANES};

use crate::MappingError;

/// Bytes of a command.
pub const COMMAND_BYTES: usize = 32;

/// Bit positions and widths of a command's fields, as the hardware slices them.
pub mod field {
    use super::{DIGIT_BITS, MAX_PLANES, SPECIAL_VALUES};

    /// Bits of a whole command.
    pub const COMMAND_BITS: u32 = super::COMMAND_BYTES as u32 * 8;
    /// Opcode: 0 `end`, 1 `matmul`.
    pub const OPCODE: (u32, u32) = (0, 8);
    /// Index of the weight type in the machine's list.
    pub const WEIGHT_TYPE: (u32, u32) = (8, 8);
    /// Terms (cycles) per weight, 1 to 4.
    pub const TERMS: (u32, u32) = (16, 8);
    /// Weight values are multiples of 2^-fraction_bits.
    pub const FRACTION_BITS: (u32, u32) = (24, 8);
    /// Group in input channels, a multiple of the lanes.
    pub const GROUP: (u32, u32) = (32, 16);
    /// Kind of group scale, its place in `ScaleKind::ALL`.
    pub const SCALE_KIND: (u32, u32) = (48, 8);
    /// Tokens (M). The field has 32 bits, the hardware counts [`DIMENSION_BITS`].
    pub const TOKENS: (u32, u32) = (64, 32);
    /// Output channels (N).
    pub const OUTPUT_CHANNELS: (u32, u32) = (96, 32);
    /// Input channels (K).
    pub const INPUT_CHANNELS: (u32, u32) = (128, 32);
    /// Digits of the four special values: selector-major, then plane, [`DIGIT_BITS`] each.
    pub const SPECIAL_DIGITS: (u32, u32) = (160, SPECIAL_VALUES as u32 * MAX_PLANES as u32 * DIGIT_BITS);
    /// Bits of the hardware's dimension counters: M, N and K are below 2^20.
    pub const DIMENSION_BITS: u32 = 20;

    /// All fields as name, (low bit, bits), meaning; bits in no field are 0.
    pub const ALL: [(&str, (u32, u32), &str); 10] = [
        ("opcode", OPCODE, "0 `end` (all other bits 0), 1 `matmul`"),
        ("weight_type", WEIGHT_TYPE, "index of the weight type in the machine's list"),
        ("terms", TERMS, "terms (cycles) per weight"),
        ("fraction_bits", FRACTION_BITS, "weight values are multiples of 2^-fraction_bits"),
        ("group", GROUP, "group in input channels, a multiple of the lanes"),
        ("scale_kind", SCALE_KIND, "kind of group scale: 0 int8, 1 e8m0, 2 e4m3, 3 fp16"),
        ("tokens", TOKENS, "M"),
        ("output_channels", OUTPUT_CHANNELS, "N"),
        ("input_channels", INPUT_CHANNELS, "K"),
        (
            "special_digits",
            SPECIAL_DIGITS,
            "digits of the four special values: selector-major, then plane, each in 4 bits",
        ),
    ];
}

const OPCODE_END: u8 = 0;
const OPCODE_MATMUL: u8 = 1;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Output = activations × weights: [`Matmul`].
    Matmul(Matmul),
    /// The program is over.
    End,
}

/// A matrix product `[tokens, input channels] × [input channels, output channels]`.
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
    /// Digits of the special values as the machine's digit set encodes them, by selector and plane.
    pub special_digits: [[u8; MAX_PLANES]; SPECIAL_VALUES],
}

/// A command program: any number of products, closed by `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The commands.
    pub commands: Vec<Command>,
}

impl Command {
    /// The 32 bytes.
    pub fn encode(&self) -> [u8; COMMAND_BYTES] {
        let mut bytes = [0; COMMAND_BYTES];
        let Command::Matmul(m) = self else { return bytes };
        bytes[0] = OPCODE_MATMUL;
        bytes[1] = m.weight_type;
        bytes[2] = m.terms;
        bytes[3] = m.fraction_bits;
        bytes[4..6].copy_from_slice(&m.group.to_le_bytes());
        bytes[6] = m.scale_kind.index() as u8;
        bytes[8..12].copy_from_slice(&m.tokens.to_le_bytes());
        bytes[12..16].copy_from_slice(&m.output_channels.to_le_bytes());
        bytes[16..20].copy_from_slice(&m.input_channels.to_le_bytes());
        let digits = m.special_digits.iter().flatten().rev();
        let special = digits.fold(0u64, |acc, d| acc << DIGIT_BITS | u64::from(*d));
        bytes[20..28].copy_from_slice(&special.to_le_bytes());
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
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let command = match bytes[0] {
            OPCODE_END => Command::End,
            OPCODE_MATMUL => {
                let special = u64::from(word(20)) | u64::from(word(24)) << 32;
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
                    weight_type: bytes[1],
                    terms: bytes[2],
                    fraction_bits: bytes[3],
                    group: u16::from_le_bytes([bytes[4], bytes[5]]),
                    scale_kind,
                    tokens: word(8),
                    output_channels: word(12),
                    input_channels: word(16),
                    special_digits: std::array::from_fn(|s| std::array::from_fn(|k| digit(s * MAX_PLANES + k))),
                })
            }
            other => return refuse(0, format!("opcode {other}"), "0 (end) or 1 (matmul)"),
        };
        let canonical = command.encode();
        match (0..COMMAND_BYTES).find(|i| canonical[*i] != bytes[*i]) {
            Some(at) => refuse(at, format!("byte {:#04x}", bytes[at]), &format!("{:#04x} there", canonical[at])),
            None => Ok(command),
        }
    }
}

impl Program {
    /// The program as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.commands.iter().flat_map(Command::encode).collect()
    }

    /// Reads a program.
    ///
    /// # Errors
    /// `Program` for a length that is no multiple of 32, an unknown opcode, bytes that should be zero, a missing or early `end`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Program, MappingError> {
        let (chunks, rest) = bytes.as_chunks::<COMMAND_BYTES>();
        let refuse = |offset: usize, found: &str, expected: &str| {
            Err(MappingError::Program { offset, found: found.to_string(), expected: expected.to_string() })
        };
        if !rest.is_empty() {
            return refuse(bytes.len() - rest.len(), &format!("{} bytes left", rest.len()), "commands have 32 bytes");
        }
        let commands: Vec<Command> =
            chunks.iter().enumerate().map(|(i, c)| Command::decode(c, i * COMMAND_BYTES)).collect::<Result<_, _>>()?;
        match commands.iter().position(|c| *c == Command::End) {
            Some(i) if i + 1 == commands.len() => Ok(Program { commands }),
            Some(i) => refuse((i + 1) * COMMAND_BYTES, "a command after `end`", "`end` closes the program"),
            None => refuse(bytes.len(), "no `end`", "`end` closes the program"),
        }
    }

    /// The products, in order.
    pub fn matmuls(&self) -> impl Iterator<Item = &Matmul> {
        self.commands.iter().filter_map(|c| match c {
            Command::Matmul(m) => Some(m),
            Command::End => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        }
    }

    #[test]
    fn programs_round_trip() {
        let program = Program { commands: vec![Command::Matmul(example()), Command::End] };
        assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
    }

    #[test]
    fn fields_stand_where_the_hardware_slices_them() {
        let bytes = Command::Matmul(example()).encode();
        let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|c| u64::from_le_bytes(*c)).collect();
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
        // The list has every field, in order and apart, and the example sets no other bit.
        let mut end = 0;
        for (name, (low, width), _) in field::ALL {
            assert!(low >= end && width <= 64, "{name}");
            assert!(end == low || at((end, low - end)) == 0, "a bit below {name} is in no field");
            end = low + width;
        }
        assert_eq!(at((end, field::COMMAND_BITS - end)), 0);
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
        let good = Program { commands: vec![Command::Matmul(example()), Command::End] }.to_bytes();
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
