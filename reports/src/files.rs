//! The only place of the room that touches the file system.

use std::fs;
use std::path::Path;

use bitmosaic_results::{CompareDocument, CompareResult, RunDocument, SimulateResult};

use crate::{ReportsError, RunDetails, compare_csv, compare_page, layers_csv, run_page};

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

/// Writes [`compare_page`].
///
/// # Errors
/// `Write`, with the path.
pub fn write_compare_page(path: &Path, document: &CompareDocument, details: &RunDetails) -> Result<(), ReportsError> {
    write_file(path, &compare_page(document, details))
}

/// Writes [`compare_csv`].
///
/// # Errors
/// `Write`, with the path; `Csv` as [`compare_csv`].
pub fn write_compare_csv(path: &Path, result: &CompareResult) -> Result<(), ReportsError> {
    write_file(path, &compare_csv(result)?)
}
