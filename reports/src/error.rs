use std::path::PathBuf;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportsError {
    /// The file system refused.
    #[error("{}: cannot be written: {source}; name a file in a folder that exists and can be written to", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The plot library refused.
    #[error("plot \"{plot}\" cannot be drawn: {reason}")]
    Plot {
        /// Which plot.
        plot: &'static str,
        /// What the library said.
        reason: String,
    },
    /// The CSV writer refused.
    #[error("table \"{table}\" cannot be written as CSV: {reason}")]
    Csv {
        /// Title of the table.
        table: String,
        /// What the writer said.
        reason: String,
    },
}
