//! cachy's core: what a caching proxy decides and stores, without Python and without sockets.
//!
//! # The way of a request
//!
//! mitmproxy takes the request from the client; the Python layer hands it over as a
//! [`request::Request`] and asks an [`exchange::Exchange`] at each turn what to do.
//!
//! 1. **Key.** [`key`] makes the canonical target URI of it, or says why it has none: dot segments,
//!    a `Host` that names another site. Such a request passes by the cache. [`way`] tells whether the
//!    host was named, or has to be found out where a client was led here on its way to an address.
//! 2. **Look-up.** [`layout`] names the path in the tree, [`tree`] looks at what lies there without
//!    leaving the folder, [`entry`] tells what answers the request, and [`owner`] whose
//!    it is: cachy's, by the record in [`meta`], or a person's, who is always right. [`link`] reads statuses, [`select`] chooses among variants.
//! 3. **Freshness.** [`freshness`] judges a stored response by its URL ([`shape`]), by what the
//!    origin said ([`cache_control`]) and by what the client asks.
//! 4. **Hit.** [`answer`] makes the head ([`conditional`], [`range`], [`multipart`],
//!    [`cache_status`]), and a [`body`] is read piece by piece as the client takes it.
//!
//!    Nearly all requests of a build end here, and need nothing of mitmproxy: they take the fast
//!    lane, from bytes to bytes. [`lane`] reads the head itself, asks the same rules whether the
//!    tree answers right now, and writes what mitmproxy would have sent; [`recall`] spares it the
//!    reading and parsing of what is still as it was. Every other request it leaves alone. Over HTTP/2
//!    some requests of a connection are hits and others are not: [`multiplex`] parts them.
//! 5. **Together.** Who wants what is being fetched takes a seat in that flight ([`flights`]) and
//!    reads along while it grows ([`growing`], [`pipe`]); what another process fetches is a flight, too ([`abroad`]). Who waits holds a ticket that the next change rings ([`wake`]). A range of what isn't there has the whole
//!    fetched behind it, by an exchange without a client.
//! 6. **Upstream.** Otherwise the request goes on, with validators of our own or with none, in a
//!    coding that can be stored ([`coding`]), in one spelling and without what would make the answer
//!    another client's ([`asking`], [`cookies`]). [`origins`] remembers which origin is dead.
//! 7. **Response.** A redirect to the thing itself is followed ([`redirect`], [`suffix`]).
//!    [`storable`] decides what is stored. A [`flight`] takes the body as it arrives: to a file
//!    under `.cachy/tmp` (by a [`writer`], made ahead as `spare`), from which every client reads at its own pace.
//!    [`content`] looks at its first bytes ([`magic`]) whether it is what its name says, [`digest`] at the
//!    end whether it has the digest that its URL tells.
//! 8. **Commit.** When all of it is there, [`store`] writes the record ([`confirm`] renews it at a
//!    304; `renewed` says so where a version has other bytes), and [`place`] renames the file into the tree, under [`locks`]; [`settled`] tells what of it is on disk. Whatever the disk refuses is said once ([`troubles`]),
//!    and the client never notices.
//!
//! # The tree, for people
//!
//! What the commands and the addon do with the tree as a whole, in use or at rest: [`survey`] looks
//! through it, [`pattern`] tells what a person means, [`inspect`] what a request would get
//! ([`outlook`]: for how long). [`upload`] puts a person's file ([`present`]: over what), [`removal`] takes entries away,
//! [`verify`] compares bytes with records, [`summary`] counts. [`last_use`] remembers what is used,
//! [`prune`] and [`orphans`] make room by that, [`budget`] knows when (`cachy_max_size`). [`misses`]
//! is the journal of what was asked for in vain.
//!
//! # Beside it
//!
//! What is asked of the proxy itself goes another way: [`internal`] answers it, uploads included. Whatever becomes of a request, the [`ledger`] is told. `enclosure` is what
//! runs a command in a network of its own.
//!
//! [`options`] are what people set, [`error`] what goes wrong, [`headers`] what HTTP is made of.
//! `python.rs` and what is below it alone know Python.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod abroad;
pub mod answer;
pub mod asking;
pub mod body;
pub mod budget;
pub mod cache_control;
pub mod cache_status;
pub mod coding;
pub mod conditional;
pub mod confirm;
pub mod content;
pub mod cookies;
pub mod digest;
#[cfg(target_os = "linux")]
pub mod enclosure;
pub mod entry;
pub mod error;
pub mod exchange;
pub mod flight;
pub mod flights;
pub mod freshness;
pub mod growing;
pub mod headers;
mod hex;
pub mod in_step;
pub mod inspect;
pub mod internal;
pub mod key;
pub mod lane;
pub mod last_use;
pub mod layout;
pub mod ledger;
pub mod link;
pub mod local;
pub mod locks;
pub mod magic;
pub mod meta;
pub mod misses;
pub mod multipart;
pub mod multiplex;
pub mod options;
pub mod origins;
pub mod orphans;
pub mod outlook;
pub mod owner;
pub mod pattern;
pub mod pipe;
pub mod place;
mod present;
pub mod prune;
pub mod range;
pub mod recall;
pub mod redirect;
pub mod removal;
mod renewed;
pub mod request;
pub mod select;
pub mod sets;
pub mod settled;
pub mod shape;
mod shell;
mod spare;
pub mod storable;
pub mod store;
pub mod suffix;
pub mod summary;
pub mod survey;
mod sweep;
pub mod tree;
pub mod troubles;
pub mod upload;
pub mod verify;
pub mod wake;
pub mod way;
pub mod writer;

#[cfg(feature = "python")]
mod python;
