//! What the suffix of a URL's last name tells of the thing: an archive, a package, a binary.

use crate::key::Target;
use crate::shape::crate_download;

/// Things that are compressed themselves, so that a coding can only be a label.
#[rustfmt::skip]
const ARCHIVES: &[&str] = &[
    // Compressed streams, and tar in them.
    ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst", ".tzst", ".lz", ".tlz", ".lz4",
    ".lzma", ".br", ".z", ".tar",
    // Archives.
    ".zip", ".7z", ".rar", ".cab", ".lha", ".xar",
    // Python, Java, JavaScript, Rust, Ruby, .NET, PHP, Lua.
    ".whl", ".egg", ".pex", ".pyz", ".conda", ".jar", ".war", ".ear", ".aar", ".hpi", ".jpi",
    ".crate", ".gem", ".nupkg", ".snupkg", ".phar", ".rock",
    // Systems and telephones.
    ".deb", ".udeb", ".ddeb", ".rpm", ".apk", ".aab", ".ipa", ".ipk", ".opk", ".eopkg", ".snap",
    ".flatpak", ".appx", ".msix", ".squashfs",
    // Editors and browsers.
    ".vsix", ".xpi", ".crx",
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
    ends_in(target, ARCHIVES)
}

/// Whether the name says archive, package or binary: what a redirect leads to is then the thing
/// itself. A crate's download says so in another way.
#[must_use]
pub fn names_file(target: &Target) -> bool {
    let segments: Vec<&str> = target.path().split('/').collect();
    let (name, folders) = segments.split_last().unwrap_or((&"", &[]));
    is_archive(target) || ends_in(target, BINARIES) || crate_download(folders, name)
}

fn ends_in(target: &Target, suffixes: &[&str]) -> bool {
    let name = target.path().rsplit('/').next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    let stem = |suffix: &&str| {
        name.strip_suffix(*suffix)
            .is_some_and(|stem| !stem.is_empty())
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
    fn suffixes_are_suffixes() {
        for (n, suffix) in ARCHIVES.iter().chain(BINARIES).enumerate() {
            assert!(suffix.starts_with('.') && suffix.to_ascii_lowercase() == *suffix);
            let again = ARCHIVES.iter().chain(BINARIES).skip(n + 1);
            assert!(!again.clone().any(|other| other == suffix), "{suffix}");
        }
    }
}
