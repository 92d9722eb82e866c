//! The order in which training goes over its columns.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// The columns in random order, again and again until there are enough for so many steps; one pass at least.
pub(super) fn passes(columns: &[usize], steps: usize, batch: usize, rng: &mut StdRng) -> Vec<usize> {
    let mut order = Vec::new();
    while !columns.is_empty() && order.len().div_ceil(batch) < steps {
        let first = order.len();
        order.extend_from_slice(columns);
        order[first..].shuffle(rng);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::super::TrainingConfig;
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn few_columns_are_gone_over_until_there_are_enough_steps() {
        let mut rng = Seed(0).stream("passes");
        // Three columns in batches of two are two steps; five steps take three passes.
        let config = |steps_per_epoch| TrainingConfig {
            batch: 2,
            steps_per_epoch,
            ..TrainingConfig::default()
        };
        assert_eq!([config(1).steps(3), config(5).steps(3)], [2, 5]);
        let sorted = |order: &[usize]| {
            let mut order = order.to_vec();
            order.sort_unstable();
            order
        };
        let one = passes(&[4, 5, 6], 2, 2, &mut rng);
        assert_eq!(sorted(&one), [4, 5, 6]);
        let many = passes(&[4, 5, 6], 5, 2, &mut rng);
        assert_eq!(many.len(), 9);
        assert!(many.chunks(3).all(|pass| sorted(pass) == [4, 5, 6]), "{many:?}");
        assert!(passes(&[], 5, 2, &mut rng).is_empty());
    }
}
