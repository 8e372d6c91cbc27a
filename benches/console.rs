//! How long one step of the console takes, `update` and `view` together, with
//! 10,000 floating IPs on 200 by 50. The promise: 99 of 100 under 5 ms.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "a measurement reads the clock and prints; the fixture serves the tests too"
)]

#[path = "../tests/screens/article.rs"]
mod article;
#[path = "../tests/screens/chains.rs"]
mod chains;
#[path = "../tests/screens/desk.rs"]
mod desk;

use std::time::{Duration, Instant};

use fipscope::tui::{Msg, update, view};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// What an operator does, over and over.
const SESSION: &str = "jjjjkk<pgdn><pgdn><pgup>sssssS192.168.39.1<down><down><up><enter><tab>ll<esc>\
                       /rule missing<enter>jj<esc>/192.168.3<esc>Ggn3jj<esc>:fip 192.168.0.9<enter><esc>";

fn main() {
    let mut desk = desk::Desk::with(200, 50, article::large(10_000));
    let mut terminal = Terminal::new(TestBackend::new(200, 50)).unwrap();
    let mut times = Vec::new();
    let mut updates = Vec::new();
    let mut slowest = (Duration::ZERO, String::new());
    for round in 0..40 {
        for key in desk::events(SESSION) {
            let began = Instant::now();
            update(&mut desk.state, Msg::Key(key));
            let half = began.elapsed();
            terminal.draw(|frame| view(&desk.state, frame)).unwrap();
            let took = began.elapsed();
            if round > 0 {
                times.push(took);
                updates.push(half);
                slowest = slowest.max((took, format!("{:?}", key.code)));
            }
        }
    }
    // A reading that comes in counts as a step, too.
    let mut readings = Vec::new();
    for _ in 0..20 {
        let node = article::large(10_000);
        // The loop lets the worker free what is over.
        let _old = desk.state.node.clone();
        let began = Instant::now();
        update(&mut desk.state, Msg::Node(Ok(node)));
        terminal.draw(|frame| view(&desk.state, frame)).unwrap();
        readings.push(began.elapsed());
    }
    times.sort();
    updates.sort();
    readings.sort();
    let at = |times: &[Duration], percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("console, 10,000 floating IPs, 200x50, {} steps (milliseconds)", times.len());
    println!(
        "  key      p50 {:.3}  p90 {:.3}  p99 {:.3}  max {:.3} ({})",
        at(&times, 50),
        at(&times, 90),
        at(&times, 99),
        at(&times, 100),
        slowest.1
    );
    println!("  of it update  p50 {:.3}  p99 {:.3}", at(&updates, 50), at(&updates, 99));
    println!("  reading  p50 {:.3}  max {:.3}", at(&readings, 50), at(&readings, 100));
    let bad = at(&times, 99) >= 5.0;
    assert!(!bad || cfg!(debug_assertions), "99 of 100 steps are to take less than 5 ms");
}
