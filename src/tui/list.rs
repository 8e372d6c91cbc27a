//! A list's cursor and scroll offset, apart from what it lists.

/// Where the cursor stands, and which row is at the top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The row under the cursor.
    pub cursor: usize,
    /// The first row shown.
    pub offset: usize,
}

impl List {
    /// The height of a list whose room follows from its rows: what is in sight
    /// is settled by the [`List::reveal`] that comes after.
    pub const UNKNOWN: usize = usize::MAX;

    /// Puts the cursor on `to`, or on the nearest row that can be selected:
    /// first onward in the way of the move, then back.
    pub fn go(&mut self, to: usize, height: usize, count: usize, selectable: impl Fn(usize) -> bool) {
        let to = to.min(count.saturating_sub(1));
        let onward = |from: usize| (from..count).find(|row| selectable(*row));
        let back = |from: usize| (0..=from).rev().find(|row| *row < count && selectable(*row));
        let found = if to >= self.cursor { onward(to).or_else(|| back(to)) } else { back(to).or_else(|| onward(to)) };
        self.cursor = found.unwrap_or(0);
        self.reveal(height, count);
    }

    /// Moves by rows, negative upward.
    pub fn step(&mut self, by: isize, height: usize, count: usize, selectable: impl Fn(usize) -> bool) {
        self.go(self.cursor.saturating_add_signed(by), height, count, selectable);
    }

    /// Scrolls as little as shows the cursor, and never past the end.
    pub fn reveal(&mut self, height: usize, count: usize) {
        if height == Self::UNKNOWN {
            return;
        }
        let height = height.max(1);
        // The row above stays in sight, so that a group's heading does too.
        let above = if height > 2 { self.cursor.saturating_sub(1) } else { self.cursor };
        if self.offset > above {
            self.offset = above;
        } else if self.cursor >= self.offset + height {
            self.offset = self.cursor + 1 - height;
        }
        self.offset = self.offset.min(count.saturating_sub(height));
    }

    /// The rows changed and the cursor's row is now `cursor`: it stays where it
    /// is on the screen.
    pub fn follow(&mut self, cursor: usize, height: usize, count: usize) {
        let on_screen = self.cursor.saturating_sub(self.offset);
        self.cursor = cursor;
        self.offset = cursor.saturating_sub(on_screen);
        self.reveal(height, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_stepped_over() {
        let selectable = |row: usize| row != 0 && row != 3;
        let mut list = List { cursor: 2, offset: 0 };
        list.step(1, 10, 6, selectable);
        assert_eq!(list.cursor, 4);
        list.step(-1, 10, 6, selectable);
        assert_eq!(list.cursor, 2);
        list.go(0, 10, 6, selectable);
        assert_eq!(list.cursor, 1);
        list.go(usize::MAX, 10, 6, selectable);
        assert_eq!(list.cursor, 5);
    }

    #[test]
    fn the_row_under_the_cursor_stays_on_its_line() {
        let mut list = List { cursor: 20, offset: 15 };
        list.follow(120, 10, 500);
        assert_eq!(list, List { cursor: 120, offset: 115 });
    }

    #[test]
    fn nothing_to_select_is_no_trouble() {
        let mut list = List { cursor: 7, offset: 3 };
        list.go(9, 0, 0, |_| true);
        assert_eq!(list, List::default());
    }
}
