//! Header fields as a list of byte pairs, in the order of the wire (RFC 9110 section 5).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Fields that describe one connection, never a stored response (RFC 9110 section 7.6.1), and
/// `Set-Cookie`, which is one client's own.
const NOT_STORED: [&str; 12] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "set-cookie",
    "set-cookie2",
    "content-length",
];

/// A list of header fields. Names compare without case; values are bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// The first value of a field.
    #[must_use]
    pub fn get<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The first value of a field, as text where it is UTF-8.
    #[must_use]
    pub fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.get(name)
            .and_then(|v| std::str::from_utf8(v).ok())
            .map(str::trim)
    }

    /// All values of a field, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, v)| v.as_slice())
    }

    /// The values of a list field joined by commas (RFC 9110 section 5.3), bytes that aren't UTF-8 replaced.
    #[must_use]
    pub fn list(&self, name: &str) -> String {
        let values: Vec<_> = self.all(name).map(String::from_utf8_lossy).collect();
        values.join(", ")
    }

    /// Whether the field is there at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a field to one value, at the place of its first occurrence.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let first = self
            .0
            .iter()
            .position(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
        let pair = (name.as_bytes().to_vec(), value.into());
        match first {
            Some(at) => {
                self.remove(name);
                self.0.insert(at.min(self.0.len()), pair);
            }
            None => self.0.push(pair),
        }
    }

    /// Adds a field behind the others.
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.as_bytes().to_vec(), value.into()));
    }

    /// Puts all names in lower case, as HTTP/2 has them (RFC 9113 section 8.2).
    pub fn lowercase(&mut self) {
        for (name, _) in &mut self.0 {
            name.make_ascii_lowercase();
        }
    }

    /// Removes every occurrence of a field.
    pub fn remove(&mut self, name: &str) {
        self.0
            .retain(|(n, _)| !n.eq_ignore_ascii_case(name.as_bytes()));
    }

    /// What of a response may be stored: not the connection's own fields, nor those that
    /// `Connection` names, nor cookies, nor the length (the file has one).
    #[must_use]
    pub fn storable(&self) -> Self {
        let named = self.list("connection").to_ascii_lowercase();
        let named: Vec<&str> = named.split(',').map(str::trim).collect();
        Self(
            self.0
                .iter()
                .filter(|(name, _)| {
                    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                    !NOT_STORED.contains(&name.as_str()) && !named.contains(&name.as_str())
                })
                .cloned()
                .collect(),
        )
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // Latin-1 keeps every byte and leaves ordinary fields readable.
        let latin = |bytes: &[u8]| bytes.iter().map(|b| char::from(*b)).collect::<String>();
        to.collect_seq(self.0.iter().map(|(n, v)| (latin(n), latin(v))))
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let pairs = Vec::<(String, String)>::deserialize(from)?;
        let bytes = |text: &str| {
            text.chars()
                .map(|c| u8::try_from(u32::from(c)))
                .collect::<Result<Vec<u8>, _>>()
        };
        pairs
            .iter()
            .map(|(n, v)| Ok((bytes(n)?, bytes(v)?)))
            .collect::<Result<_, std::num::TryFromIntError>>()
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        Headers(
            pairs
                .iter()
                .map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec()))
                .collect(),
        )
    }

    #[test]
    fn connection_fields_and_cookies_are_not_stored() {
        let all = headers(&[
            ("Content-Type", "text/html"),
            ("Connection", "close, X-Hop"),
            ("X-Hop", "1"),
            ("Set-Cookie", "a=b"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "3"),
            ("ETag", "\"e\""),
        ]);
        assert_eq!(
            all.storable(),
            headers(&[("Content-Type", "text/html"), ("ETag", "\"e\"")])
        );
    }

    #[test]
    fn any_byte_survives_json() {
        let odd = Headers(vec![(b"X".to_vec(), (0..=255).collect())]);
        let text = serde_json::to_string(&odd).unwrap();
        assert_eq!(serde_json::from_str::<Headers>(&text).unwrap(), odd);
    }

    #[test]
    fn set_replaces_every_occurrence() {
        let mut h = headers(&[("Age", "1"), ("X", "y"), ("age", "2")]);
        h.set("Age", "7");
        assert_eq!(h, headers(&[("Age", "7"), ("X", "y")]));
    }
}
