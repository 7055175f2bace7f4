//! Several checks of a server: which they are, and how many they may be.

use super::checks::{Choice, Named};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::read::{Field, List, Spanned};
use crate::policy::schema::{CheckUse, ConditionText, TrackText};
use crate::policy::source::Span;

/// Lists inside lists, at most: more nobody reads.
const MOST_LEVELS: usize = 4;
/// Checks of one list, at most.
const MOST_MEMBERS: usize = 16;

/// A server of another pool, as it was said.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    pub(super) pool: String,
    pub(super) server: Option<String>,
}

/// Several checks, as they are said at a place inside `level` others.
pub(super) fn choose(
    checks: &Named<'_>,
    text: &ConditionText,
    at: (Span, &str),
    level: usize,
    problems: &mut Problems,
) -> Choice {
    let (span, place) = at;
    if level >= MOST_LEVELS {
        return refuse(span, &format!("checks are nested more than {MOST_LEVELS} deep"), problems);
    }
    match (&text.all, &text.any, &text.track) {
        (Field::Given(all), Field::Absent, Field::Absent) => {
            members(checks, all, place, level, problems).map_or(Choice::Bad, Choice::All)
        }
        (Field::Absent, Field::Given(any), Field::Absent) => {
            members(checks, any, place, level, problems).map_or(Choice::Bad, Choice::Any)
        }
        (Field::Absent, Field::Absent, Field::Given(track)) => tracked(&track.value),
        _ if problems.any_within(span) => Choice::Bad,
        _ => refuse(span, "this check says more than one of `all`, `any` and `track`", problems),
    }
}

fn tracked(text: &TrackText) -> Choice {
    let server = text.server.value().map(|server| server.0.clone());
    match (text.pool.value(), &text.server) {
        (Some(pool), Field::Absent | Field::Given(_)) => {
            Choice::Track(Tracked { pool: pool.0.clone(), server })
        }
        (None, _) | (_, Field::Bad) => Choice::Bad,
    }
}

/// The members of a list; `None` after a problem with any of them.
fn members(
    checks: &Named<'_>,
    list: &Spanned<List<CheckUse>>,
    place: &str,
    level: usize,
    problems: &mut Problems,
) -> Option<Vec<Choice>> {
    let members = &list.value.0;
    if members.is_empty() {
        if !problems.any_within(list.span) {
            refuse(list.span, "this list of checks is empty", problems);
        }
        return None;
    }
    if members.len() > MOST_MEMBERS {
        let message = format!("{} checks are said where at most {MOST_MEMBERS} can be", members.len());
        refuse(list.span, &message, problems);
        return None;
    }
    let chosen: Vec<Choice> = (1..)
        .zip(members)
        .map(|(number, member): (usize, _)| {
            let place = format!("{place}/{number}");
            match checks.choose_at(&member.value, (member.span, &place), level + 1, problems) {
                Choice::Unchecked => {
                    refuse(member.span, "`none` decides nothing beside other checks", problems)
                }
                choice => choice,
            }
        })
        .collect();
    chosen.iter().all(|choice| !matches!(choice, Choice::Bad)).then_some(chosen)
}

fn refuse(span: Span, message: &str, problems: &mut Problems) -> Choice {
    problems.push(
        Diagnostic::new(Code::CheckCondition, span, message)
            .help("write `check: {all: [alive, {tcp: {}}]}`, `{any: […]}`, or `{track: {pool: web}}`"),
    );
    Choice::Bad
}
