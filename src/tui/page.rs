//! The page of a code: which, and how far it is scrolled. Its Markdown comes to
//! lines of a width here.

mod markdown;

pub(super) use markdown::{Kind, lines};

use crate::check::{Code, check};

/// The page of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which.
    pub code: Code,
    /// Lines scrolled away at the top.
    pub scroll: usize,
}

impl Page {
    /// A code's page, from its beginning.
    pub fn of(code: Code) -> Self {
        Self { code, scroll: 0 }
    }

    /// Its text; `None` for a code that is not known, or of which nothing is told.
    pub fn text(&self) -> Option<&'static str> {
        check(self.code).map(|check| check.page).filter(|page| page.lines().nth(1).is_some())
    }

    /// Scrolls by lines, negative upward, never past the end.
    pub(super) fn scroll(&mut self, by: isize, width: u16, height: usize) {
        let count = self.text().map_or(0, |text| lines(text, width).len());
        self.scroll = self.scroll.saturating_add_signed(by).min(count.saturating_sub(height));
    }
}
