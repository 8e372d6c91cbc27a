//! All checks, in the order of their codes.

use super::wire::Wire;
use super::{AgentDoes, Code, Findings, Scene, Severity};
use super::{agents, files, fip, nat, neighbours, outside, pair, policy, snat};

/// One failure that the console knows.
#[derive(Debug)]
pub struct Check {
    /// Its code, for life.
    pub code: Code,
    /// The defect in kebab case.
    pub name: &'static str,
    /// What is wrong, in a few words that read after the code.
    pub title: &'static str,
    /// How bad it is at worst; a finding may be milder, never worse.
    pub severity: Severity,
    /// What the L3 agent usually does about it.
    pub agent: AgentDoes,
    /// Who can tell.
    pub decided_by: DecidedBy,
    /// Its page in Markdown (`assets/codes`).
    pub page: &'static str,
}

/// Who can tell whether a failure is there.
#[derive(Clone, Copy, Debug)]
pub enum DecidedBy {
    /// What was read of the node.
    Snapshot(fn(&Scene<'_>, &mut Findings)),
    /// The same, where what it finds of a router does not hang on which other
    /// routers it looks at ([`Scene::routers`]).
    Routers(fn(&Scene<'_>, &mut Findings)),
    /// The same; and then what only all of the node tells.
    Both(fn(&Scene<'_>, &mut Findings), fn(&Scene<'_>, &mut Findings)),
    /// Questions on the wire, asked on request only.
    Wire(fn(&Scene<'_>, &mut Wire<'_>, &mut Findings)),
    /// What no node knows of itself: OpenFlow tables, the Neutron API, another node.
    Elsewhere,
}

impl DecidedBy {
    /// What was read of the node decides it.
    pub fn is_read(self) -> bool {
        matches!(self, Self::Snapshot(_) | Self::Routers(_) | Self::Both(..))
    }

    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Snapshot(_) | Self::Routers(_) | Self::Both(..) => "snapshot",
            Self::Wire(_) => "wire",
            Self::Elsewhere => "elsewhere",
        }
    }

    /// It in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Snapshot(_) | Self::Routers(_) | Self::Both(..) => {
                "`fipscope check` decides it from what it reads of the node"
            }
            Self::Wire(_) => "only an answer on the wire decides it: `fipscope check --probe` asks",
            Self::Elsewhere => "this node cannot decide it; the page says what does",
        }
    }
}

/// The families, by the first digit of their codes.
static FAMILIES: [&[Check]; 9] = [
    agents::CHECKS,
    pair::CHECKS,
    policy::CHECKS,
    nat::CHECKS,
    fip::CHECKS,
    outside::CHECKS,
    neighbours::CHECKS,
    snat::CHECKS,
    files::CHECKS,
];

/// All checks, in code order.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The check with a code.
pub fn check(code: Code) -> Option<&'static Check> {
    checks().find(|check| check.code == code)
}

impl Check {
    /// How to repair it, as its page says, a paragraph each.
    pub fn how_to_repair(&self) -> Vec<String> {
        let lines = self.page.lines().skip_while(|line| *line != "## How to repair").skip(1);
        let section: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
        let paragraphs = section.split(|line| line.trim().is_empty()).filter(|lines| !lines.is_empty());
        paragraphs.map(|lines| lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")).collect()
    }
}
