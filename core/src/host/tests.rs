use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, ThreadId};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::turn::PART;
use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

/// Jobs with a thread that runs them.
fn jobs() -> (&'static Jobs, Handle, ThreadId) {
    let jobs: &'static Jobs = Box::leak(Box::new(Jobs::new()));
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let handle = runtime.handle().clone();
    let thread = thread::spawn(move || runtime.block_on(jobs.run()));
    (jobs, handle, thread.thread().id())
}

/// Tells who does what with it.
struct Letters {
    told: Mutex<Sender<(&'static str, ThreadId)>>,
}

impl Letters {
    fn tell(&self, what: &'static str) {
        lock(&self.told).send((what, thread::current().id())).expect("a test");
    }
}

impl Outlet for Letters {
    fn flush(self: Arc<Self>, _: Turn) -> Option<Watch> {
        self.tell("flushed");
        None
    }

    fn delegate(&self) {
        self.tell("delegated");
    }

    fn read(self: Arc<Self>) -> bool {
        unreachable!("nobody watches it")
    }

    fn glance(&self) -> Glance {
        Glance::Over
    }
}

fn outlet() -> (Arc<Letters>, Receiver<(&'static str, ThreadId)>) {
    let (told, seen) = channel();
    (Arc::new(Letters { told: Mutex::new(told) }), seen)
}

#[test]
fn a_call_begins_here_and_goes_on_at_the_runtime() {
    let (jobs, handle, runtime) = jobs();
    let (answer, question) = oneshot::channel::<()>();
    let (told, seen) = channel();
    let _inside = handle.enter();
    let call = async move {
        told.send(thread::current().id()).expect("a test");
        question.await.expect("an answer");
        sleep(Duration::from_millis(1)).await;
        told.send(thread::current().id()).expect("a test");
    };
    jobs.start(&EventLoop::new(), Box::pin(call));
    assert_eq!(seen.try_recv(), Ok(thread::current().id()), "without waiting");
    answer.send(()).expect("it waits");
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(runtime));
}

#[test]
fn what_a_call_has_to_send_goes_out_when_the_turn_ends() {
    let (jobs, handle, _) = jobs();
    let (outlet, seen) = outlet();
    let _inside = handle.enter();
    assert!(!postpone(&outlet), "no call begins");
    let within = Arc::clone(&outlet);
    let event_loop = EventLoop::new();
    jobs.start(&event_loop, Box::pin(async move { assert!(postpone(&within)) }));
    jobs.end_turn(&event_loop);
    assert_eq!(seen.try_recv(), Ok(("flushed", thread::current().id())));
    jobs.end_turn(&event_loop);
    assert!(seen.try_recv().is_err(), "once");
}

#[test]
fn a_turn_with_many_calls_sends_in_parts() {
    let (jobs, handle, _) = jobs();
    let (outlet, seen) = outlet();
    let _inside = handle.enter();
    let event_loop = EventLoop::new();
    let mut sent = Vec::new();
    for call in 1..=4 * PART {
        let within = Arc::clone(&outlet);
        jobs.start(&event_loop, Box::pin(async move { assert!(postpone(&within)) }));
        let flushed: Vec<_> = seen.try_iter().filter(|(what, _)| *what == "flushed").collect();
        if !flushed.is_empty() {
            sent.push(call);
        }
    }
    assert_eq!(sent, [PART, 2 * PART, 4 * PART]);
    jobs.end_turn(&event_loop);
}

#[test]
fn a_turn_that_does_not_end_is_sent_by_the_runtime() {
    let (jobs, handle, runtime) = jobs();
    let (outlet, seen) = outlet();
    let _inside = handle.enter();
    for _ in 0..3 {
        let within = Arc::clone(&outlet);
        jobs.start(&EventLoop::new(), Box::pin(async move { assert!(postpone(&within)) }));
        assert_eq!(seen.recv_timeout(PATIENCE), Ok(("delegated", runtime)));
    }
}

#[test]
fn calls_that_are_ready_again_and_again_leave_the_others_their_turn() {
    let (jobs, handle, _) = jobs();
    let (told, seen) = channel();
    let _inside = handle.enter();
    for call in 0..2 {
        let told = told.clone();
        let work = async move {
            for _ in 0..300 {
                tokio::task::yield_now().await;
            }
            told.send(call).expect("a test");
        };
        jobs.start(&EventLoop::new(), Box::pin(work));
    }
    let mut ended: Vec<_> = (0..2).map(|_| seen.recv_timeout(PATIENCE).expect("both end")).collect();
    ended.sort_unstable();
    assert_eq!(ended, [0, 1]);
}

#[test]
fn one_loop_watches_and_several_leave_it_to_the_runtime() {
    let (one, other) = (EventLoop::new().id(), EventLoop::new().id());
    let watcher = Watcher::default();
    assert!(matches!(watcher.choose(LoopId::BLIND), Choice::Same));
    assert!(matches!(watcher.choose(one), Choice::Chosen));
    assert!(matches!(watcher.choose(one), Choice::Same));
    assert!(watcher.is(one) && watcher.is_host());
    assert!(matches!(watcher.choose(other), Choice::Shared));
    assert!(!watcher.is(one) && !watcher.is(other) && !watcher.is_host());
    for event_loop in [one, other, LoopId::BLIND] {
        assert!(matches!(watcher.choose(event_loop), Choice::Same), "for good");
    }

    let watcher = Watcher::default();
    watcher.choose(one);
    assert!(matches!(watcher.choose(LoopId::BLIND), Choice::Shared), "who can't watch counts, too");
}
