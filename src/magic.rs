//! What the first bytes of a body tell that it is, for what can't be mistaken.

/// So many bytes tell all that is ever told.
pub const WINDOW: usize = 1024;
/// The header of a tar's first member.
const TAR_HEADER: usize = 512;

/// A kind of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    // Compressed streams.
    Gzip,
    Bzip2,
    Xz,
    Lzma,
    Zstd,
    Lzip,
    Lz4,
    Compress,
    // Archives and packages.
    Tar,
    Zip,
    SevenZip,
    Rar,
    Cab,
    Xar,
    Ar,
    Rpm,
    /// Alpine's packages from version 3 on.
    Adb,
    Crx,
    Squashfs,
    // Programs, which may be the beginning of an archive that unpacks itself.
    Elf,
    Pe,
    Script,
    Php,
    // What is none of all these.
    Wasm,
    Ole,
    Pdf,
    Png,
    Gif,
    Jpeg,
    Sqlite,
    Pem,
    Json,
    /// XML, HTML or a part of such.
    Markup,
}

use Format::{
    Adb, Ar, Bzip2, Cab, Compress, Crx, Elf, Gif, Gzip, Jpeg, Json, Lz4, Lzip, Lzma, Markup, Ole,
    Pdf, Pe, Pem, Php, Png, Rar, Rpm, Script, SevenZip, Sqlite, Squashfs, Tar, Wasm, Xar, Xz, Zip,
    Zstd,
};

/// What begins with these bytes.
#[rustfmt::skip]
const BEGINNINGS: &[(Format, &[u8])] = &[
    (Gzip, b"\x1f\x8b"),
    (Bzip2, b"BZh"),
    (Xz, b"\xfd7zXZ\0"),
    (Lzma, b"\x5d\0\0"),
    (Zstd, b"\x28\xb5\x2f\xfd"),
    (Lzip, b"LZIP"),
    (Lz4, b"\x04\x22\x4d\x18"), (Lz4, b"\x02\x21\x4c\x18"),
    (Compress, b"\x1f\x9d"), (Compress, b"\x1f\xa0"),
    // A first member; the end of an empty one; one of several parts.
    (Zip, b"PK\x03\x04"), (Zip, b"PK\x05\x06"), (Zip, b"PK\x07\x08"),
    (SevenZip, b"7z\xbc\xaf\x27\x1c"),
    (Rar, b"Rar!\x1a\x07"),
    (Cab, b"MSCF"),
    (Xar, b"xar!"),
    (Ar, b"!<arch>\n"),
    (Rpm, b"\xed\xab\xee\xdb"), (Rpm, b"drpm"),
    (Adb, b"ADB"),
    (Crx, b"Cr24"),
    (Squashfs, b"hsqs"), (Squashfs, b"sqsh"),
    (Elf, b"\x7fELF"),
    (Pe, b"MZ"),
    (Script, b"#!"),
    (Php, b"<?php"),
    (Wasm, b"\0asm"),
    (Ole, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    (Pdf, b"%PDF-"),
    (Png, b"\x89PNG\r\n\x1a\n"),
    (Gif, b"GIF87a"), (Gif, b"GIF89a"),
    (Jpeg, b"\xff\xd8\xff"),
    (Sqlite, b"SQLite f"),
    (Pem, b"-----BEG"),
];

impl Format {
    /// As people call it, with an article.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Gzip => "gzip",
            Bzip2 => "bzip2",
            Xz => "xz",
            Lzma => "lzma",
            Zstd => "zstd",
            Lzip => "lzip",
            Lz4 => "lz4",
            Compress => "compress",
            Tar => "a tar",
            Zip => "a zip",
            SevenZip => "a 7z",
            Rar => "a rar",
            Cab => "a cab",
            Xar => "a xar",
            Ar => "an ar",
            Rpm => "an rpm",
            Adb => "an apk",
            Crx => "a crx",
            Squashfs => "a squashfs",
            Elf => "an ELF program",
            Pe => "a Windows program",
            Script => "a script",
            Php => "PHP",
            Wasm => "WebAssembly",
            Ole => "an OLE file",
            Pdf => "a PDF",
            Png => "a PNG",
            Gif => "a GIF",
            Jpeg => "a JPEG",
            Sqlite => "an SQLite file",
            Pem => "PEM",
            Json => "JSON",
            Markup => "XML",
        }
    }

    /// Whether bytes that tell nothing so far, or something else, may be the beginning of one that is
    /// told by its very first bytes.
    #[must_use]
    pub fn may_begin(first: &[u8]) -> bool {
        let magic = |bytes: &[u8]| bytes.len() > first.len() && bytes.starts_with(first);
        let skipped = first.len() < 4
            && first.first().is_none_or(|byte| byte & 0xf0 == 0x50)
            && b"\x2a\x4d\x18".starts_with(first.get(1..).unwrap_or_default());
        let text = match trimmed(first) {
            [b'{' | b'[', rest @ ..] => trimmed(rest).is_empty(),
            text => matches!(text, [] | [b'<' | 0xef] | [0xef, 0xbb]),
        };
        skipped || text || BEGINNINGS.iter().any(|(_, bytes)| magic(bytes))
    }

    /// What a body is by its first bytes, where that can't be mistaken: a tar before all else, since
    /// it begins with a name.
    #[must_use]
    pub fn of(first: &[u8]) -> Option<Self> {
        if is_tar(first) {
            return Some(Tar);
        }
        let found = BEGINNINGS
            .iter()
            .find(|(_, bytes)| first.starts_with(bytes));
        if let Some((format, _)) = found {
            return Some(*format);
        }
        // What a zstd reader skips (RFC 8878 section 3.1.2), which lz4 has as well.
        if first.len() >= 4 && first[0] & 0xf0 == 0x50 && first[1..4] == [0x2a, 0x4d, 0x18] {
            return Some(Zstd);
        }
        let text = trimmed(first);
        match text {
            [b'<', b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'?' | b'/', ..] => Some(Markup),
            [b'{', rest @ ..] => matches!(trimmed(rest), [b'"' | b'}', ..]).then_some(Json),
            [b'[', rest @ ..] => matches!(trimmed(rest), [b'{' | b'"' | b']', ..]).then_some(Json),
            _ => None,
        }
    }
}

/// Whether a tar begins with these bytes: by its mark, or by the checksum of the first header where it
/// is older than marks.
fn is_tar(first: &[u8]) -> bool {
    if first.len() >= 262 && &first[257..262] == b"ustar" {
        return true;
    }
    let Some(header) = first.get(..TAR_HEADER) else {
        return false;
    };
    if header.iter().all(|byte| *byte == 0) {
        // One without members.
        return true;
    }
    let field = header[148..156].trim_ascii();
    let field = field.split(|b| matches!(b, 0 | b' ')).next();
    let told = field
        .and_then(|octal| std::str::from_utf8(octal).ok())
        .and_then(|octal| u32::from_str_radix(octal, 8).ok());
    // The field itself counts as blanks.
    let sum = |range: &[u8]| range.iter().map(|b| u32::from(*b)).sum::<u32>();
    let blanks = 8 * u32::from(b' ');
    told == Some(sum(&header[..148]) + blanks + sum(&header[156..]))
}

/// Whether a body is a page for a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// It is.
    Yes,
    /// It isn't.
    No,
    /// What has come is blank, or a comment.
    Unsure,
}

/// The elements that a page begins with, as browsers tell it (WHATWG MIME Sniffing section 7.1), and
/// the fragments that stand in for one.
#[rustfmt::skip]
const ELEMENTS: &[&str] = &[
    "!doctype html", "html", "head", "body", "title", "script", "iframe", "style", "meta", "link",
    "base", "noscript", "h1", "h2", "h3", "div", "font", "table", "form", "center", "br", "p", "a",
    "b", "i", "hr", "pre", "ul", "ol", "img", "span", "main", "section", "header", "nav", "article",
];

/// Whether a body begins as a page does: a byte order mark, blanks, comments and an XML declaration
/// may stand before it.
#[must_use]
pub fn page(first: &[u8]) -> Page {
    let narrow;
    let mut rest = match first {
        [0xff, 0xfe, wide @ ..] | [0xfe, 0xff, wide @ ..] => {
            // UTF-16: of its letters only those of ASCII matter.
            narrow = wide
                .iter()
                .copied()
                .filter(|b| *b != 0)
                .collect::<Vec<u8>>();
            &narrow[..]
        }
        _ => first,
    };
    loop {
        rest = trimmed(rest);
        let end: &[u8] = match rest {
            [] | [b'<'] => return Page::Unsure,
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'?', b'x' | b'X', b'm' | b'M', b'l' | b'L', ..] => b"?>",
            [b'<', tag @ ..] => return element(tag),
            _ => return Page::No,
        };
        match memchr::memmem::find(&rest[2..], end) {
            Some(at) => rest = &rest[2 + at + end.len()..],
            None => return Page::Unsure,
        }
    }
}

fn element(tag: &[u8]) -> Page {
    let mut unsure = false;
    for element in ELEMENTS {
        let element = element.as_bytes();
        let common = tag.len().min(element.len());
        if !tag[..common].eq_ignore_ascii_case(&element[..common]) {
            continue;
        }
        match tag.get(element.len()) {
            Some(b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n' | 0x0c) => return Page::Yes,
            Some(_) => {}
            None => unsure = true,
        }
    }
    if unsure || tag == b"!" || tag == b"!-" {
        Page::Unsure
    } else {
        Page::No
    }
}

/// Without a byte order mark and blanks.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0x0c);
    let start = bytes.iter().position(|b| !blank(b));
    &bytes[start.unwrap_or(bytes.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn tar(mark: bool) -> Vec<u8> {
        let mut header = vec![0; TAR_HEADER];
        header[..9].copy_from_slice(b"<html>/PK");
        header[100..108].copy_from_slice(b"0000644\0");
        header[148..156].copy_from_slice(b"        ");
        if mark {
            header[257..263].copy_from_slice(b"ustar\0");
        }
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header
    }

    #[test]
    fn beginnings() {
        for (format, bytes) in BEGINNINGS {
            assert_eq!(Format::of(bytes), Some(*format), "{bytes:?}");
            assert!(
                (1..bytes.len()).all(|end| Format::may_begin(&bytes[..end])),
                "{bytes:?}"
            );
        }
        assert_eq!(Format::of(&tar(true)), Some(Tar));
        assert_eq!(Format::of(&tar(false)), Some(Tar));
        assert_eq!(Format::of(&tar(true)[..262]), Some(Tar));
        assert_eq!(Format::of(&[0; 1024]), Some(Tar));
        let mut broken = tar(false);
        broken[0] = b'x';
        assert_eq!(Format::of(&broken), None);
        assert_eq!(Format::of(b"\x5e\x2a\x4d\x18"), Some(Zstd));
        assert!(
            Format::may_begin(b"\x5e\x2a") && Format::may_begin(b" {\n") && Format::may_begin(b"")
        );
        assert!(!Format::may_begin(b"bo") && !Format::may_begin(b"PK\x03\x05"));
        for json in [
            "{\"error\": 1}",
            " { }",
            "[{",
            "[ \"a\"]",
            "[]",
            "\u{feff}{\"a\":1}",
        ] {
            assert_eq!(Format::of(json.as_bytes()), Some(Json), "{json}");
        }
        for markup in ["<Error>", "<?xml version", "  <!DOCTYPE", "<a"] {
            assert_eq!(Format::of(markup.as_bytes()), Some(Markup), "{markup}");
        }
        for other in ["", "{", "{a", "[1", "<", "< a", "body", "P", "PK", "xxxx"] {
            assert_eq!(Format::of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn pages() {
        for text in [
            "<!DOCTYPE html>",
            "<!doctype HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\">",
            "\u{feff}\r\n\t <html>",
            "<!-- a <b> comment --> <!-- and another -->\n<HTML lang=en>",
            "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC \"x\">",
            "<head>",
            "<title>Sign in</title>",
            "<form action=/login>",
            "<h1>It works!</h1>",
            "<p>",
            "<br/>",
        ] {
            assert_eq!(page(text.as_bytes()), Page::Yes, "{text}");
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let wide = [&b"\xff\xfe"[..], &wide].concat();
            let marked = text.starts_with('\u{feff}');
            assert!(marked || page(&wide) == Page::Yes, "{text}");
        }
        for text in [
            "body",
            "<project xmlns=",
            "<?xml version=\"1.0\"?><repomd>",
            "<!-- licence --><project>",
            "<!DOCTYPE repomd>",
            "<phone>",
            "{\"html\": \"<html>\"}",
            "PK\x03\x04",
            "1",
        ] {
            assert_eq!(page(text.as_bytes()), Page::No, "{text}");
        }
        for text in [
            "",
            " \n",
            "<",
            "<!",
            "<!-",
            "<!-- a",
            "<?xml ",
            "<ht",
            "<p",
            "<!DOCTYPE h",
        ] {
            assert_eq!(page(text.as_bytes()), Page::Unsure, "{text}");
        }
    }

    proptest! {
        /// More bytes take nothing back.
        #[test]
        fn what_is_told_stays(bytes in prop::collection::vec(any::<u8>(), 0..600), text in "[ \n<!>a-zA-Z-]{0,80}") {
            for bytes in [&bytes[..], text.as_bytes(), &[text.as_bytes(), &bytes].concat()] {
                let all = page(bytes);
                for end in 0..bytes.len() {
                    let part = page(&bytes[..end]);
                    // Two bytes may still become a mark of UTF-16.
                    prop_assert!(part == Page::Unsure || part == all || end < 3, "{end}");
                }
                let _ = Format::of(bytes);
            }
        }

        /// Whatever stands before a page that may stand there.
        #[test]
        fn a_page_behind_what_may_stand_before_it(
            before in prop::collection::vec(prop_oneof![" ", "\n", "\t", "<!-- [a-z<>]{0,30} -->"], 0..6),
            element in prop::sample::select(ELEMENTS),
        ) {
            let text = format!("{}<{element}>", before.concat());
            prop_assert_eq!(page(text.as_bytes()), Page::Yes);
            prop_assert_eq!(page(text.to_uppercase().as_bytes()), Page::Yes);
        }
    }
}
