//! Makes a tree with very many entries, as cachy lays it out, without asking for each to be durable.
//!
//! `core-bench FOLDER AUTHORITY COUNT`: `https://AUTHORITY/1k/THOUSAND/NUMBER`, as the benchmark's origin
//! answers them. The first is stored by the core itself, and the others are made after it; where the core lays
//! them out in another way, this ends with an error.

#[allow(dead_code)]
#[path = "../../load/src/content.rs"]
mod content;

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use cachy::exchange::{Exchange, Settings, Step};
use cachy::headers::Headers;
use cachy::key::Target;
use cachy::layout::path_of;
use cachy::meta::{Meta, Seen, Stored};
use cachy::request::Request;
use cachy::store::Store;
use sha2::{Digest, Sha256};

use content::Content;

type Done<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Lower-case hex digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What is made, and where.
struct Filling<'a> {
    root: &'a Path,
    authority: &'a str,
    content: Content,
}

impl Filling<'_> {
    fn path(number: usize) -> String {
        format!("/1k/{}/{number}", number / 1000)
    }

    fn target(&self, number: usize) -> Done<Target> {
        Ok(Target::parse(&format!(
            "https://{}{}",
            self.authority,
            Self::path(number)
        ))?)
    }

    fn body(&self, number: usize) -> Done<Vec<u8>> {
        let host = self.authority.split(':').next().unwrap_or_default();
        let body = self
            .content
            .body(host, &Self::path(number))
            .ok_or("no body")?;
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < body.length {
            bytes.extend_from_slice(body.piece(bytes.len() as u64));
        }
        Ok(bytes)
    }

    /// The first, stored by the core; gives its metadata.
    fn first(&self, now: i64) -> Done<Meta> {
        let store = Arc::new(Store::open(self.root)?);
        let target = self.target(0)?;
        let request = Request::get(&target, Headers::default());
        let mut exchange = Exchange::new(Arc::clone(&store), Settings::default(), request);
        if !matches!(exchange.decide(true, now), Step::Forward(_)) {
            return Err("the first is there already".into());
        }
        let body = self.body(0)?;
        let mut headers = Headers::default();
        headers.push("Content-Type", "application/octet-stream");
        headers.push("Cache-Control", "max-age=86400");
        headers.push("Content-Length", body.len().to_string());
        exchange.response(200, &headers, true, now);
        exchange.write(&body, now)?;
        exchange.end(true);
        exchange.commit();
        exchange.close(true);
        let rel = path_of(&target);
        let told = fs::read(self.root.join(Self::meta_path(rel.as_str())))?;
        let meta = Meta::load(&store.tree, &rel)?.ok_or("the first was not stored")?;
        if serde_json::from_slice::<Meta>(&told)? != meta {
            return Err("metadata lies elsewhere now".into());
        }
        Ok(meta)
    }

    fn meta_path(rel: &str) -> String {
        let hash = hex(&Sha256::digest(rel.as_bytes())[..16]);
        format!(".cachy/meta/{}/{}.json", &hash[..2], &hash[2..])
    }

    /// Another, after its example.
    fn further(&self, number: usize, mut meta: Meta) -> Done<()> {
        let target = self.target(number)?;
        let rel = path_of(&target);
        let body = self.body(number)?;
        let path = self.root.join(rel.as_str());
        if number.is_multiple_of(1000) {
            fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        }
        let mut file = File::create(&path)?;
        file.write_all(&body)?;
        let stat = file.metadata()?;
        let seen = Seen {
            size: stat.size(),
            mtime_ns: stat.mtime() * 1_000_000_000 + stat.mtime_nsec(),
        };
        meta.url = target.url();
        meta.records[0].stored = Stored::File {
            seen,
            sha256: hex(&Sha256::digest(&body)),
        };
        let there = self.root.join(Self::meta_path(rel.as_str()));
        fs::write(&there, serde_json::to_vec(&meta)?)?;
        Ok(())
    }
}

fn fill(root: &Path, authority: &str, count: usize) -> Done<()> {
    let filling = &Filling {
        root,
        authority,
        content: Content::new(),
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)?
        .as_millis()
        .try_into()?;
    let meta = &filling.first(now)?;
    for folder in 0..256 {
        fs::create_dir_all(root.join(format!(".cachy/meta/{folder:02x}")))?;
    }
    let many = thread::available_parallelism()?.get();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..many)
            .map(|which| {
                scope.spawn(move || -> Done<()> {
                    // By thousands, so that each folder is one thread's.
                    for thousand in (which..count.div_ceil(1000)).step_by(many) {
                        for number in (thousand * 1000).max(1)..(thousand * 1000 + 1000).min(count)
                        {
                            filling.further(number, meta.clone())?;
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a thread failed")?)
    })
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let [_, folder, authority, count] = &words[..] else {
        eprintln!("core-bench FOLDER AUTHORITY COUNT");
        return ExitCode::FAILURE;
    };
    let done = count.parse().map_err(Into::into);
    match done.and_then(|count| fill(Path::new(folder), authority, count)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("core-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
