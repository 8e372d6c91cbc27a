//! The form for an association: its fields, what could stand there, and what
//! the plan says to it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::{Pen, lines, wrap};
use crate::net::printable;
use crate::tui::form::{Field, Form};
use crate::tui::layout;
use crate::tui::state::State;
use crate::tui::words::{Mark, count, one_line};

/// The column of what is typed.
const VALUE: u16 = 17;

pub(super) fn draw(state: &State, form: &Form, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let parts = layout::form(form.fields().len(), body);
    Pen::new(buffer, parts.title).write(" ", theme.text).fit("associate a floating IP", theme.name);
    for (row, field) in lines(parts.fields).zip(form.fields().into_iter().skip(form.offset(parts.fields.height))) {
        let here = field == form.field;
        let mut pen = Pen::new(buffer, row);
        pen.write(if here { " ▸ " } else { "   " }, theme.key).write(field.label(), theme.title).to(VALUE);
        pen.fit(&printable(form.text(field), 64), if here { theme.prompt } else { theme.text });
        if here && !field.is_choice() {
            pen.write("▏", theme.prompt);
        }
    }
    Pen::new(buffer, parts.hint).to(3).fit(&hint(form), theme.dim);
    let (mark, text) = match &form.verdict {
        Ok(text) => (Mark::Ok, text.clone()),
        Err(why) => (Mark::None, one_line(why)),
    };
    let width = usize::from(parts.verdict.width.saturating_sub(4));
    let text = printable(&text, 600);
    let told = if parts.verdict.height == 1 { vec![text] } else { wrap(&text, width) };
    for (at, (row, line)) in lines(parts.verdict).zip(told).enumerate() {
        let mut pen = Pen::new(buffer, row);
        if at == 0 {
            pen.write(" ", theme.text).mark(mark, theme);
        }
        pen.to(3).fit(&line, theme.text);
    }
    let shown = usize::from(parts.offers.height);
    let first = form.chosen.unwrap_or(0).saturating_sub(shown.saturating_sub(1));
    for (row, (at, offer)) in lines(parts.offers).zip(form.offers.iter().enumerate().skip(first)) {
        let style = if form.chosen == Some(at) { theme.selected } else { theme.dim };
        let mut pen = Pen::new(buffer, row);
        pen.to(VALUE).fit(&offer.text, style);
        if usize::from(pen.room()) > offer.note.chars().count() + 2 {
            pen.write("  ", theme.dim).write(&offer.note, theme.dim);
        }
    }
}

/// What helps with the field.
fn hint(form: &Form) -> String {
    let offered = count(form.offers.len(), "offer", "offers");
    let text = match form.field {
        Field::FloatingIp => "a free address of the external network's subnet",
        Field::FixedIp => "of an instance in one of the router's subnets",
        Field::Router => "empty: the one that has the fixed IP's subnet",
        Field::Where => return "on the gateway port: as Neutron does it for instances elsewhere: ↓".to_owned(),
        Field::Neutron => return "what Neutron has decides what the L3 agent does later: ↓".to_owned(),
        Field::Announce => return "how the external network hears of it: ↓".to_owned(),
        Field::Network => "the external network's whole id, as Neutron has it",
        Field::Layout => "empty: as the marks on this node tell",
        Field::PortId => "id of this host's port network:floatingip_agent_gateway",
        Field::PortAddress => "its address with the subnet's length: 192.168.1.23/24",
        Field::PortMac => "its hardware address",
        Field::Gateway => "the gateway of its subnet",
        Field::Bridge => "where it is attached: br-int, br-ex, a Linux bridge",
        Field::Vlan => "empty: that of another port of the same network",
    };
    if form.offers.is_empty() { text.to_owned() } else { format!("{text}; ↓ {offered}") }
}
