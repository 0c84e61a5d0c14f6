//! Content that is not what its name says: an HTML page, nothing, or something else altogether in the
//! place of a package, which would be stored for good. The first bytes tell, as they are stored.

use crate::coding::beginning;
use crate::headers::Headers;
use crate::key::Target;
use crate::magic::{Format, Page, WINDOW, page};
use crate::shape::names_for_good;
use crate::suffix::{formats, is_of_coding};

/// What `Cache-Status` says of it.
pub const DETAIL: &str = "not-what-its-name-says";

/// So many decoded bytes tell a page.
const ENOUGH: usize = 64;

/// Looks at the first bytes of a body.
#[derive(Debug)]
pub struct Sniff {
    /// What it may be; none: anything but a page.
    formats: &'static [Format],
    /// Nothing is not it.
    filled: bool,
    media_type: String,
    coding: Option<Coding>,
    first: Vec<u8>,
}

/// The `Content-Encoding` that it is stored with.
#[derive(Debug)]
struct Coding {
    name: String,
    /// The name says that the thing is of this coding itself.
    own: bool,
    /// It is an archive, and not one file that is compressed.
    archive: bool,
}

/// What the first bytes tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough so far.
    More,
    /// Nothing speaks against its name. `coded`: it is another thing than its `Content-Encoding` is a
    /// label of, and has to be decoded.
    Fits {
        /// See above.
        coded: bool,
    },
    /// It is something else: what has come, in words.
    Foreign(String),
}

impl Sniff {
    /// For the body of a 200 with these fields as they are stored. `None`: the name says nothing that
    /// bytes could belie.
    #[must_use]
    pub fn of(target: &Target, stored: &Headers) -> Option<Self> {
        let found = formats(target);
        if found.is_none() && !is_no_page(target) {
            return None;
        }
        let media_type = stored.text("content-type").unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default();
        let codings = stored.list("content-encoding").to_ascii_lowercase();
        let name = codings.trim();
        let coding = (!matches!(name, "" | "identity")).then(|| Coding {
            own: is_of_coding(target, name),
            archive: is_tar(target),
            name: name.to_owned(),
        });
        Some(Self {
            formats: found.unwrap_or_default(),
            filled: found.is_some(),
            media_type: essence.trim().to_ascii_lowercase(),
            coding,
            first: Vec::new(),
        })
    }

    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Verdict {
        if self.first.is_empty() && bytes.len() >= WINDOW {
            return self.judge(&bytes[..WINDOW], false);
        }
        let room = WINDOW - self.first.len();
        self.first
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.judge(&self.first, false)
    }

    /// The end of the body.
    #[must_use]
    pub fn end(&self) -> Verdict {
        self.judge(&self.first, true)
    }

    fn judge(&self, first: &[u8], whole: bool) -> Verdict {
        let all = whole || first.len() >= WINDOW;
        if first.is_empty() {
            return if whole {
                Verdict::Foreign("nothing".to_owned())
            } else {
                Verdict::More
            };
        }
        let found = Format::of(first).filter(|f| *f != Format::Tar || self.formats.contains(f));
        let fits =
            found.is_some_and(|format| self.formats.contains(&format) || self.is_gzip(format));
        if fits && self.coding.is_none() {
            return Verdict::Fits { coded: false };
        }
        if Format::may_begin(first) && !all {
            return Verdict::More;
        }
        if let Some(told) = self.inside(first, all) {
            return told;
        }
        if fits || self.is_coded(found) {
            let coded = self.is_coded(found);
            return Verdict::Fits { coded };
        }
        match page(first) {
            Page::Yes => return Verdict::Foreign("an HTML page".to_owned()),
            Page::Unsure if !all => return Verdict::More,
            Page::Unsure | Page::No => {}
        }
        let told = self.media_type.as_str();
        let paper = matches!(told, "text/html" | "application/xhtml+xml");
        let text = told.starts_with("text/") || told.ends_with("json") || told.ends_with("xml");
        if self.formats.contains(&Format::Tar) && !all && (found.is_some() || text) {
            // Its mark comes late.
            return Verdict::More;
        }
        if paper && self.filled {
            return Verdict::Foreign("an HTML page by its type".to_owned());
        }
        match found {
            _ if self.formats.is_empty() => Verdict::Fits { coded: false },
            Some(format) => Verdict::Foreign(format.words().to_owned()),
            // Neither is it what it should be, nor is it said to be.
            None if text => Verdict::Foreign(told.to_owned()),
            None => Verdict::Fits { coded: false },
        }
    }

    /// What the beginning of what is coded tells, where that is enough to tell.
    fn inside(&self, first: &[u8], all: bool) -> Option<Verdict> {
        let coding = self.coding.as_ref()?;
        // A page that is compressed is what `x.html.gz` says.
        if coding.own && !coding.archive {
            return None;
        }
        let inner = beginning(&coding.name, first);
        if inner.len() < ENOUGH && !all {
            return Some(Verdict::More);
        }
        let told = self.media_type.as_str();
        let paper = matches!(
            told,
            "text/html" | "application/xhtml+xml" | "application/json"
        );
        match page(&inner) {
            Page::Yes => return Some(Verdict::Foreign("an HTML page".to_owned())),
            Page::Unsure if !all => return Some(Verdict::More),
            Page::Unsure | Page::No => {}
        }
        let own = Format::of(&inner).is_some_and(|format| self.formats.contains(&format));
        if !paper || !self.filled || own {
            return None;
        }
        Some(if all {
            Verdict::Foreign(told.to_owned())
        } else {
            Verdict::More
        })
    }

    /// Whether it is gzip as its coding says: a label of the thing, whoever came up with that.
    fn is_gzip(&self, found: Format) -> bool {
        let coding = self.coding.as_ref().map(|coding| coding.name.as_str());
        found == Format::Gzip && matches!(coding, Some("gzip" | "x-gzip"))
    }

    /// Whether it has to be decoded to be what its name says: by a coding that is no label of it.
    fn is_coded(&self, found: Option<Format>) -> bool {
        let Some(coding) = self.coding.as_ref().filter(|coding| !coding.own) else {
            return false;
        };
        match coding.name.as_str() {
            "zstd" => found == Some(Format::Zstd),
            // They have no mark.
            "br" | "deflate" => found.is_none(),
            _ => false,
        }
    }
}

/// Whether the name says that several files are in what is compressed.
fn is_tar(target: &Target) -> bool {
    let name = target.path().to_ascii_lowercase();
    let ends = [".tgz", ".tbz2", ".txz", ".tzst", ".crate", ".apk"];
    name.contains(".tar.") || ends.iter().any(|end| name.ends_with(end))
}

/// Whether the URL names one version of something that is text, and no page: a POM, a checksum.
fn is_no_page(target: &Target) -> bool {
    let name = target.path().rsplit('/').next().unwrap_or_default();
    let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    let pages = ["", "html", "htm", "xhtml"];
    let own = pages.iter().any(|page| suffix.eq_ignore_ascii_case(page));
    !own && names_for_good(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FITS: Verdict = Verdict::Fits { coded: false };

    fn sniff(path: &str, fields: &[(&str, &str)]) -> Option<Sniff> {
        let target = Target::parse(&format!("https://mirror.example{path}")).unwrap();
        let pairs = fields.iter();
        let fields = Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect());
        Sniff::of(&target, &fields)
    }

    /// What is told of a body in one piece, and then byte by byte.
    fn of(path: &str, fields: &[(&str, &str)], body: &[u8]) -> Verdict {
        let ended = |mut sniff: Sniff, size: usize| {
            for piece in body.chunks(size) {
                match sniff.feed(piece) {
                    Verdict::More => {}
                    told => return told,
                }
            }
            sniff.end()
        };
        let all = ended(sniff(path, fields).unwrap(), body.len().max(1));
        let single = ended(sniff(path, fields).unwrap(), 1);
        assert_eq!(all, single, "{path}");
        all
    }

    fn is_foreign(path: &str, fields: &[(&str, &str)], body: &[u8]) -> bool {
        matches!(of(path, fields, body), Verdict::Foreign(_))
    }

    const NAMES: [&str; 12] = [
        "/six-1.16.0-py2.py3-none-any.whl",
        "/junit-4.13.2.jar",
        "/a_1.0_amd64.deb",
        "/a.tar.gz",
        "/a.tar",
        "/a.zip",
        "/a.rpm",
        "/api/v1/crates/serde/1.0.0/download",
        "/a.7z",
        "/a.bin",
        "/setup.exe",
        "/disk.iso",
    ];

    #[test]
    fn pages_and_nothing() {
        for path in NAMES {
            assert!(is_foreign(path, &[], b""), "{path}");
            assert!(
                is_foreign(path, &[], b"<!DOCTYPE html><title>Sign in</title>"),
                "{path}"
            );
            assert!(
                is_foreign(path, &[], b"\xef\xbb\xbf\n<!-- x --><html>"),
                "{path}"
            );
            let html = [("Content-Type", "Text/HTML; charset=utf-8")];
            assert!(is_foreign(path, &html, b"you have to log in"), "{path}");
        }
        let long = format!("{}<html>", " ".repeat(WINDOW));
        assert_eq!(of("/a.bin", &[], long.as_bytes()), FITS);
    }

    #[test]
    fn what_is_coded() {
        let coded = |text: &[u8]| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            std::io::Write::write_all(&mut gzip, text).unwrap();
            gzip.finish().unwrap()
        };
        let page = coded(b"<!DOCTYPE html><title>Sign in</title>");
        let error = coded(b"{\"error\": \"rate limited\"}");
        let mut tar = vec![0; 1024];
        tar[257..262].copy_from_slice(b"ustar");
        let gzip = ("Content-Encoding", "gzip");
        let json = ("Content-Type", "application/json");
        for path in ["/a.whl", "/a.jar", "/a.deb", "/a.tgz", "/a.crate", "/a.zip"] {
            assert!(is_foreign(path, &[gzip], &page), "{path}");
            assert!(is_foreign(path, &[gzip, json], &error), "{path}");
        }
        assert_eq!(of("/a.tgz", &[gzip], &coded(&tar)), FITS);
        assert_eq!(of("/index.html.gz", &[gzip], &page), FITS);
        let deflate = [("Content-Encoding", "deflate")];
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
        std::io::Write::write_all(&mut zlib, b"<!DOCTYPE html><title>Sign in</title>").unwrap();
        assert!(is_foreign("/a.whl", &deflate, &zlib.finish().unwrap()));
    }

    #[test]
    fn what_is_something_else() {
        for (path, body) in [
            ("/a.whl", &b"\x1f\x8b\x08\0\0\0\0\0"[..]),
            ("/a.whl", b"{\"error\": \"not found\"}"),
            ("/a.deb", b"PK\x03\x04aaaa"),
            ("/a.deb", b"<Error><Code>AccessDenied</Code></Error>"),
            ("/a.rpm", b"!<arch>\ndebian"),
            ("/a.tar.gz", b"PK\x03\x04aaaa"),
            ("/a.tgz", b"\x7fELF\x02\x01\x01\0"),
            ("/a.zip", b"%PDF-1.4\n"),
            ("/a.zip", b"\xfd7zXZ\0\0\0"),
            ("/a.crate", b"#!/bin/sh\nexit"),
        ] {
            assert!(is_foreign(path, &[], body), "{path} {body:?}");
        }
        let text = [("Content-Type", "text/plain")];
        assert!(is_foreign("/a.whl", &text, b"rate limit exceeded"));
        let problem = [("Content-Type", "application/problem+json")];
        assert!(is_foreign("/a.deb", &problem, b"null"));
    }

    #[test]
    fn what_may_be_it() {
        let tar = {
            let mut header = vec![b'a'; 512];
            header[257..262].copy_from_slice(b"ustar");
            header
        };
        for (path, body) in [
            ("/a.whl", &b"PK\x03\x04aaaa"[..]),
            ("/a.jar", b"#!/bin/bash\nexec java -jar"),
            ("/a.zip", b"MZ\x90\0\x03\0\0\0"),
            ("/a.pyz", b"#!/usr/bin/env python3\nPK"),
            ("/a.pex", b"#!/usr/bin/env python3\nPK"),
            ("/a.egg", b"#!/bin/sh\nif ["),
            ("/a.crx", b"Cr24\x03\0\0\0"),
            ("/a.apk", b"\x1f\x8b\x08\0\0\0\0\0"),
            ("/a.apk", b"PK\x03\x04aaaa"),
            ("/a.run", b"#!/bin/sh\n# This script"),
            ("/a.so", b"/* GNU ld script */\nINPUT(x)"),
            ("/a.tar", &tar),
            ("/a.tar.gz", &tar),
            ("/a.gem", &tar),
            ("/a.tgz", b"\xfd7zXZ\0\0\0"),
            ("/Packages.gz", b"\x1f\x8b\x08\0\0\0\0\0"),
            ("/initrd.gz", b"070701005A"),
            ("/a.deb", b"!<arch>\ndebian-binary"),
            ("/a.zst", b"\x51\x2a\x4d\x18\0\0\0\0"),
            // Nothing that speaks against it.
            ("/a.whl", b"body"),
            ("/a.deb", b"1"),
        ] {
            assert_eq!(of(path, &[], body), FITS, "{path}");
        }
        // A server that knows no better.
        let text = [("Content-Type", "text/html")];
        assert_eq!(of("/a.zip", &text, b"PK\x03\x04aaaa"), FITS);
    }

    #[test]
    fn names_that_say_nothing() {
        for path in [
            "/",
            "/simple/six/",
            "/a.json",
            "/index.html",
            "/install.sh",
            "/a.zip/",
        ] {
            assert!(sniff(path, &[]).is_none(), "{path}");
        }
        let pom = "/m2/org/junit/junit/4.13.2/junit-4.13.2.pom";
        assert!(is_foreign(pom, &[], b"<!doctype html>"));
        assert_eq!(of(pom, &[], b"<?xml version=\"1.0\"?><project>"), FITS);
        assert!(is_foreign(pom, &[], b""));
        assert!(sniff("/m2/org/a/b/1.0/b-1.0.html", &[]).is_none());
    }

    #[test]
    fn codings_and_labels() {
        let coded = Verdict::Fits { coded: true };
        let gzip = [("Content-Encoding", "gzip")];
        let br = [("Content-Encoding", "br")];
        let packed = b"\x1f\x8b\x08\0\0\0\0\0";
        assert_eq!(of("/a.tar.gz", &gzip, packed), FITS);
        assert_eq!(of("/a.zip", &gzip, packed), FITS);
        assert_eq!(of("/a.zip", &gzip, b"PK\x03\x04aaaa"), FITS);
        let zstd = [("Content-Encoding", "zstd")];
        assert_eq!(of("/a.tar.zst", &zstd, b"\x28\xb5\x2f\xfdaaaa"), FITS);
        assert_eq!(of("/a.zip", &zstd, b"\x28\xb5\x2f\xfdaaaa"), coded);
        assert_eq!(of("/a.tar.gz", &br, b"\x0b\x02\x80abcde"), coded);
        assert_eq!(of("/a.tar.gz", &br, packed), FITS);
        assert!(is_foreign("/a.tar.gz", &gzip, b"<html><body>"));
        assert!(is_foreign("/a.zip", &gzip, b""));
    }

    proptest! {
        #[test]
        fn pieces_change_nothing(
            path in prop::sample::select(&NAMES[..]),
            body in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..1500),
                "[ \n]{0,40}(<!--[a-z ]{0,40}-->)?<[a-z!]{1,8}[ >]".prop_map(String::into_bytes),
            ],
            sizes in prop::collection::vec(1..700usize, 1..8),
            coding in prop::sample::select(vec!["", "gzip", "br", "zstd"]),
        ) {
            let fields = [("Content-Encoding", coding)];
            let mut whole = sniff(path, &fields).unwrap();
            let told = match whole.feed(&body) {
                Verdict::More => whole.end(),
                told => told,
            };
            let mut parted = sniff(path, &fields).unwrap();
            let (mut rest, mut sizes) = (&body[..], sizes.iter().cycle());
            let mut found = Verdict::More;
            while found == Verdict::More && !rest.is_empty() {
                let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                found = parted.feed(piece);
                rest = behind;
            }
            if found == Verdict::More {
                found = parted.end();
            }
            prop_assert_eq!(told, found);
        }
    }
}
