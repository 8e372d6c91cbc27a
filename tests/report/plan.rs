//! What a plan says before it is carried out: text, JSON, a script.

use fipscope::net::{IfName, NetnsName, Snapshot};
use fipscope::neutron::Layout;
use fipscope::plan::{Action, Associate, Object, Place, Plan, Remove, associate, remove};
use fipscope::report::style::Style;
use fipscope::report::{json, text};
use fipscope::topology::Topology;
use fipscope::topology::scenario::Scenario;

use crate::json::valid;

fn node() -> Snapshot {
    let mut node = Scenario::article(Layout::Pike).snapshot;
    node.host.state_path = Some("/var/lib/neutron".into());
    node
}

fn association(node: &Snapshot) -> Plan {
    let wanted = Associate::new("192.168.1.4".parse().unwrap(), "20.0.0.6".parse().unwrap());
    associate(node, &Topology::of(node), &wanted).unwrap()
}

fn removal(node: &Snapshot) -> Plan {
    let wanted = Remove { with_pair: true, ..Remove::new("192.168.1.3".parse().unwrap()) };
    remove(node, &Topology::of(node), &wanted).unwrap()
}

#[test]
fn an_association() {
    insta::assert_snapshot!(text::plan(&association(&node()), Style::default()));
}

#[test]
fn every_plan_validates() {
    let node = node();
    let again = Associate::new("192.168.1.3".parse().unwrap(), "10.0.0.4".parse().unwrap());
    let again = associate(&node, &Topology::of(&node), &again).unwrap();
    for plan in [association(&node), removal(&node), again, Plan::new("Nothing to mend")] {
        let value = valid("plan", &json::plan(&node, &plan, plan.applicability));
        assert_eq!(value["steps"].as_array().unwrap().len(), plan.steps.len());
        let already = value["steps"].as_array().unwrap().iter().filter(|step| step["already"] == false).count();
        assert_eq!(already, plan.to_do().count());
        assert_eq!(value["agent"].is_null(), plan.agent.is_none());
    }
}

#[test]
fn a_script_does_what_is_to_be_done() {
    let plan = association(&node());
    let script = plan.script();
    insta::assert_snapshot!(script);
    for step in &plan.steps {
        assert_eq!(script.contains(&step.command()), !step.already, "{}", step.description);
    }
}

#[test]
fn a_script_has_no_word_that_is_not_ours() {
    let mut plan = Plan::new("Associate\nreboot");
    plan.warnings.push("careful\nreboot".to_owned());
    let hostile = "a\nreboot\n'; reboot; \u{1b}[2J";
    plan.push(&Place::Host, Action::Add(Object::Netns(NetnsName::from(hostile))));
    plan.push(&Place::netns(hostile), Action::up(&IfName::from(hostile)));
    let script = plan.script();
    assert!(script.lines().all(|line| !line.trim_start().starts_with("reboot")), "{script}");
    assert!(script.chars().all(|c| c == '\n' || !c.is_control()), "{script}");
    // No quote of the name's own closes ours.
    let quotes = script.lines().filter(|line| !line.starts_with('#')).map(|line| line.matches('\'').count());
    assert!(quotes.into_iter().all(|count| count % 2 == 0), "{script}");
}
