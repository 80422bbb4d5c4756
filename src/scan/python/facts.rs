//! What the whole-program part needs of one file: plain, without a syntax tree, so that it can cross threads and be
//! cached. Values are symbolic: `Attribute(Called(Import(requests, Session)), get)`; only when all files are known
//! does `super::names` say what they are.

use serde::{Deserialize, Serialize};

use crate::finding::Place;
use crate::scan::source::SourceFile;

/// A name in the table of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Symbol(pub u32);

/// The names of a file, one after another in one text: a name for itself would cost more to make and to drop than it
/// is long.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Symbols {
    text: String,
    /// Where each name ends.
    ends: Vec<u32>,
}

impl Symbols {
    /// Adds a name.
    pub fn add(&mut self, name: &str) -> Symbol {
        self.text.push_str(name);
        self.ends.push(self.text.len() as u32);
        Symbol(self.ends.len() as u32 - 1)
    }

    /// The text of a name.
    #[must_use]
    pub fn text(&self, symbol: Symbol) -> &str {
        let at = symbol.0 as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start as usize..self.ends[at] as usize]
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ends.len()
    }
}

/// A value in the table of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ValueId(pub u32);

impl ValueId {
    /// What nothing is known of: the first value of every file.
    pub const UNKNOWN: Self = Self(0);
}

/// What an expression is, as far as its own file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Value {
    /// Not known.
    Unknown,
    /// `None`.
    Nothing,
    /// A literal of a builtin type.
    Literal(Symbol),
    /// A name of the module, of a star import, or a builtin, in this order.
    Global(Symbol),
    /// A function or lambda of the file.
    Function(u32),
    /// A class of the file.
    Class(u32),
    /// What an import binds.
    Import {
        /// How many dots precede the module.
        level: u32,
        /// The module as written.
        module: Symbol,
        /// What is taken from it; `None` where the module itself is bound.
        member: Option<Symbol>,
    },
    /// `value.name`.
    Attribute(ValueId, Symbol),
    /// What a call of it returns.
    Called(ValueId),
    /// What awaiting it gives.
    Awaited(ValueId),
    /// An instance of it: by annotation, or because it is the exception caught.
    Instance(ValueId),
    /// The receiver of a method of this class: `self`.
    Receiver(u32),
    /// The receiver of a class method of this class: `cls`.
    ClassReceiver(u32),
    /// `super()` in a method of this class.
    Super(u32),
    /// What `with value as x` binds.
    Entered(ValueId),
    /// `value[…]`.
    Item(ValueId),
    /// What iterating it gives.
    Element(ValueId),
    /// The second part of what iterating it gives: the values of `mapping.items()`.
    Second(ValueId),
    /// A builtin container of such things; of a mapping, its values.
    Container(Symbol, ValueId),
    /// One of these: a stretch of [`FileFacts::pool`].
    OneOf(u32, u32),
    /// A parameter of a function of this file nobody annotated, by its position.
    Parameter(u32, u32),
}

/// Gives a set of bits its operations.
macro_rules! set_of_bits {
    ($set:ident) => {
        impl $set {
            /// Whether all bits of the other are set.
            #[must_use]
            pub fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Sets the bits of the other.
            pub fn set(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }
    };
}

/// Circumstances of a call, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flags(pub u16);

impl Flags {
    /// `await call(…)`.
    pub const AWAITED: Self = Self(1);
    /// In a handler of errors.
    pub const ERROR_PATH: Self = Self(1 << 1);
    /// Behind a cache or `if x is None`.
    pub const FIRST_CALL: Self = Self(1 << 2);
    /// Only where no event loop runs on this thread.
    pub const GUARDED: Self = Self(1 << 3);
    /// The call is a statement of its own.
    pub const STATEMENT: Self = Self(1 << 4);
    /// Under `if __name__ == "__main__"`.
    pub const MAIN: Self = Self(1 << 5);
    /// The call is that of a decorator, or the expression of one.
    pub const DECORATOR: Self = Self(1 << 6);
    /// The call is the argument of an `await`, however deep: a coroutine handed to something awaited.
    pub const IN_AWAIT: Self = Self(1 << 7);
    /// In a loop that lets nobody else have a turn: it awaits nothing.
    pub const REPEATED: Self = Self(1 << 8);
    /// Where the error is handled that says "it would have had to wait": it does not wait.
    pub const NEVER_WAITS: Self = Self(1 << 9);
}

set_of_bits!(Flags);

/// A call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// The function it stands in.
    pub function: u32,
    /// What is called.
    pub callee: ValueId,
    /// The bytes of the call, and the end of the callee's.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// One past the last byte of what is called.
    pub callee_end: u32,
    /// Circumstances.
    pub flags: Flags,
    /// Its arguments: a stretch of [`FileFacts::arguments`].
    pub arguments: (u32, u32),
}

/// An argument of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Argument {
    /// Its keyword; positional ones stand in order before them.
    pub keyword: Option<Symbol>,
    /// What it is.
    pub value: ValueId,
    /// Its source, where it is a constant or a dotted name.
    pub text: Option<Symbol>,
}

/// How a function uses a value besides calling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UseKind {
    /// `with value:`.
    Enter,
    /// `for … in value`.
    Iterate,
    /// `value.name`, where the name may be that of a property.
    Read,
}

/// A use of a value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Use {
    /// The function it stands in.
    pub function: u32,
    /// How.
    pub kind: UseKind,
    /// Of what; for `Read` the attribute itself.
    pub value: ValueId,
    /// Its bytes.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Circumstances.
    pub flags: Flags,
}

/// What `with` may hold while its body runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hold {
    /// The function it stands in.
    pub function: u32,
    /// What is entered.
    pub value: ValueId,
    /// Its source.
    pub text: Symbol,
    /// The bytes of the body.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Whether the body is a call and nothing else.
    pub one_call: bool,
}

/// How a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traits(pub u16);

impl Traits {
    /// `async def`.
    pub const ASYNC: Self = Self(1);
    /// It yields.
    pub const GENERATOR: Self = Self(1 << 1);
    /// Calls are remembered: only the first one runs.
    pub const CACHED: Self = Self(1 << 2);
    /// Reading the attribute calls it.
    pub const PROPERTY: Self = Self(1 << 3);
    /// It gets no receiver.
    pub const STATIC: Self = Self(1 << 4);
    /// Its receiver is the class.
    pub const CLASS_METHOD: Self = Self(1 << 5);
    /// Its body says nothing: abstract, a protocol, an overload.
    pub const ABSTRACT: Self = Self(1 << 6);
    /// A generator that `with` enters.
    pub const CONTEXT_MANAGER: Self = Self(1 << 7);
    /// Runs while the program starts or stops.
    pub const START_UP: Self = Self(1 << 8);
    /// It has a loop without an end.
    pub const ENDLESS: Self = Self(1 << 9);
    /// It is a lambda.
    pub const LAMBDA: Self = Self(1 << 10);
    /// A command of a command-line program.
    pub const COMMAND: Self = Self(1 << 11);
}

set_of_bits!(Traits);

/// A function, a lambda, or the body of the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Function {
    /// Qualified within the module: `Class.method`; empty for the module.
    pub name: Symbol,
    /// Its own name alone.
    pub short: Symbol,
    /// The class whose method it is.
    pub class: Option<u32>,
    /// The function around it.
    pub outer: Option<u32>,
    /// The bytes of its name, or of the whole lambda.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// How it runs.
    pub traits: Traits,
    /// Its parameters by position.
    pub parameters: Vec<Symbol>,
    /// Its decorators, outermost first.
    pub decorators: Vec<ValueId>,
    /// What it returns, awaited where it is async: by its annotation, else one of what it returns.
    pub returns: ValueId,
}

/// A class.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Class {
    /// Qualified within the module.
    pub name: Symbol,
    /// What it derives from.
    pub bases: Vec<ValueId>,
    /// Names of its body, in order of name.
    pub members: Vec<(Symbol, ValueId)>,
    /// What its methods assign to `self.name`, in order of name.
    pub attributes: Vec<(Symbol, ValueId)>,
}

/// Where lines begin and which characters take more than one byte.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Lines {
    starts: Vec<u32>,
    /// Offsets of the bytes that continue a character.
    continuing: Vec<u32>,
    marked: bool,
}

/// Everything the whole-program part needs of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileFacts {
    /// The file, relative to the root of the scan.
    pub path: String,
    /// Whether offsets are those of the file on disk: only then can it be rewritten.
    pub exact: bool,
    /// The table of names.
    pub symbols: Symbols,
    /// The table of values; the first is [`Value::Unknown`].
    pub values: Vec<Value>,
    /// Alternatives of [`Value::OneOf`].
    pub pool: Vec<ValueId>,
    /// The names of the module, in order of name.
    pub globals: Vec<(Symbol, ValueId)>,
    /// Modules whose names are imported all at once.
    pub stars: Vec<ValueId>,
    /// Functions in the order of the file; the first is the module's body.
    pub functions: Vec<Function>,
    /// Classes in the order of the file.
    pub classes: Vec<Class>,
    /// Calls in the order of the walk.
    pub calls: Vec<Call>,
    /// Arguments of all calls.
    pub arguments: Vec<Argument>,
    /// Uses in the order of the walk.
    pub uses: Vec<Use>,
    /// What is held over which statements, in the order of the walk.
    pub holds: Vec<Hold>,
    /// What is handed over to run while the program starts or stops.
    pub start_up: Vec<ValueId>,
    /// The way from bytes to lines.
    pub lines: Lines,
}

impl FileFacts {
    /// The text of a name.
    #[must_use]
    pub fn text(&self, symbol: Symbol) -> &str {
        self.symbols.text(symbol)
    }

    /// A value.
    #[must_use]
    pub fn value(&self, id: ValueId) -> Value {
        self.values[id.0 as usize]
    }

    /// The alternatives of a [`Value::OneOf`].
    #[must_use]
    pub fn alternatives(&self, start: u32, count: u32) -> &[ValueId] {
        &self.pool[start as usize..(start + count) as usize]
    }

    /// The alternatives of a value; of one that has none, itself.
    #[must_use]
    pub fn each(&self, value: ValueId) -> std::borrow::Cow<'_, [ValueId]> {
        match self.value(value) {
            Value::OneOf(start, count) => self.alternatives(start, count).into(),
            _ => vec![value].into(),
        }
    }

    /// The arguments of a call.
    #[must_use]
    pub fn arguments_of(&self, call: &Call) -> &[Argument] {
        let (start, count) = call.arguments;
        &self.arguments[start as usize..(start + count) as usize]
    }
}

impl Lines {
    /// Of a file.
    #[must_use]
    pub fn of(file: &SourceFile) -> Self {
        let text = &*file.text;
        let mut continuing = Vec::new();
        // Most files have none, and that is told fast.
        if !text.is_ascii() {
            let bytes = text.bytes().enumerate().filter(|(_, byte)| matches!(byte, 0x80..=0xbf));
            continuing.extend(bytes.map(|(at, _)| at as u32));
        }
        Self { starts: file.starts().to_vec(), continuing, marked: text.starts_with('\u{feff}') }
    }

    /// The place of a stretch of the file.
    #[must_use]
    pub fn place(&self, path: &std::sync::Arc<str>, start: u32, end: u32) -> Place {
        let end = end.max(start);
        let (line, column) = self.position(start);
        let (end_line, end_column) = self.position(end);
        Place { path: path.clone(), line, column, end_line, end_column, bytes: (start, end) }
    }

    fn position(&self, offset: u32) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let before = |offset: u32| self.continuing.partition_point(|at| *at < offset) as u32;
        let mark = u32::from(line == 1 && self.marked && offset >= 3);
        let column = offset.saturating_sub(start) - (before(offset) - before(start)) - mark;
        (line as u32, column + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_agree_with_the_file_they_come_from() {
        let text = "\u{feff}a = 'é'\r\nb = '\u{1f600}'\rc\n\n";
        let file = SourceFile::new("a.py", text.as_bytes().to_vec()).unwrap();
        let lines = Lines::of(&file);
        for (at, _) in text.char_indices() {
            assert_eq!(lines.position(at as u32), file.position(at as u32), "at byte {at}");
        }
    }
}
