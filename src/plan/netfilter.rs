//! An atomic change of one table of the packet filter.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::net::netfilter::Backend;

/// A change of one IPv4 table, which the kernel takes as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEdit {
    /// Whose table.
    pub backend: Backend,
    /// `nat`, `filter`, `mangle` or `raw`.
    pub table: String,
    /// The changes, in order.
    pub edits: Vec<ChainEdit>,
}

/// One change of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainEdit {
    /// Make a chain that is not there.
    NewChain(String),
    /// Take away a chain that is empty.
    DropChain(String),
    /// Add a rule.
    Add {
        /// The chain.
        chain: String,
        /// At this place, counted from 1; at the end where none is given.
        at: Option<u32>,
        /// The rule, in the words of `iptables-save`.
        rule: String,
    },
    /// Delete the first rule of these words.
    Delete {
        /// The chain.
        chain: String,
        /// The place where it stood, so that it can be put back.
        at: Option<u32>,
        /// The rule, in the words of `iptables-save`.
        rule: String,
    },
}

impl TableEdit {
    /// An edit without changes.
    pub fn new(backend: Backend, table: impl Into<String>) -> Self {
        Self { backend, table: table.into(), edits: Vec::new() }
    }

    /// Adds a new chain.
    pub fn chain(&mut self, name: impl Into<String>) {
        self.edits.push(ChainEdit::NewChain(name.into()));
    }

    /// Adds a rule at the end of a chain.
    pub fn append(&mut self, chain: impl Into<String>, rule: impl Into<String>) {
        self.edits.push(ChainEdit::Add { chain: chain.into(), at: None, rule: rule.into() });
    }

    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let edits = self.edits.iter().rev().map(ChainEdit::inverse).collect();
        Self { backend: self.backend, table: self.table.clone(), edits }
    }

    /// The text that `iptables-restore -n` reads.
    pub fn restore_text(&self) -> String {
        let mut text = format!("*{}\n", self.table);
        for edit in &self.edits {
            text.push_str(&edit.to_string());
            text.push('\n');
        }
        text.push_str("COMMIT\n");
        text
    }
}

impl ChainEdit {
    fn inverse(&self) -> Self {
        match self.clone() {
            Self::NewChain(chain) => Self::DropChain(chain),
            Self::DropChain(chain) => Self::NewChain(chain),
            Self::Add { chain, at, rule } => Self::Delete { chain, at, rule },
            Self::Delete { chain, at, rule } => Self::Add { chain, at, rule },
        }
    }
}

impl fmt::Display for ChainEdit {
    /// A line of `iptables-restore`. A line break in a rule would begin another
    /// line there, so control characters become spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self {
            Self::NewChain(chain) => format!("-N {chain}"),
            Self::DropChain(chain) => format!("-X {chain}"),
            Self::Add { chain, at: None, rule } => format!("-A {chain} {rule}"),
            Self::Add { chain, at: Some(at), rule } => format!("-I {chain} {at} {rule}"),
            Self::Delete { chain, rule, .. } => format!("-D {chain} {rule}"),
        };
        f.write_str(&line.replace(char::is_control, " "))
    }
}
