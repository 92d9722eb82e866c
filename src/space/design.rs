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

/// Classes of the network whose mean bits are shown.
const SHOWN_CLASSES: u32 = 10;

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

    /// The policy as it is shown: its precision, or the mean bits of weights and of what layers read where genes say bits, such as
    /// `W4.6A8.0`.
    pub fn quantization(&self, space: &dyn SearchSpace) -> String {
        if !space.has_bits() {
            return self.policy.to_string();
        }
        let network = space.lower(&self.architecture, space.default_input(), SHOWN_CLASSES);
        let (weights, activations) = network.mean_bits(self.policy);
        format!("W{weights:.1}A{activations:.1}")
    }

    /// Reads `architecture@policy`, or an architecture alone, which then has the policy `default` unless its genes say it.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the offending part of the architecture, [`Error::Unknown`] for a policy that does not exist.
    pub fn parse(text: &str, space: &dyn SearchSpace, default: QuantPolicy) -> Result<Design> {
        if space.has_bits() {
            // Mean bits behind a design are for whoever reads it.
            let shown = text.rsplit_once(SEPARATOR).filter(|(_, shown)| shown.starts_with('W'));
            let architecture = space.parse(shown.map_or(text, |(architecture, _)| architecture))?;
            return Ok(Design::uniform(architecture, Precision::Int8));
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
    use crate::space::{all, by_id};

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
                let as_shown = format!("{}@{}", space.print(&design.architecture), design.quantization(space));
                assert_eq!(Design::parse(&as_shown, space, Precision::Fp32.into()).unwrap(), design);
                // Without a policy it is the default's.
                let architecture = space.print(&design.architecture);
                assert_eq!(Design::parse(&architecture, space, precision.into()).unwrap(), design);
            }
        }
    }

    /// Of 15 cells with 9, 1 and 1 weights for every pair of channels at 8, 2 and 4 bits; all else has 8.
    #[test]
    fn mean_bits_are_shown_where_genes_say_bits() {
        let space = by_id("nasbench201_mixed").unwrap();
        let cell = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|";
        let shown = |bits: &str| {
            let design = Design::parse(&format!("{cell}@{bits}"), space, Precision::Fp32.into()).unwrap();
            (design.policy, design.quantization(space))
        };
        assert_eq!(shown("8,0,0,0,8,0"), (Precision::Int8.into(), "W8.0A8.0".into()));
        // 5 x (256 + 1024 + 4096) x 10 weights of 2 bits; of 8 bits 432 of the stem, 4608 + 9216 + 512 and four times that between
        // the stages, 640 of the classifier.
        assert_eq!(shown("2,0,0,0,2,0").1, "W3.3A8.0");
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
