//! From beats of the memory port to words of another width.

use super::build::{add_const, and_not, is, select_wide};
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `adapter_<beat bits>to<word bits>`; both are powers of two.
pub(super) fn adapter(beat_bits: u32, word_bits: u32) -> Result<Module, NetlistError> {
    let doc = match beat_bits.cmp(&word_bits) {
        std::cmp::Ordering::Greater => {
            "Splits beats into words, the lowest first; the rest of a row's last beat is padding."
        }
        std::cmp::Ordering::Equal => "Beats are words.",
        std::cmp::Ordering::Less => "Joins beats to words, the first lowest.",
    };
    let mut m = ModuleBuilder::new(&format!("adapter_{beat_bits}to{word_bits}"), doc);
    let beat_valid = m.input("beat_valid_i", 1, "a beat is offered");
    let beat = m.input("beat_i", beat_bits, "the beat");
    let take = m.input("take_i", 1, "the word is taken");
    let row_end = m.input("row_end_i", 1, "the word is the last of its row");
    let command_end = m.input("command_end_i", 1, "the word is the last of its command: the next beat is another's");
    let (valid, word, ready) = match beat_bits.cmp(&word_bits) {
        std::cmp::Ordering::Equal => {
            m.ignore(row_end);
            m.ignore(command_end);
            (beat_valid, beat, take)
        }
        std::cmp::Ordering::Greater => {
            let count = beat_bits / word_bits;
            let held = m.register("held_q", 1, false, "a beat is being split");
            let index = m.register("index_q", index_bits(count), false, "word of it");
            let last = is(&mut m, index, u64::from(count - 1));
            let done = m.or(last, row_end);
            let leaves = m.and(take, done);
            let empty = m.not(held);
            let room = m.or(empty, leaves);
            let over = m.and(take, command_end);
            let ready = and_not(&mut m, room, over);
            let ready = m.name(ready, "beat_ready", "an offered beat is taken");
            let takes = m.and(beat_valid, ready);
            let changes = m.or(takes, leaves);
            m.drive(held, takes, Some(changes), Some(0));
            let data = m.reg("beat_q", beat, Some(takes), None, "the beat");
            let next = add_const(&mut m, index, 1);
            let zero = m.constant(0, index.width);
            let next = m.mux(done, zero, next);
            m.drive(index, next, Some(take), Some(0));
            let words: Vec<Net> = (0..count).map(|i| m.slice(data, i * word_bits, word_bits)).collect();
            (held, select_wide(&mut m, index, &words), ready)
        }
        std::cmp::Ordering::Less => {
            m.ignore(row_end);
            m.ignore(command_end);
            let count = word_bits / beat_bits;
            let index = m.register("index_q", index_bits(count), false, "beats of the word so far");
            let last = is(&mut m, index, u64::from(count - 1));
            let first = m.not(last);
            let ready = m.or(first, take);
            let takes = m.and(beat_valid, ready);
            let next = add_const(&mut m, index, 1);
            m.drive(index, next, Some(takes), Some(0));
            let mut parts: Vec<Net> = (0..count - 1)
                .map(|i| {
                    let here = is(&mut m, index, u64::from(i));
                    let loads = m.and(takes, here);
                    m.reg(&format!("part_{i}_q"), beat, Some(loads), None, "a beat of the word")
                })
                .collect();
            parts.push(beat);
            (m.and(beat_valid, last), m.concat(&parts), ready)
        }
    };
    m.output("word_valid_o", valid, "a word is offered");
    m.output("word_o", word, "the word");
    m.output("beat_ready_o", ready, "the beat is taken if offered");
    m.finish()
}
