//! The words of the contract: which names a field may hold, taken from the tables that define them, so that a new
//! wait kind or strategy is in the JSON and its schema without a line here.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Serializer, ser::SerializeMap};

use super::v1::{BookV1, SCHEMA};
use crate::advice::{Action, Confidence, Strategy};
use crate::facts::{Origin, Unit};
use crate::profile::Language;
use crate::wait::{Account, WaitKind};

/// What a verdict may name: the accounts of the wall book that can bind, and the conclusions drawn from several.
const BOUNDS: [&str; 15] = [
    "cpu",
    "gil",
    "network",
    "disk",
    "pipe",
    "lock",
    "sleep",
    "child",
    "paging",
    "memory",
    "throttled",
    "contended",
    "idle",
    "tty",
    "mixed",
];

const UNITS: [(Unit, &str); 5] = [
    (Unit::Count, "count"),
    (Unit::Ratio, "ratio"),
    (Unit::Seconds, "seconds"),
    (Unit::Bytes, "bytes"),
    (Unit::Rate, "rate"),
];

const ORIGINS: [Origin; 6] = [
    Origin::Measured,
    Origin::Machine,
    Origin::Declared,
    Origin::Predicted,
    Origin::Assumed,
    Origin::Scanned,
];

const CONFIDENCES: [Confidence; 3] = [Confidence::Low, Confidence::Medium, Confidence::High];

pub(super) fn unit_name(unit: Unit) -> Option<&'static str> {
    UNITS.iter().find(|(known, _)| *known == unit).map(|(_, name)| *name)
}

pub(super) fn unit(name: &str) -> Option<Unit> {
    UNITS.iter().find(|(_, known)| *known == name).map(|(unit, _)| *unit)
}

pub(super) fn origin(name: &str) -> Option<Origin> {
    ORIGINS.into_iter().find(|origin| origin.name() == name)
}

pub(super) fn confidence(name: &str) -> Option<Confidence> {
    CONFIDENCES.into_iter().find(|confidence| confidence.name() == name)
}

pub(super) fn language(name: &str) -> Option<Language> {
    Language::ALL.into_iter().find(|language| language.name() == name)
}

pub(super) fn account(name: &str) -> Option<Account> {
    Account::ALL.into_iter().find(|account| account.name() == name)
}

/// Writes a book in the order of reports.
pub(super) fn book_in_order<S: Serializer>(book: &BookV1, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(book.len()))?;
    for account in Account::ALL {
        if let Some(seconds) = book.get(account.name()) {
            map.serialize_entry(account.name(), seconds)?;
        }
    }
    map.end()
}

fn one_of(names: impl IntoIterator<Item = &'static str>) -> Schema {
    let names: Vec<&str> = names.into_iter().collect();
    json_schema!({ "type": "string", "enum": names })
}

pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "const": SCHEMA })
}

pub(super) fn languages(_: &mut SchemaGenerator) -> Schema {
    one_of(Language::ALL.map(Language::name))
}

pub(super) fn wait_kinds(_: &mut SchemaGenerator) -> Schema {
    one_of(WaitKind::ALL.map(WaitKind::name))
}

pub(super) fn account_names(_: &mut SchemaGenerator) -> Schema {
    one_of(Account::ALL.map(Account::name))
}

pub(super) fn strategies(_: &mut SchemaGenerator) -> Schema {
    one_of(Strategy::ALL.map(Strategy::name))
}

pub(super) fn actions(_: &mut SchemaGenerator) -> Schema {
    one_of(Action::ALL.map(Action::name))
}

pub(super) fn confidences(_: &mut SchemaGenerator) -> Schema {
    one_of(CONFIDENCES.map(Confidence::name))
}

pub(super) fn bounds(_: &mut SchemaGenerator) -> Schema {
    one_of(BOUNDS)
}

pub(super) fn origins(_: &mut SchemaGenerator) -> Schema {
    one_of(ORIGINS.map(Origin::name))
}

pub(super) fn units(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<Option<&str>> = UNITS.iter().map(|(_, name)| Some(*name)).chain([None]).collect();
    json_schema!({ "type": ["string", "null"], "enum": names })
}

/// Every account is always there; null means it could not be told from the others.
pub(super) fn accounts(_: &mut SchemaGenerator) -> Schema {
    let names = Account::ALL.map(Account::name);
    let seconds = json_schema!({ "type": ["number", "null"], "minimum": 0 });
    let properties: serde_json::Map<String, serde_json::Value> =
        names.iter().map(|name| ((*name).to_owned(), seconds.clone().to_value())).collect();
    json_schema!({ "type": "object", "properties": properties, "required": names })
}

pub(super) fn waits(_: &mut SchemaGenerator) -> Schema {
    let kinds = WaitKind::ALL.map(WaitKind::name);
    json_schema!({
        "type": "object",
        "propertyNames": { "enum": kinds },
        "additionalProperties": { "type": "number", "minimum": 0 },
    })
}
