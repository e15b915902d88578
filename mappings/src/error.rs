/// What the lowering and the program reader refuse.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// The machine does not execute the weight type.
    #[error("{reason}")]
    HostOnly {
        /// Reason and remedy.
        reason: String,
    },
    /// An operand that the machine or a command cannot take.
    #[error("{field} is {found}; {expected}")]
    Field {
        /// Field of the operand or command.
        field: String,
        /// The value found.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// Text that is no program.
    #[error("program, line {line}: {found}; {expected}")]
    Text {
        /// Line, from 1.
        line: usize,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A command that a machine cannot execute.
    #[error("program, command {command}: {found}; {expected}")]
    Command {
        /// Number of the command, from 1.
        command: usize,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// Bytes that are no program.
    #[error("program, byte {offset}: {found}; {expected}")]
    Program {
        /// Offset of the command or field.
        offset: usize,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: String,
    },
}

impl MappingError {
    pub(crate) fn field(field: impl ToString, found: impl ToString, expected: impl ToString) -> MappingError {
        MappingError::Field { field: field.to_string(), found: found.to_string(), expected: expected.to_string() }
    }
}
