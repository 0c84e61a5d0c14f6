//! Metadata of an entry: one JSON file under `.cachy/meta`, named by a hash of the entry's path, so
//! that it stays put when the entry moves to `%~self`. Written whole before the entry is renamed into
//! place, and durable where it replaces one; it keeps the record of what lay there before as well, so that a crash in
//! between never makes cachy's own file look like a person's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::io::{ErrorKind, Write};

use crate::error::{Error, Result};
use crate::headers::Headers;
use crate::hex::hex;
use crate::key::Scheme;
use crate::layout::RelPath;
use crate::tree::{Stat, Tree};

/// Milliseconds since 1970.
pub type Millis = i64;

/// All that is known of one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The canonical URL, which a cut name doesn't tell.
    pub url: String,
    /// Newest first; the second is what the first replaced.
    pub records: Vec<Record>,
    /// Hashes of the further variants beside this entry (Vary).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<String>,
    /// A file found to be a person's by its digest, so that it need not be read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<Seen>,
    /// It could not be read, since a crash came before all of it was on disk: its own time,
    /// nanoseconds since 1970.
    #[serde(skip)]
    pub cut: Option<i64>,
}

/// Size and time of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
}

impl From<Stat> for Seen {
    fn from(stat: Stat) -> Self {
        Self {
            size: stat.size,
            mtime_ns: stat.mtime_ns,
        }
    }
}

/// A stored response (RFC 9111 section 3), but for its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The scheme it was fetched by.
    pub scheme: Scheme,
    /// 200, 404, 410 or a redirect.
    pub status: u16,
    /// Without the connection's own fields.
    pub headers: Headers,
    /// Names and normalised values of the request's fields that it was selected by (Vary).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selecting: Vec<(String, String)>,
    /// When its head arrived, or was last confirmed by a 304.
    pub stored_at: Millis,
    /// Corrected initial age in seconds at that time (RFC 9111 section 4.2.3).
    #[serde(default)]
    pub initial_age: u64,
    /// When the origin was last asked about it after it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Millis>,
    /// Its end was told by the closing of the connection alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub close_delimited: bool,
    /// It came compressed and lies decoded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decoded: bool,
    /// Its `Content-Encoding` is a label of the thing itself, which every client gets so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub label: bool,
    /// It was stored without waiting for the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<Box<Unsettled>>,
    /// What is known of it as one of a set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bond: Option<Box<Bond>>,
    /// What lies in the tree.
    pub stored: Stored,
}

/// What is known of one of a set of URLs that belong together, see [`crate::sets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bond {
    /// When what was last stored or confirmed was asked for.
    pub asked_at: Millis,
    /// When its bytes came.
    pub since: Millis,
    /// When those were last asked for that they took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Millis>,
    /// Something that belongs to it is asked for, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leads: bool,
}

/// When something was stored without waiting for the disk, see [`crate::settled`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsettled {
    /// The boot of the system.
    pub boot: String,
    /// Milliseconds since that.
    pub at: Millis,
    /// The inode of the body.
    pub inode: u64,
}

/// What a record stands for in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stored {
    /// A body.
    File {
        /// Size and time that it was given.
        #[serde(flatten)]
        seen: Seen,
        /// Lower-case hex.
        sha256: String,
    },
    /// A status: a link, with its body here.
    Link {
        /// The link's text.
        text: String,
        /// The response's body.
        #[serde(with = "bytes")]
        body: Vec<u8>,
    },
    /// Nothing of its own: the origin only adds a slash, and `NAME/index.html` is the entry.
    Slash {
        /// The response's body.
        #[serde(with = "bytes")]
        body: Vec<u8>,
    },
}

impl Meta {
    /// For a URL of which nothing is known.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self {
            url,
            records: Vec::new(),
            variants: Vec::new(),
            placed: None,
            cut: None,
        }
    }

    /// Reads what is known of a path. Broken metadata counts as none, with a warning.
    ///
    /// # Errors
    /// `Io` where the file is there and can't be read.
    pub fn load(tree: &Tree, rel: &RelPath) -> Result<Option<Self>> {
        let path = file_of(rel);
        let bytes = match tree.dir().map(|dir| dir.read(&path)) {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Ok(Err(error)) => return Err(Error::io("read", tree.path(&path), error)),
            Err(error) if error.kind() == Some(ErrorKind::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&bytes) {
            Ok(meta) => Ok(Some(meta)),
            Err(error) if error.is_eof() || bytes.ends_with(&[0]) => {
                let time = tree.dir()?.metadata(&path);
                let time = time.map_err(|e| Error::io("read", tree.path(&path), e))?;
                Ok(Some(Self {
                    cut: Some(Stat::seen(&time).mtime_ns),
                    ..Self::new(String::new())
                }))
            }
            Err(error) => {
                log::warn!(
                    "{} can't be read ({error}): {} counts as placed by hand. Remove it to have it fetched again",
                    tree.path(&path).display(),
                    tree.path(rel.as_str()).display()
                );
                Ok(None)
            }
        }
    }

    /// Writes it, whole or not at all and durable.
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only.
    pub fn save(&self, tree: &Tree, rel: &RelPath) -> Result<()> {
        self.write(tree, rel, true)
    }

    /// Writes it, whole or not at all while the system runs; see [`crate::settled`].
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only.
    pub fn save_unsettled(&self, tree: &Tree, rel: &RelPath) -> Result<()> {
        self.write(tree, rel, false)
    }

    fn write(&self, tree: &Tree, rel: &RelPath, durable: bool) -> Result<()> {
        let path = file_of(rel);
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", &path));
        let failed = |e| Error::io("write", tree.path(&path), e);
        let text = serde_json::to_vec(self).map_err(|e| failed(e.into()))?;
        let (temp, mut file) = tree.temp_file()?;
        file.write_all(&text).map_err(failed)?;
        if durable {
            file.sync_data().map_err(failed)?;
        }
        let dir = tree.dir()?;
        let parent = if let Ok(parent) = dir.open_dir(folder) {
            parent
        } else {
            dir.create_dir_all(folder).map_err(failed)?;
            dir.open_dir(folder).map_err(failed)?
        };
        temp.rename_over(&parent, name).map_err(failed)?;
        if !durable {
            return Ok(());
        }
        // The folder itself, opened again: what cap-std holds can't be synced.
        let synced = parent.open(".").and_then(|folder| folder.sync_all());
        synced.map_err(failed)
    }

    /// Forgets what is known of a path.
    pub fn remove(tree: &Tree, rel: &RelPath) {
        if let Ok(dir) = tree.dir() {
            // Not there is as good.
            let _ = dir.remove_file(file_of(rel));
        }
    }
}

impl Record {
    /// Bytes of its body in the tree; what lies in the metadata counts there.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.stored {
            Stored::File { seen, .. } => seen.size,
            Stored::Link { .. } | Stored::Slash { .. } => 0,
        }
    }

    /// Whether this is what a file of that size and time is by the clock alone: to the second
    /// where a copy lost the fraction.
    #[must_use]
    pub fn is_by_clock(&self, now: Seen) -> bool {
        match &self.stored {
            Stored::File { seen, .. } => {
                let second = 1_000_000_000;
                let lost = now.mtime_ns % second == 0
                    && now.mtime_ns.div_euclid(second) == seen.mtime_ns.div_euclid(second);
                seen.size == now.size && (seen.mtime_ns == now.mtime_ns || lost)
            }
            _ => false,
        }
    }
}

/// Where all metadata lies.
pub(crate) const META: &str = ".cachy/meta";

/// Where the metadata of a path lies.
pub(crate) fn file_of(rel: &RelPath) -> String {
    let hash = hex(&Sha256::digest(rel.as_str().as_bytes())[..16]);
    format!("{META}/{}/{}.json", &hash[..2], &hash[2..])
}

mod bytes {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
