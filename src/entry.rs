//! What the tree holds for a request right now: cachy's own entries with their records, and what
//! people placed. Nothing of it is remembered: the next request looks again.

use std::fs::File;

use crate::error::{Error, Result};
use crate::headers::Headers;
use crate::key::{Scheme, Target};
use crate::layout::{RelPath, path_of};
use crate::link::StatusLink;
use crate::meta::{Meta, Record, Stored};
use crate::owner::{Owner, owner};
use crate::select::{self, Fitness};
use crate::storable::leads_back;
use crate::store::Store;
use crate::tree::{Lying, Stat};

/// What is there for a request.
#[derive(Debug)]
pub enum Found {
    /// Nothing that answers it.
    Nothing {
        /// Something is stored for other request fields: the names of those, where it is so.
        vary: Option<Vec<String>>,
        /// And the best of that is still something that the request takes.
        other: Option<Box<Entry>>,
        /// `NAME/index.html` is there: the answer is a redirect where upstream can't be asked.
        index: bool,
    },
    /// A person's file.
    Placed(Placed),
    /// A person's link with a status.
    PlacedStatus(StatusLink),
    /// A person's `NAME/index.html`: the answer is a redirect to `NAME/`.
    PlacedIndex,
    /// A stored response.
    Stored(Entry),
    /// Only a digest can tell whose it is, and the file is large: ask again with time to read it.
    Undecided,
}

/// A person's file.
#[derive(Debug)]
pub struct Placed {
    /// Open for reading.
    pub file: File,
    /// As it is.
    pub stat: Stat,
    /// The media type of the response that it was once an edit of.
    pub media_type: Option<Vec<u8>>,
}

/// A stored response that answers the request.
#[derive(Debug)]
pub struct Entry {
    /// What is known of it.
    pub record: Record,
    /// Its body, open for reading; a status has its body in the record.
    pub file: Option<File>,
    /// Whose metadata it is: the nominal path, or a variant's.
    pub slot: RelPath,
}

/// Looks for what answers a GET or HEAD. With `patient`, large files are read where only their
/// digest tells whose they are.
///
/// # Errors
/// `Barred` and `Io`: the request passes by the cache.
pub fn find(store: &Store, target: &Target, request: &Headers, patient: bool) -> Result<Found> {
    loop {
        let changes = store.tree.changes();
        let found = find_now(store, target, request, patient)?;
        let persons = matches!(
            found,
            Found::Placed(_) | Found::PlacedStatus(_) | Found::PlacedIndex
        );
        // Another tree may have been moved here meanwhile: what is cachy's in one has no record in the other.
        if !persons || store.tree.changes() == changes {
            return Ok(found);
        }
    }
}

fn find_now(store: &Store, target: &Target, request: &Headers, patient: bool) -> Result<Found> {
    let rel = path_of(target);
    let lying = store.tree.look(&rel)?;
    let entry = match nominal(store, target, &rel, lying, patient)? {
        Nominal::Absent => return find_index(store, target, &rel, patient),
        Nominal::Unfit => return Ok(nothing(false)),
        Nominal::Placed(placed) => return Ok(Found::Placed(placed)),
        Nominal::Status(link) => return Ok(Found::PlacedStatus(link)),
        Nominal::Undecided => return Ok(Found::Undecided),
        Nominal::Entry(entry) => entry,
    };
    if select::matches(&entry.record, target, request) {
        return Ok(Found::Stored(entry));
    }
    let names = entry.record.selecting.iter().map(|(name, _)| name.clone());
    let names = names.collect();
    let mut other = None;
    stand_in(&mut other, entry, target, request);
    if let Some(found) = find_variant(store, target, request, &rel, patient, &mut other)? {
        return Ok(found);
    }
    Ok(Found::Nothing {
        vary: Some(names),
        other: other.map(|(_, entry)| Box::new(entry)),
        index: false,
    })
}

/// Keeps an entry that was selected by other fields where none before did better for the request.
fn stand_in(best: &mut Option<(Fitness, Entry)>, entry: Entry, target: &Target, request: &Headers) {
    if let Some(fitness) = select::fitness(&entry.record, target, request)
        && best.as_ref().is_none_or(|(best, _)| fitness > *best)
    {
        *best = Some((fitness, entry));
    }
}

/// What the nominal path of a URL has for it, whatever else a request says.
#[derive(Debug)]
pub(crate) enum Nominal {
    /// Nothing lies there.
    Absent,
    /// What lies there is not for this URL.
    Unfit,
    /// A person's file.
    Placed(Placed),
    /// A person's link with a status.
    Status(StatusLink),
    /// See [`Found::Undecided`].
    Undecided,
    /// A stored response.
    Entry(Entry),
}

/// Tells what lies at the nominal path of a URL. `patient` as for [`find`].
///
/// # Errors
/// `Io` where it can't be read.
pub(crate) fn nominal(
    store: &Store,
    target: &Target,
    rel: &RelPath,
    lying: Lying,
    patient: bool,
) -> Result<Nominal> {
    let (record, file) = match lying {
        Lying::Nothing | Lying::Folder => return Ok(Nominal::Absent),
        Lying::Status { link, text, .. } => {
            let meta = Meta::load(&store.tree, rel)?;
            match meta.and_then(|meta| status_record(meta, &text)) {
                Some(record) => (record, None),
                None if leads_to(&link, target) => return Ok(Nominal::Unfit),
                None => return Ok(Nominal::Status(link)),
            }
        }
        Lying::File {
            file, stat, linked, ..
        } => match owner(store, rel, &file, stat, linked, patient)? {
            Owner::Cachy(record) => (record, Some(file)),
            Owner::Person { media_type } => {
                return Ok(Nominal::Placed(Placed {
                    file,
                    stat,
                    media_type,
                }));
            }
            Owner::Undecided => return Ok(Nominal::Undecided),
            Owner::Torn => return Ok(Nominal::Unfit),
        },
    };
    if !answers_target(&record, target) {
        return Ok(Nominal::Unfit);
    }
    Ok(Nominal::Entry(Entry {
        record,
        file,
        slot: rel.clone(),
    }))
}

fn find_variant(
    store: &Store,
    target: &Target,
    request: &Headers,
    rel: &RelPath,
    patient: bool,
    other: &mut Option<(Fitness, Entry)>,
) -> Result<Option<Found>> {
    let names = Meta::load(&store.tree, rel)?.map_or_else(Vec::new, |meta| meta.variants);
    for name in names {
        let slot = rel.variant(&name);
        let (record, file) = match store.tree.look(&slot)? {
            Lying::File {
                file, stat, linked, ..
            } => match owner(store, &slot, &file, stat, linked, patient)? {
                Owner::Cachy(record) => (record, Some(file)),
                Owner::Undecided => return Ok(Some(Found::Undecided)),
                Owner::Torn => continue,
                // An edited variant stays what it was selected by.
                Owner::Person { media_type } => {
                    let meta = Meta::load(&store.tree, &slot)?;
                    let was = meta.and_then(|meta| meta.records.into_iter().next());
                    if was.is_some_and(|was| select::matches(&was, target, request)) {
                        return Ok(Some(Found::Placed(Placed {
                            file,
                            stat,
                            media_type,
                        })));
                    }
                    continue;
                }
            },
            Lying::Status { text, .. } => {
                let meta = Meta::load(&store.tree, &slot)?;
                match meta.and_then(|meta| status_record(meta, &text)) {
                    Some(record) => (record, None),
                    None => continue,
                }
            }
            Lying::Nothing | Lying::Folder => continue,
        };
        if !answers_target(&record, target) {
            continue;
        }
        let entry = Entry { record, file, slot };
        if select::matches(&entry.record, target, request) {
            return Ok(Some(Found::Stored(entry)));
        }
        stand_in(other, entry, target, request);
    }
    Ok(None)
}

/// Nothing lies at the path itself: `NAME/index.html` may answer with a redirect, and a person's
/// `index.html` answers for the URL that spells it.
fn find_index(store: &Store, target: &Target, rel: &RelPath, patient: bool) -> Result<Found> {
    match find_spelled_index(store, target, patient)? {
        Found::Nothing { .. } => {}
        found => return Ok(found),
    }
    if let Some(slashed) = target.with_slash() {
        let index = path_of(&slashed);
        return match store.tree.look(&index) {
            // What bars the way to the folder's index says nothing of this URL.
            Ok(Lying::Nothing | Lying::Folder) | Err(Error::Barred { .. }) => Ok(nothing(false)),
            Ok(lying) => slash(store, target, rel, &index, lying, patient),
            Err(error) => Err(error),
        };
    }
    Ok(nothing(false))
}

fn slash(
    store: &Store,
    target: &Target,
    rel: &RelPath,
    index: &RelPath,
    lying: Lying,
    patient: bool,
) -> Result<Found> {
    let meta = Meta::load(&store.tree, rel)?;
    let known = meta.and_then(|meta| {
        let mut records = meta.records.into_iter();
        records.find(|r| matches!(r.stored, Stored::Slash { .. }) && answers_scheme(r, target))
    });
    if let Some(record) = known {
        return Ok(Found::Stored(Entry {
            record,
            file: None,
            slot: rel.clone(),
        }));
    }
    match lying {
        Lying::File {
            file, stat, linked, ..
        } => Ok(match owner(store, index, &file, stat, linked, patient)? {
            Owner::Person { .. } => Found::PlacedIndex,
            Owner::Cachy(_) => nothing(true),
            Owner::Torn => nothing(false),
            Owner::Undecided => Found::Undecided,
        }),
        // A status there may itself lead back here.
        _ => Ok(nothing(false)),
    }
}

/// A person's `index.html` for a URL that spells it, where nothing is stored for that.
fn find_spelled_index(store: &Store, target: &Target, patient: bool) -> Result<Found> {
    let folder = target
        .query()
        .is_none()
        .then(|| target.path().strip_suffix("index.html"))
        .flatten()
        .filter(|path| path.ends_with('/'));
    let Some(folder) = folder else {
        return Ok(nothing(false));
    };
    let Ok(folder) = Target::new(
        target.scheme(),
        target.host(),
        target.port(),
        folder.as_bytes(),
    ) else {
        return Ok(nothing(false));
    };
    let rel = path_of(&folder);
    let Lying::File {
        file, stat, linked, ..
    } = store.tree.look(&rel)?
    else {
        return Ok(nothing(false));
    };
    match owner(store, &rel, &file, stat, linked, patient)? {
        Owner::Person { media_type } => Ok(Found::Placed(Placed {
            file,
            stat,
            media_type,
        })),
        Owner::Undecided => Ok(Found::Undecided),
        Owner::Cachy(_) | Owner::Torn => Ok(nothing(false)),
    }
}

fn nothing(index: bool) -> Found {
    Found::Nothing {
        vary: None,
        other: None,
        index,
    }
}

/// Whether a record may answer for a URL of its path at all.
fn answers_target(record: &Record, target: &Target) -> bool {
    answers_scheme(record, target) && !leads_back(record, target)
}

/// An https entry answers http too, an http entry never https.
fn answers_scheme(record: &Record, target: &Target) -> bool {
    record.scheme == Scheme::Https || target.scheme() == Scheme::Http
}

/// The record of a link with this text.
#[must_use]
pub fn status_record(meta: Meta, text: &str) -> Option<Record> {
    meta.records
        .into_iter()
        .find(|record| matches!(&record.stored, Stored::Link { text: t, .. } if t == text))
}

/// Whether a link without a record redirects to the very URL that was asked, which would loop: what
/// is left of http to https in a tree that lost its metadata.
#[must_use]
pub fn leads_to(link: &StatusLink, target: &Target) -> bool {
    link.location
        .as_deref()
        .and_then(|location| Target::parse(location).ok())
        .is_some_and(|location| location == *target)
}
