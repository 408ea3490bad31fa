//! How people write digits.

/// Digits of every script that phone keyboards offer, and full-width characters, as ASCII; others unchanged.
pub(crate) fn fold(c: char) -> char {
    // The zero of each decimal run (Unicode category Nd) in common use.
    const ZEROS: [u32; 16] = [
        0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0e50, 0x0ed0,
        0x1040, 0xff10,
    ];
    let n = c as u32;
    if let Some(zero) = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&n)) {
        return char::from(b'0' + (n - zero) as u8);
    }
    match n {
        // The full-width block mirrors ASCII.
        0xff01..=0xff5e => char::from((n - 0xff01) as u8 + b'!'),
        _ => c,
    }
}

/// White space, dashes and invisible marks: what people and messengers put between digits.
pub(crate) fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | '_' | '·' | '−' | '\u{2010}'..='\u{2015}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}
