//! Every key, recorded once: dispatch, the footer, the help overlay, the README
//! and the configuration file's overrides all come from [`BINDINGS`].

mod key;

use std::fmt::Write as _;

pub use key::{Key, NotAKey};

/// Where a key has its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// Every screen.
    Global,
    /// The node at a glance.
    Overview,
    /// One floating IP's chain.
    Chain,
    /// One packet on its way.
    Walk,
    /// One router's classes of traffic.
    Router,
    /// What the checks found.
    Findings,
    /// The page of a code.
    Page,
    /// A change: its plan, and what becomes of it.
    Proposal,
    /// A change that is under way, or over.
    Change,
    /// The changes of the past.
    Journal,
    /// What flows.
    Traffic,
    /// One flow.
    Flow,
    /// One packet of our own, followed.
    Errand,
    /// What changed on the node.
    Events,
    /// The tracked connections of a floating IP.
    Tracked,
    /// The form for an association.
    Form,
    /// One namespace, raw.
    Namespace,
    /// The input line at the bottom.
    Prompt,
}

macro_rules! commands {
    ($($name:ident)*) => {
        /// What a key does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the help column of the table says what each does")]
        pub enum Command { $($name,)* }

        impl Command {
            /// Every command there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

commands! {
    Quit Back Help Refresh Redraw Goto Filter Up Down PageUp PageDown Top Bottom
    Open Find Sort SortReverse OpenNamespace CopyFloatingIp CopyFixedIp
    Left Right OtherDirection CopyCommand
    Findings Explain Fold Unfold OpenChain CopyId Probe Acknowledge
    Traffic StopListening Connections SendPacket ForgetOld
    Trace OpenRouter Play WayBack Protocol Entrance AskKernel
    Associate Repair Remove Undo Journal Apply Save WithPair SayNeutron MendAll MarkRow MarkAll TakeBack CompleteChange
    NextField PreviousField
    NextTab PreviousTab PickTab CopyLine
    Events StepBack StepForward Freeze ShowThen
    Accept Cancel Complete Next Previous Erase EraseWord EraseAll
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// The keys, as [`Key`] parses them.
    pub keys: &'static [&'static str],
    /// What it does.
    pub command: Command,
    /// The name for the configuration file.
    pub name: &'static str,
    /// What it does, for people: a lower-case phrase, at most 40 columns.
    pub help: &'static str,
    /// The word in the footer; `None` keeps it out of there.
    pub footer: Option<&'static str>,
}

const fn bind(
    context: Context,
    keys: &'static [&'static str],
    command: Command,
    name: &'static str,
    help: &'static str,
    footer: Option<&'static str>,
) -> Binding {
    Binding { context, keys, command, name, help, footer }
}

use Command as C;
use Context::{
    Chain, Change, Errand, Events, Findings, Flow, Form, Global, Journal, Namespace, Overview, Page, Prompt, Proposal,
    Router, Tracked, Traffic, Walk,
};

const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The table.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(Overview, &["enter"], C::Open, "open", "open the chain", Some("chain")),
    bind(Overview, &["t"], C::Trace, "trace", "watch a packet leave from the fixed IP", Some("trace")),
    bind(Overview, &["c"], C::OpenRouter, "router", "show the router's classes of traffic", Some("classes")),
    bind(Overview, DIGITS, C::Find, "find", "go to the address being typed", Some("find")),
    bind(Overview, &["n"], C::OpenNamespace, "namespace", "show the namespace as the kernel has it", Some("raw")),
    bind(Overview, &["s"], C::Sort, "sort", "sort by the next column", Some("sort")),
    bind(Overview, &["S"], C::SortReverse, "sort-reverse", "turn the order round", None),
    bind(Overview, &["a"], C::Associate, "associate", "associate a floating IP", Some("associate")),
    bind(Overview, &["r"], C::Repair, "repair", "plan the repair of the floating IP", Some("repair")),
    bind(Overview, &["d"], C::Remove, "remove", "plan to take the floating IP away", None),
    bind(Overview, &["/"], C::Filter, "filter", "filter what is listed", Some("filter")),
    bind(Overview, &["T"], C::Traffic, "traffic", "listen to what flows", Some("traffic")),
    bind(Overview, &["y"], C::CopyFloatingIp, "copy-floating-ip", "copy the floating IP", None),
    bind(Overview, &["Y"], C::CopyFixedIp, "copy-fixed-ip", "copy the fixed IP", None),
    bind(Chain, &["left", "h"], C::Left, "left", "select the link to the left", Some("link")),
    bind(Chain, &["right", "l"], C::Right, "right", "select the link to the right", Some("link")),
    bind(Chain, &["tab", "shift-tab"], C::OtherDirection, "other-direction", "turn to the other direction", Some("direction")),
    bind(Chain, &["x"], C::Explain, "explain-chain", "explain the code of what is wrong", Some("explain")),
    bind(Chain, &["t"], C::Trace, "trace-chain", "watch a packet take that direction", Some("trace")),
    bind(Chain, &["r"], C::Repair, "repair-chain", "plan the repair of the link, or of all", Some("repair")),
    bind(Chain, &["a"], C::Associate, "associate-chain", "associate a floating IP of this router", None),
    bind(Chain, &["d"], C::Remove, "remove-chain", "plan to take the floating IP away", None),
    bind(Chain, &["c"], C::OpenRouter, "router-chain", "show the router's classes of traffic", None),
    bind(Chain, &["enter", "n"], C::OpenNamespace, "link-namespace", "show where the link stands, raw", Some("raw")),
    bind(Chain, &["T"], C::Traffic, "traffic-chain", "listen to what flows", Some("traffic")),
    bind(Chain, &["C"], C::Connections, "connections", "show its tracked connections", None),
    bind(Chain, &["p"], C::SendPacket, "probe-chain", "send one packet and follow it", Some("probe")),
    bind(Chain, &["y"], C::CopyCommand, "copy-command", "copy the command that shows the link", Some("copy")),
    bind(Chain, &["Y"], C::CopyFloatingIp, "copy-chain-address", "copy the floating IP", None),
    bind(Walk, &["space"], C::Play, "play", "let the packet move, or stop it", Some("play")),
    bind(Walk, &["left", "h"], C::Left, "step-back", "one station back", Some("step")),
    bind(Walk, &["right", "l"], C::Right, "step", "one station on", Some("step")),
    bind(Walk, &["b"], C::WayBack, "way-back", "turn to the answer's way back, or there", Some("way back")),
    bind(Walk, &["tab", "shift-tab"], C::OtherDirection, "new-direction", "a new packet from the other end", Some("direction")),
    bind(Walk, &["p"], C::Protocol, "protocol", "the next protocol: TCP, UDP, ICMP", Some("protocol")),
    bind(Walk, &["v"], C::AskKernel, "ask-kernel", "ask the kernel's own lookups again", Some("ask the kernel")),
    bind(Walk, &["i"], C::Entrance, "entrance", "the next place where it could enter", None),
    bind(Walk, &["enter", "n"], C::OpenNamespace, "station-namespace", "show where the station stands, raw", Some("raw")),
    bind(Walk, &["y"], C::CopyCommand, "copy-lookup", "copy the command that asks the kernel", None),
    bind(Router, &["enter"], C::Open, "open-way", "open the way's chain, or its namespace", Some("open")),
    bind(Router, &["left", "h"], C::Left, "class-before", "the class before", Some("class")),
    bind(Router, &["right", "l"], C::Right, "next-class", "the next class", Some("class")),
    bind(Router, &["t"], C::Trace, "trace-way", "watch a packet leave as the floating IP", Some("trace")),
    bind(Router, &["T"], C::Traffic, "traffic-router", "listen to what flows", Some("traffic")),
    bind(Router, &["a"], C::Associate, "associate-router", "associate a floating IP of this router", Some("associate")),
    bind(Router, &["r"], C::Repair, "repair-router", "plan the repair of the floating IP", None),
    bind(Router, &["n"], C::OpenNamespace, "way-namespace", "show the way's first namespace, raw", Some("raw")),
    bind(Findings, &["enter"], C::Open, "open-finding", "show what follows, then the code's page", Some("open")),
    bind(Findings, &["right", "l"], C::Unfold, "unfold", "show what follows from it", Some("unfold")),
    bind(Findings, &["left", "h"], C::Fold, "fold", "hide what follows from it", None),
    bind(Findings, &["x"], C::Explain, "explain", "explain the code", Some("explain")),
    bind(Findings, &["c"], C::OpenChain, "finding-chain", "show the link in the chain", Some("chain")),
    bind(Findings, &["n"], C::OpenNamespace, "finding-namespace", "show the object as the kernel has it", Some("raw")),
    bind(Findings, &["r"], C::Repair, "repair-findings", "plan the repair of it, or of all marked", Some("repair")),
    bind(Findings, &["m"], C::MarkRow, "mark", "mark it for a repair together", Some("mark")),
    bind(Findings, &["M"], C::MarkAll, "mark-all", "mark all faults that are listed, or none", None),
    bind(Findings, &["/"], C::Filter, "filter-findings", "filter by text, code, router or address", Some("filter")),
    bind(Findings, &["p"], C::Probe, "probe", "ask the wire what only that decides", Some("probe")),
    bind(Findings, &["A"], C::Acknowledge, "acknowledge", "accept the finding, or no longer", None),
    bind(Findings, &["y"], C::CopyCommand, "copy-finding", "copy the commands of its repair", Some("copy")),
    bind(Findings, &["Y"], C::CopyId, "copy-finding-id", "copy the finding's id", None),
    bind(Proposal, &["enter"], C::Apply, "apply", "carry the plan out", Some("apply")),
    bind(Proposal, &["A"], C::MendAll, "mend-all", "mend all that is wrong, not one link", None),
    bind(Proposal, &["P"], C::WithPair, "with-pair", "take the router's pair along, or not", None),
    bind(Proposal, &["N"], C::SayNeutron, "say-neutron", "say whether Neutron has the floating IP", None),
    bind(Proposal, &["n"], C::OpenNamespace, "step-namespace", "show the step's namespace, raw", Some("raw")),
    bind(Proposal, &["y"], C::CopyCommand, "copy-plan", "copy the plan as a shell script", Some("copy")),
    bind(Proposal, &["w"], C::Save, "save-plan", "save the plan as a shell script", Some("save")),
    bind(Change, &["enter"], C::Apply, "result", "show the chain, when it is over", Some("chain")),
    bind(Change, &["n"], C::OpenNamespace, "change-namespace", "show the step's namespace, raw", Some("raw")),
    bind(Change, &["y"], C::CopyCommand, "copy-made", "copy the plan as a shell script", Some("copy")),
    bind(Change, &["w"], C::Save, "save-made", "save the plan as a shell script", Some("save")),
    bind(Journal, &["u"], C::TakeBack, "take-back", "plan to take the change back", Some("take back")),
    bind(Journal, &["c"], C::CompleteChange, "complete-change", "do the rest of a change without an end", Some("complete")),
    bind(Journal, &["y"], C::CopyCommand, "copy-change", "copy its commands", Some("copy")),
    bind(Traffic, &["enter"], C::Open, "open-flow", "open its chain, or the flow in detail", Some("open")),
    bind(Traffic, &["tab", "shift-tab"], C::OtherDirection, "other-list", "turn to the flows, or the floating IPs", Some("flows")),
    bind(Traffic, &["space"], C::Play, "pause", "let the screen stand still, or go on", Some("pause")),
    bind(Traffic, &["/"], C::Filter, "filter-traffic", "filter: class, address, :port, in, out", Some("filter")),
    bind(Traffic, &["t"], C::Trace, "trace-traffic", "watch such a packet on its way", Some("trace")),
    bind(Traffic, &["p"], C::SendPacket, "probe-traffic", "send one packet and follow it", Some("probe")),
    bind(Traffic, &["w"], C::Save, "write-packets", "write packets to a file, or end that", Some("write")),
    bind(Traffic, &["s"], C::StopListening, "stop-listening", "listen no more, and go back", Some("stop listening")),
    bind(Traffic, &["T"], C::Traffic, "traffic-again", "listen again where that failed", None),
    bind(Flow, &["t", "enter"], C::Trace, "trace-flow", "watch its first packet on its way", Some("trace")),
    bind(Flow, &["c"], C::OpenChain, "flow-chain", "open its floating IP's chain", Some("chain")),
    bind(Flow, &["p"], C::SendPacket, "probe-flow", "send one packet and follow it", Some("probe")),
    bind(Flow, &["w"], C::Save, "write-flow", "write packets to a file, or end that", Some("write")),
    bind(Flow, &["y"], C::CopyCommand, "copy-flow", "copy the command that lists it", Some("copy")),
    bind(Errand, &["enter"], C::Open, "send-packet", "send this packet, once", Some("send")),
    bind(Errand, &["t"], C::Trace, "trace-packet", "watch such a packet on its way", Some("trace")),
    bind(Errand, &["y"], C::CopyCommand, "copy-packet", "copy a command that sends such a packet", Some("copy")),
    bind(Events, &["enter"], C::OpenNamespace, "event-namespace", "show the object as the kernel has it", Some("raw")),
    bind(Events, &["space"], C::ShowThen, "show-then", "show the node as it was after the change", Some("as it was")),
    bind(Events, &["/"], C::Filter, "filter-events", "filter by text, code or address", Some("filter")),
    bind(Events, &["x"], C::Explain, "explain-event", "explain the finding's code", None),
    bind(Events, &["y"], C::CopyLine, "copy-event", "copy the line", Some("copy")),
    bind(Events, &["w"], C::Save, "save-events", "save what is listed", Some("save")),
    bind(Tracked, &["v"], C::AskKernel, "read-connections", "read the connections again", Some("read again")),
    bind(Tracked, &["d"], C::Remove, "forget-connection", "plan to have it forgotten", Some("forget")),
    bind(Tracked, &["D"], C::ForgetOld, "forget-old", "plan to have all the old ones forgotten", Some("forget old")),
    bind(Tracked, &["y"], C::CopyCommand, "copy-connection", "copy the command that lists it", Some("copy")),
    bind(Form, &["enter"], C::Accept, "form-accept", "show the plan, or go to the next field", Some("plan")),
    bind(Form, &["tab"], C::NextField, "next-field", "the next field", Some("next field")),
    bind(Form, &["shift-tab"], C::PreviousField, "previous-field", "the field before", None),
    bind(Form, &["down", "ctrl-n"], C::Next, "next-offer", "the next of what could stand there", Some("offers")),
    bind(Form, &["up", "ctrl-p"], C::Previous, "previous-offer", "the offer before", None),
    bind(Form, &["backspace", "ctrl-h"], C::Erase, "form-erase", "erase a character", None),
    bind(Form, &["ctrl-u"], C::EraseAll, "form-erase-all", "erase the field", None),
    bind(Form, &["esc", "ctrl-c"], C::Cancel, "form-cancel", "leave the form", Some("cancel")),
    bind(Form, &["f1"], C::Help, "form-help", "show the keys", Some("help")),
    bind(Namespace, &["tab"], C::NextTab, "next-tab", "show the next kind of object", Some("next")),
    bind(Namespace, &["shift-tab"], C::PreviousTab, "previous-tab", "show the kind before", None),
    bind(Namespace, &["1", "2", "3", "4", "5", "6", "7"], C::PickTab, "pick-tab", "show that kind of object", None),
    bind(Namespace, &["/"], C::Filter, "filter-lines", "show the lines that hold a text", Some("filter")),
    bind(Namespace, &["left", "h"], C::Left, "scroll-left", "move long lines to the right", None),
    bind(Namespace, &["right", "l"], C::Right, "scroll-right", "move long lines to the left", None),
    bind(Namespace, &["y"], C::CopyLine, "copy-line", "copy the line", Some("copy")),
    bind(Global, &[":"], C::Goto, "goto", "go anywhere by name", Some("go to")),
    bind(Global, &["f"], C::Findings, "findings", "show what is wrong, and why", Some("findings")),
    bind(Global, &["e"], C::Events, "events", "show what changed on the node", Some("events")),
    bind(Global, &["["], C::StepBack, "change-back", "show the node one change earlier", None),
    bind(Global, &["]"], C::StepForward, "change-forward", "show it one change later", None),
    bind(Global, &["L"], C::Freeze, "freeze", "freeze the picture, or go back to live", None),
    bind(Global, &["J"], C::Journal, "journal", "show the changes made on this node", None),
    bind(Global, &["u"], C::Undo, "undo", "plan to take the last change back", None),
    bind(Global, &["R", "f5"], C::Refresh, "refresh", "read the node again", Some("read")),
    bind(Global, &["up", "k"], C::Up, "up", "move up", None),
    bind(Global, &["down", "j"], C::Down, "down", "move down", None),
    bind(Global, &["pgup", "ctrl-b"], C::PageUp, "page-up", "move up a page", None),
    bind(Global, &["pgdn", "ctrl-f"], C::PageDown, "page-down", "move down a page", None),
    bind(Global, &["home", "g"], C::Top, "top", "move to the top", None),
    bind(Global, &["end", "G"], C::Bottom, "bottom", "move to the bottom", None),
    bind(Global, &["ctrl-l"], C::Redraw, "redraw", "draw the screen afresh", None),
    bind(Global, &["esc", "backspace"], C::Back, "back", "go back one step", Some("back")),
    bind(Global, &["?", "f1"], C::Help, "help", "show the keys", Some("help")),
    bind(Global, &["q", "ctrl-c"], C::Quit, "quit", "leave", Some("quit")),
    bind(Prompt, &["enter"], C::Accept, "accept", "do it", Some("go")),
    bind(Prompt, &["esc", "ctrl-c"], C::Cancel, "cancel", "leave all as it was", Some("cancel")),
    bind(Prompt, &["tab"], C::Complete, "complete", "complete what was typed", Some("complete")),
    bind(Prompt, &["down", "ctrl-n"], C::Next, "next", "next match", Some("next match")),
    bind(Prompt, &["up", "ctrl-p"], C::Previous, "previous", "match before", None),
    bind(Prompt, &["backspace", "ctrl-h"], C::Erase, "erase", "erase a character", None),
    bind(Prompt, &["ctrl-w"], C::EraseWord, "erase-word", "erase a word", None),
    bind(Prompt, &["ctrl-u"], C::EraseAll, "erase-all", "erase all", None),
];

/// The bindings in force: the table with the user's overrides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    keys: Vec<Vec<Key>>,
}

/// An override that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// No binding has that name.
    #[error("no key binding is called {0:?}; `?` in the console lists them")]
    UnknownName(String),
    /// The text names no key.
    #[error(transparent)]
    NotAKey(#[from] NotAKey),
    /// Another binding that works in the same place has the key.
    #[error("{key} is already bound to {other}")]
    Taken {
        /// The key.
        key: String,
        /// The other binding's name.
        other: &'static str,
    },
}

impl Default for Keymap {
    fn default() -> Self {
        let keys = BINDINGS.iter().map(|binding| binding.keys.iter().filter_map(|key| key.parse().ok()).collect());
        Self { keys: keys.collect() }
    }
}

impl Keymap {
    /// What the key does in that context, or everywhere. The prompt takes all
    /// keys for itself.
    pub fn lookup(&self, context: Context, key: Key) -> Option<Command> {
        self.find(context, key).or_else(|| if matches!(context, Form | Prompt) { None } else { self.find(Global, key) })
    }

    /// Gives the binding of that name other keys.
    pub fn rebind<S: AsRef<str>>(&mut self, name: &str, keys: &[S]) -> Result<(), BindError> {
        let index = BINDINGS
            .iter()
            .position(|binding| binding.name == name)
            .ok_or_else(|| BindError::UnknownName(name.to_owned()))?;
        let parsed: Vec<Key> = keys.iter().map(|key| key.as_ref().parse()).collect::<Result<_, NotAKey>>()?;
        let here = BINDINGS[index].context;
        for (other, theirs) in BINDINGS.iter().zip(&self.keys).filter(|(other, _)| other.name != name) {
            if overlap(here, other.context)
                && let Some(key) = parsed.iter().find(|key| theirs.contains(key))
            {
                return Err(BindError::Taken { key: key.to_string(), other: other.name });
            }
        }
        self.keys[index] = parsed;
        Ok(())
    }

    /// The bindings that work in a context, its own first, with their keys.
    pub fn bindings(&self, context: Context) -> impl Iterator<Item = (&'static Binding, &[Key])> {
        let all = || BINDINGS.iter().zip(self.keys.iter().map(Vec::as_slice));
        let own = all().filter(move |(binding, _)| binding.context == context);
        let everywhere = !matches!(context, Form | Global | Prompt);
        own.chain(all().filter(move |(binding, _)| everywhere && binding.context == Global))
    }

    /// The table for the README, between its marks.
    pub fn markdown(&self) -> String {
        let mut out = String::from("| where | keys | does | name |\n| --- | --- | --- | --- |\n");
        for (binding, keys) in BINDINGS.iter().zip(&self.keys) {
            let keys = keys_text(keys, " ", "`");
            let _ = writeln!(out, "| {} | {keys} | {} | `{}` |", binding.context.word(), binding.help, binding.name);
        }
        out
    }

    fn find(&self, context: Context, key: Key) -> Option<Command> {
        let mut all = BINDINGS.iter().zip(&self.keys);
        all.find(|(binding, keys)| binding.context == context && keys.contains(&key))
            .map(|(binding, _)| binding.command)
    }
}

impl Context {
    /// The word in the help overlay and the README.
    pub fn word(self) -> &'static str {
        match self {
            Global => "everywhere",
            Overview => "overview",
            Chain => "chain",
            Walk => "walk",
            Router => "router",
            Findings => "findings",
            Page => "page of a code",
            Proposal => "plan",
            Change => "change",
            Journal => "journal",
            Traffic => "traffic",
            Flow => "flow",
            Errand => "probe",
            Events => "events",
            Tracked => "connections",
            Form => "form",
            Namespace => "namespace",
            Prompt => "input line",
        }
    }
}

/// Keys for people; the ten digits are one.
pub fn keys_text(keys: &[Key], between: &str, quote: &str) -> String {
    let shown: Vec<String> = keys.iter().map(|key| format!("{quote}{key}{quote}")).collect();
    let digits = |key: &Key| matches!(key.code, crossterm::event::KeyCode::Char('0'..='9')) && !key.ctrl && !key.alt;
    match (shown.first(), shown.last()) {
        (Some(first), Some(last)) if keys.len() > 2 && keys.iter().all(digits) => format!("{first}–{last}"),
        _ => shown.join(between),
    }
}

/// Two contexts in which one key press could mean both.
fn overlap(one: Context, other: Context) -> bool {
    let takes_all = |context: Context| matches!(context, Form | Prompt);
    one == other || (one == Global && !takes_all(other)) || (other == Global && !takes_all(one))
}

#[cfg(test)]
mod tests;
