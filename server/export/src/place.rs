//! Where an export lies: a folder, or a prefix in object storage that speaks S3.

use crate::ExportError;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Key;
use object_store::{ObjectStore, PutMultipartOptions, WriteMultipart};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// Bytes of a part: S3 wants at least five million of each but the last.
const PART: usize = 8 << 20;
/// Parts on their way at once.
const AT_ONCE: usize = 2;

/// An export's place, empty so far.
#[derive(Debug)]
pub(crate) enum Place {
    /// A folder, and the one beside it that gets its name once all is whole; it is locked while it is written, and
    /// what a killed try left in it goes.
    Folder { target: PathBuf, partial: PathBuf, _lock: fs::File, published: bool },
    /// Object storage has no renaming: there the manifest, which is written last, says that the rest is whole.
    Store { store: Arc<dyn ObjectStore>, prefix: Key },
}

/// A file being written.
#[derive(Debug)]
pub(crate) enum Sink {
    File(tokio::fs::File, PathBuf),
    Upload(WriteMultipart, String),
}

impl Sink {
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> Result<(), ExportError> {
        match self {
            Self::File(file, path) => file.write_all(&bytes).await.map_err(io(path)),
            Self::Upload(upload, name) => {
                upload.wait_for_capacity(AT_ONCE).await.map_err(elsewhere(name))?;
                upload.put(bytes.into());
                Ok(())
            }
        }
    }

    /// Ends the file; it is on the disk, or with the store, then.
    pub(crate) async fn finish(self) -> Result<(), ExportError> {
        match self {
            Self::File(mut file, path) => {
                file.flush().await.map_err(io(&path))?;
                file.sync_all().await.map_err(io(&path))
            }
            Self::Upload(upload, name) => upload.finish().await.map(|_| ()).map_err(elsewhere(&name)),
        }
    }

    /// Takes back what a store holds of it.
    pub(crate) async fn abort(self) -> Result<(), ExportError> {
        match self {
            Self::File(..) => Ok(()),
            Self::Upload(upload, name) => upload.abort().await.map_err(elsewhere(&name)),
        }
    }
}

impl Place {
    /// A path, or `s3://BUCKET/PREFIX` with the credentials that AWS's variables give.
    pub(crate) async fn open(out: &str) -> Result<Self, ExportError> {
        match url::Url::parse(out) {
            Ok(address) if address.scheme() == "s3" => {
                let (store, prefix) = storage(out)?;
                Self::within(store, prefix, out).await
            }
            Ok(address) if out.contains("://") => Err(ExportError::Address(
                out.into(),
                format!("{} is not known: give a folder or s3://BUCKET/PREFIX", address.scheme()),
            )),
            _ => Self::folder(Path::new(out)),
        }
    }

    /// A prefix of a store, which must hold nothing yet.
    pub(crate) async fn within(
        store: Arc<dyn ObjectStore>,
        prefix: Key,
        name: &str,
    ) -> Result<Self, ExportError> {
        if store.list(Some(&prefix)).try_next().await.map_err(elsewhere(name))?.is_some() {
            return Err(ExportError::NotEmpty(name.into()));
        }
        Ok(Self::Store { store, prefix })
    }

    fn folder(target: &Path) -> Result<Self, ExportError> {
        let name =
            target.file_name().map_or_else(|| "export".into(), |name| name.to_string_lossy().into_owned());
        let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let partial = parent.join(format!(".{name}.partial"));
        fs::create_dir_all(&partial).map_err(io(&partial))?;
        let lock = fs::File::open(&partial).map_err(io(&partial))?;
        let busy = || ExportError::Busy(target.to_owned());
        lock.try_lock().map_err(|_| busy())?;
        // Whoever held it until now may have given it its name.
        let held = lock.metadata().map_err(io(&partial))?.ino();
        if fs::metadata(&partial).map_err(|_| busy())?.ino() != held {
            return Err(busy());
        }
        for left in fs::read_dir(&partial).map_err(io(&partial))? {
            let left = left.map_err(io(&partial))?.path();
            fs::remove_file(&left).map_err(io(&left))?;
        }
        let place = Self::Folder { target: target.to_owned(), partial, _lock: lock, published: false };
        if fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(ExportError::NotEmpty(target.to_owned()));
        }
        Ok(place)
    }

    /// Opens a file.
    pub(crate) async fn file(&self, name: &str) -> Result<Sink, ExportError> {
        match self {
            Self::Folder { partial, .. } => {
                let path = partial.join(name);
                let file = tokio::fs::File::create(&path).await.map_err(io(&path))?;
                Ok(Sink::File(file, path))
            }
            Self::Store { store, prefix } => {
                let key = prefix.clone().join(name);
                let upload = store.put_multipart_opts(&key, PutMultipartOptions::default()).await;
                let upload = upload.map_err(elsewhere(name))?;
                Ok(Sink::Upload(WriteMultipart::new_with_chunk_size(upload, PART), name.to_owned()))
            }
        }
    }

    /// Writes a small file.
    pub(crate) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), ExportError> {
        let mut sink = self.file(name).await?;
        sink.write(bytes).await?;
        sink.finish().await
    }

    /// Gives the folder its name.
    pub(crate) fn publish(&mut self) -> Result<(), ExportError> {
        if let Self::Folder { target, partial, published, .. } = self {
            if target.exists() {
                // Only an empty folder can be here; rename cannot replace it on every system.
                fs::remove_dir(&*target).map_err(io(target))?;
            }
            fs::rename(&*partial, &*target).map_err(io(target))?;
            *published = true;
        }
        Ok(())
    }

    /// Takes back what was written to object storage.
    pub(crate) async fn clear(&self) -> Result<(), ExportError> {
        let Self::Store { store, prefix } = self else { return Ok(()) };
        let name = prefix.as_ref().to_owned();
        let found = store.list(Some(prefix)).map_ok(|it| it.location).try_collect::<Vec<Key>>().await;
        let found = found.map_err(elsewhere(&name))?;
        let keys = futures::stream::iter(found.into_iter().map(Ok)).boxed();
        let deleted = store.delete_stream(keys).try_for_each(|_| std::future::ready(Ok(())));
        deleted.await.map_err(elsewhere(&name))
    }
}

/// The store of an address `s3://BUCKET/PREFIX`, and the prefix.
fn storage(out: &str) -> Result<(Arc<dyn ObjectStore>, Key), ExportError> {
    let wrong = |why: String| ExportError::Address(out.into(), why);
    let address = url::Url::parse(out).map_err(|error| wrong(error.to_string()))?;
    // A client asks for cryptography even where it speaks plain HTTP; another part may have given it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let store = AmazonS3Builder::from_env().with_url(out).build().map_err(elsewhere(out))?;
    let prefix = Key::from_url_path(address.path()).map_err(|error| wrong(error.to_string()))?;
    Ok((Arc::new(store), prefix))
}

/// Removes everything under an address in object storage: what a try that was killed left there of the same export.
///
/// # Errors
/// [`ExportError`]: an address that is none, or the store's.
pub async fn sweep_store(out: &str) -> Result<(), ExportError> {
    let (store, prefix) = storage(out)?;
    Place::Store { store, prefix }.clear().await
}

impl Drop for Place {
    /// What was not published leaves nothing behind.
    fn drop(&mut self) {
        if let Self::Folder { partial, published: false, .. } = self {
            let _ = fs::remove_dir_all(partial);
        }
    }
}

fn elsewhere(name: &str) -> impl FnOnce(object_store::Error) -> ExportError {
    let name = name.to_owned();
    move |source| ExportError::Store { name, source: Box::new(source) }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Io { path, source }
}
