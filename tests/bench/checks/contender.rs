//! The two programs: each is told of a site in its own words and started in a director's namespace.

use crate::site::Site;
use crate::world::director::binary;
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use std::fmt;
use std::fs;
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    Keepalived,
    Tandem,
}

impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Keepalived => "keepalived",
            Self::Tandem => "Tandem",
        })
    }
}

impl Program {
    pub(crate) fn start(self, site: &Site, namespace: &Namespace, folder: &Path) -> Process {
        let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
        match self {
            Self::Keepalived => {
                let (file, parent, child) =
                    (path("keepalived.conf"), path("parent.pid"), path("checkers.pid"));
                fs::write(&file, site.keepalived()).expect("keepalived's file");
                let arguments = [
                    "--dont-fork",
                    "--log-console",
                    "--no-syslog",
                    "--check",
                    "--use-file",
                    &file,
                    "--pid",
                    &parent,
                    "--checkers_pid",
                    &child,
                ];
                Process::start(namespace, "keepalived", &arguments, &folder.join("log"))
            }
            Self::Tandem => {
                let (file, state, socket) = (path("tandem.yaml"), path("state"), path("tandem.sock"));
                fs::write(&file, site.policy()).expect("the policy file");
                let arguments = ["run", "--config", &file, "--state-directory", &state, "--socket", &socket];
                Process::start(namespace, &binary(), &arguments, &folder.join("log"))
            }
        }
    }
}
