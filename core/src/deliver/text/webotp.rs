//! The last line of an SMS that binds its code to a site: <https://wicg.github.io/sms-one-time-codes/>.

use url::Host;

use crate::config::DomainOption;
use crate::error::{Error, Result};

/// The site, and the site of the frame in it that asks for the code, where that is another.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    site: String,
    frame: Option<String>,
}

impl Bound {
    pub(super) fn new(option: &DomainOption) -> Result<Option<Self>> {
        match option.0.as_slice() {
            [] => Ok(None),
            [site] => Ok(Some(Self { site: host(site)?, frame: None })),
            [site, frame] => Ok(Some(Self { site: host(site)?, frame: Some(host(frame)?) })),
            _ => Err(Error::config("domain must name one site, or two: the page's and its frame's")),
        }
    }

    /// `@example.com #123456`, or `@example.com #123456 @frame.example`.
    pub(super) fn line(&self, code: &str) -> String {
        let frame = self.frame.as_ref().map(|frame| format!(" @{frame}")).unwrap_or_default();
        format!("@{} #{code}{frame}", self.site)
    }
}

fn host(name: &str) -> Result<String> {
    match Host::parse(name) {
        Ok(Host::Domain(domain)) if domain.len() <= 253 => Ok(domain),
        _ => Err(Error::config("domain must be a host name such as \"example.com\", without https:// and port")),
    }
}
