//! How a client names the target in the query of its request: `?target=HOST:PORT`.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::target::Target;

/// Returns the target that the query of a request names; `None` if it names none.
pub(super) fn target_of(query: Option<&str>) -> Result<Option<Target>, String> {
    let pairs = query.unwrap_or_default().split('&');
    let mut named = pairs.filter_map(|pair| pair.strip_prefix(PARAMETER));
    let Some(value) = named.next() else {
        return Ok(None);
    };
    if named.next().is_some() {
        return Err("more than one target is named".to_owned());
    }
    // A percent sign without its two digits is left as it is, and no target has one.
    let value = percent_decode_str(value).decode_utf8();
    let value = value.map_err(|_| "the target is not UTF-8")?;
    Target::parse(&value).map(Some)
}

/// Returns the URL with the target in its query.
pub(super) fn with_target(url: &str, target: &Target) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    let value = target.to_string();
    let value = utf8_percent_encode(&value, BRACKETS);
    format!("{url}{mark}{PARAMETER}{value}")
}

/// What names the target in a query.
const PARAMETER: &str = "target=";
/// Those of an IPv6 address have no place in a query (RFC 3986 3.4).
const BRACKETS: &AsciiSet = &CONTROLS.add(b'[').add(b']');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_goes_through_a_query_as_it_is() {
        for text in ["db:5432", "127.0.0.1:1", "[fd00::1]:22"] {
            let target = Target::parse(text).unwrap();
            for url in ["ws://a/", "ws://a/?token=%26target"] {
                let url = with_target(url, &target);
                let (_, query) = url.split_once('?').unwrap();
                assert!(!query.contains(['[', ']']));
                assert_eq!(target_of(Some(query)).unwrap(), Some(target.clone()));
            }
        }
    }

    #[test]
    fn a_query_names_one_target_or_none() {
        let of = |query| target_of(Some(query));
        assert_eq!(target_of(None), Ok(None));
        for query in ["", "a=b", "targets=a:1", "Target=a:1", "a=target=b:1"] {
            assert_eq!(of(query), Ok(None), "{query}");
        }
        assert_eq!(
            of("target=%64b%3a5432").unwrap(),
            Target::parse("db:5432").ok()
        );
        for query in [
            "target=",
            "target=a:1&target=a:1",
            "target=a%0a:1",
            "target=a:1%0d%0a",
            "target=a%",
            "target=a%3",
            "target=a%3g1",
            "target=a%%33",
            "target=%ff:1",
            "target=a+b:1",
            "target=a%00:1",
            "target=a%252e:1",
        ] {
            assert!(of(query).is_err(), "{query}");
        }
    }
}
