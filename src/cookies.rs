//! Cookies that say nothing of who asks: a load balancer's, which only tell the way that an earlier
//! request took, and those by which a network counts clients or tells bots. A request that has no
//! others is as one without: it carries no credential, and none of them goes upstream with what may be
//! stored, for a server that a client picks isn't the one that everybody would get.
//!
//! That an origin set a cookie in its answer to somebody unknown says nothing: the session that such a
//! cookie names may be logged in a moment later. Therefore only names that one product alone uses for
//! this alone, by its own documents.

use crate::headers::Headers;

/// Names. Not here though alike: `AWSELBAuthSessionCookie-0`, `NSC_TMAS`, `MRHSession` (a session that
/// is logged in), `cf_clearance`, `_abck`, `reese84` (a test that was passed), `x-ms-routing-name`,
/// `akacd_` (another content).
const NAMES: [&str; 32] = [
    // Elastic Load Balancing
    "AWSALB",
    "AWSALBCORS",
    "AWSALBTG",
    "AWSALBTGCORS",
    "AWSELB",
    "AWSELBCORS",
    // Google Cloud
    "GCLB",
    "GCILB",
    // Azure: App Service, Application Gateway, Front Door
    "ARRAffinity",
    "ARRAffinitySameSite",
    "ApplicationGatewayAffinity",
    "ApplicationGatewayAffinityCORS",
    "ASLBSA",
    "ASLBSACORS",
    // Cloudflare: balancing, bots, rate limits; the last is of before 2021.
    "__cflb",
    "__cf_bm",
    "__cfruid",
    "_cfuvid",
    "__cfduid",
    // Oracle, DigitalOcean, Hetzner
    "X-Oracle-BMC-LBS-Route",
    "DO-LB",
    "HCLBSTICKY",
    // ingress-nginx, Apache's mod_proxy_balancer, HAProxy
    "INGRESSCOOKIE",
    "ROUTEID",
    "SERVERID",
    // Akamai: bots, and its adaptive acceleration
    "ak_bmsc",
    "bm_mi",
    "bm_so",
    "bm_sv",
    "bm_sz",
    "AKA_A2",
    // Traefik 1
    "_TRAEFIK_BACKEND",
];

/// What names begin with, before the name of a pool or a site.
const BEGINNINGS: [&str; 6] = [
    // Elastic Load Balancing, where the application has a cookie of its own.
    "AWSALBAPP-",
    // F5
    "BIGipServer",
    // Imperva
    "incap_ses_",
    "visid_incap_",
    "nlbi_",
    // Akamai's balancer
    "akaalb_",
];

/// Whether a request has cookies, and all of them are a load balancer's or the like.
#[must_use]
pub fn say_nothing(request: &Headers) -> bool {
    let mut fields = request.all("cookie").peekable();
    fields.peek().is_some() && fields.all(is_nothing)
}

/// Whether a `Cookie` field has no other cookies (RFC 6265 section 4.2.1).
fn is_nothing(field: &[u8]) -> bool {
    let mut pairs = field.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    pairs.all(|pair| {
        let name = pair.split(|byte| *byte == b'=').next();
        // A comma is in no value, and separates cookies for some servers.
        let one = pair.contains(&b'=') && !pair.contains(&b',');
        pair.is_empty() || (one && name.is_some_and(is_known))
    })
}

fn is_known(name: &[u8]) -> bool {
    let begins = |text: &&str| name.len() > text.len() && name.starts_with(text.as_bytes());
    NAMES.iter().any(|known| name == known.as_bytes())
        || BEGINNINGS.iter().any(begins)
        || is_f5(name)
}

/// F5's application firewall: `TS01` and more hex digits.
fn is_f5(name: &[u8]) -> bool {
    name.strip_prefix(b"TS01")
        .is_some_and(|rest| (6..=9).contains(&rest.len()) && rest.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(fields: &[&str]) -> Headers {
        let pair = |value: &&str| (b"Cookie".to_vec(), value.as_bytes().to_vec());
        Headers(fields.iter().map(pair).collect())
    }

    #[test]
    fn nothing() {
        for fields in [
            &["AWSALB=a/b=="][..],
            &["AWSALB=1; AWSALBCORS=2"],
            &["__cf_bm=x;_cfuvid=y"],
            &["AWSALB=1", "GCLB=\"2\""],
            &["BIGipServer~Common~pool=1677787402.36895.0000; TS01a1b2c3=0"],
            &["visid_incap_123=a; nlbi_123=b; incap_ses_1_123=c"],
            &["AWSALBAPP-0=_remove_; "],
            &["SERVERID=s1;"],
            &[""],
        ] {
            assert!(say_nothing(&request(fields)), "{fields:?}");
        }
    }

    #[test]
    fn something() {
        assert!(!say_nothing(&Headers::default()));
        for fields in [
            &["JSESSIONID=1"][..],
            &["AWSALB=1; JSESSIONID=2"],
            &["AWSALB=1", "session=2"],
            &["AWSELBAuthSessionCookie-0=1"],
            &["AWSALBAuthNonce=1"],
            &["NSC_TMAS=1"],
            &["cf_clearance=1"],
            &["BIGipServer=1"],
            &["awsalb=1"],
            &["AWSALB"],
            &["AWSALB =1"],
            &["=AWSALB"],
            &["TS01=1"],
            &["TS01token12=1"],
            &["xAWSALB=1"],
            &["AWSALB=1, session=2"],
        ] {
            assert!(!say_nothing(&request(fields)), "{fields:?}");
        }
    }

    proptest! {
        /// However cookies are put together, one that is known hides none that isn't.
        #[test]
        fn one_is_enough(before in "[ -~]{0,20}", name in "[a-z]{3,9}", after in "[ -~]{0,20}") {
            prop_assume!(!is_known(name.as_bytes()));
            let field = format!("AWSALB={before}; {name}=1; {after}");
            prop_assert!(!say_nothing(&request(&[&field])));
        }
    }
}
