//! get, put, take, count.

use futures::future::join_all;

use super::*;
use crate::store::When;

pub(super) async fn a_value_lives_until_its_time(f: &dyn Fixture) {
    let (store, key) = (f.store(), key(f, "life"));
    assert!(store.get(&key).await.expect("get").is_none());
    assert!(store.put(&key, b"one", secs(100), When::Always).await.expect("put"));
    let entry = store.get(&key).await.expect("get").expect("a value");
    assert_eq!(entry.value, b"one");
    assert_about(entry.ttl.expect("a life"), secs(100));
    assert!(store.put(&key, b"two", secs(50), When::Always).await.expect("put"));
    f.advance(secs(40)).await;
    assert_about(store.get(&key).await.expect("get").expect("a value").ttl.expect("a life"), secs(10));
    f.advance(secs(11)).await;
    assert!(store.get(&key).await.expect("get").is_none());
    assert!(store.take(&key).await.expect("take").is_none());
}

pub(super) async fn an_absent_put_succeeds_once(f: &dyn Fixture) {
    let (store, key) = (f.store(), key(f, "absent"));
    assert!(store.put(&key, b"first", secs(100), When::Absent).await.expect("put"));
    assert!(!store.put(&key, b"second", secs(100), When::Absent).await.expect("put"));
    assert_eq!(store.get(&key).await.expect("get").expect("a value").value, b"first");
    f.advance(secs(101)).await;
    assert!(store.put(&key, b"third", secs(100), When::Absent).await.expect("put"), "an expired value is absent");
    assert_eq!(store.get(&key).await.expect("get").expect("a value").value, b"third");
}

pub(super) async fn a_versioned_put_loses_against_a_change(f: &dyn Fixture) {
    let (store, other, key) = (f.store(), f.store(), key(f, "version"));
    store.put(&key, b"one", secs(100), When::Always).await.expect("put");
    let seen = store.get(&key).await.expect("get").expect("a value").version;
    other.put(&key, b"two", secs(100), When::Always).await.expect("put");
    assert!(!store.put(&key, b"mine", secs(100), When::Version(seen)).await.expect("put"));
    let seen = store.get(&key).await.expect("get").expect("a value").version;
    assert!(store.put(&key, b"mine", secs(100), When::Version(seen.clone())).await.expect("put"));
    assert!(
        !store.put(&key, b"again", secs(100), When::Version(seen.clone())).await.expect("put"),
        "a version is spent"
    );
    store.take(&key).await.expect("take");
    assert!(!store.put(&key, b"back", secs(100), When::Version(seen)).await.expect("put"), "what is gone stays gone");
    assert!(store.get(&key).await.expect("get").is_none());
    // However a value came to be.
    for first in ["put", "count"] {
        match first {
            "put" => _ = store.put(&key, b"1", secs(100), When::Absent).await.expect("put"),
            _ => _ = store.count(&key, 1, secs(100)).await.expect("count"),
        }
        let seen = store.get(&key).await.expect("get").expect("a value").version;
        assert!(store.put(&key, b"2", secs(100), When::Version(seen.clone())).await.expect("put"));
        assert!(!store.put(&key, b"3", secs(100), When::Version(seen)).await.expect("put"), "spent, after a {first}");
    }
}

pub(super) async fn of_many_takers_one_gets_it(f: &dyn Fixture) {
    let (store, key) = (f.store(), key(f, "take"));
    store.put(&key, b"prize", secs(100), When::Always).await.expect("put");
    let takers: Vec<_> = (0..20).map(|_| f.store()).collect();
    let taken = join_all(takers.iter().map(|store| store.take(&key))).await;
    let winners: Vec<_> = taken.into_iter().filter_map(|t| t.expect("take")).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(winners[0].value, b"prize");
}

pub(super) async fn a_counter_has_one_life(f: &dyn Fixture) {
    let (store, key) = (f.store(), key(f, "count"));
    let first = store.count(&key, 2, secs(100)).await.expect("count");
    assert_eq!(first.value, 2);
    assert_about(first.ttl, secs(100));
    f.advance(secs(60)).await;
    let second = store.count(&key, 3, secs(100)).await.expect("count");
    assert_eq!(second.value, 5);
    assert_about(second.ttl, secs(40));
    assert_eq!(store.count(&key, -6, secs(100)).await.expect("count").value, -1);
    f.advance(secs(41)).await;
    assert_eq!(store.count(&key, 1, secs(100)).await.expect("count").value, 1, "a new life");
}

pub(super) async fn odd_bytes_survive(f: &dyn Fixture) {
    let store = f.store();
    let every: Vec<u8> = (0..=255).collect();
    for (name, value) in [("empty", &b""[..]), ("every", &every), ("crlf", b"a\r\nb\0c"), ("large", &[0xff; 100_000])] {
        let key = key(f, name);
        assert!(store.put(&key, value, secs(100), When::Always).await.expect("put"));
        assert_eq!(store.get(&key).await.expect("get").expect("a value").value, value, "{name}");
    }
    let (upper, lower) = (key(f, "Case"), key(f, "case"));
    store.put(&upper, b"upper", secs(100), When::Always).await.expect("put");
    assert!(store.get(&lower).await.expect("get").is_none(), "keys differ by case");
}
