//! Exec and file probes. Whether the program is there and safe to run, and what the file says, only its host can tell.

use crate::model::{ExecSpec, ExecWeight, FileSpec, Missing};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::schema::{ExecText, ExecWeightWord, FileText, MissingWord};
use crate::policy::source::{Sources, Span};
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
            let user = text.user.value().map(|user| user.0.clone());
            let weight = text.weight.value().map(|weight| match weight {
                ExecWeightWord::ExitCode => ExecWeight::ExitCode,
                ExecWeightWord::Printed => ExecWeight::Printed,
            });
            return Some(ExecSpec { command, user, weight });
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

/// A file to be read; `None` after a problem.
pub(super) fn file(text: &FileText, sources: &Sources) -> Option<FileSpec> {
    let path = text.path.given()?;
    let missing = match text.missing.value() {
        None | Some(MissingWord::Down) => Missing::Down,
        Some(MissingWord::Up) => Missing::Up,
    };
    Some(FileSpec { path: sources.folder(path.span).join(&path.value.0), missing })
}
