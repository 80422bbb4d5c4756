//! The JSON report: written for programs, read back to be shown, advised upon or compared again.
//!
//! The only place that knows the public format. [`to_json`] and [`from_json`] are each other's inverse for
//! everything measured; derived numbers (predictions, shares) keep six digits.

mod code;
mod description;
mod findings;
mod layout;
mod names;
mod read;
mod region;
pub(super) mod simulation;
mod timeline;
mod v1;
mod wakeups;
mod write;

pub(super) use description::description_to_json;
pub use read::{JsonError, Saved, from_json};
pub(super) use write::stated_to_json;
pub use write::to_json;

/// The JSON Schema of the format, as shipped in `schema-1.json`: pretty-printed, ending in a newline.
#[must_use]
pub fn schema() -> String {
    schema_of::<v1::ReportV1>()
}

/// The JSON Schema of `boundby simulate --format json`, as shipped in `simulation-1.json`.
#[must_use]
pub fn simulation_schema() -> String {
    schema_of::<simulation::SimulationV1>()
}

fn schema_of<T: schemars::JsonSchema>() -> String {
    let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
    format!("{:#}\n", generator.into_root_schema_for::<T>().as_value())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_shipped_schemas_are_fresh() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report");
        for (name, fresh) in
            [("schema-1.json", super::schema()), ("simulation-1.json", super::simulation_schema())]
        {
            let path = folder.join(name);
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&path, &fresh).unwrap();
            }
            let shipped = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                shipped == fresh,
                "src/report/{name} is stale: rewrite it with BLESS=1 cargo test --lib -- schema"
            );
        }
    }
}
