//! What the tcp probe says and expects once it is connected: an exchange as the policy writes it, or one that is known by the
//! name of its protocol.

use super::Pattern;
use crate::model::Secret;

/// Texts that are sent and awaited in turn, on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogueSpec {
    /// One after the other, never empty.
    pub steps: Vec<Step>,
}

impl DialogueSpec {
    /// Bytes that a probe reads at most, over all its steps; what comes later is not looked at.
    pub const READ_LIMIT: usize = 64 * 1024;
    /// Bytes of one text that is sent: enough for any request, and no transfer.
    pub const LONGEST_SEND: usize = 4096;
    /// Bytes of one text, or of one regular expression, that is awaited.
    pub const LONGEST_EXPECTATION: usize = 1024;
    /// Steps of a dialogue, at most.
    pub const MOST_STEPS: usize = 32;
}

/// One step of a dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These bytes are sent; never empty.
    Send(Vec<u8>),
    /// What the server sends holds this, behind what the step before has found.
    Expect(Pattern),
}

/// An exchange that a tcp probe knows by the name of its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preset {
    /// `PING` is answered with `PONG` (Redis serialisation protocol).
    Redis(RedisSpec),
    /// The server greets; with a user, it lets that user in.
    MySql(MySqlSpec),
    /// The server answers a start-up message with a request for authentication.
    PostgreSql(PostgreSqlSpec),
}

/// Who a probe is to Redis.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RedisSpec {
    /// Name of an access control list; `None`: the default user.
    pub user: Option<String>,
    /// Sent with `AUTH` before the `PING`.
    pub password: Option<Secret>,
}

/// Who a probe is to MySQL or MariaDB.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MySqlSpec {
    /// A user without a password; `None`: the probe leaves after the greeting, which the server counts as an error of this
    /// host (`max_connect_errors`).
    pub user: Option<String>,
}

impl MySqlSpec {
    /// Bytes of a user's name: what the server allows (manual, "Account User Names": 32 characters; MariaDB 80).
    pub const LONGEST_USER: usize = 80;
}

/// Who a probe is to PostgreSQL. It authenticates as nobody: that the server asks for it is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgreSqlSpec {
    pub user: String,
    /// `None`: the one with the user's name.
    pub database: Option<String>,
}

impl PostgreSqlSpec {
    /// Bytes of a name: NAMEDATALEN without its end.
    pub const LONGEST_NAME: usize = 63;
}
