//! Tests of manifests, new and extended.

use tempfile::TempDir;

use super::*;
use crate::template::Template;

fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).unwrap()
}

/// Returns the text of a manifest to which a component `pricing` was added.
fn added(text: &str, template: Template) -> Result<String, Error> {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join(MANIFEST);
    fs::write(&file, text).unwrap();
    let add = || {
        let manifest = Manifest::read(directory.path())?;
        let name = name("pricing");
        manifest.check_absent(&name)?;
        manifest.add(&Project { name: &name, template, place: Place::App { member: true } })
    };
    let result = add();
    let written = fs::read_to_string(&file).unwrap();
    assert!(result.is_ok() || written == text, "a failure changes nothing");
    result.map(|()| written)
}

#[test]
fn a_new_manifest_declares_the_component() {
    for (template, source, call) in [
        (Template::Http, "target/wasm32-wasip2/release/my_app.wasm", "route = [\"/*\"]"),
        (Template::Worker, "target/wasm32-wasip2/release/my_app.wasm", "subscribe = [\"my-app.>\"]"),
        (Template::Python, "dist/my-app.wasm", "route = [\"/*\"]"),
    ] {
        let name = name("my-app");
        let project = Project { name: &name, template, place: Place::Alone };
        let text = of_project(&project).unwrap();
        let table = format!("[component.my-app]\nsource = \"{source}\"\n{call}\n");
        let build = match template {
            Template::Python => format!("build = {{ command = \"{}\" }}\n", Commands::of(&project).build),
            _ => String::new(),
        };
        let expected = format!("{HEAD}name = \"my-app\"\n\n{table}{build}");
        assert_eq!(text, expected);
        assert!(parse(Path::new(MANIFEST), &text).is_ok());
    }
    let name = name("auth");
    assert_eq!(of_project(&Project { name: &name, template: Template::Middleware, place: Place::Alone }), None);
}

#[test]
fn a_component_is_appended() {
    let table =
        "\n[component.pricing]\nsource = \"target/wasm32-wasip2/release/pricing.wasm\"\nroute = [\"/pricing/*\"]\n";
    for text in [
        "# The shop\nname = 'shop' # a\n\n[component.api] # b\nsource = \"api.wasm\"\n\n# the end\n",
        "name = \"shop\"\ncomponent.api.source = \"api.wasm\"\n[config]\na = \"b\"\n",
        "\u{feff}name = \"shop\"\n",
    ] {
        assert_eq!(added(text, Template::Http).unwrap(), format!("{text}{table}"));
    }
    let windows = added("name = \"shop\"\r\naddr = \"a:1\"", Template::Http).unwrap();
    assert_eq!(windows, format!("name = \"shop\"\naddr = \"a:1\"\n{table}").replace('\n', "\r\n"));
    let script = added("name = \"shop\"\n", Template::Javascript).unwrap();
    assert!(script.contains("\nsource = \"pricing/dist/pricing.wasm\"\n"), "{script}");
    assert!(script.contains("\nbuild = { command = \"npm run build\", dir = \"pricing\" }\n"), "{script}");
}

#[test]
fn a_manifest_without_place_for_the_component() {
    let error = |text: &str| added(text, Template::Http).unwrap_err();
    let taken = error("name = \"shop\"\n[component.pricing]\n");
    assert_eq!(taken.kind(), ErrorKind::CannotWrite);
    assert!(taken.to_string().contains("tempo.toml declares a component pricing"), "{taken}");
    for (text, problem) in [
        ("addr = \"a:1\"\n", "no app: it has no `name`; add name = \"NAME\" at the top"),
        ("name = 1\n", "no app"),
        ("name = \"shop\"\n[component\n", "tempo.toml:2:11)"),
        ("name = \"shop\"\ncomponent = {}\n", "no place for a table [component.pricing]"),
        ("name = \"shop\"\ncomponent = 1\n", "no place for a table"),
    ] {
        let error = error(text);
        assert_eq!(error.kind(), ErrorKind::BadConfiguration);
        assert!(error.to_string().contains(problem), "{error}");
    }
    assert_eq!(Manifest::read(TempDir::new().unwrap().path()).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_route_that_ties_is_refused() {
    let text = "name = \"shop\"\n[component.api]\nsource = \"a.wasm\"\nroute = \"/pricing/{rest...}\"\n";
    let error = added(text, Template::Http).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotWrite);
    assert!(error.to_string().contains("its route /pricing/* ties with one of api"), "{error}");
    assert!(added(text, Template::Worker).is_ok(), "it has no route");
}
