//! Fields of the commands of a whole machine.

use bitmosaic_mappings::{COMMAND_BYTES, field, read_bits};

/// A command's bits.
pub(crate) type CommandWords = [u64; COMMAND_BYTES / 8];

/// A field of a command.
pub(crate) fn at(command: &CommandWords, (low, bits): (u32, u32)) -> u64 {
    read_bits(command, low, bits)
}

/// Flag `i` of `field::TOKEN_FLAGS`.
fn flag(command: &CommandWords, i: u32) -> bool {
    at(command, field::TOKEN_FLAGS) >> i & 1 == 1
}

/// Waits for a token of the queue above.
pub(crate) fn wait_up(command: &CommandWords) -> bool {
    flag(command, 0)
}

/// Waits for a token of the queue below.
pub(crate) fn wait_down(command: &CommandWords) -> bool {
    flag(command, 1)
}

/// Gives a token to the queue above.
pub(crate) fn give_up(command: &CommandWords) -> bool {
    flag(command, 2)
}

/// Gives a token to the queue below.
pub(crate) fn give_down(command: &CommandWords) -> bool {
    flag(command, 3)
}

/// Half of the weight (0), activation (1) or output buffer (2).
pub(crate) fn half(command: &CommandWords, buffer: u32) -> usize {
    (at(command, field::HALVES) >> buffer & 1) as usize
}
