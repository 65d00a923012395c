//! Documents that programs read, held to the JSON Schemas that the program prints.

use serde_json::{Value, json};

use super::worker;

/// Returns the schema of a document, as the program prints it.
#[track_caller]
pub fn schema(document: &str) -> Value {
    let run = worker("schema").arg(document).run().exits(0);
    serde_json::from_str(&run.stdout).expect("JSON")
}

/// Returns how `value` violates a schema.
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(schema);
    let validator = validator.expect("a schema");
    let violations = validator.iter_errors(value);
    violations.map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Parses a document. Asserts that it follows its schema, and that the schema has all its fields.
#[track_caller]
pub fn parse(document: &str, text: impl AsRef<[u8]>) -> Value {
    let value = serde_json::from_slice(text.as_ref()).expect("JSON");
    let mut schema = schema(document);
    close(&mut schema);
    let violations = violations(&schema, &value);
    assert!(violations.is_empty(), "{document}: {violations:#?}\n{value:#}");
    value
}

/// Changes a schema so that objects have no other fields than those that it lists.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            if object.get("properties").is_some_and(Value::is_object) {
                object.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
