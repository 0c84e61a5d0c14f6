//! `Cache-Status` (RFC 9211): what cachy did with a request, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a request went upstream (`fwd`, RFC 9211 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarded {
    /// Not to be answered from the tree at all.
    Bypass,
    /// A method that cachy doesn't handle.
    Method,
    /// Nothing stored for the URL.
    UriMiss,
    /// Something is stored, for other request fields.
    VaryMiss,
    /// What is stored is stale.
    Stale,
    /// The client asked for a check, or `cachy_mode=refresh`.
    Request,
}

impl Forwarded {
    /// As the field spells it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Stale => "stale",
            Self::Request => "request",
        }
    }
}

impl fmt::Display for Forwarded {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.word())
    }
}

/// One member of the field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// Answered from the tree without asking.
    pub hit: bool,
    /// Why it went upstream.
    pub forwarded: Option<Forwarded>,
    /// What upstream said, where that isn't the status that the client sees.
    pub forwarded_status: Option<u16>,
    /// The response goes to the tree.
    pub stored: bool,
    /// It is what another request fetched.
    pub collapsed: bool,
    /// More for people.
    pub detail: Option<&'static str>,
}

impl CacheStatus {
    /// A hit.
    #[must_use]
    pub fn hit() -> Self {
        Self {
            hit: true,
            ..Self::default()
        }
    }

    /// A request that went upstream.
    #[must_use]
    pub fn forwarded(why: Forwarded) -> Self {
        Self {
            forwarded: Some(why),
            ..Self::default()
        }
    }

    /// Whether the body lay in the tree before, and no other request fetched it.
    #[must_use]
    pub fn is_from_tree(&self) -> bool {
        self.hit || (self.forwarded_status == Some(304) && !self.collapsed)
    }

    /// With a word of explanation.
    #[must_use]
    pub fn detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("cachy")?;
        if self.hit {
            to.write_str("; hit")?;
        }
        if let Some(why) = self.forwarded {
            write!(to, "; fwd={why}")?;
        }
        if let Some(status) = self.forwarded_status {
            write!(to, "; fwd-status={status}")?;
        }
        if self.stored {
            to.write_str("; stored")?;
        }
        if self.collapsed {
            to.write_str("; collapsed")?;
        }
        match self.detail {
            Some(detail) => write!(to, "; detail={detail}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members() {
        let stored = CacheStatus {
            stored: true,
            ..CacheStatus::forwarded(Forwarded::UriMiss)
        };
        assert_eq!(stored.to_string(), "cachy; fwd=uri-miss; stored");
        assert_eq!(CacheStatus::hit().to_string(), "cachy; hit");
        assert_eq!(
            CacheStatus::hit().detail("stale-if-error").to_string(),
            "cachy; hit; detail=stale-if-error"
        );
        assert_eq!(
            CacheStatus::forwarded(Forwarded::Bypass)
                .detail("authorization")
                .to_string(),
            "cachy; fwd=bypass; detail=authorization"
        );
        let offline = CacheStatus::default().detail("offline-miss");
        assert_eq!(offline.to_string(), "cachy; detail=offline-miss");
    }
}
