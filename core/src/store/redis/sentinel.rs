//! Which server is the master, as Sentinels say.

use futures::stream::{FuturesUnordered, StreamExt};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisConnectionInfo, RedisError,
    RedisResult, ServerErrorKind, Value, cmd,
};

/// The Sentinels of one master.
pub(super) struct Sentinels {
    pub(super) clients: Vec<Client>,
    /// What they call the master.
    pub(super) service: String,
    /// How to greet it.
    pub(super) settings: RedisConnectionInfo,
}

impl Sentinels {
    /// Asks all at once, so that one that hangs does not use up the deadline of the others. The first to name a server
    /// that calls itself master is believed.
    pub(super) async fn master(&self, config: &AsyncConnectionConfig) -> RedisResult<Client> {
        let mut answers: FuturesUnordered<_> = self.clients.iter().map(|one| self.master_by(one, config)).collect();
        let mut worst: Option<RedisError> = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(master) => return Ok(master),
                // What a Sentinel says against it tells more than that another one is absent.
                Err(e) if worst.as_ref().is_none_or(RedisError::is_io_error) => worst = Some(e),
                Err(_) => {}
            }
        }
        Err(worst.unwrap_or_else(|| (ErrorKind::EmptySentinelList, "no Sentinel").into()))
    }

    async fn master_by(&self, sentinel: &Client, config: &AsyncConnectionConfig) -> RedisResult<Client> {
        let mut asked = sentinel.get_multiplexed_async_connection_with_config(config).await?;
        let mut ask = cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service);
        let address: Option<(String, u16)> = ask.query_async(&mut asked).await?;
        let (host, port) = address.ok_or((ErrorKind::MasterNameNotFoundBySentinel, "no master of that name"))?;
        let master = Client::open(self.server(sentinel.get_connection_info(), host, port))?;
        let mut asked = master.get_multiplexed_async_connection_with_config(config).await?;
        match cmd("ROLE").query_async::<Vec<Value>>(&mut asked).await {
            Ok(role) if role.first() == Some(&Value::BulkString(b"master".into())) => Ok(master),
            Ok(_) => Err((ErrorKind::Io, "a Sentinel named a server that is no master").into()),
            // Not allowed to ask; if it is none, the first write says so.
            Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => Ok(master),
            Err(e) => Err(e),
        }
    }

    /// Reached as the Sentinel is, with TLS or without.
    pub(super) fn server(&self, sentinel: &ConnectionInfo, host: String, port: u16) -> ConnectionInfo {
        let address = match sentinel.addr().clone() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure, tls_params }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        sentinel.clone().set_addr(address).set_redis_settings(self.settings.clone())
    }
}
