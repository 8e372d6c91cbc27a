//! `watch` in the lab: a rule goes and comes again, and both are told.

use std::env;

use serde_json::Value;

use crate::answers::valid;
use crate::*;

/// Two watchers, one of them for a single floating IP, one recording; then what
/// they told, and how the recording differs from the node.
const SCRIPT: &str = r#"
await() { n=0; until eval "$1"; do n=$((n+1)); [ $n -lt 400 ] || { echo "waited in vain: $1"; cat /run/err*; exit 9; }; sleep 0.05; done; }
# The lab's own addresses settle a second or two after it stands.
await '! ip -all netns exec ip -6 -o addr show tentative | grep -q tentative'
$F watch --record /run/record > /run/text 2> /run/err1 & W=$!
$F watch --format json --floating-ip 192.168.1.3 > /run/json 2> /run/err2 & J=$!
await 'grep -q watching /run/err1 && grep -q watching /run/err2'
Q=$(ip netns list | grep -o 'qrouter-ef25[^ ]*')
P=$(ip -n $Q rule | sed -n 's/^\([0-9]*\):.*from 10.0.0.4 lookup 16.*/\1/p')
ip -n $Q rule del priority $P
await 'grep -q raised /run/json && grep -q "raised DVR301" /run/text'
ip -n $Q rule add from 10.0.0.4 lookup 16 priority $P
await 'grep -q cleared /run/json && grep -q "cleared DVR301" /run/text'
ip netns add other
await 'grep -q "other: namespace" /run/text'
kill -INT $W $J
wait $W; echo "text $?"; wait $J; echo "json $?"
$F snapshot -o /run/fresh > /dev/null; $F diff /run/record /run/fresh > /run/diff; echo "diff $?"
$F --from /run/record watch > /run/again; echo "again $?"; cmp /run/text /run/again; echo "cmp $?"
cat /run/text /run/diff; echo ====; cat /run/json; echo ====; cat /run/record
"#;

#[test]
fn changes_and_findings_are_told_as_they_turn_and_recorded() {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let mut command = program();
    command.env("PATH", path).env("F", env!("CARGO_BIN_EXE_fipscope"));
    let answer = answer(command.args(["lab", "--layout", "pike", "--", "sh", "-c", SCRIPT]));
    if answer.err.contains("private sandbox") || answer.err.contains("iptables") {
        eprintln!("SKIPPED watch in the lab: {}", answer.err);
        assert!(env::var_os("REQUIRE_NETNS").is_none());
        return;
    }
    let all = format!("{}\n{}", answer.out, answer.err);
    assert_eq!(answer.code, 0, "{all}");
    let (text, rest) = answer.out.split_once("====\n").unwrap();
    let (json, record) = rest.split_once("====\n").unwrap();
    for line in ["text 130", "json 130", "again 0", "cmp 0", "diff 0"] {
        assert!(text.lines().any(|found| found == line), "{line}\n{all}");
    }
    for line in ["- qrouter-", "+ qrouter-", "from 10.0.0.4 lookup 16", "✗ raised DVR301 192.168.1.3 ⇄ 10.0.0.4: "]
    {
        assert!(text.contains(line), "{line}\n{all}");
    }
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        valid("watch", line);
    }
    let recorded: Vec<Value> = record.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    valid("snapshot", &recorded[0]);
    assert!(recorded.len() > 3, "{record}");
    for line in &recorded[1..] {
        valid("record", line);
    }
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"change") && kinds.contains(&"raised") && kinds.contains(&"cleared"), "{kinds:?}");
    let gone = lines.iter().find(|line| line["kind"] == "change" && line["after"].is_null()).unwrap();
    assert!(gone["before"].as_str().unwrap().contains("from 10.0.0.4 lookup 16") && gone["object"]["kind"] == "rule");
    let codes: Vec<&Value> = lines.iter().map(|line| &line["finding"]["code"]).collect();
    assert!(codes.contains(&&Value::from("DVR301")), "{codes:?}");
    assert!(!json.contains("\"namespace\":\"other\""), "what is about something else\n{json}");
}

#[test]
fn a_recording_of_a_node_that_did_not_change_is_one() {
    let folder = folder("still");
    let file = save(&healthy(), &folder, "record.jsonl");
    let answer = run(["--from", &file, "watch"]);
    assert_eq!((answer.code, answer.out.as_str()), (0, ""), "{}", answer.err);
    assert!(answer.err.contains("nothing changes in it"), "{}", answer.err);
    let sosreport = run(["--from", folder.to_str().unwrap(), "watch"]);
    assert!(sosreport.code == 2 || sosreport.code == 3, "{}", sosreport.err);
}
