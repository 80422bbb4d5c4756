//! The shape of a file of `rules/source/`; its meaning is settled in `validate`.

use serde::Deserialize;

use crate::rules::schema::{DatumFile, Entries, Many, Spanned, Texts, WordsFile};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceRuleFile {
    pub(super) schema: Spanned<String>,
    pub(super) id: Spanned<String>,
    pub(super) group: Spanned<String>,
    pub(super) title: Spanned<String>,
    pub(super) languages: Texts,
    pub(super) kind: Spanned<String>,
    pub(super) severity: Spanned<WordsFile>,
    pub(super) confidence: Spanned<String>,
    #[serde(default)]
    pub(super) lowered_by: Entries<u8>,
    #[serde(default)]
    pub(super) facts: Texts,
    pub(super) message: Spanned<DatumFile>,
    pub(super) why: Spanned<DatumFile>,
    pub(super) cure: Spanned<DatumFile>,
    pub(super) before: Spanned<WordsFile>,
    pub(super) after: Spanned<WordsFile>,
    pub(super) limit: Spanned<String>,
    pub(super) cite: Many,
    #[serde(default)]
    pub(super) options: Entries<DatumFile>,
}
