//! A state, a terminal and a hand on the keyboard.

use crossterm::event::{KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use fipscope::tui::keymap::Key;
use fipscope::tui::{Effect, Msg, Node, State, Then, update, view};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Size;

use crate::article;

pub struct Desk {
    pub state: State,
    pub effects: Vec<Effect>,
}

impl Desk {
    /// A console of that size before anything was read.
    pub fn blank(width: u16, height: u16) -> Self {
        let now = article::taken_at() + jiff::SignedDuration::from_secs(4);
        Self { state: State::new(Size::new(width, height), now), effects: Vec::new() }
    }

    /// A console of that size that has read a node.
    pub fn with(width: u16, height: u16, node: Node) -> Self {
        let mut desk = Self::blank(width, height);
        desk.send(Msg::Node(Ok(node)));
        desk
    }

    pub fn article(width: u16, height: u16) -> Self {
        Self::with(width, height, article::node())
    }

    /// One step; moments of the past are judged at once.
    pub fn send(&mut self, msg: Msg) {
        for effect in update(&mut self.state, msg) {
            match effect {
                Effect::Judge(still) => {
                    let node = Ok(Node::of(still.snapshot()));
                    self.send(Msg::Then(Box::new(Then { still: *still, node })));
                }
                effect => self.effects.push(effect),
            }
        }
    }

    /// Types keys: `jj<enter>/rule<esc>`.
    pub fn keys(mut self, text: &str) -> Self {
        for event in events(text) {
            self.send(Msg::Key(event));
        }
        self
    }

    pub fn click(mut self, column: u16, row: u16) -> Self {
        let kind = MouseEventKind::Down(MouseButton::Left);
        self.send(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
        self
    }

    pub fn wheel(mut self, kind: MouseEventKind) -> Self {
        self.send(Msg::Mouse(MouseEvent { kind, column: 5, row: 5, modifiers: KeyModifiers::NONE }));
        self
    }

    pub fn buffer(&self) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(self.state.size.width, self.state.size.height)).unwrap();
        terminal.draw(|frame| view(&self.state, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen as text, blanks at the ends of lines cut.
    pub fn screen(&self) -> String {
        text(&self.buffer())
    }

    /// The floating IP under the cursor of the overview.
    pub fn selected(&self) -> String {
        let topology = &self.state.node.as_ref().unwrap().topology;
        let fip = self.state.overview.current_fip(topology).and_then(|fip| fip.floating_ip);
        fip.map_or_else(|| format!("{:?}", self.state.overview.selected), |address| address.to_string())
    }
}

pub fn text(buffer: &Buffer) -> String {
    let lines = buffer.content.chunks(usize::from(buffer.area.width.max(1)));
    let lines: Vec<String> = lines
        .map(|cells| cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// Key presses from text; names stand in angle brackets.
pub fn events(text: &str) -> Vec<KeyEvent> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (name, after) = match rest.strip_prefix('<').and_then(|inner| inner.split_once('>')) {
            Some((name, after)) => (name.to_owned(), after),
            None => (first.to_string(), &rest[first.len_utf8()..]),
        };
        let key: Key = name.parse().unwrap();
        let mut modifiers = KeyModifiers::NONE;
        modifiers.set(KeyModifiers::CONTROL, key.ctrl);
        modifiers.set(KeyModifiers::ALT, key.alt);
        keys.push(KeyEvent::new(key.code, modifiers));
        rest = after;
    }
    keys
}
