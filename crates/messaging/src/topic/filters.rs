//! Sets of filters: intersection and coverage.

/// Returns whether `wide` matches every topic of `narrow`.
pub fn covers(wide: &str, narrow: &str) -> bool {
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

/// Returns whether some topic matches both.
pub fn overlap(one: &str, other: &str) -> bool {
    intersection(one, other).is_some()
}

/// The intersection of two filters, if not empty.
pub fn intersection(one: &str, other: &str) -> Option<String> {
    let (mut left, mut right) = (one.split('.').peekable(), other.split('.').peekable());
    let mut words = Vec::new();
    loop {
        let word = match (left.peek(), right.peek()) {
            (None, None) => return Some(words.join(".")),
            (Some(&">"), Some(_)) => {
                words.extend(right);
                return Some(words.join("."));
            }
            (Some(_), Some(&">")) => {
                words.extend(left);
                return Some(words.join("."));
            }
            (Some(&"*"), Some(word)) | (Some(word), Some(&"*")) => *word,
            (Some(one), Some(other)) if one == other => *one,
            _ => return None,
        };
        words.push(word);
        left.next();
        right.next();
    }
}

/// Returns whether the set `wide` matches every topic of the set `narrow`.
pub fn is_superset(wide: &[String], narrow: &[String]) -> bool {
    narrow.iter().all(|filter| takes_all(wide, filter))
}

/// Returns whether the filters together match every topic of `narrow`. Without `>`, one filter must cover it alone: `*`
/// also stands for words that no filter names. A filter that ends with `>` is expanded to one filter per length, each
/// of which must be covered. The longest filter of `wide` bounds the lengths to check.
fn takes_all(wide: &[String], narrow: &str) -> bool {
    let one_covers = |narrow: &str| wide.iter().any(|wide| covers(wide, narrow));
    if one_covers(narrow) {
        return true;
    }
    let Some(start) = narrow.strip_suffix('>') else { return false };
    let length = |filter: &str| filter.split('.').count();
    let longest = wide.iter().map(|filter| length(filter)).max().unwrap_or(0);
    let mut fixed = format!("{start}*");
    while length(&fixed) <= longest {
        if !one_covers(&fixed) {
            return false;
        }
        fixed.push_str(".*");
    }
    one_covers(&fixed)
}

/// Sorts the filters and drops those that another one covers.
pub fn prune<'a>(filters: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut filters: Vec<String> = filters.into_iter().cloned().collect();
    filters.sort();
    filters.dedup();
    let covered = |filter: &String| filters.iter().any(|other| other != filter && covers(other, filter));
    filters.iter().filter(|filter| !covered(filter)).cloned().collect()
}

/// The intersection of two sets, pruned.
pub fn common(one: &[String], other: &[String]) -> Vec<String> {
    let pairs = one.iter().flat_map(|one| other.iter().filter_map(|other| intersection(one, other)));
    prune(&pairs.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::matches;
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

    /// One word more than filters have, and one that none of them names.
    fn topics() -> Vec<String> {
        let topics: Vec<String> = all(&["a", "b", "c"], &["a", "b", "c"]);
        topics.iter().flat_map(|topic| [topic.clone(), format!("{topic}.c")]).collect()
    }

    #[test]
    fn as_matching_says() {
        let filters = all(&["a", "b", "*"], &["a", "b", "*", ">"]);
        let topics = topics();
        for one in &filters {
            for other in &filters {
                let both = intersection(one, other);
                for topic in &topics {
                    let expected = matches(one, topic) && matches(other, topic);
                    let found = both.as_ref().is_some_and(|both| matches(both, topic));
                    assert_eq!(found, expected, "{one} {other} {topic}");
                }
                let mut within = topics.iter().filter(|topic| matches(other, topic));
                assert_eq!(covers(one, other), within.all(|topic| matches(one, topic)), "{one} {other}");
                assert_eq!(overlap(one, other), both.is_some());
            }
        }
    }

    #[test]
    fn what_another_covers_is_not_needed() {
        let filters = ["a.b", "a.*", "a.*", "b", "c.>", "c.*.d", "*.x"].map(str::to_owned);
        assert_eq!(prune(&filters), ["*.x", "a.*", "b", "c.>"]);
    }

    #[test]
    fn several_filters_may_cover_one() {
        let set = |filters: &[&str]| filters.iter().map(|filter| (*filter).to_owned()).collect::<Vec<_>>();
        for (wide, narrow, covered) in [
            (&["orders.>"][..], &["orders.*"][..], true),
            (&["orders.>"], &["orders.a", "orders.b.c"], true),
            (&["orders.*"], &["orders.>"], false),
            (&["order.>"], &["orders.>"], false),
            (&["orders.*", "orders.*.>"], &["orders.>"], true),
            (&["orders.*", "orders.*.*"], &["orders.>"], false),
            (&["*", "*.*", "*.*.>"], &[">"], true),
            (&["a", "b"], &["*"], false),
            (&[], &["a"], false),
            (&["a"], &[], true),
        ] {
            assert_eq!(is_superset(&set(wide), &set(narrow)), covered, "{wide:?} {narrow:?}");
        }
        assert_eq!(common(&set(&["orders.*", "b"]), &set(&["*.new", "b", "b.>"])), ["b", "orders.new"]);
    }
}
