//! What the README shows of the console is what the console is: the picture,
//! the keys. `UPDATE_DOCS=1 cargo test --test screens` writes both anew.

use std::fs;
use std::path::{Path, PathBuf};

use fipscope::tui::keymap::Keymap;
use fipscope::tui::svg::picture;

use crate::desk::Desk;
use crate::walks;

const BEGIN: &str = "<!-- begin keys -->\n";
const END: &str = "<!-- end keys -->";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a file with what it should be, or writes it.
fn kept(name: &str, wanted: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(file(name).parent().unwrap()).unwrap();
        fs::write(file(name), wanted).unwrap();
    }
    let there = fs::read_to_string(file(name)).unwrap_or_default();
    assert!(there == wanted, "{name} is not up to date: UPDATE_DOCS=1 cargo test --test screens");
}

#[test]
fn the_picture_in_assets_is_the_screen() {
    let judged = |width, height| Desk::with(width, height, crate::findings::node());
    let overview = judged(106, 16).keys("jj").buffer();
    let chain = judged(106, 36).keys("192.168.1.7<enter>").buffer();
    let walk = walks::desk(106, 28).keys("llll").buffer();
    kept("assets/console.svg", &picture(&[&overview, &chain, &walk]));
}

#[test]
fn the_keys_in_the_readme_are_those_of_the_table() {
    let readme = fs::read_to_string(file("README.md")).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("README.md says where the keys go");
    let (_, after) = rest.split_once(END).expect("README.md says where the keys end");
    kept("README.md", &format!("{before}{BEGIN}\n{}\n{END}{after}", Keymap::default().markdown()));
}
