//! Configuration files as `oslo.config` reads them: sections, `key = value`,
//! continuation lines, comments; what comes last wins.

use std::collections::BTreeMap;

/// `$a` may lead to `$b`, but not for ever.
const DEEPEST: usize = 8;
/// The longest value that substitution may come to.
const LONGEST: usize = 4096;

/// The settings of one or more files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings(BTreeMap<(String, String), String>);

impl Settings {
    /// Adds a file's settings over those that are there. Lines that make no
    /// sense are passed over: the agent would not have started with them.
    pub(crate) fn add(&mut self, text: &str) {
        let (mut section, mut key) = ("DEFAULT".to_owned(), None::<String>);
        for line in text.lines().map(str::trim_end) {
            if line.is_empty() {
                key = None;
            } else if line.starts_with([' ', '\t']) {
                let value = key.as_ref().and_then(|key| self.0.get_mut(&(section.clone(), key.clone())));
                if let Some(value) = value {
                    value.push('\n');
                    value.push_str(line.trim_start());
                }
            } else if let Some(name) = line.strip_prefix('[') {
                section = group(name.strip_suffix(']').unwrap_or(name));
                key = None;
            } else if line.starts_with(['#', ';']) {
                key = None;
            } else if let Some((name, value)) = line.split_once(['=', ':']) {
                let name = option(name.trim());
                self.0.insert((section.clone(), name.clone()), unquoted(value.trim()).to_owned());
                key = Some(name);
            }
        }
    }

    /// Sets one option, as the command line can.
    pub(crate) fn set(&mut self, section: &str, name: &str, value: &str) {
        self.0.insert((group(section), option(name)), value.to_owned());
    }

    /// An option's value, what it refers to put in. An empty value is none.
    pub(crate) fn get(&self, section: &str, name: &str) -> Option<String> {
        self.resolved(section, name, 0).filter(|value| !value.is_empty())
    }

    fn resolved(&self, section: &str, name: &str, depth: usize) -> Option<String> {
        let value = self.0.get(&(group(section), option(name)))?;
        Some(if depth == DEEPEST { value.clone() } else { self.substituted(value, depth) })
    }

    /// `$name`, `${name}`, `$group.name`; `$$` is a dollar. What is not known
    /// stays as it stands.
    fn substituted(&self, value: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = value;
        while let Some(place) = rest.find('$').filter(|_| out.len() < LONGEST) {
            out.push_str(&rest[..place]);
            let after = &rest[place + 1..];
            if let Some(tail) = after.strip_prefix('$') {
                out.push('$');
                rest = tail;
                continue;
            }
            let (word, length) = reference(after);
            match word.split_once('.').map_or_else(
                || self.resolved("DEFAULT", word, depth + 1),
                |(section, name)| self.resolved(section, name, depth + 1),
            ) {
                Some(found) => out.push_str(&found),
                None => out.push_str(&rest[place..=place + length]),
            }
            rest = &after[length..];
        }
        out.push_str(rest);
        out
    }
}

/// The name that a reference begins with, and how much text the reference takes.
fn reference(text: &str) -> (&str, usize) {
    if let Some((word, _)) = text.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        return (word, word.len() + 2);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(text.len());
    // A dot at the end belongs to the sentence.
    let word = text[..end].trim_end_matches('.');
    (word, word.len())
}

/// Groups are told apart without regard to case; `DEFAULT` is as it is.
fn group(name: &str) -> String {
    if name == "DEFAULT" { name.to_owned() } else { name.to_lowercase() }
}

fn option(name: &str) -> String {
    name.replace('-', "_")
}

fn unquoted(value: &str) -> &str {
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(texts: &[&str]) -> Settings {
        let mut settings = Settings::default();
        for text in texts {
            settings.add(text);
        }
        settings
    }

    #[test]
    fn files_are_read_as_oslo_config_reads_them() {
        let first = "# a comment\nagent_mode = legacy\n; another\n[DEFAULT]\nstate_path: \"/var/lib/n\"\n\
                     long = one,\n   two\n\n  not a continuation any more\n[OSLO_Concurrency]\nlock-path=$state_path/lock\n\
                     agent_mode=ignored\nnonsense\n";
        let second = "[DEFAULT]\nagent_mode=dvr\nagent_mode = dvr_snat  \nempty =\n";
        let found = settings(&[first, second]);
        assert_eq!(found.get("DEFAULT", "agent_mode").as_deref(), Some("dvr_snat"));
        assert_eq!(found.get("DEFAULT", "long").as_deref(), Some("one,\ntwo"));
        assert_eq!(found.get("oslo_concurrency", "lock_path").as_deref(), Some("/var/lib/n/lock"));
        assert_eq!(found.get("DEFAULT", "empty"), None);
        assert_eq!(found.get("DEFAULT", "absent"), None);
    }

    #[test]
    fn references_end() {
        let text = "a = $b\nb = $a\nc = ${d}x$$y $unknown. ${open\nd = $agent.d\n[AGENT]\nd = 7\n";
        let found = settings(&[text]);
        assert!(found.get("DEFAULT", "a").is_some());
        assert_eq!(found.get("DEFAULT", "c").as_deref(), Some("7x$y $unknown. ${open"));
        let wide = (0..20).fold(String::new(), |text, i| text + &format!("v{i} = $v{0}$v{0}$v{0}$v{0}\n", i + 1));
        assert!(settings(&[&wide]).get("DEFAULT", "v0").unwrap().len() < 1 << 20);
    }
}
