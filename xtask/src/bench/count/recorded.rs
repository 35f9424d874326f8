//! The recorded instructions of each case, which `cargo xtask bench count --check` compares with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use crate::bench::cases::NATIVE;
use crate::bench::machine::Machine;
use crate::workspace;

const PATH: &str = "xtask/counts.toml";

const HEAD: &str = "\
# The instructions of a request in user space. `cargo xtask bench count --check` fails if one grows by more than 2 %;
# `cargo xtask bench count --update` writes this file. Its history is the record.
";

/// The maximum growth of a count, as a share, besides its deviation.
const TOLERANCE: f64 = 0.02;

/// Counts, and what they depend on.
#[derive(Debug, PartialEq)]
pub(super) struct Recorded {
    /// The version of the compiler.
    rustc: String,
    /// The class of the processor. Callgrind emulates the processor, but a program may select functions by its features.
    processor: String,
    /// The instructions of a request, by the name of the case.
    instructions: BTreeMap<String, u64>,
}

impl Recorded {
    /// Creates a record of this machine.
    pub(super) fn new(machine: &Machine, instructions: BTreeMap<String, u64>) -> Self {
        Self { rustc: machine.compiler().to_owned(), processor: machine.processor().to_owned(), instructions }
    }

    /// Reads the file of the repository.
    pub(super) fn read() -> Result<Self> {
        let text = std::fs::read_to_string(path()).with_context(|| format!("cannot read {PATH}"))?;
        Self::parse(&text).with_context(|| format!("cannot read {PATH}"))
    }

    fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned).context(format!("no `{key}`"));
        let instructions = table.get("instructions").and_then(Value::as_table).context("no `[instructions]`")?;
        let count = |(name, value): (&String, &Value)| {
            let count = value.as_integer().and_then(|count| u64::try_from(count).ok());
            Ok((name.clone(), count.with_context(|| format!("`{name}` is no count"))?))
        };
        Ok(Self {
            rustc: text("rustc")?,
            processor: text("processor")?,
            instructions: instructions.iter().map(count).collect::<Result<_>>()?,
        })
    }

    /// Writes the file of the repository. Cases that were not counted keep their counts.
    pub(super) fn update(self) -> Result<()> {
        let mut instructions = Self::read().map(|previous| previous.instructions).unwrap_or_default();
        instructions.extend(self.instructions);
        std::fs::write(path(), Self { instructions, ..self }.text()).with_context(|| format!("cannot write {PATH}"))
    }

    fn text(&self) -> String {
        let mut text =
            format!("{HEAD}rustc = \"{}\"\nprocessor = \"{}\"\n\n[instructions]\n", self.rustc, self.processor);
        for (name, count) in &self.instructions {
            text.push_str(&format!("{name} = {count}\n"));
        }
        text
    }

    /// Fails if a count of `now` is larger than the recorded one. With another compiler or class of processor, compares the
    /// ratios to the native server instead. `spread` has the deviation of each case, as a share.
    pub(super) fn check(&self, now: &Self, spread: &BTreeMap<String, f64>) -> Result<()> {
        let same = self.rustc == now.rustc && self.processor == now.processor;
        let mut grown = Vec::new();
        for (name, &count) in &now.instructions {
            let Some(&recorded) = self.instructions.get(name) else { bail!("{PATH} has no count of `{name}`") };
            let growth = if same {
                ratio(count, recorded)
            } else {
                let native = |counts: &Self| counts.instructions.get(NATIVE).copied().unwrap_or(1);
                ratio(count, native(now)) / ratio(recorded, native(self))
            };
            if growth > 1.0 + TOLERANCE + spread.get(name).copied().unwrap_or_default() {
                grown.push(format!(
                    "{name}: {count} instructions, {:+.1} % ({recorded} are recorded)",
                    (growth - 1.0) * 100.0
                ));
            }
        }
        if grown.is_empty() {
            return Ok(());
        }
        let compared = if same { "" } else { " as ratios to the native server," };
        bail!(
            "requests cost more than {PATH} records,{compared} by over {:.0} %:\n  {}\nMake them cheaper, or say why in the \
             commit that runs `cargo xtask bench count --update`",
            TOLERANCE * 100.0,
            grown.join("\n  ")
        )
    }
}

fn ratio(count: u64, base: u64) -> f64 {
    count as f64 / base.max(1) as f64
}

fn path() -> PathBuf {
    workspace::root().join(PATH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(processor: &str, counts: &[(&str, u64)]) -> Recorded {
        Recorded {
            rustc: "rustc 1.95.0".to_owned(),
            processor: processor.to_owned(),
            instructions: counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        }
    }

    #[test]
    fn a_count_may_grow_by_two_percent() {
        let exact = BTreeMap::new();
        let before = recorded("A", &[(NATIVE, 1_000), ("p3", 10_000)]);
        before.check(&recorded("A", &[("p3", 10_200)]), &exact).unwrap();
        let more = recorded("A", &[(NATIVE, 1_000), ("p3", 10_201)]);
        let error = before.check(&more, &exact).unwrap_err().to_string();
        assert!(error.contains("p3: 10201 instructions, +2.0 % (10000 are recorded)"), "{error}");
        before.check(&more, &BTreeMap::from([("p3".to_owned(), 0.01)])).unwrap();
        assert!(before.check(&recorded("A", &[("new", 1)]), &exact).is_err());
    }

    #[test]
    fn on_another_processor_the_ratios_are_compared() {
        let before = recorded("A", &[(NATIVE, 1_000), ("p3", 10_000)]);
        let exact = BTreeMap::new();
        before.check(&recorded("B", &[(NATIVE, 2_000), ("p3", 20_400)]), &exact).unwrap();
        assert!(before.check(&recorded("B", &[(NATIVE, 1_000), ("p3", 10_300)]), &exact).is_err());
    }

    #[test]
    fn what_is_written_is_read() {
        let counts = recorded("AMD EPYC", &[("p2-fresh", 130_193), ("p3", 92_633)]);
        assert_eq!(Recorded::parse(&counts.text()).unwrap(), counts);
        assert!(Recorded::parse("rustc = \"1\"\nprocessor = \"A\"\n[instructions]\np3 = -1\n").is_err());
    }
}
