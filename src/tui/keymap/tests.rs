//! The table keeps its own rules.

use std::collections::HashSet;

use super::*;

/// What a key means on one screen and everywhere else, where both say the same:
/// `u` takes the selected change back, or the last one.
const ALIKE: [(&str, &str); 1] = [("take-back", "undo")];

#[test]
fn no_key_has_two_meanings_in_one_place() {
    let map = Keymap::default();
    for (i, (one, keys)) in BINDINGS.iter().zip(&map.keys).enumerate() {
        for (other, theirs) in BINDINGS.iter().zip(&map.keys).skip(i + 1) {
            if overlap(one.context, other.context) && !ALIKE.contains(&(one.name, other.name)) {
                let both = keys.iter().find(|key| theirs.contains(key));
                assert_eq!(both, None, "{} and {}", one.name, other.name);
            }
        }
    }
}

#[test]
fn every_key_of_the_table_is_a_key() {
    for (binding, keys) in BINDINGS.iter().zip(&Keymap::default().keys) {
        assert_eq!(binding.keys.len(), keys.len(), "{}", binding.name);
        assert!(!keys.is_empty(), "{}", binding.name);
    }
}

#[test]
fn every_command_is_bound() {
    for command in Command::ALL {
        assert!(BINDINGS.iter().any(|binding| binding.command == *command), "{command:?}");
    }
}

#[test]
fn names_are_unique_and_help_is_a_short_phrase() {
    let mut names = HashSet::new();
    for binding in BINDINGS {
        assert!(names.insert(binding.name), "{} twice", binding.name);
        assert!(binding.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", binding.name);
        assert!(binding.help.chars().count() <= 40, "{} is too long", binding.help);
        assert!(binding.help.starts_with(char::is_lowercase) && !binding.help.ends_with('.'), "{}", binding.help);
    }
}

#[test]
fn overrides_replace_and_refuse() {
    let mut map = Keymap::default();
    map.rebind("quit", &["z"]).unwrap();
    assert_eq!(map.lookup(Overview, "z".parse().unwrap()), Some(Command::Quit));
    assert_eq!(map.lookup(Overview, "q".parse().unwrap()), None);
    assert_eq!(map.rebind("leave", &["z"]), Err(BindError::UnknownName("leave".to_owned())));
    assert_eq!(map.rebind("help", &["z"]), Err(BindError::Taken { key: "z".to_owned(), other: "quit" }));
    assert!(matches!(map.rebind("help", &["nope"]), Err(BindError::NotAKey(_))));
}

#[test]
fn the_prompt_takes_letters_for_itself() {
    let map = Keymap::default();
    assert_eq!(map.lookup(Prompt, "q".parse().unwrap()), None);
    assert_eq!(map.lookup(Chain, "q".parse().unwrap()), Some(Command::Quit));
}
