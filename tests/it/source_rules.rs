//! Every rule of the scan with a program that is wrong and the same program repaired: all rules run on all programs, and
//! what they see is what the programs say of themselves.
//!
//! A fixture is a file `fixtures/rules/<rule>/bad*` or `good*`, or a directory of that name, scanned by itself. A line
//! ends in `# expect: rule, rule` (`//` in Rust) where these rules are due; on a line of its own the mark is about the
//! next line. What costs below a tenth of a millisecond is not compared: it is off by default.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use boundby::catalog::{Catalog, Language};
use boundby::finding::{Confidence, Cost, Observation, Severity, Threshold};
use boundby::rules::source::{SourceKind, SourceRules};
use boundby::scan::{self, Options, Scan, Thresholds, Tree, Unwatched, walk};

type Marks = BTreeSet<(String, u32, String)>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules")
}

fn rules() -> &'static SourceRules {
    static RULES: LazyLock<SourceRules> =
        LazyLock::new(|| SourceRules::builtin().unwrap_or_else(|errors| panic!("{}", errors[0])));
    &RULES
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Every fixture: its rule, and the file or directory.
fn fixtures() -> Vec<(String, PathBuf)> {
    let of_rule = |rule: PathBuf| entries(&rule).into_iter().map(move |path| (name(&rule), path));
    entries(&root()).into_iter().flat_map(of_rule).collect()
}

fn scan(path: &Path) -> Scan {
    scan_by(path, &rules().options().collect())
}

fn scan_by(path: &Path, thresholds: &Thresholds) -> Scan {
    let base = if path.is_dir() { path } else { path.parent().unwrap() };
    let nothing = walk::globs([]).unwrap();
    let walked = walk::walk(base, &[path.to_owned()], &nothing).unwrap();
    let options = Options { threads: Some(1), thresholds, progress: &Unwatched, cache: None };
    scan::scan(|| Tree::read(walked), &options, Catalog::builtin).unwrap()
}

fn marks(path: &str, text: &str) -> Marks {
    let mut marks = Marks::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some((code, ids)) = ["# expect: ", "// expect: "].iter().find_map(|mark| line.split_once(mark))
        else {
            continue;
        };
        let line = if code.trim().is_empty() { number + 1 } else { number };
        marks.extend(ids.split(',').map(|id| (path.to_owned(), line, id.trim().to_owned())));
    }
    marks
}

fn counts(seen: &Observation) -> bool {
    seen.cost != Some(Cost::Micro)
}

/// Whether a rule only explains what a profile shows, and so is right of good code as well.
fn only_explains(id: &str) -> bool {
    rules().get(id).is_some_and(|rule| {
        let is_weak = rule.severity.otherwise == Severity::Note && rule.confidence == Confidence::Low;
        is_weak && rule.kind != SourceKind::Opportunity
    })
}

#[test]
fn what_is_marked_is_what_is_seen() {
    let mut wrong = Vec::new();
    for (rule, path) in fixtures() {
        let scan = scan(&path);
        let file = path.strip_prefix(root()).unwrap().display().to_string();
        assert!(!scan.sources.is_empty(), "{file} is no source");
        assert_eq!(scan.problems, [], "{file}");
        let due: Marks =
            scan.sources.values().flat_map(|(source, _)| marks(&source.path, &source.text)).collect();
        let seen: Marks = scan
            .observations
            .iter()
            .filter(|seen| counts(seen) && (seen.rule == rule || !only_explains(seen.rule)))
            .map(|seen| (seen.place.path.to_string(), seen.place.line, seen.rule.to_owned()))
            .collect();
        for (path, line, id) in due.difference(&seen) {
            wrong.push(format!("{file}: {path}:{line}: {id} is not seen"));
        }
        for (path, line, id) in seen.difference(&due) {
            wrong.push(format!("{file}: {path}:{line}: {id} is seen and not marked"));
        }
        let bad = name(&path).starts_with("bad");
        assert!(bad || name(&path).starts_with("good"), "{file} is neither good nor bad");
        assert_eq!(bad, due.iter().any(|(_, _, id)| *id == rule), "{file}: marks of {rule}");
        assert!(bad || due.is_empty(), "{file} is good and has marks");
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Numbers that count in wholes move by one at least.
#[test]
fn no_number_can_be_a_fifth_larger_or_smaller_without_a_fixture_that_notices() {
    let shipped: BTreeMap<(String, String), Threshold> = rules().options().collect();
    let places = |scan: &Scan, rule: &str| -> Vec<(String, u32)> {
        let of_rule = scan.observations.iter().filter(|seen| seen.rule == rule);
        of_rule.map(|seen| (seen.place.path.to_string(), seen.place.line)).collect()
    };
    let mut survivors = Vec::new();
    let mut numbers = 0;
    for ((rule, option), threshold) in &shipped {
        let Threshold::Number(number) = *threshold else { continue };
        numbers += 1;
        let step = if number < 5.0 && number.fract() == 0.0 { 1.0 } else { 0.2 * number };
        for moved in [number - step, number + step] {
            let mut options = shipped.clone();
            options.insert((rule.clone(), option.clone()), Threshold::Number(moved));
            let thresholds: Thresholds = options.into_iter().collect();
            let notices = fixtures()
                .iter()
                .filter(|(about, _)| about == rule)
                .any(|(_, path)| places(&scan_by(path, &thresholds), rule) != places(&scan(path), rule));
            if !notices {
                survivors.push(format!("{rule}: {option} {number} as {moved}"));
            }
        }
    }
    assert!(numbers > 0, "no rule has a number");
    assert_eq!(survivors, [""; 0]);
}

#[test]
fn every_rule_has_both_fixtures_in_each_of_its_languages() {
    let rules = rules();
    let mut kinds: BTreeMap<(String, bool), BTreeSet<bool>> = BTreeMap::new();
    for (rule, path) in fixtures() {
        assert!(rules.get(&rule).is_some(), "fixtures/rules/{rule} is about no rule");
        let rust = path.extension().is_some_and(|extension| extension == "rs");
        kinds.entry((rule, rust)).or_default().insert(name(&path).starts_with("bad"));
    }
    for rule in rules.all() {
        let has = |rust: bool| kinds.get(&(rule.id.clone(), rust)).is_some_and(|kinds| kinds.len() == 2);
        let languages = rule.languages.iter().filter(|language| !has(**language == Language::Rust));
        let missing: Vec<_> = languages.collect();
        assert!(missing.is_empty(), "{} has no good and bad fixture in {missing:?}", rule.id);
    }
}

#[test]
fn every_pitfall_of_the_guide_has_its_program() {
    let mut found = BTreeSet::new();
    for (_, path) in fixtures() {
        let files = if path.is_dir() { entries(&path) } else { vec![path] };
        for file in files {
            let text = fs::read_to_string(file).unwrap();
            found.extend(text.split("# pitfall ").skip(1).filter_map(|rest| {
                rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse::<u32>().ok()
            }));
        }
    }
    let missing: Vec<_> = (1..=40).filter(|number| !found.contains(number)).collect();
    assert_eq!(missing, [0_u32; 0]);
}

#[test]
fn every_rule_is_detected_and_every_observation_has_a_rule_that_its_facts_fill() {
    let mut detected = BTreeSet::new();
    for (_, path) in fixtures() {
        let weighed = rules().weigh(scan(&path).observations);
        assert!(weighed.without_rule.is_empty(), "{}: {:?}", path.display(), weighed.without_rule);
        for finding in weighed.findings {
            let texts = [&finding.message, &finding.why, &finding.cure];
            assert!(!texts.iter().any(|text| text.contains('…')), "{}: {texts:?}", path.display());
            detected.insert(finding.seen.rule);
        }
    }
    let ids = rules().all().iter().map(|rule| rule.id.as_str());
    let without: Vec<_> = ids.filter(|id| !detected.contains(id)).collect();
    assert!(without.is_empty(), "nothing detects {without:?}");
}

#[test]
fn texts_begin_and_end_as_texts_do() {
    for rule in rules().all() {
        for text in rule.message.texts() {
            assert!(!text.ends_with(['.', '!', ':']), "message of {}: {text}", rule.id);
            assert!(!text.starts_with(char::is_uppercase), "message of {}: {text}", rule.id);
        }
        for text in rule.why.texts().chain(rule.cure.texts()).filter(|text| *text != "{cure}") {
            assert!(text.ends_with('.'), "why or cure of {}: {text}", rule.id);
            assert!(!text.starts_with(char::is_lowercase), "why or cure of {}: {text}", rule.id);
        }
        assert!(
            rule.title.starts_with(|c: char| !c.is_uppercase() || rule.title.starts_with("Celery")),
            "{}",
            rule.id
        );
    }
}

#[test]
fn examples_are_source() {
    for rule in rules().all() {
        for (language, code) in rule.before.iter().chain(&rule.after) {
            let wrong = match language {
                // A line of a Dockerfile is an example too.
                Language::Python if code.starts_with("CMD ") => Vec::new(),
                Language::Python => problems("example.py", *language, code),
                Language::Rust => wrong_rust(code),
            };
            assert!(wrong.is_empty(), "{}: {wrong:?}\n{code}", rule.id);
        }
    }
}

/// Nothing where it is items, statements or fields; dots stand for what does not matter.
fn wrong_rust(code: &str) -> Vec<String> {
    let code = code.replace("...", "");
    let forms =
        [code.clone(), format!("async fn example() {{ {code} }}"), format!("struct Example {{ {code} }}")];
    let wrong = forms.map(|form| problems("example.rs", Language::Rust, &form));
    if wrong.iter().any(Vec::is_empty) { Vec::new() } else { wrong.concat() }
}

fn problems(path: &str, language: Language, code: &str) -> Vec<String> {
    let file = Tree::file(path, code.as_bytes().to_vec(), walk::Kind::Source(language)).unwrap();
    let thresholds = rules().options().collect();
    let options = Options { threads: Some(1), thresholds: &thresholds, progress: &Unwatched, cache: None };
    let tree = Tree { files: vec![file], problems: Vec::new() };
    let scan = scan::scan(|| tree, &options, Catalog::builtin).unwrap();
    scan.problems.into_iter().map(|problem| format!("{}: {}", problem.line, problem.what)).collect()
}
