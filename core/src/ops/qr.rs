//! QR codes in SVG and PNG.

use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};

use crate::error::{Error, ErrorKind, Result};

/// Squares of white around the code, which scanners need (ISO/IEC 18004).
const QUIET: usize = 4;

pub(super) fn svg(text: &str) -> Result<String> {
    let squares = Squares::of(text)?;
    let size = squares.size();
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| squares.dark(*x, y)) {
            path += &format!("M{x} {y}h1v1h-1z");
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{size}v{size}h-{size}z\"/><path d=\"{path}\"/></svg>"
    ))
}

pub(super) fn png(text: &str, scale: u32) -> Result<Vec<u8>> {
    if !(1..=64).contains(&scale) {
        return Err(Error::argument("scale must be 1 to 64 pixels"));
    }
    let (squares, scale) = (Squares::of(text)?, scale as usize);
    let side = squares.size() * scale;
    let mut pixels = Vec::with_capacity(side * side.div_ceil(8));
    for y in 0..side {
        for eight in 0..side.div_ceil(8) {
            let white = (0..8).map(|bit| eight * 8 + bit).map(|x| x >= side || !squares.dark(x / scale, y / scale));
            pixels.push(white.fold(0u8, |byte, white| byte << 1 | u8::from(white)));
        }
    }
    let failed = |e| Error::new(ErrorKind::Internal, "the PNG could not be written").with_source(e);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side as u32, side as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

struct Squares(QrCode);

impl Squares {
    fn of(text: &str) -> Result<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M);
        code.map(Self).map_err(|_| Error::argument("the text is too long for a QR code"))
    }

    /// With the quiet zone.
    fn size(&self) -> usize {
        self.0.width() + 2 * QUIET
    }

    fn dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| (QUIET..QUIET + self.0.width()).contains(&at);
        inside(x) && inside(y) && self.0[(x - QUIET, y - QUIET)] == Color::Dark
    }
}
