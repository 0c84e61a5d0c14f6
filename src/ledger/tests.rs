use super::*;
use crate::answer;
use crate::cache_status::Forwarded;
use crate::headers::Headers;
use crate::key::Target;
use crate::request::Request;
use crate::tree::Tree;

const RUN: &str = "00112233445566778899aabbccddeeff";

fn request() -> Request {
    Request::get(&Target::parse(&url()).unwrap(), Headers::default())
}

fn url() -> String {
    "https://h.example/a".to_owned()
}

fn miss(ledger: &Ledger, run: Option<RunId>, url: &str, bytes: usize, millis: Millis) {
    let mut tally = ledger.tally(run);
    tally.begin(1000);
    tally.received(bytes / 2);
    let status = CacheStatus::forwarded(Forwarded::UriMiss);
    tally.tell(&request(), &|| url.to_owned(), 200, status);
    tally.received(bytes - bytes / 2);
    tally.over(|| 1000 + millis);
    tally.over(|| 99_999);
}

fn hit(ledger: &Ledger, run: Option<RunId>, body: &str) -> answer::Answer {
    let mut tally = ledger.tally(run);
    tally.begin(1000);
    let mut answer = answer::text(200, body, false, CacheStatus::hit());
    tally.answered(&request(), &url, &mut answer);
    answer
}

#[test]
fn hits_and_misses_of_runs_apart() {
    let ledger = Ledger::default();
    let (one, two) = (RunId::parse(RUN), RunId::parse(&RUN.replace('0', "1")));
    let answer = hit(&ledger, one, "abc");
    answer.meter.unwrap().read(3);
    miss(&ledger, one, "https://h.example/quick", 9, 5);
    miss(&ledger, one, "https://h.example/slow", 5, 2000);
    miss(&ledger, one, "https://h.example/slow", 5, 1000);
    miss(&ledger, two, "https://h.example/quick", 7, 10);
    miss(&ledger, None, "https://h.example/quick", 1, 10);
    let report = ledger.report(one.unwrap());
    assert_eq!((report.requests, report.hits, report.omitted), (4, 1, 0));
    assert_eq!((report.bytes.tree, report.bytes.upstream), (3, 19));
    let misses: Vec<_> = report
        .misses
        .iter()
        .map(|m| (m.url.as_str(), m.bytes, m.count))
        .collect();
    assert_eq!(
        misses,
        [
            ("https://h.example/slow", 10, 2),
            ("https://h.example/quick", 9, 1)
        ]
    );
    assert!((report.misses[0].seconds - 3.0).abs() < 1e-9);
    assert_eq!(report.misses[0].cache_status, "cachy; fwd=uri-miss");
    assert_eq!(ledger.report(two.unwrap()).bytes.upstream, 7);
    assert_eq!(ledger.report(RunId(5)), Report::default());
    let totals = ledger.totals();
    assert_eq!(
        (totals.requests, totals.hits, totals.bytes.upstream),
        (6, 1, 27)
    );
    assert_eq!(totals.by_reason["uri-miss"].count, 5);
}

#[test]
fn reasons() {
    let forwarded = CacheStatus::forwarded;
    for (status, expected) in [
        (CacheStatus::hit(), None),
        (CacheStatus::hit().detail("stale-if-error"), None),
        (forwarded(Forwarded::UriMiss), Some("uri-miss")),
        (
            forwarded(Forwarded::UriMiss).detail("slash"),
            Some("uri-miss"),
        ),
        (
            forwarded(Forwarded::UriMiss).detail("no-store"),
            Some("no-store"),
        ),
        (forwarded(Forwarded::Method), Some("method")),
        (
            forwarded(Forwarded::Bypass).detail("authorization"),
            Some("authorization"),
        ),
        (
            CacheStatus::default().detail("offline-miss"),
            Some("offline-miss"),
        ),
        (
            CacheStatus {
                forwarded_status: Some(304),
                ..forwarded(Forwarded::Stale)
            },
            Some("revalidated"),
        ),
        (
            CacheStatus {
                collapsed: true,
                ..forwarded(Forwarded::UriMiss)
            },
            Some("collapsed"),
        ),
    ] {
        assert_eq!(reason(status), expected, "{status}");
    }
}

#[test]
fn memory_is_bounded() {
    let ledger = Ledger::default();
    let first = RunId(1);
    for number in 0..ROWS + 5 {
        miss(&ledger, Some(first), &number.to_string(), 1, 0);
    }
    let report = ledger.report(first);
    assert_eq!((report.misses.len(), report.omitted), (ROWS, 5));
    assert_eq!(
        (report.requests, report.bytes.upstream),
        (ROWS as u64 + 5, ROWS as u64 + 5)
    );
    for number in 2..7 {
        miss(
            &ledger,
            Some(RunId(2)),
            &format!("{number}{}", "x".repeat(1 << 20)),
            1,
            0,
        );
    }
    assert_eq!(ledger.report(RunId(2)).omitted, 2);
    for number in 3..=101 {
        hit(&ledger, Some(RunId(number)), "");
    }
    assert_eq!(
        ledger.report(first),
        Report::default(),
        "the oldest is forgotten"
    );
    assert_eq!(ledger.report(RunId(2)).requests, 5);
}

#[test]
fn what_has_no_client_is_no_request() {
    let ledger = Ledger::default();
    let run = RunId::parse(RUN);
    let mut work = ledger.tally(run).without_client(&url);
    work.begin(1000);
    work.tell(
        &request(),
        &url,
        200,
        CacheStatus::forwarded(Forwarded::UriMiss),
    );
    work.received(7);
    work.over(|| 5000);
    miss(&ledger, run, &url(), 0, 10);
    let report = ledger.report(run.unwrap());
    assert_eq!((report.requests, report.bytes.upstream), (1, 7));
    assert_eq!((report.misses[0].count, report.misses[0].bytes), (1, 7));
    assert!((report.misses[0].seconds - 0.01).abs() < 1e-9);
}

#[test]
fn what_is_written_down_is_the_sum_of_all_processes() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, _) = Tree::open(folder.path()).unwrap();
    let (one, two) = (Ledger::default(), Ledger::default());
    miss(&one, None, "a", 5, 1500);
    one.save(&tree).unwrap();
    one.save(&tree).unwrap();
    miss(&two, None, "a", 7, 0);
    hit(&two, None, "");
    two.save(&tree).unwrap();
    miss(&one, None, "a", 1, 0);
    one.save(&tree).unwrap();
    let all = save::read(&tree).unwrap();
    assert_eq!((all.requests, all.hits, all.bytes.upstream), (4, 1, 13));
    let sums = &all.by_reason["uri-miss"];
    assert_eq!((sums.count, sums.bytes), (3, 13));
    assert!((sums.seconds - 1.5).abs() < 1e-9);
    std::fs::write(folder.path().join(".cachy/stats.json"), "{").unwrap();
    miss(&one, None, "a", 2, 0);
    one.save(&tree).unwrap();
    assert_eq!(save::read(&tree).unwrap().requests, 1);
}

#[test]
fn ids() {
    assert!(RunId::parse(RUN).is_some());
    assert_eq!(RunId::parse(RUN), RunId::parse(&RUN.to_uppercase()));
    for bad in [
        "",
        "0",
        &RUN[1..],
        &format!("+{}", &RUN[1..]),
        &format!("{RUN}0"),
    ] {
        assert_eq!(RunId::parse(bad), None, "{bad}");
    }
}

#[test]
fn siblings_count_together() {
    let folder = tempfile::TempDir::new().unwrap();
    let run = RunId::parse(RUN);
    let ledgers = [1, 2, 3].map(|number| {
        let ledger = Arc::new(Ledger::default());
        ledger.join(folder.path(), number, 3).unwrap();
        ledger
    });
    for ledger in &ledgers {
        hit(ledger, run, "abc").meter.unwrap().read(3);
        miss(ledger, run, "https://h.example/slow", 5, 1000);
    }
    miss(&ledgers[2], run, "https://h.example/once", 5, 10);
    // One that has gone, and another in the place of one.
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("9")).unwrap());
    ledgers[0].join(folder.path(), 1, 3).unwrap();
    for ledger in &ledgers {
        let report = ledger.report_of_all(run.unwrap());
        assert_eq!((report.requests, report.hits), (7, 3));
        assert_eq!((report.bytes.tree, report.bytes.upstream), (9, 20));
        let rows = report
            .misses
            .iter()
            .map(|m| (&m.url[18..], m.count, m.bytes));
        assert_eq!(rows.collect::<Vec<_>>(), [("slow", 3, 15), ("once", 1, 5)]);
        let totals = ledger.totals_of_all();
        assert_eq!(
            (totals.requests, totals.by_reason["uri-miss"].count),
            (7, 4)
        );
        assert_eq!(
            ledger.totals().requests,
            2 + u64::from(Arc::ptr_eq(ledger, &ledgers[2]))
        );
    }
}

#[test]
fn methods_apart() {
    let ledger = Ledger::default();
    let run = RunId::parse(RUN);
    for method in ["HEAD", "GET", "HEAD"] {
        let mut asked = request();
        method.clone_into(&mut asked.method);
        let mut tally = ledger.tally(run);
        tally.begin(1000);
        tally.tell(
            &asked,
            &url,
            200,
            CacheStatus::forwarded(Forwarded::UriMiss),
        );
        tally.over(|| 1000);
    }
    let report = ledger.report(run.unwrap());
    let told = |report: &Report| -> Vec<_> {
        let misses = report.misses.iter();
        misses.map(|m| (m.method.clone(), m.count)).collect()
    };
    let expected = [("GET".to_owned(), 1), ("HEAD".to_owned(), 2)];
    assert_eq!(told(&report), expected);
    let mut both = ledger.report(run.unwrap());
    both.add(vec![report]);
    let expected = [("GET".to_owned(), 2), ("HEAD".to_owned(), 4)];
    assert_eq!(told(&both), expected);
    assert_eq!(ledger.totals().by_reason["uri-miss"].count, 3);
}
