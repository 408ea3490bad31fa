//! What a Redis server says about itself.

use redis::Value;

/// What the answer of `INFO` tells: one server's, or those of all servers of a Cluster.
pub(super) fn warnings(info: Value) -> Vec<String> {
    let mut found = Vec::new();
    let answers = match info {
        Value::Map(by_server) => by_server.into_iter().map(|(_, answer)| answer).collect(),
        one => vec![one],
    };
    for answer in answers {
        let text = match answer {
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Value::VerbatimString { text, .. } => text,
            _ => continue,
        };
        // The servers of a Cluster are usually alike.
        let new: Vec<_> = of_one(&text).into_iter().filter(|warning| !found.contains(warning)).collect();
        found.extend(new);
    }
    found
}

fn of_one(info: &str) -> Vec<String> {
    let field = |name: &str| {
        info.lines().find_map(|line| line.split_once(':').filter(|(found, _)| *found == name).map(|(_, v)| v.trim()))
    };
    let mut found = Vec::new();
    if let Some(policy) = field("maxmemory_policy").filter(|policy| *policy != "noeviction") {
        found.push(format!(
            "Redis may evict what is kept here (maxmemory-policy {policy}), and with it spent attempts and limits: set \
             noeviction, or use a Redis of its own"
        ));
    }
    let version = field("redis_version").unwrap_or_default();
    if version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major < 6) {
        found.push(format!(
            "Redis {version} is older than 6: a lost connection is noticed only by the call that fails on it"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_field_by_field() {
        let sound = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n";
        assert!(of_one(sound).is_empty());
        assert!(of_one("").is_empty(), "a user who may not ask is told nothing");
        let found = of_one("redis_version:5.0.14\r\nmaxmemory_policy:volatile-ttl\r\n").join("\n");
        for said in ["5.0.14", "volatile-ttl"] {
            assert!(found.contains(said), "{found}");
        }
    }
}
