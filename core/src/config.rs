//! Options and environment, read once into valid types.

mod background;
mod breaker;
mod env;
mod limits;
mod messages;
mod options;
mod policy;
mod sender;
mod session;
mod test_codes;
mod token;
mod users;

pub use background::BackgroundOption;
pub(crate) use breaker::Breaker;
pub use breaker::{BreakerOption, BreakerOptions};
pub(crate) use env::from_env;
pub(crate) use limits::LimitRule;
pub use limits::{Algorithm, LimitDefinition, LimitPart, Outage, Rate};
pub use messages::{DomainOption, LinkTemplates, MessageOptions, MessageTemplates};
pub(crate) use options::Settings;
pub use options::{Mode, Options, PurgeOption, SecretOption};
pub use policy::{Limit, LimitOption, Policy, PolicyOptions, Resend};
pub use sender::{SenderOption, SenderSpec, WebhookOptions};
pub use session::SessionOptions;
pub(crate) use session::SessionPolicy;
pub(crate) use test_codes::Fixed;
pub use test_codes::TestCodeOptions;
pub(crate) use token::{LONGEST_TOKEN, TokenPolicy};
pub use token::{LinkOptions, TokenKey, TokenOptions};
pub use users::UsersOptions;
