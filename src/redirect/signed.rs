//! URLs that are signed: whoever has one may fetch, for minutes. The parameters are those of S3,
//! `CloudFront`, Azure SAS and GCS.

use url::Url;

/// What a signed URL has, all of it. Names in lower case.
const SETS: [&[&str]; 9] = [
    // S3, version 4 and 2.
    &[
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-signedheaders",
        "x-amz-signature",
    ],
    &["awsaccesskeyid", "expires", "signature"],
    // CloudFront, with a policy of its own and with the canned one.
    &["policy", "signature", "key-pair-id"],
    &["expires", "signature", "key-pair-id"],
    // Azure: a service's SAS with its own terms or by a stored policy, and an account's.
    &["sv", "sr", "se", "sp", "sig"],
    &["sv", "sr", "si", "sig"],
    &["sv", "ss", "srt", "se", "sp", "sig"],
    // GCS, version 4 and 2.
    &[
        "x-goog-algorithm",
        "x-goog-credential",
        "x-goog-date",
        "x-goog-expires",
        "x-goog-signedheaders",
        "x-goog-signature",
    ],
    &["googleaccessid", "expires", "signature"],
];

/// Any of these makes it likely that a URL is good for minutes only.
const SIGNATURES: [&str; 5] = [
    "x-amz-signature",
    "signature",
    "sig",
    "x-goog-signature",
    "key-pair-id",
];

/// Whether a URL is signed: it has a complete known set of parameters, none of them empty.
#[must_use]
pub fn is_signed(url: &Url) -> bool {
    let names: Vec<String> = url
        .query_pairs()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    let has = |name: &&str| names.iter().any(|n| n == name);
    SETS.iter().any(|set| set.iter().all(has))
}

/// Whether a URL has any parameter of a signature: too short-lived to be stored as a link.
#[must_use]
pub fn looks_signed(url: &Url) -> bool {
    url.query_pairs()
        .any(|(name, _)| SIGNATURES.contains(&name.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S3: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20240101%2Feu%2Fs3%2Faws4_request\
        &X-Amz-Date=20240101T000000Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host&X-Amz-Signature=ab12";
    const GCS: &str = "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=a%40b%2F20240101\
        &X-Goog-Date=20240101T000000Z&X-Goog-Expires=600&X-Goog-SignedHeaders=host&X-Goog-Signature=ab12";

    fn url(query: &str) -> Url {
        Url::parse(&format!("https://store.example/a/b?{query}")).unwrap()
    }

    #[test]
    fn complete_sets() {
        for query in [
            S3,
            &S3.to_ascii_lowercase(),
            &format!("response-content-type=x&{S3}&X-Amz-Security-Token=t"),
            &S3.replace("X-Amz-", "X%2DAmz%2D"),
            "AWSAccessKeyId=AK&Expires=1700000000&Signature=a%2Bb%3D",
            "Expires=1700000000&Signature=a~b_&Key-Pair-Id=K1",
            "Policy=eyJ&Signature=a~b_&Key-Pair-Id=K1",
            "sv=2023-01-03&sr=b&se=2024-01-01T00%3A00%3A00Z&sp=r&sig=a%2Bb%3D",
            "sp=r&sv=2023-01-03&sr=c&si=read&sig=a",
            "sv=2023-01-03&ss=b&srt=o&sp=r&se=2024&sig=a",
            GCS,
            "GoogleAccessId=a%40b&Expires=1700000000&Signature=a%2Bb",
        ] {
            assert!(is_signed(&url(query)), "{query}");
            assert!(looks_signed(&url(query)), "{query}");
        }
    }

    #[test]
    fn incomplete_sets() {
        for query in [
            "",
            "x=1",
            "Expires=1700000000&Signature=a",
            "AWSAccessKeyId=AK&Expires=1700000000",
            "Key-Pair-Id=K1&Signature=a",
            "Key-Pair-Id=K1&Expires=1&Policy=p",
            "sv=2023-01-03&sig=a&se=2024&sp=r",
            "sv=2023-01-03&sig=a&sr=b&se=2024",
            "sv=2023-01-03&sig=a&ss=b&sp=r&se=2024",
            "sr=b&sig=a&sp=r&se=2024",
            "GoogleAccessId=a&Signature=a",
        ] {
            assert!(!is_signed(&url(query)), "{query}");
        }
    }

    #[test]
    fn every_parameter_counts() {
        for query in [S3, GCS] {
            let pairs: Vec<&str> = query.split('&').collect();
            assert_eq!(pairs.len(), 6);
            for left_out in 0..pairs.len() {
                let mut rest = pairs.clone();
                let name = rest.remove(left_out).split('=').next().unwrap();
                let rest = rest.join("&");
                assert!(!is_signed(&url(&rest)), "{rest}");
                assert!(!is_signed(&url(&format!("{rest}&{name}="))), "{rest}");
            }
        }
    }

    #[test]
    fn one_parameter_looks_signed() {
        for query in ["X-Amz-Signature=1", "sig=", "SIGNATURE=1", "Key-Pair-Id=K"] {
            assert!(looks_signed(&url(query)), "{query}");
        }
        for query in ["", "x=sig", "signed=1", "expires=1"] {
            assert!(!looks_signed(&url(query)), "{query}");
        }
    }
}
