//! From a URL to connections: one server, the master that Sentinels name, or a Cluster.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion, RedisConnectionInfo, RedisResult, TlsCertificates, TlsMode, Value,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use url::Url;

use super::cluster;
use super::driver::{Hold, drive};
use super::sentinel::Sentinels;
use super::socket::Control;
#[cfg(unix)]
use super::socket::{Plain, Socket};
use crate::error::{Error, Result};

/// Where to connect to.
#[allow(clippy::large_enum_variant, reason = "there is one per client")]
pub(super) enum Route {
    Server(Client),
    Sentinel(Sentinels),
    Cluster(ClusterClient),
}

/// A connection that many calls share.
#[derive(Clone)]
pub(super) enum Connection {
    One(One),
    Cluster(ClusterConnection),
}

#[derive(Clone)]
pub(super) struct One {
    connection: MultiplexedConnection,
    /// Unless the library drives it.
    driver: Option<Arc<Hold>>,
}

impl Connection {
    pub(super) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Connection::One(one) => {
                let _asked = one.driver.as_deref().map(Hold::ask);
                one.connection.send_packed_command(command).await
            }
            Connection::Cluster(cluster) => cluster::send(cluster, command).await,
        }
    }

    /// Looks whether it has ended, if that may have gone unnoticed.
    pub(super) fn look(&self) {
        if let Connection::One(One { driver: Some(driver), .. }) = self {
            driver.look();
        }
    }
}

impl Route {
    /// Understands `redis://`, `rediss://`, `redis+unix://`, and with `+cluster` or `+sentinel` in the scheme several
    /// `host:port`, separated by commas. TLS files are named as redis-py does: `?ssl_ca_certs=…&ssl_certfile=…&ssl_keyfile=…`.
    /// `deadline` bounds what a Cluster's connection does on its own.
    pub(super) fn parse(url: &str, deadline: Duration) -> Result<Self> {
        install_tls();
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let (base, kind) = scheme.split_once('+').unwrap_or((&scheme, ""));
        match kind {
            "cluster" => Self::cluster(&Nodes::parse(base, rest)?, deadline),
            "sentinel" => Self::sentinel(&Nodes::parse(base, rest)?),
            _ => {
                let (info, tls) = server(url)?;
                client(info, tls).map(Route::Server)
            }
        }
    }

    /// Opens a connection. A Cluster reconnects by itself; the others are replaced when they break.
    pub(super) async fn connect(
        &self,
        config: &AsyncConnectionConfig,
        protocol: ProtocolVersion,
    ) -> RedisResult<Connection> {
        let client = match self {
            Route::Server(client) => client.clone(),
            Route::Sentinel(sentinels) => sentinels.master(&unlimited()).await?,
            Route::Cluster(cluster) => return cluster.get_async_connection().await.map(Connection::Cluster),
        };
        let info = client.get_connection_info().clone();
        let settings = info.redis_settings().clone().set_protocol(protocol);
        let client = Client::open(info.set_redis_settings(settings))?;
        let info = client.get_connection_info();
        match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((&**host, *port)).await?;
                stream.set_nodelay(info.tcp_settings().nodelay())?;
                #[cfg(unix)]
                return watchable(info, Socket::<std::net::TcpStream>::new(stream)?, config).await;
                #[cfg(not(unix))]
                driven(info, stream, None, config).await
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => {
                let stream = UnixStream::connect(path).await?;
                watchable(info, Socket::<std::os::unix::net::UnixStream>::new(stream)?, config).await
            }
            _ => {
                let connected = client.get_multiplexed_async_connection_with_config(config).await;
                connected.map(|connection| Connection::One(One { connection, driver: None }))
            }
        }
    }

    fn cluster(nodes: &Nodes, deadline: Duration) -> Result<Self> {
        let infos = nodes.hosts.iter().map(|host| nodes.info(host)).collect::<Result<Vec<_>>>()?;
        let mut builder = ClusterClientBuilder::new(infos)
            // By this protocol it hears of a disconnect at once.
            .use_protocol(ProtocolVersion::RESP3)
            // It would repeat what may have been done already.
            .retries(0)
            // It connects to all nodes and then to those they name: one that hangs must leave time for the others.
            .connection_timeout(deadline / 3)
            .response_timeout(deadline)
            .tcp_settings(at_once());
        if nodes.tls {
            builder = builder.tls(TlsMode::Secure);
        }
        if let Some(files) = nodes.files.clone() {
            builder = builder.certs(files);
        }
        builder.build().map(Route::Cluster).map_err(|e| malformed(e.category()))
    }

    fn sentinel(nodes: &Nodes) -> Result<Self> {
        let mut path = nodes.path.split('/');
        let service = path.next().filter(|name| !name.is_empty());
        let service =
            service.ok_or_else(|| malformed("a Sentinel URL ends in the master's name, such as /mymaster"))?;
        let db: i64 = path.next().unwrap_or("0").parse().map_err(|_| malformed("the database is not a number"))?;
        let infos = nodes.hosts.iter().map(|host| nodes.info(host)).collect::<Result<Vec<_>>>()?;
        let settings = infos.first().map(|info| info.redis_settings().clone().set_db(db)).unwrap_or_default();
        // The credentials are for the master.
        let sentinels = infos.into_iter().map(|info| info.set_redis_settings(RedisConnectionInfo::default()));
        let clients = sentinels.map(|info| client(info, nodes.files.clone())).collect::<Result<Vec<_>>>()?;
        Ok(Route::Sentinel(Sentinels { clients, service: service.to_owned(), settings }))
    }
}

/// A connection by a socket that a host's event loop can watch.
#[cfg(unix)]
async fn watchable<T: Plain>(
    info: &ConnectionInfo,
    socket: Socket<T>,
    config: &AsyncConnectionConfig,
) -> RedisResult<Connection> {
    let control = socket.control();
    driven(info, socket, Some(control), config).await
}

/// A connection that is driven by us, so that a thread of the host's can do it too.
async fn driven<S>(
    info: &ConnectionInfo,
    stream: S,
    control: Option<Arc<Control>>,
    config: &AsyncConnectionConfig,
) -> RedisResult<Connection>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let greeted = MultiplexedConnection::new_with_config(info.redis_settings(), stream, config.clone());
    let (connection, work) = greeted.await?;
    Ok(Connection::One(One { connection, driver: Some(Arc::new(drive(work, control))) }))
}

/// The deadline is counted by the layer above, over connecting and answering together.
pub(super) fn unlimited() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None)
}

/// What is written goes out at once. TCP would keep it until the server has answered what went before, and client and
/// server would take turns.
fn at_once() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn client(info: ConnectionInfo, tls: Option<TlsCertificates>) -> Result<Client> {
    let info = info.set_tcp_settings(at_once());
    let client = match tls {
        Some(files) => Client::build_with_tls(info, files),
        None => Client::open(info),
    };
    client.map_err(|e| malformed(e.category()))
}

/// Several addresses with one set of credentials.
struct Nodes {
    tls: bool,
    credentials: String,
    hosts: Vec<String>,
    path: String,
    files: Option<TlsCertificates>,
}

impl Nodes {
    fn parse(base: &str, rest: &str) -> Result<Self> {
        let tls = match base {
            "redis" => false,
            "rediss" => true,
            _ => return Err(malformed("the scheme is redis or rediss, with +cluster or +sentinel")),
        };
        let rest = rest.trim_start_matches('/');
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (credentials, rest) =
            rest.rsplit_once('@').map_or((String::new(), rest), |(c, rest)| (format!("{c}@"), rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts: Vec<String> = hosts.split(',').map(str::to_owned).collect();
        if hosts.iter().any(String::is_empty) {
            return Err(malformed("it names no host, or an empty one"));
        }
        let files = tls_files(url::form_urlencoded::parse(query.as_bytes()))?;
        Ok(Self { tls, credentials, hosts, path: path.to_owned(), files })
    }

    fn info(&self, host: &str) -> Result<ConnectionInfo> {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let url = format!("{scheme}://{}{host}", self.credentials);
        url.into_connection_info().map_err(|e| malformed(e.category()))
    }
}

/// One server's URL, without the TLS files that the library does not know.
fn server(url: &str) -> Result<(ConnectionInfo, Option<TlsCertificates>)> {
    let mut plain = url.to_owned();
    let mut files = None;
    if let Ok(mut parsed) = Url::parse(url)
        && parsed.query().is_some()
    {
        files = tls_files(parsed.query_pairs())?;
        let kept: Vec<(String, String)> = parsed
            .query_pairs()
            .filter(|(name, _)| !name.starts_with("ssl_"))
            .map(|(n, v)| (n.into(), v.into()))
            .collect();
        parsed.set_query(None);
        if !kept.is_empty() {
            parsed.query_pairs_mut().extend_pairs(kept);
        }
        plain = parsed.into();
    }
    let info = plain.as_str().into_connection_info().map_err(|e| malformed(e.category()))?;
    Ok((info, files))
}

fn tls_files<'a, T: AsRef<str> + 'a, U: AsRef<str> + 'a>(
    query: impl Iterator<Item = (T, U)>,
) -> Result<Option<TlsCertificates>> {
    let (mut ca, mut certificate, mut key) = (None, None, None);
    for (name, path) in query {
        let slot = match name.as_ref() {
            "ssl_ca_certs" => &mut ca,
            "ssl_certfile" => &mut certificate,
            "ssl_keyfile" => &mut key,
            name if name.starts_with("ssl_") => {
                return Err(malformed("of ssl_… only ssl_ca_certs, ssl_certfile and ssl_keyfile are known"));
            }
            _ => continue,
        };
        let file = std::fs::read(path.as_ref());
        *slot = Some(file.map_err(|e| malformed("a TLS file cannot be read").with_source(e))?);
    }
    let client_tls = match (certificate, key) {
        (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
        (None, None) => None,
        _ => return Err(malformed("ssl_certfile and ssl_keyfile go together")),
    };
    let any = ca.is_some() || client_tls.is_some();
    Ok(any.then_some(TlsCertificates { client_tls, root_cert: ca }))
}

/// A TLS provider must be named once per process, or `rediss://` panics.
fn install_tls() {
    // It fails when the app has installed one already, which then serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The URL may hold a password, and the library's details may hold the URL.
pub(super) fn malformed(why: &str) -> Error {
    Error::config(format!("the Redis URL cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_millis(250);

    #[test]
    fn commands_need_not_wait_for_earlier_answers() {
        let at_once = |client: &Client| client.get_connection_info().tcp_settings().nodelay();
        match Route::parse("redis://a:1", DEADLINE) {
            Ok(Route::Server(client)) => assert!(at_once(&client)),
            _ => panic!("one server"),
        }
        match Route::parse("redis+sentinel://a:1,b:1/mymaster", DEADLINE) {
            Ok(Route::Sentinel(sentinels)) => {
                assert!(sentinels.clients.iter().all(at_once));
                let info = sentinels.server(sentinels.clients[0].get_connection_info(), "c".into(), 1);
                assert!(info.tcp_settings().nodelay());
            }
            _ => panic!("Sentinels"),
        }
    }

    #[test]
    fn urls_of_several_servers_are_read_and_odd_ones_refused() {
        for good in [
            "redis+cluster://a:1,b:2",
            "rediss+cluster://user:p%40ss@a,b:2,c:3",
            "redis+sentinel://a:26379,b:26379/mymaster",
            "redis+sentinel://:secret@a:26379/mymaster/3",
            "redis://a:1/0?protocol=resp3",
            "redis+unix:///tmp/redis.sock",
        ] {
            assert!(Route::parse(good, DEADLINE).is_ok(), "{good}");
        }
        for bad in [
            "redis+cluster://",
            "redis+cluster://a,,b",
            "redis+sentinel://a:1",
            "redis+sentinel://a:1/m/x",
            "redis+carrier://a",
            "http+cluster://a",
            "redis://a:x",
            "rediss://a?ssl_ca_certs=/nowhere",
            "rediss://a?ssl_certfile=/dev/null",
            "rediss://a?ssl_cert_reqs=none",
        ] {
            let error = Route::parse(bad, DEADLINE).err().unwrap_or_else(|| panic!("{bad} must be refused"));
            assert_eq!(error.code(), "CONFIG", "{bad}");
        }
    }
}
