//! `Record`, an OTLP item that a sink receives, and its `Origin`.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

/// The three OpenTelemetry signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric data points.
    Metrics,
    /// Log records.
    Logs,
}

/// An item of the OpenTelemetry protocol (`opentelemetry.proto`, 1.x).
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// A finished span.
    Span(&'a Span),
    /// The points of one instrument of a guest.
    Metric(&'a Metric),
    /// A log record.
    Log(&'a LogRecord),
}

impl Record<'_> {
    /// Returns the signal of the item.
    pub const fn signal(&self) -> Signal {
        match self {
            Self::Span(_) => Signal::Traces,
            Self::Metric(_) => Signal::Metrics,
            Self::Log(_) => Signal::Logs,
        }
    }
}

/// The origin of a [`Record`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Origin<'a> {
    /// The attributes that the guest adds to the host's resource, often none; `None` for a record of the host.
    pub resource: Option<&'a Resource>,
    /// The instrumentation scope.
    pub scope: &'a InstrumentationScope,
    /// The schema URL of the scope, or the empty string.
    pub schema_url: &'a str,
}

impl<'a> Origin<'a> {
    /// Returns the origin of the host's records with `scope`.
    pub const fn host(scope: &'a InstrumentationScope) -> Self {
        Self { resource: None, scope, schema_url: "" }
    }

    /// Returns the origin of a guest's records: the attributes that it adds to the host's resource, and its scope with a
    /// schema URL, which may be empty.
    pub const fn guest(resource: &'a Resource, scope: &'a InstrumentationScope, schema_url: &'a str) -> Self {
        Self { resource: Some(resource), scope, schema_url }
    }

    /// Returns whether the record is the host's own.
    pub const fn is_host(&self) -> bool {
        self.resource.is_none()
    }
}
