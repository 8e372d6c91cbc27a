//! A packet's way through the chains of one hook.

use super::bind::{bind, bind_null};
use super::compile::{Base, Stage, Step};
use super::condition::{ERROR, NOT_UNDERSTOOD, Truth};
use super::passing::{Binding, Manip, Passing};
use super::rule::{Act, Range};
use super::{Cause, ChainAt, Crossing, Fate, Filter, RuleAt};
use crate::net::netfilter::{ConnmarkOp, Hook};
use crate::path::model::NatKind;
use crate::path::track::Connection;

use std::net::Ipv4Addr;

/// Jumps and gotos nested deeper than this are given up. `nf_tables` itself
/// stops at 16 (`NFT_JUMP_STACK_SIZE`).
const DEPTH: u32 = 64;
/// The most rules that one packet is held against in one hook.
const BUDGET: u32 = 1 << 20;

/// What came of a chain.
enum Flow {
    /// It went to the end, or returned.
    End,
    Accept,
    Stop(Fate),
}

/// One pass of one hook.
struct Run<'r, 's> {
    filter: &'r Filter<'s>,
    hook: Hook,
    at: &'r Crossing<'r>,
    known: &'r [Connection],
    /// The side that may be translated, in a nat chain.
    manip: Option<Manip>,
    budget: u32,
}

/// Passes one hook.
pub(super) fn pass(
    filter: &Filter<'_>,
    hook: Hook,
    at: &Crossing<'_>,
    passing: &mut Passing,
    known: &[Connection],
) -> Fate {
    if let Some(why) = &filter.hooks.obstacle {
        return Fate::CannotTell(why.clone());
    }
    let Some(stages) = filter.hooks.stages(hook) else {
        return Fate::CannotTell("the hook is not understood".to_owned());
    };
    let mut run = Run { filter, hook, at, known, manip: None, budget: BUDGET };
    for stage in stages {
        let flow = match stage {
            Stage::Track => {
                passing.track(known);
                continue;
            }
            Stage::Chain(base) => run.base(base, passing),
            Stage::Translate(bases) => run.translate(bases, passing),
        };
        if let Flow::Stop(fate) = flow {
            return fate;
        }
    }
    Fate::Pass
}

impl Run<'_, '_> {
    /// All nat chains of a hook (`nf_nat_core.c: nf_nat_inet_fn`): only a first
    /// packet is held against their rules, once per side.
    fn translate(&mut self, bases: &[Base], passing: &mut Passing) -> Flow {
        if passing.error && self.known.iter().any(|known| known.src_nat || known.dst_nat) {
            return Flow::Stop(Fate::CannotTell(ERROR.to_owned()));
        }
        if passing.connection.is_none() || !self.filter.hooks.translates {
            return Flow::Accept;
        }
        let manip = match self.hook {
            Hook::Prerouting | Hook::Output => Manip::Destination,
            _ => Manip::Source,
        };
        if passing.first && passing.bound[manip.index()].is_none() {
            self.manip = Some(manip);
            for base in bases {
                if let stop @ Flow::Stop(_) = self.base(base, passing) {
                    return stop;
                }
                if passing.bound[manip.index()].is_some() {
                    break;
                }
            }
            self.manip = None;
            if passing.bound[manip.index()].is_none() {
                bind_null(passing, manip, self.known);
            }
        }
        passing.translate(manip);
        Flow::Accept
    }

    fn base(&mut self, base: &Base, passing: &mut Passing) -> Flow {
        let crossed = if self.hook == Hook::Egress { self.at.oif } else { self.at.iif };
        if base.device.as_ref().is_some_and(|device| device.as_str() != crossed) {
            return Flow::Accept;
        }
        if let Some(why) = &base.obstacle {
            return Flow::Stop(Fate::CannotTell(why.clone()));
        }
        match self.chain(base.at, passing, 0) {
            Flow::End if base.drops => Flow::Stop(Fate::Drop(Cause::Policy(base.at))),
            flow => flow,
        }
    }

    fn chain(&mut self, at: ChainAt, passing: &mut Passing, depth: u32) -> Flow {
        let filter = self.filter;
        let Some(chain) = filter.chain(at) else { return Flow::End };
        for step in &chain.steps {
            if let Some(spent) = self.spend(RuleAt { chain: at, position: 0 }) {
                return spent;
            }
            let single;
            let positions: &[u32] = match step {
                Step::Rule(position) => {
                    single = [*position];
                    &single
                }
                Step::BySource(index) => index.get(&passing.packet.src.to_bits()).map_or(&[], Vec::as_slice),
                Step::ByDestination(index) => index.get(&passing.packet.dst.to_bits()).map_or(&[], Vec::as_slice),
            };
            for position in positions {
                if let Some(flow) = self.rule(RuleAt { chain: at, position: *position }, passing, depth) {
                    return flow;
                }
            }
        }
        Flow::End
    }

    /// One rule; `None` where the next one is asked.
    fn rule(&mut self, at: RuleAt, passing: &mut Passing, depth: u32) -> Option<Flow> {
        let rule = self.filter.chain(at.chain)?.rules.get(at.position as usize)?;
        if let Some(spent) = self.spend(at) {
            return Some(spent);
        }
        let mut doubt = None;
        for condition in &rule.conditions {
            match condition.holds(self.at, passing) {
                Truth::No => return None,
                Truth::Unknown(why) => doubt = doubt.or(Some(why)),
                Truth::Yes => {}
            }
        }
        if let Some(why) = doubt {
            return Some(self.cannot_tell(at, why));
        }
        match rule.act {
            Act::Nothing => None,
            Act::Accept => Some(Flow::Accept),
            Act::Return => Some(Flow::End),
            Act::Drop => Some(Flow::Stop(Fate::Drop(Cause::Rule(at)))),
            Act::Reject => Some(Flow::Stop(Fate::Reject(Cause::Rule(at)))),
            Act::Jump(_) | Act::Goto(_) if depth == DEPTH => Some(self.cannot_tell(at, "chains are nested too deep")),
            Act::Jump(to) => match self.chain(ChainAt(to), passing, depth + 1) {
                Flow::End => None,
                flow => Some(flow),
            },
            // The end of that chain returns to whoever called this one.
            Act::Goto(to) => Some(self.chain(ChainAt(to), passing, depth + 1)),
            Act::Translate(kind, range) => Some(self.bind(at, kind, range, passing)),
            Act::Mark { value, mask } => {
                passing.set_mark((passing.packet.mark & !mask) ^ value, at);
                None
            }
            Act::Connmark(_) if passing.error => Some(self.cannot_tell(at, ERROR)),
            Act::Connmark(op) => {
                connmark(op, at, passing);
                None
            }
            Act::Notrack => {
                passing.exempt();
                None
            }
            Act::Unknown => Some(self.cannot_tell(at, NOT_UNDERSTOOD)),
        }
    }

    /// The target of a translation; the kernel refuses one in the wrong place.
    fn bind(&self, at: RuleAt, kind: NatKind, mut range: Range, passing: &mut Passing) -> Flow {
        let fits = match kind {
            NatKind::Dnat | NatKind::Redirect => self.manip == Some(Manip::Destination),
            NatKind::Snat => self.manip == Some(Manip::Source),
            _ => self.manip == Some(Manip::Source) && self.hook == Hook::Postrouting,
        };
        let (Some(manip), true) = (self.manip, fits) else {
            return self.cannot_tell(at, "a rule translates where the kernel allows no translation");
        };
        let own = match kind {
            NatKind::Redirect if self.hook == Hook::Output => Some(Ipv4Addr::LOCALHOST),
            NatKind::Redirect => self.at.redirect_to,
            // `nf_nat_masquerade.c` leaves a packet without a source alone.
            NatKind::Masquerade if passing.packet.src.is_unspecified() => return Flow::Accept,
            NatKind::Masquerade => self.at.masquerade_as,
            _ => None,
        };
        if matches!(kind, NatKind::Redirect | NatKind::Masquerade) {
            let Some(own) = own else { return Flow::Stop(Fate::Drop(Cause::NoAddress(at))) };
            range.addresses = Some((own.to_bits(), own.to_bits()));
        }
        bind(passing, manip, &range, Binding { rule: Some((kind, at)) }, self.known);
        Flow::Accept
    }

    fn spend(&mut self, at: RuleAt) -> Option<Flow> {
        self.budget = self.budget.saturating_sub(1);
        (self.budget == 0).then(|| self.cannot_tell(at, "there are more rules than are followed for one packet, up to"))
    }

    fn cannot_tell(&self, at: RuleAt, why: &str) -> Flow {
        Flow::Stop(self.filter.cannot_tell(at, why))
    }
}

/// `xt_connmark.c: connmark_tg`; without a connection it does nothing.
fn connmark(op: ConnmarkOp, at: RuleAt, passing: &mut Passing) {
    let mark = passing.packet.mark;
    let Some(connection) = &mut passing.connection else { return };
    match op {
        ConnmarkOp::Set { value, mask } => connection.mark = (connection.mark & !mask) ^ value,
        ConnmarkOp::Save { nfmask, ctmask } => connection.mark = (connection.mark & !ctmask) ^ (mark & nfmask),
        ConnmarkOp::Restore { nfmask, ctmask } => {
            let after = (mark & !nfmask) ^ (connection.mark & ctmask);
            passing.set_mark(after, at);
        }
    }
}
