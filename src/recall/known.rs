//! One thing that is remembered.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use rustix::fs::{FileType, readlinkat};

use super::Template;
use super::proof::{Mark, open};
use crate::answer::{self, Answer};
use crate::body::{Body, Chunk};
use crate::cache_status::CacheStatus;
use crate::entry::{Entry, Nominal, Placed, nominal};
use crate::freshness::{Terms, age, format_date};
use crate::headers::Headers;
use crate::key::Target;
use crate::lane::head::Reasons;
use crate::layout::{RelPath, path_of};
use crate::link::StatusLink;
use crate::meta::{Millis, Record, file_of};
use crate::store::Store;
use crate::tree::{Lying, Stat, Tree};

/// What lies at a path, with what proves that it still does.
#[derive(Debug)]
pub struct Known {
    /// The URL.
    pub target: Target,
    /// Whose metadata it is.
    pub slot: RelPath,
    /// What it is.
    pub kind: Kind,
    /// Until when it needs not be said that it is used.
    pub used_until: AtomicI64,
    template: Template,
    /// The body, where that isn't in the file.
    body: Option<Box<[u8]>>,
    /// Where the file lies, and where its metadata does.
    at: CString,
    meta: CString,
    /// The way to the folder of its metadata and back to the root, where there is metadata.
    round: CString,
    file_mark: Mark,
    meta_mark: Option<Mark>,
}

/// What lies there.
#[derive(Debug)]
pub enum Kind {
    /// A stored response.
    Stored(Box<Record>, Terms),
    /// A person's file, with the media type of the response that it was once an edit of.
    Placed(Option<Vec<u8>>),
    /// A person's link.
    Status(StatusLink),
}

impl Known {
    /// Looks at the path of a URL. `None`: what lies there can't be remembered, or not yet.
    #[must_use]
    pub fn learn(store: &Store, target: &Target, reasons: &Reasons, now: Millis) -> Option<Self> {
        let slot = path_of(target);
        let dir = store.tree.dir().ok()?;
        let meta = CString::new(file_of(&slot)).ok()?;
        // Before anything is read: what changes after that has other marks.
        let meta_mark = Mark::at(dir.as_fd(), &meta)?;
        let (at, file, file_mark) = look(dir.as_fd(), &slot)?;
        let settled = |mark: &Mark| mark.is_settled(now);
        if !settled(&file_mark) || !meta_mark.as_ref().is_none_or(settled) {
            return None;
        }
        let round = round(&store.tree, &meta)?;
        let lying = lying(file, &file_mark, &slot)?;
        let found = nominal(store, target, &slot, lying, false).ok()?;
        let (kind, mut answer) = answered(found, target, now)?;
        let field = match &kind {
            Kind::Stored(..) => Some("age"),
            Kind::Placed(_) => Some("date"),
            Kind::Status(_) => None,
        };
        let template = Template::of(&answer, reasons, field);
        let body = match &mut answer.body {
            Body::File { .. } => None,
            body => {
                let mut all = Vec::new();
                while let Chunk::Bytes(bytes) = body.read(1 << 20).ok()? {
                    all.extend(bytes);
                }
                Some(all.into())
            }
        };
        Some(Self {
            target: target.clone(),
            slot,
            kind,
            used_until: AtomicI64::new(0),
            template,
            body,
            at,
            meta,
            round,
            file_mark,
            meta_mark,
        })
    }

    /// Whether all of it is still so. Returns the file, open.
    #[must_use]
    pub fn prove(&self, tree: &Tree) -> Option<File> {
        let dir = match self.meta_mark {
            // That the way leads to the root says that it is there, too.
            Some(_) => tree.dir_by(&self.round)?,
            None => tree.dir().ok()?,
        };
        let link = self.file_mark.kind() == FileType::Symlink;
        let file = open(dir.as_fd(), &self.at, link)?;
        if Mark::of(&file)? != self.file_mark {
            return None;
        }
        (Mark::at(dir.as_fd(), &self.meta)? == self.meta_mark).then_some(file)
    }

    /// Writes the head of the answer to a plain GET, and makes room for the body.
    pub fn write_head(&self, out: &mut Vec<u8>, now: Millis) {
        let length = usize::try_from(self.length()).unwrap_or(0);
        // The value that is filled in is no longer than that.
        out.reserve(self.template.size() + 64 + length);
        match &self.kind {
            Kind::Stored(record, _) => self.template.write(out, &age(record, now).to_string()),
            Kind::Placed(_) => self.template.write(out, &format_date(now)),
            Kind::Status(_) => self.template.write(out, ""),
        }
    }

    /// Its body, of a file that was just proven.
    #[must_use]
    pub fn body(&self, file: File) -> Body {
        match &self.body {
            Some(bytes) => Body::bytes(bytes.to_vec()),
            None => Body::File {
                file: file.into(),
                rest: 0..self.file_mark.size(),
            },
        }
    }

    /// The body where it is no file's.
    #[must_use]
    pub fn own_body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// Bytes of the body.
    #[must_use]
    pub fn length(&self) -> u64 {
        let own = self.body.as_ref().map(|body| body.len() as u64);
        own.unwrap_or_else(|| self.file_mark.size())
    }

    /// The whole answer to any request, with a file that was just proven.
    #[must_use]
    pub fn answer(
        &self,
        file: File,
        request: &Headers,
        head: bool,
        status: CacheStatus,
        now: Millis,
    ) -> Option<Answer> {
        Some(match &self.kind {
            Kind::Stored(record, _) => {
                let entry = Entry {
                    record: Record::clone(record),
                    file: self.body.is_none().then_some(file),
                    slot: self.slot.clone(),
                };
                answer::stored(entry, request, head, status, now)
            }
            Kind::Placed(media_type) => {
                let placed = Placed {
                    stat: Stat::of(&file.metadata().ok()?),
                    file,
                    media_type: media_type.clone(),
                };
                answer::placed(placed, &self.target, request, head, status)
            }
            Kind::Status(link) => answer::placed_status(link.clone(), head, status),
        })
    }

    /// Says that it is used. `used`: says so to the store, and returns until when it need not be
    /// said again.
    pub fn use_at(&self, now: Millis, used: impl FnOnce() -> Millis) {
        // Also where the clock was set back.
        let until = self.used_until.load(Relaxed);
        if !(until - crate::last_use::OFTEN..until).contains(&now) {
            self.used_until.store(used(), Relaxed);
        }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let record = match &self.kind {
            Kind::Stored(record, _) => {
                let fields = record.headers.0.iter();
                let fields: usize = fields.map(|(n, v)| n.len() + v.len() + 80).sum();
                500 + fields
            }
            Kind::Placed(_) | Kind::Status(_) => 100,
        };
        let paths = self.target.path().len() * 3 + self.round.as_bytes().len();
        let body = self.body.as_ref().map_or(0, |body| body.len());
        1000 + record + paths + self.template.size() + body
    }
}

/// Opens what lies at a path, or in the folder of that name.
fn look(dir: std::os::fd::BorrowedFd<'_>, slot: &RelPath) -> Option<(CString, File, Mark)> {
    let found = |path: &RelPath| {
        let at = CString::new(path.as_str()).ok()?;
        // What it is, before it is opened: a link can only be looked at.
        let link = Mark::at(dir, &at)??.kind() == FileType::Symlink;
        let file = open(dir, &at, link)?;
        let mark = Mark::of(&file)?;
        Some((at, file, mark))
    };
    let there = found(slot)?;
    if there.2.kind() == FileType::Directory {
        return found(&slot.as_self());
    }
    Some(there)
}

/// What was opened, as [`Tree::look`] says it.
fn lying(file: File, mark: &Mark, slot: &RelPath) -> Option<Lying> {
    match mark.kind() {
        FileType::RegularFile => Some(Lying::File {
            stat: Stat::of(&file.metadata().ok()?),
            file,
            at: slot.clone(),
            linked: false,
        }),
        FileType::Symlink => {
            let text = readlinkat(&file, c"", Vec::new()).ok()?;
            let text = text.into_string().ok()?;
            Some(Lying::Status {
                link: StatusLink::parse(&text)?,
                text,
                at: slot.clone(),
            })
        }
        _ => None,
    }
}

/// The answer of what was found to a plain GET. `None`: another time it may be another one.
fn answered(found: Nominal, target: &Target, now: Millis) -> Option<(Kind, Answer)> {
    let (plain, hit) = (Headers::default(), CacheStatus::hit());
    match found {
        Nominal::Entry(entry) => {
            let record = Box::new(entry.record.clone());
            let terms = Terms::of(&record, target);
            let answer = answer::stored(entry, &plain, false, hit, now);
            Some((Kind::Stored(record, terms), answer))
        }
        // A time that is still to come is told as now.
        Nominal::Placed(placed) if placed.stat.mtime_ns < now * 1_000_000 => {
            let media_type = placed.media_type.clone();
            let answer = answer::placed(placed, target, &plain, false, hit);
            Some((Kind::Placed(media_type), answer))
        }
        Nominal::Status(link) => {
            let answer = answer::placed_status(link.clone(), false, hit);
            Some((Kind::Status(link), answer))
        }
        Nominal::Placed(_) | Nominal::Absent | Nominal::Unfit | Nominal::Undecided => None,
    }
}

/// `ROOT/.cachy/meta/XX/../../..`
fn round(tree: &Tree, meta: &CStr) -> Option<CString> {
    let (folder, _) = meta.to_str().ok()?.rsplit_once('/')?;
    let back = "/..".repeat(folder.split('/').count());
    let mut way = tree.root().as_os_str().as_bytes().to_vec();
    way.push(b'/');
    way.extend_from_slice(folder.as_bytes());
    way.extend_from_slice(back.as_bytes());
    CString::new(way).ok()
}
