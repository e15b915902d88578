//! From the aligner's output to the tile's activation and exponent beats, and whole stimuli for both units.

use bitmosaic_arch::{EXPONENT_BITS, Machine};

use crate::stream::read_bits;
use crate::unit::{OutputBeat, Stalls, UnitStimulus, ports};
use crate::{BeatStream, Lowered, MappingError, Matmul, TileWalk};

/// What the activation buffer holds for one group of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignedGroup {
    /// Aligned activations as W-bit patterns, chunk by chunk.
    pub values: Vec<u32>,
    /// Shared biased exponent, 5 bits.
    pub exponent: u8,
    /// Whether the group holds a NaN or an infinity.
    pub non_finite: bool,
    /// Sum of the aligned activations, as a pattern of `Machine::activation_sum_bits` bits.
    pub sum: u64,
}

/// Stimulus of the aligner for a lowered program; `None` for a machine without one.
pub fn aligner_stimulus(machine: &Machine, lowered: &Lowered, stalls: Stalls) -> Option<UnitStimulus> {
    let aligner = machine.aligner.as_ref()?;
    let streams = [lowered.commands.clone(), lowered.fp16.clone()];
    let inputs = ports::ALIGNER_INPUTS.into_iter().zip(streams).collect();
    Some(UnitStimulus::new(inputs, aligner.output_beat_bits, &ports::ALIGNER_STATUS, stalls))
}

/// Stimulus of the tile, given the aligner's output beats for the same program (none for a machine without aligner).
///
/// # Errors
/// `Field` if the aligner gave another number of beats than the program needs, or a product has more terms than the machine
/// has digit planes.
pub fn tile_stimulus(
    machine: &Machine,
    lowered: &Lowered,
    aligned: &[OutputBeat],
    stalls: Stalls,
) -> Result<UnitStimulus, MappingError> {
    let mut activations = BeatStream::new(machine.tile.activation_beat_bits);
    let mut exponents = machine.tile.exponent_beat_bits.map(BeatStream::new);
    let mut beats = aligned;
    let mut first_chunk = 0;
    for matmul in lowered.program.matmuls() {
        if !(1..=machine.max_terms).contains(&matmul.terms.into()) {
            let expected = format!("design `{}` takes 1 to {}", machine.name, machine.max_terms);
            return Err(MappingError::field("terms per weight of a command", matmul.terms, expected));
        }
        let walk = TileWalk::new(machine, matmul);
        let rows = machine.tile.rows as usize;
        match &mut exponents {
            Some(exponents) => {
                let tokens = aligned_activations(machine, matmul, &mut beats)?;
                for (_, m) in walk.passes() {
                    push_pass(machine, walk, &tokens[m..tokens.len().min(m + rows)], &mut activations);
                    push_exponents(machine, walk, &tokens, m, exponents);
                }
            }
            None => {
                let tokens = matmul.tokens as usize;
                for (_, m) in walk.passes() {
                    push_fp16_pass(machine, walk, lowered, first_chunk, m..tokens.min(m + rows), &mut activations);
                }
                first_chunk += tokens * walk.chunks();
            }
        }
    }
    if !beats.is_empty() {
        return Err(MappingError::field("aligned beats left over", beats.len(), "the program needs none of them"));
    }
    let mut streams = vec![
        lowered.commands.clone(),
        lowered.weights.clone(),
        activations,
        lowered.scales.clone(),
        lowered.channels.clone(),
    ];
    streams.extend(exponents);
    let inputs = ports::tile_inputs(machine).iter().copied().zip(streams).collect();
    Ok(UnitStimulus::new(inputs, machine.tile.output_beat_bits, &ports::TILE_STATUS, stalls))
}

/// Takes a product's aligned beats off the front of `beats`: `[tokens][groups]`.
///
/// # Errors
/// `Field` if there are too few.
pub fn aligned_activations(
    machine: &Machine,
    matmul: &Matmul,
    beats: &mut &[OutputBeat],
) -> Result<Vec<Vec<AlignedGroup>>, MappingError> {
    let walk = TileWalk::new(machine, matmul);
    let entry_chunks = machine.entry_chunks() as usize;
    let beats_of = |chunks: usize| chunks.div_ceil(entry_chunks);
    let needed = matmul.tokens as usize * beats_of(walk.chunks());
    let Some((own, rest)) = beats.split_at_checked(needed) else {
        return Err(MappingError::field("aligned beats", beats.len(), format!("the program needs {needed}")));
    };
    *beats = rest;
    let (channels, w) = (machine.entry_channels, machine.pe.activation_bits);
    let bits = machine.aligner.as_ref().map_or(0, |aligner| aligner.output_beat_bits);
    if let Some(beat) = own.iter().find(|beat| beat.data.len() != bits.div_ceil(64) as usize) {
        let found = format!("{} words", beat.data.len());
        return Err(MappingError::field("aligned beats", found, format!("a beat has {bits} bits")));
    }
    let mut own = own.iter();
    let mut group = |chunks: usize| {
        let mut group = AlignedGroup {
            values: Vec::with_capacity(beats_of(chunks) * channels as usize),
            exponent: 1,
            non_finite: false,
            sum: 0,
        };
        for beat in own.by_ref().take(beats_of(chunks)) {
            group.values.extend((0..channels).map(|i| read_bits(&beat.data, i * w, w) as u32));
            let field = |low: u32, bits: u32| read_bits(&beat.data, channels * w + low, bits);
            group.exponent = field(0, EXPONENT_BITS) as u8;
            group.non_finite = field(EXPONENT_BITS, 1) == 1;
            // A beat has the sum so far.
            group.sum = match machine.activation_sum_bits {
                0 => 0,
                bits => field(EXPONENT_BITS + 1, bits),
            };
        }
        group
    };
    Ok((0..matmul.tokens).map(|_| walk.group_chunks().map(&mut group).collect()).collect())
}

fn push_pass(machine: &Machine, walk: TileWalk, tokens: &[Vec<AlignedGroup>], stream: &mut BeatStream) {
    let (lanes, w) = (machine.pe.lanes as usize, machine.pe.activation_bits);
    for (group, reads) in walk.group_reads().enumerate() {
        for chunk in (0..reads.times).flat_map(|_| 0..reads.chunks) {
            let of = |token: &Vec<AlignedGroup>| token[group].values[chunk * lanes..(chunk + 1) * lanes].to_vec();
            stream.push_fields(tokens.iter().flat_map(of).map(|v| (u64::from(v), w)));
        }
    }
}

/// A pass over FP16 activations as they are; the program's beats hold a token's chunks one after the other.
fn push_fp16_pass(
    machine: &Machine,
    walk: TileWalk,
    lowered: &Lowered,
    first_chunk: usize,
    tokens: std::ops::Range<usize>,
    stream: &mut BeatStream,
) {
    for chunk in 0..walk.chunks() {
        let beat = |token: usize| lowered.fp16.beat(first_chunk + token * walk.chunks() + chunk);
        let lanes = |token: usize| (0..machine.pe.lanes).map(move |lane| (read_bits(beat(token), lane * 16, 16), 16));
        stream.push_fields(tokens.clone().flat_map(lanes));
    }
}

/// Padding rows have zero activations, hence exponent 1, no flag and sum 0.
fn push_exponents(machine: &Machine, walk: TileWalk, tokens: &[Vec<AlignedGroup>], m: usize, stream: &mut BeatStream) {
    for group in 0..walk.groups() {
        let field = |token: usize| match tokens.get(token).map(|groups| &groups[group]) {
            Some(g) => u64::from(g.exponent) | u64::from(g.non_finite) << EXPONENT_BITS | g.sum << (EXPONENT_BITS + 1),
            None => 1,
        };
        let rows = m..m + machine.tile.rows as usize;
        stream.push_fields(rows.map(|token| (field(token), machine.tile.exponent_field_bits)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Command, lower};
    use bitmosaic_numerics::{f16, quantize_matrix};

    #[test]
    fn products_with_more_terms_than_digit_planes_are_refused() {
        let machine = bitmosaic_arch::load("bitmod-tiny").unwrap();
        let ones = [f16::ONE; 8];
        let weights = quantize_matrix(&ones, [1, 8], 8, &machine.types[0].weight_type).unwrap();
        let mut lowered = lower(&machine, &[(&weights, &ones)]).unwrap();
        assert!(tile_stimulus(&machine, &lowered, &[], Stalls::NONE).is_ok());
        for bad in [0, machine.max_terms as u8 + 1, u8::MAX] {
            let Command::Matmul(matmul) = &mut lowered.program.commands[0] else { panic!("no product") };
            matmul.terms = bad;
            let error = tile_stimulus(&machine, &lowered, &[], Stalls::NONE).unwrap_err().to_string();
            let expected = format!("terms per weight of a command is {bad}; design `bitmod-tiny` takes 1 to ");
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}
