//! Few inputs that reach much.

use std::collections::BTreeSet;

/// One input, and what a target reaches with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Input<'a> {
    pub(super) path: &'a str,
    pub(super) len: u64,
    /// What libFuzzer calls features: an edge, and about how often it was passed.
    pub(super) features: Vec<u32>,
}

/// Reads what each input reaches out of the file in which libFuzzer records that while it merges.
///
/// That is the number of inputs, the number of those from the first directory, a path for each, and then for the first
/// of them `STARTED 0 12`, with the length, and `FT 0 34 56`, with the features, and so on.
pub(super) fn read(control: &str) -> Option<Vec<Input<'_>>> {
    let mut lines = control.lines();
    let count = lines.next()?.parse().ok()?;
    lines.next()?;
    let unread = |path| Input {
        path,
        ..Input::default()
    };
    let mut inputs: Vec<_> = lines.by_ref().take(count).map(unread).collect();
    for line in lines {
        let mut words = line.split(' ');
        let word = words.next()?;
        let input = inputs.get_mut(words.next()?.parse::<usize>().ok()?)?;
        match word {
            "STARTED" => input.len = words.next()?.parse().ok()?,
            "FT" => input.features = words.map(str::parse).collect::<Result<_, _>>().ok()?,
            _ => {}
        }
    }
    Some(inputs)
}

/// Chooses at most so many inputs of so many bytes in all: each time the one that adds most to what was `reached`, for
/// what it takes of either.
pub(super) fn choose<'a, 'p>(
    inputs: &'a [Input<'p>],
    reached: &BTreeSet<u32>,
    most_inputs: usize,
    most_bytes: u64,
) -> Vec<&'a Input<'p>> {
    // In bytes: as much as there are for each place.
    let place = 1 + most_bytes / (most_inputs as u64).max(1);
    let mut bytes = most_bytes;
    let mut adds: Vec<(&Input<'_>, Vec<u32>)> = inputs
        .iter()
        .map(|input| (input, input.features.clone()))
        .collect();
    let mut news = reached.clone();
    let mut chosen = Vec::new();
    while chosen.len() < most_inputs {
        for (_, features) in &mut adds {
            features.retain(|feature| !news.contains(feature));
        }
        adds.retain(|(input, features)| !features.is_empty() && input.len <= bytes);
        let worth = |index: &usize| {
            let (input, features) = &adds[*index];
            SCALE * features.len() as u64 / (place + input.len)
        };
        let Some(best) = (0..adds.len()).max_by_key(worth) else {
            break;
        };
        let (input, features) = adds.swap_remove(best);
        news = features.into_iter().collect();
        bytes -= input.len;
        chosen.push(input);
    }
    chosen
}

/// Returns all that these inputs reach.
pub(super) fn reached<'a, 'p: 'a>(
    inputs: impl IntoIterator<Item = &'a Input<'p>>,
) -> BTreeSet<u32> {
    let inputs = inputs.into_iter();
    inputs.flat_map(|input| &input.features).copied().collect()
}

/// Returns the number of edges among these features, of which each edge has eight.
pub(super) fn edges(features: &BTreeSet<u32>) -> usize {
    let edges: BTreeSet<u32> = features.iter().map(|feature| feature / 8).collect();
    edges.len()
}

/// So that quotients of whole numbers are told apart.
const SCALE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: &str = "3\n0\na/short\na/long\na/same\nSTARTED 0 2\nFT 0 8 16\nCOV 0 1 2\n\
                           STARTED 1 50\nFT 1 8 16 24 25\nCOV 1 3\nSTARTED 2 60\nFT 2 8 16 24\nCOV 2\n";

    fn paths<'a>(inputs: &[&Input<'a>]) -> Vec<&'a str> {
        inputs.iter().map(|input| input.path).collect()
    }

    #[test]
    fn lengths_and_features_are_read() {
        let inputs = read(CONTROL).unwrap();
        let long = Input {
            path: "a/long",
            len: 50,
            features: vec![8, 16, 24, 25],
        };
        assert_eq!(inputs[1], long);
        assert_eq!(inputs.len(), 3);
        assert_eq!(read("no control file"), None);
        assert_eq!(edges(&reached(&inputs)), 3);
    }

    #[test]
    fn what_adds_most_is_chosen_as_long_as_there_is_room() {
        let inputs = read(CONTROL).unwrap();
        let chosen = |reached: &[u32], most_inputs, most_bytes| {
            let reached = reached.iter().copied().collect();
            paths(&choose(&inputs, &reached, most_inputs, most_bytes))
        };
        assert_eq!(chosen(&[], 10, 60), ["a/short", "a/long"]);
        assert_eq!(chosen(&[], 1, 60), ["a/long"]);
        assert_eq!(chosen(&[], 10, 49), ["a/short"]);
        assert_eq!(chosen(&[8, 16, 25], 10, 60), ["a/long"]);
        assert_eq!(chosen(&[8, 16, 24, 25], 10, 60), [""; 0]);
        assert_eq!(chosen(&[], 0, 60), [""; 0]);
    }
}
