use super::{KeyError, Scheme, Target};

fn wire(target: &[u8]) -> Result<Target, KeyError> {
    Target::new(Scheme::Https, "h", 443, target)
}

fn typed(url: &str) -> String {
    Target::parse(url).unwrap().url()
}

#[test]
fn text_has_one_spelling() {
    for (raw, canonical) in [
        (&b""[..], "/"),
        (b"/", "/"),
        (b"/a?x=1&y=2", "/a?x=1&y=2"),
        (b"/%41%7e%2D%5f%2e%39x", "/A~-_.9x"),
        (b"/a%2fb", "/a%2Fb"),
        (b"/a?u=b/c%2fd", "/a?u=b/c%2Fd"),
        (b"/a?", "/a?"),
        (b"/a??", "/a??"),
        (b"/?b?c", "/?b?c"),
        (b"//a///b//", "//a///b//"),
        (b"/a b", "/a%20b"),
        (b"/\x00\x1f\x7f", "/%00%1F%7F"),
        (b"/\"<>\\^`{|}", "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("/ü".as_bytes(), "/%C3%BC"),
        (b"/\xff?\xfe", "/%FF?%FE"),
        (b"/%c3%bc", "/%C3%BC"),
        (b"/100%", "/100%25"),
        (b"/%zz%4%", "/%25zz%254%25"),
        (b"/%%41", "/%25A"),
        (b"/%%34%31", "/%2541"),
        (b"/%~self", "/%25~self"),
        (b"/%257E", "/%257E"),
        (b"/:@!$&'()*+,;=[]", "/:@!$&'()*+,;=[]"),
        (
            b"/%3a%40%21%24%26%27%28%29%2a%2b%2c%3b%3d%5b%5d",
            "/%3A%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%5B%5D",
        ),
        (b"/%3f%23", "/%3F%23"),
        (b"/.a/b./...?./..", "/.a/b./...?./.."),
        // RFC 3986 section 5.2.4
        (b"/.", "/"),
        (b"/./", "/"),
        (b"/./a", "/a"),
        (b"/a/.", "/a/"),
        (b"/a/./b", "/a/b"),
        (b"/a/././b/./", "/a/b/"),
        (b"/%2e", "/"),
        (b"/a/%2E/b", "/a/b"),
        (b"//.", "//"),
        (b"/.//a", "//a"),
        (b"/a?/./b", "/a?/./b"),
    ] {
        let target = wire(raw).unwrap();
        assert_eq!(target.url(), format!("https://h{canonical}"), "{raw:?}");
        assert_eq!(Target::parse(&target.url()), Ok(target));
    }
}

#[test]
fn some_targets_have_no_key() {
    for raw in [
        "/..",
        "/./..",
        "/a/../b",
        "/a/..",
        "/%2E%2e/a",
        "/.%2E",
        "/%2e.?x",
    ] {
        assert_eq!(wire(raw.as_bytes()), Err(KeyError::DotSegment), "{raw}");
    }
    for raw in ["/a#b", "/a?b#", "/#"] {
        assert_eq!(wire(raw.as_bytes()), Err(KeyError::Fragment), "{raw}");
    }
    for raw in ["*", "a", "?x", "http://h/a", "%2Fa"] {
        assert_eq!(wire(raw.as_bytes()), Err(KeyError::BadPath), "{raw}");
    }
}

#[test]
fn hosts_have_one_spelling() {
    for (host, port, authority) in [
        ("Example.COM", 443, "example.com"),
        ("example.com", 80, "example.com:80"),
        ("localhost", 8443, "localhost:8443"),
        ("bücher.example", 443, "xn--bcher-kva.example"),
        ("XN--bcher-KVA.example", 443, "xn--bcher-kva.example"),
        ("127.0.0.1", 443, "127.0.0.1"),
        ("::1", 443, "[::1]"),
        ("[::1]", 8080, "[::1]:8080"),
        ("2001:DB8:0::1", 443, "[2001:db8::1]"),
        ("my_host.", 443, "my_host."),
    ] {
        let target = Target::new(Scheme::Https, host, port, b"/").unwrap();
        assert_eq!(target.authority(), authority);
        assert_eq!(target.port(), port);
        assert_eq!(Target::parse(&target.url()), Ok(target));
    }
    let target = Target::new(Scheme::Https, "::1", 8080, b"/").unwrap();
    assert_eq!(target.host(), "[::1]");
}

#[test]
fn some_hosts_name_no_folder() {
    let long = format!("{}.example", "a".repeat(250));
    for host in [
        "",
        ".",
        "..",
        ".cachy",
        "\u{ad}.cachy",
        "。a",
        "a/b",
        "a%2Fb",
        "%41",
        "a\0b",
        "a b",
        " a",
        "a\n",
        "a\tb",
        "a?b",
        "a#b",
        "a@b",
        "a\\b",
        "a:80",
        "[::1",
        "[a]",
        "::1%eth0",
        "256.1.1.1",
        "a\"b",
        "a{b",
        "a`b",
        "a^b",
        "a|b",
        "a<b",
        "\u{7f}",
        &long,
    ] {
        let bad = KeyError::BadHost {
            host: host.to_owned(),
        };
        assert_eq!(Target::new(Scheme::Http, host, 80, b"/"), Err(bad));
    }
    let zero = Target::new(Scheme::Http, "h", 0, b"/");
    assert!(matches!(zero, Err(KeyError::BadHost { .. })));
}

#[test]
fn typed_urls() {
    for (url, canonical) in [
        ("HTTPS://Example.com", "https://example.com/"),
        ("http://h:80/a", "http://h/a"),
        ("http://h:/a", "http://h/a"),
        ("http://h:443/a", "http://h:443/a"),
        ("https://h:0443/a", "https://h/a"),
        ("https://h?x=1/2", "https://h/?x=1/2"),
        ("https://h/a#b?c", "https://h/a"),
        ("https://h#b", "https://h/"),
        ("https://h/a?#", "https://h/a?"),
        ("https://h/a b/ü", "https://h/a%20b/%C3%BC"),
        ("https://h/a@b:c", "https://h/a@b:c"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a"),
    ] {
        assert_eq!(typed(url), canonical);
    }
    for url in [
        "",
        "h/a",
        "ftp://h/a",
        "http:/h",
        "//h/a",
        " http://h/",
        "x",
    ] {
        assert_eq!(Target::parse(url), Err(KeyError::NotHttp), "{url}");
    }
    for url in ["http://me@h/", "http://me:pw@h/", "http://@h/"] {
        assert_eq!(Target::parse(url), Err(KeyError::Userinfo), "{url}");
    }
    for url in [
        "http://",
        "http:///a",
        "http://:80/",
        "http://::1/",
        "http://:::1/",
        "http://h:x/",
        "http://h:+80/",
        "http://h:65536/",
        "http://h:0/",
        "http://[::1]80/",
        "http://h\\a/",
    ] {
        let error = Target::parse(url);
        assert!(matches!(error, Err(KeyError::BadHost { .. })), "{url}");
    }
}

#[test]
fn the_same_text_with_the_other_scheme() {
    for (url, other) in [
        ("http://h/a?x", Some("https://h/a?x")),
        ("https://h/", Some("http://h/")),
        ("http://h:8080/", Some("https://h:8080/")),
        ("http://h:443/", None),
        ("https://h:80/", None),
    ] {
        let target = Target::parse(url).unwrap();
        let flipped = match target.scheme() {
            Scheme::Http => Scheme::Https,
            Scheme::Https => Scheme::Http,
        };
        assert_eq!(target.with_scheme(target.scheme()), Some(target.clone()));
        let other = other.map(|text| Target::parse(text).unwrap());
        assert_eq!(target.with_scheme(flipped), other);
    }
}

#[test]
fn a_slash_is_added_once() {
    for (url, slashed) in [
        ("http://h/a", Some("http://h/a/")),
        ("http://h/a?x=/", Some("http://h/a/?x=/")),
        ("http://h/a/", None),
        ("http://h/?x", None),
    ] {
        let target = Target::parse(url).unwrap();
        let slashed = slashed.map(|text| Target::parse(text).unwrap());
        assert_eq!(target.with_slash(), slashed);
    }
}

#[test]
fn parts() {
    let target = Target::parse("http://H:8080/a%2fb?c=%7e").unwrap();
    assert_eq!(target.scheme(), Scheme::Http);
    assert_eq!(target.host(), "h");
    assert_eq!(target.path(), "/a%2Fb");
    assert_eq!(target.query(), Some("c=~"));
    assert_eq!(typed("http://h/?"), "http://h/?");
    assert_eq!(Target::parse("http://h/").unwrap().query(), None);
    assert_eq!(Target::parse("http://h/?").unwrap().query(), Some(""));
}
