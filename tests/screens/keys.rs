//! Key sequences: what is selected, where one is, what is wanted outside.

use crossterm::event::MouseEventKind;
use fipscope::tui::{Effect, Msg, Screen, SortKey, Tab};

use crate::article;
use crate::desk::Desk;

fn chain_of(desk: &Desk) -> String {
    match desk.state.above.last() {
        Some(Screen::Chain(chain)) => format!("{} {}", chain.fip.floating.unwrap(), chain.fip.fixed.unwrap()),
        other => panic!("no chain but {other:?}"),
    }
}

fn namespace_of(desk: &Desk) -> (String, Tab) {
    match desk.state.above.last() {
        Some(Screen::Namespace(shown)) => (shown.name.to_string(), shown.tab),
        other => panic!("no namespace but {other:?}"),
    }
}

#[test]
fn an_address_typed_in_the_overview_opens_its_chain() {
    assert_eq!(chain_of(&Desk::article(80, 24).keys("192.168.1.33<enter>")), "192.168.1.33 30.0.0.4");
    // The fixed IP is as good.
    assert_eq!(chain_of(&Desk::article(80, 24).keys("10.0.0.9<enter>")), "192.168.1.7 10.0.0.9");
    // An exact address wins over one that only begins so.
    assert_eq!(Desk::article(80, 24).keys("192.168.1.3").selected(), "192.168.1.3");
    assert_eq!(Desk::article(80, 24).keys("192.168.1.3<down>").selected(), "192.168.1.33");
}

#[test]
fn a_search_given_up_leaves_the_cursor_where_it_was() {
    let desk = Desk::article(80, 24).keys("jj");
    let before = desk.selected();
    let desk = desk.keys("203");
    assert_eq!(desk.selected(), "203.0.113.9");
    assert_eq!(desk.keys("<esc>").selected(), before);
}

#[test]
fn an_address_that_is_not_there_says_so() {
    let desk = Desk::article(80, 24).keys("9.9.9.9<enter>");
    assert!(desk.state.above.is_empty());
    assert!(desk.screen().contains("no floating or fixed IP holds 9.9.9.9"), "{}", desk.screen());
}

#[test]
fn goto_goes_by_name_and_completes() {
    assert_eq!(chain_of(&Desk::article(80, 24).keys(":fip 192.168.1.3<enter>")), "192.168.1.3 10.0.0.4");
    let (name, tab) = namespace_of(&Desk::article(80, 24).keys(":ns fip-c<tab><enter>"));
    assert_eq!((name.as_str(), tab), ("fip-cef4f7b4-c344-4904-a847-a9960f58fb20", Tab::Links));
    let desk = Desk::article(80, 24).keys(":ro<tab>ef<enter>");
    let Some(Screen::Router(view)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    assert_eq!(view.id, article::ROUTER);
    let desk = Desk::article(80, 24).keys(":fip 1.2.3.4<enter>");
    assert_eq!(desk.state.notice.as_deref(), Some("no floating IP 1.2.3.4 on this node"));
    assert_eq!(Desk::article(80, 24).keys(":quit<enter>").effects, [Effect::Quit]);
}

#[test]
fn what_is_broken_is_selected_when_a_chain_opens() {
    let desk = Desk::article(80, 24).keys("192.168.1.7<enter>y");
    let command = "ip -n qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62 rule";
    assert_eq!(desk.effects, [Effect::Copy(command.to_owned())]);
    let (_, tab) = namespace_of(&desk.keys("<enter>"));
    assert_eq!(tab, Tab::Rules);
}

#[test]
fn left_and_right_are_those_of_the_screen() {
    // Outbound packets go to the right, inbound ones to the left.
    let desk = Desk::article(140, 45).keys("192.168.1.3<enter>lly<tab>y");
    let chain = desk.state.above.last().unwrap();
    assert!(format!("{chain:?}").contains("Inbound"));
    let right = desk.keys("gy").keys("<tab>Gy<left>y");
    let copied: Vec<String> = right.effects.iter().map(|effect| format!("{effect:?}")).collect();
    assert!(copied.last().unwrap().contains("10.0.0.4") || copied.last().unwrap().contains("neighbour"), "{copied:?}");
}

#[test]
fn escape_goes_back_exactly_one_step() {
    let mut desk = Desk::article(80, 24).keys("/ef25<enter><enter>n3/lookup<enter>?");
    let depth = |desk: &Desk| (desk.state.help.is_some(), desk.state.above.len(), desk.state.overview.filter.clone());
    assert_eq!(depth(&desk), (true, 2, "ef25".to_owned()));
    for expected in [(false, 2, "ef25"), (false, 2, "ef25"), (false, 1, "ef25"), (false, 0, "ef25"), (false, 0, "")] {
        desk = desk.keys("<esc>");
        let (help, above, filter) = expected;
        assert_eq!(depth(&desk), (help, above, filter.to_owned()));
    }
    assert!(desk.effects.is_empty(), "escape never leaves");
}

#[test]
fn a_quick_escape_and_key_are_not_lost_as_alt() {
    let desk = Desk::article(80, 24).keys("?<alt-q>");
    assert_eq!((desk.state.help, desk.effects), (None, vec![Effect::Quit]));
}

#[test]
fn selection_sort_and_filter_survive_readings() {
    let mut desk = Desk::article(80, 24).keys("192.168.1.7<esc>/cef4f7b4<enter>ssss");
    assert_eq!(desk.state.overview.sort.key, SortKey::State);
    desk = desk.keys("gj");
    let before = desk.selected();
    let screen = desk.screen();
    desk.send(Msg::Node(Ok(article::node())));
    assert_eq!(desk.selected(), before);
    assert_eq!(desk.screen(), screen);
    // Its floating IP is still selected when rows above it go.
    let mut topology = article::topology();
    topology.floating_ips.retain(|fip| fip.floating_ip.unwrap().to_string() == before);
    desk.send(Msg::Node(Ok(fipscope::tui::Node::new(article::snapshot(), topology))));
    assert_eq!(desk.selected(), before);
}

#[test]
fn a_row_under_the_cursor_does_not_jump() {
    let mut desk = Desk::with(80, 24, article::large(500)).keys("<pgdn><pgdn><pgdn><up><up>");
    let before = desk.selected();
    let line = desk.state.overview.list.cursor - desk.state.overview.list.offset;
    let mut topology = (*article::large(500).topology).clone();
    topology.floating_ips.drain(3..9);
    desk.send(Msg::Node(Ok(fipscope::tui::Node::new(article::snapshot(), topology))));
    assert_eq!(desk.selected(), before);
    assert_eq!(desk.state.overview.list.cursor - desk.state.overview.list.offset, line);
}

#[test]
fn a_failed_reading_keeps_what_there_was() {
    let mut desk = Desk::article(80, 24).keys("R");
    assert_eq!(desk.effects, [Effect::Reread]);
    desk.send(Msg::Node(Err("permission denied\nrun as root".to_owned())));
    let screen = desk.screen();
    assert!(screen.contains("the node could not be read: permission denied"), "{screen}");
    assert!(screen.contains("192.168.1.33"), "{screen}");
    desk.send(Msg::Node(Ok(article::node())));
    assert!(!desk.screen().contains("could not be read: permission denied\\u"), "{}", desk.screen());
    assert_eq!(desk.state.error, None);
}

#[test]
fn reading_twice_at_once_is_not_asked_for() {
    assert_eq!(Desk::article(80, 24).keys("RR").effects, [Effect::Reread]);
    // The first reading is under way from the start.
    assert_eq!(Desk::blank(80, 24).keys("R").effects, []);
}

#[test]
fn an_old_reading_is_renewed_where_that_is_wanted() {
    let mut desk = Desk::article(80, 24);
    desk.state.refresh = Some(5);
    let later = |seconds| desk_time(seconds);
    desk.send(Msg::Tick(later(8)));
    assert_eq!(desk.effects, []);
    desk.send(Msg::Tick(later(9)));
    desk.send(Msg::Tick(later(10)));
    assert_eq!(desk.effects, [Effect::Reread]);
}

fn desk_time(seconds: i64) -> jiff::Timestamp {
    article::taken_at() + jiff::SignedDuration::from_secs(seconds)
}

#[test]
fn the_mouse_selects_opens_and_scrolls() {
    let row_of = |desk: &Desk, text: &str| -> u16 {
        u16::try_from(desk.screen().lines().position(|line| line.contains(text)).unwrap()).unwrap()
    };
    let desk = Desk::article(80, 24);
    let row = row_of(&desk, " 10.0.0.9 ");
    let desk = desk.click(10, row);
    assert_eq!(desk.selected(), "192.168.1.7");
    let desk = desk.click(10, row);
    assert_eq!(chain_of(&desk), "192.168.1.7 10.0.0.9");
    let link = row_of(&desk, "table 16  ");
    let desk = desk.click(10, link).keys("y");
    assert!(format!("{:?}", desk.effects).contains("route show table all"), "{:?}", desk.effects);
    let desk = Desk::article(80, 24).wheel(MouseEventKind::ScrollDown).keys("<enter>");
    assert_eq!(chain_of(&desk), "192.168.1.33 30.0.0.4");
    let desk = Desk::article(80, 24).keys("n");
    let desk = desk.click(30, 2);
    assert_eq!(namespace_of(&desk).1, Tab::Rules);
    // A click on a column's title sorts by it, another turns it round.
    let desk = Desk::article(80, 24).click(22, 3);
    assert_eq!((desk.state.overview.sort.key, desk.state.overview.sort.reverse), (SortKey::FixedIp, false));
    assert!(desk.click(22, 3).state.overview.sort.reverse);
}

#[test]
fn pasted_addresses_are_gone_to() {
    let mut desk = Desk::article(80, 24);
    desk.send(Msg::Paste("192.168.1.7\n".to_owned()));
    assert_eq!(chain_of(&desk.keys("<enter>")), "192.168.1.7 10.0.0.9");
}

#[test]
fn a_floating_ip_that_went_is_missed_not_mistaken() {
    let mut desk = Desk::article(80, 24).keys("192.168.1.7<enter>");
    desk.send(Msg::Node(Ok(article::healthy())));
    assert!(desk.screen().contains("192.168.1.7 is not on this node any more"), "{}", desk.screen());
    assert!(desk.keys("<esc>").state.above.is_empty());
}

#[test]
fn of_several_lines_copied_the_first_is_told() {
    let mut desk = Desk::article(80, 24);
    desk.send(Msg::Copied(Ok("#!/bin/sh\nset -eu\ntrue\n".to_owned())));
    assert_eq!(desk.state.notice.as_deref(), Some("copied: #!/bin/sh and 2 more lines"));
}

#[test]
fn the_help_says_where_in_it_one_is_and_goes_to_its_end() {
    let desk = Desk::article(80, 24).keys("?");
    assert!(desk.screen().contains(" 1–"), "{}", desk.screen());
    let end = desk.keys("G");
    let last = end.screen().lines().find(|line| line.contains("erase all")).map(str::to_owned);
    assert!(last.is_some(), "{}", end.screen());
    let (from, of) = (end.state.help.unwrap(), end.screen());
    assert!(of.contains(&format!(" {}–", from + 1)), "{of}");
    // Each step up is seen.
    assert!(!end.keys("k").screen().contains("erase all"));
    assert_eq!(Desk::article(80, 24).keys("?Gg").state.help, Some(0));
}
