//! Whatever changes in the tree is seen by the next request, though it was remembered.

use std::fmt::Write;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cachy::freshness::clock;
use cachy::lane::Turn;
use cachy::layout::path_of;

use crate::site::{Asked, HOST, Site};
use crate::support::target;

/// Where the metadata of a path of the host lies.
fn meta(site: &Site, path: &str) -> std::path::PathBuf {
    use sha2::{Digest, Sha256};
    let rel = path_of(&target(&format!("https://{HOST}{path}")));
    let hash = Sha256::digest(rel.as_str().as_bytes());
    let hash = hash[..16].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    site.path(&format!(".cachy/meta/{}/{}.json", &hash[..2], &hash[2..]))
}

/// Asks until it is remembered, changes something, and asks again: both ways see it.
fn changed(path: &str, change: impl FnOnce(&Site, &Path)) -> (Site, Option<String>) {
    let site = Site::new();
    let mut lane = site.lane();
    let asked = Asked::get(path);
    let mut body = || site.ask(&mut lane, &asked).map(|got| got.body);
    let before = body();
    assert!(before.is_some(), "{path}");
    // To be used changes the metadata too, once a minute.
    assert_eq!(body(), before);
    let remembered = site.store.recall.bytes();
    assert!(remembered > 0, "{path}");
    assert_eq!(body(), before);
    assert_eq!(site.store.recall.bytes(), remembered);
    change(&site, &site.path(HOST).join(&path[1..]));
    let after = site.ask(&mut lane, &asked);
    for more in [
        asked.clone().with("Range", "bytes=0-0"),
        Asked {
            method: "HEAD",
            ..asked
        },
    ] {
        site.ask(&mut lane, &more);
    }
    site.check_counts();
    let text = after.map(|got| format!("{} {}", got.status(), String::from_utf8_lossy(&got.body)));
    (site, text)
}

fn sees(path: &str, expected: Option<&str>, change: impl FnOnce(&Site, &Path)) {
    let (_, text) = changed(path, change);
    assert_eq!(text.as_deref(), expected, "{path}");
}

/// Writes into the file itself, and gives it back its time.
fn edit(file: &Path, text: &[u8]) {
    let time = fs::metadata(file).unwrap().modified().unwrap();
    fs::write(file, text).unwrap();
    File::options()
        .append(true)
        .open(file)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

const PATHS: [&str; 4] = ["/kept", "/pool/a_1.0.deb", "/own/file.txt", "/both"];

#[test]
fn removed() {
    for path in [
        "/kept",
        "/pool/a_1.0.deb",
        "/own/file.txt",
        "/gone",
        "/own/missing",
        "/moved",
    ] {
        sees(path, None, |_, file| fs::remove_file(file).unwrap());
    }
    sees("/both", None, |_, file| {
        fs::remove_file(file.join("%~self")).unwrap();
    });
    sees("/pool/a_1.0.deb", None, |_, file| {
        fs::remove_dir_all(file.parent().unwrap()).unwrap();
    });
    for path in PATHS {
        sees(path, None, |site, _| {
            fs::remove_dir_all(site.folder.path()).unwrap();
        });
    }
}

#[test]
fn edited() {
    sees("/kept", Some("200 mine"), |_, file| edit(file, b"mine"));
    sees("/kept", Some("200 mine, longer"), |_, file| {
        edit(file, b"mine, longer");
    });
    sees("/pool/a_1.0.deb", Some("200 for evil"), |_, file| {
        fs::write(file, b"for evil").unwrap();
    });
    sees("/own/file.txt", Some("200 A PERSON'S"), |_, file| {
        edit(file, b"A PERSON'S");
    });
    sees("/kept", Some("200 mine"), |_, file| {
        let beside = file.with_extension("new");
        fs::write(&beside, b"mine").unwrap();
        fs::rename(beside, file).unwrap();
    });
}

#[test]
fn linked() {
    sees(
        "/kept",
        Some("404 404: a link in the cache says so\n"),
        |_, file| {
            fs::remove_file(file).unwrap();
            symlink("404", file).unwrap();
        },
    );
    sees(
        "/own/missing",
        Some("410 410: a link in the cache says so\n"),
        |_, file| {
            fs::remove_file(file).unwrap();
            symlink("410", file).unwrap();
        },
    );
    sees("/kept", Some("200 a person's"), |_, file| {
        fs::remove_file(file).unwrap();
        symlink("own/file.txt", file).unwrap();
    });
    sees("/kept", None, |_, file| {
        fs::remove_file(file).unwrap();
        symlink("/etc/passwd", file).unwrap();
    });
    sees("/gone", Some("200 there"), |_, file| {
        fs::remove_file(file).unwrap();
        fs::write(file, b"there").unwrap();
    });
}

#[test]
fn folders_that_were_moved() {
    let away = tempfile::TempDir::new().unwrap();
    for (number, path) in ["/pool/a_1.0.deb", "/own/file.txt", "/own/missing"]
        .iter()
        .enumerate()
    {
        sees(path, None, |_, file| {
            let folder = file.parent().unwrap();
            let there = away.path().join(number.to_string());
            fs::rename(folder, &there).unwrap();
            symlink(&there, folder).unwrap();
        });
        let (_, inside) = changed(path, |_, file| {
            let folder = file.parent().unwrap();
            fs::rename(folder, folder.with_extension("moved")).unwrap();
            symlink(folder.with_extension("moved").file_name().unwrap(), folder).unwrap();
        });
        assert!(inside.is_some(), "{path}");
        sees(path, None, |_, file| {
            let folder = file.parent().unwrap();
            fs::rename(folder, folder.with_extension("moved")).unwrap();
        });
    }
}

#[test]
fn metadata_that_changed() {
    for path in ["/kept", "/pool/a_1.0.deb"] {
        // Without it, it is a person's.
        let (_, text) = changed(path, |site, _| fs::remove_file(meta(site, path)).unwrap());
        assert!(text.is_some());
        changed(path, |site, _| {
            fs::remove_dir_all(site.path(".cachy")).unwrap();
        });
        changed(path, |site, _| edit(&meta(site, path), b"{}"));
        let (site, _) = changed(path, |site, _| {
            let file = meta(site, path);
            let text = fs::read_to_string(&file)
                .unwrap()
                .replace("\"status\":200", "\"status\":404");
            edit(&file, text.as_bytes());
        });
        drop(site);
        let away = tempfile::TempDir::new().unwrap();
        changed(path, |site, _| {
            let there = away.path().join("cachy");
            fs::rename(site.path(".cachy"), &there).unwrap();
            symlink(&there, site.path(".cachy")).unwrap();
        });
    }
    changed("/own/file.txt", |site, _| {
        let file = meta(site, "/own/file.txt");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::copy(meta(site, "/kept"), file).unwrap();
    });
}

#[test]
fn stored_again() {
    for path in ["/kept", "/gone"] {
        let (_, text) = changed(path, |site, file| {
            fs::remove_file(file).unwrap();
            site.store(path, &[], 200, &[("X-New", "1")], b"new");
        });
        assert_eq!(text.as_deref(), Some("200 new"), "{path}");
    }
}

#[test]
fn rights_and_times() {
    for path in PATHS {
        changed(path, |_, file| {
            fs::set_permissions(file, Permissions::from_mode(0o0)).unwrap();
        });
        changed(path, |_, file| {
            let file = if file.is_dir() {
                file.join("%~self")
            } else {
                file.to_owned()
            };
            let file = File::options().append(true).open(file).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        });
    }
}

#[test]
fn another_folder_in_its_place() {
    for path in PATHS {
        let elsewhere = tempfile::TempDir::new().unwrap();
        let (site, text) = changed(path, |site, _| {
            fs::rename(site.folder.path(), elsewhere.path().join("tree")).unwrap();
            fs::create_dir(site.folder.path()).unwrap();
        });
        assert_eq!(text, None);
        fs::create_dir_all(site.path(HOST)).unwrap();
        fs::write(site.path(HOST).join("kept"), b"another").unwrap();
        let got = site.ask(&mut site.lane(), &Asked::get("/kept")).unwrap();
        assert_eq!(got.body, b"another");
    }
}

#[test]
fn what_is_young_is_not_remembered() {
    let site = Site::new();
    let mut lane = site.lane();
    let file = site.path(HOST).join("own/file.txt");
    for round in 0..300 {
        // Of one length, and likely within one tick of the clock.
        let text = format!("{round:04}");
        let now = clock();
        fs::write(&file, &text).unwrap();
        for _ in 0..2 {
            let taken = lane.take(&Asked::get("/own/file.txt").bytes(), now);
            assert_eq!(taken.turn, Turn::More);
            assert!(taken.out.ends_with(text.as_bytes()), "{round}");
            assert_eq!(site.store.recall.bytes(), 0);
        }
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let site = Site::new();
    let mut lane = site.lane();
    let folder = site.path(HOST).join("many");
    fs::create_dir(&folder).unwrap();
    let long = "x".repeat(200);
    for number in 0..8_000 {
        let name = format!("{number}{long}");
        File::create(folder.join(&name)).unwrap();
        let asked = Asked::get(&format!("/many/{name}")).bytes();
        assert_eq!(lane.take(&asked, clock() + 200).turn, Turn::More);
        if number % 1000 == 0 {
            assert!(site.store.recall.bytes() <= 20 << 20);
        }
    }
    assert!(site.store.recall.bytes() > 8 << 20);
}
