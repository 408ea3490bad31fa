//! How many SMS a text takes (GSM 03.38 and 03.40).

use crate::deliver::Message;
use crate::identifier::Identifier;

/// The default alphabet, one septet a character. The two control characters in it are line ends.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension: two septets a character, an escape before it.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// What a text takes to be sent as SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segments {
    /// How many SMS the network carries, and most providers charge.
    pub count: usize,
    /// How the text is encoded: one character outside GSM-7 makes all of it UCS-2.
    pub encoding: Encoding,
    /// Septets (GSM-7) or UTF-16 units (UCS-2).
    pub units: usize,
}

/// The alphabet of an SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// The 7-bit default alphabet and its extension: 160 in one SMS, 153 in each of several.
    Gsm7,
    /// UTF-16: 70 in one SMS, 67 in each of several.
    Ucs2,
}

impl Encoding {
    /// Its usual name: `GSM-7` or `UCS-2`.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Gsm7 => "GSM-7",
            Encoding::Ucs2 => "UCS-2",
        }
    }

    /// What one SMS holds.
    pub fn single(self) -> usize {
        match self {
            Encoding::Gsm7 => 160,
            Encoding::Ucs2 => 70,
        }
    }

    /// What each of several holds, beside the header that puts them together.
    fn part(self) -> usize {
        match self {
            Encoding::Gsm7 => 153,
            Encoding::Ucs2 => 67,
        }
    }

    /// The units of a character; `None` where the alphabet lacks it.
    fn width(self, c: char) -> Option<usize> {
        match self {
            Encoding::Gsm7 if BASIC.contains(c) => Some(1),
            Encoding::Gsm7 => EXTENSION.contains(c).then_some(2),
            Encoding::Ucs2 => Some(c.len_utf16()),
        }
    }
}

impl Message {
    /// What the text takes as SMS; `None` for an email.
    pub fn segments(&self) -> Option<Segments> {
        match self.to {
            Identifier::Phone(_) => Some(sms_segments(self.text.expose())),
            Identifier::Email(_) => None,
        }
    }
}

/// Counts the SMS that `text` takes.
///
/// ```
/// assert_eq!(oncecode::sms_segments("123456 is your code.").count, 1);
/// assert_eq!(oncecode::sms_segments(&"é".repeat(161)).count, 2, "153 and 8");
/// assert_eq!(oncecode::sms_segments(&"ê".repeat(71)).count, 2, "one ê makes it UCS-2: 67 and 4");
/// ```
pub fn sms_segments(text: &str) -> Segments {
    let is_gsm = text.chars().all(|c| Encoding::Gsm7.width(c).is_some());
    let encoding = if is_gsm { Encoding::Gsm7 } else { Encoding::Ucs2 };
    let widths = || text.chars().filter_map(|c| encoding.width(c));
    let units = widths().sum();
    let count = if units <= encoding.single() { usize::from(units > 0) } else { parts(widths(), encoding.part()) };
    Segments { count, encoding, units }
}

/// A character of two units is never split over two parts.
fn parts(widths: impl Iterator<Item = usize>, room: usize) -> usize {
    let (mut parts, mut used) = (1, 0);
    for width in widths {
        if used + width > room {
            (parts, used) = (parts + 1, 0);
        }
        used += width;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> (usize, &'static str, usize) {
        let segments = sms_segments(text);
        (segments.count, segments.encoding.name(), segments.units)
    }

    #[test]
    fn the_default_alphabet_has_its_127_characters_and_the_extension_its_ten() {
        assert_eq!(BASIC.chars().count(), 127, "128 places, of which one is the escape");
        assert_eq!(EXTENSION.chars().count(), 10);
        assert_eq!(count(BASIC), (1, "GSM-7", 127));
        assert_eq!(count(EXTENSION), (1, "GSM-7", 20));
    }

    #[test]
    fn a_segment_holds_160_septets_and_a_part_153() {
        for (length, parts) in [(0, 0), (1, 1), (160, 1), (161, 2), (306, 2), (307, 3), (459, 3), (460, 4)] {
            assert_eq!(count(&"a".repeat(length)), (parts, "GSM-7", length));
        }
    }

    #[test]
    fn a_segment_holds_70_units_of_ucs_2_and_a_part_67() {
        for (length, parts) in [(70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)] {
            assert_eq!(count(&"क".repeat(length)), (parts, "UCS-2", length));
        }
        assert_eq!(count(&format!("{}ç", "a".repeat(70))), (2, "UCS-2", 71), "the small ç is not in the alphabet");
        assert_eq!(count(&format!("{}Ç", "a".repeat(70))), (1, "GSM-7", 71), "the large one is");
    }

    #[test]
    fn what_takes_two_units_is_not_split_over_parts() {
        assert_eq!(count(&"€".repeat(80)), (1, "GSM-7", 160));
        assert_eq!(count(&format!("a{}", "€".repeat(152))), (2, "GSM-7", 305));
        assert_eq!(count(&format!("{}€{}", "a".repeat(152), "a".repeat(152))), (3, "GSM-7", 306), "one septet is lost");
        assert_eq!(count(&"🙂".repeat(35)), (1, "UCS-2", 70));
        assert_eq!(count(&"🙂".repeat(67)), (3, "UCS-2", 134), "33, 33 and 1");
    }
}
