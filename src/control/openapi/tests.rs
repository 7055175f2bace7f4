//! The document against the router, and against itself.

use super::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// `.route("/v1/status", get(status))` of every file of this folder, as `get /v1/status`.
fn served(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut routes = BTreeSet::new();
    for file in
        files.filter(|file| file.extension().is_some_and(|end| end == "rs") && !file.ends_with("openapi.rs"))
    {
        let text = fs::read_to_string(file).expect("a source file").replace(char::is_whitespace, "");
        for call in text.split(".route(\"").skip(1) {
            let (path, rest) = call.split_once("\",").expect("a path and its method");
            let method = rest.split_once('(').expect("a method").0;
            routes.insert(format!("{} {path}", method.rsplit("::").next().unwrap_or_default()));
        }
    }
    routes
}

#[test]
fn every_route_of_the_router_is_described_and_no_other() {
    let served: BTreeSet<String> = served("src/control").into_iter().chain(served("src/observe")).collect();
    let described = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert!(served.contains("get /v1/status") && served.contains("post /v1/release"), "{served:?}");
    assert_eq!(served, described);
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = openapi();
    let text = document.to_string();
    let mut references = 0;
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap_or_default();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        references += 1;
    }
    assert!(references > 20, "{references}");
    let names: BTreeSet<&str> = document["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|path| path.as_object().expect("methods").values())
        .map(|operation| operation["operationId"].as_str().expect("a name"))
        .collect();
    assert_eq!(names.len(), ROUTES.len(), "each has its own name");
}

#[test]
fn parameters_are_the_fields_of_their_type() {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let found = parameters(of::<ReloadBody>, &mut generator);
    assert_eq!(found[0]["name"], "confirm_ms");
    assert_eq!(found[1]["in"], "query");
}
