//! The console as a function: what it knows ([`State`]), what can happen to it
//! ([`Msg`]), what it wants done outside ([`Effect`]), and how it looks
//! ([`view()`]). Pure: no I/O, no clock, drawing changes nothing.
//!
//! Keys stand in one table, [`keymap::BINDINGS`]; sizes in one place, `layout`;
//! colours by role in [`theme::Theme`].

mod chain;
mod diagram;
mod errand;
mod findings;
mod flow;
mod form;
mod goto;
mod journal;
mod judged;
pub mod keymap;
mod layout;
mod list;
mod live;
mod message;
mod namespace;
mod overview;
mod page;
mod proposal;
mod recording;
mod router;
mod state;
pub mod svg;
pub mod theme;
mod timeline;
mod tracked;
mod traffic;
mod update;
mod view;
mod walk;
mod words;

pub use chain::{Chain, LinkId};
pub use errand::{ErrandView, Followed};
pub use findings::{FindingId, FindingRow, FindingsView};
pub use flow::{FlowId, FlowView};
pub use form::{Field, Form, Missing, Offer};
pub use journal::JournalView;
pub use judged::{Counts, Judged};
pub use list::List;
pub use live::{Live, Watching};
pub use message::{Effect, Msg, Over, Then};
pub use namespace::{Line, LineKind, Namespace, Tab, TabView, table_meaning};
pub use overview::{FipId, Heading, Overview, Row, RowId, Section, Sort, SortKey, Widths};
pub use page::Page;
pub use proposal::{Each, Order, Proposal, RootState, Rooted, Stage, Taken, Wanted};
pub use recording::{Recording, Replay, Turned};
pub use router::{Band, RouterView, WayId, WayRow};
pub use state::{Coming, Frozen, Node, Prompt, Purpose, Screen, State};
pub use timeline::{Event, EventRow, EventsView, MOST_CHANGES, MOST_WEIGHT, Moment, Still, Timeline};
pub use tracked::{Tracked, TrackedRow, TrackedView};
pub use traffic::{
    Attention, Heard, Hearing, History, Said, TrafficId, TrafficRow, TrafficView, Writing, Written, why,
};
pub use update::update;
pub use view::view;
pub use walk::{Answered, Asked, Ends, Walking, Walks};
pub use words::{Mark, Tally, ago, short, short_netns, span};
