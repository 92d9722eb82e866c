//! Text inside of HTML and SVG.

/// Text with everything that HTML or XML would take for markup written as entities, less what neither can hold.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(one),
            one if one.is_control() => {}
            one => safe.push(one),
        }
    }
    safe
}
