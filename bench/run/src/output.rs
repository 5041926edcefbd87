//! What a run leaves behind.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::goals::GOALS;
use crate::judge;
use crate::project::Project;
use crate::results::Results;
use crate::{charts, marked, report};

/// Reads what an earlier run measured.
pub(crate) fn read(file: &Path) -> Result<Results> {
    let name = || file.display().to_string();
    let text = fs::read_to_string(file).with_context(name)?;
    serde_json::from_str(&text).with_context(name)
}

/// Writes figures, tables and charts, prints the tables, and returns whether no goal is missed and nothing of ours
/// failed.
pub(crate) fn write(
    project: &Project,
    results: &Results,
    folder: &Path,
    in_readme: bool,
) -> Result<bool> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let file = |extension: &str| folder.join(format!("{}.{extension}", results.machine.date));
    let verdicts = judge::judge(results, GOALS);
    // The figures first: whatever goes wrong after them can be made again.
    fs::write(file("json"), serde_json::to_string(results)? + "\n").context("figures")?;
    let charts = charts::draw(results, folder)?;
    fs::write(file("md"), report::markdown(results, &verdicts, &charts)).context("tables")?;
    if in_readme {
        marked::write(project, results)?;
    }
    println!("{}", report::circumstances(results));
    println!("{}", report::overview(results, &verdicts));
    for failure in &results.failures {
        println!("FAILED: {failure}");
    }
    for (what, seconds) in &results.settings.seconds {
        println!("{what:<14} {seconds:>5} s");
    }
    println!("All tables: {}", file("md").display());
    Ok(results.failures.is_empty() && !judge::any_missed(&verdicts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Measure;
    use crate::results::tests::made_up;

    fn written(name: &str, results: &Results) -> bool {
        let folder =
            std::env::temp_dir().join(format!("framewire-output-{name}-{}", std::process::id()));
        let project = Project::find().unwrap();
        let good = write(&project, results, &folder, false).unwrap();
        let json = folder.join(format!("{}.json", results.machine.date));
        assert_eq!(read(&json).unwrap().figures, results.figures);
        fs::remove_dir_all(folder).unwrap();
        good
    }

    #[test]
    fn a_missed_goal_is_no_success_but_all_is_written() {
        let run =
            |samples: &[f64]| made_up(Measure::Cpu, "10 × 20 × 64", "framewire-tokio", samples);
        // The goal is two thirds of the best peer, which is at 100 ± 3.
        assert!(written("met", &run(&[66.0])));
        assert!(written("noise", &run(&[67.5])));
        assert!(!written("missed", &run(&[72.0])));
    }

    #[test]
    fn a_failure_of_ours_is_no_success() {
        let mut results = made_up(Measure::Cpu, "cell", "framewire-tokio", &[50.0]);
        results.went_wrong("quick", "cell: it panics");
        assert!(written("theirs", &results));
        results.went_wrong("framewire-tokio", "cell: it panics");
        assert!(!written("ours", &results));
    }
}
