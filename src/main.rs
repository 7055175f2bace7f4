//! The binary: parse the arguments, call [`tandem::cli`], turn its answer into the exit status. Nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(tandem::cli::main(std::env::args_os()))
}
