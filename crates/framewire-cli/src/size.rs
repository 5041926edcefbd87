//! Sizes on the command line.

/// Parses a number of bytes, with or without a unit.
pub(crate) fn parse_bytes(text: &str) -> Result<usize, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        other => {
            return Err(format!(
                "{other:?} is not a unit; use B, KiB, MiB, GiB, kB, MB or GB"
            ));
        }
    };
    if number.is_empty() {
        return Err("a size starts with digits, as in 64KiB".to_owned());
    }
    let bytes = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or("more than this machine can address")?;
    if bytes == 0 {
        return Err("must be at least 1 byte".to_owned());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn sizes_take_units() {
        assert_eq!(parse_bytes("65536"), Ok(65_536));
        assert_eq!(parse_bytes("1B"), Ok(1));
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
        assert_eq!(parse_bytes("1 MiB"), Ok(1_048_576));
        assert_eq!(parse_bytes("16mib"), Ok(16_777_216));
        assert_eq!(parse_bytes("2GiB"), Ok(2_147_483_648));
        assert_eq!(parse_bytes("5MB"), Ok(5_000_000));
    }

    #[test]
    fn a_size_of_nothing_or_nonsense_is_an_error() {
        for text in [
            "0",
            "0MiB",
            "",
            "MiB",
            "-1",
            "1.5MiB",
            "1TiB",
            "1 2",
            "99999999999999999999",
            "18446744073709551615GiB",
        ] {
            assert!(parse_bytes(text).is_err(), "{text:?}");
        }
    }
}
