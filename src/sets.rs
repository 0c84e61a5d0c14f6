//! Which URLs belong together, told by their shape: an index and what it lists, a file and what is
//! said beside it of its very bytes. Who gets one of them is to get no older or newer one of another.

mod names;

#[cfg(test)]
mod tests;

use self::names::{BESIDE, SUMS, companion_of, packed, unpacked};
use crate::key::Target;

/// What a URL belongs to, where that is told by its shape: the index that lists it, the file that it
/// says something of. None of them need be there.
#[must_use]
pub fn indexes(target: &Target) -> Vec<Target> {
    let mut found = Found::new(target);
    if target.query().is_some() {
        return Vec::new();
    }
    let Some((folder, name)) = target.path().rsplit_once('/') else {
        return Vec::new();
    };
    found.described(folder, name);
    let folders: Vec<&str> = folder.split('/').skip(1).collect();
    match folders.iter().rposition(|f| *f == "dists") {
        Some(at) => found.apt(&folders, at, name),
        None => found.flat_apt(folder, name),
    }
    match folders.last().copied().unwrap_or_default() {
        "repodata" if name != "repomd.xml" => found.add(folder, "repomd.xml"),
        // RubyGems' compact index: `/versions` has a digest of each `/info/NAME`.
        "info" => found.add(folder.strip_suffix("/info").unwrap_or(folder), "versions"),
        // What a snapshot is today, but for those that have their time in their name.
        last if last.ends_with("-SNAPSHOT") && name.contains("-SNAPSHOT") => {
            found.add(folder, "maven-metadata.xml");
        }
        _ => {}
    }
    found.conda(folder, name);
    found.named(folder, name);
    found.all
}

/// Whether a URL belongs to another.
#[must_use]
pub fn is_part(target: &Target) -> bool {
    !indexes(target).is_empty()
}

/// Whether it is, by its name, a digest or a signature of something beside it.
#[must_use]
pub fn is_beside(target: &Target) -> bool {
    let name = target.path().rsplit('/').next().unwrap_or_default();
    target.query().is_none() && companion_of(name).is_some()
}

/// The names beside a file that may say something of its bytes: digests, signatures, lists of digests.
pub fn beside(name: &str) -> impl Iterator<Item = String> {
    let own = BESIDE.iter().map(move |end| format!("{name}{end}"));
    // A signature may be of what is in the file, as of a kernel's `linux-6.1.tar`.
    let inner = unpacked(name).map(|inner| BESIDE.iter().map(move |end| format!("{inner}{end}")));
    let sums = SUMS.iter().map(|sums| (*sums).to_owned());
    let sums = sums.filter(move |sums| name != sums);
    own.chain(inner.into_iter().flatten()).chain(sums)
}

/// Whether it lists digests of the files in its folder.
#[must_use]
pub fn is_sums(target: &Target) -> bool {
    let name = target.path().rsplit('/').next().unwrap_or_default();
    target.query().is_none() && SUMS.contains(&name)
}

struct Found<'a> {
    target: &'a Target,
    all: Vec<Target>,
}

impl<'a> Found<'a> {
    fn new(target: &'a Target) -> Self {
        Self {
            target,
            all: Vec::new(),
        }
    }

    fn add(&mut self, folder: &str, name: &str) {
        let path = format!("{folder}/{name}");
        let new = path != self.target.path();
        if let Some(target) = self.target.at(&path).filter(|_| new)
            && !self.all.contains(&target)
        {
            self.all.push(target);
        }
    }

    /// The file that a digest or a signature is of, which may be a digest itself.
    fn described(&mut self, folder: &str, name: &str) {
        let mut rest = name;
        while let Some(bare) = companion_of(rest) {
            self.add(folder, bare);
            for name in packed(bare) {
                self.add(folder, &name);
            }
            rest = bare;
        }
    }

    /// All below `dists/SUITE`; a suite's name may have slashes, so each folder may be one.
    fn apt(&mut self, folders: &[&str], dists: usize, name: &str) {
        if folders.contains(&"by-hash") {
            return;
        }
        let own = matches!(name, "InRelease" | "Release" | "Release.gpg");
        let deepest = folders.len() - usize::from(own);
        for end in dists + 2..=deepest {
            let folder = format!("/{}", folders[..end].join("/"));
            self.add(&folder, "InRelease");
            self.add(&folder, "Release");
        }
    }

    /// A repository in one folder.
    fn flat_apt(&mut self, folder: &str, name: &str) {
        let stem = name.split('.').next().unwrap_or(name);
        if matches!(stem, "Packages" | "Sources") || name.starts_with("Contents-") {
            self.add(folder, "InRelease");
            self.add(folder, "Release");
        }
    }

    /// `repodata.json` as it is and packed, and the list of changes to it.
    fn conda(&mut self, folder: &str, name: &str) {
        if let Some(at) = name.find("repodata").and_then(|_| name.find(".json.")) {
            self.add(folder, &name[..at + ".json".len()]);
        }
        if let Some(stem) = name
            .strip_suffix(".jlap")
            .filter(|s| s.contains("repodata"))
        {
            let stem = stem.strip_suffix(".json").unwrap_or(stem);
            self.add(folder, &format!("{stem}.json"));
            self.add(folder, &format!("{stem}.json.zst"));
        }
    }

    fn named(&mut self, folder: &str, name: &str) {
        let index = match name {
            // RubyGems' lists.
            "specs.4.8"
            | "latest_specs.4.8"
            | "prerelease_specs.4.8"
            | "latest_specs.4.8.gz"
            | "prerelease_specs.4.8.gz" => "specs.4.8.gz",
            // The Update Framework, as Hackage has it.
            "snapshot.json" | "targets.json" | "mirrors.json" | "root.json" | "00-index.tar.gz"
            | "01-index.tar" | "01-index.tar.gz" => "timestamp.json",
            _ => return,
        };
        self.add(folder, index);
    }
}
