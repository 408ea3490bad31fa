//! What messages say: templates of the app's own, as users write them. `deliver::text` checks and fills them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// Templates by purpose (`"*"` for all) and by BCP 47 locale.
pub type MessageOptions = BTreeMap<String, BTreeMap<String, MessageTemplates>>;

/// The templates of a purpose in a language; what is absent keeps its default.
///
/// `{code}`, `{app}`, `{minutes}` (a number) and `{duration}` (such as `10 minutes`) are filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MessageTemplates {
    /// What a phone gets. It must have `{code}`.
    pub sms: Option<String>,
    /// An email's subject, without the code: mail servers log subjects.
    pub subject: Option<String>,
    /// An email's text. It must have `{code}`. The HTML is made from it, unless `html` is given.
    pub text: Option<String>,
    /// An email's HTML, for which `text` must be there too. It must have `{code}`.
    pub html: Option<String>,
    /// The same for `once.links`, with `{link}` instead of `{code}`.
    pub link: LinkTemplates,
}

/// Templates for links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LinkTemplates {
    /// What a phone gets. It must have `{link}`.
    pub sms: Option<String>,
    /// An email's subject.
    pub subject: Option<String>,
    /// An email's text. It must have `{link}`. The HTML is made from it, unless `html` is given.
    pub text: Option<String>,
    /// An email's HTML, for which `text` must be there too. It must have `{link}`.
    pub html: Option<String>,
}

/// The site that a code in an SMS is bound to, and, where the form stands in a frame of another site, that one too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainOption(pub Vec<String>);

impl<'de> Deserialize<'de> for DomainOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            One(String),
            Many(Vec<String>),
            None,
        }
        match Form::deserialize(deserializer) {
            Ok(Form::One(domain)) => Ok(Self(vec![domain])),
            Ok(Form::Many(domains)) => Ok(Self(domains)),
            Ok(Form::None) => Ok(Self::default()),
            Err(_) => {
                Err(serde::de::Error::custom("domain must be a host name, or a list of the site's and the frame's"))
            }
        }
    }
}
