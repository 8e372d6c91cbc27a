//! The picture of the README is what the console draws.

use std::path::Path;

use fipscope::tui::svg::picture;

use crate::desk::Desk;

#[test]
fn the_picture_in_assets_is_the_screen() {
    let overview = Desk::article(106, 18).keys("jj").buffer();
    let chain = Desk::article(106, 29).keys("192.168.1.7<enter>").buffer();
    let drawn = picture(&[&overview, &chain]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/console.svg");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == drawn, "assets/console.svg is not what the console draws: UPDATE_DOCS=1 cargo test --test console");
}
