//! The variables, one by one.

use opentelemetry_sdk::metrics::Temporality;
use tempo_settings::{Flag, Settings, Value, ValueSource};

use super::*;

/// Settings with these variables, one per line of `.env`.
pub(crate) fn settings(variables: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (line, (name, text)) in (1..).zip(variables) {
        let flag: &Flag = flags::FLAGS.iter().find(|flag| flag.name == *name).unwrap();
        let source = ValueSource::File { path: ".env".into(), line };
        settings.set(flag, vec![Value { text: (*text).to_owned(), source }]);
    }
    settings
}

fn recording(variables: &[(&str, &str)]) -> Recording {
    Recording::read(&settings(variables)).unwrap()
}

#[test]
fn every_variable_has_a_name_of_its_own_and_is_an_environment_variable_only() {
    let mut names: Vec<_> = flags::FLAGS.iter().map(|flag| flag.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), flags::FLAGS.len());
    assert!(flags::FLAGS.iter().all(|flag| flag.environment_only && flag.name.starts_with("OTEL_")));
}

#[test]
fn samplers() {
    let cases = [
        (None, None, Sampler::ParentBased(1.0)),
        (Some(""), None, Sampler::ParentBased(1.0)),
        (Some("always_on"), Some("0.1"), Sampler::AlwaysOn),
        (Some("always_off"), None, Sampler::AlwaysOff),
        (Some("traceidratio"), Some("0.25"), Sampler::Ratio(0.25)),
        (Some("traceidratio"), None, Sampler::Ratio(1.0)),
        (Some("parentbased_always_on"), None, Sampler::ParentBased(1.0)),
        (Some("parentbased_always_off"), None, Sampler::ParentBased(0.0)),
        (Some("ParentBased_TraceIDRatio"), Some("0.01"), Sampler::ParentBased(0.01)),
    ];
    for (sampler, share, expected) in cases {
        let given = [("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", share)];
        let given: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        assert_eq!(recording(&given).sampler, expected, "{sampler:?} {share:?}");
    }
}

#[test]
fn times_and_temporality() {
    let defaults = recording(&[]);
    let seconds = Duration::from_secs;
    assert_eq!((defaults.spans, defaults.logs, defaults.metrics), (seconds(5), seconds(1), seconds(60)));
    assert_eq!(defaults.temporality, Temporality::Cumulative);
    let given = recording(&[
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_BLRP_SCHEDULE_DELAY", " 200 "),
        ("OTEL_METRIC_EXPORT_INTERVAL", "86400000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
    ]);
    let day = seconds(24 * 60 * 60);
    assert_eq!((given.spans, given.logs, given.metrics), (seconds(1) / 10, seconds(1) / 5, day));
    assert_eq!(given.temporality, Temporality::Delta);
}

#[test]
fn the_resource() {
    let read = |attributes, name| {
        let given = recording(&[("OTEL_RESOURCE_ATTRIBUTES", attributes), ("OTEL_SERVICE_NAME", name)]).resource;
        given.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(read("", ""), "");
    assert_eq!(read("a=1, b = 2%2C%20x ,", ""), "a=1 b=2, x");
    assert_eq!(read("service.name=other,a=1,a=2", "shop"), "a=2 service.name=shop");
    assert_eq!(read("service.name=other", ""), "service.name=other");
}

#[test]
fn a_bad_value_is_named_with_its_place_and_never_shown() {
    let cases = [
        (
            "OTEL_TRACES_SAMPLER",
            "s3cret",
            "expected always_on, always_off, traceidratio, parentbased_always_on, \
            parentbased_always_off or parentbased_traceidratio",
        ),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5s3cret", "expected a number from 0 to 1"),
        ("OTEL_TRACES_SAMPLER_ARG", "NaN", "expected a number from 0 to 1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0", "expected a number of milliseconds from 1 to 86400000"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "86400001", "expected a number of milliseconds from 1 to 86400000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1s3cret", "expected a number of milliseconds from 1 to 86400000"),
        ("OTEL_RESOURCE_ATTRIBUTES", "s3cret", "expected KEY=VALUE,KEY=VALUE with values percent-encoded where needed"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%ff", "expected KEY=VALUE,KEY=VALUE with values percent-encoded where needed"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "s3cret", "expected cumulative, delta or lowmemory"),
        ("OTEL_PROPAGATORS", "b3", "expected tracecontext and baggage, which are what Tempo speaks"),
        ("OTEL_PROPAGATORS", "baggage", "expected tracecontext and baggage, which are what Tempo speaks"),
    ];
    for (name, text, problem) in cases {
        let error = Recording::read(&settings(&[(name, text)])).unwrap_err().to_string();
        assert_eq!(error, format!("{name}: {problem} (.env:1)"));
        assert!(!error.contains("s3cret"));
    }
    recording(&[("OTEL_PROPAGATORS", "baggage, tracecontext")]);
}
