//! What is needed to move to another store and from there: listing keys, and the scripts over two keys.

use futures::future::try_join_all;

use super::answer::{Answer, entry, strange};
use super::script::{DETACH, FORGET, GET, RESTORE};
use super::{LuaStore, Wire, ms};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Found, Key};
use crate::store::{Entry, Item, Page, Restored, Store, item};

/// The cursor is a server's number and its own cursor, `0:1234`.
pub(super) async fn scan(store: &LuaStore<impl Wire>, prefix: &str, cursor: &str, limit: u32) -> Result<Page> {
    let (server, at): (usize, &str) = match cursor {
        "" => (0, "0"),
        cursor => cursor.split_once(':').and_then(|(node, at)| Some((node.parse().ok()?, at))).ok_or_else(unknown)?,
    };
    if !at.bytes().all(|b| b.is_ascii_digit()) {
        return Err(unknown());
    }
    let servers = store.0.servers().await?;
    let mut page = Page::default();
    if cursor.is_empty() {
        let sizes = try_join_all((0..servers).map(|server| store.0.tell(server, &["DBSIZE"]))).await?;
        page.total = Some(sizes.iter().map(|size| if let Answer::Int(keys) = size { *keys as u64 } else { 0 }).sum());
    }
    if server >= servers {
        return Ok(page);
    }
    // The prefix has no characters that mean anything in a pattern.
    let (pattern, count) = (format!("{prefix}*"), limit.max(1).to_string());
    let answer = store.0.tell(server, &["SCAN", at, "MATCH", &pattern, "COUNT", &count]).await?.items()?;
    let Ok([Answer::Bytes(next), Answer::Array(keys)]) = <[Answer; 2]>::try_from(answer) else {
        return Err(strange());
    };
    for found in try_join_all(keys.into_iter().map(|key| look(store, key))).await? {
        match found {
            Looked::Found(key, entry) => page.add(key.as_str(), entry),
            Looked::Mark => {}
            Looked::Foreign => page.unreadable += 1,
        }
    }
    let next = String::from_utf8(next).map_err(|_| strange())?;
    page.cursor = match next.as_str() {
        "0" => Some(server + 1).filter(|server| *server < servers).map(|server| format!("{server}:0")),
        next => Some(format!("{server}:{next}")),
    };
    Ok(page)
}

enum Looked {
    Found(Key, Option<Entry>),
    Mark,
    Foreign,
}

async fn look(store: &LuaStore<impl Wire>, key: Answer) -> Result<Looked> {
    let Answer::Bytes(key) = key else { return Err(strange()) };
    let key = match std::str::from_utf8(&key).ok().and_then(Found::read) {
        Some(Found::Own(key)) => key,
        Some(Found::Detached(key)) => key.detached(),
        Some(Found::Mark) => return Ok(Looked::Mark),
        None => return Ok(Looked::Foreign),
    };
    match store.0.eval(&GET, &[&key], &[]).await.and_then(entry) {
        Ok(entry) => Ok(Looked::Found(key, entry)),
        // Of another type, so none of ours.
        Err(e) if is_wrong_type(&e) => Ok(Looked::Foreign),
        Err(e) => Err(e),
    }
}

pub(super) async fn detach(store: &LuaStore<impl Wire>, key: &Key, detached_only: bool) -> Result<Option<Item>> {
    let only: &[u8] = if detached_only { b"1" } else { b"0" };
    let found = entry(store.0.eval(&DETACH, &[key, &key.detached()], &[only]).await?)?;
    Ok(found.and_then(|found| Item::entry(key.clone(), found.value, found.ttl)))
}

pub(super) async fn forget(store: &LuaStore<impl Wire>, item: &Item) -> Result<()> {
    let (detached, mark, moves) = (item.key.detached(), item.mark(), item.moves.max(1).to_string());
    let keys: Vec<&Key> = [Some(&detached), mark.as_ref()].into_iter().flatten().collect();
    store.0.eval(&FORGET, &keys, &[item.bytes(), moves.as_bytes()]).await.map(|_| ())
}

/// Reads, decides, and writes both keys if neither changed meanwhile.
pub(super) async fn restore(store: &LuaStore<impl Wire>, item: &Item) -> Result<Restored> {
    let (mark, detached) = (item.mark(), item.key.detached());
    for _ in 0..100 {
        let held = store.get(&item.key).await?;
        let seen = match &mark {
            Some(mark) => store.get(mark).await?,
            None => None,
        };
        let arrival = match item::arrive(item, held.as_ref(), item::count(seen.as_ref()), store.granularity()) {
            Ok(arrival) => arrival,
            Err(answer) => return Ok(answer),
        };
        let old = |entry: Option<Entry>| entry.map(|e| e.value).unwrap_or_default();
        let (held, seen) = (old(held), old(seen));
        let (life, moves, mark_life) = (ms(arrival.life), item.moves.max(1).to_string(), ms(item.mark_life()));
        let (mut keys, mut args) = (vec![&item.key], vec![&held[..], &arrival.value, life.as_bytes()]);
        if let Some(mark) = &mark {
            keys.push(mark);
            args.extend([&seen[..], moves.as_bytes(), mark_life.as_bytes()]);
        }
        // Coming back ends the waiting from an earlier move.
        let waiting = old(store.get(&detached).await?);
        if item.is_same(&waiting) {
            keys.push(&detached);
            args.extend([&waiting[..], b"", b""]);
        }
        let written = store.0.eval(&RESTORE, &keys, &args).await?;
        if written == Answer::Int(1) {
            return Ok(Restored::Arrived);
        }
    }
    Err(Error::new(ErrorKind::StoreUnavailable, "too many callers changed the same entry at once"))
}

fn unknown() -> Error {
    Error::argument("the cursor is not one of this store's")
}

fn is_wrong_type(error: &Error) -> bool {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    cause.contains("WRONGTYPE") || error.to_string().contains("WRONGTYPE")
}
