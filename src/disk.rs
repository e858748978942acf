//! Files that are there whole or not at all, whatever moment the power goes: written under another name, synced, renamed, and the folder synced.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

/// A new file that nobody else on the machine may read.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A private file in the place of what an attempt that broke off left under this name.
pub fn create_private_anew(path: &Path) -> io::Result<File> {
    missing_is_fine(fs::remove_file(path))?;
    create_private(path)
}

/// A private file with that in it, on the disk.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_private_anew(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a file that somebody else wrote its name, once all of it is on the disk.
pub fn keep(part: &Path, name: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    rename(part, name)
}

/// A new name for a file that is on the disk; one of that name gives way.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// A new name, or one that is gone, is on the disk when its folder is.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

pub fn sync_folder_of(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new(".")))
}

/// For whoever wants something gone, and finds that it is.
pub fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_attempt_left_gives_way_and_nobody_else_reads_what_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (part, name) = (folder.path().join("a.part"), folder.path().join("a"));
        fs::write(&part, "of an earlier attempt, and longer").unwrap();
        fs::write(&name, "old").unwrap();
        assert_eq!(create_private(&part).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        write_private(&part, b"new").unwrap();
        keep(&part, &name).unwrap();
        assert_eq!(fs::read_to_string(&name).unwrap(), "new");
        assert!(!part.exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&name).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
