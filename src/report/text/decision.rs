//! A decision on answers, for people: what was said, what would bind, what to do, and the one measurement that would settle
//! what is not known.

use std::time::Duration;

use super::page::{Page, Role, Text};
use super::{advice, evidence, unseen};
use crate::advice::Described;
use crate::facts::Origin;
use crate::profile::Profile;
use crate::report::decision::Decided;
use crate::report::{Report, Style};

/// The decision as lines of at most `style.width` columns.
pub(in crate::report) fn to_text(decided: &Decided<'_>, style: &Style) -> String {
    let Decided { task, stated, machine, wall, advice, .. } = *decided;
    let mut page = Page::new(style);
    if let Some(task) = task {
        page.items(vec![Text::new(Role::Strong, task)]);
        page.blank();
    }
    page.section("Stated", evidence::said(stated, Origin::Declared));
    page.section("Assumed", evidence::said(stated, Origin::Assumed));
    page.blank();
    let verdict = &advice.verdict;
    let bound = if verdict.rule.is_empty() {
        Text::plain("not known")
    } else {
        let text = Text::new(Role::Strong, &verdict.bound_by).and(Role::Plain, ": ");
        text.append(Text::plain(&verdict.summary))
    };
    let confidence = format!("confidence {}: stated, not measured", verdict.confidence.name());
    page.section("Bound by", [bound.into(), Text::plain(&confidence).into()]);
    page.blank();
    // The sections about the advice ask a profile for what was seen: nothing was.
    let nothing_seen = Profile {
        wall: wall.and_then(|wall| Duration::try_from_secs_f64(wall).ok()).unwrap_or_default(),
        ..Profile::default()
    };
    let report = Report { profile: &nothing_seen, machine, advice, source: None };
    advice::write(&mut page, &report, style.verbose);
    page.blank();
    let questions = unseen::questions(&advice.not_decided, style.verbose);
    let plainly = |text: String| Text::plain(text.strip_prefix("not known: ").unwrap_or(&text)).into();
    page.section("Not known", questions.into_iter().map(plainly));
    page.section("Settle it", [Text::new(Role::Strong, "boundby profile -- CMD").into()]);
    page.finish()
}

/// The guide's answers to a description in words.
pub(in crate::report) fn description(task: &str, described: &Described, style: &Style) -> String {
    let mut page = Page::new(style);
    page.items(vec![Text::new(Role::Strong, task)]);
    page.blank();
    let (waiting, computing) = described.scores;
    let helper = match described.helper {
        "mixed" => "MIXED, threads first".to_owned(),
        word => word.to_uppercase(),
    };
    let helper = format!("{helper} (words for waiting {waiting}, for computing {computing})");
    page.section(
        "Its words",
        [
            Text::new(Role::Strong, &helper).into(),
            Text::plain(&format!("approach: {}", described.approach)).into(),
        ],
    );
    page.section("Measuring", described.instead.iter().map(|text| Text::plain(text).into()));
    page.blank();
    let careful = "words know neither waits nor cores: this is what the guide's word lists say, nothing more";
    page.section("Careful", [Text::plain(careful).into()]);
    page.section("Settle it", [Text::new(Role::Strong, "boundby profile -- CMD").into()]);
    page.finish()
}
