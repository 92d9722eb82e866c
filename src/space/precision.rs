//! How are numbers stored and computed with?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How numbers are stored and computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    Fp32,
    /// 16-bit floating point with 5 bits of exponent (IEEE half).
    Fp16,
    /// 16-bit floating point with 8 bits of exponent (brain float).
    Bf16,
    /// 16-bit integers.
    Int16,
    /// 8-bit integers.
    Int8,
    /// 4-bit integers.
    Int4,
}

impl Precision {
    /// Every precision.
    pub const ALL: [Precision; 6] = [
        Precision::Fp32,
        Precision::Fp16,
        Precision::Bf16,
        Precision::Int16,
        Precision::Int8,
        Precision::Int4,
    ];

    /// The name in data and messages, such as `int8`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Fp32 => "fp32",
            Precision::Fp16 => "fp16",
            Precision::Bf16 => "bf16",
            Precision::Int16 => "int16",
            Precision::Int8 => "int8",
            Precision::Int4 => "int4",
        }
    }

    /// Bits of one number.
    pub fn bits(self) -> u32 {
        match self {
            Precision::Fp32 => 32,
            Precision::Fp16 | Precision::Bf16 | Precision::Int16 => 16,
            Precision::Int8 => 8,
            Precision::Int4 => 4,
        }
    }

    /// Whether numbers are floating point.
    pub fn is_float(self) -> bool {
        match self {
            Precision::Fp32 | Precision::Fp16 | Precision::Bf16 => true,
            Precision::Int16 | Precision::Int8 | Precision::Int4 => false,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Precision::ALL
            .into_iter()
            .find(|precision| precision.name() == text)
            .ok_or_else(|| Error::Unknown {
                kind: "precision",
                name: text.into(),
                known: Precision::ALL.iter().map(ToString::to_string).collect(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_know_their_bits() {
        let bits = |name: &str| name.parse::<Precision>().unwrap().bits();
        assert_eq!(["fp32", "bf16", "int16", "int8", "int4"].map(bits), [32, 16, 16, 8, 4]);
        assert!("fp64".parse::<Precision>().is_err() && "".parse::<Precision>().is_err());
    }
}
