use std::io::{IsTerminal, Write as _};
use std::path::Path;

use bitmosaic_arch::Machine;
use bitmosaic_results::Provenance;
use serde::Serialize;

use crate::error::CliError;

/// Prints a document as the one JSON document of standard output.
pub(crate) fn print_json(document: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(document).map_err(|e| CliError::Internal(e.to_string()))?;
    print_text(&text)
}

/// Prints text to standard output, closed by a newline.
pub(crate) fn print_text(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Says on standard error what a longer job is doing; on a terminal the line is overwritten by the next.
pub(crate) fn progress(step: &str) {
    let mut err = std::io::stderr().lock();
    let _ = if err.is_terminal() { write!(err, "\r\x1b[K{step} ...") } else { writeln!(err, "{step}") };
    let _ = err.flush();
}

/// Clears the progress line of a terminal.
pub(crate) fn progress_done() {
    let mut err = std::io::stderr().lock();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[K");
        let _ = err.flush();
    }
}

/// Provenance of a result on a machine.
pub(crate) fn provenance(
    machine: &Machine,
    workload: String,
    mapping: &str,
    engine: String,
    memory: &str,
    seed: u64,
) -> Provenance {
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_string(),
        design: machine.name.clone(),
        design_sha256: machine.design_sha256.clone(),
        workload,
        mapping: mapping.to_string(),
        engine,
        memory: memory.to_string(),
        seed,
    }
}

/// Creates a folder for results.
pub(crate) fn create_folder(path: &Path) -> Result<(), CliError> {
    std::fs::create_dir_all(path).map_err(|e| CliError::File {
        path: path.display().to_string(),
        reason: format!("cannot create the folder: {e}"),
    })
}

/// Writes a result file.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text).map_err(|e| CliError::File { path: path.display().to_string(), reason: e.to_string() })
}
