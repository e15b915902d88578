//! Bit positions and widths of a command's fields, as the hardware slices them and the page beside the Verilog lists them.

use bitmosaic_arch::ADDRESS_BITS;
use bitmosaic_numerics::{SPECIAL_VALUES, term::DIGIT_BITS, term::MAX_PLANES};

use crate::opcode;

/// Bits of a whole command.
pub const COMMAND_BITS: u32 = crate::COMMAND_BYTES as u32 * 8;
/// Opcode, see [`crate::opcode`].
pub const OPCODE: (u32, u32) = (0, 8);
/// Index of the weight type in the machine's list.
pub const WEIGHT_TYPE: (u32, u32) = (8, 8);
/// Terms (cycles) per weight, 1 to 4.
pub const TERMS: (u32, u32) = (16, 8);
/// Weight values are multiples of 2^-fraction_bits.
pub const FRACTION_BITS: (u32, u32) = (24, 8);
/// Group in input channels, a multiple of the lanes.
pub const GROUP: (u32, u32) = (32, 16);
/// Of a `store`, in the place of the group: row blocks of its product, so many passes lie between column blocks.
pub const ROW_BLOCKS: (u32, u32) = GROUP;
/// Kind of group scale, its place in `ScaleKind::ALL`.
pub const SCALE_KIND: (u32, u32) = (48, 8);
/// Tokens (M). The field has 32 bits, the hardware counts [`DIMENSION_BITS`].
pub const TOKENS: (u32, u32) = (64, 32);
/// Output channels (N).
pub const OUTPUT_CHANNELS: (u32, u32) = (96, 32);
/// Input channels (K).
pub const INPUT_CHANNELS: (u32, u32) = (128, 32);
/// Of a `matmul`: digits of the four special values, selector-major, then plane, [`DIGIT_BITS`] each or, of digit sets in two's
/// complement, twice as many.
pub const SPECIAL_DIGITS: (u32, u32) = (160, SPECIAL_VALUES as u32 * MAX_PLANES as u32 * DIGIT_BITS);
/// Of a load or store: byte address, a multiple of the memory port's beat.
pub const ADDRESS: (u32, u32) = (160, ADDRESS_BITS);
/// Of `load_activations` and `store`: bytes from row to row, likewise a multiple. Of `load_weights`: beats.
pub const PITCH: (u32, u32) = (208, 32);
/// See [`PITCH`].
pub const BEATS: (u32, u32) = PITCH;
/// Of a `matmul`: see [`crate::Part`].
pub const PART: (u32, u32) = (224, 2);
/// Waits and gives, see [`crate::Tokens`].
pub const TOKEN_FLAGS: (u32, u32) = (248, 4);
/// Halves of the buffers, see [`crate::Halves`].
pub const HALVES: (u32, u32) = (252, 3);
/// Bits of the hardware's dimension counters: M, N and K are below 2^20.
pub const DIMENSION_BITS: u32 = 20;

/// A field as name, (low bit, bits), meaning.
pub type Field = (&'static str, (u32, u32), &'static str);

/// The fields of a command; bits in no field are 0.
#[derive(Debug, Clone, Copy)]
pub struct CommandFormat {
    /// Name.
    pub name: &'static str,
    /// Value of the field opcode.
    pub opcode: u8,
    /// What it does.
    pub meaning: &'static str,
    /// Its fields, lowest first.
    pub fields: &'static [Field],
}

/// Fields of a `matmul`.
pub const MATMUL: [Field; 13] = [
    ("opcode", OPCODE, "0 `end` (all other bits 0), 1 `matmul`"),
    TYPE_FIELD,
    ("terms", TERMS, "terms (cycles) per weight"),
    ("fraction_bits", FRACTION_BITS, "weight values are multiples of 2^-fraction_bits"),
    GROUP_FIELD,
    ("scale_kind", SCALE_KIND, "kind of group scale: 0 int8, 1 e8m0, 2 e4m3, 3 fp16"),
    ("tokens", TOKENS, "M; whole machine: of one tile, row blocks x rows, padding included"),
    ("output_channels", OUTPUT_CHANNELS, "N; whole machine: of one tile, column blocks x columns, padding included"),
    ("input_channels", INPUT_CHANNELS, "K"),
    (
        "special_digits",
        SPECIAL_DIGITS,
        "digits of the four special values: selector-major, then plane, each in 4 bits (two's complement: 8)",
    ),
    ("part", PART, "whole machine: bit 0 continues the sums of the command before, bit 1 leaves them for the next one"),
    ("token_flags", TOKEN_FLAGS, "whole machine: wait for load, wait for store, give to load, give to store"),
    ("halves", HALVES, "whole machine: halves of weight, activation and output buffer"),
];

const OPCODE_FIELD: Field = ("opcode", OPCODE, "of this command");
const TYPE_FIELD: Field = ("weight_type", WEIGHT_TYPE, "index of the weight type in the machine's list");
const GROUP_FIELD: Field = ("group", GROUP, "group in input channels, a multiple of the lanes");
const LOAD_TOKENS: Field = ("token_flags", TOKEN_FLAGS, "bit 1 wait for compute, bit 3 give to compute; others 0");

/// All commands, by opcode.
pub const COMMANDS: [CommandFormat; 5] = [
    CommandFormat {
        name: "end",
        opcode: opcode::END,
        meaning: "the program is over when every queue is empty and every unit idle; the last command",
        fields: &[OPCODE_FIELD],
    },
    CommandFormat {
        name: "matmul",
        opcode: opcode::MATMUL,
        meaning: "outputs = activations x weights, from and to the named halves of the buffers",
        fields: &MATMUL,
    },
    CommandFormat {
        name: "load_weights",
        opcode: opcode::LOAD_WEIGHTS,
        meaning: "the weight words of whole column blocks, one run of memory, into a half of the weight buffer",
        fields: &[
            OPCODE_FIELD,
            TYPE_FIELD,
            GROUP_FIELD,
            ("output_channels", OUTPUT_CHANNELS, "of one tile: column blocks x columns, padding included"),
            ("input_channels", INPUT_CHANNELS, "K"),
            ("address", ADDRESS, "byte address, a multiple of a beat"),
            ("beats", BEATS, "beats of the run"),
            LOAD_TOKENS,
            ("halves", HALVES, "bit 0: half of the weight buffer; others 0"),
        ],
    },
    CommandFormat {
        name: "load_activations",
        opcode: opcode::LOAD_ACTIVATIONS,
        meaning: "FP16 rows, a token each, into a half of the activation buffer",
        fields: &[
            OPCODE_FIELD,
            GROUP_FIELD,
            ("tokens", TOKENS, "rows in memory, padding not included"),
            ("input_channels", INPUT_CHANNELS, "K"),
            ("address", ADDRESS, "byte address of the first row, a multiple of a beat"),
            ("pitch", PITCH, "bytes from row to row, a multiple of a beat"),
            LOAD_TOKENS,
            ("halves", HALVES, "bit 1: half of the activation buffer; others 0"),
        ],
    },
    CommandFormat {
        name: "store",
        opcode: opcode::STORE,
        meaning: "the outputs of a product, FP16 rows, a token each, to memory",
        fields: &[
            OPCODE_FIELD,
            ("row_blocks", ROW_BLOCKS, "row blocks of the product"),
            ("tokens", TOKENS, "rows written, padding not included"),
            ("output_channels", OUTPUT_CHANNELS, "values of a row, padding not included"),
            ("address", ADDRESS, "byte address of the first row, a multiple of a beat"),
            ("pitch", PITCH, "bytes from row to row, a multiple of a beat"),
            ("token_flags", TOKEN_FLAGS, "bit 0 wait for compute, bit 2 give to compute; others 0"),
            ("halves", HALVES, "bit 2: half of the output buffer; others 0"),
        ],
    },
];
