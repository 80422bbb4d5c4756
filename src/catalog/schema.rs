//! The shape of the YAML files, nothing else: flat structs that refuse unknown fields. Their meaning is settled in
//! `assemble`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::yaml::{Entries, Spanned};

pub(super) type Texts = Vec<Spanned<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CatalogFile {
    pub(super) schema: Spanned<String>,
    pub(super) language: Spanned<String>,
    #[allow(dead_code, reason = "tells a reader what the file is about")]
    pub(super) library: String,
    /// What a group of calls does that does not say.
    pub(super) blocks: Option<BlocksFile>,
    #[serde(default)]
    pub(super) modules: Entries<OwnerFile>,
    #[serde(default)]
    pub(super) types: Entries<OwnerFile>,
}

/// A module or a type, and what is in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerFile {
    /// Other names of it.
    #[serde(default)]
    pub(super) also: Texts,
    /// Types it inherits from, nearest first.
    #[serde(default)]
    pub(super) bases: Texts,
    /// What it is.
    #[serde(default)]
    pub(super) marks: Texts,
    /// Functions, under their full names, that give one; its own name always does.
    #[serde(default)]
    pub(super) made_by: Texts,
    /// Types of its attributes.
    #[serde(default)]
    pub(super) attributes: Entries<String>,
    /// Types that functions in it give which have no effect of their own.
    #[serde(default)]
    pub(super) makes: Entries<String>,
    /// Groups of functions in it.
    #[serde(default)]
    pub(super) calls: Vec<CallsFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallsFile {
    /// Names within the owner; `*` is every method that has no entry.
    pub(super) names: Texts,
    pub(super) blocks: Option<BlocksFile>,
    pub(super) computes: Option<ComputesFile>,
    pub(super) offloads: Option<OffloadsFile>,
    pub(super) schedules: Option<ArgumentFile>,
    #[serde(default)]
    pub(super) runs_loop: bool,
    #[serde(default)]
    pub(super) harmless: bool,
    #[serde(default)]
    pub(super) unless: Vec<UnlessFile>,
    #[serde(default)]
    pub(super) marks: Texts,
    pub(super) returns: Option<Spanned<String>>,
    /// `{name}` is the name of the call.
    pub(super) sibling: Option<Spanned<String>>,
    pub(super) cure: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlocksFile {
    pub(super) wait: Spanned<String>,
    pub(super) cost: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ComputesFile {
    pub(super) cost: Spanned<String>,
    /// `held` or `released`.
    pub(super) gil: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OffloadsFile {
    pub(super) to: Spanned<String>,
    pub(super) function: ArgumentFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnlessFile {
    pub(super) argument: ArgumentFile,
    #[serde(default)]
    pub(super) is: Vec<String>,
    #[serde(default)]
    pub(super) of: Vec<String>,
}

/// `0`, `timeout`, or `[0, timeout]`.
pub(super) struct ArgumentFile(pub(super) Option<usize>, pub(super) Option<String>);

impl<'de> Deserialize<'de> for ArgumentFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ArgumentVisitor)
    }
}

struct ArgumentVisitor;

impl<'de> Visitor<'de> for ArgumentVisitor {
    type Value = ArgumentFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a position from 0, a keyword, or [position, keyword]")
    }

    fn visit_u64<E: serde::de::Error>(self, position: u64) -> Result<ArgumentFile, E> {
        usize::try_from(position).map(|at| ArgumentFile(Some(at), None)).map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, position: i64) -> Result<ArgumentFile, E> {
        usize::try_from(position).map(|at| ArgumentFile(Some(at), None)).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, keyword: &str) -> Result<ArgumentFile, E> {
        Ok(ArgumentFile(None, Some(keyword.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ArgumentFile, A::Error> {
        let missing = || serde::de::Error::custom("[position, keyword] is due here");
        let position: usize = list.next_element()?.ok_or_else(missing)?;
        let keyword: String = list.next_element()?.ok_or_else(missing)?;
        match list.next_element::<String>()? {
            None => Ok(ArgumentFile(Some(position), Some(keyword))),
            Some(_) => Err(missing()),
        }
    }
}
