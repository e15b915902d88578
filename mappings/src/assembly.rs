//! Programs as text, a command a line: `opcode name=value ...`, every field named, in any order. `#` starts a comment.

use std::fmt;
use std::str::FromStr;

use bitmosaic_numerics::{SPECIAL_VALUES, ScaleKind, term::MAX_PLANES};

use crate::{Command, Halves, LoadActivations, LoadWeights, MappingError, Matmul, Part, Program, Store, Tokens};

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::End => write!(f, "end"),
            Command::LoadWeights(l) => {
                let LoadWeights { weight_type, group, output_channels: n, input_channels: k, address, beats, .. } = l;
                write!(f, "load_weights type={weight_type} group={group} n={n} k={k}")?;
                write!(f, " address={address:#x} beats={beats} half={} {}", l.half, l.order)
            }
            Command::LoadActivations(l) => {
                let LoadActivations { group, tokens: m, input_channels: k, address, pitch, half, order } = l;
                write!(f, "load_activations group={group} m={m} k={k} address={address:#x} pitch={pitch}")?;
                write!(f, " half={half} {order}")
            }
            Command::Matmul(matmul) => {
                let Matmul { weight_type, terms, fraction_bits, group, tokens: m, output_channels: n, .. } = matmul;
                write!(f, "matmul type={weight_type} terms={terms} fraction_bits={fraction_bits} group={group}")?;
                write!(f, " scales={} m={m} n={n} k={} special=", matmul.scale_kind.name(), matmul.input_channels)?;
                for (i, digits) in matmul.special_digits.iter().enumerate() {
                    let text: String = digits.iter().map(|digit| format!("{digit:x}")).collect();
                    write!(f, "{}{text}", if i == 0 { "" } else { "." })?;
                }
                let Halves { weight, activation, output } = matmul.halves;
                let part = match (matmul.part.continues, matmul.part.unfinished) {
                    (false, false) => "whole",
                    (false, true) => "first",
                    (true, true) => "middle",
                    (true, false) => "last",
                };
                write!(f, " part={part} halves={weight}.{activation}.{output} {}", matmul.order)
            }
            Command::Store(s) => {
                let Store { row_blocks, tokens: m, output_channels: n, address, pitch, half, order } = s;
                write!(f, "store row_blocks={row_blocks} m={m} n={n} address={address:#x} pitch={pitch}")?;
                write!(f, " half={half} {order}")
            }
        }
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |up, down| match (up, down) {
            (false, false) => "none",
            (true, false) => "up",
            (false, true) => "down",
            (true, true) => "both",
        };
        write!(f, "wait={} give={}", name(self.wait_up, self.wait_down), name(self.give_up, self.give_down))
    }
}

impl Program {
    /// The program as text, a line a command.
    pub fn to_text(&self) -> String {
        self.commands.iter().map(|command| format!("{command}\n")).collect()
    }

    /// Reads [`Program::to_text`]'s form.
    ///
    /// # Errors
    /// `Text` with the line, what stands there and what would be right.
    pub fn from_text(text: &str) -> Result<Program, MappingError> {
        let mut commands: Vec<Command> = Vec::new();
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
        for (i, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
            if commands.last() == Some(&Command::End) {
                return Err(refused(i + 1, "a command after `end`", "`end` closes the program"));
            }
            let mut fields = Fields::new(i + 1, line)?;
            commands.push(fields.command()?);
            fields.finish()?;
        }
        if commands.last() != Some(&Command::End) {
            return Err(refused(text.lines().count(), "no `end`", "`end` closes the program"));
        }
        Ok(Program { commands })
    }
}

fn refused(line: usize, found: impl ToString, expected: impl ToString) -> MappingError {
    MappingError::Text { line, found: found.to_string(), expected: expected.to_string() }
}

/// The fields of a line that were not read yet.
struct Fields<'t> {
    line: usize,
    opcode: &'t str,
    fields: Vec<(&'t str, &'t str)>,
}

impl<'t> Fields<'t> {
    fn new(line: usize, text: &'t str) -> Result<Fields<'t>, MappingError> {
        let mut words = text.split_whitespace();
        let opcode = words.next().unwrap_or("");
        let split = |word: &'t str| {
            word.split_once('=').ok_or_else(|| {
                refused(line, format!("`{}`", word.escape_debug()), "a field is written name=value, without spaces")
            })
        };
        Ok(Fields { line, opcode, fields: words.map(split).collect::<Result<_, _>>()? })
    }

    fn command(&mut self) -> Result<Command, MappingError> {
        Ok(match self.opcode {
            "end" => Command::End,
            "load_weights" => Command::LoadWeights(LoadWeights {
                weight_type: self.number("type")?,
                group: self.number("group")?,
                output_channels: self.number("n")?,
                input_channels: self.number("k")?,
                address: self.address()?,
                beats: self.number("beats")?,
                half: self.half()?,
                order: self.order()?,
            }),
            "load_activations" => Command::LoadActivations(LoadActivations {
                group: self.number("group")?,
                tokens: self.number("m")?,
                input_channels: self.number("k")?,
                address: self.address()?,
                pitch: self.number("pitch")?,
                half: self.half()?,
                order: self.order()?,
            }),
            "matmul" => Command::Matmul(Matmul {
                weight_type: self.number("type")?,
                terms: self.checked("terms", &format!("1 to {MAX_PLANES}"), |text| {
                    text.parse().ok().filter(|terms| (1..=MAX_PLANES as u8).contains(terms))
                })?,
                fraction_bits: self.number("fraction_bits")?,
                group: self.number("group")?,
                scale_kind: self.checked("scales", "int8, e8m0, e4m3 or fp16", |text| ScaleKind::named(text).ok())?,
                tokens: self.number("m")?,
                output_channels: self.number("n")?,
                input_channels: self.number("k")?,
                special_digits: self.checked(
                    "special",
                    "four times four hexadecimal digits, with dots between, for example 1000.2000.0000.0000",
                    special_digits,
                )?,
                part: self.checked("part", "whole, first, middle or last, of a reduction", part)?,
                halves: self.checked("halves", "weights.activations.outputs, each 0 or 1", halves)?,
                order: self.order()?,
            }),
            "store" => Command::Store(Store {
                row_blocks: self.number("row_blocks")?,
                tokens: self.number("m")?,
                output_channels: self.number("n")?,
                address: self.address()?,
                pitch: self.number("pitch")?,
                half: self.half()?,
                order: self.order()?,
            }),
            other => {
                let known = "load_weights, load_activations, matmul, store or end";
                return Err(refused(self.line, format!("opcode `{}`", other.escape_debug()), known));
            }
        })
    }

    /// The value of a field, which must be there once.
    fn take(&mut self, name: &str) -> Result<&'t str, MappingError> {
        match self.fields.iter().position(|(own, _)| *own == name) {
            Some(at) => Ok(self.fields.remove(at).1),
            None => Err(refused(self.line, format!("`{}` without `{name}`", self.opcode), format!("{name}=value"))),
        }
    }

    fn checked<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, MappingError> {
        let text = self.take(name)?;
        read(text).ok_or_else(|| refused(self.line, format!("{name}={}", text.escape_debug()), expected))
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Result<T, MappingError> {
        let bits = 8 * size_of::<T>();
        self.checked(name, &format!("a whole number of at most {bits} bits"), |text| text.parse().ok())
    }

    fn address(&mut self) -> Result<u64, MappingError> {
        let bits = bitmosaic_arch::ADDRESS_BITS;
        self.checked("address", &format!("0x and hexadecimal digits, at most {bits} bits"), |text| {
            let value = u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()?;
            (value >> bits == 0).then_some(value)
        })
    }

    fn half(&mut self) -> Result<u8, MappingError> {
        self.checked("half", "0 or 1", |text| text.parse().ok().filter(|half| *half < 2))
    }

    fn order(&mut self) -> Result<Tokens, MappingError> {
        let ends = |text: &str| match text {
            "none" => Some((false, false)),
            "up" => Some((true, false)),
            "down" => Some((false, true)),
            "both" => Some((true, true)),
            _ => None,
        };
        let expected = "none, up (towards load), down (towards store) or both";
        let (wait_up, wait_down) = self.checked("wait", expected, ends)?;
        let (give_up, give_down) = self.checked("give", expected, ends)?;
        Ok(Tokens { wait_up, wait_down, give_up, give_down })
    }

    fn finish(&self) -> Result<(), MappingError> {
        match self.fields.first() {
            Some((name, _)) => {
                let found = format!("field `{}`", name.escape_debug());
                Err(refused(self.line, found, format!("`{}` has no such field, or has it once", self.opcode)))
            }
            None => Ok(()),
        }
    }
}

fn special_digits(text: &str) -> Option<[[u8; MAX_PLANES]; SPECIAL_VALUES]> {
    let mut all = [[0; MAX_PLANES]; SPECIAL_VALUES];
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != all.len() {
        return None;
    }
    for (digits, part) in all.iter_mut().zip(parts) {
        let read: Vec<u8> = part.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
        *digits = read.try_into().ok()?;
    }
    Some(all)
}

fn part(text: &str) -> Option<Part> {
    let (continues, unfinished) = match text {
        "whole" => (false, false),
        "first" => (false, true),
        "middle" => (true, true),
        "last" => (true, false),
        _ => return None,
    };
    Some(Part { continues, unfinished })
}

fn halves(text: &str) -> Option<Halves> {
    let bit = |text: &str| text.parse::<u8>().ok().filter(|half| *half < 2);
    let parts: Vec<u8> = text.split('.').map(bit).collect::<Option<_>>()?;
    let [weight, activation, output] = parts.try_into().ok()?;
    Some(Halves { weight, activation, output })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lfsr;

    const TEXT: &str = "\
load_weights type=1 group=32 n=12 k=130 address=0x480 beats=312 half=0 wait=none give=none
load_activations group=32 m=9 k=130 address=0x8000123456c0 pitch=288 half=1 wait=down give=down
matmul type=1 terms=2 fraction_bits=1 group=32 scales=int8 m=8 n=12 k=130 special=0120.fedc.0000.0001 part=last halves=0.1.0 wait=up give=both
store row_blocks=2 m=9 n=37 address=0x1000 pitch=80 half=0 wait=up give=none
end
";

    #[test]
    fn text_and_bytes_round_trip() {
        let program = Program::from_text(TEXT).unwrap();
        assert_eq!(program.to_text(), TEXT);
        assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
        // Every command that bytes can hold has its text.
        let mut lfsr = Lfsr::new(3);
        let (good, mut read) = (program.to_bytes(), 0);
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            lfsr.step();
            let at = lfsr.state() as usize % bytes.len();
            bytes[at] ^= 1 << (lfsr.state() >> 27 & 7);
            let Ok(program) = Program::from_bytes(&bytes) else { continue };
            assert_eq!(Program::from_text(&program.to_text()), Ok(program));
            read += 1;
        }
        assert!(read > 5_000, "{read}");
    }

    #[test]
    fn comments_and_the_order_of_fields_do_not_matter() {
        let text =
            "# a product\n\n  store half=0 wait=up give=none m=9 n=37 row_blocks=2 pitch=80 address=0x1000 # out\nend";
        assert_eq!(
            Program::from_text(text).unwrap().to_text(),
            format!("{}end\n", &TEXT[TEXT.find("store").unwrap()..TEXT.len() - 4])
        );
    }

    #[test]
    fn broken_text_is_refused_with_the_line() {
        let refuse = |from: &str, to: &str, words: &[&str]| {
            let text = TEXT.replacen(from, to, 1);
            assert_ne!(text, TEXT);
            let error = Program::from_text(&text).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        };
        refuse("store", "stroe", &["line 4", "`stroe`", "store"]);
        refuse("pitch=80", "pitch=-80", &["line 4", "pitch=-80", "32 bits"]);
        refuse("terms=2", "terms=5", &["line 3", "1 to 4"]);
        refuse("fedc", "fed", &["line 3", "special"]);
        refuse("half=1", "half=2", &["line 2", "0 or 1"]);
        refuse("0x8000123456c0", "0x18000123456c0", &["line 2", "48 bits"]);
        refuse("give=both", "", &["line 3", "without `give`"]);
        refuse("give=both", "give=both give=both", &["line 3", "field `give`"]);
        refuse("beats=312", "beats", &["line 1", "name=value"]);
        refuse("end\n", "", &["no `end`"]);
        refuse("end\n", "end\nend\n", &["line 6", "after `end`"]);
    }

    #[test]
    fn mutated_text_never_panics() {
        let mut lfsr = Lfsr::new(9);
        let (mut read, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut bytes = TEXT.as_bytes().to_vec();
            lfsr.step();
            let (at, choice) = (lfsr.state() as usize % bytes.len(), lfsr.state() >> 24);
            match choice % 4 {
                0 => bytes[at] = choice as u8,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, b"0123456789abcdef=.x# \n"[choice as usize % 22]),
                _ => drop(bytes.remove(at)),
            }
            match Program::from_text(&String::from_utf8_lossy(&bytes)) {
                Ok(program) => {
                    assert_eq!(Program::from_text(&program.to_text()), Ok(program));
                    read += 1;
                }
                Err(error) => {
                    assert!(error.to_string().contains("line"), "{error}");
                    refused += 1;
                }
            }
        }
        assert!(read > 500 && refused > 5_000, "{read} {refused}");
    }
}
