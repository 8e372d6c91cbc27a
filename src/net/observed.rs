//! What reading one thing came to: seen, absent, or unreadable.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The outcome of reading one thing.
///
/// The third answer cannot be left out: whoever judges has to say what they do
/// when the thing could not be read, and silence never counts as health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed<T> {
    /// It was read, and this is what it says.
    Seen(T),
    /// It was looked for in the right place, and it is not there.
    #[default]
    Absent,
    /// It could not be read; the text says why, for a person.
    Unreadable(String),
}

impl<T> Observed<T> {
    /// The value, where it was seen.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }

    /// Why it could not be read, where that is so.
    pub fn unreadable(&self) -> Option<&str> {
        match self {
            Self::Unreadable(why) => Some(why),
            Self::Seen(_) | Self::Absent => None,
        }
    }

    /// The same outcome, with the value changed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Seen(value) => Observed::Seen(change(value)),
            Self::Absent => Observed::Absent,
            Self::Unreadable(why) => Observed::Unreadable(why),
        }
    }

    /// A reference to what was seen, the outcome kept.
    pub fn as_ref(&self) -> Observed<&T> {
        match self {
            Self::Seen(value) => Observed::Seen(value),
            Self::Absent => Observed::Absent,
            Self::Unreadable(why) => Observed::Unreadable(why.clone()),
        }
    }

    /// True for [`Observed::Absent`].
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: Clone> Observed<Arc<T>> {
    /// The value to write into, where it was seen. Where others share it, they
    /// keep it as it was.
    pub fn make_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Seen(value) => Some(Arc::make_mut(value)),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

impl<T> Observed<Arc<T>> {
    /// Whether it is the very same, which takes no look inside: two that only say
    /// the same are not.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Seen(one), Self::Seen(other)) => Arc::ptr_eq(one, other),
            (Self::Absent, Self::Absent) => true,
            (Self::Unreadable(one), Self::Unreadable(other)) => one == other,
            _ => false,
        }
    }
}
