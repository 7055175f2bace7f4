//! What can be typed. The help texts are the reference of the command line.

use crate::control::{CONFIRM_TIMES, RELEASE_TIMES, SOCKET};
use crate::import::Format;
use crate::policy::{duration_words, parse_duration};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// A director for the Linux Virtual Server: health-checked IPVS pools from one YAML policy.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Default place of the policy.
const POLICY: &str = "/etc/tandem/tandem.yaml";
/// Default place of the state; systemd's `StateDirectory=tandem`.
const STATE: &str = "/var/lib/tandem";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the director in the foreground, until SIGTERM or SIGINT
    Run {
        /// The policy
        #[arg(long, value_name = "FILE", default_value = POLICY)]
        config: PathBuf,
        /// Which of the policy's directors this is; by default the one with this host's name, short or full
        #[arg(long, value_name = "NAME")]
        director: Option<String>,
        /// Where the director keeps what it must know after a restart
        #[arg(long, value_name = "DIRECTORY", default_value = STATE)]
        state_directory: PathBuf,
        /// The socket that `tandem status`, `release` and `clear` ask; none: no socket
        #[arg(long, value_name = "PATH", default_value = crate::control::SOCKET)]
        socket: PathBuf,
        /// Refuse to start with a policy that is not good, where otherwise the last good one would run
        #[arg(long)]
        strict: bool,
        /// Form of the log on stderr; TANDEM_LOG sets its level (info, debug, tandem::probe=trace, …)
        #[arg(long, value_enum, default_value_t)]
        log_format: LogFormat,
    },
    /// Validate a policy and print every problem; exit status 0 when it would start, 1 when not
    Check {
        /// The policy
        #[arg(value_name = "FILE", default_value = POLICY)]
        file: PathBuf,
        /// Whose view `--resolved` prints and this host is compared with; every director's is validated all the same
        #[arg(long, value_name = "NAME")]
        director: Option<String>,
        /// Warnings count as errors
        #[arg(long)]
        strict: bool,
        /// Print the policy with every default and merge written out
        #[arg(long)]
        resolved: bool,
        /// Leave out what depends on this host: its routes and addresses
        #[arg(long)]
        offline: bool,
    },
    /// Print the kernel changes that a policy would make now, and make none; exit status 0 for no change, 3 for changes
    Plan {
        /// The policy
        #[arg(value_name = "FILE", default_value = POLICY)]
        file: PathBuf,
        /// Which of the policy's directors this is; by default the one with this host's name, short or full
        #[arg(long, value_name = "NAME")]
        director: Option<String>,
        /// As JSON on stdout
        #[arg(long)]
        json: bool,
        /// Compare with this policy instead of the kernel, as if every server were up; needs no kernel and no privilege
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        /// Where the director keeps its state (only read)
        #[arg(long, value_name = "DIRECTORY", default_value = STATE)]
        state_directory: PathBuf,
    },
    /// Print what the running director tells of itself: routers, the other directors, pools
    Status {
        /// As JSON on stdout
        #[arg(long)]
        json: bool,
        /// One line and the exit status of a monitoring plug-in: 0 OK, 1 warning, 2 critical, 3 unknown
        #[arg(long, conflicts_with = "json")]
        check: bool,
        #[command(flatten)]
        at: At,
    },
    /// Hand mastership over without losing a packet, and stay out of it; exit status 6 when nobody takes over
    Release {
        /// A virtual router of the policy; without it every one
        #[arg(value_name = "ROUTER")]
        router: Option<String>,
        /// Take part again after this time (10m, 2h30m); without it after `tandem clear`
        #[arg(long = "for", value_name = "TIME", value_parser = release_time)]
        for_time: Option<Duration>,
        #[command(flatten)]
        at: At,
    },
    /// End a release: take part in the election again
    Clear {
        /// A virtual router of the policy; without it every one
        #[arg(value_name = "ROUTER")]
        router: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Take the policy's file over, or refuse it whole and keep the one in force; exit status 6 when a guard speaks against it
    Reload {
        /// Go back to the policy before unless `tandem confirm` keeps this one within the time (30s, 5m), and at once when a pool that it changed loses its quorum
        #[arg(long, value_name = "TIME", value_parser = confirm_time)]
        confirm: Option<Duration>,
        /// Do it though a pool would be empty, or a large part of the virtual services would go
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        at: At,
    },
    /// Keep the policy that waits to be confirmed
    Confirm {
        #[command(flatten)]
        at: At,
    },
    /// Go back to the policy before; its files are left as they are
    Rollback {
        #[command(flatten)]
        at: At,
    },
    /// Print the policies that were taken over, the newest first
    History {
        /// As JSON on stdout
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// Say what a policy needs of this host and of the pair: kernel, network, firewall, clock, and whose connections survive a failover; exit status 1 when something is to be looked at
    Doctor {
        /// The policy
        #[arg(value_name = "FILE", default_value = POLICY)]
        file: PathBuf,
        /// Which of the policy's directors this is; by default the one with this host's name, short or full
        #[arg(long, value_name = "NAME")]
        director: Option<String>,
        /// Set what Tandem itself would set here (sysctls), and say what was set
        #[arg(long)]
        fix: bool,
        /// As JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// Make a policy of what another director is configured with: the policy on stdout, what became of each line on stderr; exit status 1 when the file cannot be understood at all
    Import {
        /// keepalived.conf, ldirectord.cf, or what `ipvsadm -Sn` prints
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What the file is; by default recognised by its content
        #[arg(long, value_enum)]
        format: Option<ImportFormat>,
        /// The other director's file of the same format, which tells its priorities and addresses
        #[arg(long, value_name = "FILE")]
        peer: Option<PathBuf>,
        /// What keepalived's conditions (`@id`) are compared with; by default this host's short name
        #[arg(short = 'i', long, value_name = "ID")]
        config_id: Option<String>,
        /// The same for the other director's file; where both run one file, `--peer` names it again
        #[arg(long, value_name = "ID", requires = "peer")]
        peer_config_id: Option<String>,
        /// Report every line, the ones too that the policy says the same of
        #[arg(long)]
        report: bool,
    },
    /// Print the JSON Schema of a policy, for editors
    Schema {
        /// The description of the JSON API instead, by OpenAPI 3.1
        #[arg(long)]
        api: bool,
    },
    /// Print the completions of a shell; bash reads them from /usr/share/bash-completion/completions/tandem
    Completions {
        /// The shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print a manual page, or write all of them into a folder
    Man {
        /// The page: tandem.8, tandem-run.8, … for each command, and tandem.yaml.5
        #[arg(value_name = "PAGE", default_value = "tandem.8")]
        page: String,
        /// Write every page into this folder, which is made where it is missing
        #[arg(long, value_name = "DIRECTORY", conflicts_with = "page")]
        directory: Option<PathBuf>,
    },
    /// Print a script that sets a real server up for a pool's forwarding, or verify the set-up there; exit status 1 when something is to be looked at
    RealServer {
        /// The pool
        #[arg(value_name = "POOL")]
        pool: String,
        /// The policy
        #[arg(long, value_name = "FILE", default_value = POLICY)]
        config: PathBuf,
        /// The real server, by its name in the policy or its RIP; without it every one of the pool
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
        /// Verify this host, which is a real server of the pool, and change nothing
        #[arg(long)]
        check: bool,
    },
}

/// Where the running director is.
#[derive(Debug, Args)]
pub(super) struct At {
    /// The control socket of the running director
    #[arg(long, value_name = "PATH", default_value = SOCKET)]
    pub(super) socket: PathBuf,
}

fn release_time(text: &str) -> Result<Duration, String> {
    time_within(text, RELEASE_TIMES)
}

fn confirm_time(text: &str) -> Result<Duration, String> {
    time_within(text, CONFIRM_TIMES)
}

fn time_within(text: &str, (shortest, longest): (Duration, Duration)) -> Result<Duration, String> {
    let range = || format!("a time from {} to {}", duration_words(shortest), duration_words(longest));
    let time = parse_duration(text)
        .ok_or_else(|| format!("write whole numbers with a unit each (10m, 2h30m): {}", range()))?;
    (shortest..=longest).contains(&time).then_some(time).ok_or_else(|| format!("write {}", range()))
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ImportFormat {
    Keepalived,
    Ldirectord,
    Ipvsadm,
}

impl From<ImportFormat> for Format {
    fn from(format: ImportFormat) -> Self {
        match format {
            ImportFormat::Keepalived => Self::Keepalived,
            ImportFormat::Ldirectord => Self::Ldirectord,
            ImportFormat::Ipvsadm => Self::Ipvsadm,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum LogFormat {
    #[default]
    Text,
    Json,
}
