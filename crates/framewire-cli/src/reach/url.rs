//! URLs as people paste them from a browser.

use http::Uri;
use idna::AsciiDenyList;

/// Takes the URL of a server as it stands on a command line, or says what was meant.
pub(crate) fn parse_url(text: &str) -> Result<String, String> {
    let meant = match text.split_once("://") {
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "ws" | "wss" => return checked(text),
            "http" => format!("ws://{rest}"),
            "https" => format!("wss://{rest}"),
            _ => return Err("a URL begins with ws:// or wss://".to_owned()),
        },
        None => match text.split_once(":/") {
            Some((scheme @ ("ws" | "wss"), rest)) => format!("{scheme}://{rest}"),
            _ => format!("ws://{text}"),
        },
    };
    Err(match checked(&meant) {
        Ok(_) => format!("a URL begins with ws:// or wss://: did you mean {meant}?"),
        Err(_) => "a URL begins with ws:// or wss://".to_owned(),
    })
}

/// Returns the URL, if it has a host.
fn checked(url: &str) -> Result<String, String> {
    if url.contains('#') {
        return Err("a WebSocket URL has no fragment, which begins with #".to_owned());
    }
    let uri: Uri = to_ascii(url)?.parse().map_err(|error| format!("{error}"))?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let (_, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let has_port = place
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.contains(']'));
    match uri.host() {
        Some("") | None => Err("there is no host in it".to_owned()),
        Some(_) if has_port && uri.port_u16().is_none() => Err("the port is none".to_owned()),
        Some(_) => Ok(url.to_owned()),
    }
}

/// Returns the URL with its host in ASCII: an internationalized name becomes punycode (RFC 5891, UTS 46).
pub(crate) fn to_ascii(url: &str) -> Result<String, String> {
    let start = url.find("://").map_or(0, |end| end + 3);
    let rest = &url[start..];
    let end = rest.find(['/', '?', '#', ':']).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(end);
    if host.is_ascii() {
        return Ok(url.to_owned());
    }
    let host = idna::domain_to_ascii_cow(host.as_bytes(), AsciiDenyList::URL)
        .map_err(|_| format!("{host:?} is not the name of a host"))?;
    Ok(format!("{}{host}{tail}", &url[..start]))
}

#[cfg(test)]
mod tests {
    use super::{parse_url, to_ascii};

    #[test]
    fn urls_that_cannot_be_used_say_what_was_meant() {
        for url in [
            "ws://a",
            "WSS://a:1/b?c",
            "ws://[::1]:9001/",
            "ws://bücher.example/",
        ] {
            assert_eq!(parse_url(url).as_deref(), Ok(url));
        }
        for (url, meant) in [
            ("localhost:9001", "did you mean ws://localhost:9001?"),
            ("example.com/chat", "did you mean ws://example.com/chat?"),
            ("http://a:1/", "did you mean ws://a:1/?"),
            ("HTTPS://a/", "did you mean wss://a/?"),
            ("ftp://a/", "begins with ws:// or wss://"),
            ("not a url", "begins with ws:// or wss://"),
            ("", "begins with ws:// or wss://"),
            ("ws:/a:1/", "did you mean ws://a:1/?"),
            ("ws://a:99999/", "port"),
            ("ws://a:/", "port"),
            ("ws://[::1]:x/", ""),
            ("ws://a/#b", "fragment"),
            ("ws://", ""),
            ("ws://:80/", ""),
            ("ws://a b/", ""),
        ] {
            let error = parse_url(url).unwrap_err();
            assert!(error.contains(meant), "{url}: {error}");
        }
    }

    #[test]
    fn internationalized_hosts_become_punycode() {
        for (url, expected) in [
            ("ws://localhost:9001/ü", "ws://localhost:9001/ü"),
            ("ws://[::1]:9001/", "ws://[::1]:9001/"),
            (
                "wss://Bücher.example/ü?é",
                "wss://xn--bcher-kva.example/ü?é",
            ),
            ("ws://例え.テスト:81", "ws://xn--r8jz45g.xn--zckzah:81"),
            ("ws://straße.de?q", "ws://xn--strae-oqa.de?q"),
        ] {
            assert_eq!(to_ascii(url).unwrap(), expected);
        }
        assert_eq!(to_ascii("ws://ü ü/").ok(), None);
    }
}
