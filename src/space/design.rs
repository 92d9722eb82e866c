//! What is built, measured, predicted and proposed: an architecture and how its numbers are stored.

use super::{Architecture, Precision, QuantPolicy, SearchSpace};
use crate::error::Result;

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
    /// An architecture with a policy.
    pub fn new(architecture: Architecture, policy: QuantPolicy) -> Design {
        Design { architecture, policy }
    }

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
    ///
    /// [`Error::Invalid`]: crate::error::Error::Invalid
    /// [`Error::Unknown`]: crate::error::Error::Unknown
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
            let mut policies = vec![QuantPolicy::from(Precision::Int8)];
            if !space.has_bits() {
                policies.extend(Precision::ALL.map(QuantPolicy::from));
                policies.push("int8-except-depthwise-first".parse().unwrap());
            }
            for policy in policies {
                let design = Design::new(space.sample(&mut rng), policy);
                let text = design.print(space);
                assert!(space.has_bits() || text.ends_with(&policy.to_string()), "{text}");
                assert_eq!(Design::parse(&text, space, Precision::Fp32.into()).unwrap(), design);
                let as_shown = format!("{}@{}", space.print(&design.architecture), design.quantization(space));
                assert_eq!(Design::parse(&as_shown, space, Precision::Fp32.into()).unwrap(), design);
                // Without a policy it is the default's.
                let architecture = space.print(&design.architecture);
                assert_eq!(Design::parse(&architecture, space, policy).unwrap(), design);
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
}
