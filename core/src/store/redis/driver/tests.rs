use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{RedisConnectionInfo, RedisResult, Value, cmd};
use tokio::runtime::{Builder, Handle};

use super::super::route::unlimited;
use super::super::socket::Socket;
use super::*;
use crate::host::EventLoop;

const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a server, and the runtime that it would be driven by.
struct Scene {
    jobs: &'static Jobs,
    runtime: Handle,
    runtime_thread: ThreadId,
    connection: MultiplexedConnection,
    hold: Option<Arc<Hold>>,
    server: UnixStream,
    told: Sender<(RedisResult<Value>, ThreadId)>,
    seen: Receiver<(RedisResult<Value>, ThreadId)>,
}

impl Scene {
    /// The server says OK to everything until it reads its own end.
    fn new() -> Self {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let server = theirs.try_clone().expect("a copy");
        thread::spawn(move || {
            for line in BufReader::new(&theirs).lines() {
                match line {
                    Ok(line) if line.starts_with('*') => drop((&theirs).write_all(b"+OK\r\n")),
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        let jobs: &'static Jobs = Box::leak(Box::new(Jobs::new()));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        ours.set_nonblocking(true).expect("a socket");
        let (connection, hold) = runtime.block_on(async {
            let stream = tokio::net::UnixStream::from_std(ours).expect("a socket");
            let socket = Socket::<UnixStream>::new(stream).expect("a socket");
            let control = socket.control();
            let info = RedisConnectionInfo::default();
            let connected = MultiplexedConnection::new_with_config(&info, socket, unlimited()).await;
            let (connection, work) = connected.expect("a connection");
            let hold = drive(work, Some(control));
            // What is asked before it has run for the first time waits for the runtime.
            tokio::task::yield_now().await;
            (connection, hold)
        });
        let handle = runtime.handle().clone();
        let thread = thread::spawn(move || runtime.block_on(jobs.run()));
        let (told, seen) = channel();
        Self {
            jobs,
            runtime: handle,
            runtime_thread: thread.thread().id(),
            connection,
            hold: Some(Arc::new(hold)),
            server,
            told,
            seen,
        }
    }

    fn driver(&self) -> &Arc<Driver> {
        &self.hold.as_ref().expect("not dropped").0
    }

    /// A command, whose answer is told.
    fn ask(&self, text: &'static str) -> impl Future<Output = ()> + Send + 'static {
        let (mut connection, hold, told) = (self.connection.clone(), self.hold.clone(), self.told.clone());
        async move {
            let _asked = hold.as_deref().map(Hold::ask);
            let answer = connection.send_packed_command(cmd("SET").arg("k").arg(text)).await;
            // The test may be over.
            let _ = told.send((answer, thread::current().id()));
        }
    }

    /// A call in a turn of its own. What the loop is to watch.
    fn call(&self, event_loop: &EventLoop) -> Vec<Watch> {
        let _inside = self.runtime.enter();
        self.jobs.start(event_loop, Box::pin(self.ask("v")));
        self.jobs.end_turn(event_loop)
    }

    /// What an event loop does until something was answered. Who took the call further.
    fn poll(&self, watch: &Watch) -> ThreadId {
        let until = Instant::now() + PATIENCE;
        let _inside = self.runtime.enter();
        loop {
            assert!(self.jobs.read(watch), "there is more to watch");
            if let Ok((answer, by)) = self.seen.try_recv() {
                assert_eq!(answer, Ok(Value::Okay));
                return by;
            }
            assert!(Instant::now() < until, "an answer");
            thread::yield_now();
        }
    }

    fn answered(&self) -> ThreadId {
        let (answer, by) = self.seen.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(answer, Ok(Value::Okay));
        by
    }

    /// Whether the server sees the connection end.
    fn is_hung_up(&self) -> bool {
        self.server.set_read_timeout(Some(PATIENCE)).expect("a socket");
        // Its own thread reads it, too.
        matches!((&self.server).read(&mut [0; 64]), Ok(0))
    }
}

/// The one watch.
fn only(watches: Vec<Watch>) -> Watch {
    let mut watches = watches.into_iter();
    let watch = watches.next().expect("a watch");
    assert!(watches.next().is_none(), "one");
    watch
}

#[test]
fn what_the_loop_watches_its_own_thread_reads() {
    let scene = Scene::new();
    let event_loop = EventLoop::new();
    let watch = only(scene.call(&event_loop));
    // By whoever is faster: it is being handed over.
    scene.poll(&watch);
    let (here, begin) = (thread::current().id(), Instant::now());
    let mut by_others = 0;
    for _ in 0..100 {
        assert!(scene.call(&event_loop).is_empty(), "it is watched already");
        by_others += u128::from(scene.poll(&watch) != here);
    }
    // The runtime looks every 50 ms.
    assert!(by_others <= 2 + begin.elapsed().as_millis() / 50, "{by_others} of 100");
}

#[test]
fn what_the_loop_does_not_read_the_runtime_does() {
    let scene = Scene::new();
    let event_loop = EventLoop::new();
    let _watch = only(scene.call(&event_loop));
    for _ in 0..3 {
        assert_eq!(scene.answered(), scene.runtime_thread);
        scene.call(&event_loop);
    }
    scene.answered();
}

#[test]
fn what_the_runtime_asks_is_answered_though_the_loop_does_not_run() {
    let scene = Scene::new();
    let _watch = only(scene.call(&EventLoop::new()));
    scene.answered();
    scene.runtime.spawn(scene.ask("v"));
    assert_eq!(scene.answered(), scene.runtime_thread);
}

#[test]
fn a_second_loop_leaves_it_to_the_runtime() {
    let scene = Scene::new();
    let watch = only(scene.call(&EventLoop::new()));
    scene.answered();
    for _ in 0..2 {
        assert!(scene.call(&EventLoop::new()).is_empty());
        assert_eq!(scene.answered(), scene.runtime_thread);
    }
    assert!(!scene.jobs.read(&watch), "nothing more to watch");
}

#[test]
fn a_loop_that_has_closed_gives_it_back_and_another_may_watch() {
    let scene = Scene::new();
    drop(scene.call(&EventLoop::new()));
    scene.answered();
    scene.runtime.spawn(scene.ask("v"));
    assert_eq!(scene.answered(), scene.runtime_thread);
    let watch = only(scene.call(&EventLoop::new()));
    scene.poll(&watch);
}

#[test]
fn many_long_commands_go_through_a_full_socket() {
    let scene = Scene::new();
    let event_loop = EventLoop::new();
    let watch = only(scene.call(&event_loop));
    scene.poll(&watch);
    let long: &'static str = Box::leak("v".repeat(100_000).into_boxed_str());
    let _inside = scene.runtime.enter();
    for _ in 0..40 {
        scene.jobs.start(&event_loop, Box::pin(scene.ask(long)));
    }
    assert!(scene.jobs.end_turn(&event_loop).is_empty());
    for _ in 0..40 {
        scene.poll(&watch);
    }
    // The loop's own again.
    scene.call(&event_loop);
    scene.poll(&watch);
}

#[test]
fn a_server_that_hangs_up_is_heard_of_by_the_loop() {
    let scene = Scene::new();
    let watch = only(scene.call(&EventLoop::new()));
    scene.poll(&watch);
    scene.server.shutdown(std::net::Shutdown::Both).expect("a socket");
    let until = Instant::now() + PATIENCE;
    while scene.jobs.read(&watch) {
        assert!(Instant::now() < until, "an end");
    }
}

#[test]
fn a_server_that_hung_up_while_the_loop_rested_is_heard_of_before_the_next_command() {
    let scene = Scene::new();
    let _watch = only(scene.call(&EventLoop::new()));
    scene.answered();
    scene.server.shutdown(std::net::Shutdown::Both).expect("a socket");
    let until = Instant::now() + PATIENCE;
    while scene.driver().work.lock().expect("a driver").is_some() {
        scene.hold.as_deref().expect("not dropped").look();
        assert!(Instant::now() < until, "an end");
        thread::yield_now();
    }
}

#[test]
fn whoever_drops_a_watched_connection_hangs_up() {
    let mut scene = Scene::new();
    let watch = only(scene.call(&EventLoop::new()));
    scene.poll(&watch);
    scene.hold = None;
    assert!(scene.is_hung_up());
    assert!(!scene.jobs.read(&watch), "nothing more to watch");
}
