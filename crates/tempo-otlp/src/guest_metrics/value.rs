//! Values of a series, and how they are combined. Numbers are always finite: inputs are (see `parse`), and sums
//! saturate.

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(Number),
    Histogram(Histogram),
}

/// A number of either type of the protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Double(f64),
}

/// A histogram.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// One more than the number of bounds.
    pub(crate) buckets: Box<[u64]>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

impl Value {
    /// Adds `more`, which has the same kind.
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
    /// An integer sum that overflows becomes a float, rather than saturate or wrap.
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

/// Returns the sum, saturated.
fn finite(one: f64, other: f64) -> f64 {
    (one + other).clamp(f64::MIN, f64::MAX)
}

impl Histogram {
    /// Counts saturate.
    fn add(&mut self, more: &Self) {
        self.count = self.count.saturating_add(more.count);
        self.sum = finite(self.sum, more.sum);
        for (sum, more) in self.buckets.iter_mut().zip(&more.buckets) {
            *sum = sum.saturating_add(*more);
        }
        // Min and max are optional per point; those present are merged.
        self.min = self.min.into_iter().chain(more.min).reduce(f64::min);
        self.max = self.max.into_iter().chain(more.max).reduce(f64::max);
    }
}
