//! Expressions as a tree, and the text they came from.

use std::fmt;
use std::ops::Range;

use super::check::Dimension;

/// An expression with its place in the text. Two nodes are equal when they say the same, wherever they stand.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Bytes of the text it came from.
    pub span: Range<usize>,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// `12`, `100ms`, `8GiB`, `95%`.
    Number(Literal),
    /// `'python'`, or a bare word where a text is due.
    Text(String),
    /// `true`, `false`.
    Bool(bool),
    /// A fact (dotted) or a constant.
    Name(String),
    /// `-x`.
    Negative(Box<Node>),
    /// `a + b`.
    Binary(Operator, Box<Node>, Box<Node>),
    /// `min(a, b)`.
    Call(Function, Vec<Node>),
}

/// A number as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Literal {
    /// The digits.
    pub number: f64,
    /// The unit behind them.
    pub suffix: Suffix,
}

impl Literal {
    /// The value in the base unit of its suffix.
    #[must_use]
    pub fn value(self) -> f64 {
        self.number * self.suffix.factor()
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As written.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The one written like this.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.text() == text)
            }
        }
    };
}

words! {
    /// The unit behind a number.
    Suffix {
        /// No unit.
        None = "",
        /// Hundredths.
        Percent = "%",
        /// Nanoseconds.
        Nanoseconds = "ns",
        /// Microseconds.
        Microseconds = "us",
        /// Milliseconds.
        Milliseconds = "ms",
        /// Seconds.
        Seconds = "s",
        /// Minutes.
        Minutes = "min",
        /// Hours.
        Hours = "h",
        /// Bytes.
        Bytes = "B",
        /// 1000 bytes.
        Kilobytes = "kB",
        /// 10^6 bytes.
        Megabytes = "MB",
        /// 10^9 bytes.
        Gigabytes = "GB",
        /// 1024 bytes.
        Kibibytes = "KiB",
        /// 1024^2 bytes.
        Mebibytes = "MiB",
        /// 1024^3 bytes.
        Gibibytes = "GiB",
        /// 1024^4 bytes.
        Tebibytes = "TiB",
    }
}

impl Suffix {
    fn factor(self) -> f64 {
        match self {
            Self::None | Self::Seconds | Self::Bytes => 1.0,
            Self::Percent => 1e-2,
            Self::Nanoseconds => 1e-9,
            Self::Microseconds => 1e-6,
            Self::Milliseconds => 1e-3,
            Self::Minutes => 60.0,
            Self::Hours => 3600.0,
            Self::Kilobytes => 1e3,
            Self::Megabytes => 1e6,
            Self::Gigabytes => 1e9,
            Self::Kibibytes => 1024.0,
            Self::Mebibytes => 1024.0 * 1024.0,
            Self::Gibibytes => 1024.0 * 1024.0 * 1024.0,
            Self::Tebibytes => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        }
    }

    /// What a number with this unit measures.
    #[must_use]
    pub fn dimension(self) -> Dimension {
        match self {
            Self::None => Dimension::BARE,
            Self::Percent => Dimension::SHARE,
            Self::Nanoseconds
            | Self::Microseconds
            | Self::Milliseconds
            | Self::Seconds
            | Self::Minutes
            | Self::Hours => Dimension::SECONDS,
            _ => Dimension::BYTES,
        }
    }
}

words! {
    /// An operator between two expressions.
    Operator {
        /// Less.
        Less = "<",
        /// Less or equal.
        LessEqual = "<=",
        /// Greater.
        Greater = ">",
        /// Greater or equal.
        GreaterEqual = ">=",
        /// Equal.
        Equal = "==",
        /// Not equal.
        NotEqual = "!=",
        /// Sum.
        Add = "+",
        /// Difference.
        Subtract = "-",
        /// Product.
        Multiply = "*",
        /// Quotient.
        Divide = "/",
    }
}

impl Operator {
    /// Whether it compares (and so stands once in a line, between two expressions).
    #[must_use]
    pub fn compares(self) -> bool {
        self.precedence() == 0
    }

    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Add | Self::Subtract => 1,
            Self::Multiply | Self::Divide => 2,
            _ => 0,
        }
    }
}

words! {
    /// A built-in function.
    Function {
        /// Smallest operand.
        Min = "min",
        /// Largest operand.
        Max = "max",
        /// Next whole number above.
        Ceil = "ceil",
        /// Next whole number below.
        Floor = "floor",
        /// Nearest whole number.
        Round = "round",
        /// `clamp(x, low, high)`.
        Clamp = "clamp",
        /// Square root.
        Sqrt = "sqrt",
        /// Whether a fact is known.
        Known = "known",
    }
}

/// One line of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `left op right`.
    Compare(Operator, Node, Node),
    /// `text in [a, b]`.
    In(Node, Vec<Node>),
    /// `text matches 'pattern'`: `*` stands for any letters, `?` for one; without either, the pattern may stand
    /// anywhere in the text.
    Matches(Node, String),
    /// A truth on its own.
    Holds(Node),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, self.suffix.text())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NodeKind::Number(literal) => literal.fmt(f),
            NodeKind::Text(text) => quoted(text, f),
            NodeKind::Bool(value) => value.fmt(f),
            NodeKind::Name(name) => f.write_str(name),
            NodeKind::Negative(inner) => {
                f.write_str("-")?;
                grouped(inner, matches!(inner.kind, NodeKind::Binary(..)), f)
            }
            NodeKind::Binary(operator, left, right) => {
                let ours = operator.precedence();
                grouped(left, precedence(left).is_some_and(|theirs| theirs < ours), f)?;
                write!(f, " {} ", operator.text())?;
                grouped(right, precedence(right).is_some_and(|theirs| theirs <= ours), f)
            }
            NodeKind::Call(function, arguments) => {
                write!(f, "{}(", function.text())?;
                listed(arguments, f)?;
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(operator, left, right) => write!(f, "{left} {} {right}", operator.text()),
            Self::In(left, list) => {
                write!(f, "{left} in [")?;
                listed(list, f)?;
                f.write_str("]")
            }
            Self::Matches(left, pattern) => {
                write!(f, "{left} matches ")?;
                quoted(pattern, f)
            }
            Self::Holds(node) => node.fmt(f),
        }
    }
}

fn precedence(node: &Node) -> Option<u8> {
    match node.kind {
        NodeKind::Binary(operator, ..) => Some(operator.precedence()),
        _ => None,
    }
}

fn grouped(node: &Node, parentheses: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if parentheses { write!(f, "({node})") } else { write!(f, "{node}") }
}

fn listed(nodes: &[Node], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, node) in nodes.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{node}")?;
    }
    Ok(())
}

fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    write!(f, "{quote}{text}{quote}")
}

impl Node {
    /// The facts named in it, in order, each once.
    #[must_use]
    pub fn facts(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect_facts(&mut names);
        names
    }

    fn collect_facts<'a>(&'a self, names: &mut Vec<&'a str>) {
        match &self.kind {
            NodeKind::Name(name) => {
                // Facts are dotted, constants are not.
                if name.contains('.') && !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
            NodeKind::Negative(inner) => inner.collect_facts(names),
            NodeKind::Binary(_, left, right) => {
                left.collect_facts(names);
                right.collect_facts(names);
            }
            NodeKind::Call(_, arguments) => {
                for argument in arguments {
                    argument.collect_facts(names);
                }
            }
            NodeKind::Number(_) | NodeKind::Text(_) | NodeKind::Bool(_) => {}
        }
    }
}

impl Test {
    /// The facts named in it, in order, each once.
    #[must_use]
    pub fn facts(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for node in self.nodes() {
            node.collect_facts(&mut names);
        }
        names
    }

    fn nodes(&self) -> Vec<&Node> {
        match self {
            Self::Compare(_, left, right) => vec![left, right],
            Self::In(left, list) => std::iter::once(left).chain(list).collect(),
            Self::Matches(node, _) | Self::Holds(node) => vec![node],
        }
    }
}
