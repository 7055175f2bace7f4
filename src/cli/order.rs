//! `tandem drain`, `disable`, `weight`, `force-up`, `freeze`: orders something of servers or of a pool, and says what came of
//! it. `drain --wait` stays until the servers have left the table.

use super::ExitStatus;
use super::ask::{failed, wait_for};
use crate::control::{
    Client, ClientError, OverrideBody, OverrideWord, ServerList, ServerQuery, ServerStatus,
};
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

/// How often the servers are looked at; the kernel's counters are read every two seconds.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many are left is said at most each time so many looks have passed.
const SAY_EVERY: u32 = 10;

/// Orders `body` of the director at `socket`; with `wait` until no server that is meant is left in the table.
///
/// # Errors
/// The writer fails, or the host gives no descriptors.
pub(super) fn order(
    socket: &Path,
    mut body: OverrideBody,
    wait: bool,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    // Who became root to ask is known to sudo.
    body.by = body.by.or_else(|| std::env::var("SUDO_USER").ok());
    let client = Client::new(socket);
    let answer = match wait_for(client.order(&body))? {
        Ok(answer) => answer,
        Err(error) => return failed(&error, err),
    };
    writeln!(err, "{}", answer.message)?;
    answer.notes.iter().try_for_each(|note| writeln!(err, "{note}"))?;
    if !wait {
        return Ok(ExitStatus::Done);
    }
    match wait_for(watch(&client, &body, err))? {
        Ok(status) => Ok(status),
        Err(error) => failed(&error, err),
    }
}

/// What was last seen of the servers that drain.
#[derive(Debug, Default)]
struct Watch {
    /// Connections that were left when they were last seen in the table; once they have left, those that were cut off.
    left: u64,
}

impl Watch {
    /// Takes in how they are; the status once all have left.
    fn look(&mut self, servers: &[ServerStatus]) -> Option<ExitStatus> {
        let overruled = |server: &&ServerStatus| server.ordered.as_deref() != Some(DRAIN);
        if let Some(server) = servers.iter().find(overruled) {
            tracing::debug!("{} no longer drains", server.name);
            return Some(ExitStatus::Refused);
        }
        let held = |server: &&ServerStatus| server.weight_in_kernel.is_some();
        if servers.iter().any(|server| held(&server)) {
            self.left = servers.iter().map(connections).sum();
            return None;
        }
        // What was seen last is a little old; how it ended the director knows.
        self.left = servers.iter().filter_map(|server| server.left_with).sum();
        Some(if self.left == 0 { ExitStatus::Done } else { ExitStatus::DeadlinePassed })
    }
}

const DRAIN: &str = "drain";

const fn connections(server: &ServerStatus) -> u64 {
    server.active_connections + server.inactive_connections
}

fn counted(connections: u64) -> String {
    format!("{connections} connection{}", if connections == 1 { "" } else { "s" })
}

async fn watch(client: &Client, body: &OverrideBody, err: &mut dyn Write) -> Result<ExitStatus, ClientError> {
    let query = ServerQuery { pool: body.pool.clone(), server: body.server.clone() };
    let (mut watch, mut said) = (Watch::default(), None);
    for look in 0_u32.. {
        let ServerList { servers, .. } = client.servers(&query).await?;
        let servers: Vec<ServerStatus> = servers.into_iter().map(|found| found.server).collect();
        if let Some(status) = watch.look(&servers) {
            let sentence = match status {
                ExitStatus::Done => "drained: no connection is left".to_owned(),
                ExitStatus::DeadlinePassed => {
                    format!("the deadline of the drain has passed, with {} left", counted(watch.left))
                }
                _ => "the drain was taken back, or another override stands above it".to_owned(),
            };
            // Nobody may listen; what came of it is the exit status.
            let _ = writeln!(err, "{sentence}");
            return Ok(status);
        }
        if look % SAY_EVERY == 0 && said != Some(watch.left) {
            let _ = writeln!(err, "{} left", counted(watch.left));
            said = Some(watch.left);
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(ExitStatus::Failed)
}

/// The body of an order of one kind; what else it says comes from the command line.
pub(super) const fn body(kind: OverrideWord) -> OverrideBody {
    OverrideBody {
        kind,
        server: None,
        pool: None,
        weight: None,
        for_ms: None,
        by: None,
        reason: None,
        force: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::server_status;

    fn server(weight_in_kernel: Option<u32>, active_connections: u64) -> ServerStatus {
        let ordered = Some(DRAIN.to_owned());
        let inactive_connections = 0;
        ServerStatus {
            weight_in_kernel,
            active_connections,
            inactive_connections,
            ordered,
            ..server_status()
        }
    }

    #[test]
    fn a_drain_is_over_when_every_server_has_left_the_table() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(&[server(Some(0), 3), server(None, 0)]), None);
        assert_eq!(watch.left, 3);
        assert_eq!(watch.look(&[server(Some(0), 0), server(None, 0)]), None);
        assert_eq!(watch.look(&[server(None, 0), server(None, 0)]), Some(ExitStatus::Done));
    }

    #[test]
    fn one_that_leaves_with_connections_has_passed_its_deadline() {
        let mut watch = Watch::default();
        let left = |left_with| ServerStatus { left_with: Some(left_with), ..server(None, 0) };
        assert_eq!(watch.look(&[server(Some(0), 3)]), None);
        assert_eq!(watch.look(&[left(2), left(0)]), Some(ExitStatus::DeadlinePassed));
        assert_eq!(watch.left, 2);
        assert_eq!(
            Watch { left: 3 }.look(&[left(0)]),
            Some(ExitStatus::Done),
            "they ended between two looks"
        );
        assert_eq!(ExitStatus::DeadlinePassed.code(), 4);
    }

    #[test]
    fn a_drain_that_is_taken_back_is_not_waited_for() {
        let back = ServerStatus { ordered: None, ..server(Some(1), 3) };
        assert_eq!(Watch::default().look(&[back]), Some(ExitStatus::Refused));
    }
}
