use crate::weight_type::MAX_MAGNITUDE_BITS;
use crate::{MAX_GROUP, NumericsError, SPECIAL_VALUES, ScaleKind, WeightType, f16};

/// A quantized weight matrix of shape `[output_channels, input_channels]`, groups along the input channels.
/// The last group of a row may be short. [`crate::packing`] gives the stored form of the codes.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedMatrix {
    /// Data type of the codes.
    pub weight_type: WeightType,
    /// Rows.
    pub output_channels: usize,
    /// Columns.
    pub input_channels: usize,
    /// Input channels per group.
    pub group: usize,
    /// `[output_channels, input_channels]` codes.
    pub codes: Vec<u16>,
    /// `[output_channels, groups]` index of the group's special value; 0 for types without any.
    pub selectors: Vec<u8>,
    /// `[output_channels, groups]` zero points less 2^(b-1), in units of 2^-fraction_bits; empty for types without.
    pub zero_points: Vec<i8>,
    /// Kind of the group scales.
    pub scale_kind: ScaleKind,
    /// `[output_channels, groups]` group scale codes.
    pub scales: Vec<u16>,
    /// `[output_channels]` channel scales, finite.
    pub channel_scales: Vec<f16>,
    /// The special values behind the selectors, in units of 2^-fraction_bits.
    pub special_values: [i32; SPECIAL_VALUES],
}

impl QuantizedMatrix {
    /// Groups per output channel.
    pub fn groups(&self) -> usize {
        self.input_channels.div_ceil(self.group)
    }

    /// Code of the other weight of a pair: pairs begin at the start of a group; the last weight of an odd group has none.
    fn neighbour(&self, output_channel: usize, input_channel: usize) -> Option<u16> {
        let place = input_channel % self.group;
        let first = input_channel - place;
        let other = first + (place ^ 1);
        let end = (first + self.group).min(self.input_channels);
        (other < end).then(|| self.codes[output_channel * self.input_channels + other])
    }

    /// Integer value of the weight at (output channel, input channel), in units of 2^-fraction_bits, less its zero point.
    pub fn value(&self, output_channel: usize, input_channel: usize) -> i64 {
        let code = self.codes[output_channel * self.input_channels + input_channel];
        let group = output_channel * self.groups() + input_channel / self.group;
        let special = self.special_values[usize::from(self.selectors[group]) % SPECIAL_VALUES];
        let neighbour = || self.neighbour(output_channel, input_channel);
        let neighbour = self.weight_type.victim_code().and_then(|_| neighbour());
        let value = self.weight_type.value_beside(code, neighbour, special).unwrap_or(0);
        value - i64::from(self.zero_point(group))
    }

    /// Zero point of a group, counted over the matrix; 0 for types without.
    pub fn zero_point(&self, group: usize) -> i32 {
        self.zero_points.get(group).copied().unwrap_or(0).into()
    }

    /// Bits of the largest magnitude a weight may have, zero points subtracted.
    pub fn magnitude_bits(&self) -> u32 {
        self.weight_type.magnitude_bits() + u32::from(self.weight_type.has_zero_point())
    }

    /// Checks every length and range, so that later code may index without checks.
    ///
    /// # Errors
    /// `Shape` or `NotFinite` naming the field.
    pub fn check(&self) -> Result<(), NumericsError> {
        let shape = |what: &str, found: usize, expected: usize| {
            if found == expected {
                return Ok(());
            }
            Err(NumericsError::Shape {
                what: format!("length of {what}"),
                found: found.to_string(),
                expected: expected.to_string(),
            })
        };
        if self.output_channels == 0 || self.input_channels == 0 {
            return Err(NumericsError::Shape {
                what: "shape of a quantized matrix".into(),
                found: format!("{} x {}", self.output_channels, self.input_channels),
                expected: "at least 1 x 1".into(),
            });
        }
        if self.group == 0 || self.group > MAX_GROUP {
            return Err(NumericsError::Shape {
                what: "group".into(),
                found: self.group.to_string(),
                expected: format!("1 to {MAX_GROUP} input channels"),
            });
        }
        let groups = self.output_channels.saturating_mul(self.groups());
        let weights = self.output_channels.saturating_mul(self.input_channels);
        shape("codes", self.codes.len(), weights)?;
        shape("selectors", self.selectors.len(), groups)?;
        shape("zero points", self.zero_points.len(), if self.weight_type.has_zero_point() { groups } else { 0 })?;
        shape("scales", self.scales.len(), groups)?;
        shape("channel_scales", self.channel_scales.len(), self.output_channels)?;
        if self.weight_type.magnitude_bits() > MAX_MAGNITUDE_BITS {
            return Err(NumericsError::Shape {
                what: format!("largest value of `{}`", self.weight_type.name),
                found: format!("{} bits", self.weight_type.magnitude_bits()),
                expected: format!("at most {MAX_MAGNITUDE_BITS} bits"),
            });
        }
        for code in &self.codes {
            self.weight_type.check_code(*code)?;
        }
        self.check_pairs()?;
        if let Some(selector) = self.selectors.iter().find(|s| usize::from(**s) >= SPECIAL_VALUES) {
            return Err(NumericsError::Shape {
                what: "special value selector".into(),
                found: selector.to_string(),
                expected: format!("0 to {}", SPECIAL_VALUES - 1),
            });
        }
        let half = 1i32 << (self.weight_type.code_bits.clamp(1, 8) - 1);
        if let Some(zero) = self.zero_points.iter().find(|z| !(-half..half).contains(&i32::from(**z))) {
            return Err(NumericsError::Shape {
                what: "zero point".into(),
                found: zero.to_string(),
                expected: format!("{} to {}", -half, half - 1),
            });
        }
        if let Some(code) = self.scales.iter().find(|code| self.scale_kind.decode(**code).is_none()) {
            return Err(NumericsError::Shape {
                what: format!("{} group scale code", self.scale_kind.name()),
                found: format!("{code:#x}"),
                expected: "a finite scale that is not negative, of FP16 range".into(),
            });
        }
        match self.channel_scales.iter().position(|s| !s.is_finite()) {
            Some(row) => Err(NumericsError::NotFinite {
                what: "channel scale",
                row,
                column: 0,
                value: self.channel_scales[row].to_string(),
            }),
            None => Ok(()),
        }
    }

    /// Every victim has an outlier beside it.
    fn check_pairs(&self) -> Result<(), NumericsError> {
        let Some(victim) = self.weight_type.victim_code() else { return Ok(()) };
        for (index, _) in self.codes.iter().enumerate().filter(|(_, code)| **code == victim) {
            let (row, column) = (index / self.input_channels, index % self.input_channels);
            let neighbour = self.neighbour(row, column);
            if neighbour.and_then(|code| self.weight_type.outlier(code)).is_none() {
                return Err(NumericsError::Shape {
                    what: format!("neighbour of the victim at row {row}, column {column}"),
                    found: neighbour.map_or("none".into(), |code| format!("code {code:#x}")),
                    expected: "an outlier in its pair".into(),
                });
            }
        }
        Ok(())
    }
}
