//! Rates: the classes with their last minute, and in short what other screens
//! show of them while somebody listens.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::pen::{Pen, lines};
use super::{class_style, class_word};
use crate::path::Class;
use crate::topology::FloatingIp;
use crate::traffic::{CLASSES, Interval, short};
use crate::tui::router::Band;
use crate::tui::state::State;
use crate::tui::theme::Theme;
use crate::tui::traffic::{Hearing, History, REMEMBERED};

/// Eighths of a row, from one to all of it.
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Columns of the overview's rates, without and with their past, and the widths from
/// which there is room.
const BESIDE: u16 = 16;
const ROOM: u16 = 72;
const PAST: u16 = 10;
const ROOM_FOR_PAST: u16 = 104;

pub(super) fn classes(theme: &Theme, past: &History, interval: &Interval, area: Rect, buffer: &mut Buffer) {
    let mut rows = lines(area);
    let Some(first) = rows.next() else { return };
    let mut pen = Pen::new(buffer, first);
    pen.to(1).cell("class", 10, theme.title).write("  pkt/s   bit/s  ", theme.title).fit("60 s", theme.title);
    for (row, class) in rows.zip(CLASSES) {
        let count = interval.class(class);
        let quiet = class == Class::None && count.packets == 0;
        let style = if quiet { theme.dim } else { class_style(theme, class) };
        let plain = if quiet { theme.dim } else { theme.text };
        let mut pen = Pen::new(buffer, row);
        pen.to(1).cell(class_word(class), 10, style);
        let packets = short(interval.rate(count.packets));
        let bits = short(interval.rate(count.bytes.saturating_mul(8)));
        pen.write(&format!("{packets:>7} {bits:>7}  "), plain);
        let width = usize::from(pen.room()).saturating_sub(1).min(REMEMBERED);
        pen.write(&spark(&past.class(class), width), style);
    }
}

/// What the overview's header says of the classes.
pub(in crate::tui::view) fn header(state: &State) -> Vec<String> {
    let Some(hearing) = heard_now(state) else { return Vec::new() };
    let Some(heard) = &hearing.last else { return vec!["listening…".to_owned()] };
    if hearing.failed.is_some() {
        return vec!["nothing is heard".to_owned()];
    }
    let told = [Class::EastWest, Class::Snat, Class::Fip].map(|class| {
        let rate = short(heard.interval.rate(heard.interval.class(class).packets));
        format!("{} {rate}/s", class.word())
    });
    let spark = spark(&hearing.past.class(Class::Fip), 8);
    vec![format!("{} {spark}", told.join("  "))]
}

/// Packets and bits a second of a router's class, and its past in so many columns,
/// while somebody listens.
pub(in crate::tui::view) fn rates(
    state: &State,
    router: &str,
    band: Band,
    width: usize,
) -> Option<([String; 2], String)> {
    let hearing = heard_now(state).filter(|hearing| hearing.failed.is_none())?;
    let rates = hearing.router_rates(router, band.class())?.map(short);
    Some((rates, spark(&hearing.past.router(router, band.class()), width)))
}

/// The overview's rows without the columns of the rates, and these columns,
/// where somebody listens and there is room.
pub(in crate::tui) fn beside(state: &State, area: Rect) -> (Rect, Rect) {
    let heard = heard_now(state).is_some_and(|hearing| hearing.last.is_some());
    let width = match area.width {
        _ if !heard => 0,
        ROOM_FOR_PAST.. => BESIDE + PAST,
        ROOM.. => BESIDE,
        _ => 0,
    };
    let left = area.width - width;
    (Rect { width: left, ..area }, Rect { x: area.x + left, width, ..area })
}

/// A floating IP's rates in these columns; without one their titles.
pub(in crate::tui::view) fn rates_of(state: &State, fip: Option<&FloatingIp>, area: Rect, buffer: &mut Buffer) {
    let Some(hearing) = heard_now(state).filter(|_| area.width > 0) else { return };
    let theme = &state.theme;
    let mut pen = Pen::new(buffer, area);
    let Some(fip) = fip else {
        pen.write(&format!("{:>7} {:>7}", "in/s", "out/s"), theme.title);
        return;
    };
    let Some((rates, past)) = hearing.rates(fip) else {
        pen.write(&format!("{:>7} {:>7}", "?", "?"), theme.text);
        return;
    };
    let told = rates.map(short);
    pen.write(&format!("{:>7} {:>7}", told[0], told[1]), theme.text);
    if area.width > BESIDE {
        let width = usize::from(PAST - 2);
        pen.write(&format!(" {:>width$}", spark(&past, width)), theme.fip);
    }
}

/// What is heard, where the node is shown as it is: rates of now do not belong beside
/// its past.
fn heard_now(state: &State) -> Option<&Hearing> {
    state.hearing.as_ref().filter(|_| state.frozen.is_none())
}

/// The last numbers as bars, the newest at the right; nothing is a blank.
pub(super) fn spark(past: &[u64], width: usize) -> String {
    let shown = &past[past.len().saturating_sub(width)..];
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    let bar = |number: &u64| match number {
        0 => " ",
        number => {
            let eighth = (u128::from(*number) * 8).div_ceil(most.into()).clamp(1, 8);
            BARS[usize::try_from(eighth - 1).unwrap_or(0)]
        }
    };
    shown.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_numbers_and_keep_to_their_columns() {
        assert_eq!(spark(&[0, 1, 4, 8], 10), " ▁▄█");
        assert_eq!(spark(&[9, 0, 1, 4, 8], 4), " ▁▄█");
        assert_eq!(spark(&[], 4), "");
        assert_eq!(spark(&[u64::MAX, 1], 4), "█▁");
    }
}
