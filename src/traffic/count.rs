//! Packets and bytes.

use std::ops::{Add, AddAssign, Sub};

use serde::Serialize;

use crate::path::Class;

/// Every class, in the order in which they are told.
pub const CLASSES: [Class; 5] = [Class::EastWest, Class::Snat, Class::Fip, Class::Local, Class::None];

/// How much was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Count {
    /// Packets; a frame that the kernel merged counts as the segments it carries.
    pub packets: u64,
    /// Bytes of these packets, from the IPv4 header on.
    pub bytes: u64,
}

/// A rate in few characters: `12`, `1.2k`, `14M`.
pub fn short(number: f64) -> String {
    match number {
        n if n < 1e3 => format!("{n:.0}"),
        n if n < 1e4 => format!("{:.1}k", n / 1e3),
        n if n < 1e6 => format!("{:.0}k", n / 1e3),
        n if n < 1e7 => format!("{:.1}M", n / 1e6),
        n if n < 1e9 => format!("{:.0}M", n / 1e6),
        n => format!("{:.1}G", n / 1e9),
    }
}

impl Count {
    /// The larger of two counts of the same packets.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { packets: self.packets.max(other.packets), bytes: self.bytes.max(other.bytes) }
    }

    /// The smaller of two counts.
    #[must_use]
    pub(super) fn min(self, other: Self) -> Self {
        Self { packets: self.packets.min(other.packets), bytes: self.bytes.min(other.bytes) }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { packets: self.packets.saturating_add(other.packets), bytes: self.bytes.saturating_add(other.bytes) }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Count {
    type Output = Self;

    /// Never below zero.
    fn sub(self, other: Self) -> Self {
        Self { packets: self.packets.saturating_sub(other.packets), bytes: self.bytes.saturating_sub(other.bytes) }
    }
}
