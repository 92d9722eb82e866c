//! Training-free scores of FBNet networks (zero-cost proxies), published with NASFLAT (Akhauri and Abdelfattah, *On Latency
//! Predictors for Neural Architecture Search*, MLSys 2024, <https://github.com/abdelfattah-lab/nasflat_latency>).
//!
//! No accuracies of FBNet networks are public, so that they are ranked by these. The score is the mean of two ranks: by `synflow`
//! (Tanaka et al., *Pruning neural networks without any data by iteratively conserving synaptic flow*, NeurIPS 2020), which looks at
//! weights, and by `nwot` (Mellor et al., *Neural Architecture Search without Training*, ICML 2021), which looks at activations. Of
//! the rest, `zen` ranks as `synflow` does (0.93), `snip`, `grad_norm` and `fisher` are gradients of one batch, and `jacov`, the third
//! of the usual vote, `epe_nas`, `plain` and `grasp` go with nothing else that is known of a network, not even its size: noise.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{Imported, Importer, locate, only_spaces, read_json};
use crate::dataset::build::Builder;
use crate::dataset::{AccuracyRow, Manifest, Origin, PROXY_SCORE, Source};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::space::{Precision, SearchSpace};
use crate::stats;

const FILE: &str = "zc_fbnet.json";

/// What the file says of a network. It holds more.
#[derive(Deserialize)]
struct Proxies {
    synflow: f64,
    nwot: f64,
}

/// `fbnet_zcp/zc_fbnet.json`.
pub(super) struct ZeroCostProxies;

impl Importer for ZeroCostProxies {
    fn name(&self) -> &'static str {
        "zero-cost-proxies"
    }

    fn reads(&self) -> &'static str {
        "zc_fbnet.json of abdelfattah-lab/nasflat_latency or its folder: training-free scores of fbnet, which are no accuracies"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, _progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["fbnet"], space)?;
        let file = if path.is_file() {
            path.to_path_buf()
        } else {
            locate(path, &["fbnet_zcp", "."], FILE)?.join(FILE)
        };
        let expected = "an object from architectures, as in 2_8_6_3_..., to objects with synflow and nwot";
        let networks: BTreeMap<String, Proxies> = read_json(&file, expected)?;
        let mut builder = Builder::new(space);
        let task = builder.task(PROXY_SCORE)?;
        for (text, score) in networks.keys().zip(percentiles(&networks)) {
            let architecture = space.parse(&text.replace('_', ",")).map_err(|error| Error::Malformed {
                path: file.clone(),
                line: None,
                column: Some(format!("`{text}`")),
                expected: "22 indices joined by `_`".into(),
                found: error.to_string().trim_end_matches('.').into(),
                hint: "Get the file again from a clone of nasflat_latency.".into(),
            })?;
            let architecture = builder.parsed_architecture(architecture);
            builder.accuracy(AccuracyRow {
                task,
                architecture,
                precision: Precision::Fp32.into(),
                accuracy_percent: score,
                origin: Origin::Proxy,
            });
        }
        let note = format!(
            "task {PROXY_SCORE}: percentile ranks of the mean rank by synflow and nwot, from untrained networks; no accuracies, and no \
             estimates of any"
        );
        Ok(Imported {
            manifest: manifest(space),
            dataset: builder.finish(),
            notes: vec![note],
        })
    }
}

/// The percentile rank, between 0 and 100, of every network's mean rank by both proxies; ties share their mean.
fn percentiles(networks: &BTreeMap<String, Proxies>) -> Vec<f64> {
    let ranked = |of: fn(&Proxies) -> f64| stats::average_ranks(&networks.values().map(of).collect::<Vec<f64>>());
    let (synflow, nwot) = (ranked(|proxies| proxies.synflow), ranked(|proxies| proxies.nwot));
    let sums: Vec<f64> = synflow.iter().zip(&nwot).map(|(one, other)| one + other).collect();
    let share = |rank: f64| 100.0 * (rank - 0.5) / networks.len() as f64;
    stats::average_ranks(&sums).into_iter().map(share).collect()
}

fn manifest(space: &dyn SearchSpace) -> Manifest {
    let note = "No accuracy: the percentile rank among the networks of the file, from 0 to 100, of the mean rank by two training-free \
                scores, synflow and nwot, of untrained networks for CIFAR-100.";
    Manifest {
        space: space.id().into(),
        description: "Training-free scores of FBNet networks.".into(),
        tasks: [(PROXY_SCORE.into(), note.into())].into(),
        sources: vec![Source {
            name: "NASFLAT".into(),
            url: "https://github.com/abdelfattah-lab/nasflat_latency".into(),
            licence: String::new(),
            measured: "Zero-cost proxies of untrained FBNet networks, by the authors of NASFLAT.".into(),
        }],
        ..Manifest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranks by synflow 1, 2, 3, 4 and by nwot 2, 4, 1, 3: sums 3, 6, 4, 7, so ranks 1, 3, 2, 4.
    #[test]
    fn percentiles_by_hand() {
        let proxies = [
            ("a", 1e24, 205.0),
            ("b", 1e25, 220.0),
            ("c", 1e30, 200.0),
            ("d", 1e38, 210.0),
        ];
        let networks = proxies.map(|(name, synflow, nwot)| (name.to_string(), Proxies { synflow, nwot }));
        assert_eq!(percentiles(&networks.into()), [12.5, 62.5, 37.5, 87.5]);
        let same = ["a", "b"].map(|name| {
            (
                name.to_string(),
                Proxies {
                    synflow: 1.0,
                    nwot: 1.0,
                },
            )
        });
        assert_eq!(percentiles(&same.into()), [50.0, 50.0]);
    }
}
