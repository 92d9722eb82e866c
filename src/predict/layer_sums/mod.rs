//! Devices whose values are sums over layers that were each timed alone, as tables of layers and simulators give them: what a layer
//! takes is learned by itself, which is exact where the sum is.
//!
//! Where no more different layers occur than there are networks to learn from, each has a price of its own, whatever it follows from.
//! Else layers of one [`Group`] differ in their channels, and take a constant and so much for each of their MACs. All prices are learned
//! together, by least squares over whole networks, `y = c + sum_g (a_g layers_g + b_g macs_g)`, relative errors weighing equally.
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

/// Most groups that are told apart, and most layers that have a price each.
const MAX_GROUPS: usize = 1_000;
const MAX_LAYERS: usize = 2 * MAX_GROUPS;
/// The sums take the place of the towers where their error is below this share of the towers'.
const CLEARLY_BETTER: f64 = 0.5;
/// Ridge relative to the scale of each column: prices that the networks do not tell apart are shared evenly.
const RIDGE: f64 = 1e-6;
/// Sums are held to this share of what the profile says, at least: prices may be negative where few layers tell of them.
const LEAST: f64 = 0.05;

/// What layers have in common that differ in their channels alone; with the channels, what makes them equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Group {
    /// The kind of operation: convolutions that are dense, depthwise and grouped, fully connected layers, pooling, all else.
    kind: u8,
    kernel: u32,
    /// Width and height read, and written.
    read: (u32, u32),
    written: (u32, u32),
    /// Bits of weights and activations; 0 where the layer says none.
    bits: (u8, u8),
    /// Channels in and out, where layers that differ in them are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channels: Option<(u32, u32)>,
}

/// Whether layers that differ in their channels are of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channels {
    Alike,
    Apart,
}

impl Channels {
    /// As in these groups.
    fn of(groups: &[Group]) -> Channels {
        if groups.iter().any(|group| group.channels.is_some()) {
            Channels::Apart
        } else {
            Channels::Alike
        }
    }

    /// Prices of a group: of a layer, and of a MAC unless that is the same.
    fn prices(self) -> usize {
        match self {
            Channels::Alike => 2,
            Channels::Apart => 1,
        }
    }
}

impl Group {
    fn of(layer: &Layer, channels: Channels) -> Group {
        let kind = match layer.operation {
            Operation::Convolution(_) if layer.is_depthwise() => 1,
            Operation::Convolution(_) if layer.groups() > 1 => 2,
            Operation::Convolution(_) => 0,
            Operation::Linear => 3,
            Operation::Pooling(_) | Operation::GlobalPooling => 4,
            _ => 5,
        };
        Group {
            kind,
            kernel: layer.kernel(),
            read: (layer.input.width, layer.input.height),
            written: (layer.output.width, layer.output.height),
            bits: layer.bits.map_or((0, 0), |bits| (bits.weights, bits.activations)),
            channels: (channels == Channels::Apart).then_some((layer.input.channels, layer.output.channels)),
        }
    }
}

/// Layers and MACs of each group in a network.
type Amounts = BTreeMap<Group, [f64; 2]>;

fn amounts((space, encoder): (&dyn SearchSpace, &Encoder), architecture: &Architecture, channels: Channels) -> Amounts {
    let network = space.lower_as_written(architecture, encoder.input_size(), encoder.classes);
    let mut amounts = Amounts::new();
    for layer in network.layers() {
        let [layers, macs] = amounts.entry(Group::of(layer, channels)).or_default();
        *layers += 1.0;
        // Of layers without MACs, what they write.
        *macs += match layer.macs() {
            0 => layer.output.elements() as f64,
            macs => macs as f64,
        };
    }
    amounts
}

/// What the layers of one device take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Device {
    /// The row of the towers' outputs that it stands for.
    output: usize,
    /// `[2 groups + 1]`: for each group what a layer and what a MAC takes, in ms or mJ; last what every network takes. Where channels are
    /// told apart `[groups + 1]`, without those of MACs.
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
        let most_layers = MAX_LAYERS.min(summed.split.training.len());
        let grouped = summed.grouped(Channels::Apart, most_layers);
        let Some((groups, rows)) = grouped.or_else(|| summed.grouped(Channels::Alike, MAX_GROUPS)) else {
            return LayerSums::default();
        };
        let columns: Vec<Vec<f64>> = rows.par_iter().map(|row| column(row, &groups)).collect();
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
        LayerSums { groups, devices }
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

    /// Puts the sums in the place of the towers' outputs, `[outputs, architectures]`, for the devices that they explain.
    pub(super) fn replace(
        &self,
        lowered_by: (&dyn SearchSpace, &Encoder),
        architectures: &[Architecture],
        counts: &DMatrix<f32>,
        outputs: &mut DMatrix<f32>,
    ) {
        if self.devices.is_empty() {
            return;
        }
        let channels = Channels::of(&self.groups);
        let residuals: Vec<Vec<f32>> = (architectures.par_iter().enumerate())
            .map(|(place, architecture)| {
                let column = column(&amounts(lowered_by, architecture, channels), &self.groups);
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
        let channels = Channels::of(&self.groups);
        let sound = |device: &Device| {
            let [batch, offset, scale] = [device.batch, device.offset, device.scale];
            device.output < outputs
                && device.prices.len() == channels.prices() * self.groups.len() + 1
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
        let fit = match channels {
            Channels::Alike => self.groups.len() <= MAX_GROUPS,
            Channels::Apart => {
                self.groups.len() <= MAX_LAYERS && self.groups.iter().all(|group| group.channels.is_some())
            }
        };
        fit && self.groups.is_sorted() && self.devices.iter().all(sound)
    }
}

/// Layers, and MACs where they have a price, in the order of the groups, then one. Groups that are not listed have no price.
fn column(amounts: &Amounts, groups: &[Group]) -> Vec<f64> {
    let prices = Channels::of(groups).prices();
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
    /// All groups in order, and what there is of each in every network; `None` for more than `most` groups.
    fn grouped(&self, channels: Channels, most: usize) -> Option<(Vec<Group>, Vec<Amounts>)> {
        let rows: Vec<Amounts> = (self.architectures.par_iter())
            .map(|one| amounts(self.lowered_by, one, channels))
            .collect();
        let groups: BTreeSet<Group> = rows.iter().flat_map(|row| row.keys().copied()).collect();
        (groups.len() <= most).then(|| (groups.into_iter().collect(), rows))
    }

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
