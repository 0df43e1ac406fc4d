//! Metrics: the page, the alerts and the dashboard know those that there are, and no others.

use std::collections::{BTreeMap, BTreeSet};

use baton::metrics::{ALL, Definition};
use serde_json::Value;

use super::text;

fn row(it: &Definition) -> String {
    let labels = match it.labels {
        [] => String::new(),
        labels => format!("{{{}}}", labels.join(", ")),
    };
    format!("| `{}{labels}` | {} | {} |", it.name, it.kind, it.help)
}

#[test]
fn the_page_has_exactly_the_metrics_that_there_are() {
    let page = text("docs/metrics.md");
    let documented: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `baton_"))
        .collect();
    let there: Vec<String> = ALL.iter().map(row).collect();
    assert_eq!(documented, there);
}

#[test]
fn names_are_unique_and_end_with_their_unit() {
    let names: BTreeSet<&str> = ALL.iter().map(|it| it.name).collect();
    assert_eq!(names.len(), ALL.len());
    for it in ALL {
        assert!(it.name.starts_with("baton_"), "{}", it.name);
        assert_eq!(
            it.kind == "counter",
            it.name.ends_with("_total"),
            "{}",
            it.name
        );
    }
}

/// The metrics of a query, with the labels it names; a histogram's own suffixes are taken off.
fn used(query: &str) -> BTreeSet<String> {
    query
        .split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'))
        .filter(|word| word.starts_with("baton_"))
        .map(|word| {
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| word.strip_suffix(suffix));
            base.filter(|base| {
                ALL.iter()
                    .any(|it| it.name == *base && it.kind == "histogram")
            })
            .unwrap_or(word)
            .to_owned()
        })
        .collect()
}

/// Label names inside of `{…}` and `by (…)`, but for those that Prometheus adds.
fn labels(query: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (open, close) in [('{', '}'), ('(', ')')] {
        for (at, _) in query.match_indices(open) {
            if open == '(' && !query[..at].trim_end().ends_with("by") {
                continue;
            }
            let inside = query[at + 1..].split(close).next().unwrap_or_default();
            for part in inside.split(',') {
                let name = part.split(['=', '!']).next().unwrap_or_default().trim();
                found.insert(name.to_owned());
            }
        }
    }
    found.remove("instance");
    found.remove("le");
    found
}

fn check(query: &str, seen: &mut BTreeSet<String>) {
    let known: BTreeMap<&str, &Definition> = ALL.iter().map(|it| (it.name, it)).collect();
    let metrics = used(query);
    assert!(!metrics.is_empty(), "no metric in `{query}`");
    let mut allowed = BTreeSet::new();
    for name in &metrics {
        let it = known
            .get(name.as_str())
            .unwrap_or_else(|| panic!("no metric `{name}`, used in `{query}`"));
        allowed.extend(it.labels.iter().map(|label| (*label).to_owned()));
    }
    for label in labels(query) {
        assert!(allowed.contains(&label), "no label `{label}` in `{query}`");
    }
    seen.extend(metrics);
}

/// The values of a key in a YAML file of ours, folded lines put together.
fn values<'a>(page: &'a str, key: &str) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((before, value)) = line.split_once(&format!("{key}: ")) else {
            continue;
        };
        let indent = before.len();
        let mut value = value.to_owned();
        if value == ">-" {
            value.clear();
            let deeper =
                |line: &&'a str| line.len() - line.trim_start().len() > indent && !line.is_empty();
            while let Some(more) = lines.next_if(deeper) {
                value = format!("{value} {}", more.trim());
            }
        }
        found.push(value);
    }
    found
}

#[test]
fn alerts_use_metrics_that_exist_and_say_what_to_do() {
    let page = text("deploy/alerts.yaml");
    let (alerts, queries, runbooks) = (
        values(&page, "- alert"),
        values(&page, "expr"),
        values(&page, "runbook_url"),
    );
    assert!(alerts.len() > 10, "{alerts:?}");
    assert_eq!(alerts.len(), queries.len());
    assert_eq!(alerts.len(), runbooks.len());
    let mut seen = BTreeSet::new();
    queries.iter().for_each(|query| check(query, &mut seen));
    let operations = text("docs/operations.md");
    let anchors: BTreeSet<String> = operations
        .lines()
        .filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()))
        .map(|heading| heading.to_lowercase().replace('`', "").replace(' ', "-"))
        .collect();
    for runbook in runbooks {
        let anchor = runbook
            .strip_prefix("docs/operations.md#")
            .unwrap_or_else(|| panic!("{runbook} is not in docs/operations.md"));
        assert!(anchors.contains(anchor), "no heading for {runbook}");
    }
}

#[test]
fn the_dashboard_shows_metrics_that_exist() {
    let dashboard: Value = serde_json::from_str(&text("deploy/dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut seen = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().expect("targets") {
            check(target["expr"].as_str().expect("a query"), &mut seen);
        }
    }
    assert!(panels.len() > 20 && seen.len() > 25, "{seen:?}");
}

#[test]
fn a_metric_that_does_not_exist_is_found() {
    let bad =
        |query: &str| std::panic::catch_unwind(|| check(query, &mut BTreeSet::new())).is_err();
    assert!(bad("rate(baton_imagined_total[5m])"));
    assert!(bad("sum by (session) (baton_handoffs)"));
    assert!(bad("baton_handoffs{contact=\"x\"}"));
    assert!(bad("up"));
    assert!(!bad(
        "sum by (le, step) (rate(baton_desk_call_seconds_bucket[5m]))"
    ));
}
