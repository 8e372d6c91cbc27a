//! `fipscope traffic --probe`: one packet of our own, station by station.

use super::count;
use crate::net::ReachBy;
use crate::report::Probed;
use crate::report::style::{Style, Tone};
use crate::report::table::{Cell, Column, Shrink, Table};
use crate::traffic::{Count, Fate};

/// What became of a packet.
pub fn probe(probed: &Probed<'_>, style: Style) -> String {
    let question = &probed.errand.question;
    let what = match question.by {
        ReachBy::Echo => "ICMP echo".to_owned(),
        ReachBy::Syn(port) => format!("TCP SYN to port {port}"),
    };
    let source = question.source.map(|address| format!(" as {address}")).unwrap_or_default();
    let mut out = style.heading(&format!("{what} to {} from {}{source}", question.destination, question.namespace));
    let mark = match probed.fate {
        Fate::Answered(_) | Fate::Refused(_) => ("✓", Tone::Good),
        Fate::Unanswered | Fate::Astray(..) => ("!", Tone::Warning),
        Fate::NotSent(_) | Fate::Unclear => ("?", Tone::Unsure),
        _ => ("✗", Tone::Bad),
    };
    out += &style
        .marked(mark, &probed.fate.sentence(probed.stations, probed.errand.aim, probed.reason.unwrap_or_default()));
    out += &stations(probed, style);
    if probed.lost > 0 {
        let words = count(usize::try_from(probed.lost).unwrap_or(usize::MAX), "packet");
        out += &style.marked(("!", Tone::Warning), &format!("{words} lost before they were seen: counts are too low"));
    }
    out
}

fn stations(probed: &Probed<'_>, style: Style) -> String {
    let titles = ["STATION", "NAMESPACE", "FORTH", "BACK", ""];
    let mut table = Table::new(titles.map(|title| Column::new(title, Shrink::Text(6))).into());
    for (at, station) in probed.stations.all.iter().enumerate() {
        let tone = if station.expected[0] { Tone::Plain } else { Tone::Faint };
        let number = |count: Option<Count>| count.map_or_else(|| "?".to_owned(), |count| count.packets.to_string());
        let [forth, back] = station.counts.map(|count| Cell::new(tone, number(count)));
        let namespace = station.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
        let unsure = probed.stations.losses.iter().flatten().any(|loss| !loss.is_sure && loss.after == at);
        let said = match probed.stations.stops() {
            [Some(stop), _] if stop == at => Cell::new(Tone::Bad, "✗ stops after it"),
            [_, Some(stop)] if stop == at && matches!(probed.fate, Fate::Astray(..)) => {
                Cell::new(Tone::Bad, "✗ the answer leaves its way after it")
            }
            [_, Some(stop)] if stop == at => Cell::new(Tone::Bad, "✗ the answer stops after it"),
            _ if unsure => Cell::new(Tone::Unsure, "? not seen behind it"),
            _ if station.counts[0].is_none() => Cell::new(Tone::Unsure, "not visible here"),
            _ if !station.expected[0] => Cell::new(Tone::Faint, "passed here, too"),
            _ => Cell::from(""),
        };
        let name = Cell::new(tone, station.name.clone());
        table.row(vec![name, Cell::new(Tone::Faint, namespace), forth, back, said]);
    }
    table.render(style)
}
