//! What the names of digests and signatures look like.

/// What follows the name of a file in the name of something that is said of its very bytes.
#[rustfmt::skip]
pub(super) const BESIDE: &[&str] = &[
    // Digests.
    ".md5", ".sha1", ".sha224", ".sha256", ".sha384", ".sha512", ".b2", ".b3", ".blake3",
    ".md5sum", ".sha1sum", ".sha256sum", ".sha512sum", ".sha256.txt", ".sha512.txt", ".digest",
    // Signatures.
    ".asc", ".sig", ".sig2", ".sign", ".gpg", ".gpgsig", ".minisig", ".sigstore", ".sigstore.json",
    ".p7s", ".prov", ".key", ".attestation", ".provenance", ".intoto.jsonl",
    // What is made of it, to fetch it in pieces.
    ".zsync",
];

/// Lists of the digests of all files in a folder.
#[rustfmt::skip]
pub(super) const SUMS: &[&str] = &[
    "SHA256SUMS", "SHA512SUMS", "SHA384SUMS", "SHA224SUMS", "SHA1SUMS", "MD5SUMS", "B2SUMS",
    "SHASUMS256.txt", "SHA256SUMS.txt", "SHA512SUMS.txt", "sha256sum.txt", "sha256sums.txt",
    "sha512sum.txt", "sha512sums.txt", "sha1sum.txt", "md5sum.txt", "sha256sums", "sha512sums",
    "SHA256SUM", "SHA512SUM", "CHECKSUM", "CHECKSUMS", "checksums.txt",
];

/// Packed as one stream.
const PACKED: &[&str] = &[".gz", ".xz", ".bz2", ".zst", ".lzma"];

/// The name of the file that something is said of.
pub(super) fn companion_of(name: &str) -> Option<&str> {
    let bare = BESIDE.iter().filter_map(|end| name.strip_suffix(end));
    bare.min_by_key(|bare| bare.len())
        .filter(|bare| !bare.is_empty())
}

/// The names that a file has where it is packed.
pub(super) fn packed(name: &str) -> impl Iterator<Item = String> {
    let is = unpacked(name).is_some();
    let ends = PACKED.iter().filter(move |_| !is);
    ends.map(move |end| format!("{name}{end}"))
}

/// The name that a packed file has without that.
pub(super) fn unpacked(name: &str) -> Option<&str> {
    PACKED.iter().find_map(|end| name.strip_suffix(end))
}
