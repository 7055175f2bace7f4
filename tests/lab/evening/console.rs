//! The console of README: what is typed, and what it prints.

/// One command and what README shows of its output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) host: String,
    pub(super) command: String,
    pub(super) shown: Vec<String>,
}

/// The steps of the blocks marked `console` under a heading, up to the next one.
pub(super) fn steps(text: &str, heading: &str) -> Vec<Step> {
    let (_, after) = text.split_once(&format!("{heading}\n")).expect("the heading is there");
    let section = after.split("\n## ").next().unwrap_or_default();
    let mut steps: Vec<Step> = Vec::new();
    let mut within = false;
    for line in section.lines() {
        if line.starts_with("```") {
            within = !within && line == "```console";
        } else if within {
            let prompt = line.split_once("# ").filter(|(host, _)| host.starts_with("lb-") && host.len() == 4);
            match (prompt, steps.last_mut()) {
                (Some((host, command)), _) => {
                    steps.push(Step { host: host.to_owned(), command: command.to_owned(), shown: Vec::new() })
                }
                (None, Some(step)) => step.shown.push(line.to_owned()),
                (None, None) => panic!("output before the first command: {line}"),
            }
        }
    }
    steps
}

impl Step {
    /// Whether that is what is shown; how it differs.
    pub(super) fn compare(&self, printed: &str) -> Result<(), String> {
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        let shown: Vec<&str> = self.shown.iter().map(String::as_str).collect();
        if all_match(&shown, &printed) {
            return Ok(());
        }
        Err(format!("README shows\n{}\nand it printed\n{}", shown.join("\n"), printed.join("\n")))
    }
}

/// Whether the lines are those that are shown; a line `…` stands for any number of lines.
fn all_match(shown: &[&str], printed: &[&str]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), _) => (0..=printed.len()).any(|skipped| all_match(rest, &printed[skipped..])),
        (Some((line, shown)), Some((found, printed))) => matches(line, found) && all_match(shown, printed),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Whether a line is the one that is shown, where `…` stands for anything.
fn matches(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        match parts.peek() {
            None => return rest.ends_with(part),
            Some(_) => match rest.find(part) {
                Some(place) => rest = &rest[place + part.len()..],
                None => return false,
            },
        }
    }
    true
}

#[test]
fn a_line_matches_what_is_shown_of_it() {
    for (shown, printed, same) in [
        ("a b", "a b", true),
        ("a b", "a b c", false),
        ("a … c", "a b c", true),
        ("a … c", "a c", false),
        ("…", "anything", true),
        ("a …", "b a", false),
    ] {
        assert_eq!(matches(shown, printed), same, "{shown} and {printed}");
    }
    let step = |shown: &str| Step {
        host: String::new(),
        command: String::new(),
        shown: shown.lines().map(str::to_owned).collect(),
    };
    assert!(step("a\n…\nd").compare("a\nb\nc\nd\n").is_ok());
    assert!(step("a\n…\nd").compare("a\nb\nc\n").is_err());
    assert!(step("").compare("a\n").is_err());
}
