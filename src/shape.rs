//! What the shape of a URL tells, whatever the host: mirrors and private registries have any name.

use crate::key::Target;

/// Whether the URL names one version of one thing for good, so that a stored 200 is never asked
/// for again.
#[must_use]
pub fn names_for_good(target: &Target) -> bool {
    // A query may ask for anything.
    if target.query().is_some() {
        return false;
    }
    let path = target.path();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let Some((name, folders)) = segments.split_last() else {
        return false;
    };
    let name = name.to_ascii_lowercase();
    by_hash(folders, &name)
        || wheel(name.strip_suffix(".metadata").unwrap_or(&name))
        || hashed_sdist(folders)
        || debian(&name)
        || rpm(&name)
        || versioned(&name, &[".crate", ".gem", ".conda"])
        || crate_download(folders, &name)
        || npm(folders, &name)
        || maven(folders, &name)
        || nuget(folders, &name)
        || go_module(folders, &name)
}

/// Whether the URL is an index, a list of what there is, which changes.
#[must_use]
pub fn is_index(target: &Target) -> bool {
    let path = target.path();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let Some((name, folders)) = segments.split_last() else {
        return false;
    };
    is_simple(target)
        || (folders.contains(&"dists") && !folders.contains(&"by-hash"))
        || matches!(*name, "maven-metadata.xml" | "repomd.xml" | "repodata.json")
        || name.starts_with("APKINDEX.")
        || name.starts_with("specs.4.8")
        || (folders.last() == Some(&"@v") && *name == "list")
        || *name == "@latest"
        || (*name == "json" && folders.first() == Some(&"pypi"))
        || (*name == "index.json" && folders.contains(&"v3-flatcontainer"))
        // Of cargo's sparse protocol, and of much else that changes.
        || *name == "config.json"
        || is_sparse_crate_index(folders, name)
}

/// `/simple/` and `/simple/NAME/`, devpi's `/+simple/` too, below whatever prefix: a Python index (PEP 503 and 691), which
/// is HTML or JSON as the client likes, whether the origin says `Vary` or not.
#[must_use]
pub fn is_simple(target: &Target) -> bool {
    let segments: Vec<&str> = target.path().split('/').collect();
    let named = |back: usize| {
        segments
            .len()
            .checked_sub(back)
            .and_then(|at| segments.get(at))
            .is_some_and(|s| matches!(*s, "simple" | "+simple"))
    };
    let last = segments.last().copied().unwrap_or_default();
    named(1) || (named(2) && !last.contains('.')) || (named(3) && last.is_empty())
}

fn digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `by-hash/SHA256/HEX` of apt.
fn by_hash(folders: &[&str], name: &str) -> bool {
    let kind = folders.last().copied().unwrap_or_default();
    folders.len() >= 2
        && folders[folders.len() - 2] == "by-hash"
        && match kind {
            "SHA512" => is_hex(name, 128),
            "SHA256" => is_hex(name, 64),
            "SHA1" => is_hex(name, 40),
            "MD5Sum" => is_hex(name, 32),
            _ => false,
        }
}

/// `NAME-VERSION(-BUILD)-PYTHON-ABI-PLATFORM.whl` (PEP 427).
fn wheel(name: &str) -> bool {
    name.strip_suffix(".whl").is_some_and(|stem| {
        let parts: Vec<&str> = stem.split('-').collect();
        (5..=6).contains(&parts.len()) && digit(parts[1])
    })
}

/// `/packages/AB/CD/HEX60/...`: a file named by its digest, whatever it is.
fn hashed_sdist(folders: &[&str]) -> bool {
    matches!(folders, [.., "packages", a, b, rest]
        if is_hex(a, 2) && is_hex(b, 2) && is_hex(rest, 60))
}

/// `NAME_VERSION_ARCH.deb`, and `google-chrome-stable_current_amd64.deb` is not one.
fn debian(name: &str) -> bool {
    [".deb", ".udeb", ".ddeb"].iter().any(|suffix| {
        name.strip_suffix(suffix).is_some_and(|stem| {
            let parts: Vec<&str> = stem.split('_').collect();
            parts.len() == 3 && digit(parts[1])
        })
    })
}

/// `NAME-VERSION-RELEASE.ARCH.rpm`.
fn rpm(name: &str) -> bool {
    name.strip_suffix(".rpm").is_some_and(|stem| {
        let mut parts = stem.rsplit('-');
        matches!((parts.next(), parts.next(), parts.next()),
            (Some(release), Some(version), Some(_)) if digit(version) && release.contains('.'))
    })
}

/// `NAME-VERSION.SUFFIX`, where a part behind a hyphen begins with a digit and a dot follows.
fn versioned(name: &str, suffixes: &[&str]) -> bool {
    suffixes.iter().any(|suffix| {
        name.strip_suffix(suffix)
            .is_some_and(|stem| stem.split('-').skip(1).any(|p| digit(p) && p.contains('.')))
    })
}

/// `/crates/NAME/VERSION/download`.
pub(crate) fn crate_download(folders: &[&str], name: &str) -> bool {
    name == "download"
        && matches!(folders, [.., "crates", _, version] if digit(version) && version.contains('.'))
}

/// `/NAME/-/NAME-VERSION.tgz`, also with a scope.
fn npm(folders: &[&str], name: &str) -> bool {
    matches!(folders, [.., package, "-"]
        if name.strip_prefix(&package.to_ascii_lowercase())
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_suffix(".tgz"))
            .is_some_and(|version| digit(version) && version.contains('.')))
}

/// `.../ARTIFACT/VERSION/ARTIFACT-VERSION...`, and a SNAPSHOT is not one.
fn maven(folders: &[&str], name: &str) -> bool {
    matches!(folders, [.., artifact, version]
        if digit(version)
            && !version.ends_with("-SNAPSHOT")
            && name.strip_prefix(&format!("{artifact}-{version}").to_ascii_lowercase())
                .is_some_and(|rest| rest.starts_with(['.', '-'])))
}

/// `/PACKAGE/VERSION/PACKAGE.VERSION.nupkg`.
fn nuget(folders: &[&str], name: &str) -> bool {
    matches!(folders, [.., package, version]
        if digit(version) && name == format!("{package}.{version}.nupkg").to_ascii_lowercase())
}

/// `/MODULE/@v/vVERSION.zip` and its `.mod` and `.info`.
fn go_module(folders: &[&str], name: &str) -> bool {
    folders.last() == Some(&"@v")
        && name.strip_prefix('v').is_some_and(digit)
        && [".zip", ".mod", ".info"].iter().any(|s| name.ends_with(s))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Target {
        Target::parse(&format!("https://mirror.example{path}")).unwrap()
    }

    #[test]
    fn one_version_for_good() {
        for path in [
            "/packages/f1/7b/abc/six-1.16.0-py2.py3-none-any.whl",
            "/x/six-1.16.0-py2.py3-none-any.whl.metadata",
            "/w/numpy-2.0.0-1-cp311-cp311-manylinux_2_17_x86_64.whl",
            &format!("/packages/ab/cd/{}/six-1.16.0.tar.gz", "0".repeat(60)),
            "/debian/pool/main/r/rtmpdump/librtmp-dev_2.4+20111222.git4e06e21-1_amd64.deb",
            &format!("/debian/dists/x/main/by-hash/SHA256/{}", "a".repeat(64)),
            "/serde/serde-1.0.0.crate",
            "/api/v1/crates/serde/1.0.0/download",
            "/lodash/-/lodash-4.17.21.tgz",
            "/@types/node/-/node-20.1.0.tgz",
            "/maven2/org/junit/junit/4.13.2/junit-4.13.2.jar",
            "/maven2/org/junit/junit/4.13.2/junit-4.13.2-sources.jar.sha1",
            "/flat/newtonsoft.json/13.0.1/newtonsoft.json.13.0.1.nupkg",
            "/golang.org/x/text/@v/v0.3.0.zip",
            "/gems/rails-7.0.0.gem",
            "/Packages/b/bash-5.1.8-6.el9.x86_64.rpm",
        ] {
            assert!(names_for_good(&at(path)), "{path}");
        }
    }

    #[test]
    fn may_change() {
        for path in [
            "/simple/six/",
            "/archive/master.zip",
            "/google-chrome-stable_current_amd64.deb",
            "/lodash",
            "/lodash/-/lodash-latest.tgz",
            "/maven2/a/b/1.0-SNAPSHOT/b-1.0-SNAPSHOT.jar",
            "/debian/dists/x/InRelease",
            "/golang.org/x/text/@v/list",
            "/serde/serde-latest.crate",
            "/six-1.16.0-py2.py3-none-any.whl?v=2",
            "/by-hash/SHA256/abc",
            "/",
        ] {
            assert!(!names_for_good(&at(path)), "{path}");
        }
    }

    #[test]
    fn indexes() {
        for path in [
            "/simple/",
            "/simple/six/",
            "/simple/six",
            "/repo/pypi/simple/six/",
            "/debian/dists/bookworm/InRelease",
            "/debian/dists/bookworm/main/binary-amd64/Packages.xz",
            "/maven2/a/b/maven-metadata.xml",
            "/se/rd/serde",
            "/index/config.json",
            "/3/s/syn",
            "/m/@v/list",
        ] {
            assert!(is_index(&at(path)), "{path}");
        }
        for path in ["/", "/simple/a/b/", "/a/b/c", "/pool/x.deb", "/file.zip"] {
            assert!(!is_index(&at(path)), "{path}");
        }
    }
}
