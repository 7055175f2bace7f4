//! `tandem completions`: what a shell needs to complete commands and options, made from the declaration of the arguments.

use super::ExitStatus;
use super::arguments::Arguments;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::Write;

/// Prints the completions of `shell` on `out`.
///
/// # Errors
/// The writer fails.
pub(super) fn completions(shell: Shell, out: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    // The generator panics where its writer fails, and a reader may go away at any time: so it writes to memory.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "tandem", &mut text);
    out.write_all(&text)?;
    Ok(ExitStatus::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;
    use std::process::Command;

    fn printed(shell: Shell) -> String {
        let mut out = Vec::new();
        completions(shell, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    /// What bash itself offers for the last word of a command line.
    fn offered(words: &[&str]) -> Vec<String> {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("tandem");
        std::fs::write(&file, printed(Shell::Bash)).expect("a file");
        // As readline does it: the words, the place among them, then the function that `complete` was told.
        let ask = r#"set -eu; . "$1"; shift
            function=$(complete -p tandem | sed 's/.*-F \([^ ]*\) .*/\1/')
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
            "$function" tandem "${@: -1}" "${@: -2:1}"
            printf '%s\n' "${COMPREPLY[@]-}""#;
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile", "-c", ask, "bash"]).arg(&file).args(words);
        let output = bash.output().expect("bash");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn a_real_bash_completes_commands_and_options() {
        assert_eq!(offered(&["tandem", "sta"]), ["status"]);
        assert_eq!(offered(&["tandem", "real"]), ["real-server"]);
        assert_eq!(offered(&["tandem", "status", "--js"]), ["--json"]);
        assert_eq!(offered(&["tandem", "run", "--log-format", ""]), ["text", "json"]);
        let all = offered(&["tandem", ""]);
        for command in Arguments::command().get_subcommands() {
            assert!(all.iter().any(|word| word == command.get_name()), "{} in {all:?}", command.get_name());
        }
    }

    #[test]
    fn every_shell_gets_every_command() {
        for shell in Shell::value_variants() {
            let text = printed(*shell);
            for command in Arguments::command().get_subcommands() {
                assert!(text.contains(command.get_name()), "{} for {shell}", command.get_name());
            }
        }
    }
}
