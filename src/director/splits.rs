//! What the directors of a pair must have in common, and would not while one has another policy. Pure.

use crate::model::{Pair, VirtualRouter};

/// A line for each thing.
#[must_use]
pub(super) fn splits(before: &Pair, next: &Pair) -> Vec<String> {
    if before.directors.len() < 2 && next.directors.len() < 2 {
        return Vec::new();
    }
    let routers =
        before.routers.values().filter_map(|router| Some((router, next.routers.get(&router.name)?)));
    let mut lines: Vec<String> = routers.flat_map(|(router, next)| of_router(router, next)).collect();
    if before.peer != next.peer {
        lines.push("peer: reload the other director at once: it hears no beats until it agrees".to_owned());
    }
    let sync_id = |pair: &Pair| pair.connection_sync.as_ref().map(|sync| sync.sync_id);
    if sync_id(before) != sync_id(next) {
        lines.push(
            "connection_sync: no connections are passed on until the other director has the same sync_id"
                .to_owned(),
        );
    }
    lines
}

fn of_router(router: &VirtualRouter, next: &VirtualRouter) -> Vec<String> {
    let split = |differs: bool, what: &str, then: &str| {
        differs.then(|| {
            format!(
                "router {}: {what} differs from the other director's until it is reloaded, too: {then}",
                router.name
            )
        })
    };
    let two_masters = "each believes to be alone, and both hold the addresses";
    let found = [
        split(router.vrid != next.vrid, "vrid", two_masters),
        split(router.version != next.version, "version", two_masters),
        split(router.transport != next.transport, "transport", two_masters),
        split(
            router.authentication != next.authentication,
            "authentication",
            "what is not believed is not heard",
        ),
        split(
            router.interval != next.interval,
            "advertisement_interval",
            "a Backup with the longer one is slower, and with version 2 it hears nothing",
        ),
    ];
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::{in_a_pair, policy};

    #[test]
    fn what_must_be_equal_on_both_is_said() {
        let mut before = policy([]);
        in_a_pair(&mut before, "192.0.2.1");
        let mut next = before.pair.clone();
        assert!(splits(&before.pair, &next).is_empty());
        let router = next.routers.values_mut().next().expect("a router");
        router.vrid = router.vrid.saturating_add(1);
        router.interval *= 2;
        router.addresses.push("192.0.2.2/24".parse().expect("a network"));
        next.peer.port += 1;
        let told = splits(&before.pair, &next);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("router outside: vrid differs"), "{told:?}");
    }
}
