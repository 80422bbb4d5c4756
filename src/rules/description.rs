//! Words of descriptions in plain language, and what they stand for. Only the words; what follows from them is decided
//! elsewhere.

/// Words by what they speak for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// Parts of words that speak for waiting.
    pub waits: Vec<String>,
    /// Parts of words that speak for computing.
    pub computes: Vec<String>,
    /// What certain words say beside that; the first that fits is taken.
    pub clues: Vec<Clue>,
}

/// What certain words say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clue {
    /// Parts of words, any of them.
    pub words: Vec<String>,
    /// What such work is usually bound by, a name of the report contract.
    pub bound: Option<String>,
    /// The kind of work, one of [`crate::facts::WORK_KINDS`].
    pub work: Option<String>,
    /// What a measurement would say otherwise than the words; empty: nothing.
    pub instead: String,
    /// Where that comes from.
    pub cite: Vec<String>,
}

impl Description {
    /// How many words speak for waiting and for computing in a text.
    #[must_use]
    pub fn scores(&self, text: &str) -> (usize, usize) {
        let text = text.to_lowercase();
        let found = |words: &[String]| words.iter().filter(|word| text.contains(word.as_str())).count();
        (found(&self.waits), found(&self.computes))
    }

    /// The clues of a text, in order.
    pub fn clues_of<'a>(&'a self, text: &str) -> impl Iterator<Item = &'a Clue> {
        let text = text.to_lowercase();
        self.clues.iter().filter(move |clue| clue.words.iter().any(|word| text.contains(word.as_str())))
    }
}
