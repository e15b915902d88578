//! Writing a trace.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use bitmosaic_numerics::packing::{pack, packed_row_bytes};
use bitmosaic_numerics::{QuantizedMatrix, f16, weight_type};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use sha2::{Digest, Sha256};

use super::index::{self, Line, format_special_values};
use super::{DATA_FILE, INDEX_FILE, LayerTrace, TensorNames, scale_element};
use crate::WorkloadsError;
use crate::files::{CHUNK_BYTES, hexadecimal, io_error, shown};

/// The header's length is a multiple of this, so that the tensors are aligned.
const HEADER_ALIGNMENT_BYTES: usize = 8;

/// Writes `layers` as a trace into the folder `dir`, which is made if it is not there; a trace that is there is replaced.
/// The same layers give the same bytes. Non-finite activations are written as they are; readers ask.
///
/// # Errors
/// `Request` for no layers or two of one name, `Numerics` for a layer that does not pass [`LayerTrace::check`] or has a
/// user codebook, `Io`.
pub fn write_trace(dir: &Path, layers: &[LayerTrace]) -> Result<(), WorkloadsError> {
    check_layers(dir, layers)?;
    fs::create_dir_all(dir).map_err(|e| io_error(dir, "make the folder", e))?;
    let data_path = dir.join(DATA_FILE);
    let mut hash = Sha256::new();
    replace(&data_path, |writer| write_tensors(&mut Hashed { writer, hash: &mut hash }, layers))?;
    let sha256 = hexadecimal(&hash.finalize());
    let lines: Vec<Line> = (0..).zip(layers).map(|(number, layer)| line(number, layer, &sha256)).collect();
    let index_path = dir.join(INDEX_FILE);
    let text = index::to_csv(&index_path, &lines)?;
    replace(&index_path, |writer| writer.write_all(&text))
}

fn check_layers(dir: &Path, layers: &[LayerTrace]) -> Result<(), WorkloadsError> {
    let request = |found: String, expected: &str| WorkloadsError::Request {
        what: "layers of a trace".into(),
        found,
        expected: expected.into(),
    };
    if layers.is_empty() {
        return Err(request("none".into(), "at least one"));
    }
    let mut names: Vec<&str> = layers.iter().map(|l| l.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(request(format!("`{}` twice", shown(pair[0])), "a name of its own for each layer"));
    }
    for layer in layers {
        let place = format!("layer `{}`", shown(&layer.name));
        // A reader makes the type from its name: a trace cannot hold user codebooks.
        layer
            .check()
            .and_then(|()| weight_type(layer.weights.weight_type.name).map(|_| ()))
            .map_err(|cause| WorkloadsError::Numerics { file: dir.to_path_buf(), place, cause })?;
    }
    Ok(())
}

fn tensors_start(number: usize) -> String {
    format!("layer.{number}")
}

fn line(number: usize, layer: &LayerTrace, sha256: &str) -> Line {
    Line {
        name: layer.name.clone(),
        tokens: layer.activations.tokens,
        output_channels: layer.weights.output_channels,
        input_channels: layer.weights.input_channels,
        group: layer.weights.group,
        weight_type: layer.weights.weight_type.name.to_string(),
        special_values: format_special_values(&layer.weights.special_values),
        scale_kind: layer.weights.scale_kind.name().to_string(),
        file: DATA_FILE.to_string(),
        sha256: sha256.to_string(),
        tensors: tensors_start(number),
    }
}

/// Writes beside `path` and renames at the end, so that no half-written file has the name.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), WorkloadsError> {
    let mut partial_name = path.file_name().unwrap_or_default().to_os_string();
    partial_name.push(".partial");
    let partial = path.with_file_name(partial_name);
    let written = File::create(&partial).and_then(|file| {
        let mut writer = BufWriter::with_capacity(CHUNK_BYTES, file);
        write(&mut writer)?;
        writer.flush()?;
        fs::rename(&partial, path)
    });
    written.map_err(|e| {
        // The cause is worth reporting, a failure to tidy up is not.
        let _ = fs::remove_file(&partial);
        io_error(path, "write the file", e)
    })
}

/// Hashes what it writes.
struct Hashed<'a> {
    writer: &'a mut dyn Write,
    hash: &'a mut Sha256,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.writer.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

/// One tensor to write.
struct Tensor<'a> {
    name: String,
    shape: Vec<usize>,
    contents: Contents<'a>,
}

enum Contents<'a> {
    Bytes(&'a [u8]),
    Halves(&'a [f16]),
    /// The group scale codes of this layer.
    Scales(&'a QuantizedMatrix),
    ZeroPoints(&'a [i8]),
    /// The packed codes of this layer.
    Codes(&'a LayerTrace),
}

impl Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match self.contents {
            Contents::Bytes(_) | Contents::Codes(_) => Dtype::U8,
            Contents::Halves(_) => Dtype::F16,
            Contents::Scales(weights) => scale_element(weights.scale_kind),
            Contents::ZeroPoints(_) => Dtype::I8,
        }
    }

    fn bytes(&self) -> std::io::Result<Cow<'_, [u8]>> {
        Ok(match self.contents {
            Contents::Bytes(bytes) => bytes.into(),
            Contents::Halves(halves) => halves.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Contents::ZeroPoints(points) => points.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Contents::Scales(weights) => match scale_element(weights.scale_kind) {
                Dtype::U16 => weights.scales.iter().flat_map(|code| code.to_le_bytes()).collect(),
                _ => weights.scales.iter().map(|code| *code as u8).collect(),
            },
            Contents::Codes(layer) => {
                let w = &layer.weights;
                pack(&w.codes, w.output_channels, w.input_channels, w.weight_type.code_bits)
                    .map_err(std::io::Error::other)?
                    .into()
            }
        })
    }
}

/// The tensors of all layers, those of wider elements first, as the format recommends for alignment.
fn tensors(layers: &[LayerTrace]) -> Vec<Tensor<'_>> {
    let mut tensors = Vec::with_capacity(6 * layers.len());
    for (number, layer) in (0..).zip(layers) {
        let names = TensorNames::new(&tensors_start(number));
        let (w, a) = (&layer.weights, &layer.activations);
        let row_bytes = packed_row_bytes(w.input_channels, w.weight_type.code_bits);
        let rows = w.output_channels;
        tensors.extend(
            [
                (names.channel_scales, vec![rows], Contents::Halves(&w.channel_scales)),
                (names.activations, vec![a.tokens, a.input_channels], Contents::Halves(&a.values)),
                (names.codes, vec![rows, row_bytes], Contents::Codes(layer)),
                (names.selectors, vec![rows, w.groups()], Contents::Bytes(&w.selectors)),
                (names.scales, vec![rows, w.groups()], Contents::Scales(w)),
            ]
            .map(|(name, shape, contents)| Tensor { name, shape, contents }),
        );
        if w.weight_type.has_zero_point() {
            let (name, shape) = (names.zero_points, vec![rows, w.groups()]);
            tensors.push(Tensor { name, shape, contents: Contents::ZeroPoints(&w.zero_points) });
        }
    }
    tensors.sort_by_key(|t| std::cmp::Reverse(t.dtype().bitsize()));
    tensors
}

fn write_tensors(writer: &mut dyn Write, layers: &[LayerTrace]) -> std::io::Result<()> {
    let tensors = tensors(layers);
    let mut end = 0;
    let infos = tensors.iter().map(|t| {
        let begin = end;
        end += t.shape.iter().product::<usize>() * t.dtype().bitsize() / 8;
        (t.name.clone(), TensorInfo { dtype: t.dtype(), shape: t.shape.clone(), data_offsets: (begin, end) })
    });
    let metadata = Metadata::new(None, infos.collect()).map_err(std::io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(HEADER_ALIGNMENT_BYTES), b' ');
    writer.write_all(&(header.len() as u64).to_le_bytes())?;
    writer.write_all(&header)?;
    tensors.iter().try_for_each(|t| writer.write_all(&t.bytes()?))
}
