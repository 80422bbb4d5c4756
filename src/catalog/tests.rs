//! Catalogues written out: names, types, overlays, errors; and the one that is built in.

use super::*;
use crate::finding::Cost;
use crate::wait::WaitKind;
use crate::yaml::load::Source;

fn source(text: &str, builtin: bool) -> Source {
    let file = "catalog/test.yaml".to_owned();
    Source { relative: file.clone(), file, text: text.to_owned(), builtin }
}

fn load(texts: &[&str]) -> Result<Catalog, Vec<RuleError>> {
    let sources: Vec<_> = texts.iter().enumerate().map(|(n, text)| source(text, n == 0)).collect();
    assemble::assemble(&sources, Vec::new())
}

const NET: &str = "\
schema: boundby/catalog/1
language: python
library: net
blocks: {wait: network, cost: large}
modules:
  net:
    also: [net.api]
    makes: {open: net.Session}
    attributes: {default: net.Session}
    calls:
    - {names: [get, post], sibling: 'aio.{name}'}
    - {names: [peek], blocks: {wait: network, cost: micro}, unless: [{argument: [1, block], is: ['False', '0']}]}
types:
  net.Base:
    calls:
    - {names: [send], sibling: aio.send}
    - {names: [close], harmless: true}
  net.Session:
    also: [net.sessions.Session]
    bases: [net.Base]
    marks: [not-thread-safe]
    made_by: [net.session]
    attributes: {base: net.Base}
    calls:
    - {names: [close], blocks: {wait: network, cost: small}}
  net.Stub:
    calls:
    - {names: ['*']}
";

const PY: Language = Language::Python;

#[test]
fn names_are_found_under_every_path() {
    let catalog = load(&[NET]).unwrap();
    let get = catalog.find(PY, "net.api.get").unwrap();
    assert_eq!((get.name.as_str(), get.sibling.as_deref()), ("net.get", Some("aio.get")));
    assert_eq!(get.effect, Effect::Blocks { wait: WaitKind::Network, cost: Cost::Large });
    let send = catalog.find(PY, "net.sessions.Session.send").unwrap();
    assert_eq!(send.name, "net.Base.send");
    assert_eq!(catalog.find(PY, "net.Session.close").unwrap().name, "net.Session.close");
    assert_eq!(catalog.find(PY, "net.Base.close").unwrap().effect, Effect::Harmless);
    assert_eq!(catalog.find(PY, "net.got"), None);
    assert_eq!(catalog.find(Language::Rust, "net.get"), None);
}

#[test]
fn types_flow_through_constructors_factories_and_attributes() {
    let catalog = load(&[NET]).unwrap();
    for name in ["net.Session", "net.sessions.Session", "net.session", "net.open", "net.api.open"] {
        assert_eq!(catalog.returns(PY, name), Some("net.Session"), "{name}");
    }
    assert_eq!(catalog.attribute(PY, "net.Session", "base"), Some("net.Base"));
    assert_eq!(catalog.attribute(PY, "net.api", "default"), Some("net.Session"));
    assert!(catalog.has(PY, "net.sessions.Session", Mark::NotThreadSafe));
    assert!(!catalog.has(PY, "net.Base", Mark::NotThreadSafe));
    assert_eq!(catalog.bases(PY, "net.Session").collect::<Vec<_>>(), ["net.Base"]);
}

#[test]
fn a_star_stands_for_every_public_method() {
    let catalog = load(&[NET]).unwrap();
    assert_eq!(catalog.find(PY, "net.Stub.AnyThing").unwrap().name, "net.Stub.*");
    assert_eq!(catalog.find(PY, "net.Stub._private"), None);
    assert_eq!(catalog.find(PY, "net.Other.AnyThing"), None);
}

#[test]
fn a_users_file_replaces_and_adds() {
    let mine = "\
schema: boundby/catalog/1
language: python
library: mine
modules:
  net:
    calls:
    - {names: [get], harmless: true}
    - {names: [fetch], blocks: {wait: network, cost: unbounded}, cure: Use a thread.}
";
    let catalog = load(&[NET, mine]).unwrap();
    assert_eq!(catalog.find(PY, "net.api.get").unwrap().effect, Effect::Harmless);
    assert_eq!(catalog.find(PY, "net.fetch").unwrap().cure.as_deref(), Some("Use a thread."));
    assert!(catalog.find(PY, "net.post").is_some());
}

#[test]
fn errors_name_the_place() {
    let wrong = "\
schema: boundby/catalog/1
language: python
library: wrong
modules:
  a:
    makes: {b: a.B}
    calls:
    - {names: [c]}
    - {names: [d], blocks: {wait: network, cost: huge}}
    - {names: [e, e], harmless: true}
    - {names: [f], marks: [lok]}
";
    let shown: Vec<_> =
        load(&[wrong]).unwrap_err().iter().map(|e| format!("{}:{} {}", e.line, e.column, e.what)).collect();
    assert_eq!(
        shown,
        [
            "6:16 no type `a.B` in the catalogue",
            "8:16 the group does not say what it does",
            "9:50 unknown cost `huge`",
            "10:19 `a.e` comes twice",
            "11:28 unknown mark `lok`",
        ]
    );
}

#[test]
fn the_catalogue_that_is_built_in_has_no_error() {
    let shown =
        |errors: Vec<RuleError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let catalog = assemble::assemble(&load::builtin(), Vec::new());
    let catalog = catalog.unwrap_or_else(|errors| panic!("{}", shown(errors)));
    assert!(catalog.apis(PY).count() > 0 && catalog.apis(Language::Rust).count() > 0);
}

#[test]
fn what_is_built_in_is_found_by_the_names_code_uses() {
    let catalog = Catalog::builtin();
    for name in [
        "time.sleep",
        "requests.api.get",
        "requests.sessions.Session.post",
        "sqlite3.Cursor.execute",
        "queue.LifoQueue.get",
        "pathlib.PosixPath.read_text",
        "botocore.client.BaseClient.put_object",
        "django.db.models.Manager.get",
    ] {
        let api = catalog.find(PY, name).unwrap_or_else(|| panic!("{name} is unknown"));
        assert!(matches!(api.effect, Effect::Blocks { .. }), "{name}: {:?}", api.effect);
    }
    assert_eq!(catalog.returns(PY, "sqlite3.connect"), Some("sqlite3.Connection"));
    assert_eq!(catalog.returns(PY, "sqlite3.Connection.cursor"), Some("sqlite3.Cursor"));
    let path = ["chat", "completions"]
        .iter()
        .try_fold("openai.AzureOpenAI", |ty, name| catalog.attribute(PY, ty, name));
    assert_eq!(path, Some("openai.resources.Endpoint"));
    let read = catalog.find(Language::Rust, "std::fs::File::read_to_end").unwrap();
    assert_eq!(read.sibling.as_deref(), Some("tokio::io::AsyncReadExt::read_to_end"));
    assert!(catalog.has(Language::Rust, "std::sync::MutexGuard", Mark::Guard));
}

#[test]
fn words_end_as_sentences_do() {
    let catalog = Catalog::builtin();
    let mut mute = Vec::new();
    for api in catalog.apis(PY).chain(catalog.apis(Language::Rust)) {
        for text in [&api.cure, &api.sibling].into_iter().flatten() {
            assert!(
                !text.contains(['{', '}']),
                "{}: `{text}` has a placeholder that nothing fills",
                api.name
            );
        }
        if let Some(cure) = &api.cure {
            assert!(cure.ends_with('.') && cure.starts_with(char::is_uppercase), "{}: `{cure}`", api.name);
        }
        let waits_long = matches!(&api.effect, Effect::Blocks { cost: Cost::Large, .. });
        let explained = api.cure.is_some() || api.sibling.is_some();
        if waits_long && !explained {
            mute.push(&api.name);
        }
    }
    assert!(mute.is_empty(), "these say neither a sibling nor a cure: {mute:?}");
}
