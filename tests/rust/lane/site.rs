//! A tree with something of everything, and requests for it by both ways.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use cachy::body::{Body, Chunk};
use cachy::exchange::{Exchange, Reply, Settings, Step};
use cachy::freshness::clock;
use cachy::headers::Headers;
use cachy::internal::Host;
use cachy::key::Scheme;
use cachy::lane::head::Reasons;
use cachy::lane::{Lane, Place, Start, Turn};
use cachy::ledger::{Ledger, RunId};
use cachy::meta::Millis;
use cachy::request::Request;
use cachy::store::Store;
use cachy::way::Way;
use tempfile::TempDir;

use crate::support::{exchange, open};

pub const HOST: &str = "h.example";
pub const RUN: &str = "0123456789abcdef0123456789abcdef";

/// A tree, and the two that look at it.
pub struct Site {
    pub folder: TempDir,
    pub store: Arc<Store>,
    pub settings: Settings,
    pub fast: Arc<Ledger>,
    pub slow: Arc<Ledger>,
}

/// What a client gets, but for the time of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    pub head: String,
    pub body: Vec<u8>,
}

impl Site {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path());
        let site = Self {
            folder,
            store,
            settings: Settings::default(),
            fast: Arc::default(),
            slow: Arc::default(),
        };
        site.fill();
        site
    }

    /// Stores what an origin answers.
    pub fn store(
        &self,
        path: &str,
        asked: &[(&str, &str)],
        status: u16,
        fields: &[(&str, &str)],
        body: &[u8],
    ) {
        let url = format!("https://{HOST}{path}");
        let now = clock();
        let mut fetching = exchange(&self.store, &url, asked);
        assert!(
            matches!(fetching.decide(true, now), Step::Forward(_)),
            "{url}"
        );
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.push(name, *value);
        }
        let reply = fetching.response(status, &headers, true, now);
        assert!(matches!(reply, Reply::Body { .. }), "{url} {reply:?}");
        fetching.write(body, now).unwrap();
        assert!(fetching.end(true));
        fetching.commit();
        fetching.close(true);
    }

    pub fn path(&self, rel: &str) -> std::path::PathBuf {
        self.folder.path().join(rel)
    }

    fn fill(&self) {
        let tag = ("ETag", "\"tag\"");
        let date = ("Date", "Tue, 14 Nov 2023 22:13:30 GMT");
        let modified = ("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT");
        let long = ("Cache-Control", "max-age=1000");
        self.store(
            "/pool/a_1.0.deb",
            &[],
            200,
            &[tag, modified, date],
            b"for good",
        );
        self.store(
            "/fresh",
            &[],
            200,
            &[tag, modified, long, ("X-Odd", "\u{fc}")],
            &[b'f'; 5000],
        );
        self.store("/large", &[], 200, &[tag, long], &vec![b'l'; 300_000]);
        self.store("/edge", &[], 200, &[long], &vec![b'e'; 65536]);
        self.store("/empty", &[], 200, &[tag, long], b"");
        self.store("/kept", &[], 200, &[], b"kept");
        self.store(
            "/stale",
            &[],
            200,
            &[tag, ("Cache-Control", "max-age=0")],
            b"stale",
        );
        let behind = ("Cache-Control", "max-age=0, stale-while-revalidate=1000");
        self.store("/behind", &[], 200, &[tag, behind], b"behind");
        self.store(
            "/simple/six/",
            &[("Accept", "text/html")],
            200,
            &[long],
            b"<html>",
        );
        let json = ("Accept", "application/vnd.pypi.simple.v1+json");
        self.store("/simple/six/", &[json], 200, &[long], b"{}");
        let vary = ("Vary", "Accept-Language");
        self.store(
            "/vary",
            &[("Accept-Language", "de")],
            200,
            &[vary, long],
            b"de",
        );
        self.store(
            "/vary",
            &[("Accept-Language", "en")],
            200,
            &[vary, long],
            b"en",
        );
        self.store(
            "/coded.txt",
            &[("Accept-Encoding", "br")],
            200,
            &[long, ("Content-Encoding", "br")],
            b"coded",
        );
        self.store("/both", &[], 200, &[long], b"both");
        self.store("/both/under", &[], 200, &[long], b"under");
        self.store("/gone", &[], 404, &[long], b"not there");
        self.store(
            "/moved",
            &[],
            302,
            &[long, ("Location", "https://h.example/fresh")],
            b"",
        );
        self.store("/for-ever", &[], 308, &[("Location", "/else")], b"else");
        self.store(
            "/slash",
            &[],
            301,
            &[("Location", "https://h.example/slash/")],
            b"slash",
        );
        self.store("/slash/", &[], 200, &[long], b"index");
        let own = self.path(HOST).join("own");
        fs::create_dir_all(own.join("folder")).unwrap();
        fs::write(own.join("file.txt"), b"a person's").unwrap();
        fs::write(own.join("large.bin"), vec![b'p'; 263_000]).unwrap();
        fs::write(own.join("folder/index.html"), b"own index").unwrap();
        symlink("404", own.join("missing")).unwrap();
        symlink("302 https://h.example/own/file.txt", own.join("there")).unwrap();
        symlink("file.txt", own.join("linked")).unwrap();
        symlink("own", self.path(HOST).join("way")).unwrap();
        symlink("/etc", self.path(HOST).join("out")).unwrap();
    }

    pub fn place(&self) -> Place {
        let reasons = [
            (200, "OK"),
            (206, "Partial Content"),
            (301, "Moved Permanently"),
            (302, "Found"),
            (304, "Not Modified"),
            (404, "Not Found"),
            (412, "Precondition Failed"),
            (416, "Requested Range not satisfiable"),
        ];
        Place {
            store: Arc::clone(&self.store),
            settings: self.settings,
            host: Arc::new(Host::new("cachy.internal", None, None, Arc::default()).unwrap()),
            ledger: Arc::clone(&self.fast),
            reasons: Arc::new(
                reasons
                    .map(|(status, reason)| (status, reason.to_owned()))
                    .into_iter()
                    .collect::<Reasons>(),
            ),
        }
    }

    /// A lane in a tunnel to the host.
    pub fn lane(&self) -> Lane {
        Lane::new(
            self.place(),
            Start {
                origin: Some((HOST.to_owned(), 443)),
                scheme: Scheme::Https,
                sni: Some(HOST.to_owned()),
                run: Some(RUN.to_owned()),
                ..Start::default()
            },
        )
    }

    /// What the lane gives. `None`: it leaves it alone.
    pub fn fast(lane: &mut Lane, asked: &Asked<'_>, now: Millis) -> Option<Got> {
        let bytes = asked.bytes();
        let mut taken = lane.take(&bytes, now);
        if taken.turn == Turn::Slow {
            assert_eq!(taken.rest, bytes);
            assert!(taken.out.is_empty() && taken.body.is_none());
            return None;
        }
        assert!(taken.rest.is_empty() && lane.pending().is_empty());
        let end = taken
            .out
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        let mut body = taken.out.split_off(end);
        if let Some((rest, meter)) = &mut taken.body {
            assert_eq!((taken.turn, body.len()), (Turn::Body, 0));
            body = read_all(rest);
            meter.as_ref().unwrap().read(body.len());
            let then = lane.take(b"", clock());
            assert!(then.out.is_empty());
            assert_eq!(then.turn == Turn::Close, asked.closes());
        } else {
            assert_eq!(taken.turn == Turn::Close, asked.closes(), "{asked:?}");
        }
        Some(Got::new(&String::from_utf8_lossy(&taken.out), body))
    }

    /// What an exchange gives from the tree without asking or telling anybody.
    pub fn slow(&self, asked: &Asked<'_>, now: Millis) -> Option<Got> {
        let tally = self.slow.tally(RunId::parse(RUN));
        let request = asked.request();
        let mut exchange = Exchange::new(Arc::clone(&self.store), self.settings, request);
        // What it isn't the lane's to count is not counted here either.
        let answer = match exchange.decide(false, now) {
            Step::Answer(answer) if answer.cache_status.hit && exchange.work().is_none() => answer,
            _ => return None,
        };
        drop(answer);
        let mut exchange =
            Exchange::new(Arc::clone(&self.store), self.settings, asked.request()).counted(tally);
        let Step::Answer(mut answer) = exchange.decide(false, now) else {
            panic!("decided otherwise");
        };
        let reason = self.place().reasons;
        let mut head = Vec::new();
        cachy::lane::head::write(&mut head, &answer, &reason, None);
        let body = read_all(&mut answer.body);
        if let Some(meter) = &answer.meter {
            meter.read(body.len());
        }
        Some(Got::new(&String::from_utf8_lossy(&head), body))
    }

    /// Asks both. Returns what both give.
    pub fn ask(&self, lane: &mut Lane, asked: &Asked<'_>) -> Option<Got> {
        let now = soon();
        let (fast, slow) = (Self::fast(lane, asked, now), self.slow(asked, now));
        assert_eq!(fast, slow, "{asked:?}");
        fast
    }

    /// Both have counted the same.
    pub fn check_counts(&self) {
        let of = |ledger: &Ledger| format!("{:?}", ledger.report(RunId::parse(RUN).unwrap()));
        assert_eq!(of(&self.fast), of(&self.slow));
    }
}

impl Got {
    fn new(head: &str, body: Vec<u8>) -> Self {
        let plain = |line: &str| {
            let date = line.starts_with("Date: ") && !line.contains(" 2023 ");
            if date {
                "Date: now".to_owned()
            } else {
                line.to_owned()
            }
        };
        let lines: Vec<String> = head.split("\r\n").map(plain).collect();
        let head = lines.join("\r\n");
        let boundary = head.split_once("boundary=").map(|(_, rest)| &rest[..32]);
        let Some(boundary) = boundary else {
            return Self { head, body };
        };
        Self {
            body: String::from_utf8(body)
                .unwrap()
                .replace(boundary, "BOUNDARY")
                .into(),
            head: head.replace(boundary, "BOUNDARY"),
        }
    }

    pub fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

fn read_all(body: &mut Body) -> Vec<u8> {
    let mut all = Vec::new();
    while let Chunk::Bytes(bytes) = body.read(1 << 20).unwrap() {
        all.extend(bytes);
    }
    all
}

/// When what has just been stored is old enough to be remembered.
pub fn soon() -> Millis {
    clock() + 200
}

/// A request.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Asked<'a> {
    pub fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            fields: vec![("Host", HOST)],
        }
    }

    pub fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.fields.push((name, value));
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let fields = self.fields.iter();
        let fields: String = fields.fold(String::new(), |text, (name, value)| {
            text + name + ": " + value + "\r\n"
        });
        let text = format!("{} {} HTTP/1.1\r\n{fields}\r\n", self.method, self.path);
        text.into_bytes()
    }

    fn closes(&self) -> bool {
        self.fields.contains(&("Connection", "close"))
    }

    fn request(&self) -> Request {
        let fields = self.fields.iter().map(|(n, v)| ((*n).into(), (*v).into()));
        Request {
            method: self.method.into(),
            scheme: Scheme::Https,
            host: HOST.into(),
            port: 443,
            path: self.path.into(),
            headers: Headers(fields.collect()),
            authority: None,
            sni: Some(HOST.into()),
            way: Way::Named,
            special: false,
            multiplexed: false,
            old: false,
        }
    }
}
