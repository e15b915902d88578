//! The safetensors container: 8 bytes of header length, a JSON header, the tensors without gaps.
//!
//! Only the header is read on opening; a tensor is read from its place when asked for. The `safetensors` crate gives the
//! element types and, in the trace writer, the header. Its `SafeTensors::read_metadata` cannot be used for positioned
//! reads: it wants the whole file in memory (it compares the end of the last tensor with the length of its buffer), keeps
//! the last of two tensors of one name, and its errors do not say where they are. The checks here are the same and
//! stricter; a test compares the two on mutated files.

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::files::{CHUNK_BYTES, io_error, malformed, open_regular, shown};
use crate::{Fault, WorkloadsError};

/// Largest header the format allows, in bytes.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;
/// Most dimensions a tensor may have here; it keeps the memory of a header proportional to its length.
pub const MAX_DIMENSIONS: usize = 32;
/// Bytes of the header length.
const LENGTH_BYTES: u64 = 8;
/// Tensors that an error about an unknown name lists.
const LISTED_TENSORS: usize = 8;

/// Place of one tensor in a file.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// Bytes from the start of the file.
    begin: u64,
    /// Length in bytes.
    bytes: u64,
}

impl Entry {
    /// Values of the tensor, counted from its first, as an entry of their own.
    ///
    /// # Panics
    /// If they are not all there.
    pub(crate) fn part(&self, values: Range<usize>) -> Entry {
        let bytes = (self.dtype.bitsize() / 8) as u64;
        let (begin, end) = (values.start as u64 * bytes, values.end as u64 * bytes);
        assert!(begin <= end && end <= self.bytes);
        Entry { dtype: self.dtype, shape: vec![values.len()], begin: self.begin + begin, bytes: end - begin }
    }
}

/// An opened file: the header, and no file handle.
#[derive(Debug)]
pub(crate) struct SafetensorsFile {
    pub(crate) path: PathBuf,
    length: u64,
    pub(crate) tensors: BTreeMap<String, Entry>,
}

impl SafetensorsFile {
    /// Reads and checks the header.
    pub(crate) fn open(path: &Path) -> Result<SafetensorsFile, WorkloadsError> {
        let (mut file, length) = open_regular(path)?;
        let header = read_header(path, &mut file, length)?;
        let tensors = check_places(path, parse_header(path, &header)?, LENGTH_BYTES + header.len() as u64, length)?;
        Ok(SafetensorsFile { path: path.to_path_buf(), length, tensors })
    }

    /// The entry of this name.
    pub(crate) fn entry(&self, name: &str) -> Result<&Entry, WorkloadsError> {
        self.tensors.get(name).ok_or_else(|| unknown_tensor(&self.path, name, self.tensors.keys()))
    }

    /// Hands the bytes of a tensor to `sink` in order, in chunks of at most [`CHUNK_BYTES`].
    pub(crate) fn stream(
        &self,
        entry: &Entry,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), WorkloadsError>,
    ) -> Result<(), WorkloadsError> {
        let (mut file, length) = open_regular(&self.path)?;
        if length != self.length {
            let (found, expected) = (format!("{length} bytes"), format!("{} bytes, as on opening", self.length));
            return Err(malformed(&self.path, Fault::Truncated, "the file", found, expected));
        }
        file.seek(SeekFrom::Start(entry.begin)).map_err(|e| io_error(&self.path, "seek in the file", e))?;
        let mut left = entry.bytes;
        let mut chunk = vec![0; CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES))];
        while left > 0 {
            let n = chunk.len().min(usize::try_from(left).unwrap_or(chunk.len()));
            file.read_exact(&mut chunk[..n]).map_err(|e| io_error(&self.path, "read a tensor", e))?;
            sink(&chunk[..n])?;
            left -= n as u64;
        }
        Ok(())
    }
}

/// The error about a tensor that is not among `names`.
pub(super) fn unknown_tensor<'a>(
    path: &Path,
    name: &str,
    names: impl ExactSizeIterator<Item = &'a String>,
) -> WorkloadsError {
    let more = names.len().saturating_sub(LISTED_TENSORS);
    let mut known: Vec<String> = names.take(LISTED_TENSORS).map(|n| format!("`{}`", shown(n))).collect();
    if more > 0 {
        known.push(format!("{more} more"));
    }
    let known = if known.is_empty() { "none".into() } else { known.join(", ") };
    WorkloadsError::UnknownTensor { file: path.to_path_buf(), tensor: shown(name), known }
}

fn read_header(path: &Path, file: &mut File, length: u64) -> Result<Vec<u8>, WorkloadsError> {
    let truncated = |found: u64, expected: String| {
        malformed(path, Fault::Truncated, "header", format!("a file of {found} bytes"), expected)
    };
    if length < LENGTH_BYTES {
        return Err(truncated(length, format!("at least {LENGTH_BYTES} bytes, the length of the header")));
    }
    let mut field = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut field).map_err(|e| io_error(path, "read the header length", e))?;
    let header_bytes = u64::from_le_bytes(field);
    if header_bytes > MAX_HEADER_BYTES {
        let (found, expected) = (format!("{header_bytes} bytes"), format!("at most {MAX_HEADER_BYTES} bytes"));
        return Err(malformed(path, Fault::TooLarge, "header length, bytes 0 to 7", found, expected));
    }
    if header_bytes > length - LENGTH_BYTES {
        return Err(truncated(length, format!("at least {} for the header announced", LENGTH_BYTES + header_bytes)));
    }
    let mut header = vec![0; header_bytes as usize];
    file.read_exact(&mut header).map_err(|e| io_error(path, "read the header", e))?;
    Ok(header)
}

fn parse_header(path: &Path, header: &[u8]) -> Result<BTreeMap<String, HeaderEntry>, WorkloadsError> {
    let text = std::str::from_utf8(header).map_err(|e| {
        let place = format!("header, byte {} of the file", LENGTH_BYTES + e.valid_up_to() as u64);
        malformed(path, Fault::Syntax, place, "bytes that are not UTF-8", "JSON text")
    })?;
    let UniqueMap(tensors) = parse_json(path, "header", "a JSON object of tensors", text)?;
    Ok(tensors)
}

/// Parses JSON text of a file; a name that occurs twice in a [`UniqueMap`] is told apart from a fault of syntax.
pub(super) fn parse_json<T: for<'de> Deserialize<'de>>(
    path: &Path,
    what: &str,
    expected: &str,
    text: &str,
) -> Result<T, WorkloadsError> {
    serde_json::from_str(text).map_err(|e| {
        let message = e.to_string();
        let place = format!("{what}, line {}, column {}", e.line(), e.column());
        match message.strip_prefix(DUPLICATE) {
            Some(rest) => {
                malformed(path, Fault::Duplicate, place, format!("{}{}", DUPLICATE, shown(rest)), "each once")
            }
            None => malformed(path, Fault::Syntax, place, shown(&message), expected),
        }
    })
}

/// Checks that the tensors fill the rest of the file without overlap or gap, each as long as its shape says.
fn check_places(
    path: &Path,
    header: BTreeMap<String, HeaderEntry>,
    data_begin: u64,
    length: u64,
) -> Result<BTreeMap<String, Entry>, WorkloadsError> {
    let mut order: Vec<(&String, &HeaderEntry)> = header.iter().collect();
    order.sort_by_key(|(_, entry)| entry.data_offsets);
    let (mut end, mut previous) = (0u64, None::<&String>);
    for (name, entry) in order {
        let place = || format!("tensor `{}`", shown(name));
        let (first, last) = entry.data_offsets;
        if first != end || last < first {
            let found = format!("bytes {first} to {last}");
            let expected = match previous {
                Some(other) => format!("bytes from {end} on, where tensor `{}` ends", shown(other)),
                None => "bytes from 0 on".to_string(),
            };
            return Err(malformed(path, Fault::Offsets, place(), found, expected));
        }
        let expected_bytes = byte_count(&entry.shape.0, entry.dtype);
        if expected_bytes != Some(last - first) {
            let found = format!("{} bytes", last - first);
            let expected = match expected_bytes {
                Some(n) => format!("{n} bytes for {} of shape {:?}", entry.dtype, entry.shape.0),
                None => format!("a whole number of bytes below 2^61 for {} of shape {:?}", entry.dtype, entry.shape.0),
            };
            return Err(malformed(path, Fault::ByteCount, place(), found, expected));
        }
        (end, previous) = (last, Some(name));
    }
    let expected_length = data_begin.checked_add(end);
    if expected_length != Some(length) {
        let fault = if expected_length.is_none_or(|n| n > length) { Fault::Truncated } else { Fault::TrailingBytes };
        let expected = match expected_length {
            Some(n) => format!("{n} bytes, where the last tensor ends"),
            None => "tensors that end below 2^64".to_string(),
        };
        return Err(malformed(path, fault, "end of the file", format!("{length} bytes"), expected));
    }
    let place = |entry: HeaderEntry| Entry {
        dtype: entry.dtype,
        shape: entry.shape.0,
        begin: data_begin + entry.data_offsets.0,
        bytes: entry.data_offsets.1 - entry.data_offsets.0,
    };
    Ok(header.into_iter().map(|(name, entry)| (name, place(entry))).collect())
}

/// Bytes of a tensor; `None` if that overflows or is not a whole number.
fn byte_count(shape: &[usize], dtype: Dtype) -> Option<u64> {
    let elements = shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d as u64))?;
    let bits = elements.checked_mul(dtype.bitsize() as u64)?;
    bits.is_multiple_of(8).then_some(bits / 8)
}

/// One tensor as the header has it. Keys that the format does not know are left alone, as its other readers do.
#[derive(Debug, serde::Deserialize)]
struct HeaderEntry {
    dtype: Dtype,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// A shape of at most [`MAX_DIMENSIONS`] dimensions.
#[derive(Debug)]
struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shape, D::Error> {
        struct Dimensions;
        impl<'de> Visitor<'de> for Dimensions {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX_DIMENSIONS} dimensions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(dimension) = list.next_element()? {
                    if shape.len() == MAX_DIMENSIONS {
                        return Err(A::Error::invalid_length(MAX_DIMENSIONS + 1, &self));
                    }
                    shape.push(dimension);
                }
                Ok(Shape(shape))
            }
        }
        deserializer.deserialize_seq(Dimensions)
    }
}

/// Start of the message about a name that occurs twice.
const DUPLICATE: &str = "a second entry named ";

/// A JSON object whose names occur once each; `__metadata__`, free text in a safetensors header, is left out.
#[derive(Debug)]
pub(super) struct UniqueMap<V>(pub(super) BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UniqueMap<V>, D::Error> {
        struct Names<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Names<V> {
            type Value = UniqueMap<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueMap<V>, A::Error> {
                let mut entries = BTreeMap::new();
                let mut free_text = false;
                let repeated = |name: &str| A::Error::custom(format_args!("{DUPLICATE}`{}`", shown(name)));
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<Option<BTreeMap<String, String>>>()?;
                        if std::mem::replace(&mut free_text, true) {
                            return Err(repeated(&name));
                        }
                        continue;
                    }
                    match entries.entry(name) {
                        btree_map::Entry::Occupied(entry) => return Err(repeated(entry.key())),
                        btree_map::Entry::Vacant(entry) => entry.insert(map.next_value()?),
                    };
                }
                Ok(UniqueMap(entries))
            }
        }
        deserializer.deserialize_map(Names(PhantomData))
    }
}
