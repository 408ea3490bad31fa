//! Disks that are full, or that may only be read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use futures::future::join_all;
use oncecode::ErrorKind;

use crate::caller::{Client, misconfigured, unavailable};
use crate::server::Server;
use crate::support::{runtime, unique};

/// The folder that the other process is to fill.
const ORDER: &str = "ONCECODE_FAULTS_DISK_ORDER";

/// Small enough to be full after a few hundred codes.
const BYTES: u64 = 1_200_000;

pub async fn a_full_disk_is_told_and_recovered_from() {
    // A real one, where the kernel lets us make it.
    if let Some(disk) = Disk::mount() {
        let ballast = disk.0.join("ballast");
        fs::write(&ballast, vec![0; BYTES as usize / 2]).expect("room for the ballast");
        let said = fills(&disk.0, || fs::remove_file(&ballast).expect("removed")).await;
        assert!(said.contains("disk is full"), "{said}");
    }
    // Anywhere: another process, whose files must not grow beyond a limit until it is lifted.
    let folder = folder();
    let limited = format!("trap '' XFSZ; ulimit -S -f {}; exec \"$0\"", BYTES / 1024);
    let program = std::env::current_exe().expect("this program");
    let mut shell = Command::new("bash");
    let done = shell.args(["-c", &limited]).arg(program).env(ORDER, &folder).status().expect("bash runs");
    assert!(done.success(), "the other process failed");
    fs::remove_dir_all(folder).expect("removed");
}

/// The other process.
pub fn is_asked_to_be_somebody_else() -> bool {
    let Ok(folder) = std::env::var(ORDER) else { return false };
    runtime().block_on(async {
        let lift = || {
            let own = std::process::id().to_string();
            let lifted = Command::new("prlimit").args(["--pid", &own, "--fsize=unlimited:"]).status();
            assert!(lifted.expect("prlimit runs").success(), "the limit stays");
        };
        fills(Path::new(&folder), lift).await;
    });
    true
}

/// Issues until nothing more can be written, and on when there is room again. Returns what was told.
async fn fills(folder: &Path, make_room: impl FnOnce()) -> String {
    let url = format!("sqlite:{}", folder.join("codes.db").display());
    let client = Client::open(&url).await.expect("open");
    let (used, live) = (client.issue().await.expect("issue"), client.issue().await.expect("issue"));
    client.verify(&used).await.expect("verify");
    let (mut codes, mut refused) = (Vec::new(), Vec::new());
    // Where the log of changes could be written back, there is a little room again.
    while refused.len() < 5 {
        match client.issue().await {
            Ok(code) => (codes.push(code), refused.clear()).0,
            Err(e) => refused.push(unavailable(async { Err::<(), _>(e) }).await),
        }
        assert!(codes.len() < 5000, "the disk is never full");
    }
    assert!(codes.len() > 20, "full too soon: {}", codes.len());
    let said = refused.swap_remove(0);
    // What cannot be noted as used is not accepted; a note that fits still may be.
    let mut accepted = 0;
    for code in codes.iter().take(20) {
        match client.outcome(code).await {
            Ok(()) => accepted += 1,
            Err(kind) => assert_eq!(kind, ErrorKind::StoreUnavailable),
        }
    }
    let others = Client::open(&url).await;
    make_room();
    client.works().await;
    client.verify(&live).await.expect("the code is still there");
    let again = match others {
        Ok(others) => others,
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::StoreUnavailable, "{e:?}");
            Client::open(&url).await.expect("there is room")
        }
    };
    assert_eq!(again.outcome(&used).await, Err(ErrorKind::CodeNotFound));
    let mut live = 0;
    for code in &codes {
        // The ledger would know of a second time.
        match client.outcome(code).await {
            Ok(()) => live += 1,
            Err(kind) => assert_eq!(kind, ErrorKind::CodeNotFound),
        }
    }
    assert_eq!(live + accepted, codes.len(), "what was told is what is there");
    said
}

pub async fn a_postgres_on_a_full_disk_serves_what_is_there() {
    let server = Server::start("postgres");
    let client = Arc::new(Client::patient(&server.url).await.expect("open"));
    let (used, live) = (client.issue().await.expect("issue"), client.issue().await.expect("issue"));
    client.verify(&used).await.expect("verify");
    // A segment of its log has 16 MiB. Half a page more, which it finds out by a write that is cut short.
    server.limit_files(&(16 * 1024 * 1024 + 4096).to_string());
    let (mut codes, mut refused) = (Vec::new(), Vec::new());
    while refused.len() < 50 {
        refused.clear();
        let calls = (0..100).map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.issue().await })
        });
        for call in join_all(calls.collect::<Vec<_>>()).await {
            match call.expect("a caller") {
                Ok(code) => codes.push(code),
                Err(e) => refused.push(e),
            }
        }
        assert!(codes.len() < 100_000, "the disk is never full");
    }
    for error in &refused {
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error:?}");
        assert!(error.to_string().contains("disk"), "{error}");
    }
    client.verify(&live).await.expect("a row that is there has room");
    assert_eq!(client.outcome(&used).await, Err(ErrorKind::CodeNotFound));
    server.limit_files("unlimited");
    client.works().await;
    for code in codes.iter().rev().take(200) {
        client.verify(code).await.expect("what was told is what is there");
        assert_eq!(client.outcome(code).await, Err(ErrorKind::CodeNotFound));
    }
}

pub async fn a_file_that_may_only_be_read_is_told_at_open() {
    let folder = folder();
    let url = format!("sqlite:{}", folder.join("codes.db").display());
    Client::open(&url).await.expect("open").works().await;
    let said = misconfigured(Client::open(&format!("{url}?mode=ro"))).await;
    assert!(said.contains("read-only"), "{said}");
    fs::remove_dir_all(folder).expect("removed");
}

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("oncecode-{}", unique()));
    fs::create_dir(&folder).expect("a folder");
    folder
}

/// A file system of a few hundred kilobytes.
struct Disk(PathBuf);

impl Disk {
    /// `None` where the kernel does not let us.
    fn mount() -> Option<Self> {
        let folder = folder();
        let size = format!("size={BYTES}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(folder));
        }
        fs::remove_dir(folder).expect("removed");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // At the end of the last user of its files, whenever that is.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}
