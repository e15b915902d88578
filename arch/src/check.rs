//! Errors of a design file, with field, finding and what would be right.

use crate::ArchError;

/// Checks of a design that came from `file`.
pub(crate) struct Check<'a> {
    pub(crate) file: &'a str,
}

impl Check<'_> {
    pub(crate) fn error(&self, field: &str, found: impl ToString, expected: &str) -> ArchError {
        ArchError::Field {
            file: self.file.to_string(),
            field: field.to_string(),
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }

    pub(crate) fn that(&self, field: &str, found: impl ToString, ok: bool, expected: &str) -> Result<(), ArchError> {
        if ok { Ok(()) } else { Err(self.error(field, found, expected)) }
    }

    pub(crate) fn given<T>(&self, field: &str, value: Option<T>) -> Result<T, ArchError> {
        value.ok_or_else(|| self.error(field, "missing", "this kind of processing element needs it"))
    }

    pub(crate) fn absent<T>(&self, field: &str, value: Option<T>) -> Result<(), ArchError> {
        self.that(field, "given", value.is_none(), "this kind of processing element has none: remove it")
    }

    pub(crate) fn range(&self, field: &str, found: u32, low: u32, high: u32) -> Result<(), ArchError> {
        self.that(field, found, (low..=high).contains(&found), &format!("must be {low} to {high}"))
    }

    pub(crate) fn name(&self, name: &str) -> Result<(), ArchError> {
        let ok = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= 64
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        self.that(
            "name",
            format!("{name:?}"),
            ok,
            "must be lower case letters, digits and dashes, starting with a letter",
        )
    }
}
