//! Errors of this layer: an errno in words, and the sentence that names the object and says what to do.

use super::KernelError;
use super::netlink::NetlinkError;
use std::io;

/// The errno's words, without its number: `Invalid argument`.
pub(crate) fn words_of(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    match text.rfind(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl KernelError {
    /// An error without an errno.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { errno: None, message: message.into() }
    }

    /// `what: the kernel's words`, and what to do where the privilege or a part of netfilter is missing.
    pub(crate) fn from_netfilter(what: &str, error: &NetlinkError, where_missing: &str) -> Self {
        let advice = match error.errno {
            libc::EPERM => ": it needs root or CAP_NET_ADMIN",
            libc::EINVAL | libc::EPROTONOSUPPORT | libc::EOPNOTSUPP => where_missing,
            _ => "",
        };
        Self { errno: Some(error.errno), message: format!("{what}: {error}{advice}") }
    }

    /// `what: the errno's words`.
    pub(crate) fn from_io(what: &str, error: &io::Error) -> Self {
        let message = match error.raw_os_error() {
            Some(errno) => format!("{what}: {}", words_of(errno)),
            None => format!("{what}: {error}"),
        };
        Self { errno: error.raw_os_error(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_is_said_in_words() {
        assert_eq!(words_of(libc::EINVAL), "Invalid argument");
        assert_eq!(
            KernelError::from_io("write", &io::Error::from_raw_os_error(libc::EACCES)).message,
            "write: Permission denied"
        );
    }
}
