//! A mail server that says what it is told to, in plain text.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a step gets instead of yes.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// This line.
    Says(&'static str),
    /// The connection ends.
    Drops,
    /// Nothing ever.
    Hangs,
}

#[derive(Default)]
struct State {
    /// By step: `HELLO` (the greeting), `EHLO`, `AUTH`, `MAIL`, `RCPT`, `DATA`, `.` (the message).
    replies: BTreeMap<&'static str, Vec<Reply>>,
    said: Vec<String>,
    letters: Vec<String>,
}

pub struct PostOffice {
    /// `host:port`.
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl PostOffice {
    /// Listens on a free port.
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&shared)));
            }
        });
        Self { address, state }
    }

    /// Answers a step so, one after the other and from then on yes.
    pub fn next(&self, step: &'static str, replies: &[Reply]) {
        look(&self.state).replies.insert(step, replies.to_vec());
    }

    /// The letters taken since the last look.
    pub fn letters(&self) -> Vec<String> {
        std::mem::take(&mut look(&self.state).letters)
    }

    /// How often a command was said since the last look at it.
    pub fn heard(&self, command: &str) -> usize {
        let mut state = look(&self.state);
        let before = state.said.len();
        state.said.retain(|line| !line.starts_with(command));
        before - state.said.len()
    }
}

fn look(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One conversation. Whoever has left needs no answer.
async fn serve(client: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
    let mut client = BufReader::new(client);
    answer(&mut client, &state, "HELLO", "220 test ESMTP").await?;
    loop {
        let line = read_line(&mut client).await?;
        let command = line.get(..4)?.to_ascii_uppercase();
        look(&state).said.push(line);
        match command.as_str() {
            "EHLO" => answer(&mut client, &state, "EHLO", "250-test\r\n250 AUTH PLAIN LOGIN").await?,
            "AUTH" => answer(&mut client, &state, "AUTH", "235 2.7.0 yes").await?,
            "MAIL" => answer(&mut client, &state, "MAIL", "250 2.1.0 yes").await?,
            "RCPT" => answer(&mut client, &state, "RCPT", "250 2.1.5 yes").await?,
            "DATA" => {
                answer(&mut client, &state, "DATA", "354 go on").await?;
                let mut letter = String::new();
                loop {
                    match read_line(&mut client).await?.as_str() {
                        "." => break,
                        line => letter = letter + line + "\n",
                    }
                }
                look(&state).letters.push(letter);
                answer(&mut client, &state, ".", "250 2.0.0 yes").await?;
            }
            "QUIT" => return answer(&mut client, &state, "QUIT", "221 2.0.0 bye").await,
            _ => answer(&mut client, &state, "?", "500 5.5.1 what").await?,
        }
    }
}

async fn answer(client: &mut BufReader<TcpStream>, state: &Mutex<State>, step: &str, yes: &str) -> Option<()> {
    let told = look(state).replies.get_mut(step).filter(|replies| !replies.is_empty()).map(|replies| replies.remove(0));
    let line = match told {
        None => yes,
        Some(Reply::Says(line)) => line,
        Some(Reply::Drops) => return None,
        Some(Reply::Hangs) => {
            while read_line(client).await.is_some() {}
            return None;
        }
    };
    client.write_all(format!("{line}\r\n").as_bytes()).await.ok()
}

async fn read_line(client: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    if client.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}
