//! Architectures as once-for-all's community writes them: dictionaries of kernels, expansions, depths and a resolution.

use std::collections::HashMap;

use super::{Value, listed, whole};

/// What a configuration lists, one number a block or stage.
const LISTS: [&str; 3] = ["ks", "e", "d"];
/// The edge of its images.
const RESOLUTION: &str = "r";

/// The configurations under `arch` in a dictionary, each as JSON: `{"ks":[...],"e":[...],"d":[...],"r":...}`. Whether they are
/// architectures of a space is not looked at.
pub(in super::super) struct Configurations(pub(in super::super) Vec<String>);

impl TryFrom<Value> for Configurations {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mut entries = entries(value)?;
        let list = entries.remove("arch").ok_or("no entry `arch`")?;
        listed(list, configuration).map(Configurations)
    }
}

fn configuration(value: Value) -> Result<String, String> {
    let mut entries = entries(value)?;
    let mut take = |name: &str| entries.remove(name).ok_or_else(|| format!("no entry `{name}`"));
    let mut parts = Vec::new();
    for name in LISTS {
        let numbers = listed(take(name)?, |item| whole(item, u8::MAX.into()));
        let numbers = numbers.map_err(|found| format!("{found} of `{name}`"))?;
        parts.push(format!("\"{name}\":{numbers:?}"));
    }
    let edge = whole(take(RESOLUTION)?, u16::MAX.into()).map_err(|found| format!("{found} as `{RESOLUTION}`"))?;
    parts.push(format!("\"{RESOLUTION}\":{edge}"));
    match entries.into_keys().min() {
        None => Ok(format!("{{{}}}", parts.join(","))),
        Some(unknown) => Err(format!("an entry `{}`", unknown.escape_debug())),
    }
}

/// A dictionary by its keys, each of which stands there once.
fn entries(value: Value) -> Result<HashMap<String, Value>, String> {
    let Value::Dictionary { items, .. } = value else {
        return Err(value.kind().into());
    };
    let mut items = items.into_iter();
    let mut entries = HashMap::new();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        let Value::Text(key) = key else {
            return Err(format!("{} as a key", key.kind()));
        };
        if entries.insert(key.clone(), value).is_some() {
            return Err(format!("two entries `{}`", key.escape_debug()));
        }
    }
    Ok(entries)
}
