//! The dns probe, as it is written.

use crate::policy::declare::{mapping, words};
use crate::policy::read::OneOrMore;
use crate::policy::scalar::Text;

mapping! {
    /// A question to a name server, and the answer that counts as success.
    DnsText = "a dns probe" {
        /// The name asked for; always taken as a whole name.
        required name: Text,
        /// Type of the records asked for, by default A.
        optional r#type: RecordTypeWord,
        /// How the server is asked, by default udp; a truncated answer is asked for again over TCP.
        optional protocol: DnsProtocolWord,
        /// Response codes that count as success, by default NOERROR.
        optional rcode: OneOrMore<ResponseCodeWord>,
        /// Data that must all be among the answer's records, as in a zone file: 192.0.2.1, or "10 mail.example.com".
        optional answer: OneOrMore<Text>,
    }
    later {}
}

words! {
    /// Types of records.
    RecordTypeWord {
        "A" => A, "AAAA" => Aaaa, "CNAME" => Cname, "MX" => Mx, "NS" => Ns, "PTR" => Ptr, "SOA" => Soa, "SRV" => Srv,
        "TXT" => Txt,
    }
    later {}
}

words! {
    /// How a name server is asked.
    DnsProtocolWord { "udp" => Udp, "tcp" => Tcp }
    later {}
}

words! {
    /// Response codes of a name server.
    ResponseCodeWord {
        "NOERROR" => NoError, "FORMERR" => FormErr, "SERVFAIL" => ServFail, "NXDOMAIN" => NxDomain, "NOTIMP" => NotImp,
        "REFUSED" => Refused,
    }
    later {}
}
