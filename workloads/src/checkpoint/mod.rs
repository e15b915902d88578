//! Checkpoints as published: which tensors there are, and one matrix at a time.
//!
//! [`Checkpoint::open`] takes a `*.safetensors` file, the index of a sharded checkpoint (`*.safetensors.index.json`), or
//! the folder that holds either under its usual name. It reads headers only; [`Checkpoint::read_matrix`] then reads the
//! bytes of that one tensor in chunks, so memory is the matrix itself and one chunk.

pub mod safetensors;

use std::collections::BTreeMap;
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
        let Some(file) = self.places.get(name).map(|index| &self.files[*index]) else {
            return Err(unknown_tensor(&self.path, name, self.places.keys()));
        };
        let entry = file.entry(name)?;
        let tensor = format!("tensor `{}`", shown(name));
        let decode = decoder(entry).ok_or_else(|| WorkloadsError::UnsupportedType {
            file: file.path.clone(),
            tensor: shown(name),
            found: entry.dtype.to_string(),
            supported: SUPPORTED.into(),
        })?;
        let [rows, columns] = entry.shape[..] else {
            let found = format!("shape {:?}", entry.shape);
            return Err(malformed(&file.path, Fault::Shape, tensor, found, "two dimensions"));
        };
        if rows == 0 || columns == 0 {
            let found = format!("shape {:?}, which is empty", entry.shape);
            return Err(malformed(&file.path, Fault::Shape, tensor, found, "at least one row and one column"));
        }
        let mut data = Vec::new();
        if data.try_reserve_exact(rows * columns).is_err() {
            let found = format!("{} values, more than memory holds", rows * columns);
            return Err(malformed(&file.path, Fault::Shape, tensor, found, "a matrix that fits into memory"));
        }
        file.stream(entry, &mut |bytes| {
            let first = data.len();
            decode(bytes, &mut data);
            let refused = |v: &f32| match check {
                ValueCheck::Any => false,
                ValueCheck::Finite => !v.is_finite(),
                ValueCheck::FiniteAsF16 => !f16::from_f32(*v).is_finite(),
            };
            match data[first..].iter().position(refused) {
                None => Ok(()),
                Some(offset) => Err(WorkloadsError::NotFinite {
                    file: file.path.clone(),
                    what: tensor.clone(),
                    row: (first + offset) / columns,
                    column: (first + offset) % columns,
                    value: data[first + offset].to_string(),
                    expected: match check {
                        ValueCheck::FiniteAsF16 => {
                            "a value that is finite in FP16 (below 65520); repair the checkpoint"
                        }
                        _ => "a finite value; repair the checkpoint",
                    },
                }),
            }
        })?;
        Ok(Matrix { rows, columns, data })
    }
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
