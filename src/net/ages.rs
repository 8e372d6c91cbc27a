//! How old what is known of a node is, where its kernel does not say by itself
//! that it changed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::NetnsName;

/// The ages of a watched node's parts that are read in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ages {
    /// The namespaces; `None` is the host's own.
    pub places: BTreeMap<Option<NetnsName>, Age>,
    /// When the host's side was read: the agent's process and files, Open vSwitch.
    pub host: Timestamp,
}

/// The age of one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Age {
    /// When what is not announced was read: settings, proxy entries, legacy tables.
    pub at: Timestamp,
    /// Why nothing at all is heard from it: then all of it is as old.
    pub deaf: Option<String>,
}

impl Default for Ages {
    fn default() -> Self {
        Self { places: BTreeMap::new(), host: Timestamp::UNIX_EPOCH }
    }
}

impl Ages {
    /// The age of a namespace; `None` is the host's own.
    pub fn of(&self, place: Option<&NetnsName>) -> Option<&Age> {
        self.places.get(&place.cloned())
    }
}
