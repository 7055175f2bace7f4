//! Columns for people, with colour on a terminal. Pure.

use crate::policy::Colour;

/// How a cell stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tint {
    Plain,
    Bold,
    Good,
    Doubtful,
    Bad,
}

impl Tint {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\u{1b}[1m",
            Self::Good => "\u{1b}[32m",
            Self::Doubtful => "\u{1b}[33m",
            Self::Bad => "\u{1b}[1;31m",
        }
    }
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tint: Tint,
}

#[cfg(feature = "top")]
impl Cell {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) const fn tint(&self) -> Tint {
        self.tint
    }
}

/// A cell of any text. What a terminal would obey is shown, not obeyed: names come from a policy.
pub(super) fn cell(text: impl ToString, tint: Tint) -> Cell {
    let visible = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    Cell { text: text.to_string().chars().map(visible).collect(), tint }
}

/// One piece of text in its tint.
pub(super) fn tinted(text: impl ToString, tint: Tint, colour: Colour) -> String {
    let Cell { text, tint } = cell(text, tint);
    match (colour, tint) {
        (Colour::Plain, _) | (Colour::Ansi, Tint::Plain) => text,
        (Colour::Ansi, _) => format!("{}{text}\u{1b}[0m", tint.code()),
    }
}

/// Lines with aligned columns: two spaces between them, none at the end.
pub(super) fn table(head: &[&str], rows: &[Vec<Cell>], colour: Colour) -> String {
    let head: Vec<Cell> = head.iter().map(|title| cell(title, Tint::Bold)).collect();
    let all = || std::iter::once(&head).chain(rows);
    let columns = all().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = all().filter_map(|row| row.get(column));
        cells.map(|cell| cell.text.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    all().map(|row| line(row, &widths, colour)).collect()
}

fn line(row: &[Cell], widths: &[usize], colour: Colour) -> String {
    let mut text = String::new();
    let mut pending = 0;
    for (cell, width) in row.iter().zip(widths) {
        if !cell.text.is_empty() {
            text.extend(std::iter::repeat_n(' ', pending));
            text.push_str(&tinted(&cell.text, cell.tint, colour));
            pending = 0;
        }
        pending += width + 2 - cell.text.chars().count();
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<Cell>> {
        let row = |name, state, tint| vec![cell(name, Tint::Plain), cell(state, tint), cell("", Tint::Plain)];
        vec![row("web", "up", Tint::Good), row("a-longer-name", "down", Tint::Bad)]
    }

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let text = table(&["POOL", "STATE", "WHY"], &rows(), Colour::Plain);
        assert_eq!(text, "POOL           STATE  WHY\nweb            up\na-longer-name  down\n");
    }

    #[test]
    fn colour_changes_no_column() {
        let text = table(&["POOL", "STATE"], &rows(), Colour::Ansi);
        let plain = text.replace("\u{1b}[1;31m", "").replace("\u{1b}[1m", "");
        let plain = plain.replace("\u{1b}[32m", "").replace("\u{1b}[0m", "");
        assert!(text.contains("\u{1b}[1;31mdown\u{1b}[0m"));
        assert_eq!(plain, table(&["POOL", "STATE"], &rows(), Colour::Plain));
    }

    #[test]
    fn a_name_cannot_command_the_terminal() {
        assert_eq!(tinted("a\u{1b}[2Jb", Tint::Plain, Colour::Plain), "a\u{fffd}[2Jb");
    }
}
