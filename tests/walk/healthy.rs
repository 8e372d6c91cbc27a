//! Nodes on which everything works.

use fipscope::neutron::Layout;
use fipscope::topology::scenario::Scenario;

use super::{both, told};

#[test]
fn print() {
    for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
        println!("===== {layout:?}");
        let node = Scenario::article(layout).with_centralized().snapshot;
        for (src, dst) in [
            ("10.0.0.4", "198.51.100.7"),
            ("198.51.100.7", "192.168.1.3"),
            ("10.0.0.4", "20.0.0.9"),
            ("10.0.0.9", "198.51.100.7"),
            ("10.0.0.4", "192.168.1.3"),
            ("10.0.0.9", "192.168.1.3"),
            ("10.0.0.4", "10.0.0.1"),
            ("10.0.0.4", "169.254.169.254"),
        ] {
            let (walk, reply) = both(&node, src, dst);
            println!("--- {src} {dst}\n{}\nreply: {}", told(&walk), reply.as_ref().map_or("none".to_owned(), told));
        }
    }
}
