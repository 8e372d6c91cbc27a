//! The namespace in the kernel: made, read back with the product's own reader,
//! asked, taken away.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use fipscope::kernel::{ask_routes, read_netns};
use fipscope::net::{NetnsName, Observed, RouteAnswer, RouteQuestion, Snapshot};
use fipscope::netns::{NetnsDir, enter, spawn};
use fipscope::path;
use fipscope::topology::Topology;

use crate::node::Node;

/// A namespace that stands, until this is dropped.
pub(crate) struct World {
    dir: NetnsDir,
    name: NetnsName,
    pub(crate) snapshot: Snapshot,
    /// So many lines of the description were refused.
    pub(crate) refused: usize,
}

/// Both answers to a question; an error of the engine is that it cannot tell.
pub(crate) struct Answers {
    pub(crate) question: RouteQuestion,
    pub(crate) kernel: RouteAnswer,
    pub(crate) engine: Result<RouteAnswer, String>,
}

impl World {
    pub(crate) fn build(dir: &NetnsDir, name: &NetnsName, node: &Node) -> Self {
        let ns = dir.create(name).unwrap();
        let mut ip = Command::new("ip");
        ip.args(["-force", "-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = spawn(&ns, &mut ip).unwrap();
        let script = node.lines.join("\n") + "\n";
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        if std::env::var_os("FIPSCOPE_SHOW_REFUSED").is_some() {
            show_refused(&said, node);
        }
        enter(&ns, || {
            for (file, value) in &node.settings {
                // A device whose line was refused has no settings.
                let _ = fs::write(format!("/proc/sys/net/ipv4/conf/{file}"), value.to_string());
            }
        })
        .unwrap();
        drop(ns);
        let netns = read_netns(dir.path(), name);
        assert!(matches!(netns, Observed::Seen(_)), "{netns:?}");
        let mut snapshot = Snapshot::empty("node", jiff::Timestamp::UNIX_EPOCH);
        snapshot.namespaces.insert(name.clone(), netns.map(std::sync::Arc::new));
        let refused = said.lines().filter(|line| line.starts_with("Command failed")).count();
        Self { dir: dir.clone(), name: name.clone(), snapshot, refused }
    }

    pub(crate) fn ask(&self, questions: Vec<RouteQuestion>) -> Vec<Answers> {
        let topology = Topology::of(&self.snapshot);
        let engine = path::Node::of(&self.snapshot, &topology);
        let kernel = ask_routes(&self.dir, &questions);
        assert_eq!(kernel.len(), questions.len());
        let both = questions.into_iter().zip(kernel);
        both.map(|(question, kernel)| Answers {
            kernel: kernel.unwrap_or_else(|error| panic!("{question}: {error}")),
            engine: engine.route(&question),
            question,
        })
        .collect()
    }

    /// What `ip` shows of it, for people.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        for what in ["-br link", "-4 addr", "rule", "route show table all"] {
            let output = Command::new("ip").args(["-n", self.name.as_str()]).args(what.split(' ')).output().unwrap();
            words += &format!("$ ip {what}\n{}", String::from_utf8_lossy(&output.stdout));
        }
        let netns = self.snapshot.netns(&self.name).unwrap();
        for link in netns.links() {
            let conf = link.ipv4.unwrap();
            words += &format!(
                "{}: forwarding {} rp_filter {} accept_local {} src_valid_mark {} send_redirects {}\n",
                link.name, conf.forwarding, conf.rp_filter, conf.accept_local, conf.src_valid_mark, conf.send_redirects
            );
        }
        let on =
            |(name, value): &(&String, &Observed<i64>)| name.contains("ipv4.conf.all.") && **value != Observed::Seen(0);
        for (name, value) in netns.sysctls.iter().filter(on) {
            words += &format!("{name} {value:?}\n");
        }
        words
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.dir.delete(&self.name);
    }
}

/// Pairs the complaints of `ip -batch` with the lines that they are about.
fn show_refused(said: &str, node: &Node) {
    let mut why = "";
    for line in said.lines() {
        match line.strip_prefix("Command failed -:").and_then(|number| number.parse::<usize>().ok()) {
            Some(number) => println!("refused: {} ({why})", node.lines[number - 1]),
            None => why = line,
        }
    }
}
