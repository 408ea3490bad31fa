//! Redis and another store behind it.

use std::time::{Duration, Instant};

use crate::server::{Server, free_port};
use crate::{RETURN, support};

/// A Redis of the test's own, and what stands in for it.
pub struct Pair {
    pub first: Server,
    second: Second,
    /// Of one case: the second store remembers for minutes that it was in use.
    pub prefix: String,
}

enum Second {
    Postgres(String),
    Sqlite(tempdir::Dir),
}

impl Pair {
    pub fn start(second: &str) -> Self {
        let second = match second {
            "postgres" => Second::Postgres(support::server("ONCECODE_TEST_POSTGRES")),
            _ => Second::Sqlite(tempdir::Dir::new()),
        };
        Self { first: Server::start("redis"), second, prefix: String::new() }
    }

    pub fn second(&self) -> String {
        match &self.second {
            Second::Postgres(url) => url.clone(),
            Second::Sqlite(dir) => format!("sqlite:{}", dir.0.join("codes.db").display()),
        }
    }

    /// A URL of the first's kind that nobody answers.
    pub fn absent_first(&self) -> String {
        self.first.url_at(free_port())
    }

    /// A URL of the second's kind that nobody answers.
    pub fn absent_second(&self) -> String {
        match &self.second {
            Second::Postgres(url) => {
                let mut url = url::Url::parse(url).expect("a URL");
                url.set_port(Some(free_port())).expect("a port");
                url.into()
            }
            // An SQLite file is never out of reach.
            Second::Sqlite(_) => format!("postgres://nobody@127.0.0.1:{}/none", free_port()),
        }
    }

    pub fn url(&self) -> String {
        format!("fallback:{}|{}", self.first.url, self.second())
    }

    /// Waits until it takes commands and writes down what it answers.
    pub async fn first_answers(&self) {
        let client = redis::Client::open(&*self.first.url).expect("a URL");
        let begin = Instant::now();
        loop {
            let answer = async {
                let mut connection = client.get_multiplexed_async_connection().await?;
                redis::cmd("CONFIG").arg(&["SET", "appendfsync", "no"]).exec_async(&mut connection).await
            };
            match answer.await {
                Ok(()) => return,
                Err(e) => assert!(begin.elapsed() < RETURN, "{e}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn restart(&mut self) {
        self.first.restart();
        self.first_answers().await;
    }
}

mod tempdir {
    /// A folder that ends with this guard.
    pub struct Dir(pub std::path::PathBuf);

    impl Dir {
        pub fn new() -> Self {
            let path = std::env::temp_dir().join(format!("oncecode-{}", crate::support::unique()));
            std::fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
