//! Names and numbers that carry their meaning in their type.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Makes text from outside safe for a terminal: control characters (escape
/// sequences among them), bidirectional overrides and zero-width characters
/// become `\u{..}`, and what is longer than `limit` characters is cut with `…`.
///
/// ```
/// assert_eq!(fipscope::net::printable("eth0\u{1b}[2J", 64), "eth0\\u{1b}[2J");
/// ```
pub fn printable(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit.saturating_add(4)));
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        let hidden =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || hidden {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

// Names stand in every object that a node is made of: those of devices fit into the
// value itself, those of namespaces are shared by their copies.
macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $limit:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(SmolStr);

        impl $name {
            /// Takes the name as it is; it is untrusted until it is displayed.
            pub fn new(name: impl AsRef<str>) -> Self {
                Self(SmolStr::new(name))
            }

            /// The raw name, as the kernel or the file system has it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&printable(&self.0, $limit))
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }
    };
}

text_name! {
    /// The name of a network namespace: a file name in the namespace folder.
    NetnsName, 255
}
text_name! {
    /// The name of a network device, at most 15 bytes in the kernel (`IFNAMSIZ`).
    IfName, 64
}

/// A routing table's number. All 32 bits count: the agent numbers tables by
/// addresses (`neutron/agent/l3/dvr_local_router.py`, `_get_snat_idx`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TableId(pub u32);

impl TableId {
    /// `RT_TABLE_LOCAL`.
    pub const LOCAL: Self = Self(255);
    /// `RT_TABLE_MAIN`.
    pub const MAIN: Self = Self(254);
    /// `RT_TABLE_DEFAULT`.
    pub const DEFAULT: Self = Self(253);
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::LOCAL => f.pad("local"),
            Self::MAIN => f.pad("main"),
            Self::DEFAULT => f.pad("default"),
            Self(id) => f.pad(&id.to_string()),
        }
    }
}

/// The priority of a policy rule: the lower number is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RulePriority(pub u32);

impl fmt::Display for RulePriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

/// An address family of rules and routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A 48-bit hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.0.map(|byte| format!("{byte:02x}"));
        f.pad(&hex.join(":"))
    }
}

/// Text that is not a MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a MAC address (six two-digit hexadecimal bytes with colons between)")]
pub struct NotAMac;

impl FromStr for Mac {
    type Err = NotAMac;

    fn from_str(text: &str) -> Result<Self, NotAMac> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|p| p.len() == 2).ok_or(NotAMac)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| NotAMac)?;
        }
        if parts.next().is_some() { Err(NotAMac) } else { Ok(Self(bytes)) }
    }
}

impl Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_survive() {
        assert_eq!(printable("a\u{1b}[31mb", 64), "a\\u{1b}[31mb");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("x\u{202e}y", 64), "x\\u{202e}y");
    }

    #[test]
    fn mac_goes_both_ways() {
        let mac: Mac = "fa:16:3e:df:74:6c".parse().unwrap();
        assert_eq!(mac.to_string(), "fa:16:3e:df:74:6c");
        for bad in ["", "fa:16:3e:df:74", "fa:16:3e:df:74:6c:00", "fa:16:3e:df:74:6", "fa:16:3e:df:74:zz"] {
            assert_eq!(bad.parse::<Mac>(), Err(NotAMac), "{bad}");
        }
    }

    #[test]
    fn well_known_tables_have_their_names() {
        assert_eq!(TableId(254).to_string(), "main");
        assert_eq!(TableId(2_852_018_311).to_string(), "2852018311");
    }
}
