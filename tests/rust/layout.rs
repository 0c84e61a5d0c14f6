//! Properties of canonical targets and their paths, with hostile input.
#![allow(clippy::unwrap_used)]

mod invariants;

use cachy::key::{Scheme, Target};
use proptest::{collection::vec, prelude::*, sample::select};

/// What the rules of the layout turn on.
const TOKENS: &[&str] = &[
    "/",
    "/",
    "/",
    "//",
    "?",
    "?",
    "a",
    "b",
    "x=1",
    "&",
    ".",
    "..",
    "%2e",
    ".%2E",
    "%2F",
    "%2f",
    "%~2F",
    "%~2f",
    "%7E",
    "%7e",
    "~",
    "%41",
    "A",
    "%",
    "%25",
    "%25~",
    "%~",
    "%~self",
    "%~self/",
    "/%~self",
    "%~v-0123456789abcdef",
    "%~v-",
    "index.html",
    "/index.html",
    "%~index.html",
    "index.htm%6C",
    "%3F",
    "%23",
    "#",
    " ",
    "ü",
    "%C3%BC",
    "\0",
    "[",
    "]",
    "\\",
    "\"",
    "|",
    ":",
    "@",
    "%~0123456789abcdef0123456789abcdef",
    ".cachy",
    "\u{7f}",
    "%00",
    "%zz",
    "%4",
];

fn token() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        16 => select(TOKENS).prop_map(|token| token.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..4),
        // Around what fits a name, with and without a variant's suffix.
        1 => (select(&[200, 216, 218, 219, 220, 221, 233, 235, 236, 253, 255, 256, 300][..]))
            .prop_map(|length| vec![b'x'; length]),
        // Around what fits a path.
        1 => (select(&["/s", "/%~", "/abcdefgh", "//", "/index.html"][..]), 300..2000_usize)
            .prop_map(|(segment, times)| segment.repeat(times).into_bytes()),
    ]
}

fn tokens() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(token(), 0..10)
}

fn host() -> impl Strategy<Value = String> {
    let known = &[
        "h",
        "H",
        "example.com",
        "bücher.example",
        "xn--bcher-kva.example",
        "127.0.0.1",
        "::1",
        "[::1]",
        "h.",
        "a..b",
        "xn--a",
        "0x7f.1",
        "ﬀ.example",
        "faß.de",
        "a_b",
        ".h",
        "index.html",
    ];
    prop_oneof![
        4 => select(&known[..]).prop_map(str::to_owned),
        1 => "\\PC{1,8}",
        1 => "[a-zA-Z0-9.\\-\u{ad}ü。]{1,8}",
    ]
}

fn build(scheme: bool, host: &str, port: u16, tokens: &[Vec<u8>]) -> Option<Target> {
    let scheme = if scheme { Scheme::Https } else { Scheme::Http };
    let raw = [&b"/"[..], &tokens.concat()].concat();
    Target::new(scheme, host, port, &raw).ok()
}

fn port() -> impl Strategy<Value = u16> {
    select(&[80, 443, 443, 8443][..])
}

/// One small step, so that pairs come close to each other.
#[derive(Clone, Debug)]
enum Step {
    Insert(usize, Vec<u8>),
    Remove(usize),
    Replace(usize, Vec<u8>),
    Swap(usize),
    Append(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0..10_usize;
    prop_oneof![
        (place.clone(), token()).prop_map(|(at, with)| Step::Insert(at, with)),
        place.clone().prop_map(Step::Remove),
        (place.clone(), token()).prop_map(|(at, with)| Step::Replace(at, with)),
        place.prop_map(Step::Swap),
        token().prop_map(Step::Append),
    ]
}

fn mutate(tokens: &[Vec<u8>], steps: &[Step]) -> Vec<Vec<u8>> {
    let mut out = tokens.to_vec();
    for step in steps {
        match step {
            Step::Insert(at, with) => out.insert((*at).min(out.len()), with.clone()),
            Step::Remove(at) if *at < out.len() => drop(out.remove(*at)),
            Step::Replace(at, with) if *at < out.len() => out[*at].clone_from(with),
            Step::Swap(at) if at + 1 < out.len() => out.swap(*at, at + 1),
            Step::Append(with) => out.push(with.clone()),
            _ => {}
        }
    }
    out
}

/// Pairs that the rules could confuse: the same text in another spelling of one place.
const TWINS: &[(&str, &str)] = &[
    ("/", "%2F"),
    ("/", "//"),
    ("/", "%~2F"),
    ("/", "/index.html"),
    ("/", "/%~/"),
    ("%2F", "%~2F"),
    ("%7E", "~"),
    ("%", "%25"),
    ("%7E", "%257E"),
    ("index.html", "%~index.html"),
    ("?", "%3F"),
    ("?", "/?"),
    ("", "?"),
    ("", "/"),
    ("", "/%~self"),
    ("", "%~v-0123456789abcdef"),
    ("a", "%61"),
    ("a", "A"),
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn targets_come_back(scheme: bool, host in host(), port in port(), tokens in tokens()) {
        if let Some(target) = build(scheme, &host, port, &tokens) {
            invariants::check_target(&target);
        }
    }

    #[test]
    fn different_targets_have_different_paths(
        schemes: (bool, bool),
        ports in (port(), port()),
        tokens in tokens(),
        steps in vec(step(), 0..3),
    ) {
        let one = build(schemes.0, "h", ports.0, &tokens);
        let two = build(schemes.1, "h", ports.1, &mutate(&tokens, &steps));
        if let (Some(one), Some(two)) = (one, two) {
            invariants::check_pair(&one, &two);
        }
    }

    #[test]
    fn twins_have_different_paths(
        before in tokens(),
        twins in select(TWINS),
        flip: bool,
        after in tokens(),
    ) {
        let with = |middle: &str| {
            let parts = [&before[..], &[middle.as_bytes().to_vec()], &after[..]].concat();
            build(true, "h", 443, &parts)
        };
        let (a, b) = if flip { (twins.1, twins.0) } else { twins };
        if let (Some(one), Some(two)) = (with(a), with(b)) {
            invariants::check_pair(&one, &two);
        }
    }

    #[test]
    fn any_path_has_one_target_or_none(
        folder in prop_oneof![host(), Just("h:443".to_owned()), Just("h:80".to_owned())],
        tokens in tokens(),
        stored in prop_oneof![Just(None), ".{0,20}".prop_map(Some), Just(Some("http://h/a".into()))],
    ) {
        let text = String::from_utf8_lossy(&tokens.concat()).into_owned();
        invariants::check_path(&text, stored.as_deref());
        invariants::check_path(&format!("{folder}/{text}"), stored.as_deref());
    }

    #[test]
    fn any_text_is_no_reason_to_panic(text in any::<String>(), url in any::<String>()) {
        invariants::check_path(&text, Some(&url));
        if let Ok(target) = Target::parse(&format!("http://{url}")) {
            invariants::check_target(&target);
        }
    }
}
