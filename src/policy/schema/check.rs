//! Checks as they are written.

use super::{AtOnceText, GrpcText, HttpText, HttpsText, InterfaceText, TlsText};
use crate::model::PingSpec;
use crate::policy::codes::Code;
use crate::policy::declare::{mapping, words};
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::node::Node;
use crate::policy::read::{List, OneOrMore, Read, wrong_type};
use crate::policy::scalar::{Number, Percent, Port, Text, Time};
use crate::policy::schema::{AddressText, DnsText, MarkText, SmtpText, TcpText, UdpText};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// Bounds of a check's interval, in milliseconds: more often than ten times a second is a load test.
pub(in crate::policy) type Interval = Time<100, 3_600_000>;
/// Bounds of a probe's time-out, in milliseconds.
pub(in crate::policy) type Timeout = Time<10, 300_000>;
/// Outcomes in a row that make a verdict.
pub(in crate::policy) type InARow = Number<1, 1000>;

/// The kinds of probe that this version has, as keys of a check.
pub(in crate::policy) const KINDS: [&str; 11] =
    ["tcp", "tls", "http", "https", "grpc", "smtp", "udp", "dns", "ping", "exec", "file"];

/// A check, with `from` where a pool uses it: both have the same keys.
macro_rules! check_mapping {
    ($(#[doc = $about:literal])+ $name:ident = $what:literal { $($own:tt)* }) => {
        mapping! {
            $(#[doc = $about])+
            $name = $what {
                $($own)*
                /// A TCP connection is accepted: `tcp: {}`; or an exchange of texts on it goes as said.
                optional tcp: OrNothing<TcpText>,
                /// A TLS session comes up, with the certificate verified: `tls: {}`.
                optional tls: OrNothing<TlsText>,
                /// An HTTP request is answered as expected.
                optional http: OrNothing<HttpText>,
                /// The same over TLS, with the certificate verified.
                optional https: OrNothing<HttpsText>,
                /// The standard health service of gRPC says SERVING.
                optional grpc: OrNothing<GrpcText>,
                /// A mail server greets and takes EHLO.
                optional smtp: OrNothing<SmtpText>,
                /// A UDP datagram is answered, or at least not refused.
                optional udp: OrNothing<UdpText>,
                /// A name server answers a question.
                optional dns: DnsText,
                /// An ICMP echo request is answered; needs no port. Of the real server, unless it says an `address`.
                optional ping: OrNothing<PingText>,
                /// A program ends with 0.
                optional exec: ExecText,
                /// A file on the director says how the server is; a change of it is acted upon at once.
                optional file: FileText,
                /// From the start of one probe to the start of the next, by default 2s. Probes that are due within 16 ms, or
                /// a thirty-second of the interval if that is less, start together.
                optional interval: Interval,
                /// The same while the target is down, by default `interval`.
                optional interval_down: Interval,
                /// The same while some of the outcomes were seen that change the verdict, by default `interval`.
                optional interval_changing: Interval,
                /// How much later than its place a probe may start, in percent of the interval, by default 0%.
                optional jitter: Percent<0, 50>,
                /// Bounds the whole probe, by default 1s.
                optional timeout: Timeout,
                /// Successes in a row that bring a server back, by default 2; 1 of a file.
                optional rise: InARow,
                /// Failures in a row that take a server out, by default 3; 1 of a file.
                optional fall: InARow,
                /// Failures that take a server out at the first time: HTTP statuses, and words such as `connection_refused`.
                optional fail_at_once: OneOrMore<AtOnceText>,
                /// Port to probe, by default the real server's.
                optional port: Port,
                /// Address to probe instead of the real server's.
                optional address: AddressText,
                /// Address that the probe comes from; by default the kernel chooses.
                optional source: AddressText,
                /// Interface that the probe's socket is bound to.
                optional interface: InterfaceText,
                /// Firewall mark of the probe's packets, for policy routing.
                optional mark: MarkText,
                /// `direct` (default), or `real_path`: to the VIP, by the forwarding path of DR or TUN.
                optional through: ThroughWord,
            }
            later {
                all, any,
            }
        }
    };
}

check_mapping! {
    /// What a probe asks, how often, and how many answers make a verdict. One of `tcp`, `tls`, `http`, `https`, `grpc`,
    /// `smtp`, `udp`, `dns`, `ping`, `exec`, `file`.
    CheckText = "a check" {}
}

check_mapping! {
    /// A check in place, or a named one with what differs.
    CheckUseText = "a check" {
        /// The check under `checks` from which everything is taken that is not said here.
        optional from: Text,
    }
}

words! {
    /// Which way a probe goes.
    ThroughWord { "direct" => Direct, "real_path" => RealPath }
    later {}
}

/// Bytes of data in an echo request.
pub(in crate::policy) type EchoSize = Number<{ PingSpec::LEAST as u32 }, { PingSpec::MOST as u32 }>;

mapping! {
    /// An ICMP echo request, whose reply must repeat its data.
    PingText = "a ping probe" {
        /// Address to ping instead of the real server's.
        optional address: AddressText,
        /// Bytes of data, by default 56.
        optional size: EchoSize,
    }
    later {}
}

mapping! {
    /// A program that is run without a shell, in `/`, and told its target in TANDEM_ADDRESS and TANDEM_PORT. Exit code 0 is
    /// success.
    ExecText = "an exec probe" {
        /// Absolute path of the program, and its arguments.
        required command: List<Text>,
        /// The user it runs as, by default nobody where the director is root.
        optional user: Text,
        /// How the program tells the weight: `exit_code` (0 as configured, 1 bad, 2 to 255: the code less 2 per cent of the
        /// configured weight), or `printed` (its last line: up, down, drain, maint, or a share such as 50%). By default not at
        /// all: any code but 0 is bad.
        optional weight: ExecWeightWord,
    }
    later {}
}

words! {
    /// How a program tells the weight.
    ExecWeightWord { "exit_code" => ExitCode, "printed" => Printed }
    later {}
}

mapping! {
    /// A file on the director whose content is `up` or nothing, `down`, `drain`, `maint`, or a share of the weight such as 50%.
    FileText = "a file probe" {
        /// The file, relative to the policy file that names it.
        required path: Text,
        /// What a file that is not there says: `down` (default), or `up`.
        optional missing: MissingWord,
    }
    later {}
}

words! {
    /// What a file that is not there says.
    MissingWord { "down" => Down, "up" => Up }
    later {}
}

/// A value whose every key has a default: nothing at all is an empty mapping.
#[derive(Clone, Debug)]
pub(in crate::policy) struct OrNothing<T>(pub(in crate::policy) T);

impl<T: Read> Read for OrNothing<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.is_null() {
            return T::read(&Node::empty_mapping(node.span), problems).map(Self);
        }
        T::read(node, problems).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for OrNothing<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("OrNothing_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<T>(), {"type": "null"}]})
    }
}

/// `200` or `200-299`.
#[derive(Clone, Debug)]
pub(in crate::policy) struct StatusText(pub(in crate::policy) RangeInclusive<u16>);

impl Read for StatusText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(text) = node.scalar() else {
            problems.push(wrong_type(node, "a status such as 200 or 200-299"));
            return None;
        };
        let number =
            |part: &str| part.trim().parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        if let (Some(first), Some(last)) = (number(first), number(last))
            && first <= last
        {
            return Some(Self(first..=last));
        }
        let message = format!("{} is not an HTTP status or a range of them", quoted(text));
        problems.push(
            Diagnostic::new(Code::OutOfRange, node.span, message)
                .help("write 100 to 599, or a range such as 200-299"),
        );
        None
    }
}

impl JsonSchema for StatusText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"type": "string", "pattern": "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$"},
        ]})
    }
}
