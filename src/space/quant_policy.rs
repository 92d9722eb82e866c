//! Which precision does every layer have, where genes do not say it?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Precision;
use crate::error::{Error, Result};

/// Before the groups of layers that stay in floating point, where a policy is written.
const EXCEPT: &str = "int8-except-";

/// Which precision every layer's weights and activations have.
///
/// ```
/// use edgefit::space::{Precision, QuantPolicy};
///
/// let policy: QuantPolicy = "int8-except-depthwise-last".parse()?;
/// assert_eq!(policy.arithmetic(), Precision::Int8);
/// assert_eq!(policy.to_string(), "int8-except-depthwise-last");
/// # Ok::<(), edgefit::error::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum QuantPolicy {
    /// The same precision everywhere.
    Uniform(Precision),
    /// 8-bit integers, with groups of layers in 32-bit floating point, as tools for deployment leave those out that lose most or gain
    /// least.
    Int8Except(FloatGroups),
}

/// A group of layers with weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FloatGroup {
    /// Depthwise convolutions.
    Depthwise,
    /// The first layer.
    First,
    /// The last layer.
    Last,
}

/// Groups of layers, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FloatGroups {
    /// For every group of [`FloatGroup::ALL`].
    has: [bool; FloatGroup::ALL.len()],
}

impl FloatGroup {
    /// Every group, in the order in which policies write them.
    pub const ALL: [FloatGroup; 3] = [FloatGroup::Depthwise, FloatGroup::First, FloatGroup::Last];

    /// The name in policies, such as `depthwise`.
    pub fn name(self) -> &'static str {
        match self {
            FloatGroup::Depthwise => "depthwise",
            FloatGroup::First => "first",
            FloatGroup::Last => "last",
        }
    }
}

impl FromStr for FloatGroup {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        FloatGroup::ALL
            .into_iter()
            .find(|group| group.name() == text)
            .ok_or_else(|| Error::Unknown {
                kind: "group of layers in floating point",
                name: text.chars().take(80).collect(),
                known: FloatGroup::ALL.map(|group| group.name().into()).to_vec(),
            })
    }
}

impl FloatGroups {
    /// These groups; `None` without any.
    pub fn of(groups: &[FloatGroup]) -> Option<FloatGroups> {
        (!groups.is_empty()).then(|| FloatGroups::with(groups))
    }

    fn with(groups: &[FloatGroup]) -> FloatGroups {
        FloatGroups {
            has: FloatGroup::ALL.map(|group| groups.contains(&group)),
        }
    }

    /// The groups, in the order of [`FloatGroup::ALL`].
    pub fn groups(self) -> impl Iterator<Item = FloatGroup> {
        FloatGroup::ALL
            .into_iter()
            .zip(self.has)
            .filter_map(|(group, has)| has.then_some(group))
    }
}

impl QuantPolicy {
    /// The precision that layers have that no group of it names: what the hardware has to have arithmetic for.
    pub fn arithmetic(self) -> Precision {
        match self {
            QuantPolicy::Uniform(precision) => precision,
            QuantPolicy::Int8Except(_) => Precision::Int8,
        }
    }

    /// A number of its own, below 2^16.
    pub(crate) fn number(self) -> u16 {
        match self {
            QuantPolicy::Uniform(precision) => precision as u16,
            QuantPolicy::Int8Except(groups) => groups
                .has
                .iter()
                .fold(1, |number, &has| 2 * number + u16::from(has))
                .saturating_mul(Precision::ALL.len() as u16),
        }
    }
}

impl From<Precision> for QuantPolicy {
    fn from(precision: Precision) -> Self {
        QuantPolicy::Uniform(precision)
    }
}

impl From<QuantPolicy> for String {
    fn from(policy: QuantPolicy) -> String {
        policy.to_string()
    }
}

impl TryFrom<String> for QuantPolicy {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl fmt::Display for QuantPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QuantPolicy::Uniform(precision) => precision.fmt(f),
            QuantPolicy::Int8Except(groups) => {
                let names: Vec<&str> = groups.groups().map(FloatGroup::name).collect();
                f.pad(&format!("{EXCEPT}{}", names.join("-")))
            }
        }
    }
}

impl FromStr for QuantPolicy {
    type Err = Error;

    /// Reads a precision, such as `int8`, or `int8-except-` with groups of layers, `depthwise`, `first` and `last`, separated by `-`.
    fn from_str(text: &str) -> Result<Self> {
        let Some(names) = text.strip_prefix(EXCEPT) else {
            return text.parse().map(QuantPolicy::Uniform);
        };
        // There is one at least, be it an empty name, which is refused.
        let groups = names.split('-').map(str::parse).collect::<Result<Vec<FloatGroup>>>()?;
        Ok(QuantPolicy::Int8Except(FloatGroups::with(&groups)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_read_back_as_they_were_printed() {
        let texts = [
            "fp32",
            "int4",
            "int8-except-depthwise",
            "int8-except-first",
            "int8-except-depthwise-first-last",
        ];
        let mut numbers = Vec::new();
        for text in texts {
            let policy: QuantPolicy = text.parse().unwrap();
            assert_eq!(policy.to_string(), text);
            assert_eq!(serde_json::to_string(&policy).unwrap(), format!("\"{text}\""));
            assert_eq!(
                serde_json::from_str::<QuantPolicy>(&format!("\"{text}\"")).unwrap(),
                policy
            );
            numbers.push(policy.number());
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), texts.len());
        let other_order: QuantPolicy = "int8-except-last-first-first".parse().unwrap();
        assert_eq!(other_order.to_string(), "int8-except-first-last");
        for wrong in [
            "int8-except-",
            "int8-except",
            "int8-except-widest",
            "fp16-except-first",
            "int8-except-first-",
            "",
        ] {
            assert!(wrong.parse::<QuantPolicy>().is_err(), "{wrong}");
        }
        let message = "int8-except-depthwsie".parse::<QuantPolicy>().unwrap_err().to_string();
        assert!(message.contains("did you mean `depthwise`?"), "{message}");
        assert_eq!(FloatGroups::of(&[]), None);
    }
}
