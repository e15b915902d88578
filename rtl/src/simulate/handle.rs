//! Handles on ports and values of a simulator.

/// Handle on an input port of the top module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Port {
    pub(super) place: u32,
    pub(super) width: u32,
    pub(super) signed: bool,
}

impl Port {
    /// Width in bits.
    pub fn width(self) -> u32 {
        self.width
    }
}

/// Handle on a value that can be read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Probe {
    pub(super) width: u32,
    pub(super) parts: Vec<Part>,
}

impl Probe {
    /// Width in bits.
    pub fn width(&self) -> u32 {
        self.width
    }
}

/// Bits `from .. from + width` of a word, at bit `at` (below 64) of a limb.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Part {
    pub(super) limb: u32,
    pub(super) at: u32,
    pub(super) width: u32,
    pub(super) source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Source {
    Constant(u64),
    Word { place: u32, from: u32 },
    Bit { place: u32, bit: u32 },
}

/// A value whose words have the given places.
pub(super) fn limbs(width: u32, places: &[u32]) -> Probe {
    let parts = places.iter().enumerate().map(|(limb, &place)| Part {
        limb: limb as u32,
        at: 0,
        width: (width - 64 * limb as u32).min(64),
        source: Source::Word { place, from: 0 },
    });
    Probe { width, parts: parts.collect() }
}
