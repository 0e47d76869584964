//! Checks a weight file against its hash, once: the result is kept in a sidecar beside the file.
//!
//! The sidecar `FILE.verified` holds size, modification time and hash. It saves seconds on a warm
//! start; it is no defence against someone who can write to the directory.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileState {
    Ok,
    Missing,
    /// Says what was found instead.
    Changed(String),
}

/// Compares a file with the size and hash it must have.
pub(crate) fn check_file(path: &Path, bytes: u64, sha256: &str) -> std::io::Result<FileState> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(FileState::Missing),
        Err(error) => return Err(error),
    };
    if metadata.len() != bytes {
        return Ok(FileState::Changed(format!("{} bytes instead of {bytes}", metadata.len())));
    }
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
    let seen = format!("{bytes} {modified} ");
    let sidecar = sidecar(path);
    let known = std::fs::read_to_string(&sidecar).ok();
    let found = match known.as_deref().and_then(|line| line.strip_prefix(&seen)) {
        Some(hash) => hash.trim().to_owned(),
        None => {
            let hash = hash_file(path)?;
            // A directory that cannot be written to only costs the next start its time.
            let _ = std::fs::write(&sidecar, format!("{seen}{hash}\n"));
            hash
        }
    };
    if found == sha256 { Ok(FileState::Ok) } else { Ok(FileState::Changed(format!("sha256 {found}"))) }
}

fn sidecar(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".verified");
    path.with_file_name(name)
}

fn hash_file(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        hasher.update(&block[..read]);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_after_the_first_check_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights");
        std::fs::write(&path, b"abc").unwrap();
        let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(check_file(&path, 3, sha).unwrap(), FileState::Ok);
        assert!(sidecar(&path).exists());
        assert_eq!(check_file(&path, 3, sha).unwrap(), FileState::Ok);
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(&path, b"abd").unwrap();
        assert!(matches!(check_file(&path, 3, sha).unwrap(), FileState::Changed(_)));
        assert_eq!(check_file(&dir.path().join("none"), 3, sha).unwrap(), FileState::Missing);
    }
}
