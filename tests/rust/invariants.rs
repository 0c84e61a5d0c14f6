//! What holds for every target and every path; the property tests and the fuzz target share it.

use cachy::{
    key::{Scheme, Target},
    layout::{LayoutError, MAX_PATH, RelPath, path_of, target_of},
};

const HASH: &str = "0123456789abcdef";

/// URL -> path -> URL, and the path is one that a file system and `RelPath` allow.
pub fn check_target(target: &Target) {
    let url = target.url();
    assert_eq!(Target::parse(&url).as_ref(), Ok(target), "{url}");
    assert!(
        url.is_ascii() && !url.contains("%~") && !url.contains('#'),
        "{url}"
    );
    let wire = url.splitn(4, '/').nth(3).unwrap();
    let again = Target::new(
        target.scheme(),
        target.host(),
        target.port(),
        format!("/{wire}").as_bytes(),
    );
    assert_eq!(again.as_ref(), Ok(target), "{url}");

    let nominal = path_of(target);
    let text = nominal.as_str();
    check_rel_path(&nominal);
    assert_eq!(text.split('/').next(), Some(target.authority()));
    // What beginning and end of a moved file or a variant look like is no URL's nominal name.
    assert!(
        !text.contains("%~v-") && text.split('/').all(|s| s != "%~self"),
        "{text}"
    );

    let stored = |_: &RelPath| Some(url.clone());
    for (rel, variant) in [
        (nominal.clone(), None),
        (nominal.as_self(), None),
        (nominal.variant(HASH), Some(HASH)),
        (nominal.as_self().variant(HASH), Some(HASH)),
    ] {
        check_rel_path(&rel);
        let named = target_of(rel.as_str(), stored).unwrap();
        assert_eq!(&named.target, target, "{rel}");
        assert_eq!(named.nominal, nominal);
        assert_eq!(named.variant.as_deref(), variant);
        // Without metadata: https where the text allows it, or no answer, but never another URL.
        match target_of(rel.as_str(), |_| None) {
            Ok(named) => {
                let https = target.with_scheme(Scheme::Https);
                assert_eq!(named.target, https.unwrap_or_else(|| target.clone()));
            }
            Err(error) => assert!(matches!(error, LayoutError::CutName { .. }), "{error}"),
        }
    }
    if let Some(slashed) = target.with_slash() {
        assert_eq!(Target::parse(&slashed.url()), Ok(slashed));
    }
    for scheme in [Scheme::Http, Scheme::Https] {
        if let Some(other) = target.with_scheme(scheme) {
            assert_eq!(path_of(&other), nominal);
            assert_eq!(Target::parse(&other.url()), Ok(other));
        }
    }
}

/// Targets share a path, or the path of a moved file or variant, exactly where they are the same
/// but for the scheme.
pub fn check_pair(one: &Target, two: &Target) {
    let text = |target: &Target| target.url().split_once(':').unwrap().1.to_owned();
    let same = text(one) == text(two);
    let (a, b) = (path_of(one), path_of(two));
    assert_eq!(a == b, same, "{a} {b}");
    assert_eq!(a.as_self() == b.as_self(), same);
    assert_eq!(a.variant(HASH) == b.variant(HASH), same);
    let forms = |path: &RelPath| [path.clone(), path.as_self(), path.variant(HASH)];
    for (i, x) in forms(&a).iter().enumerate() {
        for (j, y) in forms(&b).iter().enumerate() {
            assert!(i == j || x != y, "{x}");
        }
    }
}

/// Any text at all: no panic, and an answer only for the path of a target.
pub fn check_path(text: &str, stored: Option<&str>) {
    match target_of(text, |_| stored.map(str::to_owned)) {
        Ok(named) => {
            assert_eq!(path_of(&named.target), named.nominal);
            let place = match &named.variant {
                Some(hash) => named.nominal.variant(hash),
                None if text.ends_with("/%~self") => named.nominal.as_self(),
                None => named.nominal,
            };
            assert_eq!(place.as_str(), text);
            check_target(&named.target);
        }
        Err(LayoutError::NotCanonical { suggestion, .. }) => {
            check_rel_path(&suggestion);
            assert_ne!(suggestion.as_str(), text);
            let again = target_of(suggestion.as_str(), |_| None);
            assert!(
                matches!(again, Ok(_) | Err(LayoutError::CutName { .. })),
                "{text:?} {again:?}"
            );
        }
        Err(_) => {}
    }
}

fn check_rel_path(path: &RelPath) {
    let text = path.as_str();
    assert!(text.len() <= MAX_PATH, "{}", text.len());
    assert!(!text.starts_with('.') && !text.contains('\0'), "{text:?}");
    for segment in text.split('/') {
        assert!(!segment.is_empty() && segment.len() <= 255, "{text}");
        assert!(segment != "." && segment != "..", "{text}");
    }
}
