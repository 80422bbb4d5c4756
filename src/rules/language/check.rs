//! Names, types and units, checked when a rule is loaded: a rule that loads cannot fail for these reasons
//! later.

use std::collections::BTreeMap;
use std::fmt;

use super::Problem;
use super::ast::{Function, Node, NodeKind, Operator, Test};
use crate::facts::{self, Type, Unit, VOCABULARY};
use crate::rules::constants::Constants;
use crate::rules::suggest::nearest;

/// What a number measures: powers of seconds and bytes, or a number without either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimension {
    /// Power of seconds.
    pub seconds: i32,
    /// Power of bytes.
    pub bytes: i32,
    /// Which kind of plain number, where both powers are 0.
    pub flavour: Flavour,
}

/// Plain numbers are not all alike: a count of items is not a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Goes with either.
    Bare,
    /// A number of things, or a factor.
    Count,
    /// 0–1, written `50%`.
    Share,
}

impl Dimension {
    /// A number without a unit.
    pub const BARE: Self = Self { seconds: 0, bytes: 0, flavour: Flavour::Bare };
    /// A number of things.
    pub const COUNT: Self = Self { flavour: Flavour::Count, ..Self::BARE };
    /// A share.
    pub const SHARE: Self = Self { flavour: Flavour::Share, ..Self::BARE };
    /// Time.
    pub const SECONDS: Self = Self { seconds: 1, ..Self::BARE };
    /// Size.
    pub const BYTES: Self = Self { bytes: 1, ..Self::BARE };
    /// Per second.
    pub const RATE: Self = Self { seconds: -1, ..Self::BARE };

    /// Whether it is a number without seconds and bytes.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self.seconds == 0 && self.bytes == 0
    }

    /// The dimension of a sum or of two sides of a comparison.
    fn join(self, other: Self) -> Option<Self> {
        if (self.seconds, self.bytes) != (other.seconds, other.bytes) {
            return None;
        }
        match (self.flavour, other.flavour) {
            (same, with) if same == with => Some(self),
            (Flavour::Bare, _) => Some(other),
            (_, Flavour::Bare) => Some(self),
            _ => None,
        }
    }

    fn times(self, other: Self, sign: i32) -> Self {
        let seconds = self.seconds.saturating_add(sign * other.seconds);
        let bytes = self.bytes.saturating_add(sign * other.bytes);
        let flavour = match (self.flavour, other.flavour) {
            _ if seconds != 0 || bytes != 0 || !self.is_plain() => Flavour::Bare,
            // A quotient of two counts, or of two shares, may be either.
            (left, right) if sign < 0 && left == right => Flavour::Bare,
            (Flavour::Count, _) | (_, Flavour::Count) => Flavour::Count,
            (Flavour::Share, Flavour::Share) => Flavour::Share,
            _ => Flavour::Bare,
        };
        Self { seconds, bytes, flavour }
    }
}

impl From<Unit> for Dimension {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Count => Self::COUNT,
            Unit::Ratio => Self::SHARE,
            Unit::Seconds => Self::SECONDS,
            Unit::Bytes => Self::BYTES,
            Unit::Rate => Self::RATE,
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.seconds, self.bytes, self.flavour) {
            (0, 0, Flavour::Bare) => f.write_str("a plain number"),
            (0, 0, Flavour::Count) => f.write_str("a count"),
            (0, 0, Flavour::Share) => f.write_str("a share"),
            (1, 0, _) => f.write_str("a time"),
            (0, 1, _) => f.write_str("a size"),
            (-1, 0, _) => f.write_str("a rate"),
            (seconds, bytes, _) => write!(f, "seconds^{seconds} bytes^{bytes}"),
        }
    }
}

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number(Dimension),
    Bool,
    Text,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(dimension) => dimension.fmt(f),
            Self::Bool => f.write_str("true or false"),
            Self::Text => f.write_str("a word"),
        }
    }
}

/// What a name may mean beside a fact.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) constants: &'a Constants,
    /// Names defined by the rule itself; their expressions (already checked) take the place of the name.
    pub(crate) locals: &'a BTreeMap<String, Node>,
}

/// Checks a line and settles which bare names are words.
pub(crate) fn check_test(test: &mut Test, scope: Scope<'_>) -> Result<(), Problem> {
    match test {
        Test::Compare(operator, left, right) => compare(*operator, left, right, scope),
        Test::In(left, list) => {
            let kind = check_node(left, scope)?;
            for item in list {
                as_word(item, kind);
                let other = check_node(item, scope)?;
                same(Operator::Equal, (kind, left), (other, item))?;
            }
            Ok(())
        }
        Test::Matches(left, _) => match check_node(left, scope)? {
            Kind::Text => Ok(()),
            kind => Err(Problem::new(left.span.clone(), format!("`matches` needs a word, this is {kind}"))),
        },
        Test::Holds(node) => match check_node(node, scope)? {
            Kind::Bool => Ok(()),
            kind => Err(Problem::new(node.span.clone(), format!("a comparison is due, this is {kind}"))
                .help("compare it, as in `wait.share >= 50%`")),
        },
    }
}

/// Checks an expression; returns its type.
pub(crate) fn check_node(node: &mut Node, scope: Scope<'_>) -> Result<Kind, Problem> {
    let span = node.span.clone();
    match &mut node.kind {
        NodeKind::Number(literal) => Ok(Kind::Number(literal.suffix.dimension())),
        NodeKind::Text(_) => Ok(Kind::Text),
        NodeKind::Bool(_) => Ok(Kind::Bool),
        NodeKind::Name(name) => {
            if let Some(meaning) = scope.locals.get(name.as_str()) {
                let mut meaning = meaning.clone();
                let kind = check_node(&mut meaning, Scope { locals: &BTreeMap::new(), ..scope })?;
                *node = Node { span, ..meaning };
                return Ok(kind);
            }
            named(name, scope).map_err(|problem| Problem { span, ..problem })
        }
        NodeKind::Negative(inner) => number(inner, scope).map(Kind::Number),
        NodeKind::Binary(operator, left, right) => {
            let (one, other) = (number(left, scope)?, number(right, scope)?);
            let dimension = match operator {
                Operator::Multiply => one.times(other, 1),
                Operator::Divide => one.times(other, -1),
                _ => same(*operator, (Kind::Number(one), left), (Kind::Number(other), right))?,
            };
            Ok(Kind::Number(dimension))
        }
        NodeKind::Call(function, arguments) => call(*function, arguments, span, scope),
    }
}

fn named(name: &str, scope: Scope<'_>) -> Result<Kind, Problem> {
    if let Some(spec) = facts::spec(name) {
        return Ok(match spec.ty {
            Type::Number(unit) => Kind::Number(unit.into()),
            Type::Bool => Kind::Bool,
            Type::Text => Kind::Text,
        });
    }
    if let Some(constant) = scope.constants.get(name) {
        return Ok(Kind::Number(constant.dimension));
    }
    let (what, known) = if name.contains('.') {
        ("fact", nearest(name, VOCABULARY.iter().map(|spec| spec.name)))
    } else {
        let names = scope.constants.names().chain(scope.locals.keys().map(String::as_str));
        let facts = VOCABULARY.iter().map(|spec| spec.name);
        ("constant", nearest(name, names.chain(facts)))
    };
    let problem = Problem::new(0..0, format!("unknown {what} `{name}`"));
    Err(match known {
        Some(known) => problem.help(format!("did you mean `{known}`?")),
        None if what == "fact" => problem.help("the facts are listed in rules/README.md"),
        None => problem.help("constants are defined in constants.yaml"),
    })
}

fn compare(operator: Operator, left: &mut Node, right: &mut Node, scope: Scope<'_>) -> Result<(), Problem> {
    // Each side may be what makes a bare name on the other side a word.
    if let Ok(kind) = check_node(&mut right.clone(), scope) {
        as_word(left, kind);
    }
    let one = check_node(left, scope)?;
    as_word(right, one);
    let other = check_node(right, scope)?;
    if !matches!(one, Kind::Number(_)) && !matches!(operator, Operator::Equal | Operator::NotEqual) {
        return Err(Problem::new(
            left.span.clone(),
            format!("`{}` needs numbers, this is {one}", operator.text()),
        )
        .help("use `==`, `!=` or `in`"));
    }
    same(operator, (one, left), (other, right)).map(|_| ())
}

/// A bare name that faces a word is a word.
fn as_word(node: &mut Node, facing: Kind) {
    if facing == Kind::Text
        && let NodeKind::Name(name) = &node.kind
        && facts::spec(name).is_none()
    {
        node.kind = NodeKind::Text(name.clone());
    }
}

/// The common dimension of two sides, or what does not fit.
fn same(operator: Operator, left: (Kind, &Node), right: (Kind, &Node)) -> Result<Dimension, Problem> {
    let clash = |kind: Kind, node: &Node, other: Kind| {
        let what = format!("`{}` between {} and {}", operator.text(), left.0, right.0);
        let problem = Problem::new(node.span.clone(), what);
        match (kind, other, &node.kind) {
            (Kind::Number(Dimension::BARE), Kind::Number(wanted), NodeKind::Number(literal)) => {
                problem.help(with_unit(literal.number, wanted))
            }
            _ => problem,
        }
    };
    match (left.0, right.0) {
        (Kind::Number(one), Kind::Number(other)) => {
            if let Some(joined) = one.join(other) {
                too_large_for_a_share(joined, left.1)?;
                too_large_for_a_share(joined, right.1)?;
                return Ok(joined);
            }
            // Zero is zero in every unit.
            if is_zero(right.1) {
                return Ok(one);
            }
            if is_zero(left.1) {
                return Ok(other);
            }
            let at_left = one == Dimension::BARE && matches!(left.1.kind, NodeKind::Number(_));
            Err(if at_left { clash(left.0, left.1, right.0) } else { clash(right.0, right.1, left.0) })
        }
        (one, other) if one == other => Ok(Dimension::BARE),
        (one, other) => Err(clash(other, right.1, one)),
    }
}

fn is_zero(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Number(literal) if literal.number == 0.0)
}

fn with_unit(number: f64, wanted: Dimension) -> String {
    match wanted {
        Dimension::SECONDS => format!("write the unit, as in `{number}s` or `{number}ms`"),
        Dimension::BYTES => format!("write the unit, as in `{number}MiB`"),
        Dimension::RATE => format!("a rate is a count over a time, as in `{number} / 1s`"),
        _ => "write the unit".to_owned(),
    }
}

/// `wait.share >= 50` is never true and never meant.
fn too_large_for_a_share(joined: Dimension, node: &Node) -> Result<(), Problem> {
    match &node.kind {
        NodeKind::Number(literal)
            if joined == Dimension::SHARE
                && literal.suffix.dimension() == Dimension::BARE
                && literal.number > 1.0 =>
        {
            Err(Problem::new(node.span.clone(), "a share lies between 0 and 1")
                .help(format!("write `{}%`", literal.number)))
        }
        _ => Ok(()),
    }
}

fn number(node: &mut Node, scope: Scope<'_>) -> Result<Dimension, Problem> {
    match check_node(node, scope)? {
        Kind::Number(dimension) => Ok(dimension),
        kind => Err(Problem::new(node.span.clone(), format!("a number is due, this is {kind}"))),
    }
}

fn call(
    function: Function,
    arguments: &mut [Node],
    span: std::ops::Range<usize>,
    scope: Scope<'_>,
) -> Result<Kind, Problem> {
    let fits = match function {
        Function::Min | Function::Max => arguments.len() >= 2,
        Function::Clamp => arguments.len() == 3,
        Function::Ceil | Function::Floor | Function::Round | Function::Sqrt | Function::Known => {
            arguments.len() == 1
        }
    };
    if !fits {
        let due = match function {
            Function::Min | Function::Max => "at least two arguments",
            Function::Clamp => "a value, a lowest and a highest",
            _ => "one argument",
        };
        return Err(Problem::new(span, format!("`{}` takes {due}", function.text())));
    }
    if function == Function::Known {
        return match &arguments[0].kind {
            NodeKind::Name(name) if facts::spec(name).is_some() => Ok(Kind::Bool),
            NodeKind::Name(_) => check_node(&mut arguments[0], scope)
                .and_then(|_| Err(Problem::new(span, "`known` takes the name of a fact"))),
            _ => Err(Problem::new(span, "`known` takes the name of a fact")),
        };
    }
    let mut joined = number(&mut arguments[0], scope)?;
    for i in 1..arguments.len() {
        let next = number(&mut arguments[i], scope)?;
        let sides = ((Kind::Number(joined), &arguments[0]), (Kind::Number(next), &arguments[i]));
        joined = same(Operator::Equal, sides.0, sides.1).map_err(|problem| Problem {
            what: format!("`{}` over {joined} and {next}", function.text()),
            ..problem
        })?;
    }
    if function != Function::Sqrt {
        return Ok(Kind::Number(joined));
    }
    if joined.seconds % 2 != 0 || joined.bytes % 2 != 0 {
        return Err(Problem::new(span, format!("no square root of {joined}")));
    }
    Ok(Kind::Number(Dimension { seconds: joined.seconds / 2, bytes: joined.bytes / 2, ..joined }))
}
