//! A window is a part of a map, whatever is added and removed.

use super::*;

fn window(prefix: &str, after: Option<&str>, entries: usize) -> Window<()> {
    let max_bytes = entries * size("a1", &());
    Window { max_bytes, ..Window::new(prefix, after, 1) }
}

fn fill(window: &mut Window<()>, names: &[&str]) {
    for (sequence, name) in (1..).zip(names) {
        window.add((*name).to_owned(), (), sequence);
    }
}

fn names(page: Option<Vec<(String, ())>>) -> Option<Vec<String>> {
    Some(page?.into_iter().map(|(name, ())| name).collect())
}

#[test]
fn a_window_has_the_first_names_that_fit() {
    let mut window = window("a", Some("a1"), 3);
    fill(&mut window, &["a9", "b1", "a1", "a5", "a0", "a5", "a3", "a2", "", "a7"]);
    assert_eq!(window.end.as_deref(), Some("a7"));
    assert_eq!(names(window.page("a", Some("a1"), 2)).unwrap(), ["a2", "a3"]);
    assert_eq!(names(window.page("a", Some("a2"), 2)).unwrap(), ["a3", "a5"]);
    assert_eq!(names(window.page("a", Some("a3"), 2)), None, "there may be more");
    assert_eq!(names(window.page("a2", None, 2)).unwrap(), ["a2"], "names with another prefix do not count");
    assert_eq!(names(window.page("a7", None, 2)), None);
    assert_eq!(window.bytes, 3 * size("a1", &()));
}

#[test]
fn a_page_larger_than_a_window_is_kept_whole() {
    let mut window = Window { max_bytes: 0, ..Window::<()>::new("", None, 3) };
    fill(&mut window, &["d", "c", "b", "a"]);
    assert_eq!(names(window.page("", None, 3)).unwrap(), ["a", "b", "c"]);
    assert_eq!(names(window.page("", None, 4)), None);
    let mut all = Window { max_bytes: 0, ..Window::<()>::new("", None, usize::MAX) };
    fill(&mut all, &["d", "c", "b", "a"]);
    assert_eq!(names(all.page("", None, usize::MAX)).unwrap(), ["a", "b", "c", "d"]);
}

#[test]
fn what_is_removed_leaves_no_gap() {
    let mut window = window("", None, 2);
    fill(&mut window, &["a1", "b1", "c1"]);
    window.remove("a1", 9);
    // "c1" did not fit, and so nothing may follow "b1".
    window.add("d1".to_owned(), (), 10);
    assert_eq!((window.page("", None, 2), window.removed), (None, 1));
    window.add("a1".to_owned(), (), 11);
    window.remove("a1", 11);
    window.remove("a1", 5);
    assert_eq!(names(window.page("", None, 2)).unwrap(), ["a1", "b1"], "an older message removes nothing");
}

#[test]
fn a_window_covers_what_it_has() {
    let mut window = window("a", Some("a3"), 2);
    for (prefix, after, covers) in [
        ("a", Some("a3"), true),
        ("a", Some("a4"), true),
        ("a", Some("a2"), false),
        ("a", None, false),
        ("a4", None, true),
        ("a2", None, false),
        ("a", Some("b"), true),
        ("", Some("a4"), false),
        ("b", None, false),
    ] {
        assert_eq!(window.covers(prefix, after), covers, "{prefix} {after:?}");
    }
    fill(&mut window, &["a4", "a5", "a6"]);
    assert!(window.covers("a", Some("a5")) && window.covers("a5", None));
    assert!(!window.covers("a", Some("a6")) && !window.covers("a6", None) && !window.covers("a7", None));
}
