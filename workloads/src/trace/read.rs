//! Reading a trace.

use std::collections::BTreeMap;
use std::path::Path;

use bitmosaic_numerics::packing::{packed_row_bytes, unpack};
use bitmosaic_numerics::{NumericsError, QuantizedMatrix, f16};
use safetensors::Dtype;

use super::index::{self, CheckedLine};
use super::{Activations, INDEX_FILE, LayerTrace, NonFinite, TensorNames, scale_element};
use crate::checkpoint::safetensors::SafetensorsFile;
use crate::files::{malformed, sha256_of_file, shown};
use crate::{Fault, WorkloadsError};

/// An opened trace: its index checked, the hashes of its files compared, the shapes of its tensors known to fit.
#[derive(Debug)]
pub struct Trace {
    files: BTreeMap<String, SafetensorsFile>,
    lines: Vec<CheckedLine>,
    shapes: Vec<LayerShape>,
}

/// What the index says of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerShape {
    /// Name for reports.
    pub name: String,
    /// Registry name of the weight type.
    pub weight_type: &'static str,
    /// Tokens.
    pub tokens: usize,
    /// Output channels.
    pub output_channels: usize,
    /// Input channels.
    pub input_channels: usize,
    /// Input channels per group.
    pub group: usize,
}

/// Reads all layers of the trace in the folder `dir`, in the order of its index.
///
/// # Errors
/// Those of [`Trace::open`] and [`Trace::read_layer`].
pub fn read_trace(dir: &Path, non_finite: NonFinite) -> Result<Vec<LayerTrace>, WorkloadsError> {
    let trace = Trace::open(dir)?;
    (0..trace.layers().len()).map(|layer| trace.read_layer(layer, non_finite)).collect()
}

impl Trace {
    /// Opens the trace in the folder `dir`. Hashes every file once; holds no tensor.
    ///
    /// # Errors
    /// `Io`; `Malformed` for every fault of the index, a hash, or a tensor whose shape or element type is not what the index
    /// says; `UnknownTensor`.
    pub fn open(dir: &Path) -> Result<Trace, WorkloadsError> {
        let index_path = dir.join(INDEX_FILE);
        let lines = index::read(&index_path)?;
        let mut files: BTreeMap<String, SafetensorsFile> = BTreeMap::new();
        let mut hashes: BTreeMap<&str, &str> = BTreeMap::new();
        for CheckedLine { line, .. } in &lines {
            let path = dir.join(&line.file);
            let hash = match hashes.get(line.file.as_str()) {
                Some(hash) => (*hash).to_string(),
                None => sha256_of_file(&path)?,
            };
            if hash != line.sha256 {
                let (found, expected) = (format!("SHA-256 {hash}"), format!("{}, as {INDEX_FILE} says", line.sha256));
                return Err(malformed(&path, Fault::Checksum, "the file", found, expected));
            }
            if hashes.insert(&line.file, &line.sha256).is_none() {
                files.insert(line.file.clone(), SafetensorsFile::open(&path)?);
            }
        }
        let shapes = lines.iter().map(|CheckedLine { line, weight_type, .. }| LayerShape {
            name: line.name.clone(),
            weight_type: weight_type.name,
            tokens: line.tokens,
            output_channels: line.output_channels,
            input_channels: line.input_channels,
            group: line.group,
        });
        let shapes = shapes.collect();
        let trace = Trace { files, lines, shapes };
        trace.lines.iter().try_for_each(|line| trace.check_tensors(line))?;
        Ok(trace)
    }

    /// The layers, in the order of the index.
    pub fn layers(&self) -> &[LayerShape] {
        &self.shapes
    }

    /// Reads one layer.
    ///
    /// # Errors
    /// `Request` for an index beyond the last layer, `Io`, `Numerics` for codes, selectors, scales or special values out of
    /// range, `NotFinite` with token and input channel unless `non_finite` allows it.
    pub fn read_layer(&self, layer: usize, non_finite: NonFinite) -> Result<LayerTrace, WorkloadsError> {
        let Some(checked) = self.lines.get(layer) else {
            return Err(WorkloadsError::Request {
                what: "layer of the trace".into(),
                found: layer.to_string(),
                expected: format!("0 to {}", self.lines.len() - 1),
            });
        };
        let CheckedLine { line, weight_type, special_values, scale_kind } = checked;
        let file = &self.files[&line.file];
        let place = format!("layer `{}`", shown(&line.name));
        let numerics =
            |cause: NumericsError| WorkloadsError::Numerics { file: file.path.clone(), place: place.clone(), cause };
        let names = TensorNames::new(&line.tensors);
        let packed = read_bytes(file, &names.codes)?;
        let codes =
            unpack(&packed, line.output_channels, line.input_channels, weight_type.code_bits).map_err(numerics)?;
        let trace = LayerTrace {
            name: line.name.clone(),
            weights: QuantizedMatrix {
                weight_type: weight_type.clone(),
                output_channels: line.output_channels,
                input_channels: line.input_channels,
                group: line.group,
                codes,
                selectors: read_bytes(file, &names.selectors)?,
                zero_points: match weight_type.has_zero_point() {
                    true => read_bytes(file, &names.zero_points)?.into_iter().map(|b| b as i8).collect(),
                    false => Vec::new(),
                },
                scale_kind: *scale_kind,
                scales: match scale_element(*scale_kind) {
                    Dtype::U16 => read_halves(file, &names.scales)?.into_iter().map(f16::to_bits).collect(),
                    _ => read_bytes(file, &names.scales)?.into_iter().map(u16::from).collect(),
                },
                channel_scales: read_halves(file, &names.channel_scales)?,
                special_values: *special_values,
            },
            activations: Activations {
                tokens: line.tokens,
                input_channels: line.input_channels,
                values: read_halves(file, &names.activations)?,
            },
        };
        trace.check().map_err(numerics)?;
        match (non_finite, trace.activations.first_non_finite()) {
            (NonFinite::Refuse, Some((row, column, value))) => Err(WorkloadsError::NotFinite {
                file: file.path.clone(),
                what: format!("activations of {place} (rows are tokens, columns input channels)"),
                row,
                column,
                value: value.to_string(),
                expected: "a finite value; allow non-finite activations to have every output of such a token be NaN",
            }),
            _ => Ok(trace),
        }
    }

    /// Compares element types and shapes with the index, before anything is read into memory.
    fn check_tensors(&self, checked: &CheckedLine) -> Result<(), WorkloadsError> {
        let CheckedLine { line, weight_type, scale_kind, .. } = checked;
        let file = &self.files[&line.file];
        let names = TensorNames::new(&line.tensors);
        let groups = line.input_channels.div_ceil(line.group);
        let row_bytes = packed_row_bytes(line.input_channels, weight_type.code_bits);
        let expected: [(&str, Dtype, &[usize]); 6] = [
            (&names.codes, Dtype::U8, &[line.output_channels, row_bytes]),
            (&names.selectors, Dtype::U8, &[line.output_channels, groups]),
            (&names.scales, scale_element(*scale_kind), &[line.output_channels, groups]),
            (&names.channel_scales, Dtype::F16, &[line.output_channels]),
            (&names.activations, Dtype::F16, &[line.tokens, line.input_channels]),
            (&names.zero_points, Dtype::I8, &[line.output_channels, groups]),
        ];
        let parts = if weight_type.has_zero_point() { 6 } else { 5 };
        for (name, dtype, shape) in expected.into_iter().take(parts) {
            let entry = file.entry(name)?;
            let place = || format!("tensor `{}` of layer `{}`", shown(name), shown(&line.name));
            if entry.dtype != dtype {
                let (found, expected) = (entry.dtype.to_string(), dtype.to_string());
                return Err(malformed(&file.path, Fault::ElementType, place(), found, expected));
            }
            if entry.shape != shape {
                let (found, expected) =
                    (format!("shape {:?}", entry.shape), format!("{shape:?}, as {INDEX_FILE} says"));
                return Err(malformed(&file.path, Fault::Shape, place(), found, expected));
            }
        }
        Ok(())
    }
}

/// The bytes of a tensor; the header check bounds them by the length of the file.
fn read_bytes(file: &SafetensorsFile, name: &str) -> Result<Vec<u8>, WorkloadsError> {
    let mut bytes = Vec::new();
    file.stream(file.entry(name)?, &mut |chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok(bytes)
}

fn read_halves(file: &SafetensorsFile, name: &str) -> Result<Vec<f16>, WorkloadsError> {
    let mut halves = Vec::new();
    file.stream(file.entry(name)?, &mut |chunk| {
        halves.extend(chunk.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)));
        Ok(())
    })?;
    Ok(halves)
}
