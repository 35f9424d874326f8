//! The messages of mistakes with `tempo new` and `tempo add`, with their exit codes, as snapshots. `UPDATE_EXPECT=1` writes them.

use expect_test::{Expect, expect};

use crate::cli_errors::{check, tempo};
use crate::support::Run;

#[test]
fn a_project_that_cannot_be_created() {
    tempo(&["new"], &expect!["64: error: the following required arguments were not provided: <NAME>; see --help"]);
    tempo(
        &["new", "My_App"],
        &expect![
            "64: error: NAME: My_App: expected a lower-case letter, followed by up to 62 lower-case letters, digits and `-` between them; choose another name"
        ],
    );
    tempo(&["new", "below/test"], &expect!["64: error: NAME: test: this name is reserved; choose another name"]);
    tempo(&["new", ".."], &expect!["64: error: NAME: ..: the path does not end in a name; choose another name"]);
    tempo(
        &["new", "app", "--template", "cobol"],
        &expect![
            "64: error: invalid value 'cobol' for '--template <TEMPLATE>' [possible values: http, worker, middleware, app, command, javascript, python, c]  tip: a similar value exists: 'c'; see --help"
        ],
    );
    tempo(
        &["new", "app", "--settings", "tempo.toml"],
        &expect![
            "64: error: unexpected argument '--settings' found tip: to pass '--settings' as a value, use '-- --settings'; see --help"
        ],
    );
    tempo(
        &["add", "api"],
        &expect!["66: error: there is no tempo.toml; change to the folder of an app, or create one with `tempo new`"],
    );
    tempo(
        &["add", "api", "--template", "middleware"],
        &expect![
            "64: error: invalid value 'middleware' for '--template <TEMPLATE>' [possible values: http, worker, javascript, python, c]; see --help"
        ],
    );
    let with = |text: &str, expected: &Expect| {
        check(&Run::tempo(["add", "api"]).with_file("tempo.toml", text).finish(), &[], expected);
    };
    with(
        "addr = \"127.0.0.1:0\"",
        &expect![[r#"78: error: tempo.toml: no app: it has no `name`; add name = "NAME" at the top"#]],
    );
    with(
        "name = \"shop\"\n[component.api]",
        &expect!["73: error: cannot add api: tempo.toml declares a component api; choose another name"],
    );
    with(
        "name = \"shop\"\n[component",
        &expect!["78: error: not valid TOML: unclosed table, expected `]` (tempo.toml:2:11)"],
    );
    with(
        "name = \"shop\"\ncomponent = {}",
        &expect!["78: error: tempo.toml: it has no place for a table [component.api]; write its components as tables"],
    );
    let long = "a".repeat(64);
    tempo(
        &["add", &long],
        &expect![
            "64: error: NAME: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: expected a lower-case letter, followed by up to 62 lower-case letters, digits and `-` between them; choose another name"
        ],
    );
}
