//! What stopped a packet, in words and with the object to blame.

use super::filter::Cause as Blame;
use super::model::{Stop, Verdict};
use super::pass::Cause;
use super::route::Refusal;
use super::space::Space;
use crate::net::{Link, NetnsName};
use crate::topology::{ObjectKind, ObjectRef};

impl Stop {
    pub(super) fn new(namespace: &NetnsName, reason: impl Into<String>) -> Self {
        Self { namespace: namespace.clone(), object: None, reason: reason.into() }
    }

    pub(super) fn at(self, kind: ObjectKind, key: impl Into<String>) -> Self {
        Self { object: Some(ObjectRef { kind, key: key.into() }), ..self }
    }
}

impl Cause<'_> {
    /// What the sender sees of it.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Rejected(_) | Self::TooLong(..) => Verdict::Reject,
            // What the kernel answers with ICMP unreachable (`ip_error`).
            Self::Refused(Refusal::NoRoute | Refusal::Rule(_, 13 | 101) | Refusal::Route(_, 13 | 113)) => {
                Verdict::Reject
            }
            Self::Filter(_) | Self::Routing(_) => Verdict::Unknown,
            Self::Dropped(_) | Self::Refused(_) | Self::InputDown(_) | Self::OutputDown(_) => Verdict::Drop,
        }
    }
}

impl Space<'_> {
    /// A cause as a sentence, with its object.
    pub(super) fn stop(&self, iif: Option<&Link>, cause: &Cause<'_>) -> Stop {
        let say = |reason: String| Stop::new(self.name, reason);
        match cause {
            Cause::Dropped(blame) => self.filtered("dropped", *blame),
            Cause::Rejected(blame) => self.filtered("rejected", *blame),
            Cause::Refused(refusal) => match iif {
                Some(link) => self.refusal_stop(link, refusal),
                None => self.refusal(None, refusal),
            },
            Cause::InputDown(name) => say(format!("{name} is down")).at(ObjectKind::Link, name.to_string()),
            Cause::OutputDown(name) => {
                say(format!("{name} is down or has no carrier")).at(ObjectKind::Link, name.to_string())
            }
            Cause::TooLong(name, mtu) => {
                say(format!("too long for {name} (MTU {mtu}) and not to be fragmented: the sender is told"))
                    .at(ObjectKind::Link, name.to_string())
            }
            Cause::Filter(why) => say(why.clone()),
            Cause::Routing(riddle) => say(riddle.reason()),
        }
    }

    fn filtered(&self, word: &str, blame: Blame) -> Stop {
        let reason = self.filter().reason(blame);
        Stop::new(self.name, format!("{word} by {reason}")).at(ObjectKind::Filter, reason)
    }

    /// A refusal of a packet that came in by a device.
    pub(super) fn refusal_stop(&self, iif: &Link, refusal: &Refusal<'_>) -> Stop {
        self.refusal(Some(iif), refusal)
    }

    fn refusal(&self, iif: Option<&Link>, refusal: &Refusal<'_>) -> Stop {
        let say = |reason: String| Stop::new(self.name, reason);
        let device = iif.map_or_else(|| "the namespace".to_owned(), |link| link.name.to_string());
        match refusal {
            Refusal::NoRoute => say("no rule leads to a route for it".to_owned()).at(ObjectKind::Route, "default"),
            Refusal::Rule(rule, _) => say(format!("refused by rule \"{rule}\"")).at(ObjectKind::Rule, rule.to_string()),
            Refusal::Route(route, _) => {
                say(format!("refused by route \"{route}\"")).at(ObjectKind::Route, route.to_string())
            }
            Refusal::ForwardingOff => say(format!("forwarding is off on {device}"))
                .at(ObjectKind::Sysctl, format!("net.ipv4.conf.{device}.forwarding")),
            Refusal::MartianSource => say("its source address can be no source here".to_owned()),
            Refusal::OwnSource => say("its source is one of this namespace's own addresses".to_owned()),
            Refusal::MartianDestination => say("its destination cannot be routed".to_owned()),
            Refusal::ReversePath(level) => say(format!(
                "rp_filter {level} on {device} refuses its source: the way back does not lead through {device}"
            ))
            .at(ObjectKind::Sysctl, format!("net.ipv4.conf.{device}.rp_filter")),
            Refusal::ForeignSource => say("its source is no address of this namespace".to_owned()),
            Refusal::NoDevice => say("the route's device is gone".to_owned()),
        }
    }
}
