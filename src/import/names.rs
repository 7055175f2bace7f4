//! Names of the policy, made of what other formats call things.

use std::collections::BTreeSet;

/// Numbers behind a name that are tried one by one.
const SMALL_NUMBERS: usize = 100;
/// Characters of a name at most.
const LONGEST: usize = 60;

/// A name that the policy takes: letters, digits, `.`, `_` and `-`, beginning with a letter or digit.
pub(super) fn clean(text: &str) -> String {
    let good = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let name: String =
        text.chars().map(|letter| if good(letter) { letter } else { '-' }).take(LONGEST).collect();
    let name = name.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    if name.is_empty() { "unnamed".to_owned() } else { name.to_owned() }
}

/// A path of HTTP: what it cannot hold is encoded (RFC 3986, section 2.1).
pub(super) fn encoded(path: &str) -> String {
    let graphic = |letter: char| match letter {
        letter if letter.is_ascii_graphic() && letter != '#' => letter.to_string(),
        letter => letter.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
    };
    path.chars().map(graphic).collect()
}

/// What a request names its server by.
pub(super) fn host(text: &str) -> Option<&str> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    (!text.is_empty() && text.bytes().all(good)).then_some(text)
}

/// Bytes of a host's name (RFC 1035, section 2.3.4).
const LONGEST_HOST: usize = 253;

/// What a session of TLS names its server by, and where mail goes: an address, or letters, digits, `.`, `_` and `-`.
pub(super) fn server(text: &str) -> Option<&str> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = (1..=LONGEST_HOST).contains(&text.len()) && text.bytes().all(good);
    (is_name || text.parse::<std::net::IpAddr>().is_ok()).then_some(text)
}

/// A name that a name server can be asked for.
pub(super) fn domain(text: &str) -> Option<&str> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    (text == "." || (name.len() <= LONGEST_HOST && name.split('.').all(is_label))).then_some(text)
}

/// Bytes of an interface's name at most.
const LONGEST_INTERFACE: usize = 15;

/// The name of an interface, where the kernel takes it; an alias (`eth0:1`) is its device.
pub(super) fn interface(text: &str) -> Option<String> {
    let device = text.split(':').next().unwrap_or(text);
    let good = |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != '/';
    let fits = !device.is_empty() && device.len() <= LONGEST_INTERFACE && device.chars().all(good);
    (fits && device != "." && device != "..").then(|| device.to_owned())
}

/// The cleaned name, with a number behind it where it is taken.
pub(super) fn unique(text: &str, taken: &mut BTreeSet<String>) -> String {
    let name = clean(text);
    // Of a name that thousands want, not every number is tried.
    let numbers = (2..SMALL_NUMBERS).chain(taken.len()..);
    let numbered = numbers.map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.unwrap_or(name);
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_a_policy_takes_and_each_is_there_once() {
        let mut taken = BTreeSet::new();
        let names = ["tcp-2001:db8::1-80", "a b", "a/b", "_", "a b"].map(|text| unique(text, &mut taken));
        assert_eq!(names, ["tcp-2001-db8--1-80", "a-b", "a-b-2", "unnamed", "a-b-3"]);
    }

    #[test]
    fn a_session_of_tls_names_a_host_or_an_address() {
        for (text, good) in [
            ("a_b.example.org", true),
            ("2001:db8::1", true),
            ("a:443", false),
            ("\u{fffd}.org", false),
            ("", false),
        ] {
            assert_eq!(server(text).is_some(), good, "{text:?}");
        }
    }
}
