/// Why a design is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchError {
    /// The file is not there, and no preset has the name.
    #[error("{kind} `{name}`: {reason}; presets: {presets}")]
    NotFound {
        /// What was asked for: a design or a technology.
        kind: &'static str,
        /// Name or path asked for.
        name: String,
        /// What the system said.
        reason: String,
        /// Names of the embedded ones.
        presets: String,
    },
    /// Not TOML, an unknown key, a wrong type: with line and column.
    #[error("{file}: {message}")]
    Syntax {
        /// File or preset.
        file: String,
        /// The parser's message, which names line, column and the expected keys.
        message: String,
    },
    /// A field with an impossible value.
    #[error("{file}: field `{field}` is {found}; {expected}")]
    Field {
        /// File or preset.
        file: String,
        /// Dotted path of the field.
        field: String,
        /// The value found.
        found: String,
        /// What would be right.
        expected: String,
    },
}
