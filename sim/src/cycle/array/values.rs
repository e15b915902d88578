//! Values of a whole machine without time: the commands in the order of the program, which their tokens keep.

use bitmosaic_arch::{Array, Machine};
use bitmosaic_mappings::{BeatStream, Command, Matmul, Program, Stalls, TileWalk, UnitStimulus, WriteBeat, ports};

use crate::cycle::values::tile_values;
use crate::step::array::{Buffers, CommandWords, Feeder, Fetched, StoreReader, load_buffers, store_output_beats};

/// Data of every write beat of a program that starts on `memory`, in order, and the memory after it; `None` for a design
/// without array.
pub fn run_values(machine: &Machine, program: &Program, memory: &[u8]) -> Option<(Vec<WriteBeat>, Vec<u8>)> {
    let array = machine.array.as_ref()?;
    let mut buffers = Buffers::new(machine, array);
    let mut memory = memory.to_vec();
    let mut beats = Vec::new();
    let mut parts = Parts::default();
    for command in &program.commands {
        let words = command.words();
        match command {
            Command::LoadWeights(_) | Command::LoadActivations(_) => {
                load_buffers(machine, array, &words, &memory, &mut buffers);
            }
            Command::Matmul(matmul) => product(machine, array, &words, matmul, &mut parts, &mut buffers),
            Command::Store(store) => {
                let bytes = array.beat_bytes() as usize;
                let row_beats = array.output_row_beats(store.output_channels) as usize;
                for (i, (data, strobes)) in StoreReader::new(array, &words).beats(&buffers).into_iter().enumerate() {
                    let row = store.address as usize + i / row_beats * store.pitch as usize;
                    let address = row + i % row_beats * bytes;
                    for byte in (0..bytes).filter(|byte| strobes >> byte & 1 == 1) {
                        if let Some(place) = memory.get_mut(address + byte) {
                            *place = (data[byte / 8] >> (8 * (byte % 8))) as u8;
                        }
                    }
                    beats.push(WriteBeat { data, strobes, last: false });
                }
            }
            Command::End => {}
        }
    }
    Some((beats, memory))
}

/// The commands of a long reduction so far, pass by pass, whose beats follow each other like those of one command.
#[derive(Default)]
struct Parts {
    passes: Vec<Vec<Fetched>>,
    input_channels: u32,
}

/// A product: the beats that the feeder sends are those of each tile, whose values do not depend on time.
fn product(
    machine: &Machine,
    array: &Array,
    words: &CommandWords,
    matmul: &Matmul,
    parts: &mut Parts,
    buffers: &mut Buffers,
) {
    if !matmul.part.continues {
        *parts = Parts::default();
    }
    let mut feeder = Feeder::new(machine, array);
    feeder.start(words);
    let mut fetched = Vec::new();
    while feeder.feeding || feeder.fetched.is_some() {
        fetched.extend(feeder.fetched.clone());
        feeder.cycle(buffers, true);
    }
    let passes = TileWalk::new(machine, matmul).pass_count();
    parts.passes.resize(passes, Vec::new());
    for (pass, own) in parts.passes.iter_mut().zip(fetched.chunks(fetched.len().div_ceil(passes))) {
        pass.extend_from_slice(own);
    }
    parts.input_channels += matmul.input_channels;
    if matmul.part.unfinished {
        return;
    }
    let Parts { passes, input_channels } = std::mem::take(parts);
    let fetched = passes.concat();
    let matmul = &Matmul { input_channels, ..matmul.clone() };
    let half = usize::from(matmul.halves.output);
    for i in 0..array.down as usize {
        for j in 0..array.across as usize {
            let stimulus = tile_stimulus(machine, &fetched, (i, j));
            let values = tile_values(machine, std::slice::from_ref(matmul), &stimulus);
            store_output_beats(machine, &values, (i, j), &mut buffers.outputs[half]);
        }
    }
}

fn tile_stimulus(machine: &Machine, fetched: &[Fetched], (i, j): (usize, usize)) -> UnitStimulus {
    let tile = &machine.tile;
    let stream = |bits: u32, beats: &mut dyn Iterator<Item = &Vec<u64>>| {
        let mut stream = BeatStream::new(bits);
        beats.for_each(|beat| stream.push_words(beat));
        stream
    };
    let groups = || fetched.iter().filter_map(|f| f.group.as_ref());
    let mut streams = vec![
        BeatStream::new(bitmosaic_mappings::field::COMMAND_BITS),
        stream(tile.weight_beat_bits, &mut fetched.iter().map(|f| &f.weights[j])),
        stream(tile.activation_beat_bits, &mut fetched.iter().map(|f| &f.activations[i])),
        stream(tile.scale_beat_bits, &mut groups().map(|(scales, _)| &scales[j])),
        stream(tile.channel_beat_bits, &mut fetched.iter().filter_map(|f| f.channels.as_ref()).map(|c| &c[j])),
    ];
    streams.extend(tile.exponent_beat_bits.map(|bits| stream(bits, &mut groups().map(|(_, exponents)| &exponents[i]))));
    let inputs = ports::tile_inputs(machine).iter().copied().zip(streams).collect();
    UnitStimulus::new(inputs, tile.output_beat_bits, &ports::TILE_STATUS, Stalls::NONE)
}
