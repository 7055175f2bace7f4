//! Kernel settings below `/proc/sys`, of the calling thread's network namespace.
//!
//! A setting that this kernel does not have is absent, not an error. Values are compared as words: the kernel separates the
//! parts of a value by tabs, and writes a line break behind it.

use super::KernelError;
use super::error::words_of;
use crate::model::Sysctl;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The settings below one folder: `/proc/sys`, or a test's own.
#[derive(Debug)]
pub(crate) struct Sysctls {
    root: PathBuf,
}

/// The kernel's.
impl Default for Sysctls {
    fn default() -> Self {
        Self { root: PathBuf::from("/proc/sys") }
    }
}

impl Sysctls {
    /// Reads the settings asked for into `found`.
    ///
    /// # Errors
    /// When one exists and cannot be read.
    pub(crate) fn observe(
        &self,
        asked: &BTreeSet<Sysctl>,
        found: &mut BTreeMap<Sysctl, String>,
    ) -> Result<(), KernelError> {
        for sysctl in asked {
            match fs::read_to_string(self.path_of(sysctl)?) {
                Ok(text) => {
                    found.insert(sysctl.clone(), words(&text));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(KernelError::from_io(&format!("cannot read sysctl {sysctl}"), &error));
                }
            }
        }
        Ok(())
    }

    /// Sets one.
    ///
    /// # Errors
    /// When the kernel does not have it or does not take the value.
    pub(crate) fn set(&self, sysctl: &Sysctl, value: &str) -> Result<(), KernelError> {
        // `fs::write` would create a missing file where the folder is not procfs.
        let file = fs::OpenOptions::new().write(true).truncate(true).open(self.path_of(sysctl)?);
        let written =
            file.and_then(|mut file| io::Write::write_all(&mut file, format!("{value}\n").as_bytes()));
        written.map_err(|error| explain(sysctl, value, &error))
    }

    fn path_of(&self, sysctl: &Sysctl) -> Result<PathBuf, KernelError> {
        let sound = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        if !sysctl.path().split('/').all(sound) {
            let message = format!("{:?} is not the path of a setting below /proc/sys", sysctl.path());
            return Err(KernelError::new(message));
        }
        Ok(self.root.join(Path::new(sysctl.path())))
    }
}

/// The value's words, one space between them.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn explain(sysctl: &Sysctl, value: &str, error: &io::Error) -> KernelError {
    let errno = error.raw_os_error();
    let words = errno.map_or_else(|| error.to_string(), words_of);
    let advice = match errno {
        Some(libc::ENOENT) => ": this kernel does not have it (is the module that brings it loaded?)",
        Some(libc::EACCES | libc::EPERM) => ": it needs root and CAP_NET_ADMIN",
        Some(libc::EROFS) => {
            ": /proc/sys is read-only here (a container?): set it on the host, or mount /proc/sys writable"
        }
        Some(libc::EINVAL | libc::ERANGE) => ": the kernel does not take this value",
        _ => "",
    };
    KernelError { errno, message: format!("cannot set sysctl {sysctl} to {value:?}: {words}{advice}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(root: &Path) -> Sysctls {
        Sysctls { root: root.to_owned() }
    }

    #[test]
    fn values_are_read_as_words_and_written_back() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("net/ipv4")).expect("a folder");
        fs::write(folder.path().join("net/ipv4/range"), "32768\t60999\n").expect("a file");
        let sysctls = below(folder.path());
        let range = Sysctl::from_path("net/ipv4/range");
        let missing = Sysctl::from_path("net/ipv4/missing");
        let mut observed = BTreeMap::new();
        let asked = BTreeSet::from([range.clone(), missing.clone()]);
        sysctls.observe(&asked, &mut observed).expect("readable");
        assert_eq!(observed.into_iter().collect::<Vec<_>>(), [(range.clone(), "32768 60999".into())]);
        sysctls.set(&range, "1 2").expect("writable");
        assert_eq!(fs::read_to_string(folder.path().join("net/ipv4/range")).expect("a file"), "1 2\n");
        let error = sysctls.set(&missing, "1").expect_err("missing");
        assert_eq!(
            error.message,
            "cannot set sysctl net.ipv4.missing to \"1\": No such file or directory: this kernel does not have it (is the \
             module that brings it loaded?)"
        );
    }

    #[test]
    fn a_path_that_leaves_proc_sys_is_refused() {
        let sysctls = Sysctls::default();
        for path in ["", "/etc/passwd", "net/../../../etc/passwd", "net/./x", "net//x", "net/x/"] {
            assert!(sysctls.set(&Sysctl::from_path(path), "1").is_err(), "{path:?}");
        }
    }
}
