//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 9.1).

use std::borrow::Cow;

/// One extension of the list, with its parameters in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a str,
    pub(crate) parameters: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// The extensions of one header value. A malformed one ends at the next comma.
#[derive(Debug)]
pub(crate) struct Extensions<'a> {
    rest: &'a str,
}

/// Text that does not follow the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> Extensions<'a> {
    pub(crate) fn new(value: &'a str) -> Self {
        Self { rest: value }
    }

    fn extension(&mut self) -> Result<Extension<'a>, Malformed> {
        let name = self.token()?;
        let mut parameters = Vec::new();
        while self.eat(';') {
            let name = self.token()?;
            let value = if self.eat('=') {
                Some(self.value()?)
            } else {
                None
            };
            parameters.push((name, value));
        }
        self.skip_space();
        if self.rest.is_empty() || self.rest.starts_with(',') {
            Ok(Extension { name, parameters })
        } else {
            Err(Malformed)
        }
    }

    fn value(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.skip_space();
        match self.rest.strip_prefix('"') {
            Some(quoted) => self.quoted(quoted),
            None => self.token().map(Cow::Borrowed),
        }
    }

    /// RFC 6455 9.1: a quoted value must be a token once it is unquoted.
    fn quoted(&mut self, quoted: &'a str) -> Result<Cow<'a, str>, Malformed> {
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &quoted[index + 1..];
                    let is_token = !value.is_empty() && value.bytes().all(is_token_byte);
                    return is_token.then_some(Cow::Owned(value)).ok_or(Malformed);
                }
                '\\' => value.push(characters.next().ok_or(Malformed)?.1),
                _ => value.push(character),
            }
        }
        Err(Malformed)
    }

    fn token(&mut self) -> Result<&'a str, Malformed> {
        self.skip_space();
        let len = self.rest.bytes().take_while(|&b| is_token_byte(b)).count();
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        if token.is_empty() {
            return Err(Malformed);
        }
        Ok(token)
    }

    fn eat(&mut self, separator: char) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(separator) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Skips to the comma that ends the element. A comma in quotes does not.
    fn skip_element(&mut self) {
        let (mut in_quotes, mut is_escaped) = (false, false);
        let end = self.rest.find(|character| {
            match character {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = in_quotes,
                '"' => in_quotes = !in_quotes,
                _ => return character == ',' && !in_quotes,
            }
            false
        });
        self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        // RFC 9110 5.6.1: empty elements of a list are ignored.
        while self.eat(',') {}
        if self.rest.is_empty() {
            return None;
        }
        let extension = self.extension();
        if extension.is_err() {
            self.skip_element();
        }
        Some(extension)
    }
}

/// RFC 9110 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Vec<Result<String, Malformed>> {
        Extensions::new(value)
            .map(|extension| extension.map(|e| format!("{} {:?}", e.name, e.parameters)))
            .collect()
    }

    #[test]
    fn what_is_malformed_ends_at_the_next_comma() {
        for value in [
            "=",
            "a b",
            "a;",
            "a; =1",
            "a; b=",
            "a; b=\"",
            "a; b=\"c",
            "a; b=\"\"",
            "a; b=\"c d\"",
            "a; b=c d",
            "a; b==c",
            "\u{e9}",
            "a; b=\"c\"d",
        ] {
            let parsed = parse(value);
            assert_eq!(parsed.last(), Some(&Err(Malformed)), "{value}: {parsed:?}");
        }
        for (value, len) in [
            ("a, b c, d", 3),
            ("a; b=\"c, d\\\"\" e, f", 2),
            ("a; b=\"c, d", 1),
            ("a; b=\"c d, e\", f", 2),
        ] {
            assert_eq!(parse(value).len(), len, "{value}");
        }
    }

    #[test]
    fn lists_parameters_spaces_and_quotes() {
        let parsed = parse(" , a;b ;\tc = \"d\\e\",,f ; g=h , ");
        let expected = [
            r#"a [("b", None), ("c", Some("de"))]"#,
            r#"f [("g", Some("h"))]"#,
        ];
        let parsed: Vec<_> = parsed.into_iter().map(Result::unwrap).collect();
        assert_eq!(parsed, expected);
    }
}
