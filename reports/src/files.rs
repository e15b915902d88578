//! The only place of the room that touches the file system.

use std::fs;
use std::path::Path;

use bitmosaic_results::{RunDocument, SimulateResult};

use crate::{ReportsError, RunDetails, layers_csv, run_page};

/// Writes a rendering.
///
/// # Errors
/// `Write`, with the path.
pub fn write_file(path: &Path, contents: &str) -> Result<(), ReportsError> {
    fs::write(path, contents).map_err(|source| ReportsError::Write { path: path.to_path_buf(), source })
}

/// Writes [`run_page`].
///
/// # Errors
/// `Write`, with the path.
pub fn write_run_page(path: &Path, document: &RunDocument, details: &RunDetails) -> Result<(), ReportsError> {
    write_file(path, &run_page(document, details))
}

/// Writes [`layers_csv`].
///
/// # Errors
/// `Write`, with the path; `Csv` as [`layers_csv`].
pub fn write_layers_csv(path: &Path, result: &SimulateResult) -> Result<(), ReportsError> {
    write_file(path, &layers_csv(result)?)
}
