//! Which entries a person means: a URL, a path of the tree (as it stands there, or a real one that
//! leads into it), or a glob over path and URL. In a glob `*` means any text, slashes as well.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::key::Target;
use crate::layout::{Named, RelPath, path_of};
use crate::survey::Item;
use crate::tree::Tree;

/// What a person means.
#[derive(Debug)]
pub struct Pattern {
    /// As typed, below the tree.
    text: String,
    /// The nominal path of a URL.
    nominal: Option<RelPath>,
    glob: Option<GlobMatcher>,
    /// It is a path that ends in a slash: what is in a folder, not what has its name.
    folder: bool,
}

impl Pattern {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(tree: &Tree, text: &str) -> Result<Self, String> {
        let folder = text.ends_with('/') && !text.contains("://");
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            below(tree, text).unwrap_or_else(|| text.trim_end_matches('/').to_owned())
        };
        let nominal = Target::parse(&text).ok().map(|target| path_of(&target));
        let glob = text.contains(['*', '?', '[', '{']).then(|| {
            let mut builder = GlobBuilder::new(&text);
            builder.literal_separator(false).build()
        });
        let glob = match glob {
            None => None,
            Some(Ok(glob)) => Some(glob.compile_matcher()),
            // What is no glob may still be a name.
            Some(Err(_)) if nominal.is_some() || lies(tree, &text) => None,
            Some(Err(error)) => return Err(format!("{text:?} is no pattern: {}", error.kind())),
        };
        Ok(Self {
            text,
            nominal,
            glob,
            folder,
        })
    }

    /// Whether it names exactly this: its path, or its URL with all variants.
    #[must_use]
    pub fn names(&self, item: &Item) -> bool {
        let nominal = item.named.as_ref().map(|named| &named.nominal);
        if self.folder {
            return false;
        }
        self.text == item.path.as_str()
            || nominal.is_ok_and(|nominal| {
                self.nominal.as_ref() == Some(nominal) || nominal.as_str() == self.text
            })
    }

    /// Whether it is a glob that this matches: its path, that of its URL, or its URL.
    #[must_use]
    pub fn globs(&self, item: &Item) -> bool {
        let Some(glob) = &self.glob else {
            return false;
        };
        let nominal = item.named.as_ref().map(|named| named.nominal.as_str());
        glob.is_match(item.path.as_str())
            || nominal.is_ok_and(|nominal| glob.is_match(nominal))
            || item.url().is_some_and(|url| glob.is_match(url))
    }

    /// Whether it names a folder, or a URL that is one, that this lies in.
    #[must_use]
    pub fn holds(&self, item: &Item) -> bool {
        let below = |text: &str, whole: &str| {
            let rest = whole.strip_prefix(text.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        below(&self.text, item.path.as_str())
            || item.url().is_some_and(|url| below(&self.text, &url))
    }

    /// The one place that it may name, to be looked at before anything else is thought of.
    #[must_use]
    pub fn place(&self) -> Option<RelPath> {
        match &self.nominal {
            Some(nominal) => Some(nominal.clone()),
            None if self.folder => None,
            None => RelPath::checked(&self.text),
        }
    }

    /// As typed, below the tree.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A path that a person types, relative to the tree; `None` where it leads elsewhere, which is then
/// a path of the tree as it stands.
#[must_use]
pub fn below(tree: &Tree, text: &str) -> Option<String> {
    let path = Path::new(text);
    let root = std::path::absolute(tree.root()).ok()?;
    let found = std::path::absolute(path).ok()?;
    let canonical = |path: &Path| path.canonicalize().ok();
    let inside = |path: &Path, root: &Path| path.strip_prefix(root).ok().map(Path::to_path_buf);
    let rel = inside(&found, &root).or_else(|| {
        // Only the folder's own path is followed: the last name may be a link that says a status.
        let folder = canonical(found.parent()?)?;
        let rel = inside(&folder, &canonical(&root)?)?;
        Some(rel.join(found.file_name()?))
    })?;
    // A relative path is meant from where the person stands only if something lies there.
    let meant = path.is_absolute() || lies(tree, &rel);
    meant.then(|| text_of(rel)).flatten()
}

fn lies(tree: &Tree, rel: impl AsRef<Path>) -> bool {
    tree.dir()
        .is_ok_and(|dir| dir.symlink_metadata(rel).is_ok())
}

fn text_of(path: PathBuf) -> Option<String> {
    path.into_os_string().into_string().ok()
}

/// The URL of a path of the tree.
///
/// # Errors
/// What is wrong with the name, and which one to use.
pub fn named(store: &crate::store::Store, text: &str) -> Result<Named, String> {
    let rel = below(&store.tree, text).unwrap_or_else(|| text.to_owned());
    let url = |rel: &RelPath| Some(crate::meta::Meta::load(&store.tree, rel).ok()??.url);
    crate::layout::target_of(&rel, url).map_err(|error| error.to_string())
}
