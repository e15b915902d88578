//! How the beats of the streams are divided, for whoever builds the other end of a stream.

use bitmosaic_arch::{EXPONENT_BITS, Machine};

/// A beat: equal parts, lowest first, each with the same fields, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatFormat {
    /// What a part belongs to: `column`, `row`, `scale unit` or `beat` for an undivided one.
    pub part: &'static str,
    /// Number of parts.
    pub parts: u32,
    /// Fields of a part.
    pub fields: Vec<BeatField>,
}

/// A field of a part of a beat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatField {
    /// Name.
    pub name: &'static str,
    /// Bits of one.
    pub bits: u32,
    /// How many stand side by side, lowest first: one a lane, or 1.
    pub count: u32,
    /// What it holds.
    pub meaning: String,
}

impl BeatFormat {
    /// Bits of a part.
    pub fn part_bits(&self) -> u32 {
        self.fields.iter().map(|field| field.bits * field.count).sum()
    }

    /// Bits of the beat.
    pub fn bits(&self) -> u32 {
        self.parts * self.part_bits()
    }

    /// Lowest bit of a field in its part; 0 for a name that is not there.
    pub fn offset(&self, name: &str) -> u32 {
        let before = self.fields.iter().take_while(|field| field.name != name);
        before.map(|field| field.bits * field.count).sum()
    }
}

fn field(name: &'static str, bits: u32, count: u32, meaning: impl Into<String>) -> BeatField {
    BeatField { name, bits, count, meaning: meaning.into() }
}

/// Streams of the tile but `command`, in port order, the output stream last.
pub fn tile_beats(machine: &Machine) -> Vec<(&'static str, BeatFormat)> {
    let (rows, columns, lanes) = (machine.tile.rows, machine.tile.columns, machine.pe.lanes);
    let format = |part, parts, fields| BeatFormat { part, parts, fields };
    let activation = match machine.aligner {
        Some(_) => "aligned activation, two's complement",
        None => "activation, FP16",
    };
    let mut beats = vec![
        (
            "weight",
            format(
                "column",
                columns,
                vec![
                    field("code", machine.code_bits, lanes, "weight code, narrower types in the low bits"),
                    field("selector", 2, 1, "which special value the weights' group uses"),
                ],
            ),
        ),
        ("activation", format("row", rows, vec![field("value", machine.pe.activation_bits, lanes, activation)])),
        ("scale", format("column", columns, scale_fields(machine))),
        ("channel", format("column", columns, vec![field("scale", 16, 1, "scale of the output channel, FP16")])),
    ];
    if machine.aligner.is_some() {
        beats.push(("exponent", format("row", rows, exponent_fields(machine))));
    }
    let outputs = vec![field("value", 16, 1, "output, FP16")];
    beats.push(("output", format("scale unit", machine.scale_unit.units, outputs)));
    beats
}

/// Streams of the aligner but `command`, in port order, the output stream last; none for a machine without one.
pub fn aligner_beats(machine: &Machine) -> Vec<(&'static str, BeatFormat)> {
    let Some(aligner) = &machine.aligner else { return Vec::new() };
    let lanes = aligner.values_per_cycle;
    let mut aligned = vec![field("value", machine.pe.activation_bits, lanes, "aligned activation, two's complement")];
    aligned.extend(exponent_fields(machine));
    let format = |fields| BeatFormat { part: "beat", parts: 1, fields };
    vec![("fp16", format(vec![field("value", 16, lanes, "activation, FP16")])), ("output", format(aligned))]
}

fn scale_fields(machine: &Machine) -> Vec<BeatField> {
    let kinds = machine.scale_kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    let code = field(
        "scale",
        machine.scale_code_bits,
        1,
        format!("group scale code ({kinds}), narrower kinds in the low bits"),
    );
    let zero =
        field("zero_point", machine.zero_point_bits, 1, "zero point of the group less 2^(b-1), two's complement");
    [code, zero].into_iter().filter(|field| field.bits > 0).collect()
}

fn exponent_fields(machine: &Machine) -> Vec<BeatField> {
    let sum = "sum of the group's aligned activations (on the aligner's stream: up to this beat), two's complement";
    let fields = [
        field("exponent", EXPONENT_BITS, 1, "largest biased FP16 exponent of the group, at least 1"),
        field("non_finite", 1, 1, "the group holds a NaN or an infinity"),
        field("sum", machine.activation_sum_bits, 1, sum),
    ];
    fields.into_iter().filter(|field| field.bits > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BeatStream, lower, read_bits};
    use bitmosaic_arch::{load, presets};
    use bitmosaic_numerics::{QuantizedMatrix, ScaleKind, f16};

    #[test]
    fn formats_have_the_widths_of_the_machine() {
        for preset in presets() {
            let machine = load(preset.name).unwrap();
            let tile = &machine.tile;
            let mut widths = vec![
                ("weight", tile.weight_beat_bits),
                ("activation", tile.activation_beat_bits),
                ("scale", tile.scale_beat_bits),
                ("channel", tile.channel_beat_bits),
            ];
            widths.extend(tile.exponent_beat_bits.map(|bits| ("exponent", bits)));
            widths.push(("output", tile.output_beat_bits));
            let own: Vec<_> = tile_beats(&machine).iter().map(|(name, format)| (*name, format.bits())).collect();
            assert_eq!(own, widths, "{}", preset.name);
            let names: Vec<_> = own.iter().map(|(name, _)| *name).collect();
            assert_eq!(names[..names.len() - 1], crate::ports::tile_inputs(&machine)[1..]);
            let Some(aligner) = &machine.aligner else { continue };
            let own: Vec<_> = aligner_beats(&machine).iter().map(|(name, format)| (*name, format.bits())).collect();
            assert_eq!(own, [("fp16", aligner.values_per_cycle * 16), ("output", aligner.output_beat_bits)]);
        }
    }

    #[test]
    fn lowered_beats_hold_the_operands_where_the_formats_say() {
        let machine = load("mosaic-tile").unwrap();
        let (columns, lanes) = (machine.tile.columns as usize, machine.pe.lanes as usize);
        let executed = &machine.types[0].weight_type;
        let code = |channel: usize, lane: usize| ((channel * 3 + lane * 5 + 1) % executed.codes.len()) as u16;
        let weights = QuantizedMatrix {
            weight_type: executed.clone(),
            output_channels: columns,
            input_channels: lanes,
            group: lanes,
            codes: (0..columns * lanes).map(|i| code(i / lanes, i % lanes)).collect(),
            selectors: (0..columns).map(|c| (c % 4) as u8).collect(),
            zero_points: Vec::new(),
            scale_kind: ScaleKind::Int8,
            scales: (0..columns).map(|c| 200 + c as u16).collect(),
            channel_scales: (0..columns).map(|c| f16::from_f32(c as f32)).collect(),
            special_values: executed.special_values(),
        };
        let activations: Vec<f16> = (0..lanes).map(|i| f16::from_f32(i as f32 - 3.0)).collect();
        let lowered = lower(&machine, &[(&weights, &activations)]).unwrap();
        let beats: Vec<(&str, BeatFormat)> = tile_beats(&machine).into_iter().chain(aligner_beats(&machine)).collect();
        let read = |stream: &BeatStream, name: &str, part: usize, field: &str, index: usize| {
            let (_, format) = beats.iter().find(|(stream, _)| *stream == name).unwrap();
            let bits = format.fields.iter().find(|f| f.name == field).unwrap().bits;
            let low = part as u32 * format.part_bits() + format.offset(field) + index as u32 * bits;
            read_bits(stream.beat(0), low, bits)
        };
        for c in 0..columns {
            for lane in 0..lanes {
                assert_eq!(read(&lowered.weights, "weight", c, "code", lane), u64::from(code(c, lane)));
            }
            assert_eq!(read(&lowered.weights, "weight", c, "selector", 0), c as u64 % 4);
            assert_eq!(read(&lowered.scales, "scale", c, "scale", 0), 200 + c as u64);
            let scale = read(&lowered.channels, "channel", c, "scale", 0);
            assert_eq!(f16::from_bits(scale as u16).to_f32(), c as f32);
        }
        for (lane, activation) in activations.iter().enumerate() {
            assert_eq!(read(&lowered.fp16, "fp16", 0, "value", lane), u64::from(activation.to_bits()));
        }
    }
}
