//! Exec probes: the program and its arguments. Whether the program is there and safe to run, only its host can tell.

use crate::model::ExecSpec;
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::schema::ExecText;
use crate::policy::source::Span;
use std::path::{Path, PathBuf};

/// The program, and where it is said.
pub(super) fn place(text: &ExecText) -> Option<(PathBuf, Span)> {
    let program = text.command.value()?.0.first()?;
    Some((PathBuf::from(&program.value.0), program.span))
}

/// A program to be run; `None` after a problem.
pub(super) fn exec(text: &ExecText, problems: &mut Problems) -> Option<ExecSpec> {
    let said = text.command.given()?;
    let words = &said.value.0;
    let (span, message) = match words.first() {
        Some(program) if Path::new(&program.value.0).is_absolute() => {
            let command = words.iter().map(|word| word.value.0.clone()).collect();
            return Some(ExecSpec { command, user: text.user.value().map(|user| user.0.clone()) });
        }
        Some(program) => (program.span, format!("{} is not an absolute path", quoted(&program.value.0))),
        None => (said.span, "this command names no program".to_owned()),
    };
    if !problems.any_within(said.span) {
        problems.push(
            Diagnostic::new(Code::ProgramNotSaid, span, message).help(
                "write the program's whole path: [/usr/local/bin/check-shop, --fast]; there is no shell",
            ),
        );
    }
    None
}
