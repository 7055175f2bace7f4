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
pub(super) const STATE: &str = "/var/lib/tandem";
/// The same of a director that only observes: the running one's is not for it to lock, or to write to.
const OBSERVED_STATE: &str = "/var/lib/tandem-observe";

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
        /// Probe and decide beside a running director (keepalived, say), change nothing, and tell each difference between the live tables and what this one would make of them: in the log, and in `tandem status`
        #[arg(long)]
        observe: bool,
        /// Where the director keeps what it must know after a restart; with --observe by default /var/lib/tandem-observe
        #[arg(long, value_name = "DIRECTORY", default_value = STATE, default_value_if("observe", "true", OBSERVED_STATE))]
        state_directory: PathBuf,
        /// The socket that `tandem status`, `release` and `clear` ask; none: no socket
        #[arg(long, value_name = "PATH", default_value = crate::control::SOCKET)]
        socket: PathBuf,
        /// Refuse to start with a policy that is not good, where otherwise the last good one would run
        #[arg(long)]
        strict: bool,
        /// Go on in the place of the director that runs here, with the policy that it has in force: roles, verdicts and connections stay, and no advertisement is late. It serves until this one does, and goes on where this one cannot. Where none runs, start as usual. `tandem takeover` has a running director start its successor like this
        #[arg(long, conflicts_with = "observe")]
        takeover: bool,
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
    #[command(flatten)]
    Asking(Asking),
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
    /// Take back what a director made in this kernel, when none runs: its services, rules, addresses and settings; the way out before Tandem is removed
    Retire {
        /// Where the director kept its state
        #[arg(long, value_name = "DIRECTORY", default_value = STATE)]
        state_directory: PathBuf,
    },
    /// Write what somebody needs who helps with a director into one archive, and list what is in it; without secrets
    Report {
        /// The policy
        #[arg(long, value_name = "FILE", default_value = POLICY)]
        config: PathBuf,
        /// Which of the policy's directors this is; by default the one with this host's name, short or full
        #[arg(long, value_name = "NAME")]
        director: Option<String>,
        /// A file, a folder, or - for stdout; by default tandem-report-HOST-TIME.tar.gz in this folder
        #[arg(long, value_name = "PATH")]
        output: Option<PathBuf>,
        #[command(flatten)]
        at: At,
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

/// Commands that ask a running director.
#[derive(Debug, Subcommand)]
pub(super) enum Asking {
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
    /// Show the running director live in this terminal: routers, the other directors, pools, servers; ? tells the keys
    #[cfg(feature = "top")]
    Top {
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
    /// Give servers no new connection, and take them out of the table when their last one has ended; exit status 6 when a pool would be left without a server
    Drain {
        #[command(flatten)]
        order: Order,
        /// Stay until they have left the table: exit status 0 when no connection was left, 4 when the pool's drain deadline came first
        #[arg(long)]
        wait: bool,
    },
    /// Take servers out of the table at once; exit status 6 when a pool would be left without a server
    Disable {
        #[command(flatten)]
        order: Order,
    },
    /// Give servers another weight than the policy's; their checks go on to decide
    Weight {
        /// 0 to 65535; with 0 they get no new connection
        #[arg(value_name = "WEIGHT", value_parser = clap::value_parser!(u32).range(0..=65_535))]
        weight: u32,
        #[command(flatten)]
        order: Order,
    },
    /// Keep servers in the table, whatever their checks say
    ForceUp {
        #[command(flatten)]
        order: Order,
    },
    /// Keep a pool as it is, whatever its checks say: when what they ask is itself broken
    Freeze {
        /// The pool
        #[arg(value_name = "POOL")]
        pool: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        at: At,
    },
    /// Print what operators ordered, by whom, why and until when
    Overrides {
        /// As JSON on stdout
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// End what was ordered: without an option releases (take part in the election again), else overrides
    Clear {
        /// A virtual router of the policy, of which a release ends; without it every one
        #[arg(value_name = "ROUTER", conflicts_with_all = ["server", "pool", "id", "overrides"])]
        router: Option<String>,
        /// Overrides for this server: its name, its RIP, or RIP:port
        #[arg(long, value_name = "SERVER", conflicts_with_all = ["id", "overrides"])]
        server: Option<String>,
        /// Overrides of this pool; with --server those for it in this pool
        #[arg(long, value_name = "POOL", conflicts_with_all = ["id", "overrides"])]
        pool: Option<String>,
        /// The override that `tandem overrides` lists by this name
        #[arg(long, value_name = "OVERRIDE", conflicts_with = "overrides")]
        id: Option<String>,
        /// Every override
        #[arg(long)]
        overrides: bool,
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
    /// Have the installed program go on in the running director's place, without a failover: after an upgrade, say. Where it cannot, the running one serves on. For root alone
    Takeover {
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
    /// Print what has happened, the oldest first: verdicts, roles, changes of the kernel's tables, reloads; times are UTC
    Events(EventsOptions),
    /// Print why a pool, or one of its real servers, is as it is: policy, check, rule, kernel, with times
    Explain(ExplainOptions),
}

/// What is ordered of which servers.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).multiple(true).args(["server", "pool"]))]
pub(super) struct Order {
    /// The server, by its name, its RIP, or RIP:port: in every pool that has it, or in the one of --pool
    #[arg(long, value_name = "SERVER")]
    pub(super) server: Option<String>,
    /// The pool; without --server every server of it
    #[arg(long, value_name = "POOL")]
    pub(super) pool: Option<String>,
    #[command(flatten)]
    pub(super) why: Why,
    /// Do it though a pool would be left without a server
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) at: At,
}

/// Until when, and why.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// End by itself after this time (30m, 2h); without it after `tandem clear`
    #[arg(long = "for", value_name = "TIME", value_parser = release_time)]
    pub(super) for_time: Option<Duration>,
    /// Why: shown wherever the override is
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

/// Where the running director is.
#[derive(Debug, Args)]
pub(super) struct At {
    /// The control socket of the running director
    #[arg(long, value_name = "PATH", default_value = SOCKET)]
    pub(super) socket: PathBuf,
}

/// What `tandem events` is asked.
#[derive(Debug, Args)]
pub(super) struct EventsOptions {
    /// Only what happened within this time (10m, 2h30m); without it the newest thousand events
    #[arg(long, value_name = "TIME", value_parser = since_time)]
    pub(super) since: Option<Duration>,
    /// Go on with what happens, until the director goes: exit status 5
    #[arg(short, long)]
    pub(super) follow: bool,
    /// As JSON on stdout, an event a line
    #[arg(long)]
    pub(super) json: bool,
    /// Only what concerns this pool
    #[arg(long, value_name = "POOL")]
    pub(super) pool: Option<String>,
    #[command(flatten)]
    pub(super) at: At,
}

/// What `tandem explain` is asked.
#[derive(Debug, Args)]
pub(super) struct ExplainOptions {
    /// The pool
    #[arg(value_name = "POOL")]
    pub(super) pool: String,
    /// A real server of the pool, by its name in the policy, or RIP:port where it has none
    #[arg(value_name = "SERVER")]
    pub(super) server: Option<String>,
    /// As JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) at: At,
}

/// Within what time events are asked for.
const SINCE_TIMES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(365 * 86_400));

fn since_time(text: &str) -> Result<Duration, String> {
    time_within(text, SINCE_TIMES)
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
