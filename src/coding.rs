//! `Content-Encoding` (RFC 9110 section 8.4): what is asked for upstream, and what comes coded decoded on
//! its way to the tree, so that every client can read it, and a person can read and edit it.

mod decoder;
mod unsound;
mod zstd;

pub use decoder::Decoder;
pub use unsound::Unsound;

use std::io::Read;

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

use crate::cache_control::CacheControl;
use crate::digest::named;
use crate::headers::Headers;
use crate::key::Target;
use crate::select::accepts_coding;
use crate::suffix::{is_archive, names_file};

/// A coding that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`
    Gzip,
    /// `deflate`
    Deflate,
    /// `br`
    Brotli,
    /// `zstd`
    Zstd,
}

impl Coding {
    /// By its name in `Content-Encoding`, lower case. `None`: another one, or several.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }
}

/// Further names of codings (IANA, HTTP Content Coding Registry): anything else codes nothing.
const OTHERS: [&str; 8] = [
    "compress",
    "x-compress",
    "dcb",
    "dcz",
    "exi",
    "aes128gcm",
    "pack200-gzip",
    "bzip2",
];

/// Media types of what is compressed itself, so that a coding on it is likely to be a label; browsers
/// take it for one with the first of these.
const COMPRESSED: [&str; 10] = [
    "application/gzip",
    "application/x-gzip",
    "application/x-gunzip",
    "application/x-tar",
    "application/x-gtar",
    "application/x-gtar-compressed",
    "application/x-compressed-tar",
    "application/x-tgz",
    "application/zstd",
    "application/x-zstd",
];

/// So many bytes tell what something is.
const BEGINNING: usize = 1 << 10;

/// What is done with a coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It is undone.
    Decode(Coding),
    /// It stays.
    AsSent {
        /// It is a label of the thing itself: every client gets it so.
        label: bool,
    },
}

/// What goes upstream as `Accept-Encoding` in place of the client's: a coding that can be undone here,
/// whatever the client can read, so that text is spared the line; as the client says it for what is an
/// archive or a binary by its name, or is named by its digest, and where a coding could not be undone
/// before (`sound` is false).
#[must_use]
pub fn asked_upstream(request: &Headers, target: &Target, sound: bool) -> Option<&'static str> {
    let as_said =
        names_file(target) || named(target).is_some() || CacheControl::of(request).no_transform;
    let own = sound && !as_said;
    if own || (accepts_coding(request, "gzip") && !is_archive(target)) {
        Some("gzip")
    } else if request.has("accept-encoding") {
        Some("identity")
    } else {
        None
    }
}

/// What is done with the coding of a response that is stored. `asked`: what went upstream as
/// `Accept-Encoding`.
#[must_use]
pub fn treatment(
    target: &Target,
    asked: Option<&str>,
    request: &Headers,
    response: &Headers,
) -> Treatment {
    let codings = response.list("content-encoding").to_ascii_lowercase();
    let codings = codings.trim();
    if matches!(codings, "" | "identity") {
        return Treatment::AsSent { label: false };
    }
    let wanted = |coding: &str| asked.is_some_and(|asked| asked == coding.trim_start_matches("x-"));
    if is_archive(target) {
        let label = !wanted(codings);
        return Treatment::AsSent { label };
    }
    let Some(coding) = Coding::of(codings) else {
        let coded = codings.split(',').map(str::trim);
        let label = !coded
            .clone()
            .any(|c| Coding::of(c).is_some() || OTHERS.contains(&c));
        return Treatment::AsSent { label };
    };
    let readable = accepts_coding(request, codings);
    let media_type = essence(response);
    // Who can't read it is not helped by what stays as it is.
    let fixed = readable && CacheControl::of(response).no_transform;
    if is_text(&media_type) && !fixed {
        return Treatment::Decode(coding);
    }
    if readable {
        return Treatment::AsSent { label: false };
    }
    // What was asked for here, and not by the client, is undone for it.
    let negotiated = wanted("gzip");
    let label = match coding {
        Coding::Brotli | Coding::Deflate => false,
        _ if COMPRESSED.contains(&media_type.as_str()) => true,
        Coding::Gzip => is_anything(&media_type) && !negotiated,
        Coding::Zstd => false,
    };
    if label {
        Treatment::AsSent { label }
    } else {
        Treatment::Decode(coding)
    }
}

/// What has to be undone of a response that isn't stored: what the client didn't ask for, but we did.
#[must_use]
pub fn undone(
    target: &Target,
    asked: Option<&str>,
    request: &Headers,
    response: &Headers,
) -> Option<Coding> {
    let codings = response.list("content-encoding").to_ascii_lowercase();
    let ours = asked == Some("gzip") && Coding::of(codings.trim()) == Some(Coding::Gzip);
    if !ours || accepts_coding(request, &codings) {
        return None;
    }
    match treatment(target, asked, request, response) {
        Treatment::Decode(coding) => Some(coding),
        Treatment::AsSent { .. } => None,
    }
}

/// Whether a `Content-Encoding` that is stored as a label may be one: what came in brotli or zstd
/// for a name that says no archive was one only to older versions.
#[must_use]
pub fn may_be_label(target: &Target, codings: &str) -> bool {
    let codings = codings.to_ascii_lowercase();
    is_archive(target) || !matches!(Coding::of(codings.trim()), Some(c) if c != Coding::Gzip)
}

/// The first kilobyte of what begins with these coded bytes, or less.
#[must_use]
pub fn beginning(coding: &str, first: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let reader: Box<dyn Read + '_> = match Coding::of(coding) {
        Some(Coding::Gzip) => Box::new(GzDecoder::new(first)),
        Some(Coding::Deflate) if first.first().is_some_and(|b| b & 0x0f == 8) => {
            Box::new(ZlibDecoder::new(first))
        }
        Some(Coding::Deflate) => Box::new(DeflateDecoder::new(first)),
        Some(Coding::Brotli) => Box::new(Decompressor::new(first, BEGINNING)),
        Some(Coding::Zstd) => match StreamingDecoder::new(first) {
            Ok(decoder) => Box::new(decoder),
            Err(_) => return out,
        },
        None => return out,
    };
    let mut reader = reader.take(BEGINNING as u64);
    let mut bytes = [0; 256];
    // It ends in an error where the rest is missing.
    while let Ok(read) = reader.read(&mut bytes) {
        if read == 0 {
            break;
        }
        out.extend_from_slice(&bytes[..read]);
    }
    out
}

/// Takes away what tells of the coded bytes where they have been decoded: digests of the content and of
/// the representation (RFC 9530, RFC 3230, RFC 1864), and those by which stores tell of what they keep.
/// A checksum of the file itself stays: repositories (`X-Checksum-Sha1`) code on the way.
pub fn forget_digests(headers: &mut Headers) {
    headers.0.retain(|(name, _)| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let told = matches!(
            name.as_str(),
            "content-digest"
                | "repr-digest"
                | "digest"
                | "content-md5"
                | "x-goog-hash"
                | "x-goog-stored-content-encoding"
                | "x-goog-stored-content-length"
                | "x-ms-blob-content-md5"
                | "x-ms-content-crc64"
                | "x-oss-hash-crc64ecma"
                | "x-cos-hash-crc64ecma"
        );
        !told && !name.starts_with("x-amz-checksum-")
    });
}

/// The fields of a response whose coding is undone.
pub fn decoded(headers: &mut Headers) {
    headers.remove("content-encoding");
    headers.remove("content-length");
    forget_digests(headers);
}

fn essence(response: &Headers) -> String {
    let media_type = response.text("content-type").unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// A media type that says nothing.
fn is_anything(essence: &str) -> bool {
    matches!(
        essence,
        "" | "application/octet-stream" | "binary/octet-stream" | "application/binary"
    )
}

fn is_text(essence: &str) -> bool {
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    kind == "text"
        || subtype.ends_with("+json")
        || subtype.ends_with("+xml")
        || (kind == "application"
            && matches!(
                subtype,
                "json" | "xml" | "javascript" | "yaml" | "x-yaml" | "toml" | "x-ndjson"
            ))
        || (subtype.starts_with("vnd.pypi.simple.") && subtype.ends_with("+html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Treatment = Treatment::AsSent { label: true };
    const SENT: Treatment = Treatment::AsSent { label: false };

    fn fields(pairs: &[(&str, &str)]) -> Headers {
        let pairs = pairs.iter();
        Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect())
    }

    fn at(path: &str) -> Target {
        Target::parse(&format!("https://h{path}")).unwrap()
    }

    /// A client's `Accept-Encoding`, and the fields of the answer.
    fn of(path: &str, accept: &str, response: &[(&str, &str)]) -> Treatment {
        let request = fields(&[("Accept-Encoding", accept)]);
        let asked = asked_upstream(&request, &at(path), true);
        treatment(&at(path), asked, &request, &fields(response))
    }

    #[test]
    fn text_is_decoded_whoever_asks() {
        for (name, coding) in [
            ("gzip", Coding::Gzip),
            ("X-Gzip", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("br", Coding::Brotli),
            ("zstd", Coding::Zstd),
        ] {
            let answer = [
                ("Content-Encoding", name),
                ("Content-Type", "text/html; charset=x"),
            ];
            for accept in ["gzip", "identity", "", "br"] {
                assert_eq!(
                    of("/page", accept, &answer),
                    Treatment::Decode(coding),
                    "{name}"
                );
            }
            // With its name it is an archive.
            assert!(matches!(
                of("/a.zip", "identity", &answer),
                Treatment::AsSent { .. }
            ));
            let fixed = [answer[0], answer[1], ("Cache-Control", "no-transform")];
            assert_eq!(of("/page", name, &fixed), SENT);
            let decoded = Treatment::Decode(coding);
            assert_eq!(
                of("/page", "identity", &fixed),
                decoded,
                "it has to be readable"
            );
        }
        let json = ("Content-Type", "application/vnd.pypi.simple.v1+json");
        let packed = [("Content-Encoding", "gzip"), json];
        assert_eq!(
            of("/simple/six/", "gzip", &packed),
            Treatment::Decode(Coding::Gzip)
        );
    }

    #[test]
    fn what_is_no_text() {
        let octets = ("Content-Type", "application/octet-stream");
        let length = ("Content-Length", "9");
        let vary = ("Vary", "Accept, Accept-Encoding");
        let gzip = ("Content-Encoding", "gzip");
        let decoded = Treatment::Decode(Coding::Gzip);
        assert_eq!(of("/blob", "gzip", &[gzip, octets]), SENT);
        assert_eq!(of("/blob", "", &[gzip, octets, length, vary]), decoded);
        assert_eq!(of("/blob", "", &[gzip, octets]), decoded);
        assert_eq!(of("/blob", "", &[gzip, octets, length]), decoded);
        let tar = ("Content-Type", "application/x-tar");
        assert_eq!(of("/get?f=a", "", &[gzip, tar, vary]), LABEL);
        assert_eq!(
            of("/x.wasm", "", &[gzip, ("Content-Type", "application/wasm")]),
            decoded
        );
        let br = ("Content-Encoding", "br");
        assert_eq!(
            of("/blob", "", &[br, octets, length]),
            Treatment::Decode(Coding::Brotli)
        );
        assert_eq!(of("/blob", "br", &[br, octets, length]), SENT);
        let zstd = ("Content-Encoding", "zstd");
        assert_eq!(
            of("/blob", "gzip", &[zstd, octets]),
            Treatment::Decode(Coding::Zstd)
        );
        assert_eq!(
            of("/blob", "", &[zstd, ("Content-Type", "application/zstd")]),
            LABEL
        );
    }

    #[test]
    fn what_cannot_be_undone_is_for_who_can() {
        for (name, expected) in [
            ("compress", SENT),
            ("gzip, br", SENT),
            ("aes128gcm", SENT),
            ("utf-8", LABEL),
            ("none", LABEL),
            ("identity", SENT),
            ("", SENT),
        ] {
            let answer = [("Content-Encoding", name), ("Content-Type", "text/plain")];
            assert_eq!(of("/page", "gzip", &answer), expected, "{name}");
        }
    }

    #[test]
    fn what_is_asked() {
        let browser = fields(&[("Accept-Encoding", "gzip, deflate, br")]);
        let identity = fields(&[("Accept-Encoding", "identity")]);
        let hex = "a".repeat(64);
        let blob = format!("/v2/x/blobs/sha256:{hex}");
        for (path, by_browser, by_identity, by_nobody) in [
            ("/simple/six/", Some("gzip"), Some("gzip"), Some("gzip")),
            ("/lodash", Some("gzip"), Some("gzip"), Some("gzip")),
            ("/a.tar.gz", Some("identity"), Some("identity"), None),
            ("/setup.exe", Some("gzip"), Some("identity"), None),
            (&blob, Some("gzip"), Some("identity"), None),
        ] {
            assert_eq!(
                asked_upstream(&browser, &at(path), true),
                by_browser,
                "{path}"
            );
            assert_eq!(
                asked_upstream(&identity, &at(path), true),
                by_identity,
                "{path}"
            );
            assert_eq!(
                asked_upstream(&Headers::default(), &at(path), true),
                by_nobody,
                "{path}"
            );
        }
        let fixed = fields(&[("Cache-Control", "no-transform")]);
        assert_eq!(asked_upstream(&fixed, &at("/lodash"), true), None);
        for (request, expected) in [(&browser, "gzip"), (&identity, "identity")] {
            assert_eq!(
                asked_upstream(request, &at("/lodash"), false),
                Some(expected)
            );
        }
    }

    #[test]
    fn what_is_not_stored_is_readable_too() {
        let answer = fields(&[("Content-Encoding", "gzip"), ("Content-Type", "text/plain")]);
        let none = Headers::default();
        let gzip = fields(&[("Accept-Encoding", "gzip")]);
        let page = at("/page");
        assert_eq!(
            undone(&page, Some("gzip"), &none, &answer),
            Some(Coding::Gzip)
        );
        assert_eq!(undone(&page, Some("gzip"), &gzip, &answer), None);
        assert_eq!(undone(&page, None, &none, &answer), None);
    }

    #[test]
    fn digests_of_the_coded_bytes() {
        let mut headers = fields(&[
            ("Content-Type", "text/plain"),
            ("Content-Encoding", "gzip"),
            ("Content-Length", "9"),
            ("Content-Digest", "sha-256=:x:"),
            ("Repr-Digest", "sha-256=:x:"),
            ("Digest", "sha-256=x"),
            ("Content-MD5", "x"),
            ("x-goog-hash", "crc32c=x"),
            ("x-amz-checksum-sha256", "x"),
            ("x-ms-blob-content-md5", "x"),
            ("X-Checksum-Sha1", "of the file"),
            ("Want-Digest", "sha-256"),
            ("ETag", "\"x\""),
        ]);
        decoded(&mut headers);
        let left: Vec<_> = headers
            .0
            .iter()
            .map(|(n, _)| String::from_utf8_lossy(n))
            .collect();
        assert_eq!(
            left,
            ["Content-Type", "X-Checksum-Sha1", "Want-Digest", "ETag"]
        );
    }

    #[test]
    fn labels_of_older_versions() {
        assert!(may_be_label(&at("/a.tar.gz"), "gzip") && may_be_label(&at("/a.br"), "br"));
        assert!(may_be_label(&at("/blob"), "gzip") && may_be_label(&at("/page"), "utf-8"));
        assert!(!may_be_label(&at("/page"), "br") && !may_be_label(&at("/page"), "zstd"));
    }
}
