//! What the suffix of a URL's last name tells of the thing: an archive, a package, a binary.

use crate::key::Target;
use crate::magic::Format::{
    self, Adb, Ar, Bzip2, Cab, Compress, Crx, Elf, Gzip, Lz4, Lzip, Lzma, Pe, Php, Rar, Rpm,
    Script, SevenZip, Squashfs, Tar, Xar, Xz, Zip, Zstd,
};
use crate::shape::crate_download;

/// What a compressed stream may be: those who read one look at its first bytes, not at its name. Some
/// servers give it out decompressed, so that of a tar the tar is left.
const STREAM: &[Format] = &[Gzip, Bzip2, Xz, Lzma, Zstd, Lzip, Lz4, Compress, Tar];
/// A zip that may begin with what unpacks or runs it.
const RUNNABLE_ZIP: &[Format] = &[Zip, Script, Elf, Pe, Php];
const ZIP: &[Format] = &[Zip];
/// Nothing that can't be mistaken.
const ANY: &[Format] = &[];

/// Things that are compressed themselves, so that a coding can only be a label, and what their first
/// bytes are.
#[rustfmt::skip]
const ARCHIVES: &[(&[Format], &[&str])] = &[
    // Compressed streams, and tar in them.
    (STREAM, &[
        ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst", ".tzst", ".lz", ".tlz",
        ".lz4", ".lzma", ".z", ".tar", ".crate", ".gem",
    ]),
    (ANY, &[".br", ".lha", ".flatpak"]),
    // Archives; the zips of Java, Python and PHP may run.
    (RUNNABLE_ZIP, &[
        ".zip", ".jar", ".war", ".ear", ".hpi", ".jpi", ".pex", ".pyz", ".egg",
    ]),
    (&[Zip, Script, Php, Tar, Gzip, Bzip2], &[".phar"]),
    (&[SevenZip, Elf, Pe], &[".7z"]),
    (&[Rar, Elf, Pe], &[".rar"]),
    (&[Cab, Pe], &[".cab"]),
    (&[Xar], &[".xar"]),
    // Packages: Python, Java, .NET, Lua, Windows, telephones, Solus, editors and browsers.
    (ZIP, &[
        ".whl", ".conda", ".aar", ".nupkg", ".snupkg", ".rock", ".appx", ".msix", ".aab", ".ipa",
        ".eopkg", ".vsix", ".xpi",
    ]),
    (&[Crx, Zip], &[".crx"]),
    // Alpine's of both versions, and Android's.
    (&[Gzip, Adb, Zip], &[".apk"]),
    (&[Ar], &[".deb", ".udeb", ".ddeb"]),
    (&[Gzip, Ar, Tar], &[".ipk", ".opk"]),
    (&[Rpm], &[".rpm"]),
    (&[Squashfs], &[".snap", ".squashfs"]),
];

/// Further things that a program installs, runs or mounts.
#[rustfmt::skip]
const BINARIES: &[&str] = &[
    // Installers and programs.
    ".exe", ".msi", ".msp", ".msu", ".dmg", ".pkg", ".appimage", ".run", ".bin", ".efi",
    // Libraries and modules.
    ".so", ".dll", ".dylib", ".pyd", ".ko", ".wasm",
    // Images of disks and machines.
    ".iso", ".img", ".qcow2", ".vmdk", ".vdi", ".vhd", ".vhdx", ".ova", ".box", ".uf2",
    // Uncompressed archives.
    ".cpio", ".ar",
];

/// Whether the name says archive.
#[must_use]
pub fn is_archive(target: &Target) -> bool {
    archive(target).is_some()
}

/// Whether the name says archive, package or binary: what a redirect leads to is then the thing
/// itself. A crate's download says so in another way.
#[must_use]
pub fn names_file(target: &Target) -> bool {
    formats(target).is_some()
}

/// What the first bytes may be of what the name says is an archive, package or binary; none for what
/// may begin with anything. `None`: the name doesn't say so.
#[must_use]
pub fn formats(target: &Target) -> Option<&'static [Format]> {
    let segments: Vec<&str> = target.path().split('/').collect();
    let (name, folders) = segments.split_last().unwrap_or((&"", &[]));
    archive(target)
        .or_else(|| ends_in(target, BINARIES).then_some(ANY))
        .or_else(|| crate_download(folders, name).then_some(STREAM))
}

/// Whether the name says that the thing is of this content coding itself.
#[must_use]
pub fn is_of_coding(target: &Target, coding: &str) -> bool {
    let own: &[&str] = match coding {
        "gzip" | "x-gzip" => &[".gz", ".tgz", ".crate", ".apk", ".ipk", ".opk"],
        "zstd" => &[".zst", ".tzst"],
        "br" => &[".br"],
        "compress" | "x-compress" => &[".z"],
        "bzip2" | "x-bzip2" => &[".bz2", ".tbz", ".tbz2"],
        "xz" | "x-xz" => &[".xz", ".txz"],
        _ => &[],
    };
    ends_in(target, own)
        || (own.contains(&".crate") && formats(target) == Some(STREAM) && !is_archive(target))
}

fn archive(target: &Target) -> Option<&'static [Format]> {
    let mut kinds = ARCHIVES.iter();
    let found = kinds.find(|(_, suffixes)| ends_in(target, suffixes));
    found.map(|(formats, _)| *formats)
}

/// Whether a name says archive, package or binary.
pub(crate) fn is_file(name: &str) -> bool {
    let mut kinds = ARCHIVES.iter();
    kinds.any(|(_, suffixes)| is_one_of(name, suffixes)) || is_one_of(name, BINARIES)
}

fn ends_in(target: &Target, suffixes: &[&str]) -> bool {
    is_one_of(
        target.path().rsplit('/').next().unwrap_or_default(),
        suffixes,
    )
}

fn is_one_of(name: &str, suffixes: &[&str]) -> bool {
    let stem = |suffix: &&str| {
        let at = name.len().checked_sub(suffix.len()).filter(|at| *at > 0);
        at.and_then(|at| name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    suffixes.iter().any(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Target {
        Target::parse(&format!("https://mirror.example{path}")).unwrap()
    }

    #[test]
    fn files() {
        for path in [
            "/mobz/elasticsearch-head/archive/master.zip",
            "/a/b.tar.gz",
            "/a/b.TGZ",
            "/a/b.tar.xz?raw=true",
            "/w/six-1.16.0-py2.py3-none-any.whl",
            "/pool/librtmp-dev_2.4%2B20111222-1_amd64.deb",
            "/Packages/bash-5.1.8-6.el9.x86_64.rpm",
            "/api/v1/crates/serde/1.0.0/download",
            "/serde/serde-1.0.0.crate",
            "/tool/releases/download/v1/tool-x86_64.AppImage",
            "/setup.exe",
            "/debian.iso",
            "/x.wasm",
            "/ext/publisher.name-1.0.vsix",
            "/phpunit.phar",
            "/cuda_12.run",
        ] {
            assert!(names_file(&at(path)), "{path}");
        }
    }

    #[test]
    fn pages() {
        for path in [
            "/",
            "/a.zip/",
            "/.zip",
            "/zip",
            "/a.zip/page",
            "/page?file=a.zip",
            "/archive/master",
            "/index.html",
            "/install.sh",
            "/crates/serde/latest/download",
            "/crates/serde/1.0.0/downloads",
            "/v1.2.3",
            "/a.tar.gz.asc",
            "/a.gzip",
        ] {
            assert!(!names_file(&at(path)), "{path}");
        }
    }

    #[test]
    fn what_is_compressed_itself() {
        assert!(is_archive(&at("/a.tar.gz")));
        assert!(!is_archive(&at("/a.wasm")));
        assert!(!is_archive(&at("/crates/serde/1.0.0/download")));
    }

    #[test]
    fn what_a_coding_can_be_a_label_of() {
        for (path, coding, label) in [
            ("/a.tar.gz", "gzip", true),
            ("/a.tgz", "x-gzip", true),
            ("/a.crate", "gzip", true),
            ("/api/v1/crates/serde/1.0.0/download", "gzip", true),
            ("/a.tar.zst", "zstd", true),
            ("/a.js.br", "br", true),
            ("/a.tar.gz", "br", false),
            ("/a.tar.gz", "zstd", false),
            ("/a.whl", "gzip", false),
            ("/a.deb", "zstd", false),
            ("/a", "gzip", false),
        ] {
            assert_eq!(is_of_coding(&at(path), coding), label, "{path} {coding}");
        }
    }

    #[test]
    fn suffixes_are_suffixes() {
        let archives = ARCHIVES.iter().flat_map(|(_, suffixes)| *suffixes);
        let all: Vec<&&str> = archives.chain(BINARIES).collect();
        for (n, suffix) in all.iter().enumerate() {
            assert!(suffix.starts_with('.') && suffix.to_ascii_lowercase() == **suffix);
            assert!(!all[n + 1..].contains(suffix), "{suffix}");
        }
    }
}
