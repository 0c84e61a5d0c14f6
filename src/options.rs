//! The options that people set, as the core knows them. Their meaning is in the README.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytesize::ByteSize;

/// `cachy_mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// What is stored is served, what isn't is fetched.
    #[default]
    Normal,
    /// Nothing goes upstream.
    Offline,
    /// Upstream is asked first, what is stored is the fallback.
    Refresh,
    /// Everything passes through.
    Off,
}

/// `cachy_freshness`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Told by the URL, the origin and the client, see [`crate::freshness`].
    #[default]
    Auto,
    /// What is stored is served; only `rm` refreshes.
    Forever,
}

impl Mode {
    /// As people set it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Offline => "offline",
            Self::Refresh => "refresh",
            Self::Off => "off",
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "normal" => Ok(Self::Normal),
            "offline" => Ok(Self::Offline),
            "refresh" => Ok(Self::Refresh),
            "off" => Ok(Self::Off),
            _ => Err(format!(
                "cachy_mode is {text:?}: use one of normal, offline, refresh, off"
            )),
        }
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "forever" => Ok(Self::Forever),
            _ => Err(format!(
                "cachy_freshness is {text:?}: use one of auto, forever"
            )),
        }
    }
}

const SIZES: &str = "use one like 10GB, 500MB, 1.5GiB, or a number of bytes";

/// A size as people write it: `10GB`, `500 MB`, `1.5GiB`, plain bytes.
///
/// # Errors
/// What is wrong with it, and what is right.
pub fn size(text: &str) -> Result<u64, String> {
    let size: Result<ByteSize, _> = text.trim().parse();
    size.map(|size| size.as_u64())
        .map_err(|_| format!("{text:?} is no size: {SIZES}"))
}

/// A time span as people write it, in seconds: `30d`, `12h`, `1h 30m`.
///
/// # Errors
/// What is wrong with it, and what is right.
pub fn span(text: &str) -> Result<u64, String> {
    let span = humantime::parse_duration(text.trim());
    span.map(|span| span.as_secs()).map_err(|error| {
        format!("{text:?} is no time span ({error}): use one like 30d, 12h or 1h 30m")
    })
}

/// `cachy_max_size`, in bytes; empty is unlimited.
///
/// # Errors
/// What is wrong with it, and what is right.
pub fn max_size(text: &str) -> Result<Option<u64>, String> {
    match text.trim() {
        "" => Ok(None),
        text => match size(text) {
            Ok(0) => Err("cachy_max_size is 0, which leaves room for nothing: leave it unset for no limit, or cachy_mode=off to store nothing".to_owned()),
            Ok(size) => Ok(Some(size)),
            Err(_) => Err(format!(
                "cachy_max_size is {text:?}, which is no size: {SIZES}; unset, there is no limit"
            )),
        },
    }
}

/// The folder to use where the user named none: `$CACHY_DIR`, else `$XDG_CACHE_HOME/cachy`, else
/// `~/.cache/cachy`. Variables that are empty count as not set, as the XDG specification has it.
#[must_use]
pub fn default_dir(variable: impl Fn(&str) -> Option<String>) -> PathBuf {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("CACHY_DIR") {
        return PathBuf::from(dir);
    }
    let absolute = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || PathBuf::from(set("HOME").unwrap_or_else(|| "/".into())).join(".cache");
    absolute.unwrap_or_else(home).join("cachy")
}

/// The folder that is meant by what people write: a leading `~` is `home`, and what is relative is
/// so to the current directory. Nothing need be there; an empty one stays empty, which names none.
#[must_use]
pub fn folder(written: &Path, home: Option<PathBuf>) -> PathBuf {
    let home = home.filter(|home| !home.as_os_str().is_empty());
    let path = match (written.strip_prefix("~"), home) {
        // Joining nothing would add a slash.
        (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => home,
        (Ok(rest), Some(home)) => home.join(rest),
        _ => written.to_path_buf(),
    };
    // Fails for an empty path, and where the current directory is gone.
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_that_is_meant() {
        let here = std::env::current_dir().unwrap();
        let home = || Some(PathBuf::from("/home/u"));
        for (written, meant) in [
            ("~", PathBuf::from("/home/u")),
            ("~/zz", PathBuf::from("/home/u/zz")),
            ("/x/~/y", PathBuf::from("/x/~/y")),
            ("zz", here.join("zz")),
            ("./zz", here.join("zz")),
            ("~zz", here.join("~zz")),
            ("", PathBuf::new()),
        ] {
            let found = folder(Path::new(written), home());
            assert_eq!(found, meant, "{written}");
            assert!(!found.to_string_lossy().ends_with('/'), "{written}");
        }
        for none in [None, Some(PathBuf::new())] {
            assert_eq!(folder(Path::new("~/zz"), none), here.join("~/zz"));
        }
        let relative = folder(Path::new("~/zz"), Some("h".into()));
        assert_eq!(relative, here.join("h/zz"));
    }

    #[test]
    fn where_the_tree_lies() {
        let with = |set: &'static [(&str, &str)]| {
            default_dir(|name| {
                let found = set.iter().find(|(n, _)| *n == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(
            with(&[("HOME", "/home/u")]),
            PathBuf::from("/home/u/.cache/cachy")
        );
        assert_eq!(
            with(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/home/u")]),
            PathBuf::from("/x/cachy")
        );
        assert_eq!(
            with(&[("CACHY_DIR", "/c"), ("XDG_CACHE_HOME", "/x")]),
            PathBuf::from("/c")
        );
        assert_eq!(
            with(&[
                ("CACHY_DIR", ""),
                ("XDG_CACHE_HOME", "rel"),
                ("HOME", "/home/u")
            ]),
            PathBuf::from("/home/u/.cache/cachy")
        );
    }

    #[test]
    fn sizes_and_spans() {
        for (text, bytes) in [
            ("10GB", 10_000_000_000),
            ("500 mb", 500_000_000),
            ("1.5GiB", 1_610_612_736),
            ("4096", 4096),
            ("1K", 1000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "much", "-1", "10 GBB", "1,5GB"] {
            assert!(size(text).unwrap_err().contains("10GB"), "{text}");
        }
        assert_eq!((span("30d"), span("1h 30m")), (Ok(2_592_000), Ok(5400)));
        assert!(span("soon").unwrap_err().contains("30d"));
        assert_eq!(max_size(" "), Ok(None));
        assert!(max_size("0").unwrap_err().contains("no limit"));
        assert_eq!(
            max_size("x").unwrap_err(),
            "cachy_max_size is \"x\", which is no size: use one like 10GB, 500MB, 1.5GiB, or a number of bytes; unset, there is no limit"
        );
    }

    #[test]
    fn a_bad_option_says_what_is_good() {
        assert!("ofline".parse::<Mode>().unwrap_err().contains("offline"));
        assert!("http".parse::<Policy>().unwrap_err().contains("forever"));
    }
}
