//! What one Rust file says, without its syntax tree: scopes and what they import, types with their fields, functions
//! with what happens in them in order. Names are as written; what they mean is the business of `super::names`.
//!
//! A body is a list of [`Event`]s in the order in which they happen, with forks where control forks. That is enough to
//! follow a guard from its lock to its end, and nothing else needs more.

use serde::{Deserialize, Serialize};

/// An identifier or a path as written (`a::b::c`): an index into [`FileFacts::names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sym(pub u32);

macro_rules! index {
    ($(#[doc = $doc:literal] $name:ident),+ $(,)?) => {$(
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index.
            #[must_use]
            pub fn at(self) -> usize {
                self.0 as usize
            }
        }
    )+};
}

index! {
    /// A scope of the file.
    ScopeAt,
    /// A function, closure or `async` block of the file.
    FunctionAt,
    /// A type definition of the file.
    TypeAt,
    /// A value of the file.
    ValueAt,
    /// A call of the file.
    CallAt,
    /// A local variable of a function; closures and blocks continue the numbers of what is around them.
    Local,
}

/// A stretch of the file, see [`crate::finding::Place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Spot {
    /// Byte offsets as on disk.
    pub bytes: (u32, u32),
    /// Line and column of the first character.
    pub start: (u32, u32),
    /// Line and column after the last one.
    pub end: (u32, u32),
}

/// Everything the whole-program analysis needs of one file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Relative to the root of the scan.
    pub path: Box<str>,
    /// Strings by [`Sym`].
    pub names: Vec<Box<str>>,
    /// Scopes; the first is the module that the file is.
    pub scopes: Vec<Scope>,
    /// Type definitions.
    pub types: Vec<TypeDef>,
    /// Constants and statics: name and type.
    pub statics: Vec<(Sym, ValueAt)>,
    /// Associated types of implementations: the implementing type, name, type.
    pub associated: Vec<(ValueAt, Sym, ValueAt)>,
    /// Functions, closures, `async` blocks.
    pub functions: Vec<Function>,
    /// Values; the first is [`Value::Unknown`].
    pub values: Vec<Value>,
    /// Calls.
    pub calls: Vec<Call>,
    /// `impl Deref for T { type Target = U; }`: the type and its target.
    pub derefs: Vec<(ValueAt, ValueAt)>,
}

impl FileFacts {
    /// The facts of a file that says nothing: one scope, one unknown value.
    #[must_use]
    pub fn of(path: &str) -> Self {
        Self {
            path: path.into(),
            values: vec![Value::Unknown],
            scopes: vec![Scope::default()],
            ..Self::default()
        }
    }

    /// The text of a symbol.
    #[must_use]
    pub fn text(&self, sym: Sym) -> &str {
        &self.names[sym.0 as usize]
    }

    /// A value.
    #[must_use]
    pub fn value(&self, at: ValueAt) -> &Value {
        &self.values[at.at()]
    }

    /// A call.
    #[must_use]
    pub fn call(&self, at: CallAt) -> &Call {
        &self.calls[at.at()]
    }

    /// A function.
    #[must_use]
    pub fn function(&self, at: FunctionAt) -> &Function {
        &self.functions[at.at()]
    }
}

/// A module, or a block with items of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// The scope around it; none for the file's own module.
    pub parent: Option<ScopeAt>,
    /// The name of an inline module; empty for the file's own and for blocks.
    pub name: Option<Sym>,
    /// A block: what it does not know is looked up around it.
    pub block: bool,
    /// Only compiled for tests.
    pub test: bool,
    /// `use` declarations, flattened.
    pub imports: Vec<Import>,
    /// `mod x;`, with what `#[path]` says, and whether it is for tests only.
    pub declared: Vec<(Sym, Option<Sym>, bool)>,
    /// What is defined here.
    pub items: Vec<(Sym, Item)>,
}

/// One name of a `use`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The name it gets here; none for a glob.
    pub name: Option<Sym>,
    /// The path as written; for a glob without its star.
    pub path: Sym,
}

/// What a name of a scope stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// A free function.
    Function(FunctionAt),
    /// A type or trait.
    Type(TypeAt),
    /// An inline module.
    Module(ScopeAt),
    /// A constant or static: index into [`FileFacts::statics`].
    Static(u32),
}

/// The kinds of type definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TypeKind {
    /// `struct`, `union`.
    Struct,
    /// `enum`; its fields are its variants.
    Enum,
    /// `type A = B;`: its only field is what it stands for.
    Alias,
    /// `trait`.
    Trait,
}

/// A struct, enum, alias or trait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypeDef {
    /// Its name.
    pub name: Sym,
    /// Where it stands.
    pub scope: ScopeAt,
    /// Which kind.
    pub kind: TypeKind,
    /// Generic parameters that are types.
    pub generics: Vec<Sym>,
    /// Fields by name, or by position as `0`, `1`.
    pub fields: Vec<(Sym, ValueAt, Spot)>,
}

/// What a [`Function`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FunctionKind {
    /// `fn`, with or without `async`.
    Fn,
    /// `|…| …`, with or without `async`.
    Closure,
    /// `async { … }`.
    AsyncBlock,
    /// The initialiser of a static: runs once.
    Initialiser,
}

/// How a function takes `self`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receiver {
    /// Not at all.
    None,
    /// `&self`.
    Shared,
    /// `&mut self`.
    Exclusive,
    /// `self`, `self: Arc<Self>`.
    Owned,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its type.
    pub value: ValueAt,
    /// `&mut T`.
    pub exclusive: bool,
    /// The variable, where the pattern is one.
    pub local: Option<Local>,
}

/// What becomes of a closure or `async` block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// A named function.
    Named,
    /// Handed to a call as this argument.
    Argument(CallAt, u32),
    /// Bound to a variable.
    Bound(Local),
    /// Awaited or called where it stands.
    Here,
    /// Returned, stored, or anything else.
    Elsewhere,
}

/// What the attributes and surroundings of a function say.
#[allow(clippy::struct_excessive_bools, reason = "each holds or not, whatever the others do")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Marks {
    /// `async fn`, `async` closure or block.
    pub is_async: bool,
    /// Test code: `#[test]`, `#[cfg(test)]`, `#[tokio::test]`.
    pub test: bool,
    /// The entry point of a program: `fn main`, `#[tokio::main]`.
    pub main: bool,
    /// Computed once: `#[cached]`, `#[once]`, the closure of a `OnceLock`.
    pub cached: bool,
}

/// A function, closure or `async` block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name; of a closure or block, the name of what is around it.
    pub name: Sym,
    /// Where names in it are looked up.
    pub scope: ScopeAt,
    /// What it is.
    pub kind: FunctionKind,
    /// What it stands in, if it is a closure or block.
    pub parent: Option<FunctionAt>,
    /// The type of the `impl` or the trait around it.
    pub owner: Option<ValueAt>,
    /// The trait it implements, as written.
    pub of_trait: Option<Sym>,
    /// How it takes `self`.
    pub receiver: Receiver,
    /// The value that `self` is.
    pub this: Option<ValueAt>,
    /// Its parameters without `self`.
    pub params: Vec<Param>,
    /// What it returns; for `async` what its future yields.
    pub returns: ValueAt,
    /// Attributes and surroundings.
    pub marks: Marks,
    /// What becomes of it.
    pub fate: Fate,
    /// Its name, or its first line.
    pub spot: Spot,
    /// What happens in it.
    pub events: Vec<Event>,
    /// Loops in it.
    pub loops: Vec<LoopFact>,
}

/// One thing that happens in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A call; arguments have happened before.
    Call(CallAt),
    /// `.await` of a value.
    Await(ValueAt, Spot),
    /// A variable gets a value.
    Bind(Local, ValueAt),
    /// `let _ = value;`
    Discard(ValueAt, Spot),
    /// A variable is moved away or dropped.
    Gone(Local),
    /// A variable is read (not moved).
    Used(Local),
    /// Variables bound from here on end at the matching [`Event::Close`].
    Open,
    /// Ends the variables since the matching [`Event::Open`].
    Close,
    /// Temporaries made from here on end at the matching [`Event::Release`].
    Mark,
    /// Ends the temporaries since the matching [`Event::Mark`].
    Release,
    /// Control forks: arms follow.
    Fork,
    /// An arm begins in the state of the fork.
    Arm,
    /// An arm ends; whether control leaves it other than by its end.
    ArmEnd(bool),
    /// Control comes together again.
    Join,
    /// On this way the value is an error or nothing: it holds no guard.
    Absent(ValueAt),
    /// A closure or block is made here.
    Make(FunctionAt),
    /// A loop begins: index into [`Function::loops`].
    Loop(u32),
    /// The innermost loop ends.
    LoopEnd,
    /// One statement ends. Its value, where it is thrown away with `;`.
    Statement(Option<ValueAt>),
}

/// The kinds of loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoopKind {
    /// `loop`.
    Loop,
    /// `while`, with or without `let`.
    While,
    /// `for`; where it runs over a range, to this literal bound or to one that is not written out.
    For(Bound),
}

/// What a `for` runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// Something else than a range.
    Items,
    /// A range with literal ends: this many steps.
    Literal(u64),
    /// A range with an end that is computed.
    Computed,
    /// A range without end.
    Endless,
}

/// A loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopFact {
    /// Which kind.
    pub kind: LoopKind,
    /// The loop's keyword.
    pub spot: Spot,
    /// How many loops of the same body are around it.
    pub depth: u32,
    /// Whether `break`, `return` or a condition can end it.
    pub ends: bool,
    /// Awaits in it, nested loops included.
    pub awaits: u32,
    /// Calls in it, nested loops included.
    pub calls: u32,
    /// Operators of arithmetic in it, nested loops included.
    pub arithmetic: u32,
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Callee {
    /// A path, with the type before it in `<T as Trait>::f` if there is one.
    Path(Sym, Option<ValueAt>),
    /// A method.
    Method(ValueAt, Sym),
    /// A value: a closure in a variable or a field.
    Value(ValueAt),
    /// A macro that is known to be one: its path.
    Macro(Sym),
}

/// How an argument is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// Its value.
    pub value: ValueAt,
    /// Its source text, where that is short and constant: a literal, a path.
    pub text: Option<Sym>,
    /// The variable, where it is nothing else.
    pub local: Option<Local>,
    /// `&mut …`.
    pub exclusive: bool,
}

/// Circumstances of a call.
#[allow(clippy::struct_excessive_bools, reason = "each holds or not, whatever the others do")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Circumstances {
    /// Directly awaited.
    pub awaited: bool,
    /// In a loop of its body.
    pub in_loop: bool,
    /// Where an error is handled.
    pub error_path: bool,
    /// Where a check of the runtime says that no loop is blocked.
    pub guarded: bool,
    /// In `if x.is_none()`: only the first time.
    pub first_call: bool,
    /// Written in the branch of a `select!`.
    pub in_select: bool,
    /// Among the tokens of a macro.
    pub in_macro: bool,
    /// Found by tokens only.
    pub guessed: bool,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The function it stands in.
    pub function: FunctionAt,
    /// Where its names are looked up.
    pub scope: ScopeAt,
    /// What it calls.
    pub callee: Callee,
    /// `::<T>`.
    pub types: Vec<ValueAt>,
    /// With what.
    pub arguments: Vec<Argument>,
    /// Where: from the name of a method, or the start of a path, to the closing parenthesis.
    pub spot: Spot,
    /// Behind the path that is called: the byte of the opening parenthesis.
    pub opens: Option<u32>,
    /// How.
    pub how: Circumstances,
}

/// A value or a type, as far as the source of the file says what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Nothing is known.
    Unknown,
    /// A type as written: path, scope, generic arguments.
    Type(Sym, ScopeAt, Vec<ValueAt>),
    /// `<T as Trait>::Name` or `T::Name` with a generic `T`.
    Associated(ValueAt, Sym),
    /// A type parameter of the definition around it, by position.
    Parameter(u32),
    /// `*x`: what it gives access to.
    Behind(ValueAt),
    /// A slice or array of something.
    Slice(ValueAt),
    /// `(A, B)`.
    Tuple(Vec<ValueAt>),
    /// A generic parameter, `impl Trait` or `dyn Trait`: its bounds, as types.
    Bounded(Vec<ValueAt>),
    /// `impl Fn(A) -> B`, `fn(A) -> B`: what it returns.
    Callable(ValueAt),
    /// A path in an expression: a static, a unit struct, a function.
    Path(Sym, ScopeAt),
    /// A closure.
    Closure(FunctionAt),
    /// An `async` block.
    Block(FunctionAt),
    /// What a call gives.
    Call(CallAt),
    /// `x.field`.
    Field(ValueAt, Sym),
    /// `x[i]`.
    Index(ValueAt),
    /// What a `for` over it gives.
    Element(ValueAt),
    /// `x?`.
    Tried(ValueAt),
    /// `x.await`.
    Awaited(ValueAt),
    /// The part of a tuple.
    Part(ValueAt, u32),
    /// The part of an enum's variant or struct that a pattern takes out: path of the pattern, position or field.
    Matched(ValueAt, Sym, Sym),
    /// One of several, as the arms of a `match` give them.
    OneOf(Vec<ValueAt>),
    /// A string literal.
    Text,
    /// A number or other literal.
    Number,
}
