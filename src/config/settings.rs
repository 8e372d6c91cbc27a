//! What holds, after command line, environment, file and defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{ColorChoice, ConfigError, Environment, FileSettings, Format, LowArgs};
use crate::tui::keymap::Keymap;
use crate::tui::theme::Theme;

/// Where `ip netns` keeps the names of namespaces.
const NETNS_DIR: &str = "/run/netns";

/// Where root keeps what it remembers of nodes.
const STATE_DIR: &str = "/var/lib/fipscope";

/// What holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A snapshot file or an unpacked sosreport, instead of this node.
    pub from: Option<PathBuf>,
    /// The folder with the names of the namespaces.
    pub netns_dir: PathBuf,
    /// The agent's state path; `None` asks the agent's configuration.
    pub state_path: Option<PathBuf>,
    /// Nothing is written to the node.
    pub read_only: bool,
    /// Text or JSON.
    pub format: Format,
    /// When to use colour.
    pub color: ColorChoice,
    /// How much more than usual goes to the log file.
    pub verbose: u8,
    /// The log file.
    pub log_file: Option<PathBuf>,
    /// Only ASCII.
    pub ascii: bool,
    /// Styles of the console's roles, in words, where they are not the usual ones.
    pub theme: BTreeMap<String, String>,
    /// The keys of the console.
    pub keymap: Keymap,
    /// The terminal says that it has no colours (`TERM=dumb`).
    pub dumb: bool,
    /// Where what is remembered of nodes is kept (acknowledged findings).
    pub state_dir: Option<PathBuf>,
    /// Columns that text may take where it goes to no terminal; `None` is 80.
    pub columns: Option<usize>,
}

impl Settings {
    /// The settings of a run: finds and reads the configuration file.
    pub fn load(typed: &LowArgs, environment: &Environment) -> Result<Self, ConfigError> {
        let named = typed.config.clone().or_else(|| environment.path("FIPSCOPE_CONFIG"));
        let file = FileSettings::find(named.as_deref(), environment)?;
        Self::layer(typed, environment, file)
    }

    /// The console's theme. Without colour the user's own styles do not count.
    pub fn theme(&self, coloured: bool) -> Theme {
        let mut theme = if coloured { Theme::coloured() } else { Theme::plain() };
        for (role, words) in self.theme.iter().filter(|_| coloured) {
            // The file was refused where this is not understood.
            let _ = theme.set(role, words);
        }
        theme.ascii = self.ascii;
        theme
    }

    /// Command line over environment over file over default.
    pub fn layer(typed: &LowArgs, environment: &Environment, file: FileSettings) -> Result<Self, ConfigError> {
        let path = |typed: &Option<PathBuf>, name, file| typed.clone().or_else(|| environment.path(name)).or(file);
        let format = environment.word("FIPSCOPE_FORMAT", Format::EXPECTED, Format::from_word)?;
        let color = environment.word("FIPSCOPE_COLOR", ColorChoice::EXPECTED, ColorChoice::from_word)?;
        // NO_COLOR is the environment's too, but says less than our own variable.
        let color = color.or(environment.text("NO_COLOR").map(|_| ColorChoice::Never));
        let typed_read_only = typed.read_only.then_some(true);
        Ok(Self {
            from: path(&typed.from, "FIPSCOPE_FROM", None),
            netns_dir: path(&typed.netns_dir, "FIPSCOPE_NETNS_DIR", file.netns_dir).unwrap_or(NETNS_DIR.into()),
            state_path: path(&typed.state_path, "FIPSCOPE_STATE_PATH", file.state_path),
            read_only: typed_read_only
                .or(environment.flag("FIPSCOPE_READ_ONLY")?)
                .or(file.read_only)
                .unwrap_or_default(),
            format: typed.format.or(format).or(file.format).unwrap_or_default(),
            color: typed.color.or(color).or(file.color).unwrap_or_default(),
            verbose: typed.verbose,
            log_file: path(&typed.log_file, "FIPSCOPE_LOG_FILE", file.log_file),
            ascii: environment.flag("FIPSCOPE_ASCII")?.or(file.ascii).unwrap_or_else(|| speaks_ascii(environment)),
            theme: file.theme,
            keymap: file.keymap,
            dumb: environment.text("TERM").as_deref() == Some("dumb"),
            state_dir: state_dir(environment),
            columns: environment.text("COLUMNS").and_then(|columns| columns.parse().ok()),
        })
    }
}

/// `$XDG_STATE_HOME/fipscope`, else `~/.local/state/fipscope` (XDG Base
/// Directory Specification); `None` where there is no home either. Root's is
/// the system's own, so that `sudo`, a root shell and a timer share it.
fn state_dir(environment: &Environment) -> Option<PathBuf> {
    let named = environment.path("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let named = named.map(|path| path.join("fipscope"));
    let home = || environment.path("HOME").map(|home| home.join(".local/state/fipscope"));
    named.or_else(|| if nix::unistd::geteuid().is_root() { Some(STATE_DIR.into()) } else { home() })
}

/// True where the locale says so, or on the kernel's own console, whose fonts
/// lack our glyphs. No locale at all says nothing (containers, ssh).
fn speaks_ascii(environment: &Environment) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| environment.text(name));
    let utf8 = locale.is_none_or(|locale| locale.to_lowercase().replace('-', "").contains("utf8"));
    !utf8 || environment.text("TERM").as_deref() == Some("linux")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_over_environment_over_file_over_default() {
        let typed = |format| LowArgs { format, ..LowArgs::default() };
        let file = |format| FileSettings { format, ..FileSettings::default() };
        let (text, json) = (Some(Format::Text), Some(Format::Json));
        for (typed, variable, file, holds) in [
            (typed(None), None, file(None), Format::Text),
            (typed(None), None, file(json), Format::Json),
            (typed(None), Some("text"), file(json), Format::Text),
            (typed(None), Some("json"), file(None), Format::Json),
            (typed(text), Some("json"), file(json), Format::Text),
            (typed(json), Some("text"), file(text), Format::Json),
        ] {
            let environment = Environment::new(variable.map(|value| ("FIPSCOPE_FORMAT", value)));
            assert_eq!(Settings::layer(&typed, &environment, file).unwrap().format, holds, "{typed:?} {environment:?}");
        }
    }

    #[test]
    fn no_color_is_weaker_than_our_own_words_and_stronger_than_the_file() {
        let file = || FileSettings { color: Some(ColorChoice::Always), ..FileSettings::default() };
        let color = |typed, variables: &[(&str, &str)]| {
            let typed = LowArgs { color: typed, ..LowArgs::default() };
            Settings::layer(&typed, &Environment::new(variables.iter().copied()), file()).unwrap().color
        };
        assert_eq!(color(None, &[]), ColorChoice::Always);
        assert_eq!(color(None, &[("NO_COLOR", "1")]), ColorChoice::Never);
        assert_eq!(color(None, &[("NO_COLOR", "")]), ColorChoice::Always);
        assert_eq!(color(None, &[("NO_COLOR", "1"), ("FIPSCOPE_COLOR", "auto")]), ColorChoice::Auto);
        assert_eq!(color(Some(ColorChoice::Always), &[("NO_COLOR", "1")]), ColorChoice::Always);
    }

    #[test]
    fn a_variable_that_means_nothing_is_an_error() {
        let environment = Environment::new([("FIPSCOPE_READ_ONLY", "maybe")]);
        let error = Settings::layer(&LowArgs::default(), &environment, FileSettings::default()).unwrap_err();
        assert!(error.to_string().contains("FIPSCOPE_READ_ONLY is \"maybe\""), "{error}");
    }

    #[test]
    fn glyphs_follow_the_locale() {
        let ascii = |variables: &[(&str, &str)]| speaks_ascii(&Environment::new(variables.iter().copied()));
        assert!(!ascii(&[]));
        assert!(!ascii(&[("LANG", "en_US.UTF-8")]));
        assert!(ascii(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")]));
        assert!(ascii(&[("LANG", "C.UTF-8"), ("TERM", "linux")]));
    }

    #[test]
    fn the_sample_parses_and_says_the_defaults() {
        let sample = include_str!("../../assets/config.sample.toml");
        let file = FileSettings::parse(std::path::Path::new("config.sample.toml"), sample).unwrap();
        let none = Environment::default();
        let layer = |file| Settings::layer(&LowArgs::default(), &none, file).unwrap();
        assert_eq!(layer(file.clone()), layer(FileSettings::default()));
        assert!(file.color.is_some() && file.format.is_some() && file.read_only.is_some() && file.netns_dir.is_some());
        // What is shown commented out is right as well.
        let all: String =
            sample.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n").collect();
        let all = FileSettings::parse(std::path::Path::new("config.sample.toml"), &all).unwrap();
        assert!(
            all.state_path.is_some()
                && all.log_file.is_some()
                && all.keymap != Keymap::default()
                && !all.theme.is_empty()
        );
    }
}
