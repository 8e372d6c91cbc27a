//! Effects on the terminal that are not drawings: the clipboard.

use std::io::Write;

use crate::net::printable;

/// Bytes that are copied at most; terminals drop longer sequences.
const LIMIT: usize = 16 * 1024;

/// Puts a text into the clipboard of whoever sits at the terminal, also over
/// ssh: `OSC 52` (xterm, "Operating System Commands"). Gives the text back, or
/// says why not.
pub(super) fn copy(terminal: &mut dyn Write, text: String) -> Result<String, String> {
    if text.len() > LIMIT {
        return Err(format!("too long to copy: {} bytes", text.len()));
    }
    // Lines are what several commands come in.
    if text.split('\n').any(|line| printable(line, LIMIT) != line) {
        return Err("not copied: it holds characters that a terminal could take for commands".to_owned());
    }
    let sequence = format!("\x1b]52;c;{}\x07", base64(text.as_bytes()));
    match terminal.write_all(sequence.as_bytes()).and_then(|()| terminal.flush()) {
        Ok(()) => Ok(text),
        Err(error) => Err(format!("not copied: {error}")),
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let sextet = ALPHABET[bits >> (18 - 6 * at) & 63];
            out.push(if at <= chunk.len() { char::from(sextet) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn what_a_terminal_could_take_for_commands_is_not_copied() {
        let mut out = Vec::new();
        assert!(copy(&mut out, "a\u{1b}[2J".to_owned()).is_err());
        assert!(copy(&mut out, "x".repeat(LIMIT + 1)).is_err());
        assert!(out.is_empty());
        assert_eq!(copy(&mut out, "192.168.1.3".to_owned()), Ok("192.168.1.3".to_owned()));
        assert_eq!(out, b"\x1b]52;c;MTkyLjE2OC4xLjM=\x07");
    }
}
