//! The configuration file: TOML, every key known, every error with its line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::near::nearest;
use super::{ColorChoice, ConfigError, Environment, Format};
use crate::tui::keymap::{BINDINGS, BindError, Keymap};
use crate::tui::theme::{Theme, ThemeError};

/// A configuration file that is larger is none.
const LIMIT: u64 = 1 << 20;

/// The keys at the top of the file.
const KEYS: [&str; 8] = ["netns-dir", "state-path", "log-file", "color", "format", "read-only", "theme", "keys"];

/// What a configuration file says; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSettings {
    /// `netns-dir`.
    pub netns_dir: Option<PathBuf>,
    /// `state-path`.
    pub state_path: Option<PathBuf>,
    /// `log-file`.
    pub log_file: Option<PathBuf>,
    /// `color`.
    pub color: Option<ColorChoice>,
    /// `format`.
    pub format: Option<Format>,
    /// `read-only`.
    pub read_only: Option<bool>,
    /// `ascii` of `[theme]`.
    pub ascii: Option<bool>,
    /// The other keys of `[theme]`: styles in words, by role.
    pub theme: BTreeMap<String, String>,
    /// The usual keys, changed by `[keys]`.
    pub keymap: Keymap,
}

impl FileSettings {
    /// The file that was named, or the first that stands where one is looked
    /// for, or nothing.
    pub(super) fn find(named: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        if let Some(path) = named {
            return Self::parse(path, &read(path)?);
        }
        for path in usual(environment) {
            match read(&path) {
                Ok(text) => return Self::parse(&path, &text),
                // Somebody else's home (`setpriv`, `su`) is no reason to refuse.
                Err(ConfigError::Unreadable { .. }) if std::fs::metadata(&path).is_err() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self::default())
    }

    /// Reads the text of a file; the path is for the messages.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let reader = Reader { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            reader.error(error.span().unwrap_or(0..0), error.message().lines().collect::<Vec<_>>().join(" "))
        })?;
        let mut found = Self::default();
        for (key, value) in table.get_ref() {
            match key.get_ref().as_ref() {
                "netns-dir" => found.netns_dir = Some(reader.path(key, value)?),
                "state-path" => found.state_path = Some(reader.path(key, value)?),
                "log-file" => found.log_file = Some(reader.path(key, value)?),
                "color" => {
                    found.color = Some(reader.word(key, value, ColorChoice::EXPECTED, ColorChoice::from_word)?);
                }
                "format" => found.format = Some(reader.word(key, value, Format::EXPECTED, Format::from_word)?),
                "read-only" => found.read_only = Some(reader.flag(key, value)?),
                "theme" => reader.theme(key, value, &mut found)?,
                "keys" => reader.keys(key, value, &mut found)?,
                _ => return Err(reader.unknown(key, &KEYS)),
            }
        }
        Ok(found)
    }
}

/// Where a configuration file is looked for, best first.
fn usual(environment: &Environment) -> Vec<PathBuf> {
    let home = environment.path("HOME").map(|home| home.join(".config"));
    let user = environment.path("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).or(home);
    let mut paths: Vec<PathBuf> = user.map(|path| path.join("fipscope/config.toml")).into_iter().collect();
    paths.push("/etc/fipscope.toml".into());
    paths
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_string(&mut text)).map_err(unreadable)?;
    if read as u64 > LIMIT { Err(ConfigError::TooLarge { path: path.to_owned(), limit: LIMIT }) } else { Ok(text) }
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Reads values, and knows the file and the line when one is wrong.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn error(&self, span: Range<usize>, what: String) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        ConfigError::File { path: self.path.to_owned(), line: 1 + before.matches('\n').count(), what }
    }

    fn unknown(&self, key: &Key<'_>, known: &[&str]) -> ConfigError {
        let hint = match nearest(key.get_ref(), known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("known keys are {}", known.join(", ")),
        };
        self.error(key.span(), format!("unknown key {:?}; {hint}", key.get_ref()))
    }

    fn expected(&self, key: &Key<'_>, value: &Value<'_>, expected: &str) -> ConfigError {
        let found = match value.get_ref() {
            DeValue::String(text) => format!("{text:?}"),
            other => format!("of type {}", other.type_str()),
        };
        self.error(value.span(), format!("\"{}\" is {found}; it can be {expected}", key.get_ref()))
    }

    fn path(&self, key: &Key<'_>, value: &Value<'_>) -> Result<PathBuf, ConfigError> {
        let path = value.get_ref().as_str().filter(|path| Path::new(path).is_absolute());
        path.map(PathBuf::from).ok_or_else(|| self.expected(key, value, "an absolute path"))
    }

    fn word<T>(
        &self,
        key: &Key<'_>,
        value: &Value<'_>,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        value.get_ref().as_str().and_then(parse).ok_or_else(|| self.expected(key, value, expected))
    }

    fn flag(&self, key: &Key<'_>, value: &Value<'_>) -> Result<bool, ConfigError> {
        value.get_ref().as_bool().ok_or_else(|| self.expected(key, value, "true or false"))
    }

    fn theme(&self, key: &Key<'_>, value: &Value<'_>, found: &mut FileSettings) -> Result<(), ConfigError> {
        let table = value.get_ref().as_table().ok_or_else(|| self.expected(key, value, "a table"))?;
        for (key, value) in table {
            if key.get_ref() == "ascii" {
                found.ascii = Some(self.flag(key, value)?);
            } else {
                let words = self.word(key, value, "text such as \"bold red\"", |words| Some(words.to_owned()))?;
                match Theme::default().set(key.get_ref(), &words) {
                    Err(ThemeError::Role(..)) => return Err(self.unknown(key, Theme::ROLES)),
                    Err(error) => return Err(self.error(value.span(), error.to_string())),
                    Ok(()) => {}
                }
                found.theme.insert(key.get_ref().to_string(), words);
            }
        }
        Ok(())
    }

    fn keys(&self, key: &Key<'_>, value: &Value<'_>, found: &mut FileSettings) -> Result<(), ConfigError> {
        let table = value.get_ref().as_table().ok_or_else(|| self.expected(key, value, "a table"))?;
        for (name, value) in table {
            let one = value.get_ref().as_str().map(|text| vec![text.to_owned()]);
            let many = value.get_ref().as_array().and_then(|values| {
                values.iter().map(|value| value.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
            });
            let keys = one.or(many).ok_or_else(|| self.expected(name, value, "a key or a list of keys"))?;
            match found.keymap.rebind(name.get_ref(), &keys) {
                Err(BindError::UnknownName(_)) => {
                    return Err(self.unknown(name, &BINDINGS.iter().map(|binding| binding.name).collect::<Vec<_>>()));
                }
                Err(error) => return Err(self.error(value.span(), error.to_string())),
                Ok(()) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::{Command, Context};

    fn wrong(text: &str) -> String {
        FileSettings::parse(Path::new("/c.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn every_error_has_file_line_and_what_would_be_right() {
        for (text, message) in [
            ("color = 'auto'\nnetns_dir = '/x'\n", "/c.toml:2: unknown key \"netns_dir\"; did you mean \"netns-dir\"?"),
            ("\n\ncolor = 'blue'", "/c.toml:3: \"color\" is \"blue\"; it can be auto, always or never"),
            ("read-only = 1", "/c.toml:1: \"read-only\" is of type integer; it can be true or false"),
            ("log-file = 'x'", "/c.toml:1: \"log-file\" is \"x\"; it can be an absolute path"),
            ("[theme]\nbrokn = 'red'", "/c.toml:2: unknown key \"brokn\"; did you mean \"broken\"?"),
            ("[keys]\nquitt = 'x'", "/c.toml:2: unknown key \"quitt\"; did you mean \"quit\"?"),
            ("[keys]\nquit = '?'", "/c.toml:2: ? is already bound to help"),
            ("[keys]\nquit = 3", "/c.toml:2: \"quit\" is of type integer; it can be a key or a list of keys"),
        ] {
            assert_eq!(wrong(text), message);
        }
        assert!(wrong("zebra = 1").contains("known keys are netns-dir"), "{}", wrong("zebra = 1"));
        assert!(wrong("[theme]\nok = 'reddish'").starts_with("/c.toml:2: \"reddish\" is neither a colour"));
        assert!(wrong("[keys]\nquit = 'hyper-q'").starts_with("/c.toml:2: "));
        assert!(wrong("a = 1\nb =").starts_with("/c.toml:2: "), "{}", wrong("a = 1\nb ="));
    }

    #[test]
    fn keys_and_theme_are_kept_by_name() {
        let text = "[theme]\nascii = true\nok = 'bold green'\n[keys]\nquit = 'z'\nrefresh = ['F', 'f6']\n";
        let found = FileSettings::parse(Path::new("/c.toml"), text).unwrap();
        assert_eq!(found.ascii, Some(true));
        assert_eq!(found.theme["ok"], "bold green");
        let means = |key: &str| found.keymap.lookup(Context::Overview, key.parse().unwrap());
        assert_eq!((means("z"), means("q")), (Some(Command::Quit), None));
        assert_eq!((means("F"), means("R")), (Some(Command::Refresh), None));
    }
}
