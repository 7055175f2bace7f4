//! What the demo prints: numbered steps, quoted commands and files, and what was expected with a mark before it.

use std::process::ExitCode;
use std::time::Instant;

/// Set by tests/lab/run where its output is a terminal: inside a virtual machine it never is.
const COLOUR: &str = "TANDEM_LAB_COLOUR";
const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";

/// The page, and the account of what was expected.
#[derive(Debug)]
pub(crate) struct Screen {
    colour: bool,
    steps: usize,
    kept: usize,
    broken: Vec<String>,
    started: Instant,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let colour = std::env::var_os(COLOUR).is_some();
        Self { colour, steps: 0, kept: 0, broken: Vec::new(), started: Instant::now() }
    }

    pub(crate) fn title(&self, text: &str) {
        println!("\n  {}", self.paint(BOLD, text));
    }

    /// A new step of the story.
    pub(crate) fn step(&mut self, title: &str) {
        self.steps += 1;
        let number = self.steps;
        println!("\n  {}\n", self.paint(BOLD, &format!("{number:>2}  {title}")));
    }

    /// A sentence.
    pub(crate) fn say(&self, text: &str) {
        println!("      {text}");
    }

    /// A command line that has been run.
    pub(crate) fn command(&self, line: &str) {
        println!("      {}", self.paint(BOLD, &format!("$ {line}")));
    }

    /// What a command printed, or a file.
    pub(crate) fn quote(&self, text: &str) {
        for line in text.trim_end().lines() {
            let line = if line.is_empty() { String::new() } else { self.paint(DIM, line) };
            println!("      {line}");
        }
    }

    /// Something that was expected: whether it came true.
    pub(crate) fn expect(&mut self, came_true: bool, text: &str) {
        if came_true {
            self.kept += 1;
            println!("      {} {text}", self.paint(GREEN, "✓"));
        } else {
            self.broken.push(format!("step {}: {text}", self.steps));
            println!("      {} {}", self.paint(RED, "✗"), self.paint(RED, text));
        }
    }

    /// The end, and the exit status that tells it.
    pub(crate) fn summary(&self) -> ExitCode {
        let seconds = self.started.elapsed().as_secs();
        let all = self.kept + self.broken.len();
        println!();
        if self.broken.is_empty() {
            println!("  {} All {all} expectations came true, in {seconds} s.\n", self.paint(GREEN, "✓"));
            return ExitCode::SUCCESS;
        }
        println!("  {} {} of {all} expectations did not come true:", self.paint(RED, "✗"), self.broken.len());
        for broken in &self.broken {
            println!("      {broken}");
        }
        println!();
        ExitCode::FAILURE
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
