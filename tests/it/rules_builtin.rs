//! The shipped rules load, and do what their own tests say.

use boundby::advice::{Action, Strategy};
use boundby::rules::{ACTIONS, RuleSet, STRATEGIES, check};

fn shipped() -> RuleSet {
    RuleSet::builtin().unwrap_or_else(|errors| {
        let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", shown.join("\n\n"))
    })
}

#[test]
fn the_shipped_rules_load_and_pass_their_own_tests() {
    let failures = check(&shipped());
    let shown: Vec<_> =
        failures.iter().map(|failure| format!("{}: {}", failure.rule, failure.what)).collect();
    assert!(failures.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn rules_and_advice_use_the_same_words() {
    assert_eq!(STRATEGIES, Strategy::ALL.map(Strategy::name));
    assert_eq!(ACTIONS, Action::ALL.map(Action::name));
}
