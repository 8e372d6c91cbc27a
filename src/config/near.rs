//! The known name that a misspelt one was probably meant to be.

/// The nearest of the known names, where one is near enough to be meant.
pub(super) fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.replace('_', "-").to_lowercase();
    let typed = plain(typed);
    let far = |name: &&str| distance(&typed, &plain(name));
    known.iter().copied().min_by_key(far).filter(|name| far(name) <= 1 + name.len() / 4)
}

/// How many characters differ (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["netns-dir", "read-only", "color"];
        assert_eq!(nearest("netns_dir", &known), Some("netns-dir"));
        assert_eq!(nearest("colour", &known), Some("color"));
        assert_eq!(nearest("readonly", &known), Some("read-only"));
        assert_eq!(nearest("bananas", &known), None);
    }
}
