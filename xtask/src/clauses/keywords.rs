//! How often the text of an RFC says MUST or SHOULD, held against what the files of requirements say.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::requirements::Rfc;

/// Returns the sections that are missing or say another number. The text is as rfc-editor.org has it: headings begin
/// lines, such as `5.2.  Base Framing Protocol`, and all else is indented.
pub(super) fn compare(rfcs: &[Rfc], text: &str) -> Result<Vec<String>> {
    let number =
        number(text).context("no text of an RFC: no line begins with `RFC` and its number")?;
    let rfc = rfcs.iter().find(|rfc| rfc.number == number);
    let rfc = rfc.with_context(|| format!("no requirements of RFC {number}"))?;
    let counted = count(text);
    let mut faults = Vec::new();
    for section in &rfc.sections {
        let found = counted
            .get(&section.number[..])
            .copied()
            .unwrap_or_default();
        if let Some(stated) = section.keywords
            && stated != found
        {
            let place = format!("RFC {number} {}", section.number);
            faults.push(format!(
                "{place}: {found} keywords in its text, and not {stated}"
            ));
        }
    }
    let is_here = |number: &str| rfc.sections.iter().any(|section| section.number == number);
    let missing = counted
        .iter()
        .filter(|(section, _)| !rfc.is_part && !is_here(section));
    faults.extend(
        missing.map(|(section, found)| {
            format!("RFC {number} {section}: missing, with {found} keywords")
        }),
    );
    Ok(faults)
}

/// Returns the number that page headers begin with, such as `RFC 6455    The WebSocket Protocol`.
fn number(text: &str) -> Option<u32> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.trim_start_matches('\u{c}').strip_prefix("RFC "));
    lines.find_map(|line| line.split(' ').next()?.parse().ok())
}

/// Returns the number of keywords in each section that has one.
fn count(text: &str) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    let mut section = "";
    for line in text.lines() {
        if let Some((number, _)) = line.split_once(".  ")
            && number.split('.').all(|part| part.parse::<u8>().is_ok())
        {
            section = number;
        }
        let words = line.split(|character: char| !character.is_ascii_alphanumeric());
        let found = words.filter(|word| KEYWORDS.contains(word)).count();
        if found > 0 {
            *counted.entry(section).or_default() += found;
        }
    }
    counted
}

/// RFC 2119. Each has a form with NOT, which counts once too.
const KEYWORDS: [&str; 5] = ["MUST", "SHALL", "REQUIRED", "SHOULD", "RECOMMENDED"];

#[cfg(test)]
mod tests {
    use super::super::requirements::parse;
    use super::compare;

    const TEXT: &str = "
Fette & Melnikov             Standards Track                    [Page 1]
\u{c}
RFC 6455                 The WebSocket Protocol            December 2011

   5.2. Base Framing Protocol ....28

5.  Data Framing

5.2.  Base Framing Protocol

   It MUST NOT be
   1.  what it SHOULD be. MUSTARD is no keyword, and must is none.

5.2.1.  More

   It is (REQUIRED).
";

    fn faults(requirements: &str) -> Vec<String> {
        compare(&parse(requirements).unwrap(), TEXT).unwrap()
    }

    #[test]
    fn keywords_are_counted_in_each_section() {
        let right = "rfc 6455 A\nsection 5.2 B, 2 keywords\nsection 5.2.1 C, 1 keyword";
        assert_eq!(faults(right), [""; 0]);
        let wrong = right.replace("2 keywords", "3 keywords");
        assert_eq!(
            faults(&wrong),
            ["RFC 6455 5.2: 2 keywords in its text, and not 3"]
        );
    }

    #[test]
    fn a_section_is_missing_unless_the_rfc_is_here_in_part() {
        let one = "rfc 6455 A\nsection 5.2 B, 2 keywords";
        assert_eq!(faults(one), ["RFC 6455 5.2.1: missing, with 1 keywords"]);
        assert_eq!(faults(&one.replace("A\n", "A, in part\n")), [""; 0]);
    }

    #[test]
    fn another_text_is_none_of_an_rfc() {
        let rfcs = parse("rfc 1 A").unwrap();
        assert!(compare(&rfcs, "It MUST be.").is_err());
        assert!(compare(&rfcs, TEXT).is_err());
    }
}
