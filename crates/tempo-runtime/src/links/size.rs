//! The bytes that the host holds for the values of a call.

use wasmtime::component::Val;

/// Returns the size of `values` with everything that they own, in bytes.
pub(super) fn bytes(values: &[Val]) -> usize {
    values.iter().fold(0, |sum, value| sum.saturating_add(size_of::<Val>()).saturating_add(owned(value)))
}

/// Returns the bytes on the heap that `value` owns.
fn owned(value: &Val) -> usize {
    match value {
        Val::String(text) | Val::Enum(text) => text.len(),
        Val::List(values) | Val::Tuple(values) | Val::FixedLengthList(values) => bytes(values),
        Val::Map(entries) => entries.iter().fold(0, |sum, (key, value)| {
            sum.saturating_add(2 * size_of::<Val>()).saturating_add(owned(key)).saturating_add(owned(value))
        }),
        Val::Record(fields) => fields.iter().fold(0, |sum, (name, value)| {
            let own = size_of::<(String, Val)>().saturating_add(name.len());
            sum.saturating_add(own).saturating_add(owned(value))
        }),
        Val::Variant(name, value) => name.len().saturating_add(boxed(value.as_deref())),
        Val::Option(value) | Val::Result(Ok(value) | Err(value)) => boxed(value.as_deref()),
        Val::Flags(names) => {
            names.iter().fold(0, |sum, name| sum.saturating_add(size_of::<String>()).saturating_add(name.len()))
        }
        Val::Bool(_)
        | Val::S8(_)
        | Val::U8(_)
        | Val::S16(_)
        | Val::U16(_)
        | Val::S32(_)
        | Val::U32(_)
        | Val::S64(_)
        | Val::U64(_)
        | Val::Float32(_)
        | Val::Float64(_)
        | Val::Char(_)
        | Val::Resource(_)
        | Val::Future(_)
        | Val::Stream(_)
        | Val::ErrorContext(_) => 0,
    }
}

fn boxed(value: Option<&Val>) -> usize {
    value.map_or(0, |value| size_of::<Val>().saturating_add(owned(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_with_what_they_own() {
        let (value, text) = (size_of::<Val>(), |text: &str| Val::String(text.to_owned()));
        for (values, expected) in [
            (vec![], 0),
            (vec![Val::U8(1), Val::Bool(true)], 2 * value),
            (vec![text("abc")], value + 3),
            (vec![Val::List(vec![Val::U8(1); 1000])], 1001 * value),
            (vec![Val::Option(Some(Box::new(text("ab"))))], 2 * value + 2),
            (vec![Val::Result(Err(None))], value),
            (vec![Val::Record(vec![("a".to_owned(), text("bc"))])], value + size_of::<(String, Val)>() + 3),
            (vec![Val::Map(vec![(text("k"), Val::U8(1))])], 3 * value + 1),
        ] {
            assert_eq!(bytes(&values), expected, "{values:?}");
        }
    }
}
