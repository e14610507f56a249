//! EXIF: which way is up.

use crate::decode::{resize_buffer, Decoded, Failure};

/// The orientation, 1 to 8, in EXIF data (a TIFF header and its first directory); 1 when there is
/// none or it makes no sense.
pub fn read_orientation(exif: &[u8]) -> u8 {
    find_orientation(exif).filter(|value| (1..=8).contains(value)).unwrap_or(1) as u8
}

fn find_orientation(exif: &[u8]) -> Option<u16> {
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let is_little = match exif.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let bytes: [u8; 2] = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let high_low = (u16_at(4)?, u16_at(6)?);
    let (low, high) = if is_little { high_low } else { (high_low.1, high_low.0) };
    let directory = usize::from(high) << 16 | usize::from(low);
    for entry in 0..usize::from(u16_at(directory)?) {
        let at = directory.checked_add(2 + entry * 12)?;
        if u16_at(at)? == 0x0112 {
            return u16_at(at.checked_add(8)?);
        }
    }
    None
}

/// Turns and mirrors the pixels as their orientation says.
pub fn turn_upright(image: &mut Decoded) -> Result<(), Failure> {
    let orientation = std::mem::replace(&mut image.orientation, 1);
    if orientation == 1 {
        return Ok(());
    }
    let (width, height, channels) = (image.width as usize, image.height as usize, image.channels);
    let is_transposed = orientation >= 5;
    let (new_width, new_height) = if is_transposed { (height, width) } else { (width, height) };
    resize_buffer(&mut image.spare, width * height * channels)?;
    for y in 0..new_height {
        for x in 0..new_width {
            let (source_x, source_y) = match orientation {
                2 => (width - 1 - x, y),
                3 => (width - 1 - x, height - 1 - y),
                4 => (x, height - 1 - y),
                5 => (y, x),
                6 => (y, height - 1 - x),
                7 => (width - 1 - y, height - 1 - x),
                _ => (width - 1 - y, x),
            };
            let from = (source_y * width + source_x) * channels;
            let to = (y * new_width + x) * channels;
            image.spare[to..to + channels].copy_from_slice(&image.pixels[from..from + channels]);
        }
    }
    std::mem::swap(&mut image.spare, &mut image.pixels);
    image.width = new_width as u32;
    image.height = new_height as u32;
    Ok(())
}
