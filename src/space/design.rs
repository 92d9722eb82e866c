//! What is built, measured, predicted and proposed: an architecture and how its numbers are stored.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Architecture, SearchSpace};
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

/// Which precision every layer's weights and activations have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuantPolicy {
    /// The same precision everywhere.
    Uniform(Precision),
}

impl QuantPolicy {
    /// Bits of one weight.
    pub fn weight_bits(self) -> u32 {
        match self {
            QuantPolicy::Uniform(precision) => precision.bits(),
        }
    }

    /// Whether weights are floating point.
    pub fn weights_are_float(self) -> bool {
        match self {
            QuantPolicy::Uniform(precision) => precision.is_float(),
        }
    }

    /// Bits of one element of a feature map.
    pub fn activation_bits(self) -> u32 {
        match self {
            QuantPolicy::Uniform(precision) => precision.bits(),
        }
    }
}

impl From<Precision> for QuantPolicy {
    fn from(precision: Precision) -> Self {
        QuantPolicy::Uniform(precision)
    }
}

impl fmt::Display for QuantPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QuantPolicy::Uniform(precision) => precision.fmt(f),
        }
    }
}

impl FromStr for QuantPolicy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Precision::from_str(text).map(QuantPolicy::Uniform)
    }
}

/// An architecture and its quantization policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Design {
    /// The architecture.
    pub architecture: Architecture,
    /// The quantization policy.
    pub policy: QuantPolicy,
}

/// Between architecture and policy where a design is written as one string.
const SEPARATOR: char = '@';

impl Design {
    /// An architecture at one precision everywhere.
    pub fn uniform(architecture: Architecture, precision: Precision) -> Design {
        Design {
            architecture,
            policy: precision.into(),
        }
    }

    /// Writes the design as `architecture@policy`, the architecture in the notation of its space, which says the policy where
    /// genes do.
    pub fn print(&self, space: &dyn SearchSpace) -> String {
        if space.has_bits() {
            return space.print(&self.architecture);
        }
        format!("{}{SEPARATOR}{}", space.print(&self.architecture), self.policy)
    }

    /// Reads `architecture@policy`, or an architecture alone, which then has the policy `default` unless its genes say it.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the offending part of the architecture, [`Error::Unknown`] for a policy that does not exist.
    pub fn parse(text: &str, space: &dyn SearchSpace, default: QuantPolicy) -> Result<Design> {
        if space.has_bits() {
            return Ok(Design::uniform(space.parse(text)?, Precision::Int8));
        }
        let (architecture, policy) = match text.rsplit_once(SEPARATOR) {
            Some((architecture, policy)) => (architecture, policy.trim().parse()?),
            None => (text, default),
        };
        Ok(Design {
            architecture: space.parse(architecture)?,
            policy,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::space::all;

    #[test]
    fn a_design_reads_back_as_it_was_printed_in_every_space() {
        let mut rng = Seed(0).stream("designs");
        for space in all() {
            let precisions = if space.has_bits() {
                &[Precision::Int8][..]
            } else {
                &Precision::ALL
            };
            for &precision in precisions {
                let design = Design::uniform(space.sample(&mut rng), precision);
                let text = design.print(space);
                assert!(space.has_bits() || text.ends_with(precision.name()), "{text}");
                assert_eq!(Design::parse(&text, space, Precision::Fp32.into()).unwrap(), design);
                // Without a policy it is the default's.
                let architecture = space.print(&design.architecture);
                assert_eq!(Design::parse(&architecture, space, precision.into()).unwrap(), design);
            }
        }
    }

    #[test]
    fn an_unknown_precision_is_named_with_the_nearest() {
        let space = all()[0];
        let text = format!("{}@int9", space.print(&space.sample(&mut Seed(0).stream("one"))));
        let message = Design::parse(&text, space, Precision::Fp32.into())
            .unwrap_err()
            .to_string();
        assert!(message.contains("int9") && message.contains("int8"), "{message}");
    }

    #[test]
    fn precisions_know_their_bits() {
        let bits = |name: &str| name.parse::<Precision>().unwrap().bits();
        assert_eq!(["fp32", "bf16", "int16", "int8", "int4"].map(bits), [32, 16, 16, 8, 4]);
        assert!("fp64".parse::<Precision>().is_err() && "".parse::<Precision>().is_err());
    }
}
