use std::path::Path;

/// Why a sweep or a front is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExploreError {
    /// The file is not there, and no embedded spec has the name.
    #[error("sweep `{name}`: {reason}; embedded: {embedded}")]
    NotFound {
        /// Name or path asked for.
        name: String,
        /// What the system said.
        reason: String,
        /// Names of the embedded specs.
        embedded: String,
    },
    /// Not TOML, an unknown key, a wrong type: with line and column.
    #[error("{file}: {message}")]
    Syntax {
        /// File or embedded spec.
        file: String,
        /// The parser's message.
        message: String,
    },
    /// A field with an impossible value.
    #[error("{file}: field `{field}` is {found}; {expected}")]
    Field {
        /// File or embedded spec.
        file: String,
        /// Dotted path of the field.
        field: String,
        /// The value found.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// Results on disk that are not what they should be.
    #[error("{file}: {found}; {expected}")]
    Results {
        /// File.
        file: String,
        /// What is there.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// Reading or writing failed.
    #[error("{file}: {source}")]
    File {
        /// File.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A broken netlist rule, or threads that cannot be started: a bug or the system's refusal, not a matter of the spec.
    #[error("{0}")]
    Internal(String),
}

impl ExploreError {
    pub(crate) fn file(path: &Path, source: std::io::Error) -> ExploreError {
        ExploreError::File { file: path.display().to_string(), source }
    }

    pub(crate) fn results(path: &Path, found: impl ToString, expected: &str) -> ExploreError {
        ExploreError::Results { file: path.display().to_string(), found: found.to_string(), expected: expected.into() }
    }
}

/// Checks of a spec that came from `file`.
#[derive(Clone, Copy)]
pub(crate) struct Check<'a> {
    pub(crate) file: &'a str,
}

impl Check<'_> {
    pub(crate) fn error(self, field: &str, found: impl ToString, expected: impl ToString) -> ExploreError {
        // A stranger's file: what is shown of it stays short and on one line.
        let shown: String = one_line(&found.to_string()).chars().take(200).collect();
        ExploreError::Field {
            file: self.file.to_string(),
            field: one_line(field).chars().take(200).collect(),
            found: shown,
            expected: expected.to_string(),
        }
    }

    pub(crate) fn that(
        self,
        field: &str,
        found: impl ToString,
        ok: bool,
        expected: impl ToString,
    ) -> Result<(), ExploreError> {
        if ok { Ok(()) } else { Err(self.error(field, found, expected)) }
    }
}

/// Text without line breaks and other control characters.
pub(crate) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
