//! API name → effect: what a call of a library does to whoever calls it. The knowledge is in `rules/catalog/*.yaml`;
//! this module reads it, checks it and finds names in it. It knows no syntax and no rule.
//!
//! Names are those a reader of the library's documentation knows: `requests.Session.get`, `std::fs::File::open`. Other
//! paths to the same thing (`requests.sessions.Session`) and inherited methods are found as well; every look-up is one
//! or two look-ups in a hash table.

mod api;
mod assemble;
mod schema;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::yaml::load;

pub use crate::yaml::RuleError;
pub use api::{Api, Argument, Effect, Language, Mark, Offload, Unless};

/// Everything that is known of libraries.
#[derive(Debug, Default)]
pub struct Catalog {
    apis: Vec<Api>,
    python: Names,
    rust: Names,
}

/// The names of one language. `api` is an index into [`Catalog::apis`].
#[derive(Debug, Default)]
struct Names {
    /// Functions, methods and types, under every name that leads to them.
    known: FxHashMap<Box<str>, Known>,
    types: FxHashMap<Box<str>, Type>,
    /// Types of the attributes of modules: `sys.stdin`.
    modules: FxHashMap<Box<str>, Attributes>,
}

type Attributes = FxHashMap<Box<str>, Box<str>>;

#[derive(Debug, Default, Clone)]
struct Known {
    api: Option<u32>,
    returns: Option<Box<str>>,
    marks: u64,
}

/// A type, under each of its names; what it inherits is copied into it.
#[derive(Debug, Default, Clone)]
struct Type {
    name: Box<str>,
    bases: Vec<Box<str>>,
    attributes: Attributes,
    /// What every method does that is not named.
    others: Option<Known>,
}

impl Catalog {
    /// What boundby itself knows.
    ///
    /// # Panics
    /// Where the catalogue that is built in has an error, which the tests of boundby rule out.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| {
            assemble::assemble(&load::builtin(), Vec::new())
                .expect("the tests load the catalogue that is built in")
        });
        &BUILTIN
    }

    /// What boundby knows, with the files of a user on top: `catalog/*.yaml` of a directory, or one such file. An entry
    /// replaces the one of the same name.
    ///
    /// # Errors
    /// Everything that is wrong in them, or why they cannot be read.
    pub fn with(path: &Path) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut sources = load::builtin();
        let mut read = load::read(path, &mut errors);
        if !path.is_dir() {
            // A single file is a catalogue because somebody said so.
            for source in &mut read {
                source.relative = format!("catalog/{}", source.relative);
            }
        }
        sources.extend(read);
        assemble::assemble(&sources, errors)
    }

    fn names(&self, language: Language) -> &Names {
        match language {
            Language::Python => &self.python,
            Language::Rust => &self.rust,
        }
    }

    fn known(&self, language: Language, name: &str) -> Option<&Known> {
        let names = self.names(language);
        names.known.get(name).or_else(|| {
            let (owner, method) = language.split(name)?;
            let hidden = method.starts_with('_');
            names.types.get(owner)?.others.as_ref().filter(|_| !hidden)
        })
    }

    /// What a function or method does, by its qualified name. Methods are found under the names of the types that
    /// inherit them; a type is not an API, its constructor is where it does something.
    #[must_use]
    pub fn find(&self, language: Language, name: &str) -> Option<&Api> {
        self.apis.get(self.known(language, name)?.api? as usize)
    }

    /// The type that a constructor, function or method gives: `sqlite3.connect` → `sqlite3.Connection`. What only wraps
    /// the value is left out: a coroutine, `Result`, `Option`, a context manager.
    #[must_use]
    pub fn returns(&self, language: Language, name: &str) -> Option<&str> {
        let returns = self.known(language, name).and_then(|known| known.returns.as_deref());
        returns.or_else(|| self.canonical(language, name))
    }

    /// The type of an attribute of a type or module: `openai.OpenAI`, `chat` → `openai.resources.Chat`.
    #[must_use]
    pub fn attribute(&self, language: Language, owner: &str, name: &str) -> Option<&str> {
        let names = self.names(language);
        let attributes =
            names.types.get(owner).map(|ty| &ty.attributes).or_else(|| names.modules.get(owner))?;
        attributes.get(name).map(AsRef::as_ref)
    }

    /// The name under which the catalogue keeps a type that it knows under this one.
    #[must_use]
    pub fn canonical(&self, language: Language, ty: &str) -> Option<&str> {
        self.names(language).types.get(ty).map(|ty| ty.name.as_ref())
    }

    /// The types that this one inherits from, nearest first.
    pub fn bases(&self, language: Language, ty: &str) -> impl Iterator<Item = &str> {
        self.names(language).types.get(ty).into_iter().flat_map(|ty| ty.bases.iter().map(AsRef::as_ref))
    }

    /// Whether a type, function or method is marked as this.
    #[must_use]
    pub fn has(&self, language: Language, name: &str, mark: Mark) -> bool {
        self.known(language, name).is_some_and(|known| known.marks & mark.bit() != 0)
    }

    /// Whether anything at all is known under this name.
    #[must_use]
    pub fn knows(&self, language: Language, name: &str) -> bool {
        self.known(language, name).is_some()
    }

    /// Every entry of a language, in the order of the files.
    pub fn apis(&self, language: Language) -> impl Iterator<Item = &Api> {
        self.apis.iter().filter(move |api| api.language == language)
    }
}
