//! Options and environment, read once into valid types.

mod env;
mod limits;
mod options;
mod policy;

pub(crate) use env::from_env;
pub(crate) use limits::LimitRule;
pub use limits::{Algorithm, LimitDefinition, LimitPart, Outage, Rate};
pub(crate) use options::Settings;
pub use options::{Mode, Options, SecretOption};
pub use policy::{Limit, LimitOption, Policy, PolicyOptions, Resend};
