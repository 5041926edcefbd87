//! Whether the work that a peer causes is linear: instructions of attacks in three sizes, counted by callgrind.
//!
//! The attacks are those of `tests/budget/hostile`, in the program that `cargo test` builds. callgrind counts within
//! one function of it alone, so that neither the start of the program nor what the peer says is counted.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::process;
use crate::project::Project;

pub(crate) fn run(project: &Project) -> Result<()> {
    let program = build(project)?;
    let folder = project.target_dir("linear")?;
    let shares = thread::available_parallelism().map_or(1, NonZero::get);
    let all: Result<Vec<_>> = thread::scope(|scope| {
        let (program, folder) = (&program, &folder);
        let start = |share| scope.spawn(move || count(program, folder, share, shares));
        let running: Vec<_> = (0..shares).map(start).collect();
        let lost = |_| Err(anyhow!("a count was lost"));
        let results = running.into_iter().map(thread::ScopedJoinHandle::join);
        results.map(|joined| joined.unwrap_or_else(lost)).collect()
    });
    report(&all?.into_iter().flatten().collect::<Vec<_>>())
}

/// An attack on one kind of end, and its instructions: in a size, in twice that, and in four times that.
struct Counted {
    attack: String,
    on: String,
    size: u64,
    instructions: [u64; 3],
}

impl Counted {
    /// Returns how many times as much the second doubling adds as the first: 2 where the work is linear, 4 where it is
    /// quadratic, and 1 where there is no more work, as what comes is not read.
    ///
    /// No more work is a count and no share of the start: the start of some attacks is a message at the limit, of which
    /// a large share is as much as thousands of frames.
    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
    fn ratio(&self) -> f64 {
        let [one, two, four] = self.instructions.map(|count| count as f64);
        if four < one + NOISE {
            return 1.0;
        }
        (four - two) / (two - one).max(1.0)
    }

    /// Returns the instructions for one unit of the size.
    fn each(&self) -> u64 {
        let [_, two, four] = self.instructions;
        four.saturating_sub(two) / (2 * self.size).max(1)
    }
}

/// Prints the worst kind of end of each attack, and fails where one is not linear.
fn report(counted: &[Counted]) -> Result<()> {
    let mut attacks: BTreeMap<&str, Vec<&Counted>> = BTreeMap::new();
    for one in counted {
        attacks.entry(&one.attack).or_default().push(one);
    }
    ensure!(!attacks.is_empty(), "nothing was counted");
    let mut worst: f64 = 0.0;
    println!("{:<60} {:>5} {:>9}  on", "attack", "ratio", "for each");
    for (attack, mut ends) in attacks.iter().map(|(attack, ends)| (attack, ends.clone())) {
        ends.sort_by(|one, other| other.ratio().total_cmp(&one.ratio()));
        let (ratio, each, on) = (ends[0].ratio(), ends[0].each(), &ends[0].on);
        println!("{attack:<60} {ratio:>5.2} {each:>9}  {on}");
        worst = worst.max(ratio);
    }
    let count = attacks.len();
    println!("linear work: {count} attacks, worst ratio {worst:.2}");
    ensure!(
        worst <= MOST,
        "twice the attack adds more than {MOST} times the work"
    );
    Ok(())
}

/// Builds the tests of budgets as `cargo test` does, and returns the program.
fn build(project: &Project) -> Result<PathBuf> {
    let arguments = ["test", "--test=budget", "--no-run", "--message-format=json"];
    let messages = process::output(&mut project.cargo(&arguments), BUILD)?;
    executable(&messages).context("cargo names no program of the tests of budgets")
}

/// Returns the program in what cargo tells of the builds: a line of JSON for each.
fn executable(messages: &str) -> Option<PathBuf> {
    let mut budget = messages
        .lines()
        .filter(|line| line.contains(r#""name":"budget""#));
    let (_, path) = budget.find_map(|line| line.split_once(r#""executable":""#))?;
    Some(PathBuf::from(path.split_once('"')?.0))
}

/// Counts the attacks of one share of all.
fn count(program: &Path, folder: &Path, share: usize, shares: usize) -> Result<Vec<Counted>> {
    let file = folder.join(format!("callgrind.{share}"));
    let mut valgrind = Command::new("valgrind");
    valgrind
        .env("FRAMEWIRE_SHARE", format!("{share}/{shares}"))
        .env("GLIBC_TUNABLES", COPIES_BY_VECTORS)
        .args(["--quiet", "--tool=callgrind", "--combine-dumps=yes"])
        // By two patterns: of two options with the same one, only the first is obeyed.
        .arg(format!("--toggle-collect=*{FUNCTION}*"))
        .arg(format!("--dump-after={FUNCTION}*"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(["--exact", TEST, "--ignored", "--nocapture"]);
    let log = process::output(&mut valgrind, COUNT).context("valgrind")?;
    let profile = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    counted(&log, &profile)
}

/// Puts the names that the program printed beside the counts that callgrind wrote, three for each.
fn counted(log: &str, profile: &str) -> Result<Vec<Counted>> {
    let totals = profile
        .lines()
        .filter_map(|line| line.strip_prefix("totals: "));
    let totals: Vec<u64> = totals.map(str::parse).collect::<Result<_, _>>()?;
    let mut triples = totals.chunks_exact(3);
    // What is left at the end of the program, which is in no attack.
    let rest = triples.remainder();
    ensure!(matches!(rest, [] | [0]), "callgrind counted {rest:?} too");
    let mut counted = Vec::new();
    for (_, name) in log.lines().filter_map(|line| line.split_once("counted: ")) {
        let Some(&[one, two, four]) = triples.next() else {
            bail!("callgrind counted less than was run");
        };
        let fields: Vec<&str> = name.split('\t').collect();
        let [attack, on, size] = fields[..] else {
            bail!("no attack, end and size in {name:?}");
        };
        counted.push(Counted {
            attack: attack.to_owned(),
            on: on.to_owned(),
            size: size.parse()?,
            instructions: [one, two, four],
        });
    }
    ensure!(
        triples.next().is_none(),
        "callgrind counted more than has a name"
    );
    Ok(counted)
}

/// What runs each attack three times, each within one call of the function.
const TEST: &str = "hostile::instructions::all_attacks";
const FUNCTION: &str = "budget::hostile::instructions::run_counted";
/// Makes glibc copy and fill by vectors whatever the length: the one instruction that it takes otherwise is counted for
/// each byte again.
const COPIES_BY_VECTORS: &str =
    "glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000";
/// More than the instructions by which the same work differs from one size to the next. What an attack adds is ten
/// times as much at least.
const NOISE: f64 = 2_000.0;
/// The most that a doubling may add, against the one before.
const MOST: f64 = 2.2;
const BUILD: Duration = Duration::from_secs(900);
const COUNT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn attack(instructions: [u64; 3]) -> Counted {
        Counted {
            attack: "Pings".to_owned(),
            on: "Tokio".to_owned(),
            size: 10,
            instructions,
        }
    }

    #[test]
    fn the_start_is_no_part_of_the_ratio() {
        let is = |instructions, ratio: f64| (attack(instructions).ratio() - ratio).abs() < 0.01;
        assert!(is([1_100_000, 1_200_000, 1_400_000], 2.0));
        assert!(is([1_100_000, 1_400_000, 2_600_000], 4.0));
        assert!(is([40_100_000, 40_200_000, 40_600_000], 4.0));
        assert!(is([40_000_000, 40_000_100, 40_001_000], 1.0));
        assert!(is([40_000_000, 39_999_100, 39_999_900], 1.0));
    }

    #[test]
    fn what_is_quadratic_is_refused() {
        let linear = [100_000, 200_000, 400_000];
        assert!(report(&[attack([100_000, 200_000, 410_000])]).is_ok());
        assert!(report(&[attack(linear), attack([100_000, 200_000, 430_000])]).is_err());
        assert!(report(&[]).is_err());
    }

    #[test]
    fn names_and_counts_are_put_together() {
        let log =
            "running 1 test\ntest a ... counted: Pings\tTokio, Server\t30\ncounted: b\tc\t5\n";
        let profile = "part: 1\ntotals: 1\npart: 2\ntotals: 2\ntotals: 4\ntotals: 3\ntotals: 6\n";
        assert!(counted(log, profile).is_err());
        let more = "totals: 12\ntotals: 1\ntotals: 2\ntotals: 4\n";
        assert!(counted(log, &format!("{profile}{more}")).is_err());
        assert!(counted(log, &format!("{profile}totals: 12\ntotals: 7\n")).is_err());
        let counted = counted(log, &format!("{profile}totals: 12\ntotals: 0\n")).unwrap();
        assert_eq!((&counted[0].attack[..], counted[0].size), ("Pings", 30));
        assert_eq!(counted[1].instructions, [3, 6, 12]);
    }

    #[test]
    fn cargo_names_the_program() {
        let other = r#"{"target":{"name":"support"},"executable":null}"#;
        let budget = r#"{"target":{"name":"budget"},"executable":"/a/budget-1","fresh":true}"#;
        let library = r#"{"target":{"name":"budget"},"executable":null}"#;
        let found = executable(&format!("{other}\n{library}\n{budget}\n"));
        assert_eq!(found, Some(PathBuf::from("/a/budget-1")));
        assert_eq!(executable(other), None);
    }
}
