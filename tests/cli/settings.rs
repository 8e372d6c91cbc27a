//! Which setting wins, from the outside.

use crate::*;

/// The answer to `list` with variables, a configuration file and options.
fn list(name: &str, variables: &[(&str, &str)], config: Option<&str>, options: &[&str]) -> Answer {
    let folder = folder(name);
    let file = save(&broken(), &folder, "in.json");
    let mut program = program();
    program.args(["list", "--from", &file]).args(options).envs(variables.iter().copied());
    if let Some(text) = config {
        let config = folder.join("fipscope/config.toml");
        fs::create_dir_all(config.parent().unwrap()).unwrap();
        fs::write(config, text).unwrap();
        program.env("XDG_CONFIG_HOME", &folder);
    }
    answer(&mut program)
}

#[test]
fn format_by_option_then_environment_then_file() {
    let (text, json) = (Some("format = 'text'"), Some("format = 'json'"));
    for (at, (variables, config, options, is_json)) in [
        (&[][..], None, &[][..], false),
        (&[], json, &[], true),
        (&[("FIPSCOPE_FORMAT", "text")], json, &[], false),
        (&[("FIPSCOPE_FORMAT", "json")], text, &[], true),
        (&[("FIPSCOPE_FORMAT", "json")], json, &["--format", "text"], false),
        (&[("FIPSCOPE_FORMAT", "text")], text, &["--format", "json"], true),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = list(&format!("format-{at}"), variables, config, options);
        assert_eq!((answer.code, answer.out.starts_with('{')), (0, is_json), "{variables:?} {config:?} {options:?}");
    }
}

#[test]
fn colour_only_where_it_is_wanted() {
    for (at, (variables, config, options, coloured)) in [
        (&[][..], None, &[][..], false),
        (&[], None, &["--color", "always"], true),
        (&[("NO_COLOR", "1")], None, &["--color", "always"], true),
        (&[("FIPSCOPE_COLOR", "always")], None, &[], true),
        (&[("FIPSCOPE_COLOR", "always")], None, &["--color", "never"], false),
        (&[], Some("color = 'always'"), &[], true),
        (&[("NO_COLOR", "1")], Some("color = 'always'"), &[], false),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = list(&format!("colour-{at}"), variables, config, options);
        assert_eq!(answer.out.contains('\u{1b}'), coloured, "{variables:?} {config:?} {options:?}");
    }
}

#[test]
fn ascii_by_locale_environment_and_file() {
    for (at, (variables, config, ascii)) in [
        (&[][..], None, false),
        (&[("LC_ALL", "C")], None, true),
        (&[("LC_ALL", "C"), ("FIPSCOPE_ASCII", "0")], None, false),
        (&[], Some("[theme]\nascii = true"), true),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = list(&format!("ascii-{at}"), variables, config, &[]);
        assert_eq!(answer.out.is_ascii(), ascii, "{variables:?} {config:?}\n{}", answer.out);
    }
}

#[test]
fn a_wrong_setting_is_wrong_usage_with_its_place() {
    let answer = list("unknown-key", &[], Some("color = 'auto'\nred-only = true\n"), &[]);
    assert_eq!((answer.code, answer.out.as_str()), (2, ""));
    assert!(
        answer.err.contains("config.toml:2: unknown key \"red-only\"; did you mean \"read-only\"?"),
        "{}",
        answer.err
    );
    let answer = list("named", &[], None, &["--config", "/nowhere/config.toml"]);
    assert_eq!((answer.code, answer.out.as_str()), (2, ""));
    assert!(answer.err.contains("/nowhere/config.toml"), "{}", answer.err);
    let answer = list("variable", &[("FIPSCOPE_COLOR", "blue")], None, &[]);
    assert_eq!((answer.code, answer.out.as_str()), (2, ""));
    assert!(answer.err.contains("FIPSCOPE_COLOR"), "{}", answer.err);
}

#[test]
fn the_environment_can_name_the_file() {
    let file = save(&healthy(), &folder("from"), "in.json");
    let by_variable = answer(program().arg("list").env("FIPSCOPE_FROM", &file));
    assert_eq!(by_variable.out, run(["list", "--from", &file]).out);
}
