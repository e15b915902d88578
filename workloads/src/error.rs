use std::fmt;
use std::path::PathBuf;

use bitmosaic_numerics::NumericsError;

/// What is wrong with the contents of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// The path is a folder, a device or a pipe.
    NotAFile,
    /// The file ends before what its header announces.
    Truncated,
    /// The file goes on after what its header announces.
    TrailingBytes,
    /// A header or an index is larger than any genuine one.
    TooLarge,
    /// A header or an index is not text of its format: UTF-8, JSON or CSV.
    Syntax,
    /// A column of an index is missing, unknown or there twice.
    Column,
    /// A name occurs twice.
    Duplicate,
    /// Tensors overlap, leave a gap or lie outside the file.
    Offsets,
    /// Shape times element type is not the number of bytes.
    ByteCount,
    /// A shape that cannot be used here: empty, absurdly large, not the one the index announces.
    Shape,
    /// Another element type than the index announces.
    ElementType,
    /// A field whose text or number is out of range.
    Field,
    /// A field that says what cannot be represented here.
    Unsupported,
    /// A file name that could leave the folder.
    FileName,
    /// The SHA-256 of a file is not the recorded one.
    Checksum,
}

impl Fault {
    /// What the user can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Fault::NotAFile => "name a regular file",
            Fault::Truncated | Fault::TrailingBytes => "fetch or write the file again, the copy is not complete",
            Fault::TooLarge => "check that the file is of this format",
            Fault::Syntax | Fault::Offsets | Fault::ByteCount => "repair the file or write it again",
            Fault::Column => "correct the header line",
            Fault::Duplicate => "rename or remove one of them",
            Fault::Shape | Fault::ElementType => "name another tensor or correct the index",
            Fault::Field => "correct the field",
            Fault::Unsupported => "describe the model in a TOML file of the form of `workloads/models`",
            Fault::FileName => "move the file into the folder and name it without a path",
            Fault::Checksum => "write the trace again, or restore the file that belongs to the index",
        }
    }
}

/// Where a [`WorkloadsError::Malformed`] is, what is there and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Tensor, line, field or byte.
    pub place: String,
    /// What stands there, shortened and with control characters escaped.
    pub found: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}", self.place, self.found, self.expected)
    }
}

/// What this room refuses, with the remedy in the text. `file` is the path as the caller gave it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadsError {
    /// The operating system refused.
    #[error("{}: cannot {action}: {cause}; check the path, the permissions and the free space", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Its answer.
        cause: std::io::Error,
    },
    /// The contents are not what the format or the index says.
    #[error("{}: {finding}; {}", file.display(), fault.remedy())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The kind of fault.
        fault: Fault,
        /// Place, finding and expectation.
        finding: Box<Finding>,
    },
    /// A tensor that the file does not have.
    #[error("{}: there is no tensor `{tensor}`; the file has {known}", file.display())]
    UnknownTensor {
        /// The file.
        file: PathBuf,
        /// The name asked for.
        tensor: String,
        /// Some of the names it has.
        known: String,
    },
    /// An element type that the reader does not convert.
    #[error(
        "{}: tensor `{tensor}` has elements of type {found}; supported are {supported}: convert the checkpoint",
        file.display()
    )]
    UnsupportedType {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its element type.
        found: String,
        /// The types that can be read.
        supported: String,
    },
    /// A value that is not finite where only finite ones are accepted.
    #[error("{}: {what}, row {row}, column {column}: found {value}, expected {expected}", file.display())]
    NotFinite {
        /// The file.
        file: PathBuf,
        /// The tensor, or the layer and part of it.
        what: String,
        /// Row: an output channel of a weight matrix, a token of activations.
        row: usize,
        /// Column: an input channel.
        column: usize,
        /// The value as text.
        value: String,
        /// What would be right, and how to have it accepted all the same where that is possible.
        expected: &'static str,
    },
    /// Contents that the numerics refuse.
    #[error("{}: {place}: {cause}", file.display())]
    Numerics {
        /// The file.
        file: PathBuf,
        /// The layer.
        place: String,
        /// Their finding.
        cause: NumericsError,
    },
    /// A request that cannot be met: a parameter of a generator, a layer that cannot be written.
    #[error("{what}: found {found}, expected {expected}")]
    Request {
        /// The parameter.
        what: String,
        /// Its value.
        found: String,
        /// What would be right.
        expected: String,
    },
}
