//! What `tandem top` shows, drawn into a buffer of cells. Pure: the same model gives the same screen.
//!
//! The order is that of `tandem status`: what matters in the first ten seconds of an incident is above.

use super::model::{Focus, Top};
use super::rows;
use crate::cli::status_text::STALE_MS;
use crate::cli::table::{Cell as Text, Tint, cell};
use crate::cli::words::{counted, time};
use crate::control::Status;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState};

/// From this width on, servers stand beside the pools and not below them.
const WIDE: u16 = 150;
/// Columns of the pools on a wide screen.
const POOLS_WIDE: u16 = 72;
/// Of the routers, directors and overrides, at most so many lines.
const MOST_ABOVE: usize = 8;
/// What is shown is old when so many polls brought nothing.
const OLD_MS: u64 = 3_000;

const HELP: &str = "\
Keys of tandem top

  up, down, k, j      select          page up, page down, home, end, g, G
  tab, enter          from the pools to the servers of the selected pool, and back
  s                   sort by: worst first, name, connections/s, bytes/s
  r                   the other way round
  /                   show only pools and servers with these letters; enter keeps, escape clears
  p, space            pause: what is shown stays, polling goes on
  q, control-c        leave

Weights are those of the policy, then the one that the rules make of it, then the kernel's.
Rates are taken over the last five seconds, as the kernel counts (every two seconds).

Any key goes back.";

/// The theme: colours, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    pub(super) colour: bool,
}

impl Theme {
    fn style(self, tint: Tint) -> Style {
        let coloured = |colour| if self.colour { Style::new().fg(colour) } else { Style::new() };
        match tint {
            Tint::Plain => Style::new(),
            Tint::Bold => Style::new().add_modifier(Modifier::BOLD),
            Tint::Good => coloured(Color::Green),
            Tint::Doubtful => coloured(Color::Yellow),
            Tint::Bad => coloured(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    fn span(self, text: &Text) -> Span<'static> {
        Span::styled(text.text().to_owned(), self.style(text.tint()))
    }

    fn line(self, texts: &[Text]) -> Line<'static> {
        Line::from(texts.iter().map(|text| self.span(text)).collect::<Vec<_>>())
    }
}

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, top: &Top, theme: Theme) {
    let area = frame.area();
    if top.help {
        return frame.render_widget(Paragraph::new(HELP), area);
    }
    let Some(status) = top.status() else {
        let waiting = top.trouble.clone().unwrap_or_else(|| "asking the director".to_owned());
        let [main, keys] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(area);
        frame.render_widget(Paragraph::new(waiting).wrap(ratatui::widgets::Wrap { trim: true }), main);
        return frame.render_widget(Paragraph::new("q leave"), keys);
    };
    let (head, above) = (head(top, status), rows::above(top, status));
    let above = &above[..above.len().min(MOST_ABOVE)];
    let [at_head, at_above, at_lists, at_keys] = Layout::vertical([
        Constraint::Length(length(head.len())),
        Constraint::Length(if above.is_empty() { 0 } else { length(above.len() + 1) }),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    let lines = |texts: &[Vec<Text>]| texts.iter().map(|line| theme.line(line)).collect::<Vec<_>>();
    frame.render_widget(Paragraph::new(lines(&head)), at_head);
    let widths = [16, 10, 10, 12].map(Constraint::Length).into_iter().chain([Constraint::Fill(1)]);
    frame.render_widget(
        table(&[], above, widths, theme),
        Rect { y: at_above.y + 1, height: at_above.height.saturating_sub(1), ..at_above },
    );
    lists(frame, at_lists, top, theme);
    frame.render_widget(Paragraph::new(keys(top)), at_keys);
}

fn length(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX)
}

/// Who it is, how it is, and how old that is; whether it is safe to fail over.
fn head(top: &Top, status: &Status) -> Vec<Vec<Text>> {
    let name = status.director.as_deref().unwrap_or("this director");
    let plain = |text: String| cell(text, Tint::Plain);
    let mut first = vec![
        cell(name, Tint::Bold),
        plain(format!("  tandem {}, up {}, ", status.version, time(status.uptime_ms))),
        match &status.awaits {
            _ if status.ready => cell("ready", Tint::Good),
            Some(awaited) => cell(format!("not ready: {awaited}"), Tint::Doubtful),
            None => cell("not ready", Tint::Doubtful),
        },
    ];
    if top.paused {
        first.push(cell("  PAUSED", Tint::Doubtful));
    }
    let mut lines = vec![first];
    let age = top.age_ms();
    if let Some(trouble) = &top.trouble {
        lines.push(vec![cell(format!("What follows is {} old: {trouble}", time(age)), Tint::Bad)]);
    } else if status.age_ms > STALE_MS {
        let old = format!("What follows is {} old: the event loop of the director stands still", time(age));
        lines.push(vec![cell(old, Tint::Bad)]);
    } else if age > OLD_MS {
        lines.push(vec![cell(format!("What follows is {} old", time(age)), Tint::Doubtful)]);
    }
    if status.observing {
        let differences = counted(status.differences_total, "difference");
        lines.push(vec![cell(
            format!("Observing, and changing nothing: {differences} to the live tables"),
            Tint::Doubtful,
        )]);
    }
    let safe = &status.safe_to_fail_over;
    let (word, tint) = if safe.yes { ("yes", Tint::Good) } else { ("no", Tint::Bad) };
    lines.push(vec![
        plain("Safe to fail over: ".to_owned()),
        cell(word, tint),
        plain(format!(", because {}", safe.because)),
    ]);
    lines
}

fn lists(frame: &mut Frame<'_>, area: Rect, top: &Top, theme: Theme) {
    let servers = top.servers().len();
    let [at_pools, at_servers] = if area.width >= WIDE {
        Layout::horizontal([Constraint::Length(POOLS_WIDE), Constraint::Fill(1)]).spacing(2).areas(area)
    } else {
        // The pools have what the servers leave, and at least half.
        let below = length(servers + 2).min(area.height / 2);
        Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(area)
    };
    let pools: Vec<Vec<Text>> = top.pools().into_iter().map(|pool| rows::pool(top, pool)).collect();
    let widths = [6, 11, 11, 7, 8, 8].map(Constraint::Length);
    let widths = [Constraint::Fill(1)].into_iter().chain(widths);
    let selected = top.selected_pool().filter(|_| top.focus == Focus::Pools);
    let mark = top.selected_pool();
    list(frame, at_pools, table(&rows::POOL_HEAD, &pools, widths, theme), selected, mark);
    let rows: Vec<Vec<Text>> = top.servers().into_iter().map(|server| rows::server(top, server)).collect();
    let widths = [20, 7, 9, 9, 7, 9].map(Constraint::Length).into_iter().chain([Constraint::Fill(1)]);
    let [title, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(at_servers);
    frame.render_widget(Paragraph::new(theme.line(&rows::servers_title(top))), title);
    list(frame, body, table(&rows::SERVER_HEAD, &rows, widths, theme), top.selected_server(), None);
}

/// The selected row is inverted where the arrows move, and marked where they don't.
fn list(frame: &mut Frame<'_>, area: Rect, table: Table<'_>, selected: Option<usize>, mark: Option<usize>) {
    let highlight = match selected {
        Some(_) => Style::new().add_modifier(Modifier::REVERSED),
        None => Style::new().add_modifier(Modifier::UNDERLINED),
    };
    let mut state = TableState::default().with_selected(selected.or(mark));
    frame.render_stateful_widget(table.row_highlight_style(highlight), area, &mut state);
}

fn table(
    head: &[&str],
    rows: &[Vec<Text>],
    widths: impl Iterator<Item = Constraint>,
    theme: Theme,
) -> Table<'static> {
    let row = |texts: &Vec<Text>| Row::new(texts.iter().map(|text| Cell::from(theme.span(text))));
    let table = Table::new(rows.iter().map(row), widths).column_spacing(1);
    if head.is_empty() {
        return table;
    }
    let head: Vec<Text> = head.iter().map(|title| cell(title, Tint::Bold)).collect();
    table.header(row(&head))
}

fn keys(top: &Top) -> String {
    if top.filtering {
        return format!("/{}_  (enter keeps, escape clears)", top.filter);
    }
    let order = if top.reversed { ", reversed" } else { "" };
    // First, so that a narrow screen cuts what is known anyway.
    let filter = match top.filter.as_str() {
        "" => String::new(),
        filter => format!("filter: {filter} (escape clears)  "),
    };
    let sort = top.sort.name();
    format!("{filter}q leave  ? help  / filter  s sort: {sort}{order}  r reverse  p pause  tab servers")
}
