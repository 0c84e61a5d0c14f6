//! From a path in the tree back to its URL.

use super::{
    INDEX, MARK, REAL_INDEX, RelPath, SELF, SLASH, VARIANT, VARIANT_HEX, path_of,
    rel_path::{is_cut, is_hex},
};
use crate::key::{KeyError, Scheme, Target};

/// Whose file a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub target: Target,
    /// `path_of` the target.
    pub nominal: RelPath,
    /// The hash, where the path is that of a further variant.
    pub variant: Option<String>,
}

/// Why a path is the file of no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    #[error(
        "{path:?} does not lie in the folder of a host: it is cachy's own, or outside of cachy_dir; \
         give a path such as example.org/dir/file, relative to cachy_dir and without \".\" and \"..\""
    )]
    Outside { path: String },
    #[error(
        "no request will find {name:?} in cachy_dir: its URL has another name in the tree; rename it \
         to {:?}",
        suggestion.as_str()
    )]
    NotCanonical { name: String, suggestion: RelPath },
    #[error(
        "no request will find {name:?} in cachy_dir, because no URL has this name; rename it or move \
         it away ({source})"
    )]
    NoUrl { name: String, source: KeyError },
    #[error(
        "the name of {name:?} in cachy_dir is cut because its URL is too long, and the metadata that \
         would tell the URL is missing; delete it and fetch the URL again"
    )]
    CutName { name: String },
}

/// What the end of a path says about the file's place beside its nominal path.
enum Form {
    Plain,
    /// `NAME/%~self`
    Itself,
    /// `NAME%~v-HASH`
    Variant(String),
}

impl Form {
    /// Splits a path into its form and the nominal path's text.
    fn split(rel: &str) -> (Self, &str) {
        if let Some(nominal) = strip_self(rel) {
            return (Self::Itself, nominal);
        }
        if let Some((name, hash)) = rel.rsplit_once(VARIANT)
            && is_hex(hash, VARIANT_HEX)
            && !name.ends_with('/')
        {
            let nominal = strip_self(name).unwrap_or(name);
            return (Self::Variant(hash.to_owned()), nominal);
        }
        (Self::Plain, rel)
    }

    /// Where the file of this form lies for a nominal path.
    fn place(&self, nominal: &RelPath) -> RelPath {
        match self {
            Self::Plain => nominal.clone(),
            Self::Itself => nominal.as_self(),
            Self::Variant(hash) => nominal.variant(hash),
        }
    }

    fn named(self, target: Target) -> Named {
        let variant = match self {
            Self::Variant(hash) => Some(hash),
            Self::Plain | Self::Itself => None,
        };
        Named {
            nominal: path_of(&target),
            target,
            variant,
        }
    }
}

/// `NAME` of `NAME/%~self`; not of `h/%~self`, as an authority's folder has no file.
fn strip_self(rel: &str) -> Option<&str> {
    match rel.rsplit_once('/')? {
        (nominal, SELF) if nominal.contains('/') => Some(nominal),
        _ => None,
    }
}

/// The URL whose file a path is, whether it was stored or placed by a person.
///
/// `https`, unless `stored_url`, the URL in the metadata of a nominal path, says `http`. Where the
/// name is cut, the metadata is the only source; there `stored_url` is asked for `rel` itself too,
/// because the nominal path of a cut variant can't be told from its name. A stored URL that does
/// not lead back to `rel` is ignored.
///
/// # Errors
/// What is wrong with the name, and which name to use.
pub fn target_of(
    rel: &str,
    stored_url: impl Fn(&RelPath) -> Option<String>,
) -> Result<Named, LayoutError> {
    let dots = |segment| matches!(segment, "." | "..");
    if rel.is_empty()
        || rel.starts_with(['/', '.'])
        || rel.contains('\0')
        || rel.split('/').any(dots)
    {
        return Err(LayoutError::Outside {
            path: rel.to_owned(),
        });
    }
    let (form, nominal) = Form::split(rel);
    let leads_back = |target: &Target| form.place(&path_of(target)).as_str() == rel;
    let stored = |path: &RelPath| {
        let target = Target::parse(&stored_url(path)?).ok()?;
        leads_back(&target).then_some(target)
    };

    if nominal.split('/').skip(1).any(is_cut) {
        let target = [nominal, rel]
            .into_iter()
            .filter_map(RelPath::checked)
            .find_map(|path| stored(&path));
        return match target {
            Some(target) => Ok(form.named(target)),
            None => Err(LayoutError::CutName {
                name: rel.to_owned(),
            }),
        };
    }

    let target = read(nominal).map_err(|source| LayoutError::NoUrl {
        name: rel.to_owned(),
        source,
    })?;
    if !leads_back(&target) {
        return Err(LayoutError::NotCanonical {
            name: rel.to_owned(),
            suggestion: form.place(&path_of(&target)),
        });
    }
    let target = stored(&path_of(&target)).unwrap_or(target);
    Ok(form.named(target))
}

/// The URL that a path's text means, also where it isn't the canonical path of that URL: what no
/// rule of the layout reads is taken as a person's raw text.
fn read(nominal: &str) -> Result<Target, KeyError> {
    let (authority, rest) = nominal.split_once('/').unwrap_or((nominal, ""));
    let (folders, leaf) = match rest.rsplit_once('/') {
        Some((folders, leaf)) => (Some(folders), leaf),
        None => (None, rest),
    };
    let mut target = String::with_capacity(nominal.len());
    for folder in folders.into_iter().flat_map(|all| all.split('/')) {
        target.push('/');
        target.push_str(if folder == MARK { "" } else { folder });
    }
    target.push('/');
    match leaf.split_once('?') {
        Some((name, query)) => {
            target.push_str(name);
            target.push('?');
            target.push_str(&query.replace(SLASH, "/"));
        }
        None => target.push_str(match leaf {
            INDEX => "",
            REAL_INDEX => INDEX,
            name => name,
        }),
    }
    // The port of the one scheme is spelt only in URLs of the other.
    let scheme = if authority.ends_with(":443") {
        Scheme::Http
    } else {
        Scheme::Https
    };
    // In a file name a `#` is a character like others.
    Target::from_authority(scheme, authority, target.replace('#', "%23").as_bytes())
}
