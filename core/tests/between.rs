//! Between a call and its answer: another caller goes first, or the answer is lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oncecode::store::{Count, Entry, MemoryStore, Store, When};
use oncecode::{BoxFuture, Error, ErrorKind, Key, LockRequest, Oncecode, Options, Result, SystemClock};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Longer than any load of the machine delays a step.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);
const MINUTE: Duration = Duration::from_secs(60);

/// What becomes of a write.
enum Fate {
    /// It waits before it is done.
    Before(Arc<Gate>),
    /// It is done; its answer waits.
    After(Arc<Gate>),
    /// It is done; its answer never comes.
    Lost,
}

/// Where a write waits.
#[derive(Default)]
struct Gate {
    reached: Notify,
    open: Notify,
}

impl Gate {
    async fn pass(&self) {
        self.reached.notify_one();
        self.open.notified().await;
    }
}

/// A store in memory behind a wire that is slow or loses what it carries. Clones share it.
#[derive(Clone)]
struct Wire {
    store: Arc<MemoryStore>,
    fates: Arc<Mutex<VecDeque<Fate>>>,
}

impl Wire {
    fn new() -> Self {
        Self { store: Arc::new(MemoryStore::new(Arc::new(SystemClock))), fates: Arc::default() }
    }

    /// Decides about the next write.
    fn next(&self, fate: Fate) {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner).push_back(fate);
    }

    async fn client(&self) -> Oncecode {
        let options = r#"{"mode":"development","sender":"none:","deadlineMs":30000,"policy":{"failureBudget":{"max":3,"windowSeconds":3600}}}"#;
        let options = Options::from_json(options).expect("options");
        Oncecode::builder("").options(options).store(self.clone()).open().await.expect("a client")
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Store for Wire {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.store.get(key)
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        let fate = self.fates.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        Box::pin(async move {
            if let Some(Fate::Before(gate)) = &fate {
                gate.pass().await;
            }
            let done = self.store.put(key, value, ttl, when).await;
            match fate {
                Some(Fate::Lost) => Err(Error::new(ErrorKind::StoreUnavailable, "the answer is lost")),
                Some(Fate::After(gate)) => {
                    gate.pass().await;
                    done
                }
                _ => done,
            }
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.store.take(key)
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        self.store.count(key, by, ttl)
    }
}

#[tokio::test]
async fn of_two_extensions_at_once_the_holder_believes_the_later() {
    let wire = Wire::new();
    let lock = Arc::new(wire.client().await.locks().acquire(LockRequest::new("a", MINUTE)).await.expect("acquire"));
    let gate = Arc::new(Gate::default());
    wire.next(Fate::After(Arc::clone(&gate)));
    let extend = |ttl| {
        tokio::spawn({
            let lock = Arc::clone(&lock);
            async move { lock.extend(ttl).await }
        })
    };
    let long = extend(MINUTE * 60);
    gate.reached.notified().await;
    // The store has done the first, whose answer is late.
    let short = extend(SHORT);
    assert!(timeout(SHORT * 2, short).await.is_err(), "it waits for its turn");
    let short = extend(SHORT);
    gate.open.notify_one();
    long.await.expect("a task").expect("extended");
    short.await.expect("a task").expect("extended");
    assert!(lock.remaining() <= SHORT, "{:?}", lock.remaining());
    assert!(timeout(LONG, lock.ended()).await.expect("told"), "when the shorter lease ends");
    assert!(wire.client().await.locks().acquire(LockRequest::new("a", MINUTE)).await.is_ok());
}

#[tokio::test]
async fn an_extension_of_unknown_outcome_counts_by_the_earlier_end() {
    let wire = Wire::new();
    let locks = wire.client().await.locks();
    let lock = locks.acquire(LockRequest::new("longer", MINUTE)).await.expect("acquire");
    wire.next(Fate::Lost);
    assert_eq!(lock.extend(MINUTE * 60).await.expect_err("no answer").kind(), ErrorKind::StoreUnavailable);
    assert!(lock.remaining() <= MINUTE && !lock.lost().is_cancelled());
    lock.extend(MINUTE * 2).await.expect("extended");
    assert!(lock.remaining() > MINUTE, "and all is known again");

    wire.next(Fate::Lost);
    assert_eq!(lock.extend(SHORT).await.expect_err("no answer").kind(), ErrorKind::StoreUnavailable);
    assert!(lock.remaining() <= SHORT);
    assert!(timeout(LONG, lock.ended()).await.expect("told"), "as if it had been granted");
    assert_eq!(lock.extend(MINUTE).await.expect_err("too late").kind(), ErrorKind::LeaseLost);
}

#[tokio::test]
async fn an_extension_that_is_given_up_counts_by_the_earlier_end() {
    let wire = Wire::new();
    let lock = wire.client().await.locks().acquire(LockRequest::new("a", MINUTE)).await.expect("acquire");
    wire.next(Fate::After(Arc::default()));
    assert!(timeout(SHORT / 2, lock.extend(SHORT)).await.is_err(), "given up");
    assert!(lock.remaining() <= SHORT);
    assert!(timeout(LONG, lock.ended()).await.expect("told"));
}

#[tokio::test]
async fn a_recovery_code_is_counted_before_it_is_compared() {
    let wire = Wire::new();
    let (one, two) = (wire.client().await.totp(), wire.client().await.totp());
    let made = one.recovery_codes("ann", 2).expect("codes");
    let guess = |number: usize| one.verify_recovery("ann", made.codes[number].expose(), made.hashes.clone());
    let wrong = || two.verify_recovery("ann", "3333333333", Vec::new());
    // While the first guess is on its way, others spend the budget.
    let gate = Arc::new(Gate::default());
    wire.next(Fate::Before(Arc::clone(&gate)));
    let first = tokio::spawn(guess(0));
    gate.reached.notified().await;
    for left in [2, 1, 0] {
        let refused = wrong().await.expect_err("wrong");
        assert_eq!((refused.code(), refused.attempts_left()), ("WRONG_CODE", Some(left)));
    }
    gate.open.notify_one();
    let refused = first.await.expect("a task").expect_err("over the budget");
    assert_eq!(refused.kind(), ErrorKind::TooManyAttempts);
    assert_eq!(guess(1).await.expect_err("over the budget").kind(), ErrorKind::TooManyAttempts);
}

#[tokio::test]
async fn a_right_recovery_code_forgives_those_before_it() {
    let wire = Wire::new();
    let totp = wire.client().await.totp();
    let made = totp.recovery_codes("ann", 4).expect("codes");
    for code in &made.codes {
        for left in [2, 1] {
            let refused = totp.verify_recovery("ann", "3333333333", made.hashes.clone()).await.expect_err("wrong");
            assert_eq!((refused.code(), refused.attempts_left()), ("WRONG_CODE", Some(left)));
        }
        totp.verify_recovery("ann", code.expose(), made.hashes.clone()).await.expect("the last try is right");
    }
}
