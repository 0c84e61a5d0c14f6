use super::{LayoutError, MAX_NOMINAL, MAX_PATH, Named, RelPath, path_of, target_of};
use crate::key::{KeyError, Target};

const HASH: &str = "0123456789abcdef";

fn target(url: &str) -> Target {
    Target::parse(url).unwrap()
}

fn path(url: &str) -> RelPath {
    path_of(&target(url))
}

fn none(_: &RelPath) -> Option<String> {
    None
}

/// 32 hex digits, as `sha256sum` prints them.
fn sha(text: &str) -> String {
    use sha2::{Digest, Sha256};
    crate::hex::hex(&Sha256::digest(text))[..32].to_owned()
}

#[test]
fn both_ways() {
    let deb = "http.debian.net/debian/pool/main/r/rtmpdump/\
               librtmp-dev_2.4+20111222.git4e06e21-1_amd64.deb";
    let deb_url = format!("https://{deb}");
    for (url, rel) in [
        (deb_url.as_str(), deb),
        (
            "https://github.com/mobz/elasticsearch-head/archive/master.zip",
            "github.com/mobz/elasticsearch-head/archive/master.zip",
        ),
        (
            "https://pypi.python.org/simple/python-memcached/",
            "pypi.python.org/simple/python-memcached/index.html",
        ),
        ("https://localhost:8443/a", "localhost:8443/a"),
        ("https://[::1]:8443/a", "[::1]:8443/a"),
        ("https://h/", "h/index.html"),
        ("https://h/?", "h/?"),
        ("https://h/a?x=1&y=2", "h/a?x=1&y=2"),
        ("https://h/a/?x=1", "h/a/?x=1"),
        ("https://h/a?", "h/a?"),
        ("https://h/a?b?c", "h/a?b?c"),
        ("https://h/a%3Fb", "h/a%3Fb"),
        ("https://h/a?u=a/b", "h/a?u=a%~2Fb"),
        ("https://h/a?u=a%2Fb", "h/a?u=a%2Fb"),
        ("https://h/a?/", "h/a?%~2F"),
        ("https://h/a?..", "h/a?.."),
        ("https://h/a%2Fb", "h/a%2Fb"),
        ("https://h/a/index.html", "h/a/%~index.html"),
        ("https://h/index.html", "h/%~index.html"),
        ("https://h/index.html?x", "h/index.html?x"),
        ("https://h/index.html/", "h/index.html/index.html"),
        ("https://h/index.html/a", "h/index.html/a"),
        ("https://h/index.htm%6C", "h/%~index.html"),
        ("https://h/a//b", "h/a/%~/b"),
        ("https://h//x", "h/%~/x"),
        ("https://h/a//", "h/a/%~/index.html"),
        ("https://h/a//?x", "h/a/%~/?x"),
        ("https://h/a///index.html", "h/a/%~/%~/%~index.html"),
        ("https://h/%~self", "h/%25~self"),
        ("https://h/.hidden/...", "h/.hidden/..."),
        ("https://h/a%23b", "h/a%23b"),
        ("http://h:443/a", "h:443/a"),
        ("https://h:80/a", "h:80/a"),
    ] {
        let target = target(url);
        let nominal = path_of(&target);
        assert_eq!(nominal.as_str(), rel);
        let named = |variant: Option<&str>| {
            Ok(Named {
                target: target.clone(),
                nominal: nominal.clone(),
                variant: variant.map(str::to_owned),
            })
        };
        assert_eq!(target_of(rel, none), named(None));
        assert_eq!(target_of(&format!("{rel}/%~self"), none), named(None));
        let variant = format!("{rel}%~v-{HASH}");
        assert_eq!(nominal.variant(HASH).as_str(), variant);
        assert_eq!(target_of(&variant, none), named(Some(HASH)));
    }
}

#[test]
fn the_scheme_is_in_the_metadata() {
    for (rel, stored, url) in [
        ("h/a", "http://h/a", "http://h/a"),
        ("h/a", "https://h/a", "https://h/a"),
        ("h:8080/a", "http://h:8080/a", "http://h:8080/a"),
        // These do not lead back to the path, or lead nowhere.
        ("h/a", "http://h/b", "https://h/a"),
        ("h/a", "http://h:443/a", "https://h/a"),
        ("h/a", "nonsense", "https://h/a"),
        ("h:443/a", "https://h:443/a", "http://h:443/a"),
        ("h:80/a", "http://h:80/a", "https://h:80/a"),
    ] {
        let named = target_of(rel, |_| Some(stored.to_owned())).unwrap();
        assert_eq!(named.target, target(url), "{rel} {stored}");
    }
    for rel in ["h/a", "h/a/%~self", "h/a%~v-0123456789abcdef"] {
        let stored = |path: &RelPath| (path.as_str() == "h/a").then(|| "http://h/a".to_owned());
        assert_eq!(target_of(rel, stored).unwrap().target, target("http://h/a"));
    }
}

#[test]
fn long_segments_are_cut() {
    let fits = "x".repeat(255);
    assert_eq!(
        path(&format!("https://h/{fits}")).as_str(),
        format!("h/{fits}")
    );
    let long = "x".repeat(256);
    let cut = format!("{}%~{}", "x".repeat(221), sha(&long));
    assert_eq!(cut.len(), 255);
    let folder = format!("https://h/{long}/b");
    assert_eq!(path(&folder).as_str(), format!("h/{cut}/b"));

    // Not inside an escape, and not inside a marked slash.
    for (head, tail, kept) in [
        (218, "%20", 221),
        (219, "%20", 219),
        (220, "%20", 220),
        (216, "?/", 221),
        (217, "?/", 218),
        (217, "??/", 219),
        (218, "??/", 220),
        (215, "??/", 221),
    ] {
        let name = format!("{}{tail}{}", "x".repeat(head), "y".repeat(100));
        let rel = path(&format!("https://h/{name}"));
        let text = rel.file_name();
        let at = text.rfind("%~").unwrap();
        assert_eq!(at, kept, "{text}");
        assert!(name.replace('/', "%~2F").starts_with(&text[..at]));
    }
}

#[test]
fn long_paths_are_cut() {
    let whole = |n: usize, last: usize| format!("h{}/{}", "/abcd".repeat(n), "z".repeat(last));
    let fits = whole(690, MAX_NOMINAL - 3452);
    assert_eq!(fits.len(), MAX_NOMINAL);
    assert_eq!(path(&format!("https://{fits}")).as_str(), fits);
    let long = whole(690, MAX_NOMINAL - 3451);
    let cut = path(&format!("https://{long}"));
    let leading = (MAX_NOMINAL - 35 - 1) / 5;
    let expected = format!("h{}/%~{}", "/abcd".repeat(leading), sha(&long));
    assert_eq!(cut.as_str(), expected);
    // A slash as the first byte that doesn't fit.
    let edge = format!("h/{}{}", "b".repeat(3), "/abcd".repeat(700));
    let cut = path(&format!("https://{edge}"));
    assert_eq!(cut.as_str().len(), MAX_NOMINAL);
    assert!(cut.variant(HASH).as_str().len() <= MAX_PATH);
}

#[test]
fn cut_names_need_metadata() {
    let long = format!("https://h/{}", "x".repeat(300));
    let deep = format!("https://h{}", "/abcd".repeat(900));
    let inside = format!("{long}/b?c");
    let tight = format!("http://h/{}", "x".repeat(240));
    for url in [long, deep, inside, tight] {
        let nominal = path(&url);
        for rel in [nominal.clone(), nominal.as_self(), nominal.variant(HASH)] {
            let stored = |path: &RelPath| (path == &nominal || path == &rel).then(|| url.clone());
            let named = target_of(rel.as_str(), stored).unwrap();
            assert_eq!(named.target, target(&url));
            assert_eq!(named.nominal, nominal);
            if !nominal.as_str().contains("%~") && !rel.file_name().contains("%~v-") {
                continue;
            }
            let name = rel.as_str().to_owned();
            let error = Err(LayoutError::CutName { name });
            assert_eq!(target_of(rel.as_str(), none), error);
            let other = |_: &RelPath| Some("https://h/other".to_owned());
            assert_eq!(target_of(rel.as_str(), other), error);
        }
    }
}

#[test]
fn names_that_no_request_finds() {
    for (name, suggestion) in [
        ("h/my file.txt", "h/my%20file.txt"),
        ("h/ü", "h/%C3%BC"),
        ("h/C#.txt", "h/C%23.txt"),
        ("h/a%2fb", "h/a%2Fb"),
        ("h/%41", "h/A"),
        ("h/100%", "h/100%25"),
        ("h/a%~b", "h/a%25~b"),
        ("h/%~", "h/%25~"),
        ("h/%~/%~", "h/%~/%25~"),
        ("h/%~self/a", "h/%25~self/a"),
        ("h/%~index.html/a", "h/%25~index.html/a"),
        ("h/a?u=b%~2fc", "h/a?u=b%25~2fc"),
        ("h/a?u=b/c", "h/a?u=b%~2Fc"),
        ("h/a%~2Fb", "h/a%25~2Fb"),
        ("h/%~index.html?x", "h/%25~index.html?x"),
        ("h/a%~v-012", "h/a%25~v-012"),
        ("h/a%~v-0123456789ABCDEF", "h/a%25~v-0123456789ABCDEF"),
        ("h/%~v-0123456789abcdef", "h/%25~v-0123456789abcdef"),
        ("Example.COM/a", "example.com/a"),
        ("h:0443/a", "h/a"),
        ("h:/a", "h/a"),
        ("[::0:1]/a", "[::1]/a"),
        ("h", "h/index.html"),
        ("h/%2e", "h/index.html"),
        ("h/a/%2E/b", "h/a/b"),
        ("h/", "h/index.html"),
        ("h/a/", "h/a/index.html"),
        ("h//a", "h/%~/a"),
        ("h/a b/%~self", "h/a%20b/%~self"),
        ("h/a b%~v-0123456789abcdef", "h/a%20b%~v-0123456789abcdef"),
        // One place for a variant: beside the folder.
        ("h/a/%~self%~v-0123456789abcdef", "h/a%~v-0123456789abcdef"),
        ("h/a/%~self/%~self", "h/a/%25~self/%~self"),
        ("h/%~self", "h/%25~self"),
    ] {
        match target_of(name, none) {
            Err(error @ LayoutError::NotCanonical { .. }) => {
                let text = error.to_string();
                assert!(
                    text.contains(&format!("rename it to {suggestion:?}")),
                    "{text}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
        assert!(target_of(suggestion, none).is_ok(), "{suggestion}");
    }
    for name in ["foo bar/x", "h:0/a", "h:x/a", "a%b/c", "\u{ad}/x"] {
        let error = target_of(name, none);
        let bad_host = matches!(
            error,
            Err(LayoutError::NoUrl {
                source: KeyError::BadHost { .. },
                ..
            })
        );
        assert!(bad_host, "{error:?}");
    }
    for name in ["h/%2e%2e", "h/a/%2E./b", "h/..?x"] {
        let error = target_of(name, none);
        let source = KeyError::DotSegment;
        let name = name.to_owned();
        assert_eq!(error, Err(LayoutError::NoUrl { name, source }));
    }
}

#[test]
fn outside() {
    for path in [
        "", "/", "/h/a", ".", "..", "../h/a", "h/../a", "h/a/..", "h/./a", ".cachy", ".cachy/a",
        ".git/a", "h/a\0",
    ] {
        let path = path.to_owned();
        let error = target_of(&path, none);
        assert_eq!(error, Err(LayoutError::Outside { path }));
    }
}

#[test]
fn rel_path() {
    let a = path("https://h/a");
    assert_eq!((a.parent(), a.file_name()), (Some("h"), "a"));
    let itself = a.as_self();
    assert_eq!(itself.as_str(), "h/a/%~self");
    assert_eq!(itself.as_self(), itself);
    assert_eq!(itself.variant(HASH), a.variant(HASH));
    // Never a way out of the folder.
    let odd = a.variant("../../x");
    assert_eq!(odd.parent(), Some("h"));
    assert_eq!(target_of(odd.as_str(), none).unwrap().nominal, a);

    // 235 bytes leave room for the suffix, 236 don't.
    let tight = path(&format!("https://h/{}", "x".repeat(235)));
    assert_eq!(tight.variant(HASH).file_name().len(), 255);
    assert!(
        tight
            .variant(HASH)
            .file_name()
            .starts_with(tight.file_name())
    );
    let name = "x".repeat(236);
    let cut = path(&format!("https://h/{name}")).variant(HASH);
    let expected = format!("h/{}%~{}%~v-{HASH}", "x".repeat(201), sha(&name));
    assert_eq!(cut.as_str(), expected);
}
