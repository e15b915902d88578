use crate::text::visible;

/// Text as HTML text or as a quoted attribute value. Control characters, which HTML forbids, become visible escapes.
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_html_reads_gets_through() {
        assert_eq!(escape(r#"<a href="x" b='y'>&"#), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
        assert_eq!(escape("a\u{1b}[2Jb\0\n"), "a\\u{1b}[2Jb\\0\\n");
        assert_eq!(escape("\u{202e}x"), "\\u{202e}x");
    }
}
