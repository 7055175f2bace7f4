//! Takes out of a text what looks like a secret. Pure.
//!
//! A policy names secrets and does not hold them; a header, an argument of a program or the address of a webhook can still be
//! one. What is taken out too much is no loss for a report.

/// In place of what was taken out.
pub(super) const LEFT_OUT: &str = "(left out)";
/// A key with one of these in its name holds a secret.
const SECRET_KEYS: [&str; 8] =
    ["password", "passwd", "secret", "token", "authorization", "cookie", "api_key", "api-key"];
/// A value that begins so says where the secret is.
const REFERENCES: [&str; 4] = ["{file:", "{credential:", "file:", "credential:"];
/// What follows these words is a secret, wherever they are.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];

/// The text without them.
pub(super) fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        clean.push_str(&addresses(schemes(keys(line))));
        clean.push_str(end);
    }
    clean
}

/// Cuts the line behind the first key that holds a secret, but for one that says where it is.
fn keys(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    for key in SECRET_KEYS {
        for (at, _) in lower.match_indices(key) {
            let behind = at + key.len();
            let name_end =
                lower[behind..].find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            let Some(from) = name_end.map(|end| behind + end) else { continue };
            let Some((separator, value)) = value_behind(line, from) else { continue };
            if !value.is_empty() && !REFERENCES.iter().any(|reference| value.starts_with(reference)) {
                return format!("{}{separator} {LEFT_OUT}", &line[..from]);
            }
        }
    }
    line.to_owned()
}

/// What stands behind a key that ends at `from`: the separator, and the value. `None`: it is no key.
fn value_behind(line: &str, from: usize) -> Option<(char, &str)> {
    let rest = line.get(from..)?.trim_start_matches(['"', '\'', ' ']);
    let separator = rest.chars().next().filter(|letter| matches!(letter, ':' | '='))?;
    Some((separator, rest.get(1..)?.trim()))
}

fn schemes(line: String) -> String {
    let lower = line.to_ascii_lowercase();
    let found = SCHEMES.iter().filter_map(|scheme| Some(lower.find(scheme)? + scheme.len())).min();
    match found.filter(|at| !line[*at..].trim().is_empty()) {
        Some(at) => format!("{}{LEFT_OUT}", &line[..at]),
        None => line,
    }
}

/// Of a web address stays who is asked: a user, a path and a question may be secret.
fn addresses(line: String) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut rest = line.as_str();
    while let Some(at) = ["https://", "http://"].iter().filter_map(|scheme| rest.find(scheme)).min() {
        let host = at + rest[at..].find("//").unwrap_or_default() + 2;
        let end = |text: &str| text.find(|letter: char| letter.is_whitespace() || "\"',]}".contains(letter));
        let whole = host + end(&rest[host..]).unwrap_or(rest.len() - host);
        let address = &rest[host..whole];
        let named = address.split(['/', '?', '#']).next().unwrap_or_default();
        clean.push_str(&rest[..host]);
        clean.push_str(named.rsplit('@').next().unwrap_or_default());
        if address.len() > named.len() || named.contains('@') {
            clean.push_str(&format!("/{LEFT_OUT}"));
        }
        rest = &rest[whole..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_left_out() {
        for (text, clean) in [
            ("  password: hunter2\n", "  password: (left out)\n"),
            ("headers: {\"X-Api-Token\": abc, Host: x}", "headers: {\"X-Api-Token: (left out)"),
            ("Authorization: \"Basic aHVudGVyMg==\"", "Authorization: (left out)"),
            ("- \"auth Bearer hunter2\"", "- \"auth Bearer (left out)"),
            ("exec: [/bin/x, --password=hunter2]", "exec: [/bin/x, --password= (left out)"),
            ("webhook: \"https://u:p@hooks.example/T/abc\"", "webhook: \"https://hooks.example/(left out)\""),
        ] {
            assert_eq!(redact(text), clean);
        }
    }

    #[test]
    fn what_says_where_a_secret_is_stays() {
        for text in [
            "    v2_password: {file: /etc/tandem/password}\n",
            "    password:\n      file: /etc/tandem/password\n",
            "peer: {key: {credential: peer}}",
            "tokens are counted",
            "metrics: http://127.0.0.1:9752",
            "",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
