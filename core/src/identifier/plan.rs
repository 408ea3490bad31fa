//! A short way for numbers that are E.164 already, which is what nearly all calls bring.
//!
//! The library looks each of its patterns up in one bounded, locked cache by hashing it, and compiles it again when it
//! fell out: 15 to 25 µs a number, more than everything else that a verification does. Here the same patterns are
//! compiled once per country.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};
use regex::bytes::{Regex, RegexBuilder};

/// By country calling code; `None` where the library would ask more than one region.
static PLANS: LazyLock<HashMap<u16, OnceLock<Option<Plan>>>> =
    LazyLock::new(|| DATABASE.iter().map(|region| (region.country_code(), OnceLock::new())).collect());

/// What the library checks for a number of a country's first region.
struct Plan {
    general: Pattern,
    usual: Vec<Pattern>,
    /// What begins with it might be rewritten.
    trunk: Option<Regex>,
    prefix: Option<String>,
}

struct Pattern {
    regex: Regex,
    lengths: Vec<u16>,
}

/// Whether `typed` is E.164 and a mobile or fixed-line number that the library would accept unchanged.
/// `false` decides nothing.
pub(super) fn is_canonical(typed: &str) -> bool {
    let Some(digits) = typed.strip_prefix('+').filter(|d| d.len() <= 15 && d.bytes().all(|b| b.is_ascii_digit()))
    else {
        return false;
    };
    // No calling code begins another.
    (1..=3).filter_map(|length| digits.split_at_checked(length)).any(|(code, national)| {
        let plan = code.parse().ok().and_then(|code| Some((code, PLANS.get(&code)?)));
        let plan = plan.and_then(|(code, slot)| slot.get_or_init(|| Plan::of(code)).as_ref());
        plan.is_some_and(|plan| plan.accepts(national))
    })
}

/// Loads the numbering plans, which takes about 0.1 s once per process: better at the start than in the first call.
pub(crate) fn warm_up() {
    let _ = is_canonical("+14155550100");
}

impl Plan {
    fn of(code: u16) -> Option<Self> {
        let regions = DATABASE.region(&code)?;
        let region = DATABASE.by_id(*regions.first()?)?;
        // With leading digits the library goes on to the next region.
        if regions.len() > 1 && region.leading_digits().is_some() {
            return None;
        }
        Self::compile(region)
    }

    fn compile(region: &Metadata) -> Option<Self> {
        let kinds = region.descriptors();
        let usual = [kinds.mobile(), kinds.fixed_line()].into_iter().flatten();
        Some(Self {
            general: Pattern::compile(kinds.general())?,
            usual: usual.map(Pattern::compile).collect::<Option<_>>()?,
            trunk: match region.national_prefix_for_parsing() {
                Some(pattern) => Some(from_start(pattern.as_str())?),
                None => None,
            },
            prefix: region.national_prefix().map(str::to_owned),
        })
    }

    fn accepts(&self, national: &str) -> bool {
        self.usual.iter().any(|kind| kind.matches(national))
            && self.general.matches(national)
            && !self.trunk.as_ref().is_some_and(|trunk| trunk.is_match(national.as_bytes()))
            && !self.prefix.as_ref().is_some_and(|prefix| national.starts_with(prefix))
    }
}

impl Pattern {
    fn compile(kind: &Descriptor) -> Option<Self> {
        Some(Self { regex: from_start(kind.national_number().as_str())?, lengths: kind.possible_length().to_vec() })
    }

    fn matches(&self, national: &str) -> bool {
        (self.lengths.is_empty() || self.lengths.contains(&(national.len() as u16)))
            && self.regex.is_match(national.as_bytes())
    }
}

/// The library's patterns are meant from the first digit on. They are white space and comments apart.
fn from_start(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{pattern})")).unicode(false).ignore_whitespace(true).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_agrees_with_the_library() {
        let mut short = 0;
        for region in DATABASE.iter() {
            let kinds = region.descriptors();
            let kinds = [kinds.mobile(), kinds.fixed_line(), kinds.toll_free(), kinds.voip(), kinds.premium_rate()];
            for example in kinds.into_iter().flatten().filter_map(|kind| kind.example()) {
                let code = region.country_code();
                for typed in [format!("+{code}{example}"), format!("+{code}0{example}"), format!("+{code}{example}0")] {
                    if !is_canonical(&typed) {
                        continue;
                    }
                    short += 1;
                    let number = phonenumber::parse(None, &typed).expect("the library reads it");
                    assert!(number.is_valid(), "{typed}");
                    assert_eq!(format!("+{}{}", number.code().value(), number.national()), typed);
                }
            }
        }
        assert!(short > 200, "{short} examples took the short way");
    }
}
