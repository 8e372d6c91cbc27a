//! Words as a shell reads them back.

/// Words with single spaces between, each quoted.
pub(super) fn quote_words(text: &str) -> String {
    text.split(' ').map(quote).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it back. Control characters are written in the
/// `$'…'` form (POSIX since 2024), so that the text is safe on a terminal, too.
/// A shell that does not know it (dash) reads another word, but no second
/// command: no quote stands within.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+=@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\\' => quoted.push_str(r"\\"),
            ' ' => quoted.push(c),
            _ if c.is_ascii_graphic() && c != '\'' => quoted.push(c),
            _ => {
                let mut bytes = [0; 4];
                quoted.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\x{byte:02x}")));
            }
        }
    }
    quoted.push('\'');
    quoted
}
