//! Whole screens as text, at three sizes.

use insta::assert_snapshot;

use crate::desk::Desk;

const SIZES: [(u16, u16); 3] = [(60, 20), (80, 24), (140, 45)];

fn each_size(name: &str, keys: &str) {
    for (width, height) in SIZES {
        let desk = Desk::article(width, height).keys(keys);
        assert_snapshot!(format!("{name}-{width}x{height}"), desk.screen());
    }
}

#[test]
fn overview() {
    each_size("overview", "");
}

#[test]
fn chain_of_a_floating_ip_without_its_rule() {
    each_size("chain-rule-missing", "192.168.1.7<enter>");
}

#[test]
fn chain_inbound() {
    each_size("chain-inbound", "192.168.1.3<enter><tab>");
}

#[test]
fn routes_of_a_router_namespace() {
    each_size("raw-routes", "192.168.1.3<enter>n4");
}
