//! What a MariaDB or MySQL server says about itself.

use sqlx::mysql::MySqlRow;

use super::rows::get;
use crate::error::Result;
use crate::store::Inspection;

/// What the tables and procedures are written for.
const OLDEST_MARIADB: (u32, u32) = (10, 5);
const OLDEST_MYSQL: (u32, u32) = (8, 0);

/// Without rows or a transaction. A server that takes no writes is found by writing, as rights differ by user.
pub(super) const INSPECT: &str = "SELECT CAST(VERSION() AS CHAR) AS version,
    CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS clock_ms";

pub(super) fn read(row: &MySqlRow) -> Result<Inspection> {
    let mut found = Inspection::new(u64::try_from(get::<i64>(row, "clock_ms")?).ok());
    if let Some(warning) = too_old(get(row, "version")?) {
        found.warn(warning);
    }
    Ok(found)
}

/// Of `10.11.6-MariaDB-0+deb12u1` or `8.0.36`; what cannot be read is nothing to warn of.
fn too_old(version: &str) -> Option<String> {
    let mut numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let is = (numbers.next()?, numbers.next()?);
    let (name, oldest) = match version.contains("MariaDB") {
        true => ("MariaDB", OLDEST_MARIADB),
        false => ("MySQL", OLDEST_MYSQL),
    };
    (is < oldest).then(|| {
        let (major, minor) = oldest;
        format!("{name} {}.{} is older than {major}.{minor}, the oldest that is known to work", is.0, is.1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_servers_write_them() {
        assert_eq!(too_old("10.11.6-MariaDB-0+deb12u1"), None);
        assert_eq!(too_old("11.4.2-MariaDB"), None);
        assert_eq!(too_old("8.0.36"), None);
        assert_eq!(too_old("9.1.0-commercial"), None);
        assert_eq!(too_old("whatever"), None);
        assert!(too_old("10.3.39-MariaDB").is_some_and(|w| w.contains("MariaDB 10.3 is older than 10.5")));
        assert!(too_old("5.7.44-log").is_some_and(|w| w.contains("MySQL 5.7")));
    }
}
