//! Sentences with names in them: `` `{subject}` blocks the event loop in `{symbol}` ``; `{{` is a brace. Several
//! sentences stand for each other: the first of which every name is known is used.

use std::collections::BTreeMap;

/// Names every observation can fill, or that a detector may leave out; what they hold is in rules/README.md.
pub const STANDARD: [&str; 8] = ["subject", "symbol", "callee", "callers", "wait", "cost", "sibling", "cure"];
/// Those that are always there.
const CERTAIN: [&str; 4] = ["subject", "symbol", "callee", "callers"];

/// One text of a rule: alternatives, the last of which always holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    alternatives: Vec<Sentence>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sentence {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

impl Words {
    /// Reads alternatives. `facts` are the names the rule's detector promises.
    ///
    /// # Errors
    /// The alternative that is wrong, by its number, and why.
    pub(super) fn parse(texts: &[&str], facts: &[String]) -> Result<Self, (usize, String)> {
        let mut alternatives = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            let sentence = Sentence::parse(text).map_err(|what| (number, what))?;
            for name in sentence.names() {
                let promised = facts.iter().any(|fact| fact == name);
                if !promised && !STANDARD.contains(&name) {
                    let help = "declare it under `facts`, or use";
                    return Err((
                        number,
                        format!("unknown name `{{{name}}}`: {help} {}", STANDARD.join(", ")),
                    ));
                }
                let certain = promised || CERTAIN.contains(&name);
                if number + 1 == texts.len() && !certain {
                    return Err((
                        number,
                        format!("`{{{name}}}` may be unknown: add an alternative without it"),
                    ));
                }
            }
            alternatives.push(sentence);
        }
        if alternatives.is_empty() {
            return Err((0, "a text is due here".to_owned()));
        }
        Ok(Self { alternatives })
    }

    /// The first alternative that these values fill. Where none does, the last one, its gaps shown as `…`.
    #[must_use]
    pub fn fill(&self, values: &BTreeMap<&str, String>) -> String {
        let known = |name: &str| values.contains_key(name);
        let fits = |sentence: &&Sentence| sentence.names().all(known);
        let chosen = self.alternatives.iter().find(fits).or(self.alternatives.last());
        chosen.map(|sentence| sentence.fill(values)).unwrap_or_default()
    }

    /// Every alternative, as written.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.alternatives.iter().map(|sentence| sentence.text.as_str())
    }
}

impl Sentence {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_end();
        if text.is_empty() {
            return Err("the text is empty".to_owned());
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                plain.push_str(&from[..1]);
                rest = after;
                continue;
            }
            let name = from.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let is_name =
                |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let Some((name, after)) = name.filter(|(name, _)| is_name(name)) else {
                return Err(format!("a name is due after `{{` in `{}`; `{{{{` is a brace", excerpt(from)));
            };
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Name(name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self { text: text.to_owned(), parts })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    fn fill(&self, values: &BTreeMap<&str, String>) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Name(name) => values.get(name.as_str()).map_or("…", String::as_str),
        });
        parts.collect()
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(texts: &[&str], values: &[(&'static str, &str)]) -> String {
        let facts = ["count".to_owned()];
        let values = values.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Words::parse(texts, &facts).unwrap().fill(&values)
    }

    #[test]
    fn the_first_sentence_that_can_be_filled_is_used() {
        let texts = ["await `{sibling}`", "run `{subject}` in a thread"];
        assert_eq!(filled(&texts, &[("subject", "f"), ("sibling", "g")]), "await `g`");
        assert_eq!(filled(&texts, &[("subject", "f")]), "run `f` in a thread");
        assert_eq!(filled(&["{count} of {{x}}"], &[("count", "3")]), "3 of {x}");
        assert_eq!(filled(&["{count}"], &[]), "…");
    }

    #[test]
    fn what_cannot_be_filled_is_refused() {
        let refusal = |texts: &[&str]| Words::parse(texts, &[]).unwrap_err().1;
        assert!(refusal(&["{subjct}"]).contains("unknown name `{subjct}`"));
        assert!(refusal(&["{sibling}"]).contains("may be unknown"));
        assert!(refusal(&["dict {} here"]).contains("`{{` is a brace"));
        assert!(refusal(&["{"]).contains("a name is due"));
        assert!(refusal(&[" "]).contains("empty"));
        assert!(refusal(&[]).contains("a text is due"));
    }
}
