//! Laws of the language: over generated expressions, and the cases worth writing down.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::evaluate::{Env, Minimum, evaluate_test, number};
use super::{
    Function, Literal, Node, NodeKind, Operator, Scope, Suffix, Test, Truth, check_node, check_test,
};
use super::{parse_expression, parse_test};
use crate::facts::{Facts, Origin, Value};
use crate::rules::constants::{Constant, Constants};

fn constants() -> Constants {
    let mut constants = Constants::default();
    for (name, text) in [("min_gain", "1.2"), ("worth_total", "100ms"), ("python", "3")] {
        let literal = super::parse_literal(text).unwrap();
        let dimension = literal.suffix.dimension();
        let constant = Constant {
            value: literal.value(),
            dimension,
            text: text.into(),
            why: String::new(),
            cite: vec![],
        };
        constants.insert(name, constant);
    }
    constants
}

/// The truth of a line over facts, after the check at load; the message of the check where it fails.
fn truth(line: &str, facts: &Facts) -> Result<Truth, String> {
    let constants = constants();
    let mut test = parse_test(line).map_err(|problem| problem.what)?;
    check_test(&mut test, Scope { constants: &constants, locals: &BTreeMap::new() })
        .map_err(|problem| problem.what)?;
    Ok(evaluate_test(&test, Env { constants: &constants, facts, minimum: Minimum::OverAll }).0)
}

fn value(text: &str, facts: &Facts, minimum: Minimum) -> Result<f64, Vec<String>> {
    let constants = constants();
    let mut node = parse_expression(text).unwrap();
    check_node(&mut node, Scope { constants: &constants, locals: &BTreeMap::new() }).unwrap();
    number(&node, Env { constants: &constants, facts, minimum })
}

fn some_facts() -> Facts {
    let mut facts = Facts::default();
    for (name, value) in
        [("wait.total", 0.019), ("cpu.gil", 0.001), ("wait.share", 0.95), ("host.cores", 2.0)]
    {
        facts.number(name, value, Origin::Measured);
    }
    facts.number("cpu.native", 0.0, Origin::Measured);
    facts.set("runtime.lang", Value::Text("python".into()), Origin::Measured);
    facts.set("runtime.gil", Value::Bool(true), Origin::Measured);
    facts
}

#[test]
fn lines_hold_fail_or_cannot_be_told() {
    let facts = some_facts();
    for (line, expected) in [
        ("wait.share >= 95%", "true"),
        ("wait.share > 0.95", "false"),
        ("wait.total < 20ms", "true"),
        ("wait.total + cpu.gil >= 19999us", "true"),
        ("cpu.native > 0", "false"),
        ("host.cores == 2", "true"),
        ("runtime.lang == python", "true"),
        ("python == runtime.lang", "true"),
        ("runtime.lang != 'node'", "true"),
        ("runtime.lang in [node, python]", "true"),
        ("runtime.lang in [node, go]", "false"),
        ("runtime.lang matches 'py*n'", "true"),
        ("runtime.lang matches 'yth'", "true"),
        ("runtime.lang matches 'p?thon'", "true"),
        ("runtime.lang matches 'p*x*'", "false"),
        ("runtime.gil", "true"),
        ("runtime.gil == false", "false"),
        ("runtime.async == true", "unknown"),
        ("known(runtime.async)", "false"),
        ("known(runtime.gil) == true", "true"),
        ("region.n > 3", "unknown"),
        ("wait.total / cpu.native > 3", "unknown"),
        ("wait.total * region.n < worth_total", "unknown"),
        ("-wait.total < -18ms", "true"),
        ("max(wait.total, cpu.gil) == 19ms", "true"),
        ("2 * (host.cores - 1) == 2", "true"),
        ("7 - 2 - 1 == 4", "true"),
        ("16 / 4 / 2 == 2", "true"),
        ("clamp(host.cores, 3, 8) == 3", "true"),
        ("sqrt(host.cores * 2) == 2", "true"),
        ("ceil(2.1) + floor(2.9) + round(2.5) == 8", "true"),
    ] {
        assert_eq!(truth(line, &facts).map(|truth| truth.name()), Ok(expected), "{line}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_when_loading() {
    for (line, expected) in [
        ("wait.shar >= 50%", "unknown fact `wait.shar`"),
        ("wait.share >= min_gian", "unknown constant `min_gian`"),
        ("wait.share >= 50", "a share lies between 0 and 1"),
        ("wait.total >= 5", "`>=` between a time and a plain number"),
        ("wait.total >= 5KiB", "`>=` between a time and a size"),
        ("wait.total + mem.per_thread > 0", "`+` between a time and a size"),
        ("region.n >= 50%", "`>=` between a count and a share"),
        ("wait.total * wait.total < 1s", "`<` between seconds^2 bytes^0 and a time"),
        ("runtime.lang > python", "`>` needs numbers, this is a word"),
        ("runtime.lang == 5", "`==` between a word and a plain number"),
        ("runtime.gil == 1", "`==` between true or false and a plain number"),
        ("wait.share", "a comparison is due, this is a share"),
        ("known(min_gain)", "`known` takes the name of a fact"),
        ("min(wait.total) > 1s", "`min` takes at least two arguments"),
        ("min(wait.total, 3) > 1s", "`min` over a time and a plain number"),
        ("sqrt(wait.total) > 1", "no square root of a time"),
        ("wait.share matches 'x'", "`matches` needs a word, this is a share"),
        ("runtime.lang + 1 > 2", "a number is due, this is a word"),
        ("a && b", "unexpected `&`"),
        ("wait.share = 5", "unexpected `=`"),
        ("1 < 2 < 3", "a second comparison in one line"),
        ("wait.total > 5 ms", "a space before the unit `ms`"),
        ("wait.total > 5sec", "unknown unit `sec`"),
        ("maximum(1, 2) > 1", "unknown function `maximum`"),
        ("wait.total >", "ends where a value is due"),
        ("", "ends where a value is due"),
        ("1.2.3 > 1", "`1.2.3` is not a number"),
        ("wait..total > 1s", "`wait..total` is not a name"),
        ("runtime.lang == 'x", "text without a closing quote"),
    ] {
        assert_eq!(truth(line, &some_facts()), Err(expected.to_owned()), "{line}");
    }
}

#[test]
fn an_error_underlines_the_offending_part_and_says_what_would_be_right() {
    let constants = constants();
    let scope = Scope { constants: &constants, locals: &BTreeMap::new() };
    let line = "1s < min(wait.shrae, cpu.gil)";
    let problem = check_test(&mut parse_test(line).unwrap(), scope).unwrap_err();
    assert_eq!(&line[problem.span], "wait.shrae");
    assert_eq!(problem.help.as_deref(), Some("did you mean `wait.share`?"));
}

#[test]
fn missing_facts_are_all_named() {
    let missing =
        value("region.n * (host.p_eff + 1) / region.n", &some_facts(), Minimum::OverAll).unwrap_err();
    assert_eq!(missing, ["host.p_eff", "region.n"]);
    let by_zero = value("wait.total / cpu.native", &some_facts(), Minimum::OverAll).unwrap_err();
    assert_eq!(by_zero, ["wait.total / cpu.native (division by zero)"]);
}

#[test]
fn in_caps_min_goes_over_the_known_operands() {
    let facts = some_facts();
    assert_eq!(value("min(host.cores, limit.downstream)", &facts, Minimum::OverKnown), Ok(2.0));
    assert_eq!(
        value("min(host.cores, limit.downstream)", &facts, Minimum::OverAll),
        Err(vec!["limit.downstream".into()])
    );
    assert_eq!(value("min(region.n, limit.downstream)", &facts, Minimum::OverKnown).unwrap_err().len(), 2);
    // Only `min`: an unknown operand of anything else is unknown.
    assert!(value("max(host.cores, limit.downstream)", &facts, Minimum::OverKnown).is_err());
}

#[test]
fn nesting_and_length_have_limits() {
    let deep = |n: usize| format!("{}1{} > 0", "(".repeat(n), ")".repeat(n));
    assert!(parse_test(&deep(50)).is_ok());
    assert_eq!(parse_test(&deep(2000)).unwrap_err().what, "nested deeper than 64 levels");
    assert_eq!(parse_expression(&"-".repeat(4000)).unwrap_err().what, "nested deeper than 64 levels");
    assert_eq!(parse_expression(&format!("1{}", "+1".repeat(1500))).unwrap_err().what, "more than 400 parts");
    assert_eq!(parse_expression(&"1+".repeat(100_000)).unwrap_err().what, "longer than 4096 bytes");
}

fn truths() -> impl Strategy<Value = Truth> {
    prop_oneof![
        Just(Truth::True),
        Just(Truth::False),
        proptest::collection::vec("[a-c]", 1..3).prop_map(Truth::unknown),
    ]
}

fn nodes() -> impl Strategy<Value = Node> {
    let at = |kind| Node { kind, span: 0..0 };
    let suffixes = proptest::sample::select(Suffix::ALL);
    let leaf = prop_oneof![
        (0.0..1e6_f64, suffixes).prop_map(|(number, suffix)| NodeKind::Number(Literal { number, suffix })),
        "[a-z][a-z_]{0,6}(\\.[a-z_]{1,6}){0,2}"
            .prop_filter("reserved", |name| name != "true" && name != "false")
            .prop_map(NodeKind::Name),
        "[a-z \"]{0,6}".prop_map(NodeKind::Text),
        any::<bool>().prop_map(NodeKind::Bool),
    ]
    .prop_map(at);
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let operators = [Operator::Add, Operator::Subtract, Operator::Multiply, Operator::Divide];
        let binary = (proptest::sample::select(operators.to_vec()), inner.clone(), inner.clone());
        let call = (proptest::sample::select(Function::ALL), proptest::collection::vec(inner.clone(), 0..4));
        prop_oneof![
            binary.prop_map(|(operator, left, right)| NodeKind::Binary(
                operator,
                Box::new(left),
                Box::new(right)
            )),
            call.prop_map(|(function, arguments)| NodeKind::Call(function, arguments)),
            inner.prop_map(|inner| NodeKind::Negative(Box::new(inner))),
        ]
        .prop_map(at)
    })
}

fn tests() -> impl Strategy<Value = Test> {
    let comparing: Vec<_> = Operator::ALL.iter().copied().filter(|operator| operator.compares()).collect();
    prop_oneof![
        (proptest::sample::select(comparing), nodes(), nodes())
            .prop_map(|(operator, left, right)| Test::Compare(operator, left, right)),
        (nodes(), proptest::collection::vec(nodes(), 1..4)).prop_map(|(left, list)| Test::In(left, list)),
        (nodes(), "[a-z*?]{0,6}").prop_map(|(left, pattern)| Test::Matches(left, pattern)),
        nodes().prop_map(Test::Holds),
    ]
}

proptest! {
    #[test]
    fn kleene_laws(a in truths(), b in truths(), c in truths()) {
        prop_assert_eq!(a.clone().and(b.clone()), b.clone().and(a.clone()));
        prop_assert_eq!(a.clone().or(b.clone()), b.clone().or(a.clone()));
        let left = a.clone().and(b.clone()).and(c.clone());
        let right = a.clone().and(b.clone().and(c.clone()));
        prop_assert_eq!(left, right);
        // De Morgan, and the two operands that decide alone.
        prop_assert_eq!(a.clone().and(b.clone()).negate(), a.clone().negate().or(b.clone().negate()));
        prop_assert_eq!(a.clone().negate().negate(), Truth::unknown_or_same(a.clone()));
        prop_assert_eq!(a.clone().and(Truth::False), Truth::False);
        prop_assert_eq!(a.clone().or(Truth::True), Truth::True);
        prop_assert_eq!(a.clone().and(Truth::True), Truth::unknown_or_same(a.clone()));
        prop_assert_eq!(a.clone().and(b.clone().or(c.clone())).name(),
                        a.clone().and(b).or(a.and(c)).name());
    }

    #[test]
    fn what_is_printed_reads_the_same(test in tests()) {
        let text = test.to_string();
        if let Ok(read) = parse_test(&text) {
            prop_assert_eq!(read, test, "{}", text);
        } else {
            // Only the limits may refuse what was printed.
            let problem = parse_test(&text).unwrap_err();
            prop_assert!(problem.what.contains("deeper") || problem.what.contains("longer"), "{}: {:?}", text, problem);
        }
    }

    #[test]
    fn any_text_is_read_checked_and_evaluated_without_panic(text in "\\PC{0,80}") {
        let _ = truth(&text, &some_facts());
    }

    #[test]
    fn any_tokens_are_read_checked_and_evaluated_without_panic(
        tokens in proptest::collection::vec(proptest::sample::select(vec![
            "wait.total", "wait.share", "region.n", "runtime.lang", "runtime.gil", "min_gain", "python", "known", "min",
            "clamp", "sqrt", "in", "matches", "(", ")", "[", "]", ",", "+", "-", "*", "/", "<", ">=", "==", "!=",
            "5ms", "8GiB", "95%", "0", "1e300", "1e-320", "'x*'", "true",
        ]), 0..24)
    ) {
        let text = tokens.join(" ");
        if let Ok(truth) = truth(&text, &some_facts()) {
            // What is unknown says why.
            prop_assert_ne!(truth, Truth::Unknown(vec![]), "{}", text);
        }
    }

    #[test]
    fn units_are_consistent(number in 0.001..1e5_f64) {
        let facts = Facts::default();
        for (small, factor, large) in [("ns", 1e3, "us"), ("us", 1e3, "ms"), ("ms", 1e3, "s"), ("s", 60.0, "min"),
            ("min", 60.0, "h"), ("B", 1024.0, "KiB"), ("KiB", 1024.0, "MiB"), ("MiB", 1024.0, "GiB"),
            ("GiB", 1024.0, "TiB"), ("B", 1e3, "kB"), ("kB", 1e3, "MB"), ("MB", 1e3, "GB")] {
            let ratio = value(&format!("{number}{large} / {number}{small}"), &facts, Minimum::OverAll).unwrap();
            prop_assert!((ratio / factor - 1.0).abs() < 1e-9, "{small} {large} {ratio}");
        }
        let half = value(&format!("50% * {number}s"), &facts, Minimum::OverAll).unwrap();
        prop_assert!((half - number / 2.0).abs() <= 1e-9 * number);
    }

    #[test]
    fn an_unknown_fact_never_decides_and_a_known_one_always_does(
        wait in proptest::option::of(0.0..1.0_f64), cores in proptest::option::of(0.0..64.0_f64)
    ) {
        let mut facts = Facts::default();
        if let Some(wait) = wait { facts.number("wait.share", wait, Origin::Measured); }
        if let Some(cores) = cores { facts.number("host.cores", cores, Origin::Measured); }
        let told = truth("wait.share * host.cores >= 5", &facts).unwrap();
        match (wait, cores) {
            (Some(wait), Some(cores)) => prop_assert_eq!(told, Truth::from(wait * cores >= 5.0)),
            _ => prop_assert!(matches!(told, Truth::Unknown(_))),
        }
    }
}

impl Truth {
    /// The same, with the names of what is unknown in order, as every operation leaves them.
    fn unknown_or_same(self) -> Self {
        match self {
            Self::Unknown(names) => Self::unknown(names),
            known => known,
        }
    }
}
