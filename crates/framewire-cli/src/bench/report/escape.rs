//! Text from outside in a page.

use crate::terminal::is_deceptive;

/// Returns HTML that shows a text, in an element or a quoted attribute. A character that would not be shown but change
/// the order of others is a replacement character.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ if is_deceptive(character) => escaped.push(char::REPLACEMENT_CHARACTER),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn no_text_becomes_an_element_or_an_attribute() {
        let hostile = "ws://a/\"><script>alert('&')</script>\u{202e}\0";
        assert_eq!(
            escaped(hostile),
            "ws://a/&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;\u{fffd}\u{fffd}"
        );
    }
}
