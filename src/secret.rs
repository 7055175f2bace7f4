//! Where the secrets of a policy lie, and their bytes (shell): files, or systemd's credentials. What they are for, and the
//! words for what is wrong with one, are its reader's affair. Nothing here prints one.

use crate::model::Secret;
use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A credential that systemd did not give (systemd.exec(5), `LoadCredential=`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("systemd gave none; write LoadCredential={name}:PATH into the unit")]
pub(crate) struct NoCredential {
    pub(crate) name: String,
}

/// The file of a secret.
///
/// # Errors
/// Where it is a credential, and there is none.
pub(crate) fn path_of(secret: &Secret) -> Result<PathBuf, NoCredential> {
    match secret {
        Secret::File(path) => Ok(path.clone()),
        Secret::Credential(name) => env::var_os("CREDENTIALS_DIRECTORY")
            .map(|folder| PathBuf::from(folder).join(name))
            .ok_or_else(|| NoCredential { name: name.clone() }),
    }
}

/// The bytes of a file; `None` where there are more than `longest`.
///
/// # Errors
/// The system's, where it cannot be read.
pub(crate) fn read(path: &Path, longest: usize) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    File::open(path)?.take(longest as u64 + 1).read_to_end(&mut content)?;
    Ok((content.len() <= longest).then_some(content))
}

/// The same without the newline that an editor puts at the end.
pub(crate) fn without_newline(mut content: Vec<u8>) -> Vec<u8> {
    if content.last() == Some(&b'\n') {
        content.pop();
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_to_its_bound_and_one_newline_is_no_part_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        std::fs::write(&path, "secret\n\n").expect("a file");
        assert_eq!(read(&path, 8).expect("it is there").map(without_newline), Some(b"secret\n".to_vec()));
        assert_eq!(read(&path, 7).expect("it is there"), None);
        assert_eq!(path_of(&Secret::File(path.clone())), Ok(path));
        assert!(read(folder.path().join("none").as_path(), 8).is_err());
    }
}
