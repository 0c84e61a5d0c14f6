//! Names that move: what they name today is not what they name tomorrow.

use super::is_simple;
use super::name::{
    companion_of, has_digest_or_day, has_extension, has_moving_word, is_branch, is_moving_word,
    numbers,
};
use crate::key::Target;
use crate::suffix::is_file;

/// Last segments that say what there is, whatever stands before them.
const LISTS: &[&str] = &[
    "versions",
    "search",
    "latest",
    "revisions",
    "list",
    "tags",
    "releases",
    "branches",
    "refs",
    "dist-tags",
    "names",
    "all",
    "catalog",
    "_catalog",
    "summary",
    "checksums",
    "registries",
    "head",
    "index",
    "packages",
    "sources",
    "release",
    "inrelease",
    "download_count",
];

/// Beginnings of the names of index files.
const INDEXES: &[&str] = &[
    // apt.
    "inrelease",
    "release.",
    "packages.",
    "sources.",
    "contents-",
    "translation-",
    "components-",
    "commands-",
    // Alpine, rpm, pacman, Flatpak, Nix.
    "apkindex.",
    "repomd.xml",
    "summary.",
    "nix-cache-info",
    // CPAN, CRAN.
    "02packages.",
    "01mailrc.",
    "03modlist.",
    "06perms.",
    // RubyGems, Maven, Helm, Composer, conda, Julia, opam.
    "specs.4.8",
    "latest_specs.4.8",
    "prerelease_specs.4.8",
    "maven-metadata",
    "index.",
    "packages.json",
    "provider-",
    "repodata.",
    "current_repodata.",
    "repodata_shards.",
    "patch_instructions.",
    "channeldata.",
    "registries.",
    "urls.txt",
    // Cargo.
    "config.json",
];

/// Extensions of documents of data and of pages.
const DOCUMENTS: &[&str] = &[
    "json", "jsonl", "ndjson", "xml", "yaml", "yml", "toml", "atom", "rss", "rdf", "html", "htm",
    "xhtml", "php", "asp", "aspx", "jsp", "cgi",
];

/// Extensions of what a package manager installs: without a version, it is whatever is newest.
const PACKAGES: &[&str] = &[
    "deb", "udeb", "rpm", "apk", "whl", "gem", "crate", "nupkg", "conda", "jar", "war", "msi",
    "dmg", "pkg", "exe", "appimage", "snap", "flatpak", "vsix",
];

/// Whether it is an index, or says the newest, or is what a site or its program answers.
pub(super) fn is_moving(target: &Target, folders: &[&str], name: &str) -> bool {
    // Of what lies beside a file the file tells: it changes with that.
    let name = companion_of(name).unwrap_or(name);
    is_index(target, folders, name)
        || says_newest(folders, name).unwrap_or_else(|| {
            (target.query().is_some() && !is_file(name)) || is_page(folders, name)
        })
}

/// Whether the name, or the folder that says it nearest to the name, is a word for the newest, or a
/// branch, and no version. `None`: nothing is said.
pub(super) fn says_newest(folders: &[&str], name: &str) -> Option<bool> {
    let file = is_file(name);
    // A file with a version in its name is not what is newest, though it may be made anew.
    if numbers(name) > if file { 1 } else { 2 } || has_digest_or_day(name) {
        return Some(false);
    }
    let branch = is_branch(stem(name)) || (file && matches!(stem(name), "main" | "dev"));
    if branch || has_moving_word(name) {
        return Some(true);
    }
    // `main` is a part of Debian's pool, too.
    let newest =
        |folder: &str| is_moving_word(folder) || (folder == "main" && !folders.contains(&"pool"));
    folders.iter().rev().find_map(|folder| {
        let version = numbers(folder) > 2 || has_digest_or_day(folder);
        (version || newest(folder)).then_some(!version)
    })
}

/// An index of an ecosystem.
fn is_index(target: &Target, folders: &[&str], name: &str) -> bool {
    let last = folders.last().copied().unwrap_or_default();
    is_simple(target)
        || folders.contains(&"dists")
        || LISTS.contains(&name)
        || INDEXES.iter().any(|known| name.starts_with(known))
        || name == "@latest"
        || is_database(name)
        || is_sparse_crate_index(folders, name)
        // RubyGems' `/info/NAME`, and what Go resolves to a version.
        || matches!(last, "info" | "@v")
        // `/@scope/NAME` and `/@scope%2fNAME` of npm, snapshots of Maven.
        || last.starts_with('@')
        || name.starts_with('@')
        || last.ends_with("-SNAPSHOT")
        // `/v2/NAME/manifests/TAG` and `/v2/NAME/referrers/DIGEST` of OCI.
        || (folders.contains(&"v2") && matches!(last, "manifests" | "referrers"))
        // Composer, npm's `/-/...`, and programs that answer.
        || (folders.iter().any(|f| matches!(*f, "p2" | "-" | "api")) && !is_file(name))
        || (name == "json" && folders.contains(&"pypi"))
}

/// A database of pacman.
fn is_database(name: &str) -> bool {
    [
        ".db",
        ".files",
        ".db.tar.gz",
        ".files.tar.gz",
        ".db.tar.zst",
        ".files.tar.zst",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

/// `/1/a`, `/2/ab`, `/3/a/abc`, `/ab/cd/abcd...` of cargo's sparse protocol.
fn is_sparse_crate_index(folders: &[&str], name: &str) -> bool {
    match folders {
        [.., "1"] => name.len() == 1,
        [.., "2"] => name.len() == 2,
        [.., "3", first] => name.len() == 3 && name.starts_with(first),
        [.., a, b] => {
            name.is_ascii()
                && name.len() >= 4
                && a.len() == 2
                && b.len() == 2
                && name[..2] == **a
                && name[2..4] == **b
        }
        _ => false,
    }
}

/// A folder, a document or something without an extension: what a site says, or what its program
/// answers. A package without a version is one, too.
fn is_page(folders: &[&str], name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    // `chart.js` and `socket.io` are names of packages, where a registry of them answers.
    let npm = folders.is_empty() || folders.iter().any(|folder| folder.contains("npm"));
    DOCUMENTS.contains(&extension)
        || PACKAGES.contains(&extension)
        || !has_extension(name) && !is_file(name)
        || (extension == "js" && npm)
}

/// The name without its extensions.
fn stem(name: &str) -> &str {
    let ends = [".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tgz", ".zip"];
    let stem = ends.iter().find_map(|end| name.strip_suffix(end));
    stem.unwrap_or(name)
}
