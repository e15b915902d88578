//! Beats of a ready/valid stream, and the documented source of random stalls.

/// A sequence of equally wide beats, stored as little-endian 64-bit words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatStream {
    width_bits: u32,
    words: Vec<u64>,
}

impl BeatStream {
    /// An empty stream of `width_bits`-bit beats.
    pub fn new(width_bits: u32) -> BeatStream {
        BeatStream { width_bits, words: Vec::new() }
    }

    /// Width of a beat in bits.
    pub fn width_bits(&self) -> u32 {
        self.width_bits
    }

    /// 64-bit words per beat.
    pub fn words_per_beat(&self) -> usize {
        self.width_bits.div_ceil(64) as usize
    }

    /// Beats in the stream.
    pub fn len(&self) -> usize {
        self.words.len() / self.words_per_beat()
    }

    /// Whether the stream has no beat.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words of beat `index`, lowest first.
    pub fn beat(&self, index: usize) -> &[u64] {
        let n = self.words_per_beat();
        &self.words[index * n..(index + 1) * n]
    }

    /// Appends a beat made of `(value, bits)` fields, lowest bits first; missing high bits are zero.
    pub fn push_fields(&mut self, fields: impl IntoIterator<Item = (u64, u32)>) {
        let start = self.words.len();
        self.words.resize(start + self.words_per_beat(), 0);
        let mut position = 0;
        for (value, bits) in fields {
            debug_assert!(position + bits <= self.width_bits);
            write_bits(&mut self.words[start..], position, value, bits);
            position += bits;
        }
    }

    /// Appends a beat of whole words.
    pub fn push_words(&mut self, beat: &[u64]) {
        debug_assert_eq!(beat.len(), self.words_per_beat());
        self.words.extend_from_slice(beat);
    }

    /// The beat as hexadecimal digits, highest first, as `$fscanf("%h")` reads it.
    pub fn hex(&self, index: usize) -> String {
        hex(self.beat(index), self.width_bits)
    }
}

/// `bits` bits at `position` of a beat.
pub fn read_bits(words: &[u64], position: u32, bits: u32) -> u64 {
    let (word, shift) = ((position / 64) as usize, position % 64);
    let mut value = words[word] >> shift;
    if shift + bits > 64 {
        value |= words[word + 1] << (64 - shift);
    }
    if bits == 64 { value } else { value & ((1 << bits) - 1) }
}

/// Two's complement value of the low `bits` bits, 1 to 64.
pub fn sign_extend(value: u64, bits: u32) -> i64 {
    (value << (64 - bits)) as i64 >> (64 - bits)
}

/// Sets `bits` bits at `position` of a beat, which are zero so far.
pub(crate) fn write_bits(words: &mut [u64], position: u32, value: u64, bits: u32) {
    let value = if bits == 64 { value } else { value & ((1 << bits) - 1) };
    let (word, shift) = ((position / 64) as usize, position % 64);
    words[word] |= value << shift;
    if shift + bits > 64 {
        words[word + 1] |= value >> (64 - shift);
    }
}

/// Hexadecimal digits of a `width_bits`-bit number, highest first.
pub(crate) fn hex(words: &[u64], width_bits: u32) -> String {
    let digits = width_bits.div_ceil(4) as usize;
    (0..digits)
        .rev()
        .map(|d| char::from_digit((words[d / 16] >> (4 * (d % 16)) & 15) as u32, 16).unwrap_or('0'))
        .collect()
}

/// The source of random stalls in every engine: a 32-bit Galois LFSR with feedback 0x80200003
/// (x^32 + x^22 + x^2 + x + 1), one step a clock cycle from the first cycle after reset, whatever the machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lfsr(u32);

impl Lfsr {
    /// Feedback mask, also written into the testbench.
    pub const FEEDBACK: u32 = 0x8020_0003;

    /// State of the first cycle; a zero seed, which would stay zero, counts as 1.
    pub fn new(seed: u32) -> Lfsr {
        Lfsr(seed.max(1))
    }

    /// Current state.
    pub fn state(self) -> u32 {
        self.0
    }

    /// State of the next cycle.
    pub fn step(&mut self) {
        self.0 = self.0 >> 1 ^ if self.0 & 1 == 1 { Lfsr::FEEDBACK } else { 0 };
    }
}

/// When a source offers its next beat, or a sink is ready: in cycles whose LFSR byte is at least `threshold`
/// (0: always; 255: one cycle in 256). A source that has offered a beat keeps offering it until it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Seed of the LFSR.
    pub seed: u32,
    /// Closed while the LFSR's low byte is below this.
    pub threshold: u8,
}

impl Gate {
    /// Never closed.
    pub const OPEN: Gate = Gate { seed: 1, threshold: 0 };

    /// Whether the gate is open in a cycle with this LFSR state.
    pub fn is_open(self, lfsr: Lfsr) -> bool {
        lfsr.state() as u8 >= self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cross_word_boundaries() {
        let mut stream = BeatStream::new(150);
        stream.push_fields([(0x1234, 60), (0xFFF, 12), (u64::MAX, 64), (0x2AA, 10), (0xF, 4)]);
        let beat = stream.beat(0);
        assert_eq!(read_bits(beat, 0, 60), 0x1234);
        assert_eq!(read_bits(beat, 60, 12), 0xFFF);
        assert_eq!(read_bits(beat, 72, 64), u64::MAX);
        assert_eq!(read_bits(beat, 136, 10), 0x2AA);
        assert_eq!(stream.hex(0).len(), 38);
        assert_eq!(&stream.hex(0)[..4], "3eaa");
    }

    #[test]
    fn the_lfsr_has_full_length_steps_and_fair_bytes() {
        // x^32 + x^22 + x^2 + x + 1 is primitive; here: no short cycle, and bytes near uniform.
        let mut lfsr = Lfsr::new(1);
        let mut open = 0;
        for i in 0..1_000_000 {
            assert!(i == 0 || lfsr.state() != 1);
            open += u32::from(Gate { seed: 1, threshold: 128 }.is_open(lfsr));
            lfsr.step();
        }
        assert!((495_000..505_000).contains(&open), "{open}");
    }
}
