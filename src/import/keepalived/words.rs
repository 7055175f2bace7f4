//! Words of a line: comments, quotes, escapes, braces.
//!
//! Source: keepalived.conf(5), "Quoted strings". `!` and `#` begin a comment anywhere but in quotes.

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Open,
    Close,
}

/// The line without its comment.
pub(super) fn without_comment(line: &str) -> &str {
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), letter) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '!' | '#') => return line.get(..at).unwrap_or_default(),
            (None, _) => {}
        }
    }
    // A quote that never ends is a letter, as in `# don't`: what looks like a comment behind it is one.
    if quote.is_some()
        && let Some(at) = line.find(['!', '#'])
    {
        return line.get(..at).unwrap_or_default();
    }
    line
}

/// Whether a line says something: neither blank nor comment nor a lone brace.
pub(in crate::import) fn counts(line: &str) -> bool {
    without_comment(line).chars().any(|letter| !letter.is_whitespace() && !matches!(letter, '{' | '}' | '\\'))
}

/// The tokens of a line.
pub(super) fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.peek() {
        if letter.is_whitespace() {
            letters.next();
            continue;
        }
        let (word, quoted) = word(&mut letters);
        if quoted || word.contains("${") {
            tokens.push(Token::Word(word));
        } else {
            split_braces(&word, &mut tokens);
        }
    }
    tokens
}

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// The next word, quotes removed, and whether it had any.
fn word(letters: &mut Letters<'_>) -> (String, bool) {
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut quoted = false;
    while let Some(letter) = letters.peek().copied() {
        match (quote, letter) {
            (None, letter) if letter.is_whitespace() => break,
            (None, '"' | '\'') => {
                (quote, quoted) = (Some(letter), true);
                letters.next();
            }
            (Some(open), letter) if letter == open => {
                quote = None;
                letters.next();
            }
            (Some(_), '\\') => {
                letters.next();
                escape(letters, &mut word);
            }
            (_, letter) => {
                word.push(letter);
                letters.next();
            }
        }
    }
    (word, quoted)
}

/// What stands behind a backslash inside of quotes.
fn escape(letters: &mut Letters<'_>, word: &mut String) {
    let Some(letter) = letters.next() else { return };
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match letter {
        'a' => word.push('\u{7}'),
        'b' => word.push('\u{8}'),
        'E' => word.push('\u{1b}'),
        'f' => word.push('\u{c}'),
        'n' => word.push('\n'),
        'r' => word.push('\r'),
        't' => word.push('\t'),
        'v' => word.push('\u{b}'),
        'x' => word.extend(number(&taken(letters, 2, 16, String::new()), 16)),
        'c' => word.extend(letters.next().and_then(|of| char::from_u32(u32::from(of) & 0x1f))),
        digit if digit.is_digit(8) => {
            word.extend(number(&taken(letters, 2, 8, digit.to_string()), 8));
        }
        other => word.push(other),
    }
}

fn taken(letters: &mut Letters<'_>, most: usize, radix: u32, mut digits: String) -> String {
    for _ in 0..most {
        let Some(digit) = letters.next_if(|letter| letter.is_digit(radix)) else { break };
        digits.push(digit);
    }
    digits
}

/// `VI_1{` is a word and a brace.
fn split_braces(word: &str, tokens: &mut Vec<Token>) {
    let mut rest = word;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, behind) = rest.split_at(at);
        if !before.is_empty() {
            tokens.push(Token::Word(before.to_owned()));
        }
        tokens.push(if behind.starts_with('{') { Token::Open } else { Token::Close });
        rest = behind.get(1..).unwrap_or_default();
    }
    if !rest.is_empty() {
        tokens.push(Token::Word(rest.to_owned()));
    }
}

/// A command line as the program and its arguments: blanks separate, single quotes hold together.
pub(in crate::import) fn command(line: &str) -> Vec<String> {
    let mut letters = line.chars().peekable();
    let mut command = Vec::new();
    while let Some(letter) = letters.peek() {
        if letter.is_whitespace() {
            letters.next();
        } else {
            command.push(word(&mut letters).0);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(line: &str) -> Vec<String> {
        let shown = |token| match token {
            Token::Word(word) => word,
            Token::Open => "{".to_owned(),
            Token::Close => "}".to_owned(),
        };
        tokens(line).into_iter().map(shown).collect()
    }

    #[test]
    fn quotes_hold_together_and_escapes_are_read() {
        assert_eq!(all(r#"a "b c" d"e f"g"#), ["a", "b c", "de fg"]);
        assert_eq!(all(r#""\x41\t\101\"""#), ["A\tA\""]);
        assert_eq!(command(r"/bin/x ' a b ' c"), ["/bin/x", " a b ", "c"]);
    }

    #[test]
    fn braces_are_their_own_words() {
        assert_eq!(all("group { a b }"), ["group", "{", "a", "b", "}"]);
        assert_eq!(all("vrrp_instance VI{"), ["vrrp_instance", "VI", "{"]);
        assert_eq!(all("x ${UNKNOWN} y"), ["x", "${UNKNOWN}", "y"]);
    }

    #[test]
    fn comments_end_a_line_and_quotes_protect_their_signs() {
        assert_eq!(without_comment("a ! b"), "a ");
        assert_eq!(without_comment("a '#1' # b"), "a '#1' ");
        assert!(!counts("  } # end") && counts("x {"));
    }
}
