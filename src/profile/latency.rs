//! The sum of a network's work, and how its logarithm follows the prices.

use super::{COORDINATES, COUNTS, Coordinates, KINDS, Setting};

/// Prices of all counts in one setting: the price of the kind, times the batch where it is due, times the share that is run.
#[derive(Debug, Clone, PartialEq)]
pub struct Priced {
    /// `[COUNTS]`.
    pub prices: Vec<f64>,
}

impl Priced {
    /// Of a profile in a setting.
    pub fn new(profile: &Coordinates, setting: &Setting) -> Priced {
        let factors = setting.factors();
        let shares: [f64; 3] = [0, 1, 2].map(|share| profile[KINDS + share].exp());
        let parts = [1.0, shares[0], shares[1], shares[2], shares[0] * shares[1]];
        let price = |kind: usize| profile[kind].exp() * factors[kind];
        Priced {
            prices: (parts.iter())
                .flat_map(|share| (0..KINDS).map(move |kind| share * price(kind)))
                .collect(),
        }
    }

    /// Logarithm of the sum over `counts`.
    pub fn log(&self, counts: &[f64]) -> f64 {
        let sum: f64 = self.prices.iter().zip(counts).map(|(price, count)| price * count).sum();
        sum.ln()
    }

    /// Logarithm of the sum over `counts`, and its derivatives by the coordinates of the profile: the share of each kind in the
    /// sum, and of what each share multiplies.
    pub fn log_and_gradient(&self, counts: &[f64]) -> (f64, [f64; COORDINATES]) {
        let mut gradient = [0.0; COORDINATES];
        let sum = gradient_of(&self.prices, counts, &mut gradient);
        (sum.ln(), gradient)
    }
}

/// Adds up `counts` at `prices`; `gradient` becomes that of the logarithm of the sum.
pub(crate) fn gradient_of<T>(prices: &[T], counts: &[T], gradient: &mut [T]) -> T
where
    T: Copy + Default + PartialEq + std::ops::AddAssign + std::ops::Mul<Output = T> + std::ops::DivAssign,
{
    debug_assert_eq!(
        (prices.len(), counts.len(), gradient.len()),
        (COUNTS, COUNTS, COORDINATES)
    );
    gradient.fill(T::default());
    let mut total = T::default();
    for (part, (prices, counts)) in prices.chunks_exact(KINDS).zip(counts.chunks_exact(KINDS)).enumerate() {
        let mut sum = T::default();
        for (kind, (&price, &count)) in prices.iter().zip(counts).enumerate() {
            let time = price * count;
            gradient[kind] += time;
            sum += time;
        }
        total += sum;
        match part {
            1 => gradient[KINDS] += sum,
            2 => gradient[KINDS + 1] += sum,
            3 => gradient[KINDS + 2] += sum,
            4 => {
                gradient[KINDS] += sum;
                gradient[KINDS + 1] += sum;
            }
            _ => {}
        }
    }
    for value in gradient {
        *value /= total;
    }
    total
}
