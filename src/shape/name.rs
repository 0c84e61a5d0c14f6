//! What the parts of a path say: full versions, digests, and words that move.

/// Words for what is newest, whatever that is today.
const MOVING: &[&str] = &[
    "latest",
    "newest",
    "current",
    "nightly",
    "daily",
    "weekly",
    "stable",
    "unstable",
    "testing",
    "snapshot",
    "snapshots",
    "master",
    "trunk",
    "head",
    "heads",
    "tip",
    "develop",
    "devel",
    "edge",
    "canary",
    "rolling",
    "beta",
    "insiders",
    "lts",
];

/// Whether a text has so many hex digits, and nothing else.
pub(super) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether it begins with a digit.
pub(super) fn digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether it is a whole version of some ecosystem and neither a branch (`1.x`, `v1`, `master`) nor a
/// word for the newest: the rest is for that ecosystem to say.
pub(super) fn is_whole(version: &str) -> bool {
    version.bytes().any(|b| b.is_ascii_digit())
        && !is_branch(version)
        && (numbers(version) > 1 || !has_moving_word(version))
}

/// `MAJOR.MINOR.PATCH`, and what may follow (Semantic Versioning 2.0.0, sections 2, 9 and 10).
pub(super) fn is_semantic(version: &str) -> bool {
    let end = version.find(['-', '+']).unwrap_or(version.len());
    let (core, rest) = version.split_at(end);
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    core.split('.').count() == 3
        && core.split('.').all(number)
        && rest.len() != 1
        && rest
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-+.".contains(&b))
        && !is_branch(version)
}

/// `v1`, `1.x`, `v1.2.x`: what a branch or a tag that moves is called.
pub(super) fn is_branch(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let bare = text.strip_prefix('v').unwrap_or(&text);
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = bare.split(['.', '-']).collect();
    let open = |two: &[&str]| number(two[0]) && matches!(two[1], "x" | "*");
    (text.starts_with('v') && number(bare)) || parts.windows(2).any(open)
}

/// Whether a word of it says the newest.
pub(super) fn has_moving_word(text: &str) -> bool {
    words(text).any(is_moving_word)
}

/// Whether it is such a word.
pub(super) fn is_moving_word(word: &str) -> bool {
    MOVING.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The most numbers in a row, with dots between them, as in `x-1.2.3.zip`.
pub(super) fn numbers(text: &str) -> usize {
    let runs = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    let count = |run: &str| run.split('.').filter(|part| !part.is_empty()).count();
    runs.map(count).max().unwrap_or(0)
}

/// Whether it names a commit or a digest, or a day.
pub(super) fn has_digest_or_day(text: &str) -> bool {
    let day = |word: &str| {
        word.len() >= 8
            && matches!(&word[..2], "19" | "20")
            && word.as_bytes()[..8].iter().all(u8::is_ascii_digit)
    };
    let dashed = |at: usize| {
        text.as_bytes().get(at..at + 10).is_some_and(|ten| {
            ten.iter().enumerate().all(|(n, b)| match n {
                4 | 7 => *b == b'-',
                _ => b.is_ascii_digit(),
            })
        })
    };
    words(text).any(|word| [40, 64, 128].iter().any(|n| is_hex(word, *n)) || day(word))
        || (0..text.len()).any(dashed)
}

/// A digest with its algorithm, as `sha256:HEX` (also with the colon escaped).
pub(super) fn is_digest(text: &str) -> bool {
    [("sha256", 64), ("sha512", 128)]
        .iter()
        .any(|(algorithm, length)| {
            text.strip_prefix(algorithm)
                .and_then(|rest| rest.strip_prefix(':').or_else(|| rest.strip_prefix("%3A")))
                .is_some_and(|hex| is_hex(hex, *length))
        })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
}

/// What is said beside a file, of its very bytes: digests and signatures.
const BESIDE: &[&str] = &[
    ".sha1",
    ".sha224",
    ".sha256",
    ".sha384",
    ".sha512",
    ".sha256sum",
    ".sha512sum",
    ".sha256.txt",
    ".md5",
    ".md5sum",
    ".asc",
    ".sig",
    ".sign",
    ".gpg",
    ".minisig",
    ".sigstore",
    ".sigstore.json",
    ".b3",
    ".blake3",
    ".attestation",
    ".provenance",
    ".intoto.jsonl",
];

/// The name of the file that a companion speaks of; a signature may itself have a digest.
pub(super) fn companion_of(name: &str) -> Option<&str> {
    let end = |name: &str| -> Option<usize> {
        let found = BESIDE.iter().filter_map(|suffix| name.strip_suffix(suffix));
        found.map(str::len).min().filter(|length| *length > 0)
    };
    let mut found = None;
    let mut rest = name;
    while let Some(length) = end(rest) {
        rest = &rest[..length];
        found = Some(rest);
    }
    found
}

/// Whether an extension is one of files: those that have a media type.
pub(super) fn has_extension(name: &str) -> bool {
    mime_guess::from_path(name).first_raw().is_some()
}
