//! `wit/` contains every WIT package. A crate links to the packages that it needs; cargo packs the targets of links, so
//! a tarball is complete.

use std::path::Path;

use super::problems::Problems;
use super::tree::Tree;
use crate::workspace;

pub(super) fn check(tree: &Tree, problems: &mut Problems) {
    let root = workspace::root();
    for file in tree.files().filter(|file| file.path.starts_with("crates/") || file.path.starts_with("guests/")) {
        let link = std::fs::read_link(root.join(&file.path)).ok();
        if file.path.ends_with(".wit") && link.is_none() {
            problems.add(&file.path, "WIT lives in wit/; put a link to it here");
        }
        if let Some(link) = link
            && !leads_to_wit(&root, &file.path, &link)
        {
            problems.add(&file.path, format!("the link to {} does not lead into wit/", link.display()));
        }
    }
}

fn leads_to_wit(root: &Path, from: &str, link: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let Some(parent) = root.join(from).parent().map(Path::to_path_buf) else { return false };
    match (real(&parent.join(link)), real(&root.join("wit"))) {
        (Some(to), Some(wit)) => link.is_relative() && to.starts_with(wit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wit_outside_of_its_place_is_found() {
        let mut problems = Problems::default();
        check(&Tree::of(&[("crates/a/wit/store.wit", "package a:b;"), ("wit/config/store.wit", "")]), &mut problems);
        assert_eq!(problems.lines(), ["crates/a/wit/store.wit: WIT lives in wit/; put a link to it here"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_into_wit() {
        let root = workspace::root();
        let from = "crates/any/wit";
        assert!(!leads_to_wit(&root, from, Path::new("../../crates")));
        assert!(!leads_to_wit(&root, from, &root.join("wit")), "an absolute link is true on one machine only");
    }
}
