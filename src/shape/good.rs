//! Names for good: one version of one thing, or one digest.

use super::name::{companion_of, digit, is_digest, is_hex, is_semantic, is_whole, numbers};

/// Whether path segments name bytes by their digest, or by the commit they come from.
pub(super) fn by_digest(folders: &[&str], name: &str) -> bool {
    by_hash(folders, name)
        || oci(folders, name)
        || hashed_folder(folders)
        || repodata(folders, name)
        || object(folders, name)
        || commit(folders, name)
}

/// Whether path segments name one version of one thing. `name` is in lower case.
pub(super) fn by_version(folders: &[&str], name: &str) -> bool {
    let known = |name: &str| {
        wheel(name.strip_suffix(".metadata").unwrap_or(name))
            || sdist(folders, name)
            || debian(name)
            || debian_source(folders, name)
            || rpm(name)
            || alpine(name)
            || pacman(name)
            || conda(folders, name)
            || gem(name)
            || crate_file(name)
            || crate_download(folders, name)
            || npm(folders, name)
            || nuget(folders, name)
            || go_module(folders, name)
            || hex_package(folders, name)
            || pub_package(folders, name)
            || collection(folders, name)
    };
    // What is built anew every night has the same name every time, whoever packs it.
    if is_snapshot(name) {
        return maven(folders, name);
    }
    // What is said beside it is said of the same bytes.
    maven(folders, name) || known(companion_of(name).unwrap_or(name))
}

/// Whether it is a snapshot of a version, as `x_1.0-SNAPSHOT_amd64.deb`, and not `jest-snapshot-29.7.0`.
fn is_snapshot(name: &str) -> bool {
    name.match_indices("snapshot").any(|(at, _)| {
        let before = name[..at].strip_suffix(['-', '.', '_', '~', '+']);
        before.is_some_and(|version| version.ends_with(|c: char| c.is_ascii_digit()))
    })
}

/// `by-hash/SHA256/HEX` of apt.
fn by_hash(folders: &[&str], name: &str) -> bool {
    let [.., "by-hash", kind] = folders else {
        return false;
    };
    match *kind {
        "SHA512" => is_hex(name, 128),
        "SHA256" => is_hex(name, 64),
        "SHA1" => is_hex(name, 40),
        "MD5Sum" => is_hex(name, 32),
        _ => false,
    }
}

/// `/manifests/sha256:HEX` and `/blobs/sha256:HEX` of a registry (OCI distribution, section "Pull").
fn oci(folders: &[&str], name: &str) -> bool {
    // The name is in lower case, and the escape of a colon isn't.
    let name = name.replace("%3a", ":");
    matches!(folders.last(), Some(&"manifests" | &"blobs")) && is_digest(&name)
}

/// `/packages/AB/CD/HEX60/...` and devpi's `/+f/ABC/HEX13/...`: a file beside its own digest.
fn hashed_folder(folders: &[&str]) -> bool {
    match folders {
        [.., "packages", a, b, rest] => is_hex(a, 2) && is_hex(b, 2) && is_hex(rest, 60),
        [.., "+f", a, rest] => is_hex(a, 3) && is_hex(rest, 13),
        _ => false,
    }
}

/// `/repodata/HEX-primary.xml.gz` of rpm repositories.
fn repodata(folders: &[&str], name: &str) -> bool {
    folders.last() == Some(&"repodata")
        && name.split_once('-').is_some_and(|(hex, rest)| {
            !rest.is_empty() && [40, 64, 128].iter().any(|length| is_hex(hex, *length))
        })
}

/// `/objects/AB/HEX` of git and `OSTree`, git's packs, `/sha256/AB/HEX` of opam.
fn object(folders: &[&str], name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let pack = stem.strip_prefix("pack-");
    match folders {
        [.., "objects", "pack"] => pack.is_some_and(|hex| is_hex(hex, 40) || is_hex(hex, 64)),
        [.., "objects", two] => is_hex(two, 2) && (is_hex(stem, 38) || is_hex(stem, 62)),
        [.., "sha256", two] => is_hex(two, 2) && is_hex(name, 64),
        [.., "sha512", two] => is_hex(two, 2) && is_hex(name, 128),
        [.., "md5", two] => is_hex(two, 2) && is_hex(name, 32) && name.starts_with(two),
        [.., "cas" | "sha256"] => is_hex(name, 64),
        // Julia's package servers: trees of git.
        [.., "artifact"] | [.., "package" | "registry", _] => is_hex(name, 40),
        _ => false,
    }
}

/// What a commit holds: `/archive/HEX.tar.gz`, `/tarball/HEX`, `/raw/HEX/...`.
fn commit(folders: &[&str], name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    match folders {
        [.., "archive" | "tarball" | "zipball" | "tar.gz" | "zip"] if is_hex(stem, 40) => true,
        _ => folders
            .windows(2)
            .any(|two| two[0] == "raw" && is_hex(two[1], 40)),
    }
}

/// `NAME-VERSION(-BUILD)-PYTHON-ABI-PLATFORM.whl` (PEP 427).
fn wheel(name: &str) -> bool {
    name.strip_suffix(".whl").is_some_and(|stem| {
        let parts: Vec<&str> = stem.split('-').collect();
        (5..=6).contains(&parts.len()) && digit(parts[1]) && is_whole(parts[1])
    })
}

/// `NAME-VERSION.tar.gz` where an index keeps its files: beside the pages, or below `packages`.
fn sdist(folders: &[&str], name: &str) -> bool {
    let stem = [".tar.gz", ".zip", ".tar.bz2"];
    let stem = stem.iter().find_map(|suffix| name.strip_suffix(suffix));
    let named = stem.and_then(|stem| stem.rsplit_once('-'));
    named.is_some_and(|(project, version)| {
        let place = match folders {
            [.., "packages"] => true,
            [.., "packages", "source", first, of] => of.starts_with(first) && same(of, project),
            [.., "simple" | "+simple", of] => same(of, project),
            _ => false,
        };
        place && digit(version) && numbers(version) > 1 && is_whole(version)
    })
}

/// Whether two names of a Python project are one (PEP 503).
fn same(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '_', '.'], "");
    plain(one) == plain(other)
}

/// `NAME_VERSION_ARCH.deb`, and `google-chrome-stable_current_amd64.deb` is not one.
fn debian(name: &str) -> bool {
    [".deb", ".udeb", ".ddeb"].iter().any(|suffix| {
        name.strip_suffix(suffix).is_some_and(|stem| {
            let parts: Vec<&str> = stem.split('_').collect();
            parts.len() == 3 && digit(parts[1]) && is_whole(parts[1])
        })
    })
}

/// `NAME_VERSION.dsc` and what belongs to it, in a pool.
fn debian_source(folders: &[&str], name: &str) -> bool {
    folders.contains(&"pool")
        && name.split_once('_').is_some_and(|(_, rest)| {
            let ends = [
                ".dsc", ".diff.gz", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst",
            ];
            let version = ends.iter().find_map(|suffix| rest.strip_suffix(suffix));
            version.is_some_and(|version| digit(version) && is_whole(version))
        })
}

/// `NAME-VERSION-RELEASE.ARCH.rpm`.
fn rpm(name: &str) -> bool {
    name.strip_suffix(".rpm").is_some_and(|stem| {
        let mut parts = stem.rsplit('-');
        matches!((parts.next(), parts.next(), parts.next()),
            (Some(release), Some(version), Some(_))
                if digit(version) && is_whole(version) && release.contains('.'))
    })
}

/// `NAME-VERSION-rRELEASE.apk` of Alpine.
fn alpine(name: &str) -> bool {
    name.strip_suffix(".apk").is_some_and(|stem| {
        let mut parts = stem.rsplit('-');
        matches!((parts.next(), parts.next(), parts.next()),
            (Some(release), Some(version), Some(_))
                if release.strip_prefix('r').is_some_and(digit) && digit(version))
    })
}

/// `NAME-VERSION-RELEASE-ARCH.pkg.tar.zst` of pacman.
fn pacman(name: &str) -> bool {
    name.split_once(".pkg.tar").is_some_and(|(stem, rest)| {
        let mut parts = stem.rsplit('-');
        matches!(rest, "" | ".zst" | ".xz" | ".gz")
            && matches!((parts.next(), parts.next(), parts.next(), parts.next()),
                (Some(_), Some(release), Some(_), Some(_)) if digit(release))
    })
}

/// `NAME-VERSION-BUILD.conda`, or `.tar.bz2` in the folder of a platform.
fn conda(folders: &[&str], name: &str) -> bool {
    let platform = folders.last().is_some_and(|folder| {
        *folder == "noarch"
            || ["linux-", "osx-", "win-"]
                .iter()
                .any(|system| folder.starts_with(system))
    });
    let old = name.strip_suffix(".tar.bz2").filter(|_| platform);
    let stem = name.strip_suffix(".conda").or(old);
    stem.is_some_and(|stem| {
        let mut parts = stem.rsplit('-');
        matches!((parts.next(), parts.next(), parts.next()),
            (Some(_), Some(version), Some(_)) if digit(version) && is_whole(version))
    })
}

/// `NAME-VERSION(-PLATFORM).gem`, and its `.gemspec.rz`.
fn gem(name: &str) -> bool {
    let stem = name
        .strip_suffix(".gem")
        .or_else(|| name.strip_suffix(".gemspec.rz"));
    stem.is_some_and(|stem| {
        let mut parts = stem.split('-').skip(1);
        parts.any(|part| digit(part) && part.contains('.') && is_whole(part))
    })
}

/// `NAME-VERSION.crate`.
fn crate_file(name: &str) -> bool {
    name.strip_suffix(".crate").is_some_and(is_named_semantic)
}

/// Whether a full version stands behind a hyphen, up to the end.
fn is_named_semantic(stem: &str) -> bool {
    let hyphens = stem.match_indices('-');
    hyphens
        .into_iter()
        .any(|(at, _)| is_semantic(&stem[at + 1..]))
}

/// `/crates/NAME/VERSION/download`.
pub(crate) fn crate_download(folders: &[&str], name: &str) -> bool {
    name == "download" && matches!(folders, [.., "crates", _, version] if is_semantic(version))
}

/// `/NAME/-/NAME-VERSION.tgz`, also with a scope.
fn npm(folders: &[&str], name: &str) -> bool {
    matches!(folders, [.., package, "-"]
        if name.strip_prefix(last_of(package).to_ascii_lowercase().as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_suffix(".tgz"))
            .is_some_and(is_semantic))
}

/// The name behind a scope that is spelt in one segment, as `@types%2Fnode`.
fn last_of(package: &str) -> &str {
    package.rsplit_once("%2F").map_or(package, |(_, name)| name)
}

/// `.../ARTIFACT/VERSION/ARTIFACT-VERSION...`, whatever a version begins with; a SNAPSHOT is not one.
fn maven(folders: &[&str], name: &str) -> bool {
    matches!(folders, [.., artifact, version]
        if (is_whole(version) || is_train(version))
            && !matches!(*version, "LATEST" | "RELEASE")
            && !version.ends_with("SNAPSHOT")
            && name.strip_prefix(&format!("{artifact}-{version}").to_ascii_lowercase())
                .is_some_and(|rest| rest.starts_with(['.', '-'])))
}

/// A release that has a name in the place of a number, as `Finchley.RELEASE`.
fn is_train(version: &str) -> bool {
    let ends = [".RELEASE", ".Final", ".GA"];
    let name = ends.iter().find_map(|end| version.strip_suffix(end));
    name.is_some_and(|name| !name.is_empty() && !super::name::has_moving_word(name))
}

/// `/PACKAGE/VERSION/PACKAGE.VERSION.nupkg` and `PACKAGE.nuspec` beside it.
fn nuget(folders: &[&str], name: &str) -> bool {
    matches!(folders, [.., package, version]
        if digit(version) && is_whole(version)
            && (name == format!("{package}.{version}.nupkg").to_ascii_lowercase()
                || name == format!("{package}.nuspec").to_ascii_lowercase()))
}

/// `/MODULE/@v/vVERSION.zip` and its `.mod` and `.info`: of a full version, and of nothing that Go
/// resolves to one, as `v1.x` (Go Modules Reference, "GOPROXY protocol").
fn go_module(folders: &[&str], name: &str) -> bool {
    let ends = [".zip", ".mod", ".info", ".ziphash"];
    folders.last() == Some(&"@v")
        && name.strip_prefix('v').is_some_and(|rest| {
            let version = ends.iter().find_map(|suffix| rest.strip_suffix(suffix));
            version.is_some_and(is_semantic)
        })
}

/// `/tarballs/NAME-VERSION.tar` of Hex.
fn hex_package(folders: &[&str], name: &str) -> bool {
    folders.last() == Some(&"tarballs") && name.strip_suffix(".tar").is_some_and(is_named_semantic)
}

/// `/packages/NAME/versions/VERSION.tar.gz` and `/api/archives/NAME-VERSION.tar.gz` of Dart.
fn pub_package(folders: &[&str], name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".tar.gz") else {
        return false;
    };
    match folders {
        [.., "packages", _, "versions"] => is_semantic(stem),
        [.., "api", "archives"] => is_named_semantic(stem),
        _ => false,
    }
}

/// `/collections/artifacts/NAMESPACE-NAME-VERSION.tar.gz` of Ansible.
fn collection(folders: &[&str], name: &str) -> bool {
    folders.last() == Some(&"artifacts")
        && name.strip_suffix(".tar.gz").is_some_and(|stem| {
            let parts: Vec<&str> = stem.splitn(3, '-').collect();
            parts.len() == 3 && is_semantic(parts[2])
        })
}
