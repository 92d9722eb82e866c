//! What messages show of a faulty architecture.

/// Characters of a faulty architecture that a message shows.
pub(super) const SHOWN_CHARACTERS: usize = 40;

/// The text as it stands in a message: short, whatever was given.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = text.chars();
    let start: String = shown.by_ref().take(SHOWN_CHARACTERS).collect();
    match (start.is_empty(), shown.next()) {
        (true, _) => "nothing".into(),
        (false, None) => format!("`{}`", start.escape_debug()),
        (false, Some(_)) => format!("`{}...`", start.escape_debug()),
    }
}
