//! Translates OpenTelemetry names and units to Prometheus as `opentelemetry-prometheus` does, which exports no function
//! for it. Characters that Prometheus does not accept are replaced too: guests choose names.

use super::identity::Kind;

/// Units, with their suffixes.
const UNITS: [(&str, &str); 31] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("B", "bytes"),
    ("KB", "kilobytes"),
    ("MB", "megabytes"),
    ("GB", "gigabytes"),
    ("TB", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", "ratio"),
    ("%", "percent"),
];

/// Units after a slash.
const PER: [(&str, &str); 7] =
    [("s", "second"), ("m", "minute"), ("h", "hour"), ("d", "day"), ("w", "week"), ("mo", "month"), ("y", "year")];

/// Units without a suffix before a slash.
const SILENT: [&str; 8] = ["1", "d", "h", "min", "s", "ms", "us", "ns"];

/// Returns the name of a family.
pub(crate) fn family(name: &str, unit: &str, kind: Kind) -> String {
    let mut family = String::with_capacity(name.len().saturating_add(16));
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        family.push('_');
    }
    family.extend(name.chars().map(|c| if c.is_ascii_alphanumeric() || c == ':' { c } else { '_' }));
    if let Some(suffix) = suffix(unit) {
        family.push('_');
        family.push_str(&suffix);
    }
    if kind == Kind::Counter {
        family.push_str("_total");
    }
    family
}

/// Returns the names of all lines of a family.
pub(crate) fn lines(family: &str, histogram: bool) -> Vec<String> {
    let suffixes: &[&str] = if histogram { &["", "_bucket", "_sum", "_count"] } else { &[""] };
    suffixes.iter().map(|suffix| format!("{family}{suffix}")).collect()
}

/// Returns the name of a label. A reserved name, or that of a histogram's bounds, gets a prefix.
pub(crate) fn label(key: &str) -> String {
    let plain: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let first = plain.bytes().next();
    if plain == "le" || plain.starts_with("__") || first.is_none_or(|first| first.is_ascii_digit()) {
        return format!("key_{plain}");
    }
    plain
}

fn suffix(unit: &str) -> Option<String> {
    if let Some(known) = find(&UNITS, unit) {
        return Some(known.to_owned());
    }
    let (first, second) = unit.split_once('/')?;
    let second = find(&PER, second)?;
    match find(&UNITS, first).filter(|_| !SILENT.contains(&first)) {
        Some(first) => Some(format!("{first}_per_{second}")),
        None => Some(format!("per_{second}")),
    }
}

fn find(units: &[(&str, &'static str)], unit: &str) -> Option<&'static str> {
    units.iter().find(|(short, _)| *short == unit).map(|(_, long)| *long)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scrape;
    use opentelemetry::metrics::MeterProvider as _;

    /// The host's metrics are exported by `opentelemetry-prometheus`.
    #[test]
    fn names_are_those_of_the_hosts_exporter() {
        let (scrape, provider) = Scrape::with_provider().unwrap();
        let meter = provider.meter("test");
        let units = UNITS.iter().chain(&PER).map(|(unit, _)| (*unit).to_owned());
        let per = ["m/s", "1/y", "By/s", "{order}/h", "ms/d", "test/y", "m/x", "/s", "m/s/s"].map(str::to_owned);
        let units: Vec<_> = units.chain(per).chain(["", "{order}", "seconds"].map(str::to_owned)).collect();
        let mut expected = Vec::new();
        for (number, unit) in units.into_iter().enumerate() {
            let name = format!("shop.n-{number}/x");
            let of = |kind, what: &str| family(&format!("{name}.{what}"), &unit, kind);
            let names = [of(Kind::Counter, "c"), of(Kind::UpDown, "u"), of(Kind::Gauge, "g"), of(Kind::Histogram, "h")];
            expected.extend(names);
            meter.u64_counter(format!("{name}.c")).with_unit(unit.clone()).build().add(1, &[]);
            meter.i64_up_down_counter(format!("{name}.u")).with_unit(unit.clone()).build().add(1, &[]);
            meter.f64_gauge(format!("{name}.g")).with_unit(unit.clone()).build().record(1.0, &[]);
            meter.f64_histogram(format!("{name}.h")).with_unit(unit).build().record(1.0, &[]);
        }
        let text = scrape.text();
        let found = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        let mut found: Vec<_> = found.filter(|name| *name != "target_info").collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_is_left_that_prometheus_does_not_read() {
        for (name, expected) in [("é", "_"), ("1a", "_1a"), ("a b\n{}", "a_b___"), ("a:b", "a:b")] {
            assert_eq!(family(name, "", Kind::Gauge), expected);
        }
        let labels = ["a.b", "1a", "", "__name__", "le", "a:b", "_a", "é"];
        assert_eq!(labels.map(label), ["a_b", "key_1a", "key_", "key___name__", "key_le", "a_b", "_a", "_"]);
    }
}
