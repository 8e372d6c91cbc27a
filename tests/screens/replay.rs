//! A recording in the console: all its moments, back and forth, on every screen.

use std::sync::Arc;

use fipscope::check::{Turn, turns};
use fipscope::tui::{EventsView, Msg, Node, Replay, Screen, Timeline, Turned};
use insta::assert_snapshot;
use jiff::SignedDuration;

use crate::desk::Desk;
use crate::timeline::Film;

/// What a file of these moments is to the console.
pub fn replay(film: &Film, moments: usize, remark: Option<&str>) -> Replay {
    let timeline = Timeline::replay(&film.stood[0], film.lines[..moments].to_vec());
    let node = Node::of(timeline.newest().unwrap().clone());
    Replay { timeline, node, remark: remark.map(str::to_owned) }
}

/// A desk before the recording of what was played.
fn desk(film: &Film, width: u16, height: u16) -> Desk {
    let mut desk = Desk::blank(width, height);
    desk.send(Msg::Tick(film.node.snapshot.taken_at + SignedDuration::from_secs(100)));
    desk.send(Msg::Replay(Ok(Box::new(replay(film, film.lines.len(), None)))));
    desk
}

/// What each moment did to the findings.
fn turned(film: &Film) -> Vec<(u64, Vec<Turn>)> {
    let nodes: Vec<Node> = film.stood.iter().map(|snapshot| Node::of(Arc::clone(snapshot))).collect();
    let pairs = nodes.windows(2).zip(0..);
    pairs.map(|(pair, at)| (at, turns(&pair[0].judged.findings, &pair[1].judged.findings))).collect()
}

fn events(desk: &Desk) -> &EventsView {
    match desk.state.above.last() {
        Some(Screen::Events(view)) => view,
        other => panic!("no events but {other:?}"),
    }
}

#[test]
fn the_end_is_shown_first_and_every_moment_can_be_gone_to() {
    let film = Film::played(100, 24);
    let mut desk = desk(&film, 100, 24);
    assert_snapshot!("replay-end-100x24", desk.screen());
    let shown = |desk: &Desk| desk.state.node.as_ref().unwrap().snapshot.settled();
    assert_eq!(shown(&desk), film.stood[3].settled());
    for at in (0..3).rev() {
        desk = desk.keys("[");
        assert_eq!(shown(&desk), film.stood[at].settled(), "{at}");
        assert_eq!(desk.state.node.as_ref().unwrap().judged, Node::of(film.stood[at].clone()).judged);
        assert!(desk.screen().lines().next().unwrap().contains("recording 12:00:0"), "{}", desk.screen());
    }
    desk = desk.keys("[");
    assert_eq!(desk.state.notice.as_deref(), Some("the recording begins here"));
    assert_snapshot!("replay-begin-100x24", desk.screen());
    for at in 1..=3 {
        desk = desk.keys("]");
        assert_eq!(shown(&desk), film.stood[at].settled(), "{at}");
    }
    assert_eq!(desk.state.frozen, None);
    desk = desk.keys("]");
    assert_eq!(desk.state.notice.as_deref(), Some("the recording ends here"));
    desk = desk.keys("L");
    assert_eq!((desk.state.frozen.is_some(), desk.state.notice.as_deref()), (false, Some("the recording ends here")));
    // Esc leads to the end, not out.
    desk = desk.keys("[[<esc>");
    assert_eq!(shown(&desk), film.stood[3].settled());
    assert_eq!(desk.effects, []);
}

#[test]
fn findings_come_beside_the_changes_as_they_become_known() {
    let film = Film::played(80, 24);
    let mut desk = desk(&film, 80, 24).keys("e");
    assert!(desk.screen().contains("0 cleared so far (0%)"), "{}", desk.screen());
    assert!(!events(&desk).text().contains("raised"));
    let mut all = turned(&film);
    let rest = all.split_off(1);
    desk = desk.keys("gj");
    let row = events(&desk).current().unwrap().line();
    desk.send(Msg::Turned(Turned { turns: all, until: 1 }));
    assert!(events(&desk).text().contains("raised DVR301"), "{}", events(&desk).text());
    assert_eq!(events(&desk).current().unwrap().line(), row);
    desk.send(Msg::Turned(Turned { turns: rest, until: 3 }));
    // What the console watched is what it tells of the recording.
    assert_eq!(events(&desk).text(), film.told);
    assert!(!desk.screen().contains("so far"), "{}", desk.screen());
    desk = desk.keys("g<space>");
    assert_snapshot!("replay-events-80x24", desk.screen());
}

#[test]
fn only_the_moments_that_are_known_anew_are_listed_again() {
    let film = Film::played(80, 24);
    let mut desk = desk(&film, 80, 24).keys("e");
    let rows = |desk: &Desk| events(desk).rows.iter().map(|row| (row.moment.number, row.at)).collect::<Vec<_>>();
    let before = rows(&desk);
    // A filter that nobody went by yet gives away which rows are asked about.
    let Some(Screen::Events(view)) = desk.state.above.last_mut() else { panic!("no events") };
    view.filter = "raised".to_owned();
    let turns = turned(&film).into_iter().filter(|(number, _)| *number == 0).collect();
    desk.send(Msg::Turned(Turned { turns, until: 2 }));
    let after = rows(&desk);
    let others = |rows: &[(u64, usize)]| rows.iter().filter(|row| row.0 != 0).copied().collect::<Vec<_>>();
    assert!(!others(&before).is_empty());
    assert_eq!(others(&after), others(&before), "they stay as they were listed");
    assert!(!after.contains(&(0, 0)) && after.iter().any(|row| row.0 == 0), "{before:?} {after:?}");
}

#[test]
fn what_is_missing_is_told_on_every_screen() {
    let film = Film::played(120, 24);
    let mut desk = Desk::blank(120, 24);
    let remark = "line 5, the last one, is cut off and left out";
    desk.send(Msg::Replay(Ok(Box::new(replay(&film, 3, Some(remark))))));
    for keys in ["", "e", "<esc>:findings<enter>", "<esc>192.168.1.3<enter>", "["] {
        desk = desk.keys(keys);
        assert!(desk.screen().contains(remark), "{keys}\n{}", desk.screen());
        assert!(desk.screen().contains("recording"), "{keys}\n{}", desk.screen());
    }
}

#[test]
fn a_recording_that_is_written_still_is_read_again() {
    let film = Film::played(100, 24);
    let mut desk = Desk::blank(100, 24);
    desk.send(Msg::Replay(Ok(Box::new(replay(&film, 2, None)))));
    desk = desk.keys("[");
    let shown = desk.state.node.clone();
    desk = desk.keys("R");
    assert_eq!(desk.effects.len(), 1);
    desk.send(Msg::Replay(Ok(Box::new(replay(&film, 3, None)))));
    // The moment stays, and the end is further away.
    assert_eq!(desk.state.node, shown);
    assert_eq!(desk.state.frozen.as_ref().map(|frozen| frozen.position), Some(1));
    assert_eq!(desk.state.timeline.end_position(), 3);
    desk = desk.keys("L");
    assert_eq!(desk.state.node.as_ref().unwrap().snapshot.settled(), film.stood[3].settled());
    // One that cannot be read any more leaves what there was.
    desk = desk.keys("R");
    desk.send(Msg::Replay(Err("line 3 of x is no line of a recording".to_owned())));
    assert!(desk.screen().contains("line 3 of x"), "{}", desk.screen());
    assert_eq!(desk.state.timeline.end_position(), 3);
    // Another recording under the same name begins anew.
    let mut other = Film::played(100, 24);
    Arc::make_mut(&mut other.stood[0]).taken_at += SignedDuration::from_secs(3600);
    desk = desk.keys("[");
    desk.send(Msg::Replay(Ok(Box::new(replay(&other, 3, None)))));
    assert_eq!(desk.state.frozen, None);
}

#[test]
fn the_moment_is_told_in_the_header_however_long_the_names() {
    let mut film = Film::played(60, 20);
    "compute-with-a-very-long-name-0123456789.example.org".clone_into(&mut Arc::make_mut(&mut film.stood[0]).node);
    for (width, words) in [(60, "%H:%M:%S"), (80, "%H:%M:%S%.1f UTC"), (120, "recording %Y-%m-%d %H:%M:%S%.1f UTC")] {
        let recording = replay(&film, 3, None);
        let mut desk = Desk::blank(width, 20);
        desk.send(Msg::Tick(film.node.snapshot.taken_at + SignedDuration::from_secs(86_400)));
        desk.send(Msg::Replay(Ok(Box::new(recording))));
        desk = desk.keys("[");
        for keys in ["", "e", ":fip 192.168.1.3<enter>", "n", ":findings<enter>", "x"] {
            desk = desk.keys(keys);
            let header = desk.screen().lines().next().unwrap().to_owned();
            // Where many places led here, the time alone is left of it.
            let words = if keys.is_empty() { words } else { "%H:%M:%S" };
            let told = desk.state.frozen.as_ref().unwrap().at.strftime(words).to_string();
            assert!(header.contains(&told), "{width} {keys}: {header}");
        }
    }
}

#[test]
fn a_recording_fits_any_terminal() {
    let film = Film::played(80, 24);
    let mut desk = desk(&film, 80, 24);
    for (width, height) in (1..130).step_by(9).flat_map(|width| [1, 3, 5, 12].map(|height| (width, height))) {
        desk.send(Msg::Resize(width, height));
        for keys in ["[", "e", "g<space>", "<esc>", "L"] {
            desk = desk.keys(keys);
            desk.screen();
        }
    }
    desk.send(Msg::Resize(60, 16));
    assert_snapshot!("replay-end-60x16", desk.keys("<esc><esc>").screen());
}
