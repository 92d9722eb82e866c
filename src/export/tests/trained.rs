//! Weights that were trained elsewhere.

use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, tensor::TensorView};

use super::*;
use crate::export::parameters::{is_normalized, learns, weight_dims};
use crate::space::{Architecture, FbNet, LayerNames, SearchSpace};

/// The tensors of a network with random weights, under the names of its space, with something before them.
fn named(space: &dyn SearchSpace, architecture: &Architecture, prefix: &str) -> Tensors {
    let network = space.lower(architecture, InputSize::square(32), 10);
    named_as(&network, space.layer_names(architecture), prefix)
}

/// The tensors of a network with random weights, under these names, with something before them.
pub(super) fn named_as(network: &Network, names: Vec<LayerNames>, prefix: &str) -> Tensors {
    let parameters = Weights::seeded(5).of(network).unwrap();
    let learned = network.nodes().zip(parameters).filter(|(node, _)| learns(node.layer));
    let names = names.into_iter().filter(|names| !names.dead);
    let mut tensors = Tensors::new();
    for ((node, parameters), names) in learned.zip(names) {
        let mut put = |module: &Option<String>, part: &str, dims: Vec<usize>, values: Vec<f32>| {
            let name = format!("{prefix}{}.{part}", module.as_ref().unwrap());
            tensors.insert(name, (dims, values));
        };
        let channels = vec![node.layer.output.channels as usize];
        let dims = weight_dims(node.layer);
        if !dims.is_empty() {
            put(&names.weights, "weight", dims, parameters.weight);
        }
        if let Some(bias) = parameters.bias {
            put(&names.weights, "bias", channels.clone(), bias);
        }
        assert_eq!(parameters.normalization.is_some(), is_normalized(node.layer));
        if let Some(normalization) = parameters.normalization {
            let module = &names.normalization;
            put(module, "weight", channels.clone(), normalization.scale);
            put(module, "bias", channels.clone(), normalization.shift);
            put(module, "running_mean", channels.clone(), normalization.mean);
            put(module, "running_var", channels, normalization.variance);
        }
    }
    tensors
}

/// Shape and elements by name.
pub(super) type Tensors = HashMap<String, (Vec<usize>, Vec<f32>)>;

pub(super) fn write(path: &Path, tensors: &Tensors) {
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (dims, values))| {
            (
                name,
                dims,
                values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            )
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, dims, bytes)| (*name, TensorView::new(Dtype::F32, (*dims).clone(), bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn weights_read_back_from_a_file_give_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let mut rng = Seed(2).stream("designs");
    for (space, prefix) in all().into_iter().zip(["", "state_dict.module."].into_iter().cycle()) {
        let architecture = space.sample(&mut rng);
        let network = space.lower(&architecture, InputSize::square(32), 10);
        write(&path, &named(space, &architecture, prefix));
        let weights = Weights::read(&path, space, &architecture, &network).unwrap();
        assert!(weights.unused().is_empty() && !weights.are_random());
        let mut expected = Weights::seeded(5).of(&network).unwrap();
        let normalized = expected
            .iter_mut()
            .filter_map(|parameters| parameters.normalization.as_mut());
        normalized.for_each(|normalization| normalization.epsilon = space.normalization_epsilon());
        assert!(weights.of(&network).unwrap() == expected, "{}", space.id());
    }
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let space = by_id("nasbench201").unwrap();
    let cell = space
        .parse("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|")
        .unwrap();
    let network = space.lower(&cell, InputSize::square(32), 10);
    let read = |tensors: &Tensors| {
        write(&path, tensors);
        Weights::read(&path, space, &cell, &network)
    };
    let good = named(space, &cell, "");
    let failure = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = good.clone();
        change(&mut tensors);
        read(&tensors).unwrap_err().to_string()
    };
    let missing = failure(&|tensors| {
        tensors.remove("cells.3.layers.0.op.2.running_mean");
    });
    assert!(missing.contains("cells.3.layers.0.op.2.running_mean"), "{missing}");
    let misshaped = failure(&|tensors| {
        tensors.insert("classifier.weight".into(), (vec![100, 64], vec![0.0; 6400]));
    });
    assert!(
        misshaped.contains("classifier.weight") && misshaped.contains("[10, 64]") && misshaped.contains("[100, 64]")
    );
    let not_a_number = failure(&|tensors| tensors.get_mut("stem.0.weight").unwrap().1[7] = f32::NAN);
    assert!(
        not_a_number.contains("stem.0.weight") && not_a_number.contains("NaN"),
        "{not_a_number}"
    );
    let negative = failure(&|tensors| tensors.get_mut("stem.1.running_var").unwrap().1[0] = -1.0);
    assert!(negative.contains("stem.1.running_var"), "{negative}");
    // A layer too many: another architecture was trained.
    let other = failure(&|tensors| {
        tensors.insert("cells.0.layers.5.op.1.weight".into(), (vec![1], vec![1.0]));
    });
    assert!(other.contains("cells.0.layers.5.op.1.weight"), "{other}");
    // What nothing asks for is reported; counters of normalisation are expected.
    let mut more = good.clone();
    more.insert("stem.1.num_batches_tracked".into(), (vec![], vec![1.0]));
    more.insert("auxiliary.weight".into(), (vec![1], vec![1.0]));
    assert_eq!(read(&more).unwrap().unused(), ["auxiliary.weight"]);
}

#[test]
fn what_holds_no_tensors_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pt");
    let architecture = FbNet.sample(&mut Seed(0).stream("one"));
    let network = FbNet.lower(&architecture, InputSize::square(32), 10);
    // A pickle that would run a program: os.system('true').
    let program = b"\x80\x02cos\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.".as_slice();
    for bytes in [
        b"".as_slice(),
        b"not tensors at all",
        b"\xff\x00\x00\x00\x00\x00\x00\x00{",
        program,
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = Weights::read(&path, &FbNet, &architecture, &network).unwrap_err();
        assert!(
            error.to_string().contains("weights.pt") && error.exit_code() == 1,
            "{error}"
        );
    }
    assert!(Weights::read(folder.path(), &FbNet, &architecture, &network).is_err());
}

#[test]
fn weights_of_another_network_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let space = by_id("nasbench201").unwrap();
    let mut rng = Seed(3).stream("cells");
    let [one, other] = [(); 2].map(|()| space.sample(&mut rng));
    write(&path, &named(space, &one, ""));
    let lower = |cell| space.lower(cell, InputSize::square(32), 10);
    let weights = Weights::read(&path, space, &one, &lower(&one)).unwrap();
    assert!(onnx(&lower(&other), Precision::Fp32.into(), &weights).is_err());
}
