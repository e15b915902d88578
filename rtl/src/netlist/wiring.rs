//! Where bits come from: operations that only move bits, resolved to pieces of other nets.

use super::op::{NetId, Op, Shape, low_mask};

/// Consecutive bits of one origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Piece {
    /// Bits `low .. low + width` of a net.
    Net { net: NetId, low: u32, width: u32 },
    /// One bit of a net, `count` times (at least twice).
    Repeat { net: NetId, bit: u32, count: u32 },
    /// A constant; bits from 64 on are zero.
    Constant { value: u64, width: u32 },
}

impl Piece {
    /// Number of bits.
    pub(crate) fn width(self) -> u32 {
        match self {
            Piece::Net { width, .. } | Piece::Constant { width, .. } => width,
            Piece::Repeat { count, .. } => count,
        }
    }
}

/// The nets of a module or of a flattened design, as far as wiring needs them.
pub(crate) trait Nets {
    /// Shape of a net.
    fn shape(&self, net: NetId) -> Shape;
    /// The operation that makes the net by moving bits, to look through it; `None` for a net
    /// that is an origin of bits.
    fn wiring(&self, net: NetId) -> Option<&Op>;
}

/// The whole net, lowest piece first.
pub(crate) fn whole(nets: &impl Nets, net: NetId) -> Vec<Piece> {
    bits(nets, net, 0, nets.shape(net).width)
}

/// Bits `low .. low + width` of the net, lowest piece first.
pub(crate) fn bits(nets: &impl Nets, net: NetId, low: u32, width: u32) -> Vec<Piece> {
    let mut pieces = vec![];
    collect(nets, net, low, width, &mut pieces);
    pieces
}

/// The net extended by its signedness, or cut, to `width` bits.
pub(crate) fn resized(nets: &impl Nets, net: NetId, width: u32) -> Vec<Piece> {
    let shape = nets.shape(net);
    let mut pieces = bits(nets, net, 0, shape.width.min(width));
    if width > shape.width {
        fill(nets, net, shape, width - shape.width, &mut pieces);
    }
    pieces
}

/// What an operation that moves bits makes of its operands: bits `0 .. width` of its result.
pub(crate) fn result(nets: &impl Nets, op: &Op, width: u32) -> Vec<Piece> {
    let mut pieces = vec![];
    through(nets, op, 0, width, &mut pieces);
    pieces
}

fn collect(nets: &impl Nets, net: NetId, low: u32, width: u32, pieces: &mut Vec<Piece>) {
    if width == 0 {
        return;
    }
    match nets.wiring(net) {
        Some(op) => through(nets, op, low, width, pieces),
        None => push(pieces, Piece::Net { net, low, width }),
    }
}

fn through(nets: &impl Nets, op: &Op, low: u32, width: u32, pieces: &mut Vec<Piece>) {
    match op {
        Op::Constant(value) => {
            let value = value.checked_shr(low).unwrap_or(0) & low_mask(width);
            push(pieces, Piece::Constant { value, width });
        }
        Op::Slice { a, low: from } => collect(nets, *a, from + low, width, pieces),
        Op::Truncate(a) | Op::Reinterpret(a) => collect(nets, *a, low, width, pieces),
        Op::Replicate(a) => repeat(nets, *a, 0, width, pieces),
        Op::Concat(parts) => {
            let (mut at, end) = (0, low + width);
            for &part in parts {
                let part_width = nets.shape(part).width;
                let (from, to) = (low.max(at), end.min(at + part_width));
                if from < to {
                    collect(nets, part, from - at, to - from, pieces);
                }
                at += part_width;
            }
        }
        Op::Extend(a) => {
            let shape = nets.shape(*a);
            let inside = shape.width.saturating_sub(low).min(width);
            collect(nets, *a, low, inside, pieces);
            fill(nets, *a, shape, width - inside, pieces);
        }
        Op::ShiftLeftConst { a, amount } => {
            let zeros = amount.saturating_sub(low).min(width);
            push(pieces, Piece::Constant { value: 0, width: zeros });
            collect(nets, *a, (low + zeros).saturating_sub(*amount), width - zeros, pieces);
        }
        _ => debug_assert!(false, "{} makes bits", op.kind()),
    }
}

/// Zeros or sign bits above a net.
fn fill(nets: &impl Nets, net: NetId, shape: Shape, count: u32, pieces: &mut Vec<Piece>) {
    match shape.signed {
        true => repeat(nets, net, shape.width - 1, count, pieces),
        false => push(pieces, Piece::Constant { value: 0, width: count }),
    }
}

fn repeat(nets: &impl Nets, net: NetId, bit: u32, count: u32, pieces: &mut Vec<Piece>) {
    let origin = bits(nets, net, bit, 1).first().copied();
    match (origin, count) {
        (None, _) | (_, 0) => {}
        (Some(piece), 1) => push(pieces, piece),
        (Some(Piece::Net { net, low: bit, .. } | Piece::Repeat { net, bit, .. }), _) => {
            push(pieces, Piece::Repeat { net, bit, count });
        }
        (Some(Piece::Constant { value: 0, .. }), _) => {
            push(pieces, Piece::Constant { value: 0, width: count });
        }
        (Some(Piece::Constant { .. }), _) => {
            for at in (0..count).step_by(64) {
                let width = (count - at).min(64);
                push(pieces, Piece::Constant { value: low_mask(width), width });
            }
        }
    }
}

/// Appends a piece, joined with the last one where both are one run of bits.
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    if piece.width() == 0 {
        return;
    }
    let joined = match (pieces.last(), piece) {
        (Some(&Piece::Net { net, low, width }), Piece::Net { net: n, low: l, width: w })
            if n == net && l == low + width =>
        {
            Some(Piece::Net { net, low, width: width + w })
        }
        (Some(&Piece::Constant { value, width }), Piece::Constant { value: v, width: w }) => {
            let moved = match width {
                0..=63 => (v << width >> width == v).then_some(v << width),
                _ => (v == 0).then_some(0),
            };
            moved.map(|m| Piece::Constant { value: value | m, width: width + w })
        }
        (Some(&Piece::Repeat { net, bit, count }), Piece::Repeat { net: n, bit: b, count: c })
            if (n, b) == (net, bit) =>
        {
            Some(Piece::Repeat { net, bit, count: count + c })
        }
        (Some(&Piece::Repeat { net, bit, count }), Piece::Net { net: n, low, width: 1 }) if (n, low) == (net, bit) => {
            Some(Piece::Repeat { net, bit, count: count + 1 })
        }
        _ => None,
    };
    match (joined, pieces.last_mut()) {
        (Some(joined), Some(last)) => *last = joined,
        _ => pieces.push(piece),
    }
}
