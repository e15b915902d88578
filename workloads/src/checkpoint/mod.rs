//! Checkpoints as published: which tensors there are, and one matrix at a time.
//!
//! [`Checkpoint::open`] takes a `*.safetensors` file, the index of a sharded checkpoint (`*.safetensors.index.json`), or
//! the folder that holds either under its usual name. It reads headers only; [`Checkpoint::read_matrix`] then reads the
//! bytes of that one tensor in chunks, so memory is the matrix itself and one chunk.

pub mod safetensors;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ::safetensors::Dtype;
use bitmosaic_numerics::f16;
use half::bf16;

use self::safetensors::{Entry, SafetensorsFile, UniqueMap, parse_json, unknown_tensor};
use crate::files::{check_plain_name, malformed, read_small, shown};
use crate::{Fault, WorkloadsError};

/// Element types that [`Checkpoint::read_matrix`] converts.
const SUPPORTED: &str = "F32, F16, BF16";
/// Largest index of a sharded checkpoint, in bytes (a million tensors need less).
const MAX_INDEX_BYTES: u64 = 64 << 20;
/// Usual names in a folder, the first that exists is taken.
const USUAL_NAMES: [&str; 2] = ["model.safetensors.index.json", "model.safetensors"];

/// One tensor of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name in the checkpoint.
    pub name: String,
    /// Element type as the format names it, for example `BF16`.
    pub dtype: String,
    /// Dimensions, the outermost first; linear layers are `[output channels, input channels]`. Empty tensors (a
    /// dimension of zero) are legal in the format; they can be listed but not read.
    pub shape: Vec<usize>,
}

/// An opened checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<SafetensorsFile>,
    tensors: Vec<TensorInfo>,
    /// Tensor name -> index into `files`.
    places: BTreeMap<String, usize>,
}

/// A dense matrix, row-major. Linear layers are `[output channels, input channels]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Rows, at least 1.
    pub rows: usize,
    /// Columns, at least 1.
    pub columns: usize,
    /// `rows · columns` values; binary32 holds every value of every element type read.
    pub data: Vec<f32>,
}

impl Matrix {
    /// The values rounded to FP16, nearest even. Magnitudes from 65520 on become infinite: read with
    /// [`ValueCheck::FiniteAsF16`] where that must not happen.
    pub fn to_f16(&self) -> Vec<f16> {
        self.data.iter().map(|v| f16::from_f32(*v)).collect()
    }
}

/// Which values a read accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueCheck {
    /// All, NaN and infinities included.
    Any,
    /// Finite ones.
    Finite,
    /// Those that are finite after rounding to FP16.
    FiniteAsF16,
}

impl Checkpoint {
    /// Opens a checkpoint: reads and checks its headers.
    ///
    /// # Errors
    /// `Io` and `Malformed`; an index that names a tensor which its file does not have is `UnknownTensor`.
    pub fn open(path: &Path) -> Result<Checkpoint, WorkloadsError> {
        let usual = USUAL_NAMES.iter().map(|name| path.join(name)).find(|p| p.exists());
        let path = usual.as_deref().unwrap_or(path);
        let is_index = path.file_name().is_some_and(|n| n.to_string_lossy().ends_with(".index.json"));
        let (files, places) = if is_index { open_shards(path)? } else { open_single(path)? };
        let info = |(name, file): (&String, &usize)| {
            let entry = files[*file].entry(name)?;
            Ok(TensorInfo { name: name.clone(), dtype: entry.dtype.to_string(), shape: entry.shape.clone() })
        };
        let tensors = places.iter().map(info).collect::<Result<_, WorkloadsError>>()?;
        Ok(Checkpoint { path: path.to_path_buf(), files, tensors, places })
    }

    /// The file or index that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors, ascending by name.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Reads a two-dimensional tensor of type F32, F16 or BF16.
    ///
    /// # Errors
    /// `UnknownTensor`, `UnsupportedType`, `Malformed` for a shape that is not two-dimensional or is empty, `NotFinite` with
    /// row and column, `Io`.
    pub fn read_matrix(&self, name: &str, check: ValueCheck) -> Result<Matrix, WorkloadsError> {
        let tensor = self.tensor(name)?;
        let [rows, columns] = tensor.matrix_shape()?;
        let mut data = reserved(&tensor, rows * columns)?;
        tensor.read_rows(0..rows, columns, check, &mut data)?;
        Ok(Matrix { rows, columns, data })
    }

    /// Reads these rows of a two-dimensional tensor, in this order and as often as they are named; nothing else of it.
    ///
    /// # Errors
    /// As [`Checkpoint::read_matrix`]; `Request` for a row that is not there.
    pub fn read_rows(&self, name: &str, rows: &[usize], check: ValueCheck) -> Result<Matrix, WorkloadsError> {
        let tensor = self.tensor(name)?;
        let [there, columns] = tensor.matrix_shape()?;
        if let Some(row) = rows.iter().find(|row| **row >= there) {
            return Err(WorkloadsError::Request {
                what: format!("row of {} in {}", tensor.place(), tensor.file.path.display()),
                found: row.to_string(),
                expected: format!("0 to {}", there - 1),
            });
        }
        let mut data = reserved(&tensor, rows.len() * columns)?;
        for row in rows {
            tensor.read_rows(*row..*row + 1, columns, check, &mut data)?;
        }
        Ok(Matrix { rows: rows.len(), columns, data })
    }

    /// Reads a one-dimensional tensor of type F32, F16 or BF16.
    ///
    /// # Errors
    /// As [`Checkpoint::read_matrix`], with one dimension; places count as columns of row 0.
    pub fn read_vector(&self, name: &str, check: ValueCheck) -> Result<Vec<f32>, WorkloadsError> {
        let tensor = self.tensor(name)?;
        let [length] = tensor.entry.shape[..] else { return Err(tensor.shape_error("one dimension")) };
        if length == 0 {
            return Err(tensor.shape_error("at least one value"));
        }
        let mut data = reserved(&tensor, length)?;
        tensor.read_rows(0..1, length, check, &mut data)?;
        Ok(data)
    }

    /// Number of rows of a two-dimensional tensor.
    ///
    /// # Errors
    /// `UnknownTensor`; `Malformed` for a shape that is not two-dimensional or is empty.
    pub(crate) fn rows(&self, name: &str) -> Result<usize, WorkloadsError> {
        Ok(self.tensor(name)?.matrix_shape()?[0])
    }

    fn tensor<'a>(&'a self, name: &'a str) -> Result<Tensor<'a>, WorkloadsError> {
        let Some(file) = self.places.get(name).map(|index| &self.files[*index]) else {
            return Err(unknown_tensor(&self.path, name, self.places.keys()));
        };
        let entry = file.entry(name)?;
        let decode = decoder(entry).ok_or_else(|| WorkloadsError::UnsupportedType {
            file: file.path.clone(),
            tensor: shown(name),
            found: entry.dtype.to_string(),
            supported: SUPPORTED.into(),
        })?;
        Ok(Tensor { file, name, entry, decode })
    }
}

/// A tensor that can be read.
struct Tensor<'a> {
    file: &'a SafetensorsFile,
    name: &'a str,
    entry: &'a Entry,
    decode: Decoder,
}

impl Tensor<'_> {
    fn place(&self) -> String {
        format!("tensor `{}`", shown(self.name))
    }

    fn shape_error(&self, expected: &str) -> WorkloadsError {
        let empty = if self.entry.shape.contains(&0) { ", which is empty" } else { "" };
        let found = format!("shape {:?}{empty}", self.entry.shape);
        malformed(&self.file.path, Fault::Shape, self.place(), found, expected)
    }

    fn matrix_shape(&self) -> Result<[usize; 2], WorkloadsError> {
        match self.entry.shape[..] {
            [0, _] | [_, 0] => Err(self.shape_error("at least one row and one column")),
            [rows, columns] => Ok([rows, columns]),
            _ => Err(self.shape_error("two dimensions")),
        }
    }

    /// Appends rows of `columns` values.
    fn read_rows(
        &self,
        rows: Range<usize>,
        columns: usize,
        check: ValueCheck,
        data: &mut Vec<f32>,
    ) -> Result<(), WorkloadsError> {
        let start = data.len();
        let refused = |v: &f32| match check {
            ValueCheck::Any => false,
            ValueCheck::Finite => !v.is_finite(),
            ValueCheck::FiniteAsF16 => !f16::from_f32(*v).is_finite(),
        };
        let values = rows.start * columns..rows.end * columns;
        self.file.stream(&self.entry.part(values), &mut |bytes| {
            let first = data.len();
            (self.decode)(bytes, data);
            match data[first..].iter().position(refused) {
                None => Ok(()),
                Some(offset) => Err(WorkloadsError::NotFinite {
                    file: self.file.path.clone(),
                    what: self.place(),
                    row: rows.start + (first - start + offset) / columns,
                    column: (first - start + offset) % columns,
                    value: data[first + offset].to_string(),
                    expected: match check {
                        ValueCheck::FiniteAsF16 => {
                            "a value that is finite in FP16 (below 65520); repair the checkpoint"
                        }
                        _ => "a finite value; repair the checkpoint",
                    },
                }),
            }
        })
    }
}

/// An empty vector with room for so many values.
fn reserved(tensor: &Tensor<'_>, values: usize) -> Result<Vec<f32>, WorkloadsError> {
    let mut data = Vec::new();
    if data.try_reserve_exact(values).is_err() {
        let found = format!("{values} values, more than memory holds");
        let expected = "values that fit into memory";
        return Err(malformed(&tensor.file.path, Fault::Shape, tensor.place(), found, expected));
    }
    Ok(data)
}

/// Appends the values of whole elements.
type Decoder = fn(&[u8], &mut Vec<f32>);

/// How the bytes of an element type become binary32, exactly.
fn decoder(entry: &Entry) -> Option<Decoder> {
    match entry.dtype {
        Dtype::F32 => Some(|bytes, out| {
            out.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
        }),
        Dtype::F16 => Some(|bytes, out| {
            out.extend(bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()));
        }),
        Dtype::BF16 => Some(|bytes, out| {
            out.extend(bytes.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()));
        }),
        _ => None,
    }
}

type Opened = (Vec<SafetensorsFile>, BTreeMap<String, usize>);

fn open_single(path: &Path) -> Result<Opened, WorkloadsError> {
    let file = SafetensorsFile::open(path)?;
    let places = file.tensors.keys().map(|name| (name.clone(), 0)).collect();
    Ok((vec![file], places))
}

/// Index of a sharded checkpoint; `metadata` is free text.
#[derive(serde::Deserialize)]
struct ShardIndex {
    weight_map: UniqueMap<String>,
}

fn open_shards(path: &Path) -> Result<Opened, WorkloadsError> {
    let bytes = read_small(path, MAX_INDEX_BYTES)?;
    let text = std::str::from_utf8(&bytes).map_err(|e| {
        malformed(path, Fault::Syntax, format!("byte {}", e.valid_up_to()), "bytes that are not UTF-8", "JSON text")
    })?;
    let index: ShardIndex = parse_json(path, "index", "an object with `weight_map`", text)?;
    let mut files: Vec<SafetensorsFile> = Vec::new();
    let mut opened: BTreeMap<&str, usize> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (tensor, name) in &index.weight_map.0 {
        let place = match opened.get(name.as_str()) {
            Some(place) => *place,
            None => {
                check_plain_name(path, &format!("`weight_map`, tensor `{}`", shown(tensor)), name)?;
                files.push(SafetensorsFile::open(&path.with_file_name(name))?);
                opened.insert(name, files.len() - 1);
                files.len() - 1
            }
        };
        files[place].entry(tensor)?;
        places.insert(tensor.clone(), place);
    }
    if files.is_empty() {
        return Err(malformed(path, Fault::Shape, "`weight_map`", "no tensor", "at least one tensor"));
    }
    Ok((files, places))
}
