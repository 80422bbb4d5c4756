//! YAML files of knowledge: the text with its places, and errors that show them. Nothing else names the YAML crate; what
//! the files say is the business of who reads them.

pub(crate) mod error;
pub(crate) mod load;

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
pub(crate) use serde_yaml::Spanned;

pub use error::RuleError;

/// A text standing where another value stands in the file.
pub(crate) fn at_place_of<T>(value: &Spanned<T>, text: &str) -> Spanned<String> {
    Spanned { value: text.to_owned(), referenced: value.referenced, defined: value.defined }
}

/// Values by name, in the order of the file, each name with its place. (A name that comes twice is refused by
/// the parser.)
pub(crate) struct Entries<T>(pub(crate) Vec<(Spanned<String>, Spanned<T>)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
