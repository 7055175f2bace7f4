//! gRPC probes.

use super::{http, tls};
use crate::model::GrpcSpec;
use crate::policy::diagnostic::Problems;
use crate::policy::schema::GrpcText;
use crate::policy::source::{Sources, Span};
use std::path::PathBuf;

/// A call of the health service, and the files that it needs.
pub(super) fn call(
    text: &GrpcText,
    span: Span,
    sources: &Sources,
    problems: &mut Problems,
) -> (GrpcSpec, Vec<(PathBuf, Span)>) {
    let short = |text: &str| text.len() <= GrpcSpec::LONGEST_SERVICE;
    let help = format!("write at most {} bytes: shop.v1.Cart", GrpcSpec::LONGEST_SERVICE);
    let service = http::word(&text.service, "the name of a service", &help, short, problems);
    let session = text.tls.given().map(|said| tls::session(Some(&said.value.0), sources, problems));
    let (tls, files) = session.map_or((None, Vec::new()), |(tls, files)| (Some(tls), files));
    if let Some(tls) = tls.as_ref().filter(|_| text.host.is_absent()) {
        tls::name_to_verify(tls, "add `host: NAME`, or `tls: {server_name: NAME}`", span, problems);
    }
    let spec = GrpcSpec {
        service: service.unwrap_or_default(),
        host: http::host(&text.host, problems),
        tls,
        keep_connection: text.keep_connection.value().is_some_and(|keep| keep.0),
    };
    (spec, files)
}
