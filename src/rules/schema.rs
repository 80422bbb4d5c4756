//! The shape of the YAML files, nothing else: flat structs that refuse unknown fields. Their meaning is
//! settled in `validate`.

use std::fmt;
use std::marker::PhantomData;

pub(super) use crate::yaml::{Entries, Spanned};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

pub(super) type Texts = Vec<Spanned<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    pub(super) schema: Spanned<String>,
    pub(super) id: Spanned<String>,
    pub(super) kind: Spanned<String>,
    pub(super) title: Spanned<String>,
    pub(super) precedence: Spanned<i32>,
    pub(super) severity: Option<Spanned<String>>,
    pub(super) when: WhenFile,
    pub(super) then: Spanned<ThenFile>,
    pub(super) because: Spanned<String>,
    #[serde(default)]
    pub(super) cite: Many,
    pub(super) since: Option<String>,
    #[serde(default)]
    pub(super) tests: Vec<TestFile>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct WhenFile {
    #[serde(default)]
    pub(super) all: Texts,
    #[serde(default)]
    pub(super) any: Texts,
    #[serde(default)]
    pub(super) none: Texts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThenFile {
    pub(super) bound_by: Option<Spanned<String>>,
    pub(super) share: Option<Spanned<String>>,
    pub(super) only: Option<Texts>,
    pub(super) veto: Option<Texts>,
    pub(super) action: Option<Spanned<String>>,
    pub(super) strategy: Option<Spanned<String>>,
    pub(super) headline: Option<Spanned<String>>,
    pub(super) construct: Option<Spanned<String>>,
    pub(super) snippet: Option<Spanned<String>>,
    pub(super) workers: Option<Spanned<String>>,
    pub(super) strategies: Option<Texts>,
    pub(super) reason: Option<Spanned<String>>,
    pub(super) weight: Option<Spanned<f64>>,
    pub(super) text: Option<Spanned<String>>,
    pub(super) show: Option<Entries<String>>,
    pub(super) finding: Option<Spanned<String>>,
    pub(super) fix: Option<Spanned<String>>,
    pub(super) engine: Option<Spanned<String>>,
    pub(super) task: Option<Spanned<String>>,
    pub(super) unless: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestFile {
    pub(super) name: String,
    #[serde(default)]
    pub(super) given: Entries<String>,
    pub(super) expect: Spanned<ExpectFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConstantsFile {
    #[serde(default)]
    pub(super) constants: Entries<ConstantFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OverlayFile {
    #[serde(default)]
    pub(super) disable: Texts,
    #[serde(default)]
    pub(super) constants: Entries<ConstantFile>,
    #[serde(default)]
    pub(super) model: Entries<ConstantFile>,
}

/// Words of descriptions in plain language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DescriptionFile {
    pub(super) waits: Vec<String>,
    pub(super) computes: Vec<String>,
    #[serde(default)]
    pub(super) clues: Vec<ClueFile>,
}

/// What words of a description stand for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClueFile {
    pub(super) words: Vec<String>,
    pub(super) bound: Option<Spanned<String>>,
    pub(super) work: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) instead: String,
    #[serde(default)]
    pub(super) cite: Many,
}

/// What the decision guide says, by number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuideFile {
    #[serde(rename = "schema")]
    pub(super) _schema: String,
    pub(super) rows: Vec<GuideEntryFile>,
    pub(super) contradictions: Vec<GuideEntryFile>,
    pub(super) figures: Vec<GuideEntryFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuideEntryFile {
    pub(super) id: String,
    #[serde(default)]
    pub(super) at: Many,
    pub(super) says: String,
    #[serde(default)]
    pub(super) became: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CasesFile {
    pub(super) cases: Vec<CaseFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseFile {
    pub(super) id: Spanned<String>,
    #[serde(default)]
    pub(super) cite: Many,
    #[serde(default)]
    pub(super) note: String,
    pub(super) given: Entries<DatumFile>,
    pub(super) expect: Entries<ValueFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RealiseFile {
    pub(super) entries: Vec<EntryFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryFile {
    pub(super) strategy: Spanned<String>,
    pub(super) action: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) when: WhenFile,
    pub(super) construct: Spanned<String>,
    pub(super) snippet: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) notes: Texts,
}

/// `100ms`, or the long form with a reason.
pub(super) enum ConstantFile {
    Short(String),
    Long(ConstantFields),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConstantFields {
    pub(super) value: Spanned<String>,
    #[serde(default)]
    pub(super) why: String,
    #[serde(default)]
    pub(super) cite: Many,
    #[serde(default)]
    pub(super) source: Many,
}

/// A word, or values by name.
pub(super) enum ExpectFile {
    Word(String),
    Values(Entries<ValueFile>),
}

/// A literal, or a range.
pub(super) enum ValueFile {
    Literal(String),
    Range(Box<RangeFile>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RangeFile {
    pub(super) about: Option<Spanned<String>>,
    pub(super) tol: Option<Spanned<String>>,
    pub(super) between: Option<Texts>,
    pub(super) at_least: Option<Spanned<String>>,
    pub(super) at_most: Option<Spanned<String>>,
}

/// A literal, or a list of them.
pub(super) enum DatumFile {
    One(String),
    List(Texts),
}

/// A word, or words by name.
pub(super) enum WordsFile {
    One(String),
    Named(Entries<String>),
}

/// One text, or a list of them.
#[derive(Default)]
pub(super) struct Many(pub(super) Vec<String>);

/// Reads one of several forms by what stands in the file; numbers and truths are taken as written.
trait Form: Sized {
    const EXPECTED: &'static str;

    fn scalar(text: String) -> Self;

    fn map<'de, A: MapAccess<'de>>(_map: A) -> Result<Self, A::Error> {
        Err(serde::de::Error::custom(format!("{} is due here", Self::EXPECTED)))
    }

    fn list<'de, A: SeqAccess<'de>>(_list: A) -> Result<Self, A::Error> {
        Err(serde::de::Error::custom(format!("{} is due here", Self::EXPECTED)))
    }
}

struct FormVisitor<T>(PhantomData<T>);

impl<'de, T: Form> Visitor<'de> for FormVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        Ok(T::scalar(text.to_owned()))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        Ok(T::scalar(number.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        Ok(T::scalar(number.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<T, E> {
        Ok(T::scalar(number.to_string()))
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<T, E> {
        Ok(T::scalar(value.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }
}

macro_rules! deserialize_forms {
    ($($name:ident),*) => {
        $(impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(FormVisitor(PhantomData))
            }
        })*
    };
}

deserialize_forms!(ConstantFile, ExpectFile, ValueFile, DatumFile, WordsFile, Many);

impl Form for ConstantFile {
    const EXPECTED: &'static str = "a number with its unit, or {value, why, cite}";

    fn scalar(text: String) -> Self {
        Self::Short(text)
    }

    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        ConstantFields::deserialize(MapAccessDeserializer::new(map)).map(Self::Long)
    }
}

impl Form for ExpectFile {
    const EXPECTED: &'static str = "fired, not-fired, unknown, or values by name";

    fn scalar(text: String) -> Self {
        Self::Word(text)
    }

    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Entries::deserialize(MapAccessDeserializer::new(map)).map(Self::Values)
    }
}

impl Form for ValueFile {
    const EXPECTED: &'static str = "a value, or {about, tol}, {between: [low, high]}, {at_least}, {at_most}";

    fn scalar(text: String) -> Self {
        Self::Literal(text)
    }

    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        RangeFile::deserialize(MapAccessDeserializer::new(map)).map(Box::new).map(Self::Range)
    }
}

impl Form for DatumFile {
    const EXPECTED: &'static str = "a value or a list of values";

    fn scalar(text: String) -> Self {
        Self::One(text)
    }

    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Self::List(items))
    }
}

impl Form for WordsFile {
    const EXPECTED: &'static str = "a text, or texts by name";

    fn scalar(text: String) -> Self {
        Self::One(text)
    }

    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Entries::deserialize(MapAccessDeserializer::new(map)).map(Self::Named)
    }
}

impl Form for Many {
    const EXPECTED: &'static str = "a text or a list of texts";

    fn scalar(text: String) -> Self {
        Self(vec![text])
    }

    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Self(items))
    }
}
