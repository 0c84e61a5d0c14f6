use super::*;

fn naming(path: &str) -> Naming {
    Naming::of(&Target::parse(&format!("https://mirror.example{path}")).unwrap())
}

#[test]
fn one_version_for_good() {
    for path in [
        "/packages/f1/7b/abc/six-1.16.0-py2.py3-none-any.whl",
        "/x/six-1.16.0-py2.py3-none-any.whl.metadata",
        "/w/numpy-2.0.0-1-cp311-cp311-manylinux_2_17_x86_64.whl",
        "/packages/source/s/six/six-1.16.0.tar.gz",
        "/packages/six-1.16.0.tar.gz",
        "/simple/typing-extensions/typing_extensions-4.0.0.tar.gz",
        "/debian/pool/main/r/rtmpdump/librtmp-dev_2.4+20111222.git4e06e21-1_amd64.deb",
        "/debian/pool/main/h/hello/hello_2.10-3.dsc",
        "/debian/pool/main/h/hello/hello_2.10.orig.tar.gz",
        "/debian/pool/main/h/hello/hello_2.10.orig.tar.gz.asc",
        "/serde/serde-1.0.0.crate",
        "/crates/a-b/a-b-1.0.0-rc.1+build.5.crate",
        "/api/v1/crates/serde/1.0.0/download",
        "/lodash/-/lodash-4.17.21.tgz",
        "/npm/@types/node/-/node-20.1.0.tgz",
        "/@types%2fnode/-/node-20.1.0-beta.1.tgz",
        "/maven2/org/junit/junit/4.13.2/junit-4.13.2.jar",
        "/maven2/org/junit/junit/4.13.2/junit-4.13.2-sources.jar.sha1",
        "/g/com/google/guava/guava/r09/guava-r09.jar",
        "/m2/org/netbeans/api/org-openide/RELEASE110/org-openide-RELEASE110.pom",
        "/m2/javax/inject/javax.inject/1/javax.inject-1.jar",
        "/m2/org/codehaus/plexus/x/1.0-beta-3/x-1.0-beta-3.jar",
        "/m2/g/a/Finchley.SR4/a-Finchley.SR4.pom",
        "/flat/newtonsoft.json/13.0.1/newtonsoft.json.13.0.1.nupkg",
        "/golang.org/x/text/@v/v0.3.0.zip",
        "/golang.org/x/text/@v/v0.3.0-pre.info",
        "/g/x/@v/v2.0.0+incompatible.mod",
        "/g/x/@v/v0.0.0-20240101120000-abcdef123456.info",
        "/gems/rails-7.0.0.gem",
        "/gems/nokogiri-1.16.0-x86_64-linux.gem",
        "/quick/Marshal.4.8/rails-7.0.0.gemspec.rz",
        "/Packages/b/bash-5.1.8-6.el9.x86_64.rpm",
        "/alpine/v3.19/main/x86_64/busybox-1.36.1-r15.apk",
        "/core/os/x86_64/pacman-6.0.2-9-x86_64.pkg.tar.zst",
        "/core/os/x86_64/pacman-6.0.2-9-x86_64.pkg.tar.zst.sig",
        "/conda-forge/noarch/six-1.16.0-pyh6c4a22f_0.conda",
        "/main/linux-64/zlib-1.2.13-h5eee18b_0.tar.bz2",
        "/tarballs/jason-1.4.1.tar",
        "/packages/http/versions/1.2.0.tar.gz",
        "/collections/artifacts/community-general-8.0.0.tar.gz",
    ] {
        assert_eq!(naming(path), Naming::Version, "{path}");
    }
}

#[test]
fn digests_for_good() {
    let (h40, h64) = ("a".repeat(40), "b".repeat(64));
    for path in [
        format!("/packages/ab/cd/{}/six-1.16.0.tar.gz", "0".repeat(60)),
        "/root/pypi/+f/abc/0123456789abc/six-1.16.0.tar.gz".to_owned(),
        format!("/debian/dists/x/main/by-hash/SHA256/{h64}"),
        format!("/v2/library/alpine/manifests/sha256:{h64}"),
        format!("/v2/library/alpine/blobs/sha256:{h64}"),
        format!("/v2/library/alpine/blobs/sha256%3A{h64}"),
        format!("/repo/repodata/{h64}-primary.xml.gz"),
        format!("/git/objects/pack/pack-{h40}.pack"),
        format!("/o/r/archive/{h40}.tar.gz"),
        format!("/o/r/raw/{h40}/README.md"),
        format!("/artifact/{h40}"),
        format!("/package/7876af07-990d-54b4-ab0e-23690620f79a/{h40}"),
    ] {
        assert_eq!(naming(&path), Naming::Digest, "{path}");
    }
}

const MOVING: &[&str] = &[
    "/",
    "/pub/",
    "/index.html",
    "/simple/",
    "/simple/six/",
    "/simple/six",
    "/repo/pypi/simple/six/",
    "/root/pypi/+simple/",
    "/root/pypi/+simple/six/",
    "/root/pypi/six?mode=json",
    "/pypi/six/json",
    "/pypi/six/1.16.0/json",
    // OCI.
    "/v2/library/alpine/manifests/latest",
    "/v2/library/alpine/manifests/3.19.1",
    "/v2/a/b/c/tags/list",
    "/v2/_catalog",
    // Composer, RubyGems.
    "/p2/monolog/monolog.json",
    "/p2/monolog/monolog~dev.json",
    "/packages.json",
    "/versions",
    "/names",
    "/info/rails",
    "/specs.4.8.gz",
    "/latest_specs.4.8.gz",
    "/prerelease_specs.4.8.gz",
    "/api/v1/gems/rails.json",
    // pacman, CPAN, Helm, CRAN, apt.
    "/core/os/x86_64/core.db",
    "/core/os/x86_64/core.db.sig",
    "/core/os/x86_64/core.files",
    "/modules/02packages.details.txt.gz",
    "/authors/id/A/AB/ABC/CHECKSUMS",
    "/charts/index.yaml",
    "/src/contrib/PACKAGES",
    "/src/contrib/PACKAGES.gz",
    "/src/contrib/PACKAGES.rds",
    "/flat/InRelease",
    "/flat/Release",
    "/flat/Release.gpg",
    "/flat/Packages",
    "/flat/Packages.xz",
    "/flat/Sources.gz",
    "/debian/dists/bookworm/InRelease",
    "/debian/dists/bookworm/main/binary-amd64/Packages.xz",
    // npm.
    "/lodash",
    "/socket.io",
    "/chart.js",
    "/@types/node",
    "/@types%2fnode",
    "/npm/@types/node",
    "/repository/npm-group/lodash",
    "/-/package/lodash/dist-tags",
    "/-/v1/search?text=a",
    "/lodash/latest",
    "/lodash/-/lodash-latest.tgz",
    // Maven.
    "/maven2/a/b/maven-metadata.xml",
    "/maven2/a/b/maven-metadata.xml.sha1",
    "/maven2/a/b/1.0-SNAPSHOT/b-1.0-SNAPSHOT.jar",
    "/maven2/a/b/1.0-SNAPSHOT/b-1.0-20240101.120000-1.jar",
    "/maven2/a/b/1.0-SNAPSHOT/maven-metadata.xml",
    "/g/a/LATEST/a-LATEST.jar",
    "/g/a/RELEASE/a-RELEASE.jar",
    "/g/a/master-SNAPSHOT/a-master-SNAPSHOT.jar",
    // Go, Cargo.
    "/golang.org/x/text/@v/list",
    "/golang.org/x/text/@latest",
    "/x/@v/v1.x.info",
    "/x/@v/v1.info",
    "/x/@v/v1.2.info",
    "/x/@v/master.info",
    "/x/@v/v1.2.x.zip",
    "/se/rd/serde",
    "/index/config.json",
    "/3/s/syn",
    "/serde/serde-latest.crate",
    "/api/v1/crates/serde",
    "/api/v1/crates/serde/1/download",
    // Others.
    "/dist/channel-rust-stable.toml",
    "/dist/channel-rust-stable.toml.sha256",
    "/dl/x_amd64.deb",
    "/google-chrome-stable_current_amd64.deb",
    "/setup.exe",
    "/v1/conans/zlib/1.3/_/_/latest",
    "/v2/conans/zlib/1.3.1/_/_/revisions/0/search",
    "/conda-forge/noarch/repodata.json",
    "/conda-forge/noarch/repodata.json.zst",
    "/conda-forge/noarch/repodata.json.bz2",
    "/conda-forge/noarch/current_repodata.json",
    "/v3/registration5-gz-semver2/x/index.json",
    "/v3-flatcontainer/x/index.json",
    "/repo/repodata/repomd.xml",
    "/repo/repodata/repomd.xml.asc",
    "/alpine/v3.19/main/x86_64/APKINDEX.tar.gz",
    "/o/r.git/info/refs?service=git-upload-pack",
    "/o/r.git/HEAD",
    "/api/packages/http",
    "/packages/jason",
    "/v1/providers/hashicorp/aws/versions",
    "/api/v3/collections/a/b/versions/",
    "/registries.eager",
    "/index.tar.gz",
    "/repo/summary",
    "/repo/summary.sig",
    "/_apis/public/gallery/publishers/p/vsextensions/n/latest/vspackage",
    "/api/formula/wget.json",
    "/archive/master.zip",
    "/archive/refs/heads/x.zip",
    "/archive/main.tar.gz",
    "/archive/v1.zip",
    "/archive/1.x.zip",
    "/o/r/main/install.sh",
    "/releases/latest/download/tool.zip",
    "/nightly/tool.tar.gz",
    "/tool-nightly.tar.gz",
    "/tool-latest.tar.gz.sha256",
    "/k8s/stable.txt",
    "/o/r/releases/latest",
    "/search.php?q=a",
    "/find?x=1",
];

#[test]
fn moving() {
    for path in MOVING {
        assert_eq!(naming(path), Naming::Moving, "{path}");
    }
}

#[test]
fn all_else() {
    for path in [
        "/a.bin",
        "/a.zip",
        "/files/a.tar.gz",
        "/a.tar.gz.sha256",
        "/a.txt",
        "/img/logo.png",
        "/hello-2.12.tar.gz",
        "/nginx-stable-1.2.3.tar.gz",
        "/a.zip?v=2",
        "/six-1.16.0-py2.py3-none-any.whl?v=2",
        "/releases/download/v1.2.3/tool-linux-amd64",
        "/release/v1.29.0/bin/linux/amd64/kubectl",
        "/stable/v1.2.3/tool.zip",
        "/dist/2024-05-01/channel.txt",
        "/by-hash/SHA256/abc.bin",
        "/v2/x.bin",
        "/charts/nginx-15.0.0.tgz",
    ] {
        assert_eq!(naming(path), Naming::Other, "{path}");
    }
}

#[test]
fn the_newest_by_word() {
    let says = |path: &str| says_newest(&Target::parse(&format!("https://h{path}")).unwrap());
    assert!(says("/o/r/releases/latest") && says("/latest/a.zip") && says("/archive/master.zip"));
    assert!(!says("/a") && !says("/simple/six") && !says("/latest/a-1.2.3.zip"));
}

proptest::proptest! {
    /// Whatever a client asks for: no shape trips over it.
    #[test]
    fn any_path(path in "(/[-a-zA-Z0-9._~%@+:é]{0,12}){0,6}") {
        if let Ok(target) = Target::parse(&format!("https://h{path}")) {
            let _ = (Naming::of(&target), says_newest(&target), is_simple(&target));
        }
    }
}
