//! Colours by role, and what stands in for the glyphs on a terminal that has
//! ASCII only. Colour carries a state together with its glyph, never alone.

use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};

macro_rules! theme {
    ($($role:ident: $doc:literal = $coloured:expr, $plain:expr;)*) => {
        /// A style for each role.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Theme {
            $(#[doc = $doc] pub $role: Style,)*
            /// Only ASCII reaches the terminal.
            pub ascii: bool,
        }

        impl Theme {
            /// The names of all roles, as the configuration file has them.
            pub const ROLES: &'static [&'static str] = &[$(stringify!($role),)*];

            /// The sixteen colours that every terminal has, in the user's own palette.
            pub fn coloured() -> Self {
                Self { $($role: $coloured,)* ascii: false }
            }

            /// No colour at all (`NO_COLOR`, or a terminal without).
            pub fn plain() -> Self {
                Self { $($role: $plain,)* ascii: false }
            }

            /// Sets one role from words: colours (`red`, `on blue`) and `bold`,
            /// `dim`, `italic`, `underlined`, `reversed`.
            pub fn set(&mut self, role: &str, words: &str) -> Result<(), ThemeError> {
                let style = parse(words)?;
                match role {
                    $(stringify!($role) => self.$role = style,)*
                    _ => return Err(ThemeError::Role(role.to_owned(), Self::ROLES.join(", "))),
                }
                Ok(())
            }
        }
    };
}

const fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

const fn fg(colour: Color) -> Style {
    Style::new().fg(colour)
}

const PLAIN: Style = Style::new();
const FAINT: Style = Style::new().add_modifier(Modifier::DIM);

theme! {
    text: "Ordinary text." = PLAIN, PLAIN;
    dim: "What is there but not the point." = fg(Color::DarkGray), FAINT;
    name: "The program's name, and the place where one is." = fg(Color::Cyan).add_modifier(Modifier::BOLD), bold();
    heading: "The line above a group." = fg(Color::Blue), PLAIN;
    title: "Column titles and labels." = fg(Color::DarkGray), FAINT;
    ok: "As it should be." = fg(Color::Green), PLAIN;
    broken: "Missing or wrong." = fg(Color::Red).add_modifier(Modifier::BOLD), bold();
    degraded: "Works, but not as it should be." = fg(Color::Yellow), PLAIN;
    unknown: "Could not be judged." = fg(Color::Magenta), PLAIN;
    none: "Nothing there, rightly." = fg(Color::DarkGray), PLAIN;
    selected: "The row or link under the cursor." =
        Style::new().bg(Color::DarkGray).fg(Color::White).add_modifier(Modifier::BOLD),
        Style::new().add_modifier(Modifier::REVERSED);
    border: "The lines of boxes." = fg(Color::DarkGray), PLAIN;
    rail: "The way of a packet, as far as it gets." = fg(Color::Green), PLAIN;
    packet: "The packet that is being watched." = fg(Color::Yellow).add_modifier(Modifier::BOLD), bold();
    east_west: "Traffic between a router's subnets." = fg(Color::Cyan), PLAIN;
    snat: "Traffic that leaves with the router's address." = fg(Color::Yellow), PLAIN;
    fip: "Traffic that leaves with a floating IP." = fg(Color::Green), PLAIN;
    key: "A key." = bold(), bold();
    banner: "Something went wrong." = fg(Color::Red).add_modifier(Modifier::BOLD), bold();
    prompt: "What is being typed." = fg(Color::Cyan), bold();
}

/// A setting that is no style.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// No such role.
    #[error("{0:?} is no role of the theme; there are {1}")]
    Role(String, String),
    /// No such word.
    #[error("{0:?} is neither a colour nor one of bold, dim, italic, underlined, reversed, on")]
    Word(String),
}

impl Default for Theme {
    fn default() -> Self {
        Self::coloured()
    }
}

fn parse(words: &str) -> Result<Style, ThemeError> {
    let mut style = Style::new();
    let mut background = false;
    for word in words.split_whitespace() {
        let modifier = match word {
            "on" => {
                background = true;
                continue;
            }
            "bold" => Some(Modifier::BOLD),
            "dim" => Some(Modifier::DIM),
            "italic" => Some(Modifier::ITALIC),
            "underlined" => Some(Modifier::UNDERLINED),
            "reversed" => Some(Modifier::REVERSED),
            _ => None,
        };
        if let Some(modifier) = modifier {
            style = style.add_modifier(modifier);
            continue;
        }
        let colour = Color::from_str(word).map_err(|_| ThemeError::Word(word.to_owned()))?;
        style = if background { style.bg(colour) } else { style.fg(colour) };
        background = false;
    }
    Ok(style)
}

/// The glyphs of the screen. Each is one column wide and has its ASCII
/// stand-in in [`ascii`].
#[expect(missing_docs, reason = "the glyph says it")]
pub mod glyph {
    pub const OK: &str = "✓";
    pub const BROKEN: &str = "✗";
    pub const DEGRADED: &str = "!";
    pub const UNKNOWN: &str = "?";
    pub const NONE: &str = "·";
    pub const MARKER: &str = "▌";
    pub const RAIL: &str = "─";
    pub const CUT: &str = "┄";
    pub const OUT: &str = "▶";
    pub const IN: &str = "◀";
    pub const PACKET: &str = "●";
}

/// What an ASCII terminal shows for a symbol.
pub fn ascii(symbol: &str) -> &str {
    match symbol {
        "✗" => "x",
        "▌" | "▶" | "→" | "›" | "↓" | "▸" => ">",
        "◀" | "←" | "↑" => "<",
        "⇄" | "▅" => "=",
        "●" => "o",
        "▲" => "^",
        "▼" | "▾" | "✓" => "v",
        "─" | "–" | "━" | "▄" => "-",
        "·" | "┄" | "▂" => ".",
        "│" | "┊" => "|",
        "▁" => "_",
        "▃" => ":",
        "▇" => "*",
        "█" => "#",
        "▆" | "╭" | "╮" | "╰" | "╯" | "┼" | "├" | "┤" => "+",
        "…" => "~",
        symbol if symbol.is_ascii() => symbol,
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_set_by_name() {
        let mut theme = Theme::coloured();
        theme.set("ok", "lightgreen bold on black").unwrap();
        assert_eq!(theme.ok, Style::new().fg(Color::LightGreen).bg(Color::Black).add_modifier(Modifier::BOLD));
        assert!(matches!(theme.set("nothing", "red"), Err(ThemeError::Role(..))));
        assert_eq!(theme.set("ok", "loud"), Err(ThemeError::Word("loud".to_owned())));
    }

    #[test]
    fn no_state_looks_like_another_or_like_a_frame() {
        let marks = [glyph::OK, glyph::BROKEN, glyph::DEGRADED, glyph::UNKNOWN, glyph::NONE, "╭", "│"].map(ascii);
        for (at, mark) in marks.iter().enumerate() {
            assert!(!marks[..at].contains(mark), "{mark}");
        }
    }

    #[test]
    fn every_ascii_stand_in_is_ascii() {
        for symbol in ["✓", "✗", "·", "▌", "─", "┄", "▶", "◀", "→", "⇄", "●", "…", "▁", "▅", "█", "漢", "é"]
        {
            assert!(ascii(symbol).is_ascii(), "{symbol}");
        }
    }
}
