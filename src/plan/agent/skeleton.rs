//! The chains that the agent lays out in each namespace, before any floating IP
//! (`IptablesManager.__init__`, and what each kind of namespace adds).

use crate::net::IfName;
use crate::neutron::{FILTER_TOP, Layout, METADATA_ADDRESS, POSTROUTING_BOTTOM};

use super::super::{Action, Place, Plan, TableEdit};
use super::Forms;

/// The mark of traffic without an address scope, and the bits of scopes
/// (`ADDRESS_SCOPE_MARK_ID_MIN` of `router_info.py`).
const SCOPE_MARK: &str = "0x4000000/0xffff0000";
const SCOPE_BITS: &str = "--nfmask 0xffff0000 --ctmask 0xffff0000";
const NO_SCOPE: &str = "--mark 0x0/0xffff0000";

/// What a namespace is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Router,
    Fip,
    Snat,
}

/// Adds the chains of all tables.
pub(super) fn skeleton(plan: &mut Plan, forms: &Forms, place: &Place, kind: Kind) {
    let mut tables = vec![raw(forms, kind), filter(forms, kind), nat(forms, kind)];
    if forms.snat_by_device {
        tables.insert(1, mangle(forms, kind));
    }
    for table in tables {
        plan.push(place, Action::Netfilter(table));
    }
}

/// Marks what comes in on a device with the default scope, and (unless told not
/// to) drops what would leave there with another.
pub(super) fn scope_marks(plan: &mut Plan, forms: &Forms, place: &Place, device: &IfName, drops: bool) {
    if !forms.scopes {
        return;
    }
    let mut mangle = TableEdit::new(forms.backend, "mangle");
    mangle.append(forms.chain("scope"), format!("-i {device} -j MARK --set-xmark {SCOPE_MARK}"));
    plan.push(place, Action::Netfilter(mangle));
    if drops {
        let mut filter = TableEdit::new(forms.backend, "filter");
        filter.append(forms.chain("scope"), format!("-o {device} -m mark ! --mark {SCOPE_MARK} -j DROP"));
        plan.push(place, Action::Netfilter(filter));
    }
}

/// Adds what of a router's nat table its floating IPs hang on: the chains and
/// the ways to them.
pub(super) fn nat_ways(plan: &mut Plan, forms: &Forms, place: &Place) {
    let mut edit = nat(forms, Kind::Fip);
    if !float_snat_stands(forms, Kind::Router) {
        // It comes with the first floating IP.
        edit.edits.pop();
    }
    plan.push(place, Action::Netfilter(edit));
}

fn wrapped(forms: &Forms, table: &str, built_in: &[&str]) -> TableEdit {
    let mut edit = TableEdit::new(forms.backend, table);
    for name in built_in {
        edit.chain(forms.chain(name));
    }
    edit
}

fn jumps(forms: &Forms, edit: &mut TableEdit, built_in: &[&str]) {
    for name in built_in {
        edit.append(*name, format!("-j {}", forms.chain(name)));
    }
}

fn raw(forms: &Forms, kind: Kind) -> TableEdit {
    let built_in = ["PREROUTING", "OUTPUT"];
    let mut edit = wrapped(forms, "raw", &built_in);
    jumps(forms, &mut edit, &built_in);
    if kind == Kind::Fip {
        edit.append(forms.chain("PREROUTING"), "-j CT --notrack");
    }
    edit
}

fn mangle(forms: &Forms, kind: Kind) -> TableEdit {
    let built_in = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
    let mut edit = wrapped(forms, "mangle", &built_in);
    edit.chain(forms.chain("mark"));
    jumps(forms, &mut edit, &built_in);
    let prerouting = forms.chain("PREROUTING");
    edit.append(&prerouting, format!("-j {}", forms.chain("mark")));
    if forms.scopes && kind != Kind::Fip {
        for name in ["scope", "floatingip", "float-snat"] {
            edit.chain(forms.chain(name));
        }
        edit.append(&prerouting, format!("-j {}", forms.chain("scope")));
        edit.append(&prerouting, format!("-m connmark ! {NO_SCOPE} -j CONNMARK --restore-mark {SCOPE_BITS}"));
        edit.append(&prerouting, format!("-j {}", forms.chain("floatingip")));
        edit.append(forms.chain("float-snat"), format!("-m connmark {NO_SCOPE} -j CONNMARK --save-mark {SCOPE_BITS}"));
    }
    if kind == Kind::Router {
        let port = "-i qr-+ -p tcp -m tcp --dport 80";
        edit.append(&prerouting, format!("-d {METADATA_ADDRESS}/32 {port} -j MARK --set-xmark 0x1/0xffff"));
    }
    edit
}

fn filter(forms: &Forms, kind: Kind) -> TableEdit {
    let mut edit = wrapped(forms, "filter", &["INPUT", "FORWARD", "OUTPUT"]);
    edit.chain(FILTER_TOP);
    edit.chain(forms.chain("local"));
    jumps(forms, &mut edit, &["INPUT"]);
    for name in ["FORWARD", "OUTPUT"] {
        edit.append(name, format!("-j {FILTER_TOP}"));
        jumps(forms, &mut edit, &[name]);
    }
    edit.append(FILTER_TOP, format!("-j {}", forms.chain("local")));
    if forms.scopes && kind != Kind::Fip {
        edit.chain(forms.chain("scope"));
        edit.append(forms.chain("FORWARD"), format!("-j {}", forms.chain("scope")));
    }
    if kind == Kind::Router {
        if forms.snat_by_device {
            edit.append(forms.chain("INPUT"), "-m mark --mark 0x1/0xffff -j ACCEPT");
            edit.append(forms.chain("INPUT"), "-p tcp -m tcp --dport 9697 -j DROP");
        } else {
            edit.append(forms.chain("INPUT"), "-d 127.0.0.1/32 -p tcp -m tcp --dport 9697 -j ACCEPT");
        }
    }
    edit
}

fn nat(forms: &Forms, kind: Kind) -> TableEdit {
    let built_in = ["PREROUTING", "OUTPUT", "POSTROUTING"];
    let mut edit = wrapped(forms, "nat", &built_in);
    for name in ["float-snat", "snat"] {
        edit.chain(forms.chain(name));
    }
    edit.chain(POSTROUTING_BOTTOM);
    jumps(forms, &mut edit, &built_in);
    edit.append("POSTROUTING", format!("-j {POSTROUTING_BOTTOM}"));
    let comment = "-m comment --comment \"Perform source NAT on outgoing traffic.\"";
    edit.append(POSTROUTING_BOTTOM, format!("{comment} -j {}", forms.chain("snat")));
    if float_snat_stands(forms, kind) {
        edit.append(forms.chain("snat"), format!("-j {}", forms.chain("float-snat")));
    }
    if kind == Kind::Router {
        let input = if forms.snat_by_device { "-i qr-+ " } else { "" };
        let port = "-p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697";
        edit.append(forms.chain("PREROUTING"), format!("-d {METADATA_ADDRESS}/32 {input}{port}"));
    }
    edit
}

/// Whether the jump to `float-snat` stands from the beginning: in later releases
/// a router has it only while it has floating IPs.
fn float_snat_stands(forms: &Forms, kind: Kind) -> bool {
    match kind {
        Kind::Fip => true,
        Kind::Router => forms.layout == Layout::Juno,
        Kind::Snat => forms.layout != Layout::Newton,
    }
}
