//! Where a scan keeps what it learns, and what besides the files it depends on.

use std::path::Path;

use super::settings::Settings;
use crate::scan::cache::{Cache, Digest};
use crate::yaml;

/// The cache that the settings name. One that cannot be used is said so, and the scan does without.
pub(super) fn open(
    here: &Path,
    settings: &Settings,
    own: Option<&Path>,
    asides: &mut Vec<String>,
) -> Option<Cache> {
    let directory = here.join(settings.cache.as_deref()?);
    let paths: Vec<_> = settings.paths.iter().map(|path| path.as_os_str().as_encoded_bytes()).collect();
    match Cache::open(&directory, rules(own), Digest::of(&paths)) {
        Ok(cache) => Some(cache),
        Err(error) => {
            asides.push(format!("no cache in {}: {error}", directory.display()));
            None
        }
    }
}

/// The files that are laid over the built-in rules and catalogue.
fn rules(own: Option<&Path>) -> Digest {
    // What is wrong in them has been said by who reads them.
    let sources = own.map(|own| yaml::load::read(own, &mut Vec::new())).unwrap_or_default();
    let parts: Vec<_> =
        sources.iter().flat_map(|source| [source.relative.as_bytes(), source.text.as_bytes()]).collect();
    Digest::of(&parts)
}
