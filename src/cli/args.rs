//! Commands and options, with their help.

mod associate;
mod change;
mod check;
mod trace;
mod traffic;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use self::associate::{Associate, Remove};
use self::change::{Journal, Repair, Undo};
use self::check::{Acknowledge, Check};
use self::trace::Trace;
use self::traffic::Traffic;
use self::watch::Watch;
use crate::config::{self, Shown};
use crate::neutron;

/// A console for floating IPs on OpenStack nodes with distributed virtual routing
///
/// Reads the network namespaces that Neutron's L3 agent builds, and shows for each floating IP the chain of rules,
/// routes, translations and devices that carries its traffic, with the link that is broken. Without a command it
/// opens the console on this node.
#[derive(Debug, Parser)]
#[command(name = "fipscope", version, max_term_width = 80, after_help = EXAMPLES, after_long_help = MORE)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) globals: Globals,
}

macro_rules! examples {
    () => {
        "\
Examples:
  sudo fipscope                      open the console on this node
  sudo fipscope show 192.168.1.3     the chain of one floating IP
  sudo fipscope check                what is broken, why, and what mends it
  fipscope lab                       try it without OpenStack and without root
  fipscope --from node.json list     look at a snapshot or an unpacked sosreport"
    };
}

const EXAMPLES: &str = examples!();

const MORE: &str = concat!(
    examples!(),
    "

Exit codes:
  0    done, or healthy
  1    an error or a warning, broken or degraded, a dropped packet, a difference,
       no such floating IP, or an operation that failed
  2    wrong usage
  3    could not tell: something that the answer depends on could not be read
  4    an operation failed and could not be rolled back completely
  130  interrupted

Options can be set by the environment as well (FIPSCOPE_FROM, FIPSCOPE_FORMAT
and so on), most in the configuration file. The command line wins over the
environment, that over the file."
);

/// Options that every command takes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    /// Read a snapshot file, a recording or an unpacked sosreport, not this node
    #[arg(long, global = true, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub(super) from: Option<PathBuf>,
    /// The folder with the names of the namespaces [default: /run/netns]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    netns_dir: Option<PathBuf>,
    /// The L3 agent's state path [default: what its configuration says, else /var/lib/neutron]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    state_path: Option<PathBuf>,
    /// Never write to the node
    #[arg(long, global = true)]
    read_only: bool,
    /// Text for people, JSON for programs [default: text]
    #[arg(long, global = true, value_enum, value_name = "FORMAT", hide_possible_values = false)]
    format: Option<Format>,
    #[arg(long, global = true, value_enum, value_name = "WHEN")]
    #[arg(help = "When to use colour; NO_COLOR is honoured [default: auto]")]
    color: Option<Color>,
    /// Log more (needs --log-file); twice for most
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Log to this file; nothing is ever logged to the terminal
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    log_file: Option<PathBuf>,
    /// The configuration file [default: ~/.config/fipscope/config.toml, else /etc/fipscope.toml]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Open the console (what happens without a command)
    Tui,
    /// List external networks, routers and floating IPs
    List,
    /// Show the whole chain of one floating IP, link by link, both directions
    ///
    /// With the id of a router instead of an address: its three classes of traffic (east-west, SNAT, floating IP) at a
    /// glance, and what the node costs the external network.
    #[command(after_help = "\
Examples:
  fipscope show 192.168.1.3                   by floating IP
  fipscope show 10.0.0.4                      by fixed IP
  fipscope show 10.0.0.4 --router ef25020f    where two routers have a 10.0.0.4
  fipscope show ef25020f                      that router at a glance
  fipscope show 10.0.0.4 --format json | jq '.outbound[] | select(.state != \"ok\")'

Exit codes: 0 every link holds, 1 degraded, broken or not here, 3 could not tell.")]
    Show(Target),
    /// Find what is broken, why, and what mends it
    #[command(after_help = check::EXAMPLES)]
    Check(Check),
    /// Say what a finding means, how to repair it, what the L3 agent does about it
    #[command(after_help = "\
Examples:
  fipscope explain            all codes
  fipscope explain DVR301     the page of one (301 will do as well)")]
    Explain {
        /// A code, or its name; without one, all codes are listed
        code: Option<String>,
    },
    /// Walk a packet over the node: what routes and translates it, what stops it
    #[command(after_help = "\
Examples:
  fipscope trace --src 10.0.0.4 --dst 198.51.100.7 --reply    out and back
  fipscope trace --src 198.51.100.7 --dst 192.168.1.3         in from outside
  fipscope trace --src 10.0.0.4 --dst 20.0.0.5 --proto icmp   between subnets
  fipscope trace --src 10.0.0.4 --dst 198.51.100.7 --verify   ask the kernel too

No packet is sent.

Exit codes: 0 delivered or leaves the node, 1 dropped, or the kernel decides
otherwise, 2 ambiguous where it comes in, 3 could not tell.")]
    Trace(Trace),
    /// Count what flows: classes, floating IPs hop by hop, flows
    #[command(after_help = traffic::EXAMPLES)]
    Traffic(Traffic),
    /// Accept a finding on this node: it is listed apart from then on
    #[command(after_help = check::ACKNOWLEDGE)]
    Acknowledge(Acknowledge),
    /// Wire a floating IP as the L3 agent would, the plan shown first
    #[command(after_help = associate::ASSOCIATE)]
    Associate(Associate),
    /// Take a floating IP away, the plan shown first
    #[command(after_help = associate::REMOVE)]
    Remove(Remove),
    /// Mend what the checks find, the plan shown first
    #[command(after_help = change::REPAIR)]
    Repair(Repair),
    /// Take a past change back
    #[command(after_help = change::UNDO)]
    Undo(Undo),
    /// List past changes
    #[command(after_help = change::JOURNAL)]
    Journal(Journal),
    /// Tell what changes on the node, and which findings that raises or clears
    #[command(after_help = watch::EXAMPLES)]
    Watch(Watch),
    /// Write everything read from the node as one JSON document
    #[command(after_help = "\
Examples:
  sudo fipscope snapshot -o node.json            then anywhere: fipscope --from node.json
  sudo fipscope snapshot | ssh admin tee node.json

The document holds addresses, devices, rules and paths of the node; read it
before you give it away.")]
    Snapshot {
        /// Write to this file (whole or not at all) instead of standard output
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
        /// Read the tracked connections too
        #[arg(long)]
        conntrack: bool,
    },
    /// Say what changed between two snapshots
    #[command(after_help = "\
Example:
  fipscope diff before.json after.json

Exit codes: 0 no difference, 1 a difference, 3 no difference in what could be read.")]
    Diff {
        /// The earlier snapshot file, or an unpacked sosreport
        #[arg(value_hint = ValueHint::AnyPath)]
        before: PathBuf,
        /// The later one
        #[arg(value_hint = ValueHint::AnyPath)]
        after: PathBuf,
    },
    /// Build the demonstration node in a private sandbox and open the console there
    #[command(after_help = "\
Examples:
  fipscope lab                                   the console on the example node
  fipscope lab --layout pike --traffic           today's layout, with traffic
  fipscope lab --break DVR301 -- fipscope check  the example node, broken
  fipscope lab -- fipscope list                  any command instead of the console

It needs neither OpenStack nor root, and nothing of it is left when it ends.")]
    Lab(Lab),
    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  fipscope completions bash > /etc/bash_completion.d/fipscope")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    #[command(after_help = "\
Example:
  fipscope man | man -l -")]
    Man,
}

/// What to show, and what decides where an address is ambiguous.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// A floating IP, a fixed IP, or a router's id (its first characters)
    #[arg(value_name = "ADDRESS|ROUTER", value_parser = shown)]
    what: Shown,
    /// The router, where the address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    router: Option<String>,
    /// The external network, where the address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    external_network: Option<String>,
}

/// The demonstration node.
#[derive(Debug, Args)]
pub(super) struct Lab {
    /// How the routers' floating IPs are laid out
    #[arg(long, value_enum, default_value_t = Layout::Juno)]
    layout: Layout,
    /// How many routers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    routers: u32,
    /// How many floating IPs for each router [default: the example's]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(0..=1000))]
    fips: Option<u32>,
    /// Which packet filter holds the rules
    #[arg(long, value_enum, default_value_t = Backend::Nft)]
    backend: Backend,
    /// Let traffic of all three classes flow (east-west, SNAT, floating IP)
    #[arg(long)]
    traffic: bool,
    /// Break it as these codes have it (DVR301, or 301); without a code: what can be broken
    #[arg(long = "break", value_name = "CODE", value_delimiter = ',', num_args = 0..)]
    broken: Option<Vec<String>>,
    /// What to run in the sandbox instead of the console
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident = $target:path { $($(#[$help:meta])* $variant:ident),* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, ValueEnum)]
        enum $name { $($(#[$help])* $variant,)* }

        impl From<$name> for $target {
            fn from(word: $name) -> Self {
                match word { $($name::$variant => Self::$variant,)* }
            }
        }
    };
}

words! { /// Text or JSON.
Format = config::Format { Text, Json } }
words! { /// When to use colour.
Color = config::ColorChoice { Auto, Always, Never } }
words! { /// The kernel's packet filters.
Backend = config::Backend {
    /// iptables-nft
    Nft,
    /// iptables-legacy
    Legacy
} }
words! { /// The layouts, by the release that began each.
Layout = neutron::Layout {
    /// Juno to Mitaka 8.2
    Juno,
    /// Mitaka 8.3 to Newton 9.2
    Newton,
    /// Newton 9.3, Ocata 10 and later
    Pike
} }

impl Globals {
    /// The whole command line.
    pub(super) fn with(self, command: config::Command) -> config::LowArgs {
        config::LowArgs {
            command,
            from: self.from,
            netns_dir: self.netns_dir,
            state_path: self.state_path,
            read_only: self.read_only,
            format: self.format.map(Into::into),
            color: self.color.map(Into::into),
            verbose: self.verbose,
            log_file: self.log_file,
            config: self.config,
        }
    }
}

impl From<Command> for config::Command {
    fn from(command: Command) -> Self {
        match command {
            // The last two answer before anything is run.
            Command::Tui | Command::Completions { .. } | Command::Man => Self::Console,
            Command::List => Self::List,
            Command::Show(Target { what, router, external_network }) => {
                Self::Show(config::ShowArgs { what, router, external_network })
            }
            Command::Check(check) => Self::Check(Box::new(check.into())),
            Command::Explain { code } => Self::Explain(code),
            Command::Acknowledge(Acknowledge { finding, revoke }) => Self::Acknowledge { finding, revoke },
            Command::Trace(trace) => Self::Trace(Box::new(trace.into())),
            Command::Associate(associate) => Self::Associate(Box::new(associate.into())),
            Command::Remove(remove) => Self::Remove(Box::new(remove.into())),
            Command::Repair(repair) => Self::Repair(Box::new(repair.into())),
            Command::Undo(undo) => Self::Undo(undo.into()),
            Command::Journal(journal) => Self::Journal(journal.into()),
            Command::Traffic(traffic) => Self::Traffic(Box::new(traffic.into())),
            Command::Watch(watch) => Self::Watch(watch.into()),
            Command::Snapshot { output, conntrack } => Self::Snapshot(config::SnapshotArgs { output, conntrack }),
            Command::Diff { before, after } => Self::Diff { before, after },
            Command::Lab(Lab { layout, routers, fips, backend, traffic, broken, command }) => {
                Self::Lab(config::LabArgs {
                    layout: layout.into(),
                    routers,
                    fips,
                    backend: backend.into(),
                    traffic,
                    broken,
                    command,
                })
            }
        }
    }
}

/// An address, or what may be the beginning of a router's id.
fn shown(text: &str) -> Result<Shown, String> {
    let is_id = !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    match text.parse() {
        Ok(address) => Ok(Shown::Address(address)),
        Err(_) if is_id => Ok(Shown::Router(text.to_owned())),
        Err(_) => Err("neither an IP address nor the beginning of a router's id".to_owned()),
    }
}
