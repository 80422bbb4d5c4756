//! The value of an expression over facts. What is missing makes the result unknown and is named; nothing
//! panics, and no result is infinite.

use super::ast::{Function, Node, NodeKind, Operator, Test};
use super::truth::Truth;
use crate::facts::{Facts, Value};
use crate::rules::constants::Constants;

/// What names mean while evaluating.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    pub(crate) constants: &'a Constants,
    pub(crate) facts: &'a Facts,
    pub(crate) minimum: Minimum,
}

/// What `min()` goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Minimum {
    /// Every operand; one that is unknown makes the result unknown.
    #[default]
    OverAll,
    /// In caps, the operands that are known: an unknown limit does not lift the known ones.
    OverKnown,
}

/// The number an expression stands for, in the base unit.
///
/// # Errors
/// The facts that are missing.
pub(crate) fn number(node: &Node, env: Env<'_>) -> Result<f64, Vec<String>> {
    let mut missing = Missing::default();
    number_of(node, env, &mut missing).ok_or_else(|| missing.names())
}

/// The truth of one line, with both sides where they are numbers.
pub(crate) fn evaluate_test(test: &Test, env: Env<'_>) -> (Truth, Option<f64>, Option<f64>) {
    let mut missing = Missing::default();
    let (result, left, right) = match test {
        Test::Compare(operator, left, right) => {
            let left = value(left, env, &mut missing);
            let right = value(right, env, &mut missing);
            let result = match (&left, &right) {
                (Some(left), Some(right)) => Some(compare(*operator, left, right)),
                _ => None,
            };
            (result, as_number(left.as_ref()), as_number(right.as_ref()))
        }
        Test::In(left, list) => {
            let found = value(left, env, &mut missing);
            let items: Vec<_> = list.iter().map(|item| value(item, env, &mut missing)).collect();
            let result = found.as_ref().and_then(|found| {
                let hit = items.iter().flatten().any(|item| compare(Operator::Equal, found, item));
                (hit || items.iter().all(Option::is_some)).then_some(hit)
            });
            (result, as_number(found.as_ref()), None)
        }
        Test::Matches(left, pattern) => {
            let result = match value(left, env, &mut missing) {
                Some(Value::Text(word)) => Some(matches(&word, pattern)),
                _ => None,
            };
            (result, None, None)
        }
        Test::Holds(node) => match value(node, env, &mut missing) {
            Some(Value::Bool(holds)) => (Some(holds), None, None),
            _ => (None, None, None),
        },
    };
    let truth = result.map_or_else(|| Truth::Unknown(missing.names()), Truth::from);
    (truth, left, right)
}

fn as_number(value: Option<&Value>) -> Option<f64> {
    match value {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    }
}

#[derive(Default)]
struct Missing(std::collections::BTreeSet<String>);

impl Missing {
    fn names(self) -> Vec<String> {
        self.0.into_iter().collect()
    }

    fn finite(&mut self, result: f64, node: &Node, why: &str) -> Option<f64> {
        if result.is_finite() {
            return Some(result);
        }
        self.0.insert(format!("{node} ({why})"));
        None
    }
}

fn value(node: &Node, env: Env<'_>, missing: &mut Missing) -> Option<Value> {
    match &node.kind {
        NodeKind::Text(text) => Some(Value::Text(text.clone())),
        NodeKind::Bool(value) => Some(Value::Bool(*value)),
        NodeKind::Name(name) => named(name, env, missing),
        NodeKind::Call(Function::Known, arguments) => match arguments.first().map(|node| &node.kind) {
            Some(NodeKind::Name(name)) => Some(Value::Bool(env.facts.get(name).is_some())),
            _ => None,
        },
        NodeKind::Number(literal) => {
            missing.finite(literal.value(), node, "not a finite number").map(Value::Number)
        }
        NodeKind::Negative(inner) => number_of(inner, env, missing).map(|number| Value::Number(-number)),
        NodeKind::Binary(operator, left, right) => {
            let left = number_of(left, env, missing);
            let right = number_of(right, env, missing);
            let result = match operator {
                Operator::Add => left? + right?,
                Operator::Subtract => left? - right?,
                Operator::Multiply => left? * right?,
                Operator::Divide => left? / right?,
                // The parser builds comparisons as lines only.
                _ => return None,
            };
            let why = if *operator == Operator::Divide { "division by zero" } else { "not a finite number" };
            missing.finite(result, node, why).map(Value::Number)
        }
        NodeKind::Call(function, arguments) => call(*function, arguments, env, missing)
            .and_then(|result| missing.finite(result, node, "not a number"))
            .map(Value::Number),
    }
}

fn named(name: &str, env: Env<'_>, missing: &mut Missing) -> Option<Value> {
    if let Some(constant) = env.constants.get(name) {
        return Some(Value::Number(constant.value));
    }
    let fact = env.facts.get(name);
    if fact.is_none() {
        missing.0.insert(name.to_owned());
    }
    fact.map(|fact| fact.value.clone())
}

fn number_of(node: &Node, env: Env<'_>, missing: &mut Missing) -> Option<f64> {
    match value(node, env, missing)? {
        Value::Number(number) => Some(number),
        // The check at load keeps this out for facts of the declared type.
        _ => missing.finite(f64::NAN, node, "not a number"),
    }
}

fn call(function: Function, arguments: &[Node], env: Env<'_>, missing: &mut Missing) -> Option<f64> {
    if function == Function::Min && env.minimum == Minimum::OverKnown {
        let mut skipped = Missing::default();
        let known = arguments.iter().filter_map(|argument| number_of(argument, env, &mut skipped));
        let smallest = known.reduce(f64::min);
        if smallest.is_none() {
            missing.0.append(&mut skipped.0);
        }
        return smallest;
    }
    // Every argument is looked at, so that all that is missing is named at once.
    let values: Vec<_> = arguments.iter().map(|argument| number_of(argument, env, missing)).collect();
    let values: Vec<f64> = values.into_iter().collect::<Option<_>>()?;
    let first = *values.first()?;
    Some(match function {
        Function::Min => values.into_iter().fold(first, f64::min),
        Function::Max => values.into_iter().fold(first, f64::max),
        Function::Ceil => first.ceil(),
        Function::Floor => first.floor(),
        Function::Round => first.round(),
        Function::Sqrt => first.sqrt(),
        // Not `f64::clamp`, which panics when the bounds are the wrong way round; here the highest wins.
        Function::Clamp => first.max(*values.get(1)?).min(*values.get(2)?),
        Function::Known => return None,
    })
}

fn compare(operator: Operator, left: &Value, right: &Value) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let order = match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    };
    match operator {
        Operator::Less => order == Some(Less),
        Operator::LessEqual => matches!(order, Some(Less | Equal)),
        Operator::Greater => order == Some(Greater),
        Operator::GreaterEqual => matches!(order, Some(Greater | Equal)),
        Operator::Equal => order == Some(Equal),
        Operator::NotEqual => order != Some(Equal),
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide => false,
    }
}

/// `*` any letters, `?` one letter; a pattern without either may stand anywhere. One pass with one point of
/// return, so a hostile pattern costs at most length times length.
fn matches(text: &str, pattern: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return text.contains(pattern);
    }
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let (mut t, mut p) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                p += 1;
                retry = Some((p, t));
            }
            Some(&letter) if letter == '?' || letter == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    p = after_star;
                    t = from + 1;
                    retry = Some((after_star, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}
