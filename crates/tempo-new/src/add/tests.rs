//! Tests of `add` in apps of several forms.

use std::fs;

use tempfile::TempDir;
use tempo_settings::ErrorKind;

use super::*;
use crate::new::create;

/// An app of one component, as `new` creates it.
fn app(template: Template) -> TempDir {
    let directory = TempDir::new().unwrap();
    create(&directory.path().join("shop"), template, &mut Vec::new()).unwrap();
    directory
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

#[test]
fn a_member_of_the_workspace() {
    let directory = app(Template::Http);
    let shop = directory.path().join("shop");
    let mut output = Vec::new();
    add(&shop, "pricing", Template::Http, &mut output).unwrap();
    let output = String::from_utf8(output).unwrap();
    assert!(output.starts_with("added pricing from the template http to tempo.toml\nnext:\n  cd "), "{output}");
    assert!(read(&shop, "Cargo.toml").contains("[workspace]\nmembers = [\"pricing\"]\n"));
    assert!(!read(&shop, "pricing/Cargo.toml").contains("[workspace]"));
    assert!(read(&shop, "tempo.toml").ends_with(
        "\n[component.pricing]\nsource = \"target/wasm32-wasip2/release/pricing.wasm\"\nroute = [\"/pricing/*\"]\n"
    ));
    assert!(!shop.join("pricing/tempo.toml").exists());
    assert!(read(&shop, "pricing/README.md").contains("/pricing/a/path"));
}

#[test]
fn a_project_beside_other_languages() {
    let directory = app(Template::Python);
    let shop = directory.path().join("shop");
    add(&shop, "pricing", Template::Worker, &mut Vec::new()).unwrap();
    add(&shop, "page", Template::C, &mut Vec::new()).unwrap();
    assert!(read(&shop, "pricing/Cargo.toml").contains("[workspace]"));
    let manifest = read(&shop, "tempo.toml");
    for source in ["dist/shop.wasm", "pricing/target/wasm32-wasip2/release/pricing.wasm", "page/dist/page.wasm"] {
        assert!(manifest.contains(&format!("\nsource = \"{source}\"\n")), "{manifest}");
    }
}

#[test]
fn a_failure_changes_nothing() {
    let directory = app(Template::Http);
    let shop = directory.path().join("shop");
    fs::create_dir(shop.join("pricing")).unwrap();
    fs::write(shop.join("pricing/notes"), "mine").unwrap();
    let before = (read(&shop, "Cargo.toml"), read(&shop, "tempo.toml"));
    let error = |name: &str| add(&shop, name, Template::Http, &mut Vec::new()).unwrap_err();
    for (name, kind) in
        [("pricing", ErrorKind::CannotWrite), ("shop", ErrorKind::CannotWrite), ("../up", ErrorKind::Usage)]
    {
        assert_eq!(error(name).kind(), kind, "{name}");
    }
    fs::write(shop.join("tempo.toml"), "name = \"shop\"\ncomponent = { shop = { source = \"a\" } }\n").unwrap();
    assert_eq!(error("stock").kind(), ErrorKind::BadConfiguration);
    assert!(!shop.join("stock").exists());
    assert_eq!(read(&shop, "Cargo.toml"), before.0);
    assert_eq!(fs::read_dir(shop.join("pricing")).unwrap().count(), 1);
    fs::write(shop.join("tempo.toml"), before.1).unwrap();
    add(&shop, "stock", Template::Http, &mut Vec::new()).unwrap();
}
