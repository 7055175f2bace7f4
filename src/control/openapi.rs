//! The API described by OpenAPI 3.1, made from the declarations of its bodies. Pure. `GET /v1/openapi.json` answers it, and
//! `tandem schema --api` prints it.
//!
//! The table of routes here is the document's; a test holds it against the router's.

use super::action::{Answer, ClearBody, ErrorBody, ReleaseBody};
use super::event::{EventList, EventQuery};
use super::event_server::WhyQuery;
use super::explain::Explanation;
use super::override_action::{OverrideBody, OverrideList};
use super::policy_action::{ConfirmBody, PolicyHistory, ReloadBody, RollbackBody};
use super::servers::{ServerList, ServerQuery};
use super::status::Status;
use super::succession::TakeoverBody;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Says what the JSON of something is.
type Says = fn(&mut SchemaGenerator) -> Schema;

/// What is answered when all is well.
enum Answers {
    Json(u16, Says),
    Text(&'static str),
}

/// A request that there is.
struct Route {
    method: &'static str,
    path: &'static str,
    about: &'static str,
    /// A type whose fields are the parameters of the query.
    query: Option<Says>,
    body: Option<Says>,
    answers: Answers,
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn look(path: &'static str, about: &'static str, answer: Says) -> Route {
    Route { method: "get", path, about, query: None, body: None, answers: Answers::Json(200, answer) }
}

const fn text(path: &'static str, about: &'static str, kind: &'static str) -> Route {
    Route { method: "get", path, about, query: None, body: None, answers: Answers::Text(kind) }
}

const fn act(path: &'static str, about: &'static str, body: Says) -> Route {
    let answers = Answers::Json(202, of::<Answer>);
    Route { method: "post", path, about, query: None, body: Some(body), answers }
}

/// Every request, in the order of the document.
const ROUTES: &[Route] = &[
    look("/v1/status", "Everything that this director tells of itself", of::<Status>),
    Route {
        query: Some(of::<ServerQuery>),
        ..look("/v1/servers", "Real servers: all of them, those of a pool, or one", of::<ServerList>)
    },
    look("/v1/overrides", "What operators ordered", of::<OverrideList>),
    look("/v1/history", "The policies that were taken over, the newest first", of::<PolicyHistory>),
    Route {
        query: Some(of::<EventQuery>),
        ..look("/v1/events", "What happened, the oldest first", of::<EventList>)
    },
    Route {
        query: Some(of::<EventQuery>),
        ..text("/v1/events/stream", "The same as it happens: server-sent events", "text/event-stream")
    },
    Route {
        query: Some(of::<WhyQuery>),
        ..look("/v1/explain/{pool}", "Why a pool, or one of its servers, is as it is", of::<Explanation>)
    },
    act("/v1/override", "Drain, disable, weigh or force a server up, or freeze a pool", of::<OverrideBody>),
    act("/v1/release", "Hand mastership over, and stay out of the election", of::<ReleaseBody>),
    act("/v1/clear", "End what an operator ordered", of::<ClearBody>),
    act("/v1/reload", "Take the policy's files over, or refuse them whole", of::<ReloadBody>),
    act("/v1/confirm", "Keep the policy that waits to be confirmed", of::<ConfirmBody>),
    act("/v1/rollback", "Go back to the policy before", of::<RollbackBody>),
    act("/v1/takeover", "Have another process go on; over the control socket, for root", of::<TakeoverBody>),
    text("/v1/openapi.json", "This document", "application/json"),
    text("/metrics", "Metrics, over TCP only; OpenMetrics where `Accept` names it", "text/plain"),
    text("/healthz", "Whether the event loop makes progress, over TCP only", "text/plain"),
    text(
        "/readyz",
        "Whether the tables are applied and each pool has a verdict, over TCP only",
        "text/plain",
    ),
];

/// What can go wrong, by status code; which of them a request can meet depends on how it comes.
const REFUSALS: [(&str, &str); 14] = [
    ("400", "The request cannot be understood, or a value is out of range."),
    ("401", "A token is needed, or the one that was sent is unknown."),
    ("403", "The token does not allow it, or a page of another site asks."),
    ("404", "There is no such thing."),
    ("405", "The path has no such method."),
    ("409", "A guard speaks against it."),
    ("413", "The body is larger than any request is."),
    ("415", "An action that is not sent as JSON."),
    ("421", "The host that the request names is not this one."),
    ("422", "The policy is not good; the one in force stays."),
    ("429", "This address asks too much."),
    ("431", "The header is larger than any request's is."),
    ("503", "The director is busy or stops; nothing was done."),
    ("504", "The event loop did not answer in time; it may still do it."),
];

/// The document.
#[must_use]
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in ROUTES {
        let operation = operation(route, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation;
    }
    let refusal = generator.subschema_for::<ErrorBody>();
    let refused = |(code, words): &(&str, &str)| {
        let content = json!({"application/json": {"schema": refusal}});
        ((*code).to_owned(), json!({"description": words, "content": content}))
    };
    let responses: Map<String, Value> = REFUSALS.iter().map(refused).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tandem",
            "version": "1",
            "description": "The JSON API of a director, over its Unix socket and, where the policy says so, over TCP. \
                            Fields are added, never renamed or removed. Over TCP actions need a token of the scope \
                            `act`; reading needs one of any scope beyond loopback.",
            "license": {"name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT"},
        },
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": responses,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut responses: Map<String, Value> = REFUSALS
        .iter()
        .map(|(code, _)| ((*code).to_owned(), json!({"$ref": format!("#/components/responses/{code}")})))
        .collect();
    let (code, content) = match &route.answers {
        Answers::Json(code, says) => (*code, json!({"application/json": {"schema": says(generator)}})),
        Answers::Text(kind) => (200, json!({*kind: {}})),
    };
    responses.insert(code.to_string(), json!({"description": "Done, or found.", "content": content}));
    let name = route.path.trim_start_matches("/v1").trim_matches('/');
    let name = name.replace(['{', '}'], "").replace(['/', '.'], "_");
    let mut operation = json!({"operationId": name, "summary": route.about, "responses": responses});
    let mut all = of_path(route.path);
    all.extend(route.query.into_iter().flat_map(|says| parameters(says, generator)));
    if !all.is_empty() {
        operation["parameters"] = all.into();
    }
    if let Some(says) = route.body {
        let content = json!({"application/json": {"schema": says(generator)}});
        operation["requestBody"] = json!({"required": false, "content": content});
    }
    operation
}

/// The `{names}` of a path.
fn of_path(path: &str) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let parameter =
        |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    names.map(parameter).collect()
}

/// The fields of a type as parameters of the query.
fn parameters(says: Says, generator: &mut SchemaGenerator) -> Vec<Value> {
    let schema = says(generator);
    let reference = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
    let name = reference.rsplit('/').next().unwrap_or_default();
    let fields = generator.definitions().get(name).and_then(|schema| schema.get("properties")?.as_object());
    let parameter =
        |(name, schema): (&String, &Value)| json!({"name": name, "in": "query", "schema": schema});
    fields.into_iter().flatten().map(parameter).collect()
}

#[cfg(test)]
mod tests;
