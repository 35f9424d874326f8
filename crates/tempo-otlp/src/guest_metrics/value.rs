//! What was measured in one series, and how two measurements become one. No number is ever NaN or infinite: the ones that
//! come are not (see `reading`), and sums stop at the largest number there is.

/// The state of a series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(Number),
    Histogram(Histogram),
}

/// A number of either kind that the protocol has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Double(f64),
}

/// How many measurements were within each bound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// One more than there are bounds.
    pub(crate) buckets: Box<[u64]>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

impl Value {
    /// Adds `more`, which is of the same kind.
    pub(crate) fn add(&mut self, more: &Self) {
        match (self, more) {
            (Self::Number(sum), Self::Number(more)) => *sum = sum.plus(*more),
            (Self::Histogram(sum), Self::Histogram(more)) => sum.add(more),
            // A metric has one kind.
            _ => {}
        }
    }
}

impl Number {
    /// A sum that is too large for a whole number goes on as one with a fraction, rather than stop or begin again.
    fn plus(self, more: Self) -> Self {
        match (self, more) {
            (Self::Int(one), Self::Int(other)) => {
                one.checked_add(other).map_or_else(|| Self::Double(one as f64 + other as f64), Self::Int)
            }
            (one, other) => Self::Double(finite(one.to_f64(), other.to_f64())),
        }
    }

    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Double(value) => value,
        }
    }
}

/// The sum, or the largest number on its side of zero.
fn finite(one: f64, other: f64) -> f64 {
    (one + other).clamp(f64::MIN, f64::MAX)
}

impl Histogram {
    /// Counts stop at the largest number.
    fn add(&mut self, more: &Self) {
        self.count = self.count.saturating_add(more.count);
        self.sum = finite(self.sum, more.sum);
        for (sum, more) in self.buckets.iter_mut().zip(&more.buckets) {
            *sum = sum.saturating_add(*more);
        }
        // Not every instance may tell them; what is told is true of all of them together.
        self.min = self.min.into_iter().chain(more.min).reduce(f64::min);
        self.max = self.max.into_iter().chain(more.max).reduce(f64::max);
    }
}
