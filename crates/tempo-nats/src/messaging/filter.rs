//! Filters against filters: JetStream refuses a stream or a consumer of which two overlap.

/// Whether every topic of `narrow` is one of `wide`.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    let mut words = narrow.split('.');
    for wanted in wide.split('.') {
        match (wanted, words.next()) {
            (">", Some(_)) => return true,
            ("*", Some(word)) if word != ">" => {}
            (wanted, Some(word)) if wanted == word => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

/// Whether some topic is one of both.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some("*"), Some(_)) | (Some(_), Some("*")) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// The filters without those that another one covers, sorted.
pub(super) fn prune<'a>(filters: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut filters: Vec<String> = filters.into_iter().cloned().collect();
    filters.sort();
    filters.dedup();
    let covered = |filter: &String| filters.iter().any(|other| other != filter && covers(other, filter));
    filters.iter().filter(|filter| !covered(filter)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use tempo_wasi_messaging::topic::matches;

    use super::*;

    /// Filters and topics of up to three words out of a few.
    fn all(words: &[&str], last: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        for length in 0..3 {
            let mut starts = vec![String::new()];
            for _ in 0..length {
                starts = starts.iter().flat_map(|start| words.iter().map(move |w| format!("{start}{w}."))).collect();
            }
            all.extend(starts.iter().flat_map(|start| last.iter().map(move |word| format!("{start}{word}"))));
        }
        all
    }

    #[test]
    fn as_matching_says() {
        let filters = all(&["a", "b", "*"], &["a", "b", "*", ">"]);
        // One word more than filters have, and one that none of them names.
        let topics: Vec<String> = all(&["a", "b", "c"], &["a", "b", "c"]);
        let topics: Vec<String> = topics.iter().flat_map(|topic| [topic.clone(), format!("{topic}.c")]).collect();
        for one in &filters {
            for other in &filters {
                let both = topics.iter().filter(|topic| matches(other, topic));
                let (mut both, mut within) = (both.clone(), both);
                assert_eq!(overlap(one, other), both.any(|topic| matches(one, topic)), "{one} {other}");
                assert_eq!(covers(one, other), within.all(|topic| matches(one, topic)), "{one} {other}");
            }
        }
    }

    #[test]
    fn what_another_covers_is_not_needed() {
        let filters = ["a.b", "a.*", "a.*", "b", "c.>", "c.*.d", "*.x"].map(str::to_owned);
        assert_eq!(prune(&filters), ["*.x", "a.*", "b", "c.>"]);
    }
}
