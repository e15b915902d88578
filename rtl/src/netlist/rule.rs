//! The width and sign rules of the operations, checked at construction and again by
//! `Module::check`.

use super::error::{Operand, Problem};
use super::op::{MAX_ARITHMETIC_BITS, MAX_NET_BITS, Op, Shape, low_mask};

/// Widest shift amount and select index, in bits.
const MAX_INDEX_BITS: u32 = 32;

/// The shape an operation produces, given its operands in the order of `Op::operands`.
///
/// `wanted` is the shape of the result net; it matters only where the operation leaves the
/// width or signedness open (constants, slices, extensions, shifts to a width).
pub(super) fn result_shape(op: &Op, operands: &[Operand], wanted: Shape) -> Result<Shape, Problem> {
    let operation = op.kind();
    if !op.is_wiring() {
        for operand in operands {
            narrow(operation, operand)?;
        }
    }
    let one_bit = Shape { width: 1, signed: false };
    let shape = |i: usize| operands[i].shape;
    let same_signs = || match operands[0].shape.signed == operands[1].shape.signed {
        true => Ok(()),
        false => Err(Problem::SignMismatch { operation, a: operands[0].clone(), b: operands[1].clone() }),
    };
    let same_shapes = |from: usize| match operands[from + 1..].iter().find(|o| o.shape != operands[from].shape) {
        None => Ok(()),
        Some(other) => Err(Problem::ShapeMismatch { operation, a: operands[from].clone(), b: other.clone() }),
    };
    let wrong = |role, expected, found: &Operand| {
        Err(Problem::WrongOperand { operation, role, expected, found: found.clone() })
    };
    let larger = || shape(0).width.max(shape(1).width);
    let of_width = |width, signed| Shape { width, signed };
    Ok(match op {
        Op::Constant(value) => {
            let fits = wanted.width >= 64 || *value <= low_mask(wanted.width);
            if wanted.width > MAX_ARITHMETIC_BITS || !fits {
                let value = value.to_string();
                return Err(Problem::ValueTooLarge { value, shape: wanted });
            }
            wanted
        }
        Op::Not(_) => shape(0),
        Op::And(..) | Op::Or(..) | Op::Xor(..) => {
            same_shapes(0)?;
            shape(0)
        }
        Op::ReduceOr(_) | Op::ReduceAnd(_) | Op::ReduceXor(_) => one_bit,
        Op::Add(..) => {
            same_signs()?;
            of_width(larger() + 1, shape(0).signed)
        }
        Op::Sub(..) => {
            same_signs()?;
            of_width(larger() + 1, true)
        }
        Op::Mul(..) => {
            same_signs()?;
            of_width(shape(0).width + shape(1).width, shape(0).signed)
        }
        Op::Negate(_) => of_width(shape(0).width + 1, true),
        Op::Eq(..) | Op::Ne(..) => {
            same_shapes(0)?;
            one_bit
        }
        Op::Lt(..) => {
            same_signs()?;
            one_bit
        }
        Op::Mux { .. } => {
            if shape(0) != one_bit {
                return wrong("a select", "1 unsigned bit", &operands[0]);
            }
            same_shapes(1)?;
            shape(1)
        }
        Op::Select { choices, .. } => {
            let index = shape(0);
            if index.signed || index.width > MAX_INDEX_BITS {
                return wrong("an index", "1 to 32 unsigned bits", &operands[0]);
            }
            if choices.is_empty() || choices.len() as u64 > 1 << index.width {
                return Err(Problem::WrongChoiceCount { choices: choices.len(), index_bits: index.width });
            }
            same_shapes(1)?;
            shape(1)
        }
        Op::ShiftLeft { .. } | Op::ShiftRight { .. } => {
            let amount = shape(1);
            if amount.signed || amount.width > MAX_INDEX_BITS {
                return wrong("an amount", "1 to 32 unsigned bits", &operands[1]);
            }
            match op {
                Op::ShiftLeft { .. } => of_width(wanted.width, shape(0).signed),
                _ => shape(0),
            }
        }
        Op::Slice { low, .. } => {
            let end = u64::from(*low) + u64::from(wanted.width);
            if end > u64::from(shape(0).width) {
                let operand = operands[0].clone();
                return Err(Problem::SliceOutOfRange { operand, low: *low, end });
            }
            of_width(wanted.width, false)
        }
        Op::Concat(_) => {
            if operands.is_empty() {
                return Err(Problem::EmptyConcat);
            }
            let total = operands.iter().fold(0u32, |sum, o| sum.saturating_add(o.shape.width));
            of_width(total, false)
        }
        Op::Replicate(_) => {
            if shape(0).width != 1 {
                return wrong("a bit", "1 bit", &operands[0]);
            }
            of_width(wanted.width, false)
        }
        Op::Extend(_) => of_width(wanted.width.max(shape(0).width), shape(0).signed),
        Op::Truncate(_) => of_width(wanted.width.min(shape(0).width), shape(0).signed),
        Op::Reinterpret(_) => of_width(shape(0).width, wanted.signed),
        Op::ShiftLeftConst { amount, .. } => of_width(shape(0).width.saturating_add(*amount), shape(0).signed),
    })
}

/// Checks an operation against the net it drives.
pub(super) fn check(op: &Op, operands: &[Operand], result: &Operand) -> Result<(), Problem> {
    if !(1..=MAX_NET_BITS).contains(&result.shape.width) {
        let (name, width) = (result.name.clone(), result.shape.width);
        return Err(Problem::BadWidth { name, width });
    }
    let expected = result_shape(op, operands, result.shape)?;
    if expected != result.shape {
        let found = result.clone();
        return Err(Problem::WrongResult { operation: op.kind(), expected, found });
    }
    match op.is_wiring() {
        true => Ok(()),
        false => narrow(op.kind(), result),
    }
}

fn narrow(operation: &'static str, operand: &Operand) -> Result<(), Problem> {
    match operand.shape.width <= MAX_ARITHMETIC_BITS {
        true => Ok(()),
        false => Err(Problem::TooWide { operation, operand: operand.clone() }),
    }
}
