//! A finding in words and marks.

use crate::check::{AgentDoes, Confidence, Finding, Severity};
use crate::tui::words::{Mark, short};

/// Its mark: one that could not be told is neither an error nor a warning, nor a note.
pub(in crate::tui) fn mark(finding: &Finding) -> Mark {
    match (finding.confidence, finding.severity) {
        (Confidence::Unknown, _) => Mark::Unknown,
        (_, Severity::Error) => Mark::Broken,
        (_, Severity::Warning) => Mark::Degraded,
        (_, Severity::Note) => Mark::None,
    }
}

/// `DVR301 floating-ip-rule-missing`.
pub(in crate::tui) fn name(finding: &Finding) -> String {
    format!("{} {}", finding.code, finding.name)
}

/// What it is about, short: an address, a router, a network, or the node.
pub(in crate::tui) fn subject(finding: &Finding) -> String {
    match (finding.floating_ip.or(finding.fixed_ip), &finding.router, &finding.external_network) {
        (Some(address), ..) => address.to_string(),
        (None, Some(router), _) => format!("router {}", short(router)),
        (None, None, Some(network)) => format!("net {}", short(network)),
        (None, None, None) => finding
            .namespace
            .as_ref()
            .map_or_else(|| "this node".to_owned(), |namespace| crate::tui::words::short_netns(namespace.as_str())),
    }
}

/// What the L3 agent will do about it, as a sentence.
pub(in crate::tui) fn agent(does: AgentDoes) -> &'static str {
    match does {
        AgentDoes::HealsOnUpdate => "The L3 agent will put it right at the router's next update.",
        AgentDoes::HealsOnRestart => "The L3 agent will put it right when it is restarted, not before.",
        AgentDoes::HealsOnReassociation => {
            "The L3 agent will put it right when the floating IP is associated anew, not before."
        }
        AgentDoes::Partly => "The L3 agent will put some of it right, not all.",
        AgentDoes::Never => "The L3 agent will not mend this: not on update, not on restart.",
        AgentDoes::Undoes => "The L3 agent will take a repair by hand back.",
        AgentDoes::NotApplicable => "The L3 agent has nothing to do with it.",
    }
}
