//! How long a code or link lives, in words.
//!
//! The plural rules are a table of our own: of whole numbers from 1, six of the seven languages only ask whether it is 1, and
//! Arabic's rule is three lines, for which a run-time dependency with data would be much. A test holds them against CLDR's.

use std::time::Duration;

/// A life, rounded to what people are told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    minutes: u64,
}

/// A unit's forms, `#` being the number. Hours and days are told from 2 up, so only minutes have a `one` that is used.
struct Unit {
    one: &'static str,
    two: &'static str,
    few: &'static str,
    other: &'static str,
    many: &'static str,
}

struct Words {
    lang: &'static str,
    units: [Unit; 3],
}

const fn unit(one: &'static str, other: &'static str) -> Unit {
    Unit { one, two: other, few: other, many: other, other }
}

const WORDS: [Words; 7] = [
    Words { lang: "en", units: [unit("# minute", "# minutes"), unit("# hour", "# hours"), unit("# day", "# days")] },
    Words {
        lang: "hi", units: [unit("# मिनट", "# मिनट"), unit("# घंटे", "# घंटे"), unit("# दिन", "# दिन")]
    },
    Words { lang: "es", units: [unit("# minuto", "# minutos"), unit("# hora", "# horas"), unit("# día", "# días")] },
    Words {
        lang: "fr",
        units: [unit("# minute", "# minutes"), unit("# heure", "# heures"), unit("# jour", "# jours")],
    },
    Words {
        lang: "de",
        units: [unit("# Minute", "# Minuten"), unit("# Stunde", "# Stunden"), unit("# Tag", "# Tage")],
    },
    Words { lang: "pt", units: [unit("# minuto", "# minutos"), unit("# hora", "# horas"), unit("# dia", "# dias")] },
    Words {
        lang: "ar",
        units: [
            Unit {
                one: "دقيقة واحدة", two: "دقيقتين", few: "# دقائق", many: "# دقيقة", other: "# دقيقة"
            },
            Unit {
                one: "ساعة واحدة", two: "ساعتين", few: "# ساعات", many: "# ساعة", other: "# ساعة"
            },
            Unit {
                one: "يوم واحد", two: "يومين", few: "# أيام", many: "# يومًا", other: "# يوم"
            },
        ],
    },
];

impl Span {
    /// Minutes are rounded up, and there is at least one.
    pub(super) fn new(life: Duration) -> Self {
        Self { minutes: life.as_secs().div_ceil(60).max(1) }
    }

    pub(super) fn minutes(self) -> u64 {
        self.minutes
    }

    /// Whether durations can be told in a language, whatever its region.
    pub(super) fn has_words(lang: &str) -> bool {
        find(lang).is_some()
    }

    /// `10 minutes`, `24 hours`, `7 days`: the largest unit of which there are two or more, rounded down.
    pub(super) fn words(self, lang: &str) -> String {
        let hours = self.minutes / 60;
        let (unit, count) = match (self.minutes, hours / 24) {
            (..120, _) => (0, self.minutes),
            (_, ..2) => (1, hours),
            (_, days) => (2, days),
        };
        let units = find(lang).map_or(&WORDS[0].units, |words| &words.units);
        form(&units[unit], lang, count).replace('#', &count.to_string())
    }
}

fn find(lang: &str) -> Option<&'static Words> {
    let language = lang.split('-').next().unwrap_or_default();
    WORDS.iter().find(|words| words.lang == language)
}

fn form(unit: &Unit, lang: &str, count: u64) -> &'static str {
    let is_arabic = lang.split('-').next() == Some("ar");
    match (count, count % 100) {
        (1, _) => unit.one,
        (2, _) if is_arabic => unit.two,
        (_, 3..=10) if is_arabic => unit.few,
        (_, 11..=99) if is_arabic => unit.many,
        _ => unit.other,
    }
}

#[cfg(test)]
mod tests {
    use icu_locale_core::Locale;
    use icu_plurals::{PluralCategory, PluralRules};

    use super::*;

    fn after(minutes: u64, lang: &str) -> String {
        Span::new(Duration::from_secs(minutes * 60)).words(lang)
    }

    #[test]
    fn every_number_of_minutes_has_the_form_that_cldr_says() {
        let named = Unit { one: "one", two: "two", few: "few", many: "many", other: "other" };
        for words in &WORDS {
            let locale: Locale = words.lang.parse().expect("a locale");
            let rules = PluralRules::try_new_cardinal(locale.into()).expect("rules");
            for count in 1..=43_200u64 {
                let cldr = match rules.category_for(count) {
                    PluralCategory::One => "one",
                    PluralCategory::Two => "two",
                    PluralCategory::Few => "few",
                    PluralCategory::Many => "many",
                    PluralCategory::Zero | PluralCategory::Other => "other",
                };
                assert_eq!(form(&named, words.lang, count), cldr, "{count} in {}", words.lang);
            }
        }
    }

    #[test]
    fn a_life_is_told_in_a_unit_that_fits() {
        for (minutes, told) in [
            (1, "1 minute"),
            (10, "10 minutes"),
            (119, "119 minutes"),
            (120, "2 hours"),
            (1440, "24 hours"),
            (2879, "47 hours"),
            (2880, "2 days"),
            (43_200, "30 days"),
        ] {
            assert_eq!(after(minutes, "en"), told);
        }
        assert_eq!(Span::new(Duration::ZERO).minutes(), 1);
        assert_eq!(Span::new(Duration::from_secs(61)).minutes(), 2);
    }

    #[test]
    fn arabic_has_its_four_forms() {
        let forms = [1, 2, 5, 15, 100].map(|minutes| after(minutes, "ar-EG"));
        assert_eq!(forms, ["دقيقة واحدة", "دقيقتين", "5 دقائق", "15 دقيقة", "100 دقيقة"]);
        assert_eq!(after(1440, "ar"), "24 ساعة");
        assert_eq!(after(10_080, "ar"), "7 أيام");
    }
}
