//! Expressions as a tree, and the text they came from.

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
        // Dividing by a whole number rounds once: 95 / 100 is what `0.95` is, 95 * 0.01 is not.
        match self.suffix.scale() {
            Scale::Times(factor) => self.number * factor,
            Scale::Over(divisor) => self.number / divisor,
        }
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

enum Scale {
    Times(f64),
    Over(f64),
}

impl Suffix {
    fn scale(self) -> Scale {
        match self {
            Self::None | Self::Seconds | Self::Bytes => Scale::Times(1.0),
            Self::Percent => Scale::Over(1e2),
            Self::Nanoseconds => Scale::Over(1e9),
            Self::Microseconds => Scale::Over(1e6),
            Self::Milliseconds => Scale::Over(1e3),
            Self::Minutes => Scale::Times(60.0),
            Self::Hours => Scale::Times(3600.0),
            Self::Kilobytes => Scale::Times(1e3),
            Self::Megabytes => Scale::Times(1e6),
            Self::Gigabytes => Scale::Times(1e9),
            Self::Kibibytes => Scale::Times(1024.0),
            Self::Mebibytes => Scale::Times(1024.0 * 1024.0),
            Self::Gibibytes => Scale::Times(1024.0 * 1024.0 * 1024.0),
            Self::Tebibytes => Scale::Times(1024.0 * 1024.0 * 1024.0 * 1024.0),
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
    /// `text matches 'pattern'`: `*` stands for any letters, `?` for one; without either, the pattern may
    /// stand anywhere in the text.
    Matches(Node, String),
    /// A truth on its own.
    Holds(Node),
}
