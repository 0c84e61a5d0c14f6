//! Statuses on disk: a symbolic link that dangles, `PATH -> 404` or `PATH -> 302 https://h/b`.
//! cachy reads the text of such a link and never follows it.

/// The longest text that a link gets; a longer Location lies in the metadata alone.
const MAX_TEXT: usize = 1000;

/// What the text of a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusLink {
    /// An HTTP status code: 404 and its like, or a redirect.
    pub status: u16,
    /// Where a redirect leads, as written in the link.
    pub location: Option<String>,
}

/// Whether a status is a redirect that names a Location (RFC 9110 section 15.4).
#[must_use]
pub fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

impl StatusLink {
    /// Reads the text of a link; `None` where it names a file, as ordinary links do.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (code, location) = match text.split_once(' ') {
            Some((code, location)) => (code, Some(location.trim())),
            None => (text, None),
        };
        if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let status: u16 = code.parse().ok()?;
        match location {
            // What can't stand in a header field is no Location.
            Some(place)
                if is_redirect(status)
                    && !place.is_empty()
                    && place.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                Some(Self {
                    status,
                    location: Some(place.to_owned()),
                })
            }
            // A bare redirect: cachy's own, with the Location in the metadata.
            None if is_redirect(status) || (400..600).contains(&status) => Some(Self {
                status,
                location: None,
            }),
            _ => None,
        }
    }

    /// The text for a link that cachy makes.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.location {
            Some(place)
                if place.len() <= MAX_TEXT && !place.bytes().any(|b| b.is_ascii_control()) =>
            {
                format!("{} {place}", self.status)
            }
            _ => self.status.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_make() {
        let link = |status, location: Option<&str>| {
            Some(StatusLink {
                status,
                location: location.map(str::to_owned),
            })
        };
        assert_eq!(StatusLink::parse("404"), link(404, None));
        assert_eq!(StatusLink::parse("410"), link(410, None));
        assert_eq!(
            StatusLink::parse("302 https://h/b"),
            link(302, Some("https://h/b"))
        );
        assert_eq!(StatusLink::parse("301 /b"), link(301, Some("/b")));
        for file in [
            "",
            "4040",
            "302 https://h/\nx: y",
            "302 https://h/\u{fc}",
            "302 /a b",
            "200",
            "302 ",
            "404 x",
            "../404",
            "a",
            "99",
            "304",
        ] {
            assert_eq!(StatusLink::parse(file), None, "{file}");
        }
    }

    #[test]
    fn a_location_that_no_link_can_hold_is_left_out() {
        for place in [
            "https://h/\n".to_owned(),
            format!("https://h/{}", "x".repeat(2000)),
        ] {
            let link = StatusLink {
                status: 302,
                location: Some(place),
            };
            assert_eq!(link.text(), "302");
        }
    }
}
