//! Fields of a `config.json`, each checked as it is read.

use std::path::Path;

use serde_json::{Map, Value};

use crate::files::{malformed, shown};
use crate::model::check::{LARGEST, MOST_LAYERS};
use crate::model::spec::Activation;
use crate::{Fault, WorkloadsError};

/// A JSON object of a file.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub file: &'a Path,
    /// What stands before a field's name in errors.
    pub prefix: &'static str,
    pub map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// A field that stands there with something that cannot be.
    pub fn wrong(&self, field: &str, found: &str, expected: &str) -> WorkloadsError {
        malformed(self.file, Fault::Field, format!("`{}{field}`", self.prefix), shown(found), expected)
    }

    /// A field that says what a model of this crate cannot be.
    pub fn unsupported(&self, field: &str, found: &str, expected: &str) -> WorkloadsError {
        malformed(self.file, Fault::Unsupported, format!("`{}{field}`", self.prefix), shown(found), expected)
    }

    /// A field that must be there and is not.
    pub fn missing(&self, field: &str, expected: &str) -> WorkloadsError {
        self.wrong(field, "no such field", expected)
    }

    fn get(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field)
    }

    /// A number of 1 to [`LARGEST`] that must be there.
    pub fn size(&self, field: &str) -> Result<u32, WorkloadsError> {
        let value = self.get(field).ok_or_else(|| self.missing(field, &format!("a number of 1 to {LARGEST}")))?;
        self.as_number(field, value, 1, LARGEST)
    }

    /// A number of 1 to [`LARGEST`], and what it is where the field is missing.
    pub fn size_or(&self, field: &str, missing: u32) -> Result<u32, WorkloadsError> {
        if self.get(field).is_none() { Ok(missing) } else { self.size(field) }
    }

    /// The same, where `null` stands for nothing.
    pub fn optional_size(&self, field: &str, missing: Option<u32>) -> Result<Option<u32>, WorkloadsError> {
        match self.get(field) {
            None => Ok(missing),
            Some(Value::Null) => Ok(None),
            Some(_) => self.size(field).map(Some),
        }
    }

    /// A number that may be 0.
    pub fn count_or(&self, field: &str, missing: u32) -> Result<u32, WorkloadsError> {
        self.get(field).map_or(Ok(missing), |value| self.as_number(field, value, 0, LARGEST))
    }

    fn as_number(&self, field: &str, value: &Value, least: u32, most: u32) -> Result<u32, WorkloadsError> {
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.wrong(field, &seen(value), &format!("a number of {least} to {most}")))
    }

    /// `num_hidden_layers`.
    pub fn layers(&self) -> Result<u32, WorkloadsError> {
        let field = "num_hidden_layers";
        let expected = || format!("a number of 1 to {MOST_LAYERS}");
        let value = self.get(field).ok_or_else(|| self.missing(field, &expected()))?;
        self.as_number(field, value, 1, MOST_LAYERS)
    }

    /// True or false, and what it is where the field is missing.
    pub fn flag(&self, field: &str, missing: bool) -> Result<bool, WorkloadsError> {
        let Some(value) = self.get(field) else { return Ok(missing) };
        value.as_bool().ok_or_else(|| self.wrong(field, &seen(value), "true or false"))
    }

    /// A flag that may only have this value, which it has where it is missing.
    pub fn must_be(&self, field: &str, only: bool) -> Result<(), WorkloadsError> {
        if self.flag(field, only)? == only {
            return Ok(());
        }
        Err(self.unsupported(field, &(!only).to_string(), &only.to_string()))
    }

    /// Text that must be there.
    pub fn text(&self, field: &str) -> Result<&'a str, WorkloadsError> {
        let value = self.get(field).ok_or_else(|| self.missing(field, "text"))?;
        value.as_str().ok_or_else(|| self.wrong(field, &seen(value), "text"))
    }

    /// The part of a model that reads, of one that also sees.
    pub fn text_config(&self) -> Result<Fields<'a>, WorkloadsError> {
        let field = "text_config";
        let value = self.get(field).ok_or_else(|| self.missing(field, "an object"))?;
        let map = value.as_object().ok_or_else(|| self.wrong(field, &seen(value), "an object"))?;
        Ok(Fields { file: self.file, prefix: "text_config.", map })
    }

    /// Kinds of the layers, one each, if the field is there and not `null`; every one must be among `known`.
    pub fn kinds(&self, field: &str, known: &[&'static str]) -> Result<Option<Vec<&'static str>>, WorkloadsError> {
        let value = match self.get(field) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let list = value.as_array().ok_or_else(|| self.wrong(field, &seen(value), "a list of texts"))?;
        let layers = self.layers()?;
        if list.len() != layers as usize {
            let expected = format!("{layers}, as many as `num_hidden_layers`");
            return Err(self.wrong(field, &format!("{} entries", list.len()), &expected));
        }
        let kind = |entry: &Value| {
            let found = known.iter().find(|kind| entry.as_str() == Some(**kind));
            found
                .copied()
                .ok_or_else(|| self.unsupported(field, &seen(entry), &format!("only {}", known.join(" and "))))
        };
        list.iter().map(kind).collect::<Result<_, _>>().map(Some)
    }

    /// Layers by number.
    pub fn numbers(&self, field: &str) -> Result<Vec<u32>, WorkloadsError> {
        let value = match self.get(field) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(value) => value,
        };
        let list = value.as_array().ok_or_else(|| self.wrong(field, &seen(value), "a list of numbers"))?;
        list.iter().map(|entry| self.as_number(field, entry, 0, LARGEST)).collect()
    }

    /// An activation function, and which it is where the field is missing.
    pub fn activation(&self, field: &str, missing: Activation) -> Result<Activation, WorkloadsError> {
        if self.get(field).is_none() {
            return Ok(missing);
        }
        match self.text(field)? {
            "relu" => Ok(Activation::Relu),
            "gelu" | "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Ok(Activation::Gelu),
            "silu" | "swish" => Ok(Activation::Silu),
            other => Err(self.unsupported(field, other, "relu, gelu (also its tanh forms) or silu")),
        }
    }

    /// `of` divided by the number in `field`, which must divide it.
    pub fn share(&self, field: &str, number: u32, of: u32, what: &str) -> Result<u32, WorkloadsError> {
        if of.is_multiple_of(number) {
            return Ok(of / number);
        }
        Err(self.wrong(field, &number.to_string(), &format!("a divisor of {what}, {of}")))
    }

    /// Rotated ones of `head_dim` channels, by the share in `partial_rotary_factor`.
    pub fn rotary(&self, head_dim: u32, missing: f64) -> Result<u32, WorkloadsError> {
        let field = "partial_rotary_factor";
        let factor = match self.get(field) {
            None => missing,
            Some(value) => value
                .as_f64()
                .filter(|factor| (0.0..=1.0).contains(factor))
                .ok_or_else(|| self.wrong(field, &seen(value), "a number of 0 to 1"))?,
        };
        // Truncated, as there.
        let rotary = (f64::from(head_dim) * factor) as u32;
        if rotary.is_multiple_of(2) {
            return Ok(rotary);
        }
        Err(self.wrong(field, &format!("{factor} of {head_dim} channels: {rotary}"), "an even number of channels"))
    }
}

/// A value for a message; text as it is, since messages escape it.
fn seen(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}
