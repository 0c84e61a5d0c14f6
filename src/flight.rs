//! One response on its way from upstream: to the tree if it may be stored, and to the client.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::body::Body;
use crate::coding::Decoder;
use crate::content::{Sniff, Verdict};
use crate::digest::Named;
use crate::error::{Error, Result};
use crate::headers::Headers;
use crate::hex::hex;
use crate::key::Target;
use crate::layout::path_of;
use crate::link::StatusLink;
use crate::meta::{Record, Seen, Stored};
use crate::pipe::Pipe;
use crate::place::Temp;
use crate::store::{Kept, Store};
use crate::tree::Stat;
use crate::wake::Signal;
use crate::writer::{Failure, Writer};

/// A status with a larger body than this, bytes, is passed on without being stored.
const STATUS_BODY: usize = 1 << 20;

/// A body up to so many bytes is written in no time.
const SMALL: u64 = 64 << 10;

/// The response under way.
#[derive(Debug)]
pub struct Flight {
    pipe: Arc<Pipe>,
    keep: Keep,
    decoder: Option<Decoder>,
    /// Its coding could not be undone.
    unsound: bool,
    sniff: Option<Sniff>,
    /// What the first bytes have told, until somebody asks.
    told: Option<Verdict>,
    named: Option<Named>,
    /// Bytes that upstream announced, before decoding.
    announced: Option<u64>,
    received: u64,
}

/// What is done with a body under way.
#[derive(Debug, Default)]
pub struct Taking {
    /// What of it is stored.
    pub storing: Storing,
    /// Undoes its coding.
    pub decoder: Option<Decoder>,
    /// Looks whether it is what its name says.
    pub sniff: Option<Sniff>,
    /// The digest that its URL tells.
    pub named: Option<Named>,
    /// Bytes that upstream announced, before decoding.
    pub announced: Option<u64>,
}

#[derive(Debug)]
enum Keep {
    /// It is passed on alone.
    Nothing,
    /// The body goes to a file.
    File { temp: Temp, writer: Writer },
    /// The body goes to the metadata, beside a link or the fact that a slash is added.
    Status {
        link: Option<StatusLink>,
        body: Vec<u8>,
    },
}

/// What of a response is to be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Storing {
    /// Nothing.
    #[default]
    Nothing,
    /// The body, in a file.
    File,
    /// A status, as a link.
    Link(StatusLink),
    /// That a slash is added.
    Slash,
}

impl Flight {
    /// Begins. `demand` is rung when less of it may be wanted. Where the file can't be made, the body passes on without it.
    pub fn begin(store: &Store, demand: Signal, taking: Taking) -> Self {
        let Taking {
            storing,
            decoder,
            sniff,
            named,
            announced,
        } = taking;
        let made = (storing == Storing::File).then(|| new_file(store));
        let (file, made) = match made {
            Some(Ok((temp, file, read))) => (Some(read), Some((temp, file))),
            Some(Err(error)) => {
                store.troubles.say(&error);
                (None, None)
            }
            None => (None, None),
        };
        let announced_body = announced.filter(|_| decoder.is_none());
        let status = matches!(storing, Storing::Link(_) | Storing::Slash);
        let mut pipe = Pipe::new(demand, file, announced_body);
        if !(decoder.is_some() || status) {
            pipe = pipe.plain();
        }
        let pipe = Arc::new(pipe);
        let status = |link| Keep::Status {
            link,
            body: Vec::new(),
        };
        let keep = match (storing, made) {
            (Storing::Slash, _) => status(None),
            (Storing::Link(link), _) => status(Some(link)),
            (Storing::File, Some((temp, file))) => Keep::File {
                temp,
                writer: Writer::new(
                    file,
                    Arc::clone(&pipe),
                    named.as_ref().and_then(Named::also),
                ),
            },
            (Storing::Nothing, _) | (Storing::File, None) => Keep::Nothing,
        };
        Self {
            sniff: sniff.filter(|_| matches!(keep, Keep::File { .. })),
            told: None,
            named,
            pipe,
            keep,
            decoder,
            unsound: false,
            announced,
            received: 0,
        }
    }

    /// Whether all of it may have come, and its coding could not be undone.
    #[must_use]
    pub fn is_unsound(&self) -> bool {
        self.unsound
    }

    /// Whether its first bytes have not told yet whether it is what its name says.
    #[must_use]
    pub fn is_sniffing(&self) -> bool {
        self.sniff.is_some()
    }

    /// What the first bytes have just told.
    pub fn told(&mut self) -> Option<Verdict> {
        self.told.take()
    }

    /// Whether the response goes to the tree, as far as is known.
    #[must_use]
    pub fn is_storing(&self) -> bool {
        !matches!(self.keep, Keep::Nothing)
    }

    /// A client's end of it.
    #[must_use]
    pub fn body(&self) -> Body {
        Body::Growing(self.pipe.reader(0, None))
    }

    /// The body, for all clients.
    #[must_use]
    pub fn pipe(&self) -> Arc<Pipe> {
        Arc::clone(&self.pipe)
    }

    /// Whether the body goes to a file, from which many can read.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self.keep, Keep::File { .. })
    }

    /// Whether that file is small.
    #[must_use]
    pub fn is_small_file(&self) -> bool {
        matches!(&self.keep, Keep::File { writer, .. } if writer.size() <= SMALL)
    }

    /// The name of that file under `.cachy/tmp`.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match &self.keep {
            Keep::File { temp, .. } => Some(temp.name()),
            Keep::Nothing | Keep::Status { .. } => None,
        }
    }

    /// Rung when less of it may be wanted, or memory becomes free.
    #[must_use]
    pub fn demand(&self) -> &Signal {
        self.pipe.demand()
    }

    /// How many clients read it.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.pipe.readers()
    }

    /// Bytes that have come from upstream.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes that are still to come, where upstream announced how many there are.
    #[must_use]
    pub fn missing(&self) -> Option<u64> {
        Some(self.announced?.saturating_sub(self.received))
    }

    /// Bytes that wait in memory for the slowest client.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.pipe.backlog()
    }

    /// The next bytes from upstream.
    ///
    /// # Errors
    /// Where they can't be decoded: the client's download has to break off.
    pub fn write(&mut self, store: &Store, bytes: Cow<'_, [u8]>) -> io::Result<()> {
        self.received += bytes.len() as u64;
        let Some(mut decoder) = self.decoder.take() else {
            self.keep(store, bytes);
            return Ok(());
        };
        let fed = decoder.feed(&bytes, |piece| self.keep(store, piece.into()));
        if decoder.is_bomb() && self.is_storing() {
            log::warn!("a compressed response grows out of bounds and is not stored");
            self.pass_on_alone(store);
        }
        self.decoder = Some(decoder);
        self.unsound = fed.is_err();
        fed
    }

    /// Upstream is done. Returns whether all of it was there.
    pub fn end(&mut self, store: &Store) -> bool {
        let mut whole = self.announced.is_none_or(|n| n == self.received);
        if let Some(mut decoder) = self.decoder.take() {
            let finished = decoder.finish(|piece| self.keep(store, piece.into()));
            self.unsound |= whole && finished.is_err();
            whole &= finished.is_ok();
        }
        if let Some(sniff) = self.sniff.take().filter(|_| whole) {
            self.tell(store, sniff.end());
        }
        self.catch_up(store);
        whole
    }

    fn catch_up(&mut self, store: &Store) {
        if let Keep::File { writer, .. } = &mut self.keep
            && let Err(failure) = writer.catch_up()
        {
            self.fail(store, failure);
        }
    }

    /// Stores no more of it. What was written stays readable through the pipe's own descriptor, and
    /// what comes goes behind that.
    fn pass_on_alone(&mut self, store: &Store) {
        self.catch_up(store);
        self.keep = Keep::Nothing;
    }

    fn tell(&mut self, store: &Store, verdict: Verdict) {
        if matches!(verdict, Verdict::Foreign(_)) {
            self.pass_on_alone(store);
        }
        self.told = Some(verdict);
    }

    /// Lets the client see the end: all of it was there, or it was cut.
    pub fn close(&mut self, whole: bool) {
        if let Keep::Status { body, .. } = &mut self.keep {
            self.pipe.queue(std::mem::take(body));
        }
        self.pipe.close(whole);
    }

    /// Makes what has arrived the entry of its URL. Waits for the disk.
    ///
    /// # Errors
    /// `Barred` and `Io`, and `NotIt` where its URL tells another digest: then nothing is stored.
    pub fn commit(
        &mut self,
        store: &Store,
        target: &Target,
        request: &Headers,
        mut record: Record,
    ) -> Result<Option<Kept>> {
        let mut body = None;
        let size = self.received();
        let temp = match std::mem::replace(&mut self.keep, Keep::Nothing) {
            Keep::Nothing => return Ok(None),
            Keep::File { temp, writer } => {
                let failed = |e| Error::io("write", store.tree.root(), e);
                let announced = writer.size();
                let written = writer.finish().map_err(|failure| failed(failure.0))?;
                let digested = written.digest();
                let file = digested.file;
                let also = digested.also.as_deref();
                let checked = self.named.as_ref().map(|n| n.check(&digested.sha256, also));
                if let Some(Err(why)) = checked {
                    return Err(Error::not_it(&store.tree, target, why));
                }
                let stat = Stat::of(&file.metadata().map_err(failed)?);
                debug_assert_eq!(stat.size, announced);
                record.stored = Stored::File {
                    seen: Seen::from(stat),
                    sha256: hex(&digested.sha256),
                };
                body = Some(file);
                Some(temp)
            }
            Keep::Status { link: None, body } => {
                self.pipe.queue(body.clone());
                record.stored = Stored::Slash { body };
                None
            }
            Keep::Status {
                link: Some(link),
                body,
            } => {
                self.pipe.queue(body.clone());
                let (temp, text) = link_for(store, &link)?;
                record.stored = Stored::Link { text, body };
                Some(temp)
            }
        };
        let kept = store.put(target, request, &record, temp, body.as_ref())?;
        if let Some(body) = body {
            // Who reads along goes on holding it as the readers of a whole file do.
            let _ = body.try_lock_shared();
        }
        if kept == Kept::Stored {
            store.troubles.over(&path_of(target), size);
        }
        Ok(Some(kept))
    }

    fn fail(&mut self, store: &Store, failure: Failure) {
        let path = store.tree.path(".cachy/tmp");
        let error = Error::io("write to", path, failure.0);
        store.troubles.say_of(&error, self.received());
        // What was written stays readable through the pipe's own descriptor.
        self.keep = Keep::Nothing;
    }

    fn keep(&mut self, store: &Store, bytes: Cow<'_, [u8]>) {
        if let Some(mut sniff) = self.sniff.take() {
            match sniff.feed(&bytes) {
                Verdict::More => self.sniff = Some(sniff),
                verdict => self.tell(store, verdict),
            }
        }
        match &mut self.keep {
            Keep::Nothing => {
                self.pipe.handed(bytes.len() as u64);
                self.pipe.queue(bytes.into_owned());
            }
            Keep::File { writer, .. } => {
                if let Err(failure) = writer.write(bytes) {
                    self.fail(store, failure);
                }
            }
            Keep::Status { body, .. } => {
                // Small, so that the client gets it when it is stored.
                body.extend_from_slice(&bytes);
                if body.len() > STATUS_BODY {
                    self.pipe.handed(body.len() as u64);
                    self.pipe.queue(std::mem::take(body));
                    self.keep = Keep::Nothing;
                }
            }
        }
    }
}

fn new_file(store: &Store) -> Result<(Temp, File, File)> {
    let (temp, file) = store.tree.temp_file()?;
    let read = file
        .try_clone()
        .map_err(|e| Error::io("open", store.tree.path(".cachy/tmp"), e))?;
    Ok((temp, file, read))
}

/// A link for a status; without its Location where the file system takes none so long.
fn link_for(store: &Store, link: &StatusLink) -> Result<(Temp, String)> {
    let text = link.text();
    if let Ok(temp) = store.tree.temp_link(&text) {
        return Ok((temp, text));
    }
    let text = link.status.to_string();
    store.tree.temp_link(&text).map(|temp| (temp, text))
}
