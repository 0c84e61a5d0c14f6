//! What registries select by and don't say in `Vary`: which fields count, told by the shape of the URL
//! and by what came, and what of their values does.

use super::weighted;
use crate::headers::Headers;
use crate::key::Target;
use crate::shape;

/// By which of its two forms a packument was asked for. No field has such a name: what `Accept` says
/// beside that counts only where `Vary` names it.
const PACKUMENT: &str = "accept:npm";
/// The short form of a packument.
const INSTALL: &str = "application/vnd.npm.install-v1+json";

/// Media types of manifests that all clients of today take, and registries convert none of them to another.
const MANIFESTS: [&str; 4] = [
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
];
/// What some name beside those, and get nothing else for.
const BESIDE: [&str; 5] = [
    "*/*",
    "application/*",
    "application/json",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

/// The fields that a URL is known to be selected by before anything of it has come.
pub(super) fn by_url(target: &Target) -> Option<&'static str> {
    if shape::is_simple(target) || manifest(target).is_some() || is_download(target) {
        Some("accept")
    } else if target.path().ends_with("/info/refs") {
        Some("git-protocol")
    } else if may_be_packument(target) {
        Some(PACKUMENT)
    } else {
        None
    }
}

/// The fields that a response was selected by beside those of `Vary`.
pub(super) fn by_response(
    target: &Target,
    status: u16,
    response: &Headers,
) -> impl Iterator<Item = &'static str> {
    let field = by_url(target).filter(|name| *name != PACKUMENT || is_json(response));
    // One client's origin, said back to it, shuts out the next one's (Fetch, section 3.2.3).
    let origin = response.text("access-control-allow-origin");
    let origin = origin.filter(|value| *value != "*").map(|_| "origin");
    let field = field.filter(|_| !is_named(target, status));
    field.into_iter().chain(origin)
}

/// Whether a response is what its URL says by a digest: that is one whatever is accepted. That there
/// is none may be due to `Accept`.
pub(super) fn is_named(target: &Target, status: u16) -> bool {
    status == 200 && manifest(target).is_some_and(|reference| reference.contains(':'))
}

/// What counts of a field's value. `None`: all of it.
pub(super) fn value(target: &Target, request: &Headers, name: &str) -> Option<String> {
    match name {
        PACKUMENT => Some(packument(&request.list("accept")).unwrap_or("").to_owned()),
        "accept" if shape::is_simple(target) => {
            Some(simple_type(&request.list("accept")).to_owned())
        }
        "accept" if manifest(target).is_some() => Some(manifests(&request.list("accept"))),
        "accept" if is_download(target) => {
            let accepted = weighted(&request.list("accept"));
            let json = |(name, quality): &(String, f32)| *quality > 0.0 && name.contains("json");
            Some(
                if accepted.iter().any(json) {
                    "json"
                } else {
                    ""
                }
                .to_owned(),
            )
        }
        // The one kind of which clients write many lists that mean the same.
        "accept" => packument(&request.list("accept")).map(str::to_owned),
        _ => None,
    }
}

/// The tag or digest of an image's manifest, `/v2/NAME/manifests/REFERENCE` below whatever prefix.
fn manifest(target: &Target) -> Option<&str> {
    let (before, reference) = target.path().rsplit_once("/manifests/")?;
    let image = before.starts_with("/v2/") || before.contains("/v2/");
    (image && !reference.is_empty() && !reference.contains('/')).then_some(reference)
}

/// Whether it is a crate, which to whom takes JSON is a document that says where the crate is.
fn is_download(target: &Target) -> bool {
    let mut segments: Vec<&str> = target.path().split('/').collect();
    let name = segments.pop().unwrap_or_default();
    shape::crate_download(&segments, name)
}

/// Whether it may be a document about an npm package, `/NAME` or `/@SCOPE/NAME` below whatever prefix.
fn may_be_packument(target: &Target) -> bool {
    let name = target.path().rsplit('/').next().unwrap_or_default();
    target.query().is_none()
        && !name.is_empty()
        && !name.contains(':')
        && name.rsplit('.').next() != Some("json")
        && !target.path().contains("/-/")
}

fn is_json(response: &Headers) -> bool {
    let media_type = response.text("content-type").unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.eq_ignore_ascii_case(INSTALL)
}

/// The short form, where a client wants it at least as much as the long one.
fn packument(accept: &str) -> Option<&'static str> {
    // Nearly all requests end here.
    if !accept.contains("npm.install") {
        return None;
    }
    let accepted = weighted(accept);
    let quality = |name| {
        let found = accepted.iter().find(|(range, _)| range == name);
        found.map_or(0.0, |(_, quality)| *quality)
    };
    let short = quality(INSTALL);
    (short > 0.0 && short >= quality("application/json")).then_some(INSTALL)
}

/// Which manifests a client takes. Most take all there are, whatever they name beside; only who
/// doesn't gets a platform's in the place of an index, a converted one, or a 404.
fn manifests(accept: &str) -> String {
    let accepted = weighted(accept);
    let mut types: Vec<&str> = accepted
        .iter()
        .filter(|(_, quality)| *quality > 0.0)
        .map(|(name, _)| name.as_str())
        .collect();
    types.sort_unstable();
    types.dedup();
    if MANIFESTS.iter().all(|known| types.contains(known)) {
        types.retain(|name| !MANIFESTS.contains(name) && !BESIDE.contains(name));
        types.insert(0, "all");
    }
    types.join(", ")
}

/// What of a Python index an `Accept` field wants most (PEP 691); HTML where it says nothing.
fn simple_type(accept: &str) -> &'static str {
    let (mut json, mut html) = (0.0, 0.0);
    for (range, quality) in weighted(accept) {
        let best = match range.as_str() {
            "application/vnd.pypi.simple.v1+json" | "application/vnd.pypi.simple.latest+json" => {
                &mut json
            }
            "application/vnd.pypi.simple.v1+html"
            | "application/vnd.pypi.simple.latest+html"
            | "text/html"
            | "text/*"
            | "*/*" => &mut html,
            _ => continue,
        };
        *best = quality.max(*best);
    }
    if json > html { "json" } else { "html" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Target {
        Target::parse(&format!("https://h{path}")).unwrap()
    }

    #[test]
    fn which_index_a_client_wants() {
        let pip = "application/vnd.pypi.simple.v1+json, \
                   application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
        let uv = "application/vnd.pypi.simple.v1+json, \
                  application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";
        assert_eq!(simple_type(pip), "json");
        assert_eq!(simple_type(uv), "json");
        for html in [
            "",
            "*/*",
            "text/html",
            "application/vnd.pypi.simple.v1+json;q=0, */*",
        ] {
            assert_eq!(simple_type(html), "html", "{html}");
        }
    }

    #[test]
    fn which_manifests_a_client_takes() {
        let (list, schema2, index, image) =
            (MANIFESTS[0], MANIFESTS[1], MANIFESTS[2], MANIFESTS[3]);
        let (old, signed) = (BESIDE[3], BESIDE[4]);
        for all in [
            // containerd and buildx
            format!("{schema2}, {list}, {image}, {index}, */*"),
            // docker
            format!("{signed}, application/json, {schema2}, {list}, {index}, {image}"),
            // skopeo and podman
            format!("{image}, {schema2}, {signed}, {old}, {list}, {index}"),
            // crane
            format!("{old},{signed},{schema2},{image},{list},{index}"),
            format!("{list};q=0.5, {schema2}, {index}, {image}").to_ascii_uppercase(),
        ] {
            assert_eq!(manifests(&all), "all", "{all}");
        }
        let artifact = "application/vnd.oci.artifact.manifest.v1+json";
        for (narrow, said) in [
            (String::new(), String::new()),
            ("*/*".to_owned(), "*/*".to_owned()),
            (schema2.to_owned(), schema2.to_owned()),
            (format!("{image}, {schema2}"), format!("{schema2}, {image}")),
            (
                format!("{list},{schema2},{index},{image};q=0"),
                format!("{list}, {schema2}, {index}"),
            ),
            (
                format!("{list},{schema2},{index},{image},{artifact}"),
                format!("all, {artifact}"),
            ),
        ] {
            assert_eq!(manifests(&narrow), said, "{narrow}");
        }
    }

    #[test]
    fn which_packument_a_client_wants() {
        for (accept, short) in [
            (
                &format!("{INSTALL}; q=1.0, application/json; q=0.8, */*")[..],
                true,
            ),
            (INSTALL, true),
            (&format!("application/json, {INSTALL}"), true),
            (&format!("application/json, {INSTALL};q=0.5"), false),
            (&format!("application/json, {INSTALL};q=0"), false),
            ("application/json", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(packument(accept).is_some(), short, "{accept}");
        }
    }

    #[test]
    fn what_is_known_of_a_url() {
        for (path, name) in [
            ("/simple/six/", "accept"),
            ("/root/pypi/+simple/six/", "accept"),
            ("/v2/library/alpine/manifests/3.19", "accept"),
            ("/artifactory/api/docker/r/v2/a/manifests/latest", "accept"),
            ("/o/r.git/info/refs?service=git-upload-pack", "git-protocol"),
            ("/api/v1/crates/serde/1.0.0/download", "accept"),
            ("/lodash", PACKUMENT),
            ("/repository/npm/@types%2Fnode", PACKUMENT),
            ("/@types/node", PACKUMENT),
            ("/highlight.js", PACKUMENT),
        ] {
            assert_eq!(by_url(&at(path)), Some(name), "{path}");
        }
        for path in [
            "/v2/a/blobs/sha256:0",
            "/v2/manifests/",
            "/lodash/-/lodash-4.17.21.tgz",
            "/config.json",
            "/a/",
            "/a?b",
        ] {
            assert_eq!(by_url(&at(path)), None, "{path}");
        }
    }

    #[test]
    fn what_a_response_was_selected_by() {
        let of = |path: &str, status, name: &str, value: &str| {
            let response = Headers(vec![(name.into(), value.into())]);
            by_response(&at(path), status, &response).collect::<Vec<_>>()
        };
        let digest = format!("/v2/a/manifests/sha256:{}", "0".repeat(64));
        let json = ("Content-Type", "application/json; charset=utf-8");
        assert_eq!(of("/lodash", 200, json.0, json.1), [PACKUMENT]);
        assert_eq!(of("/lodash", 200, "content-type", INSTALL), [PACKUMENT]);
        assert!(of("/lodash", 200, "content-type", "text/plain").is_empty());
        assert_eq!(of("/v2/a/manifests/1", 200, json.0, json.1), ["accept"]);
        assert_eq!(of("/v2/a/manifests/1", 404, json.0, json.1), ["accept"]);
        assert!(of(&digest, 200, json.0, json.1).is_empty());
        assert_eq!(of(&digest, 404, json.0, json.1), ["accept"]);
        let allow = "Access-Control-Allow-Origin";
        assert_eq!(of("/a.js", 200, allow, "https://o"), ["origin"]);
        assert!(of("/a.js", 200, allow, "*").is_empty());
    }
}
