//! Whole programs whose code is known: what becomes of the repeated work apart from the rest, and who does it.

use super::scenarios::{NETWORK, ask, items, machine, program};
use super::{Action, Strategy, advise, advise_knowing};
use crate::facts::Scanned;
use crate::profile::{Items, Language, Location, Profile, Region};
use crate::rules::RuleSet;
use crate::wait::{Account, WaitKind};

fn at(function: &str, line: u32) -> Location {
    Location { function: function.to_owned(), file: Some("/srv/etl.py".to_owned()), line: Some(line) }
}

fn region() -> Region {
    Region {
        at: at("fetch_row", 42),
        callers: vec![at("load", 88)],
        waits_in: Some("fetch_row".to_owned()),
        computes_at: Some(at("parse", 60)),
        computes_in: Some("parse".to_owned()),
        ..Region::default()
    }
}

/// A program of which the items are this share.
fn partly(share: f64) -> Profile {
    let mut profile =
        program(Language::Python, 4.0 / share, &[(NETWORK, 0.95 * share), (Account::Cpu, 1.0 - share)]);
    let all = items(200, WaitKind::Network, 0.019, 0.001, 0.0);
    profile.items = Some(Items { share, region: Some(region()), ..all });
    profile
}

#[test]
fn the_rest_of_a_program_keeps_its_time() {
    for share in [0.5, 0.9] {
        let best = &ask(&partly(share), &machine(2.0)).recommendations[0];
        let (whole, alone) = (best.predicted.unwrap(), best.region.as_ref().unwrap());
        assert!((alone.serial_s / (4.0 / share * (1.0 - share)) - 1.0).abs() < 0.01, "{alone:?}");
        let amdahl = 1.0 / (1.0 - share + share / alone.speedup);
        assert!(alone.speedup > 8.0 && (whole.speedup / amdahl - 1.0).abs() < 0.02, "{whole:?} {alone:?}");
        assert_eq!((alone.items, alone.independent), (Some(200), None));
        assert_eq!(alone.caller, Some(at("load", 88)));
    }
}

#[test]
fn code_to_paste_calls_the_function_that_waits() {
    let best = &ask(&partly(0.95), &machine(2.0)).recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Threads, Action::Adopt), "{best:#?}");
    let snippet = best.snippet.as_deref().unwrap();
    assert!(snippet.contains("pool.map(fetch_row, items)") && snippet.contains("etl.py:42"), "{snippet}");
    let nameless = Items { region: None, ..partly(0.95).items.unwrap() };
    let best = &ask(&Profile { items: Some(nameless), ..partly(0.95) }, &machine(2.0)).recommendations[0];
    assert!(best.snippet.as_deref().unwrap().contains("pool.map(work, items)"), "{best:#?}");
}

#[test]
fn the_stages_of_a_hybrid_are_functions_of_the_program() {
    let mut profile = program(Language::Python, 13.0, &[(NETWORK, 0.78), (Account::Cpu, 0.22)]);
    profile.items = Some(Items { region: Some(region()), ..items(48, WaitKind::Network, 0.210, 0.056, 0.0) });
    let advice = ask(&profile, &machine(2.0));
    let hybrid = advice.recommendations.iter().find(|one| one.strategy == Strategy::Hybrid);
    let Some(hybrid) = hybrid else { panic!("{advice:#?}") };
    let stages: Vec<_> =
        hybrid.stages.iter().map(|stage| (stage.function.as_deref(), stage.at.clone())).collect();
    let due = [(Some("fetch_row"), Some(at("fetch_row", 42))), (Some("parse"), Some(at("parse", 60)))];
    assert_eq!(stages, due);
    let snippet = hybrid.snippet.as_deref().unwrap();
    assert!(snippet.contains("fetched = fetch_row(item)") && snippet.contains("submit(parse, "), "{snippet}");
}

#[test]
fn items_that_need_each_other_are_left_in_their_order() {
    let why = "each `fetch_row` needs `cursor`, which the one before returned (etl.py:88)";
    let known = Scanned { dependence: Some(why.to_owned()) };
    let rules = RuleSet::builtin().unwrap();
    let advice = advise_knowing(&partly(0.95), &machine(2.0), &known, &rules);
    let best = &advice.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Sequential, Action::Keep), "{advice:#?}");
    assert!(best.headline.contains(why) && advice.recommendations.len() == 1, "{advice:#?}");
    // A scan that sees nothing proves nothing.
    let nothing = advise_knowing(&partly(0.95), &machine(2.0), &Scanned::default(), &rules);
    assert_eq!(nothing, advise(&partly(0.95), &machine(2.0), &rules));
    assert!(nothing.recommendations[0].caveats.iter().any(|text| text.contains("assumes")), "{nothing:#?}");
}
