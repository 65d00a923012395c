//! Makes the JSON Schemas of the documents that programs read, from the types of these documents.
//! They lie in `docs/schemas`, from where the program prints them.

use std::fs;
use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use super::farm::{status, submit};
use super::{inspect, output_json, packed};
use crate::doctor;
use crate::notify::Notification;
use crate::project::manifest::StoredManifest;
use crate::worker::report::Report;

/// The output of `submit`: that of `--json`, or that of `--dry-run`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Submit {
    /// The output of `--json`.
    Submitted(submit::Output),
    /// The output of `--dry-run`.
    DryRun(submit::Submissions),
}

/// Returns the schema of `T`, in draft 2020-12. Objects may have more fields than it lists.
pub fn schema_of<T: JsonSchema>(title: &str) -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings
        .with_transform(RecursiveTransform(absent_instead_of_null))
        .with_transform(RecursiveTransform(unwrapped));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

/// Says that a field that can be absent is never null: in these types, a field is either left out
/// or written as null.
fn absent_instead_of_null(schema: &mut Schema) {
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        let Some(property) = property.as_object_mut() else { continue };
        if required.contains(&name.as_str().into()) {
            continue;
        }
        if let Some(Value::Array(types)) = property.get_mut("type") {
            types.retain(|name| name != "null");
            let only = types.remove(0);
            property.insert("type".to_owned(), only);
        }
        if let Some(Value::Array(mut schemas)) = property.shift_remove("anyOf")
            && let Value::Object(only) = schemas.remove(0)
        {
            property.extend(only);
        }
    }
}

/// Removes the line breaks of a comment.
fn unwrapped(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

/// `UPDATE_DOCS=1` writes the files instead of comparing them.
#[test]
fn the_schemas_are_those_of_the_types() {
    for (name, schema) in [
        ("report", schema_of::<Report>("Report")),
        ("inspect", schema_of::<inspect::Output>("Inspect")),
        ("doctor", schema_of::<doctor::Output<'_>>("Doctor")),
        ("submit", schema_of::<Submit>("Submit")),
        ("status", schema_of::<status::Output<'_>>("Status")),
        ("output", schema_of::<output_json::OutputStatus<'_>>("Output")),
        ("notification", schema_of::<Notification>("Notification")),
        ("project", schema_of::<StoredManifest>("Project")),
        ("pack", schema_of::<packed::Packed>("Pack")),
    ] {
        assert_file(name, &schema);
    }
}

/// Asserts that the file of a document has this schema, or writes it.
pub fn assert_file(document: &str, schema: &str) {
    let file = format!("docs/schemas/{document}.schema.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    #[expect(clippy::disallowed_methods, reason = "a switch of this test")]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, schema).unwrap();
    } else {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, schema, "{file}: UPDATE_DOCS=1 cargo test --lib schema");
    }
}
