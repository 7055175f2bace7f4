//! Kernel settings that a policy needs, by their dotted names.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A setting under `/proc/sys`. The name's parts keep their own dots (an interface may be called `eth0.7`), so it is held
/// as a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sysctl(String);

impl Sysctl {
    /// From its path below `/proc/sys`, for example `net/ipv4/ip_forward`.
    #[must_use]
    pub fn from_path(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The path below `/proc/sys`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0
    }
}

/// The dotted name, as sysctl(8) prints it (a dot inside a part becomes a slash there).
impl fmt::Display for Sysctl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let swapped = self.0.chars().map(|letter| match letter {
            '/' => '.',
            '.' => '/',
            other => other,
        });
        formatter.write_str(&swapped.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_an_interface_name_prints_as_sysctl_8_prints_it() {
        let name = Sysctl::from_path("net/ipv4/conf/eth0.7/send_redirects");
        assert_eq!(name.to_string(), "net.ipv4.conf.eth0/7.send_redirects");
    }
}
