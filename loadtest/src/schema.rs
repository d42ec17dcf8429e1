//! Whether `report.schema.json` says of reports what they are. A value made from the schema, with every field filled, must be read and written
//! again as it was: a field that is missing on either side, or of another kind, does not come back.

use crate::report::{Report, SCHEMA};
use serde_json::{Map, Value, json};

#[test]
fn the_published_schema_has_every_field_of_a_report_and_no_other() {
    let schema: Value = serde_json::from_str(include_str!("../report.schema.json")).unwrap();
    let made = example(&schema, &schema["$defs"]["Report"]);
    let report: Report = serde_json::from_value(made.clone()).unwrap();
    let mut found = Vec::new();
    compare("report", &serde_json::to_value(&report).unwrap(), &made, &mut found);
    assert!(found.is_empty(), "loadtest/report.schema.json does not fit src/report.rs:\n{}", found.join("\n"));
}

/// Collects the places in which what is written differs from what the schema says.
fn compare(place: &str, written: &Value, said: &Value, found: &mut Vec<String>) {
    match (written, said) {
        (Value::Object(written), Value::Object(said)) => {
            let missing =
                written.keys().filter(|name| !said.contains_key(*name)).map(|name| format!("{place}.{name} is not in the schema"));
            found.extend(missing);
            for (name, said) in said {
                match written.get(name) {
                    Some(written) => compare(&format!("{place}.{name}"), written, said, found),
                    None => found.push(format!("{place}.{name} is in the schema only")),
                }
            }
        }
        (Value::Array(written), Value::Array(said)) if written.len() == said.len() => {
            written.iter().zip(said).for_each(|(written, said)| compare(&format!("{place}[]"), written, said, found));
        }
        _ if written == said => {}
        _ => found.push(format!("{place} is written as {written}, the schema says {said}")),
    }
}

#[test]
fn the_published_schema_names_the_versions_written() {
    let schema: Value = serde_json::from_str(include_str!("../report.schema.json")).unwrap();
    assert_eq!(schema["$defs"]["Report"]["properties"]["schema"]["const"], SCHEMA);
    assert_eq!(schema["$defs"]["Bench"]["properties"]["schema"]["const"], crate::bench::SCHEMA);
}

/// A value of a schema, as full as it can be.
fn example(root: &Value, of: &Value) -> Value {
    if let Some(name) = of["$ref"].as_str() {
        return example(root, &root["$defs"][name.trim_start_matches("#/$defs/")]);
    }
    if let Some(first) = of["anyOf"].get(0) {
        return example(root, first);
    }
    if let Some(value) = of.get("const").or(of["enum"].get(0)) {
        return value.clone();
    }
    match of["type"].as_str().or(of["type"][0].as_str()).unwrap() {
        "integer" => json!(3),
        "number" => json!(1.5),
        "boolean" => json!(true),
        "string" => json!("text"),
        "array" => match of["prefixItems"].as_array() {
            Some(items) => items.iter().map(|item| example(root, item)).collect(),
            None => json!([example(root, &of["items"])]),
        },
        "object" => match of["properties"].as_object() {
            Some(properties) => properties.iter().map(|(name, of)| (name.clone(), example(root, of))).collect::<Map<_, _>>().into(),
            None => json!({ "name": example(root, &of["additionalProperties"]) }),
        },
        other => panic!("the schema uses the type {other}"),
    }
}
