//! What accuracy towers read of an architecture.

use std::borrow::Cow;
use std::iter;

use nalgebra::DMatrix;

use super::teacher::{self, Teacher};
use crate::compute::ComputeDevice;
use crate::encode::PathEncoder;
use crate::space::{Architecture, SearchSpace};

/// Features of architectures, below them their paths and what the teachers say of them: `[features + paths + tasks of all teachers,
/// architectures]`.
pub(super) fn inputs<'a>(
    features: &'a DMatrix<f32>,
    (paths, teachers): (&PathEncoder, &[Teacher]),
    space: &dyn SearchSpace,
    architectures: &[Architecture],
    device: &ComputeDevice,
) -> Cow<'a, DMatrix<f32>> {
    let mut first = features.nrows();
    let more = paths.width() + teacher::tasks(teachers);
    if more == 0 {
        return Cow::Borrowed(features);
    }
    let mut whole = features.clone();
    whole.resize_vertically_mut(first + more, 0.0);
    let taught = teachers
        .iter()
        .map(|teacher| teacher.values(space, architectures, device));
    for block in iter::once(paths.encode(space, architectures)).chain(taught) {
        whole.rows_mut(first, block.nrows()).copy_from(&block);
        first += block.nrows();
    }
    Cow::Owned(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Backend;
    use crate::predict::teacher::TeacherTask;
    use crate::space::NasBench201;

    #[test]
    fn paths_and_teachers_stand_below_the_features() {
        let read = |text: &str| NasBench201.parse(text).unwrap();
        let direct = read("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|");
        let pooled = read("|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|");
        let paths = PathEncoder::fit(
            &NasBench201,
            &[vec![direct.clone(); 20], vec![pooled.clone(); 20]].concat(),
        );
        let task = |mean: f64| TeacherTask {
            name: "cifar10".into(),
            mean,
            deviation: 1.0,
        };
        let teacher = |percent: f32| Teacher {
            space: &NasBench201,
            tasks: vec![task(-2.0), task(-4.0)],
            towers: None,
            measured: [(direct.clone(), vec![percent; 2])].into(),
        };
        let device = Backend::Flex.device().unwrap();
        let features = DMatrix::from_element(3, 1, 7.0);
        let teachers = [teacher(50.0), teacher(99.5)];
        let architectures = [direct.clone()];
        let whole = inputs(&features, (&paths, &teachers), &NasBench201, &architectures, &device);
        // Half of the cells have either path: one deviation from the mean. -ln(50.5) = -3.9219733, and -ln(1) is 2 and 4 above.
        let expected = [7.0, 7.0, 7.0, 1.0, -1.0, -1.9219733, 0.0780267, 2.0, 4.0];
        assert_eq!(whole.shape(), (9, 1));
        for (found, expected) in whole.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{whole}");
        }
        let alone = inputs(
            &features,
            (&PathEncoder::default(), &[]),
            &NasBench201,
            &architectures,
            &device,
        );
        assert!(matches!(alone, Cow::Borrowed(_)));
    }
}
