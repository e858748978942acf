//! Files in a folder of this machine: sealed, under random names, 256 folders of them.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use super::{
    Arrived, BlobName, Incoming, Span, Storage, Tally,
    seal::{FileKey, Opener, Sealer},
};
use crate::{disk, health};

/// What is not whole yet; a start sweeps it.
const ARRIVING: &str = ".arriving";

#[derive(Clone, Debug)]
pub struct Local {
    folder: PathBuf,
}

impl Local {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The last two letters: a name begins with the time, and the folders should fill evenly.
    fn place(&self, name: &BlobName) -> PathBuf {
        let text = name.as_str();
        self.folder.join(text.get(text.len().saturating_sub(2)..).unwrap_or_default()).join(text)
    }
}

/// Bytes that are written under another name until all of them are there.
struct Writing {
    temporary: PathBuf,
    target: PathBuf,
    sealer: Option<Sealer<BufWriter<File>>>,
    tally: Tally,
}

impl Incoming for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sealer = self.sealer.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        sealer.write(bytes)?;
        self.tally.add(bytes);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<Arrived> {
        let sealer = self.sealer.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut out = sealer.finish()?;
        out.flush()?;
        out.get_ref().sync_all()?;
        let folder = self.target.parent().ok_or(io::ErrorKind::InvalidInput)?;
        if !folder.is_dir() {
            fs::create_dir_all(folder)?;
            disk::sync_folder_of(folder)?;
        }
        disk::rename(&self.temporary, &self.target)?;
        Ok(std::mem::take(&mut self.tally).told())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // After the end there is nothing under this name; a failure leaves it to the sweep.
        drop(fs::remove_file(&self.temporary));
    }
}

impl Storage for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn begin(&self, name: &BlobName, key: &FileKey) -> io::Result<Box<dyn Incoming>> {
        let folder = self.folder.join(ARRIVING);
        fs::create_dir_all(&folder)?;
        let temporary = folder.join(name.as_str());
        let file = disk::create_private(&temporary)?;
        let sealer = Sealer::new(BufWriter::with_capacity(128 * 1024, file), key, name)?;
        Ok(Box::new(Writing { temporary, target: self.place(name), sealer: Some(sealer), tally: Tally::default() }))
    }

    fn open(&self, name: &BlobName, key: &FileKey, size: u64, span: Span) -> io::Result<Box<dyn Read + Send>> {
        // The opener reads a piece at a time; the buffer is for its header only.
        let file = BufReader::with_capacity(64, File::open(self.place(name))?);
        Ok(Box::new(Opener::new(file, key, name, size, span)?))
    }

    fn remove(&self, name: &BlobName) -> io::Result<()> {
        disk::missing_is_fine(fs::remove_file(self.folder.join(ARRIVING).join(name.as_str())))?;
        disk::missing_is_fine(fs::remove_file(self.place(name)))
    }

    fn weigh(&self, name: &BlobName) -> io::Result<Option<u64>> {
        match fs::metadata(self.place(name)) {
            Ok(told) => Ok(Some(told.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn names(&self) -> io::Result<Vec<BlobName>> {
        let mut found = Vec::new();
        let folders = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            other => other?,
        };
        for folder in folders {
            let folder = folder?;
            if folder.file_type()?.is_dir() && folder.file_name() != LOST_AND_FOUND {
                for file in fs::read_dir(folder.path())? {
                    found.extend(file?.file_name().to_str().and_then(BlobName::parse));
                }
            }
        }
        Ok(found)
    }

    fn strays(&self) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !entry.file_type()?.is_dir() {
                // A trial of a server that looks whether it can write is gone in a moment.
                found.extend((!name.starts_with(health::PROBE)).then_some(name));
            } else if is_ours(&name) {
                self.strays_in(&name, &mut found)?;
            } else if name != LOST_AND_FOUND {
                found.push(format!("{name}/"));
            }
        }
        found.sort();
        Ok(found)
    }
}

/// What file systems keep in their own root.
const LOST_AND_FOUND: &str = "lost+found";

/// A folder that this store makes.
fn is_ours(folder: &str) -> bool {
    folder == ARRIVING || folder.len() == 2 && folder.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Local {
    fn strays_in(&self, folder: &str, found: &mut Vec<String>) -> io::Result<()> {
        for file in fs::read_dir(self.folder.join(folder))? {
            let name = file?.file_name().to_string_lossy().into_owned();
            let is_in_place = BlobName::parse(&name).is_some_and(|blob| folder == ARRIVING || blob.as_str().ends_with(folder));
            if !is_in_place {
                found.push(format!("{folder}/{name}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::seal::sealed_size;

    fn keep(store: &Local, name: &BlobName, key: &FileKey, bytes: &[u8]) -> Arrived {
        let mut incoming = store.begin(name, key).unwrap();
        bytes.chunks(1000).for_each(|part| incoming.write(part).unwrap());
        incoming.finish().unwrap()
    }

    #[test]
    fn what_is_kept_comes_back_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (store, name, key) = (Local::new(folder.path()), BlobName::new(), FileKey::generate().unwrap());
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        let arrived = keep(&store, &name, &key, &bytes);
        assert_eq!((arrived.size, arrived.head.as_slice()), (100_000, &bytes[..super::super::kinds::HEAD]));
        assert_eq!(arrived.sums, crate::checksums::Checksums::of(&bytes));
        assert_eq!(store.weigh(&name).unwrap(), Some(sealed_size(100_000)));
        assert_eq!(store.names().unwrap(), std::slice::from_ref(&name));
        let mut back = Vec::new();
        store.open(&name, &key, 100_000, Span::whole(100_000)).unwrap().read_to_end(&mut back).unwrap();
        assert_eq!(back, bytes);
        store.remove(&name).unwrap();
        store.remove(&name).unwrap();
        assert_eq!((store.weigh(&name).unwrap(), store.names().unwrap().len()), (None, 0));
    }

    #[test]
    fn what_breaks_off_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, name) = (Local::new(folder.path()), BlobName::new());
        let mut incoming = store.begin(&name, &FileKey::generate().unwrap()).unwrap();
        incoming.write(b"half of a letter").unwrap();
        assert_eq!(store.names().unwrap(), std::slice::from_ref(&name), "it is there to be swept if the power falls now");
        drop(incoming);
        assert!(store.names().unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn others_on_the_machine_cannot_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (store, name) = (Local::new(folder.path()), BlobName::new());
        keep(&store, &name, &FileKey::generate().unwrap(), b"x");
        assert_eq!(fs::metadata(store.place(&name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
