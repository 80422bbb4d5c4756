//! Names as numbers: comparing and joining them costs no allocation the second time.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// A dotted name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::scan::python) struct Name(u32);

/// All names of a program.
#[derive(Debug, Default)]
pub(in crate::scan::python) struct Table {
    of_text: FxHashMap<Arc<str>, Name>,
    texts: Vec<Arc<str>>,
    joined: FxHashMap<(Name, Name), Name>,
    called: FxHashMap<Name, Name>,
}

impl Table {
    pub(in crate::scan::python) fn intern(&mut self, text: &str) -> Name {
        if let Some(name) = self.of_text.get(text) {
            return *name;
        }
        let name = Name(self.texts.len() as u32);
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.of_text.insert(text, name);
        name
    }

    pub(in crate::scan::python) fn text(&self, name: Name) -> &str {
        &self.texts[name.0 as usize]
    }

    /// The text, for those who have another table.
    pub(super) fn shared(&self, name: Name) -> Arc<str> {
        Arc::clone(&self.texts[name.0 as usize])
    }

    /// `owner.member`.
    pub(in crate::scan::python) fn join(&mut self, owner: Name, member: Name) -> Name {
        if let Some(name) = self.joined.get(&(owner, member)) {
            return *name;
        }
        let text = format!("{}.{}", self.text(owner), self.text(member));
        let name = self.intern(&text);
        self.joined.insert((owner, member), name);
        name
    }

    /// `function()`: the name of whatever a function of a library returns that nothing more is known of.
    pub(super) fn call(&mut self, function: Name) -> Name {
        if let Some(name) = self.called.get(&function) {
            return *name;
        }
        let text = format!("{}()", self.text(function));
        let name = self.intern(&text);
        self.called.insert(function, name);
        name
    }
}
