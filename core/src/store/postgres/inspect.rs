//! What a PostgreSQL server says about itself.

use sqlx::postgres::PgRow;

use super::rows::get;
use crate::error::{Error, Result};
use crate::store::{Inspection, sql};

/// What the tables and functions are written for.
const OLDEST: i32 = 12;

pub(super) const INSPECT: &str = r#"SELECT current_setting('server_version_num')::int / 10000 AS version,
    pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock_ms,
    (SELECT bool_and(has_table_privilege(t, p))
        FROM unnest(ARRAY['{schema}."{prefix}challenges"', '{schema}."{prefix}entries"']) t,
             unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p) AS allowed"#;

pub(super) fn read(row: &PgRow) -> Result<Inspection> {
    if get(row, "read_only")? {
        return Err(sql::unavailable("this PostgreSQL takes no writes: it is a replica, or read-only").answered(true));
    }
    if !get::<bool>(row, "allowed")? {
        return Err(Error::config(
            "this PostgreSQL user may not use the tables; grant SELECT, INSERT, UPDATE and DELETE on them",
        ));
    }
    let mut found = Inspection::new(u64::try_from(get::<i64>(row, "clock_ms")?).ok());
    let version: i32 = get(row, "version")?;
    if version < OLDEST {
        found.warn(format!("PostgreSQL {version} is older than {OLDEST}, the oldest that is known to work"));
    }
    Ok(found)
}
