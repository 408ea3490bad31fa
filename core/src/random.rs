//! Randomness, passed in, and the codes drawn from it.

use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::text::{fold, is_separator};

/// Where random bytes come from.
pub trait Random: Debug + Send + Sync {
    /// Fills `buffer` with unpredictable bytes, or fails.
    fn fill(&self, buffer: &mut [u8]) -> Result<()>;
}

/// The operating system's generator (`getrandom`).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        SysRng
            .try_fill_bytes(buffer)
            .map_err(|e| Error::new(ErrorKind::Internal, "the operating system gave no random bytes").with_source(e))
    }
}

/// What one operation needs, asked of the source at once: a system call costs more than the bytes.
#[derive(Debug)]
pub(crate) struct Handful<'a> {
    source: &'a dyn Random,
    bytes: Mutex<(Zeroizing<[u8; 64]>, usize)>,
}

impl<'a> Handful<'a> {
    pub(crate) fn of(source: &'a dyn Random) -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 64]);
        source.fill(&mut *bytes)?;
        Ok(Self { source, bytes: Mutex::new((bytes, 0)) })
    }
}

impl Random for Handful<'_> {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = (held.1, held.1 + buffer.len());
        let Some(bytes) = held.0.get(from..to) else { return self.source.fill(buffer) };
        buffer.copy_from_slice(bytes);
        held.1 = to;
        Ok(())
    }
}

/// What codes are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alphabet {
    /// `0`–`9`: 3.3 bits a character. Leading zeros are kept.
    #[default]
    Digits,
    /// Capital letters and digits without look-alikes (no `0 O 1 I L 5 S 2 Z 8 B U V`): 4.5 bits a character.
    Letters,
}

impl Alphabet {
    /// The characters, each equally likely.
    pub const fn characters(self) -> &'static [u8] {
        match self {
            Alphabet::Digits => b"0123456789",
            Alphabet::Letters => b"34679ACDEFGHJKMNPQRTWXY",
        }
    }

    /// Draws a code of `length` characters, uniform over all of them.
    ///
    /// A byte at or above the largest multiple of the alphabet's size is drawn again, so no character is favoured.
    pub(crate) fn draw(self, length: usize, random: &dyn Random) -> Result<Secret> {
        let characters = self.characters();
        let fair = 256 - 256 % characters.len();
        let mut code = String::with_capacity(length);
        let mut bytes = [0u8; 16];
        while code.len() < length {
            random.fill(&mut bytes)?;
            let fair_ones = bytes.iter().filter(|b| usize::from(**b) < fair);
            code.extend(
                fair_ones.take(length - code.len()).map(|b| char::from(characters[usize::from(*b) % characters.len()])),
            );
        }
        Ok(Secret::from(code))
    }

    /// Reads what a person typed: spaces and dashes are dropped, full-width and other scripts' digits and letters
    /// folded to ASCII, letters upper-cased. `None` when it is not `length` characters of this alphabet.
    pub(crate) fn read(self, typed: &str, length: usize) -> Option<Secret> {
        // Nothing a person types for ten characters is longer; it bounds the work for hostile input.
        if typed.len() > 256 {
            return None;
        }
        let code: String = typed.chars().filter(|c| !is_separator(*c)).map(|c| fold(c).to_ascii_uppercase()).collect();
        let fits = code.len() == length && code.bytes().all(|b| self.characters().contains(&b));
        fits.then(|| Secret::from(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_and_foreign_digits_are_read() {
        for typed in ["012345", " 012 345 ", "012-345", "０１２３４５", "٠١٢٣٤٥", "०१२३४५", "012\u{200b}345"]
        {
            assert_eq!(Alphabet::Digits.read(typed, 6).expect(typed).expose(), "012345");
        }
        for typed in ["", "12345", "1234567", "12345a", "12345\0", "🙂🙂🙂🙂🙂🙂"] {
            assert!(Alphabet::Digits.read(typed, 6).is_none(), "{typed:?}");
        }
        assert_eq!(Alphabet::Letters.read("ａcd-efg", 6).expect("letters").expose(), "ACDEFG");
    }

    #[test]
    fn every_code_is_equally_likely() {
        // 4-digit codes: 400 k draws over 10 k cells. The chi-square statistic has mean 9999 and deviation 141.
        let mut cells = vec![0f64; 10_000];
        for _ in 0..400_000 {
            let code = Alphabet::Digits.draw(4, &SystemRandom).expect("random");
            cells[code.expose().parse::<usize>().expect("digits")] += 1.0;
        }
        let chi: f64 = cells.iter().map(|seen| (seen - 40.0).powi(2) / 40.0).sum();
        assert!((9999.0 - 6.0 * 141.4..9999.0 + 6.0 * 141.4).contains(&chi), "chi-square {chi}");
        assert!(cells[0] > 0.0 && cells[9999] > 0.0, "0000 and 9999 are possible");
    }
}
