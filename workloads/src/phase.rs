//! Phases of inference.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::WorkloadsError;

/// What a model does with its sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Every sequence's prompt of this many tokens at once.
    Prefill {
        /// Tokens a sequence.
        tokens: u32,
    },
    /// One further token of every sequence, which attends to this many tokens, itself included.
    Decode {
        /// Tokens a sequence.
        context: u32,
    },
    /// A prompt, then tokens one by one, each with a context longer by one.
    Generate {
        /// Tokens of the prompt.
        prompt: u32,
        /// Tokens generated; the prefill gives the first.
        tokens: u32,
    },
}

/// Longest context.
const LONGEST: u32 = 1 << 22;
/// Most sequences.
pub const MOST_SEQUENCES: u32 = 4096;
/// Most tokens that enter one forward pass, of all sequences.
const MOST_NEW_TOKENS: u64 = 1 << 17;
/// Most generated tokens: each has its own list of operations.
const MOST_GENERATED: u32 = 1 << 12;

impl Phase {
    /// Reads `prefill:TOKENS`, `decode:CONTEXT` or `generate:PROMPT+TOKENS`.
    ///
    /// # Errors
    /// `Request` with the forms there are.
    pub fn parse(text: &str) -> Result<Phase, WorkloadsError> {
        let refused = || WorkloadsError::Request {
            what: "phase".into(),
            found: format!("`{}`", crate::files::shown(text)),
            expected: format!(
                "`prefill:TOKENS`, `decode:CONTEXT` or `generate:PROMPT+TOKENS`, numbers from 1 to {LONGEST}, for example \
                 prefill:256, decode:4096, generate:256+20"
            ),
        };
        let number = |text: &str| text.parse().ok().filter(|n| (1..=LONGEST).contains(n)).ok_or_else(refused);
        match text.split_once(':').ok_or_else(refused)? {
            ("prefill", tokens) => Ok(Phase::Prefill { tokens: number(tokens)? }),
            ("decode", context) => Ok(Phase::Decode { context: number(context)? }),
            ("generate", both) => {
                let (prompt, tokens) = both.split_once('+').ok_or_else(refused)?;
                Ok(Phase::Generate { prompt: number(prompt)?, tokens: number(tokens)? })
            }
            _ => Err(refused()),
        }
    }

    /// Steps of one forward pass each: `Generate` is its prefill and a decode for each token but the first.
    pub fn steps(self) -> Vec<Step> {
        match self {
            Phase::Prefill { tokens } => vec![Step { new: tokens, context: tokens }],
            Phase::Decode { context } => vec![Step { new: 1, context }],
            Phase::Generate { prompt, tokens } => {
                let later = (1..tokens).map(|t| Step { new: 1, context: prompt + t });
                std::iter::once(Step { new: prompt, context: prompt }).chain(later).collect()
            }
        }
    }

    /// New tokens a sequence of its largest step.
    pub fn most_new_tokens(self) -> u32 {
        match self {
            Phase::Prefill { tokens } => tokens,
            Phase::Decode { .. } => 1,
            Phase::Generate { prompt, .. } => prompt,
        }
    }

    /// Why this many sequences in this phase are more than is simulated, as what is found and what would be right; nothing where
    /// they are not.
    pub fn too_large(self, sequences: u32) -> Option<(String, String)> {
        let new = self.most_new_tokens();
        if !(1..=MOST_SEQUENCES).contains(&sequences) {
            return Some((format!("{sequences} sequences"), format!("1 to {MOST_SEQUENCES} sequences")));
        }
        if u64::from(new) * u64::from(sequences) > MOST_NEW_TOKENS {
            let found = format!("{new} new tokens of {sequences} sequences at once");
            return Some((found, format!("at most {MOST_NEW_TOKENS} in all")));
        }
        let out = self.tokens_out();
        (out > MOST_GENERATED)
            .then(|| (format!("{out} tokens, a forward pass each"), format!("at most {MOST_GENERATED}")))
    }

    /// Tokens that come out, a sequence: one of a prefill and of a decode.
    pub fn tokens_out(self) -> u32 {
        if let Phase::Generate { tokens, .. } = self { tokens } else { 1 }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Phase::Prefill { tokens } => write!(f, "prefill:{tokens}"),
            Phase::Decode { context } => write!(f, "decode:{context}"),
            Phase::Generate { prompt, tokens } => write!(f, "generate:{prompt}+{tokens}"),
        }
    }
}

/// One forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// New tokens a sequence.
    pub new: u32,
    /// Tokens in the cache behind it, the new ones included.
    pub context: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_and_written() {
        for text in ["prefill:256", "decode:4096", "generate:256+20"] {
            assert_eq!(Phase::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "prefill", "prefill:0", "decode:-1", "decode:9999999", "generate:3", "train:1", "prefill:1.5"]
        {
            assert!(Phase::parse(text).unwrap_err().to_string().contains("prefill:256"), "{text}");
        }
    }

    #[test]
    fn generation_is_a_prefill_and_decodes_of_a_growing_context() {
        let steps = Phase::parse("generate:7+3").unwrap().steps();
        assert_eq!(steps.iter().map(|s| (s.new, s.context)).collect::<Vec<_>>(), [(7, 7), (1, 8), (1, 9)]);
    }
}
