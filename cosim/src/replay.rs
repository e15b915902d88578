//! Replay files: everything a co-simulation needs to show a difference again, in one JSON document.

use std::fs;
use std::path::Path;

use bitmosaic_arch::{DesignSpec, elaborate};
use bitmosaic_mappings::Stalls;
use bitmosaic_numerics::{QuantizedMatrix, ScaleKind, f16, weight_type};
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::trace::{Activations, LayerTrace};
use serde::{Deserialize, Serialize};

use crate::array::ArrayCase;
use crate::{Case, CosimError};

/// Largest replay file that is read.
const MAX_BYTES: u64 = 1 << 30;

/// A co-simulation, complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Version of the tool that wrote it.
    pub version: String,
    /// The design.
    pub design: DesignSpec,
    /// Engines, by name.
    pub engines: Vec<String>,
    /// Memory of a whole machine; null for a tile, which has the stalls below.
    pub memory: Option<ReplayMemory>,
    /// Seed of the stalls.
    pub stall_seed: u32,
    /// Thresholds of operand and output gates.
    pub input_threshold: u8,
    /// See `input_threshold`.
    pub output_threshold: u8,
    /// Seed of state that powers up unknown.
    pub state_seed: u64,
    /// Name of a planted fault, if the netlist had one.
    pub fault: Option<String>,
    /// Layers with their data.
    pub layers: Vec<ReplayLayer>,
}

/// Parameters of the `ideal` memory, see [`MemoryTiming`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayMemory {
    latency: u32,
    bytes_per_cycle: u32,
    outstanding: u32,
    seed: u32,
    threshold: u8,
}

/// A layer's data; byte arrays as hexadecimal text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayLayer {
    name: String,
    weight_type: String,
    group: usize,
    tokens: usize,
    output_channels: usize,
    input_channels: usize,
    special_values: [i32; 4],
    /// Bytes, or for types of more than 8 bits 16-bit codes, little-endian.
    codes: String,
    selectors: String,
    /// Two's complement bytes; empty for a type without zero points.
    zero_points: String,
    scale_kind: String,
    /// 16-bit codes, little-endian.
    scales: String,
    /// FP16 patterns, little-endian.
    channel_scales: String,
    activations: String,
}

impl Replay {
    /// Describes a case.
    pub fn new(case: &Case, design: &DesignSpec, engines: &[crate::Engine], fault: Option<&str>) -> Replay {
        Replay {
            version: env!("CARGO_PKG_VERSION").to_string(),
            design: design.clone(),
            engines: engines.iter().map(|e| e.name().to_string()).collect(),
            memory: None,
            stall_seed: case.stalls.seed,
            input_threshold: case.stalls.input_threshold,
            output_threshold: case.stalls.output_threshold,
            state_seed: case.state_seed,
            fault: fault.map(String::from),
            layers: case.layers.iter().map(ReplayLayer::new).collect(),
        }
    }

    /// Describes a case of a whole machine.
    pub fn of_array(case: &ArrayCase, design: &DesignSpec, engines: &[crate::Engine], fault: Option<&str>) -> Replay {
        let MemoryTiming { latency, bytes_per_cycle, outstanding, seed, threshold } = case.timing;
        Replay {
            version: env!("CARGO_PKG_VERSION").to_string(),
            design: design.clone(),
            engines: engines.iter().map(|e| e.name().to_string()).collect(),
            memory: Some(ReplayMemory { latency, bytes_per_cycle, outstanding, seed, threshold }),
            stall_seed: 0,
            input_threshold: 0,
            output_threshold: 0,
            state_seed: case.state_seed,
            fault: fault.map(String::from),
            layers: case.layers.iter().map(ReplayLayer::new).collect(),
        }
    }

    /// Builds the case of a whole machine again, likewise; `None` for the file of a tile.
    ///
    /// # Errors
    /// As [`Replay::case`], and `File` for a memory that nothing could be read from.
    pub fn array_case(&self) -> Result<Option<ArrayCase>, CosimError> {
        let Some(ReplayMemory { latency, bytes_per_cycle, outstanding, seed, threshold }) = self.memory else {
            return Ok(None);
        };
        let timing = MemoryTiming { latency, bytes_per_cycle, outstanding, seed, threshold };
        timing.check().map_err(|reason| CosimError::File { path: "memory of the replay file".into(), reason })?;
        let machine = elaborate(&self.design, "design of the replay file")?;
        let layers = self.layers.iter().map(ReplayLayer::layer).collect::<Result<_, _>>()?;
        ArrayCase::new(machine, layers, timing, self.state_seed).map(Some)
    }

    /// Builds the case again, without a fault that the file may name.
    ///
    /// # Errors
    /// A design or layer that does not pass its checks.
    pub fn case(&self) -> Result<Case, CosimError> {
        let machine = elaborate(&self.design, "design of the replay file")?;
        let layers = self.layers.iter().map(ReplayLayer::layer).collect::<Result<_, _>>()?;
        let stalls = Stalls {
            seed: self.stall_seed,
            input_threshold: self.input_threshold,
            output_threshold: self.output_threshold,
        };
        Case::new(machine, layers, stalls, self.state_seed)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// `File`.
    pub fn write(&self, path: &Path) -> Result<(), CosimError> {
        let error = |reason: String| CosimError::File { path: path.display().to_string(), reason };
        let text = serde_json::to_string_pretty(self).map_err(|e| error(e.to_string()))?;
        fs::write(path, text).map_err(|e| error(e.to_string()))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `File` with what is wrong and where.
    pub fn read(path: &Path) -> Result<Replay, CosimError> {
        let error = |reason: String| CosimError::File { path: path.display().to_string(), reason };
        let size = fs::metadata(path).map_err(|e| error(e.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(error(format!("{size} bytes; a replay file has at most {MAX_BYTES}")));
        }
        let text = fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| error(format!("no replay file: {e}")))
    }
}

impl ReplayLayer {
    fn new(layer: &LayerTrace) -> ReplayLayer {
        let words = |values: &mut dyn Iterator<Item = u16>| hex(&values.flat_map(u16::to_le_bytes).collect::<Vec<_>>());
        let fp16 = |values: &[f16]| words(&mut values.iter().map(|v| v.to_bits()));
        let weights = &layer.weights;
        ReplayLayer {
            name: layer.name.clone(),
            weight_type: weights.weight_type.name.to_string(),
            group: weights.group,
            tokens: layer.activations.tokens,
            output_channels: weights.output_channels,
            input_channels: weights.input_channels,
            special_values: weights.special_values,
            codes: match weights.weight_type.code_bits {
                ..=8 => hex(&weights.codes.iter().map(|code| *code as u8).collect::<Vec<_>>()),
                _ => words(&mut weights.codes.iter().copied()),
            },
            selectors: hex(&weights.selectors),
            zero_points: hex(&weights.zero_points.iter().map(|z| *z as u8).collect::<Vec<_>>()),
            scale_kind: weights.scale_kind.name().to_string(),
            scales: words(&mut weights.scales.iter().copied()),
            channel_scales: fp16(&weights.channel_scales),
            activations: fp16(&layer.activations.values),
        }
    }

    fn layer(&self) -> Result<LayerTrace, CosimError> {
        let error =
            |reason: String| CosimError::File { path: format!("layer `{}` of the replay file", self.name), reason };
        let bytes = |field: &str, text: &str| {
            parse_hex(text).ok_or_else(|| error(format!("field `{field}`: not an even number of hexadecimal digits")))
        };
        let words = |field: &str, text: &str| -> Result<Vec<u16>, CosimError> {
            let bytes = bytes(field, text)?;
            let (pairs, rest) = bytes.as_chunks::<2>();
            if rest.is_empty() {
                Ok(pairs.iter().map(|p| u16::from_le_bytes(*p)).collect())
            } else {
                Err(error(format!("field `{field}`: an odd number of bytes, its values have two")))
            }
        };
        let fp16 = |field: &str, text: &str| -> Result<Vec<f16>, CosimError> {
            Ok(words(field, text)?.into_iter().map(f16::from_bits).collect())
        };
        let weight_type = weight_type(&self.weight_type).map_err(|e| error(e.to_string()))?;
        let codes = match weight_type.code_bits {
            ..=8 => bytes("codes", &self.codes)?.into_iter().map(u16::from).collect(),
            _ => words("codes", &self.codes)?,
        };
        let layer = LayerTrace {
            name: self.name.clone(),
            weights: QuantizedMatrix {
                weight_type,
                output_channels: self.output_channels,
                input_channels: self.input_channels,
                group: self.group,
                codes,
                selectors: bytes("selectors", &self.selectors)?,
                zero_points: bytes("zero_points", &self.zero_points)?.into_iter().map(|b| b as i8).collect(),
                scale_kind: ScaleKind::named(&self.scale_kind).map_err(|e| error(e.to_string()))?,
                scales: words("scales", &self.scales)?,
                channel_scales: fp16("channel_scales", &self.channel_scales)?,
                special_values: self.special_values,
            },
            activations: Activations {
                tokens: self.tokens,
                input_channels: self.input_channels,
                values: fp16("activations", &self.activations)?,
            },
        };
        layer.check().map_err(|e| error(e.to_string()))?;
        Ok(layer)
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
