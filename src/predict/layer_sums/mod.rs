//! Devices whose values are sums over layers that were each timed alone, as tables of layers and simulators give them: what a layer
//! takes is learned by itself, which is exact where the sum is.
//!
//! Layers of one [`Group`] differ in their channels, and take a constant and so much for each of their MACs. All prices are learned
//! together, by least squares over whole networks, `y = c + sum_g (a_g layers_g + b_g macs_g)`, relative errors weighing equally.
//! Where genes say bits and the same few layers come back at others, they have prices of their own, see [`Detail`].
//! Where that predicts validation architectures clearly better than the towers do, it takes the towers' place.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use nalgebra::{Cholesky, DMatrix, DVector};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::prior::KnownDevice;
use super::train::Split;
use crate::encode::Encoder;
use crate::profile::{Coordinates, Priced};
use crate::space::{Architecture, Layer, Operation, SearchSpace};

/// Most prices.
const MAX_PRICES: usize = 2_000;
/// The sums take the place of the towers where their error is below this share of the towers'.
const CLEARLY_BETTER: f64 = 0.5;
/// Ridge relative to the scale of each column: prices that the networks do not tell apart are shared evenly.
const RIDGE: f64 = 1e-6;
/// Sums are held to this share of what the profile says, at least: prices may be negative where few layers tell of them.
const LEAST: f64 = 0.05;

/// How closely layers are told apart, finest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Detail {
    /// Equal layers at equal bits are a group, with a price for a layer: exact, whatever it follows from.
    Layers,
    /// Equal layers at whatever bits are a group, with prices for a layer, a bit of weights, a bit of activations, and the product of
    /// both: what moves data takes time in proportion to bits, what computes bit by bit to the product.
    Bits,
    /// Layers that differ in their channels alone are a group, with prices for a layer and a MAC.
    #[default]
    Groups,
}

/// Amounts of what a group has prices for, padded with zeros.
type Amount = [f64; 4];

impl Detail {
    /// Number of prices of a group.
    fn prices(self) -> usize {
        match self {
            Detail::Layers => 1,
            Detail::Bits => 4,
            Detail::Groups => 2,
        }
    }

    /// What there is of a layer's group in it.
    fn amount(self, layer: &Layer) -> Amount {
        match self {
            Detail::Layers => [1.0, 0.0, 0.0, 0.0],
            Detail::Bits => {
                let bits = layer.bits.map(|bits| [bits.weights, bits.activations].map(f64::from));
                let [weights, activations] = bits.unwrap_or_default();
                [1.0, weights, activations, weights * activations]
            }
            // Of layers without MACs, what they write.
            Detail::Groups => match layer.macs() {
                0 => [1.0, layer.output.elements() as f64, 0.0, 0.0],
                macs => [1.0, macs as f64, 0.0, 0.0],
            },
        }
    }

    /// The finest whose groups the networks can tell prices of, with the groups in order and what there is of each in every network.
    fn finest(summed: &Summed) -> Option<(Detail, Vec<Group>, Vec<Amounts>)> {
        let has_bits = summed.lowered_by.0.has_bits();
        let finer = [Detail::Layers, Detail::Bits].into_iter().filter(|_| has_bits);
        finer.chain([Detail::Groups]).find_map(|detail| {
            let rows: Vec<Amounts> = (summed.architectures.par_iter())
                .map(|one| amounts(summed.lowered_by, one, detail))
                .collect();
            let groups: BTreeSet<Group> = rows.iter().flat_map(|row| row.keys().copied()).collect();
            let told = detail == Detail::Groups || groups.len() <= summed.split.training.len();
            let few = detail.prices() * groups.len() <= MAX_PRICES;
            (told && few).then(|| (detail, groups.into_iter().collect(), rows))
        })
    }
}

/// What layers have in common that have the same prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Group {
    /// The kind of operation: convolutions that are dense, depthwise and grouped, fully connected layers, pooling, all else.
    kind: u8,
    kernel: u32,
    /// Width and height read, and written.
    read: (u32, u32),
    written: (u32, u32),
    /// Bits of weights and activations; 0 where the layer says none, and where there are prices for bits.
    bits: (u8, u8),
    /// Channels in and out; 0 where layers that differ in them are not told apart.
    #[serde(default)]
    channels: (u32, u32),
}

impl Group {
    fn of(layer: &Layer, detail: Detail) -> Group {
        let kind = match layer.operation {
            Operation::Convolution(_) if layer.is_depthwise() => 1,
            Operation::Convolution(_) if layer.groups() > 1 => 2,
            Operation::Convolution(_) => 0,
            Operation::Linear => 3,
            Operation::Pooling(_) | Operation::GlobalPooling => 4,
            _ => 5,
        };
        let bits = layer.bits.filter(|_| detail != Detail::Bits);
        Group {
            kind,
            kernel: layer.kernel(),
            read: (layer.input.width, layer.input.height),
            written: (layer.output.width, layer.output.height),
            bits: bits.map_or((0, 0), |bits| (bits.weights, bits.activations)),
            channels: match detail {
                Detail::Layers | Detail::Bits => (layer.input.channels, layer.output.channels),
                Detail::Groups => (0, 0),
            },
        }
    }
}

/// What there is of each group in a network.
type Amounts = BTreeMap<Group, Amount>;

fn amounts((space, encoder): (&dyn SearchSpace, &Encoder), architecture: &Architecture, detail: Detail) -> Amounts {
    let network = space.lower_as_written(architecture, encoder.learned_input(), encoder.classes);
    let mut amounts = Amounts::new();
    for layer in network.layers() {
        let sums = amounts.entry(Group::of(layer, detail)).or_default();
        for (sum, amount) in sums.iter_mut().zip(detail.amount(layer)) {
            *sum += amount;
        }
    }
    amounts
}

/// What the layers of one device take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Device {
    /// The row of the towers' outputs that it stands for.
    output: usize,
    /// `[prices of a group x groups + 1]`, in ms or mJ: those of each group, last what every network takes.
    prices: Vec<f64>,
    /// What the residual is beyond.
    profile: Coordinates,
    batch: f64,
    offset: f64,
    scale: f64,
}

/// Prices of layers, for the devices whose values they explain best.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LayerSums {
    #[serde(default)]
    detail: Detail,
    groups: Vec<Group>,
    devices: Vec<Device>,
}

/// What the prices are learned from: networks one column each.
pub(super) struct Summed<'a> {
    pub(super) lowered_by: (&'a dyn SearchSpace, &'a Encoder),
    pub(super) architectures: &'a [Architecture],
    /// `[COUNTS, architectures]`.
    pub(super) counts: &'a DMatrix<f32>,
    /// Logarithms of what was measured, `[outputs, architectures]`, NaN where nothing was.
    pub(super) logs: &'a DMatrix<f64>,
    /// Standardised residuals as the towers predict them, `[outputs, architectures]`.
    pub(super) towers: &'a DMatrix<f32>,
    /// Architectures that are learned from, and those that decide.
    pub(super) split: &'a Split,
}

impl LayerSums {
    /// Learns prices for every known device, in the order of the towers' outputs, and keeps those that explain validation
    /// architectures clearly better than the towers.
    pub(super) fn fit<'a>(summed: &Summed, known: impl Iterator<Item = &'a KnownDevice>) -> LayerSums {
        let Some((detail, groups, rows)) = Detail::finest(summed) else {
            return LayerSums::default();
        };
        let columns: Vec<Vec<f64>> = rows.par_iter().map(|row| column(row, &groups, detail)).collect();
        let fitted = known.enumerate().filter_map(|(output, device)| {
            let device = summed.device(output, device, &columns)?;
            let wrong = |predicted: &dyn Fn(usize) -> f64| {
                let measured = summed
                    .split
                    .validation
                    .iter()
                    .filter(|&&place| !summed.logs[(output, place)].is_nan());
                let errors: Vec<f64> = measured
                    .map(|&place| (summed.residual(&device, place) - predicted(place)).abs())
                    .collect();
                crate::stats::quantile(&errors, 0.5)
            };
            let by_sum = wrong(&|place| device.residual(&columns[place], summed.priced(&device, place)))?;
            let by_towers = wrong(&|place| f64::from(summed.towers[(output, place)]))?;
            (by_sum < CLEARLY_BETTER * by_towers).then_some(device)
        });
        let devices: Vec<Device> = fitted.collect();
        if devices.is_empty() {
            return LayerSums::default();
        }
        LayerSums {
            detail,
            groups,
            devices,
        }
    }

    /// As [`LayerSums::fit`], with the outputs of the towers in which the sums have taken their place.
    pub(super) fn learned<'a>(
        summed: &Summed,
        known: impl Iterator<Item = &'a KnownDevice>,
    ) -> (LayerSums, DMatrix<f32>) {
        let sums = LayerSums::fit(summed, known);
        let mut outputs = summed.towers.clone();
        sums.replace(summed.lowered_by, summed.architectures, summed.counts, &mut outputs);
        (sums, outputs)
    }

    /// Puts the sums in the place of the towers' outputs, `[outputs, architectures]`, for the devices that they explain. Like the towers
    /// they are of the input size that was learned from, whichever one networks run at.
    pub(super) fn replace(
        &self,
        lowered_by @ (space, encoder): (&dyn SearchSpace, &Encoder),
        architectures: &[Architecture],
        counts: &DMatrix<f32>,
        outputs: &mut DMatrix<f32>,
    ) {
        if self.devices.is_empty() {
            return;
        }
        let elsewhere = encoder.input_size() != encoder.learned_input();
        let learned = elsewhere.then(|| {
            let encoder = encoder.at_input(encoder.learned_input());
            encoder.encode_and_count(space, architectures).1
        });
        let counts = learned.as_ref().unwrap_or(counts);
        let residuals: Vec<Vec<f32>> = (architectures.par_iter().enumerate())
            .map(|(place, architecture)| {
                let column = column(
                    &amounts(lowered_by, architecture, self.detail),
                    &self.groups,
                    self.detail,
                );
                let counts: Vec<f64> = counts.column(place).iter().map(|&count| count.into()).collect();
                let residual = |device: &Device| device.residual(&column, device.priced().log(&counts)) as f32;
                self.devices.iter().map(residual).collect()
            })
            .collect();
        for (place, residuals) in residuals.into_iter().enumerate() {
            for (device, residual) in self.devices.iter().zip(residuals) {
                outputs[(device.output, place)] = residual;
            }
        }
    }

    /// Whether what was read from a file fits so many outputs.
    pub(super) fn is_sound(&self, outputs: usize) -> bool {
        let prices = self.detail.prices() * self.groups.len();
        let sound = |device: &Device| {
            let [batch, offset, scale] = [device.batch, device.offset, device.scale];
            device.output < outputs
                && device.prices.len() == prices + 1
                && device
                    .prices
                    .iter()
                    .chain(device.profile.iter())
                    .all(|value| value.is_finite())
                && batch.is_finite()
                && offset.is_finite()
                && scale.is_finite()
                && scale > 0.0
        };
        prices <= MAX_PRICES && self.groups.is_sorted() && self.devices.iter().all(sound)
    }
}

/// Amounts in the order of the groups, then one. Groups that are not listed have no price.
fn column(amounts: &Amounts, groups: &[Group], detail: Detail) -> Vec<f64> {
    let prices = detail.prices();
    let mut column = vec![0.0; prices * groups.len() + 1];
    for (group, amounts) in amounts {
        if let Ok(position) = groups.binary_search(group) {
            column[prices * position..][..prices].copy_from_slice(&amounts[..prices]);
        }
    }
    column[prices * groups.len()] = 1.0;
    column
}

impl Summed<'_> {
    /// Prices of the layers of one device; `None` where it has too few values.
    fn device(&self, output: usize, known: &KnownDevice, columns: &[Vec<f64>]) -> Option<Device> {
        let measured = |place: &&usize| !self.logs[(output, **place)].is_nan();
        let places: Vec<usize> = self.split.training.iter().filter(measured).copied().collect();
        let width = columns.first()?.len();
        let values: Vec<f64> = places.iter().map(|&place| self.logs[(output, place)].exp()).collect();
        // Each row divided by its value, so that what is left is relative.
        let mut rows = DMatrix::from_fn(places.len(), width, |row, index| {
            columns[places[row]][index] / values[row]
        });
        let scales: Vec<f64> = rows
            .column_iter()
            .map(|column| column.norm().max(f64::MIN_POSITIVE))
            .collect();
        for (mut column, scale) in rows.column_iter_mut().zip(&scales) {
            column /= *scale;
        }
        let mut normal = rows.tr_mul(&rows);
        for index in 0..width {
            normal[(index, index)] += RIDGE;
        }
        let ones = DVector::from_element(places.len(), 1.0);
        let solved = Cholesky::new(normal)?.solve(&rows.tr_mul(&ones));
        Some(Device {
            output,
            prices: solved.iter().zip(&scales).map(|(price, scale)| price / scale).collect(),
            profile: known.profile,
            batch: known.setting().batch,
            offset: known.offset,
            scale: known.scale,
        })
    }

    /// Logarithm of what the profile says of a network.
    fn priced(&self, device: &Device, place: usize) -> f64 {
        let counts: Vec<f64> = self.counts.column(place).iter().map(|&count| count.into()).collect();
        device.priced().log(&counts)
    }

    /// Standardised residual of what was measured.
    fn residual(&self, device: &Device, place: usize) -> f64 {
        (self.logs[(device.output, place)] - self.priced(device, place) - device.offset) / device.scale
    }
}

impl Device {
    fn priced(&self) -> Priced {
        Priced::new(&self.profile, &crate::profile::Setting { batch: self.batch })
    }

    /// Standardised residual of the sum, beyond the logarithm that the profile gives.
    fn residual(&self, column: &[f64], priced: f64) -> f64 {
        let sum: f64 = self
            .prices
            .iter()
            .zip(column)
            .map(|(price, amount)| price * amount)
            .sum();
        let by_profile = (priced + self.offset).exp();
        (sum.max(LEAST * by_profile).ln() - priced - self.offset) / self.scale
    }
}
