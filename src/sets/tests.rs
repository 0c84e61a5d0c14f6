use super::*;
use proptest::prelude::*;

fn at(path: &str) -> Target {
    Target::parse(&format!("https://mirror.example{path}")).unwrap()
}

fn of(path: &str) -> Vec<String> {
    let found = indexes(&at(path)).into_iter();
    found.map(|index| index.path().to_owned()).collect()
}

#[test]
fn what_belongs_to_what() {
    let suite = "/debian/dists/sid";
    for (path, expected) in [
        (
            "/debian/dists/sid/main/binary-amd64/Packages.xz",
            &["InRelease", "Release"][..],
        ),
        (
            "/debian/dists/sid/main/i18n/Translation-en.bz2",
            &["InRelease", "Release"],
        ),
        (
            "/debian/dists/sid/main/dep11/Components-amd64.yml.gz",
            &["InRelease", "Release"],
        ),
        (
            "/debian/dists/sid/Contents-amd64.gz",
            &["InRelease", "Release"],
        ),
        ("/debian/dists/sid/Release.gpg", &["Release"]),
    ] {
        for index in expected {
            let index = format!("{suite}/{index}");
            assert!(of(path).contains(&index), "{path}: {:?}", of(path));
        }
    }
    let each = [
        (
            "/debian/dists/a/updates/main/source/Sources.gz",
            "/debian/dists/a/updates/InRelease",
        ),
        (
            "/debian/dists/sid/main/binary-amd64/Release",
            "/debian/dists/sid/InRelease",
        ),
        ("/repo/Debian_12/Packages", "/repo/Debian_12/InRelease"),
        ("/repo/Debian_12/Packages.gz", "/repo/Debian_12/Release"),
        ("/repo/Sources.xz", "/repo/InRelease"),
        ("/repo/Release.gpg", "/repo/Release"),
        ("/f/os/repodata/primary.xml.gz", "/f/os/repodata/repomd.xml"),
        (
            "/f/os/repodata/filelists.xml.gz",
            "/f/os/repodata/repomd.xml",
        ),
        ("/f/os/repodata/repomd.xml.asc", "/f/os/repodata/repomd.xml"),
        ("/f/os/repodata/repomd.xml.key", "/f/os/repodata/repomd.xml"),
        (
            "/m2/a/b/maven-metadata.xml.sha1",
            "/m2/a/b/maven-metadata.xml",
        ),
        (
            "/m2/a/b/maven-metadata.xml.asc",
            "/m2/a/b/maven-metadata.xml",
        ),
        (
            "/m2/a/b/1-SNAPSHOT/b-1-SNAPSHOT.jar",
            "/m2/a/b/1-SNAPSHOT/maven-metadata.xml",
        ),
        (
            "/m2/a/b/1-SNAPSHOT/b-1-SNAPSHOT.pom.md5",
            "/m2/a/b/1-SNAPSHOT/b-1-SNAPSHOT.pom",
        ),
        ("/c/linux-64/repodata.json.zst", "/c/linux-64/repodata.json"),
        ("/c/linux-64/repodata.json.bz2", "/c/linux-64/repodata.json"),
        ("/c/linux-64/repodata.jlap", "/c/linux-64/repodata.json.zst"),
        (
            "/c/linux-64/current_repodata.json.gz",
            "/c/linux-64/current_repodata.json",
        ),
        ("/latest_specs.4.8.gz", "/specs.4.8.gz"),
        ("/prerelease_specs.4.8.gz", "/specs.4.8.gz"),
        ("/specs.4.8", "/specs.4.8.gz"),
        ("/info/rails", "/versions"),
        ("/gems/info/rails", "/gems/versions"),
        (
            "/alpine/v3/main/x86/APKINDEX.tar.gz.sig",
            "/alpine/v3/main/x86/APKINDEX.tar.gz",
        ),
        (
            "/arch/core/os/x86_64/core.db.sig",
            "/arch/core/os/x86_64/core.db",
        ),
        ("/x/latest.zip.sha256", "/x/latest.zip"),
        ("/x/latest.zip.sha256.asc", "/x/latest.zip"),
        ("/x/latest.zip.sha256.asc", "/x/latest.zip.sha256"),
        ("/x/latest.zip.sigstore.json", "/x/latest.zip"),
        ("/x/latest.zip.minisig", "/x/latest.zip"),
        ("/x/SHA256SUMS.gpg", "/x/SHA256SUMS"),
        ("/k/linux-6.1.tar.sign", "/k/linux-6.1.tar.xz"),
        ("/openwrt/Packages.sig", "/openwrt/Packages.gz"),
        ("/snapshot.json", "/timestamp.json"),
        ("/01-index.tar.gz", "/timestamp.json"),
    ];
    for (path, index) in each {
        assert!(
            of(path).contains(&index.to_owned()),
            "{path}: {:?}",
            of(path)
        );
    }
}

#[test]
fn what_belongs_to_nothing() {
    let hex = "a".repeat(64);
    for path in [
        "/",
        "/a",
        "/a.zip",
        "/debian/dists/sid/InRelease",
        "/debian/dists/sid/Release",
        &format!("/debian/dists/sid/main/by-hash/SHA256/{hex}"),
        "/debian/pool/main/b/bash/bash_5.2_amd64.deb",
        "/repo/InRelease",
        "/f/repodata/repomd.xml",
        "/m2/a/b/maven-metadata.xml",
        "/m2/a/b/1-SNAPSHOT/maven-metadata.xml",
        "/m2/a/b/1-SNAPSHOT/b-1-20240102.030405-6.jar",
        "/c/linux-64/repodata.json",
        "/specs.4.8.gz",
        "/versions",
        "/simple/six/",
        "/lodash",
        "/x/SHA256SUMS",
        "/x/latest.zip.sha256?raw=1",
        "/.asc",
        "/dists/",
        "/dists/x",
    ] {
        assert_eq!(of(path), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn both_ways() {
    let names: Vec<String> = beside("x.tar.gz").collect();
    for name in [
        "x.tar.gz.sha256",
        "x.tar.gz.asc",
        "x.tar.sign",
        "SHA256SUMS",
    ] {
        assert!(names.contains(&name.to_owned()), "{name}");
    }
    for name in beside("x.tar.gz").filter(|name| !is_sums(&at(&format!("/{name}")))) {
        assert!(
            of(&format!("/{name}")).contains(&"/x.tar.gz".to_owned()),
            "{name}"
        );
    }
    assert!(!beside("SHA256SUMS").any(|name| name == "SHA256SUMS"));
}

proptest! {
    /// Whatever the URL: on the same site, never itself, and each once.
    #[test]
    fn any_url(path in "(/(dists|repodata|info|1-SNAPSHOT|[a-z%.é ]{0,6})){0,4}/[a-zA-Z.%]{0,9}(\\.json)?(\\.(sha1|asc|zst|jlap|gz)){0,3}") {
        if let Ok(target) = Target::parse(&format!("http://h:81{path}")) {
            let found = indexes(&target);
            for (n, index) in found.iter().enumerate() {
                prop_assert_ne!(index, &target);
                prop_assert_eq!(index.authority(), target.authority());
                prop_assert_eq!(index.scheme(), target.scheme());
                prop_assert!(!found[n + 1..].contains(index));
            }
        }
    }
}
