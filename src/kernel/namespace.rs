//! One network namespace, whole: the one that the calling thread is in.

use super::Error;
use super::addr::dump_addrs;
use super::conntrack::dump_conntrack;
use super::link::{Devices, dump_links};
use super::neigh::dump_neighs;
use super::netfilter::read_netfilter;
use super::route::dump_routes;
use super::rule::dump_rules;
use super::socket::Socket;
use super::sysctl::read_sysctls;
use super::tc::dump_tc;
use crate::net::{Netns, Observed};

/// Reads the calling thread's namespace. Each part answers for itself.
pub(crate) fn read_here(conntrack: bool) -> Netns {
    let mut netns = match Socket::route() {
        Ok(mut socket) => read_route(&mut socket),
        Err(error) => nothing(&error.to_string()),
    };
    (netns.sysctls, netns.conntrack_fill) = read_sysctls(netns.links().iter().map(|link| &link.name));
    netns.netfilter = read_netfilter();
    if conntrack {
        let entries = Socket::netfilter().and_then(|mut socket| dump_conntrack(&mut socket));
        netns.conntrack = Some(observed(entries.map(|mut entries| {
            entries.sort();
            entries
        })));
    }
    netns.sort();
    netns
}

/// What rtnetlink has.
fn read_route(socket: &mut Socket) -> Netns {
    let links = dump_links(socket).and_then(|mut links| {
        dump_tc(socket, &mut links)?;
        Ok(links)
    });
    let devices = Devices::of(links.as_deref().unwrap_or(&[]));
    Netns {
        addrs: observed(dump_addrs(socket, &devices)),
        rules: observed(dump_rules(socket)),
        routes: observed(dump_routes(socket, &devices)),
        neighs: observed(dump_neighs(socket, &devices)),
        links: observed(links),
        ..Netns::default()
    }
}

fn nothing(why: &str) -> Netns {
    Netns {
        links: Observed::Unreadable(why.to_owned()),
        addrs: Observed::Unreadable(why.to_owned()),
        rules: Observed::Unreadable(why.to_owned()),
        routes: Observed::Unreadable(why.to_owned()),
        neighs: Observed::Unreadable(why.to_owned()),
        ..Netns::default()
    }
}

fn observed<T>(result: Result<T, Error>) -> Observed<T> {
    result.map_or_else(|error| Observed::Unreadable(error.to_string()), Observed::Seen)
}
