//! A certificate authority of the lab's own and one server certificate, made once a test process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Paths of PEM files.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    _folder: tempfile::TempDir,
}

/// Good for `web.lab` and for every real server's and virtual address of the world.
pub(crate) fn shared() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(make)
}

const AUTHORITY_KEY: &str = "ca.key";
const DAYS: &str = "30";

fn make() -> Certificates {
    let folder = tempfile::tempdir().expect("a folder for certificates");
    let authority = folder.path().join("ca.pem");
    let authority_key = folder.path().join(AUTHORITY_KEY);
    request(&["-subj", "/CN=lab authority", "-days", DAYS], &authority, &authority_key);
    sign(folder, authority, &authority_key, DAYS)
}

/// Another certificate of the same authority and names, which expires in a day.
pub(crate) fn of_one_day() -> Certificates {
    let authority = &shared().authority;
    let folder = tempfile::tempdir().expect("a folder for a certificate");
    sign(folder, authority.clone(), &authority.with_file_name(AUTHORITY_KEY), "1")
}

fn sign(folder: tempfile::TempDir, authority: PathBuf, authority_key: &Path, days: &str) -> Certificates {
    let path = |name: &str| folder.path().join(name);
    let (certificate, key) = (path("web.pem"), path("web.key"));
    let names = format!("subjectAltName={}", names().join(","));
    // openssl would make it an authority too, which a strict client refuses as a server's certificate.
    let no_authority = "basicConstraints=critical,CA:FALSE";
    let signed_by = [
        "-CA",
        text(&authority),
        "-CAkey",
        text(authority_key),
        "-subj",
        "/CN=web.lab",
        "-addext",
        &names,
        "-addext",
        no_authority,
        "-days",
        days,
    ];
    request(&signed_by, &certificate, &key);
    Certificates { authority, certificate, key, _folder: folder }
}

fn names() -> Vec<String> {
    let hosts = [100, 101, 102, 103, 104, 110, 210].map(super::addresses::near);
    let addresses = hosts.iter().flat_map(|host| [format!("IP:{}", host.ipv4), format!("IP:{}", host.ipv6)]);
    std::iter::once("DNS:web.lab".to_owned()).chain(addresses).collect()
}

/// Makes a key and its certificate: self-signed, or signed by the authority that `arguments` name.
fn request(arguments: &[&str], certificate: &Path, key: &Path) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]);
    command.args(["-out", text(certificate), "-keyout", text(key)]).args(arguments);
    let output = command.output().expect("openssl");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
