//! From beats of the memory port to words of another width.

use bitmosaic_mappings::{Beat, read_bits};

/// Splits a beat into words, lowest first, or joins beats to a word.
#[derive(Debug, Clone)]
pub(super) struct Adapter {
    pub(super) beat_bits: u32,
    pub(super) word_bits: u32,
    /// The beat that is split, and the next word of it.
    pub(super) held: Option<Beat>,
    pub(super) index: u32,
    /// Beats of the word so far.
    pub(super) collected: Vec<Beat>,
}

impl Adapter {
    /// Both widths are powers of two.
    pub(super) fn new(beat_bits: u32, word_bits: u32) -> Adapter {
        Adapter { beat_bits, word_bits, held: None, index: 0, collected: Vec::new() }
    }

    /// The word offered in this cycle, given the beat that is offered.
    pub(super) fn word(&self, beat: Option<&Beat>) -> Option<Vec<u64>> {
        let (beat_bits, word_bits) = (self.beat_bits, self.word_bits);
        if word_bits == beat_bits {
            return beat.map(|beat| beat[..word_bits.div_ceil(64) as usize].to_vec());
        }
        if word_bits < beat_bits {
            // A word never crosses one of 64 bits.
            let split = |beat: &Beat| {
                let low = self.index * word_bits;
                let parts = (0..word_bits.div_ceil(64)).map(|i| low + 64 * i);
                parts.map(|low| read_bits(beat, low, word_bits.min(64))).collect()
            };
            return self.held.as_ref().map(split);
        }
        if self.collected.len() as u32 + 1 < word_bits / beat_bits {
            return None;
        }
        let last = beat?;
        let mut word = vec![0; word_bits.div_ceil(64) as usize];
        for (i, beat) in self.collected.iter().chain([last]).enumerate() {
            let low = i as u32 * beat_bits;
            for part in 0..beat_bits.div_ceil(64) {
                let at = low + 64 * part;
                word[(at / 64) as usize] |= beat[part as usize] << (at % 64);
            }
        }
        Some(word)
    }

    /// Takes the edge: whether the word was taken, whether the rest of its beat is padding, whether it was the command's
    /// last. Gives whether the offered beat was taken.
    pub(super) fn edge(&mut self, beat: Option<&Beat>, taken: bool, row_end: bool, command_end: bool) -> bool {
        let Some(beat) = beat else {
            self.advance(taken, row_end);
            return false;
        };
        let (beat_bits, word_bits) = (self.beat_bits, self.word_bits);
        if word_bits == beat_bits {
            return taken;
        }
        if word_bits < beat_bits {
            self.advance(taken, row_end);
            // The beat after a command's last belongs to the next command.
            let takes = self.held.is_none() && !(taken && command_end);
            if takes {
                self.held = Some(*beat);
            }
            return takes;
        }
        if self.collected.len() as u32 + 1 < word_bits / beat_bits {
            self.collected.push(*beat);
            return true;
        }
        if taken {
            self.collected.clear();
        }
        taken
    }

    fn advance(&mut self, taken: bool, row_end: bool) {
        if taken && self.held.is_some() {
            self.index += 1;
            if row_end || self.index == self.beat_bits / self.word_bits {
                (self.held, self.index) = (None, 0);
            }
        }
    }
}
