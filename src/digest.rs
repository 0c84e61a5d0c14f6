//! Digests in URLs: what a URL names by its digest is proven by that, or is something else.

use blake2::Blake2b;
use blake2::digest::consts::U32;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha512};

use crate::hex::hex;
use crate::key::Target;

/// A digest that a URL tells of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    kind: Kind,
    /// Lower-case hex.
    hex: String,
}

/// How a digest is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sha256,
    Sha512,
    Sha1,
    Md5,
    /// `BLAKE2b` of 256 bits.
    Blake2,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
            Self::Sha1 => "SHA-1",
            Self::Md5 => "MD5",
            Self::Blake2 => "BLAKE2b-256",
        }
    }

    /// Hex digits.
    fn length(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake2 => 64,
            Self::Sha512 => 128,
            Self::Sha1 => 40,
            Self::Md5 => 32,
        }
    }

    fn of(self, hex: &str) -> Option<Named> {
        let right = hex.len() == self.length() && hex.bytes().all(|b| b.is_ascii_hexdigit());
        right.then(|| Named {
            kind: self,
            hex: hex.to_ascii_lowercase(),
        })
    }
}

/// The digest by which a URL names its body, where its shape says without doubt that it does.
#[must_use]
pub fn named(target: &Target) -> Option<Named> {
    let segments: Vec<&str> = target.path().split('/').skip(1).collect();
    let (name, folders) = segments.split_last()?;
    by_hash(folders, name)
        .or_else(|| oci(folders, name))
        .or_else(|| python(folders, name))
        .or_else(|| repodata(folders, name))
        .or_else(|| lfs(folders, name))
}

/// apt's `by-hash/SHA256/HEX`.
fn by_hash(folders: &[&str], name: &str) -> Option<Named> {
    let [.., "by-hash", kind] = folders else {
        return None;
    };
    let kind = match *kind {
        "SHA512" => Kind::Sha512,
        "SHA256" => Kind::Sha256,
        "SHA1" => Kind::Sha1,
        "MD5Sum" => Kind::Md5,
        _ => return None,
    };
    kind.of(name)
}

/// `/v2/NAME/blobs/sha256:HEX` and `manifests` (OCI distribution, "Pull"), and the file of a blob in a
/// registry's storage. `referrers/sha256:HEX` names what is referred to, not its own body.
fn oci(folders: &[&str], name: &str) -> Option<Named> {
    if let ([.., "blobs", "sha256", first, hex], "data") = (folders, name) {
        return Kind::Sha256.of(hex).filter(|_| hex.starts_with(first));
    }
    let [.., "blobs" | "manifests"] = folders else {
        return None;
    };
    let (kind, hex) = name
        .split_once(':')
        .or_else(|| name.split_once("%3A"))
        .or_else(|| name.split_once("%3a"))?;
    match kind {
        "sha256" => Kind::Sha256.of(hex),
        "sha512" => Kind::Sha512.of(hex),
        _ => None,
    }
}

/// `/packages/AB/CD/HEX60/NAME` of Python's index. What lies beside a distribution (`.metadata`,
/// `.asc`, `.provenance`) is under the digest of that.
fn python(folders: &[&str], name: &str) -> Option<Named> {
    const DISTRIBUTIONS: [&str; 7] = [
        ".whl", ".tar.gz", ".zip", ".egg", ".tar.bz2", ".tgz", ".exe",
    ];
    let [.., "packages", a, b, rest] = folders else {
        return None;
    };
    let name = name.to_ascii_lowercase();
    let parted = a.len() == 2 && b.len() == 2 && DISTRIBUTIONS.iter().any(|s| name.ends_with(s));
    let hex = format!("{a}{b}{rest}");
    parted.then(|| Kind::Blake2.of(&hex)).flatten()
}

/// `repodata/HEX-primary.xml.gz` of createrepo.
fn repodata(folders: &[&str], name: &str) -> Option<Named> {
    let [.., "repodata"] = folders else {
        return None;
    };
    let (hex, rest) = name.split_once('-')?;
    let kinds = [Kind::Sha256, Kind::Sha512, Kind::Sha1];
    let kind = kinds.into_iter().find(|kind| kind.length() == hex.len())?;
    let signed = [".asc", ".sig"].iter().any(|s| rest.ends_with(s));
    kind.of(hex).filter(|_| rest.contains('.') && !signed)
}

/// A Git LFS object: `.../info/lfs/objects/HEX`, `.../gitlab-lfs/objects/HEX`, and its file in a store,
/// `lfs/objects/AB/CD/HEX`.
fn lfs(folders: &[&str], name: &str) -> Option<Named> {
    let lfs = match folders {
        [.., lfs, "objects"] => lfs,
        [.., lfs, "objects", a, b] if name.starts_with(&format!("{a}{b}")) => lfs,
        _ => return None,
    };
    let known = *lfs == "lfs" || lfs.ends_with("-lfs");
    Kind::Sha256.of(name).filter(|_| known)
}

impl Named {
    /// What has to be computed beside the SHA-256, which every stored body has.
    #[must_use]
    pub fn also(&self) -> Option<Box<Also>> {
        let also = match self.kind {
            Kind::Sha256 => return None,
            Kind::Sha512 => Also::Sha512(Sha512::new()),
            Kind::Sha1 => Also::Sha1(Sha1::new()),
            Kind::Md5 => Also::Md5(Md5::new()),
            Kind::Blake2 => Also::Blake2(Blake2b::new()),
        };
        Some(Box::new(also))
    }

    /// Whether a body is the one that the URL names, by its SHA-256 and what was computed beside.
    ///
    /// # Errors
    /// Both digests, in words.
    pub fn check(&self, sha256: &[u8], also: Option<&[u8]>) -> Result<(), String> {
        let (found, plain) = (hex(also.unwrap_or(sha256)), hex(sha256));
        // A private index of Python's may have kept the shape, with the digest that its pages tell.
        if found == self.hex || (self.kind == Kind::Blake2 && plain == self.hex) {
            return Ok(());
        }
        let kind = self.kind.word();
        Err(format!(
            "its {kind} is {found}, and its URL says {}",
            self.hex
        ))
    }
}

/// A further digest of what is being stored.
#[derive(Debug, Clone)]
pub enum Also {
    /// See [`Named::also`].
    Sha512(Sha512),
    /// See [`Named::also`].
    Sha1(Sha1),
    /// See [`Named::also`].
    Md5(Md5),
    /// See [`Named::also`].
    Blake2(Blake2b<U32>),
}

impl Also {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha512(hash) => hash.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Md5(hash) => hash.update(bytes),
            Self::Blake2(hash) => hash.update(bytes),
        }
    }

    /// The digest.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha512(hash) => hash.finalize().to_vec(),
            Self::Sha1(hash) => hash.finalize().to_vec(),
            Self::Md5(hash) => hash.finalize().to_vec(),
            Self::Blake2(hash) => hash.finalize().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"body";

    fn sha256(bytes: &[u8]) -> Vec<u8> {
        sha2::Sha256::digest(bytes).to_vec()
    }

    fn at(path: &str) -> Option<Named> {
        named(&Target::parse(&format!("https://mirror.example{path}")).unwrap())
    }

    fn digest(kind: Kind, bytes: &[u8]) -> String {
        let named = Named {
            kind,
            hex: String::new(),
        };
        match named.also() {
            Some(mut also) => {
                also.update(bytes);
                hex(&also.finish())
            }
            None => hex(&sha256(bytes)),
        }
    }

    fn proves(named: &Named, bytes: &[u8]) -> bool {
        let also = named.also().map(|mut also| {
            also.update(bytes);
            also.finish()
        });
        named.check(&sha256(bytes), also.as_deref()).is_ok()
    }

    #[test]
    fn shapes() {
        let sha256 = digest(Kind::Sha256, BODY);
        let sha512 = digest(Kind::Sha512, BODY);
        let sha1 = digest(Kind::Sha1, BODY);
        let md5 = digest(Kind::Md5, BODY);
        let blake = digest(Kind::Blake2, BODY);
        let (ab, cd, rest) = (&blake[..2], &blake[2..4], &blake[4..]);
        for path in [
            format!("/debian/dists/x/main/by-hash/SHA256/{sha256}"),
            format!(
                "/debian/dists/x/main/by-hash/SHA256/{}",
                sha256.to_uppercase()
            ),
            format!("/debian/dists/x/main/by-hash/SHA512/{sha512}"),
            format!("/debian/dists/x/main/by-hash/SHA1/{sha1}"),
            format!("/debian/dists/x/main/by-hash/MD5Sum/{md5}"),
            format!("/v2/library/debian/blobs/sha256:{sha256}"),
            format!("/v2/library/debian/blobs/sha256%3A{sha256}"),
            format!("/v2/library/debian/blobs/sha512:{sha512}"),
            format!("/v2/debian/manifests/sha256:{sha256}?ns=docker.io"),
            format!(
                "/docker/registry/v2/blobs/sha256/{}/{sha256}/data",
                &sha256[..2]
            ),
            format!("/packages/{ab}/{cd}/{rest}/six-1.16.0-py3-none-any.whl"),
            format!("/pypi/packages/{ab}/{cd}/{rest}/six-1.16.0.tar.gz"),
            format!(
                "/packages/{}/{}/{}/six-1.0.zip",
                &sha256[..2],
                &sha256[2..4],
                &sha256[4..]
            ),
            format!("/fedora/repodata/{sha256}-primary.xml.gz"),
            format!("/fedora/repodata/{sha512}-filelists.sqlite.xz"),
            format!("/fedora/repodata/{sha1}-comps.xml"),
            format!("/group/project.git/info/lfs/objects/{sha256}"),
            format!("/group/project.git/gitlab-lfs/objects/{sha256}"),
            format!("/lfs/objects/{}/{}/{sha256}", &sha256[..2], &sha256[2..4]),
        ] {
            let named = at(&path).unwrap_or_else(|| panic!("{path}"));
            assert!(proves(&named, BODY), "{path}");
            assert!(!proves(&named, b"other"), "{path}");
        }
    }

    #[test]
    fn what_names_no_body() {
        let hex = "a".repeat(64);
        for path in [
            "/".to_owned(),
            format!("/{hex}"),
            format!("/by-hash/SHA256/{}", "a".repeat(63)),
            format!("/by-hash/SHA384/{hex}"),
            format!("/by-hash/SHA256/{}g", "a".repeat(63)),
            format!("/v2/debian/referrers/sha256:{hex}"),
            format!("/v2/debian/manifests/sha256-{hex}.sig"),
            "/v2/debian/manifests/latest".to_owned(),
            format!(
                "/packages/aa/aa/{}/six-1.16.0-py3-none-any.whl.metadata",
                "a".repeat(60)
            ),
            format!("/packages/aa/aa/{}/six-1.16.0.tar.gz.asc", "a".repeat(60)),
            format!("/packages/aa/aa/{}/six-1.16.0.tar.gz", "a".repeat(28)),
            format!("/repodata/{hex}-primary.xml.gz.asc"),
            format!("/repodata/{hex}"),
            format!("/git/objects/{hex}"),
            format!("/docker/registry/v2/blobs/sha256/bb/{hex}/data"),
        ] {
            assert_eq!(at(&path), None, "{path}");
        }
    }

    #[test]
    fn both_digests_are_told() {
        let hex = "a".repeat(64);
        let named = at(&format!("/by-hash/SHA256/{hex}")).unwrap();
        let said = named.check(&sha256(BODY), None).unwrap_err();
        assert!(
            said.contains(&hex) && said.contains(&digest(Kind::Sha256, BODY)),
            "{said}"
        );
    }
}
