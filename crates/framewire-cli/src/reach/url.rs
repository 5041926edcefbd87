//! URLs as people paste them from a browser.

use idna::AsciiDenyList;

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
    use super::to_ascii;

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
