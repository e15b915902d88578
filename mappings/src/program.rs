//! A whole program.

use crate::{COMMAND_BYTES, Command, MappingError, Matmul};

/// A command program, closed by `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The commands.
    pub commands: Vec<Command>,
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
            _ => None,
        })
    }
}
