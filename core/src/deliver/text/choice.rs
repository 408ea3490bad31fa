//! Which template a message gets: by purpose and language, and else by the next that is near.

use std::collections::{BTreeMap, BTreeSet};

use icu_locale_core::Locale as Tag;

use super::compile::{Own, Set, builtin};
use crate::error::{Error, Result};

/// Every purpose that has no templates of its own.
pub(super) const ANY: &str = "*";

/// Complete sets of templates by language and purpose. What a language lacks is filled up at open from the languages behind
/// it, so that a message takes two look-ups.
#[derive(Debug)]
pub(super) struct Choice {
    sets: BTreeMap<String, BTreeMap<String, Set>>,
    /// What those get who ask for no language that is known.
    default: BTreeMap<String, Set>,
}

impl Choice {
    pub(super) fn new(own: &Own, default: Option<&str>, has_app: bool) -> Result<Self> {
        let default = default.map(|tag| canonical(tag).ok_or_else(|| wrong("locale"))).transpose()?;
        let builtin = builtin(has_app)?;
        let purposes: BTreeSet<&str> = own.keys().map(|(_, purpose)| &**purpose).chain([ANY]).collect();
        let complete = |tag: Option<&str>| {
            let languages = chain(tag).chain(chain(default.as_deref())).chain(["en".to_owned()]);
            let languages: Vec<_> = languages.collect();
            let set = |purpose: &&str| {
                let tried = languages.iter().flat_map(|tag| {
                    let given = |purpose: &str| own.get(&(tag.clone(), purpose.to_owned()));
                    [given(purpose), given(ANY), builtin.get(tag)]
                });
                Set::first(tried.flatten()).map(|set| ((*purpose).to_owned(), set))
            };
            purposes.iter().map(set).collect::<Option<BTreeMap<_, _>>>()
        };
        let incomplete = || Error::new(crate::error::ErrorKind::Internal, "a language has no texts");
        let known: BTreeSet<&str> = own.keys().map(|(tag, _)| &**tag).chain(builtin.keys().map(|tag| &**tag)).collect();
        let sets = known.into_iter().map(|tag| complete(Some(tag)).map(|sets| (tag.to_owned(), sets)));
        let sets = sets.collect::<Option<_>>().ok_or_else(incomplete)?;
        Ok(Self { sets, default: complete(None).ok_or_else(incomplete)? })
    }

    /// The templates for a purpose in the language that comes nearest to the one asked for. Whatever was asked for is fine.
    pub(super) fn find(&self, asked: Option<&str>, purpose: &str) -> Option<&Set> {
        let asked = asked.filter(|tag| tag.len() <= 100).and_then(canonical);
        let found = chain(asked.as_deref()).find_map(|tag| self.sets.get(&tag));
        let sets = found.unwrap_or(&self.default);
        sets.get(purpose).or_else(|| sets.get(ANY))
    }

    /// The templates that are used whatever language is asked for, of each purpose.
    pub(super) fn defaults(&self) -> &BTreeMap<String, Set> {
        &self.default
    }
}

/// A language tag as BCP 47 writes it, without extensions. `pt_BR` is understood.
pub(super) fn canonical(tag: &str) -> Option<String> {
    let parsed = Tag::try_from_str(&tag.trim().replace('_', "-")).ok()?;
    Some(parsed.id.to_string()).filter(|id| id != "und")
}

pub(super) fn wrong(option: &str) -> Error {
    Error::config(format!("{option} must be a BCP 47 language tag such as \"pt-BR\""))
}

/// `zh-Hant-TW`, `zh-Hant`, `zh`.
fn chain(tag: Option<&str>) -> impl Iterator<Item = String> {
    let cut = |tag: &String| tag.rsplit_once('-').map(|(shorter, _)| shorter.to_owned());
    std::iter::successors(tag.map(str::to_owned), cut)
}
