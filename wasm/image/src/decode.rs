//! Files to pixels, as Pillow's `Image.open(file).convert("RGB")` gives them: alpha is dropped, not
//! composed; palettes are looked up; CMYK is what Adobe writes; 16 bits become 8.

use std::io::{Cursor, ErrorKind};

use image::ImageDecoder;
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};

use crate::orient::read_orientation;

/// What went wrong; `wasm/image.ts` repeats the numbers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    NotAnImage = 1,
    Unsupported = 2,
    Truncated = 3,
    Broken = 4,
    TooLarge = 5,
    NoMemory = 6,
}

/// What went wrong, and its words: what was found.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into() }
    }

    pub fn no_memory(bytes: usize) -> Failure {
        Failure::new(Kind::NoMemory, format!("no memory for {bytes} bytes"))
    }
}

/// Number in `FORMATS` of `wasm/image.ts`, plus 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Format {
    Jpeg = 1,
    Png = 2,
    WebP = 3,
    Gif = 4,
    Bmp = 5,
}

/// A decoded image, row-major, and a buffer of the same use for the next step.
#[derive(Default)]
pub struct Decoded {
    pub width: u32,
    pub height: u32,
    /// 1 grey, 3 RGB.
    pub channels: usize,
    /// EXIF, 1 to 8.
    pub orientation: u8,
    pub pixels: Vec<u8>,
    pub spare: Vec<u8>,
}

/// Makes `buffer` `length` long without ever panicking, and without giving memory back.
pub fn resize_buffer(buffer: &mut Vec<u8>, length: usize) -> Result<(), Failure> {
    if length > buffer.capacity() {
        // Contents don't matter: no copy, and the old block is free for the new one.
        *buffer = Vec::new();
        buffer.try_reserve_exact(length).map_err(|_| Failure::no_memory(length))?;
    }
    buffer.resize(length, 0);
    Ok(())
}

/// Tells formats by their first bytes, and names some that can't be read.
pub fn sniff(bytes: &[u8]) -> Result<Format, Failure> {
    let starts = |prefix: &[u8]| bytes.starts_with(prefix);
    let tag = |at: usize| bytes.get(at..at + 4).unwrap_or(&[]);
    let format = match bytes {
        _ if starts(b"\xFF\xD8\xFF") => Format::Jpeg,
        _ if starts(b"\x89PNG\r\n\x1A\n") => Format::Png,
        _ if starts(b"RIFF") && tag(8) == b"WEBP" => Format::WebP,
        _ if starts(b"GIF87a") || starts(b"GIF89a") => Format::Gif,
        _ if starts(b"BM") => Format::Bmp,
        _ => {
            let known = match bytes {
                [] => return Err(Failure::new(Kind::NotAnImage, "an empty file")),
                _ if starts(b"II*\0") || starts(b"MM\0*") => "TIFF",
                _ if tag(4) == b"ftyp" && matches!(tag(8), b"avif" | b"avis") => "AVIF",
                _ if tag(4) == b"ftyp" => "HEIF or a film",
                _ if starts(b"\xFF\x0A") || tag(4) == b"JXL " => "JPEG XL",
                _ if starts(b"\xFF\x4F\xFF\x51") || tag(4) == b"jP  " => "JPEG 2000",
                _ if starts(b"8BPS") => "Photoshop",
                _ if starts(b"%PDF") => "PDF",
                _ if starts(b"<svg") || starts(b"<?xml") => "SVG or XML",
                _ => {
                    let first = &bytes[..bytes.len().min(8)];
                    let text = format!("a file that starts with {first:02x?}");
                    return Err(Failure::new(Kind::NotAnImage, text));
                }
            };
            return Err(Failure::new(Kind::Unsupported, known));
        }
    };
    Ok(format)
}

/// Decodes the file in `input`; `input` may be changed on the way.
pub fn decode(input: &mut [u8], max_pixels: u32, image: &mut Decoded) -> Result<(), Failure> {
    image.orientation = 1;
    match sniff(input)? {
        Format::Jpeg => decode_jpeg(input, max_pixels, image),
        Format::Png => decode_png(input, max_pixels, image),
        Format::WebP => decode_webp(input, max_pixels, image),
        Format::Gif => decode_gif(input, max_pixels, image),
        Format::Bmp => decode_bmp(input, max_pixels, image),
    }
}

/// Pixels as they are; the host has checked that there are as many as it says.
pub fn take(
    input: &[u8],
    size: (u32, u32),
    channels: usize,
    image: &mut Decoded,
) -> Result<(), Failure> {
    start(image, size, channels, u32::MAX)?;
    image.orientation = 1;
    image.pixels.copy_from_slice(input);
    Ok(())
}

fn check_size(width: u32, height: u32, max_pixels: u32) -> Result<(), Failure> {
    if u64::from(width) * u64::from(height) <= u64::from(max_pixels) {
        return Ok(());
    }
    Err(Failure::new(
        Kind::TooLarge,
        format!("{width} × {height} pixels, {max_pixels} are allowed"),
    ))
}

/// Refuses bombs, and sizes the buffer: nothing is allocated before.
fn start(
    image: &mut Decoded,
    (width, height): (u32, u32),
    channels: usize,
    max_pixels: u32,
) -> Result<(), Failure> {
    if width == 0 || height == 0 {
        return Err(Failure::new(Kind::Broken, format!("{width} × {height} pixels")));
    }
    check_size(width, height, max_pixels)?;
    image.width = width;
    image.height = height;
    image.channels = channels;
    let area = width as usize * height as usize;
    let length = area.checked_mul(channels).ok_or_else(|| Failure::no_memory(usize::MAX))?;
    resize_buffer(&mut image.pixels, length)
}

/// Keeps the first `kept` of every `of` bytes, and returns `kept`.
fn keep_channels(image: &mut Decoded, of: usize, kept: usize) -> usize {
    let count = image.pixels.len() / of;
    for i in 0..count {
        for c in 0..kept {
            image.pixels[i * kept + c] = image.pixels[i * of + c];
        }
    }
    image.pixels.truncate(count * kept);
    image.channels = kept;
    kept
}

/// ITU-R 601-2 luma with Pillow's 16-bit coefficients.
pub fn to_grey(image: &mut Decoded) {
    let count = image.pixels.len() / 3;
    for i in 0..count {
        let [r, g, b] = [0, 1, 2].map(|c| u32::from(image.pixels[i * 3 + c]));
        image.pixels[i] = ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) as u8;
    }
    image.pixels.truncate(count);
    image.channels = 1;
}

// JPEG --------------------------------------------------------------------------------------------

/// What the markers of a JPEG file say.
#[derive(Default)]
struct JpegMarkers {
    orientation: u8,
    is_jfif: bool,
    /// `transform` of Adobe's segment.
    adobe: Option<u8>,
    components: Vec<u8>,
    size: (u32, u32),
}

/// Reads the markers up to the end of the image, which must be there: the decoder would fill what is
/// missing with grey. Hides Adobe's segments from the decoder, which takes three components of RGB
/// for CMYK; colours are converted here by libjpeg's rules.
fn read_markers(input: &mut [u8]) -> Result<JpegMarkers, Failure> {
    let truncated = |at: usize, what: &str| {
        Failure::new(Kind::Truncated, format!("the file ends at byte {at}, in {what}"))
    };
    let length = input.len();
    let mut markers = JpegMarkers { orientation: 1, ..Default::default() };
    let mut has_exif = false;
    let mut at = 2;
    loop {
        // Between segments: anything up to the next marker. In a scan: anything but a marker.
        while at < length && input[at] != 0xFF {
            at += 1;
        }
        while at < length && input[at] == 0xFF {
            at += 1;
        }
        let Some(&marker) = input.get(at) else {
            return Err(truncated(length, "the picture"));
        };
        let name = at;
        at += 1;
        match marker {
            0xD9 => return Ok(markers),
            0x00 | 0x01 | 0xD0..=0xD8 => continue,
            _ => {}
        }
        let Some(bytes) = input.get(at..at + 2) else {
            return Err(truncated(length, "a header"));
        };
        let end = at + usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        if end < at + 2 {
            return Err(Failure::new(Kind::Broken, format!("a segment of no length at byte {at}")));
        }
        if end > length {
            return Err(truncated(length, "a header"));
        }
        let body = &input[at + 2..end];
        match marker {
            0xE0 if body.starts_with(b"JFIF") => markers.is_jfif = true,
            0xE1 if body.starts_with(b"Exif\0\0") && !has_exif => {
                has_exif = true;
                markers.orientation = read_orientation(body);
            }
            0xEE if body.starts_with(b"Adobe") && body.len() >= 12 => {
                markers.adobe = Some(body[11]);
                input[name] = 0xED;
            }
            0xC0..=0xC2 if body.len() >= 6 => {
                if body[0] != 8 {
                    let text = format!("JPEG with {} bits a sample", body[0]);
                    return Err(Failure::new(Kind::Unsupported, text));
                }
                let u16_at = |i: usize| u32::from(u16::from_be_bytes([body[i], body[i + 1]]));
                markers.size = (u16_at(3), u16_at(1));
                markers.components = body[6..].chunks_exact(3).map(|part| part[0]).collect();
            }
            0xC3 => return Err(Failure::new(Kind::Unsupported, "lossless JPEG")),
            0xC5..=0xC7 | 0xCD..=0xCF => {
                return Err(Failure::new(Kind::Unsupported, "hierarchical JPEG"))
            }
            0xC9..=0xCB => {
                return Err(Failure::new(Kind::Unsupported, "JPEG with arithmetic coding"))
            }
            _ => {}
        }
        at = end;
    }
}

fn decode_jpeg(input: &mut [u8], max_pixels: u32, image: &mut Decoded) -> Result<(), Failure> {
    let markers = read_markers(input)?;
    let channels = match markers.components.len() {
        n @ (1 | 3 | 4) => n,
        0 => return Err(Failure::new(Kind::Broken, "JPEG without a frame")),
        n => return Err(Failure::new(Kind::Unsupported, format!("JPEG with {n} components"))),
    };
    start(image, markers.size, channels, max_pixels)?;
    image.orientation = markers.orientation;

    let failed = |error: zune_jpeg::errors::DecodeErrors| {
        Failure::new(Kind::Broken, format!("JPEG: {error:?}"))
    };
    let options = DecoderOptions::new_fast().set_max_width(65_535).set_max_height(65_535);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(&*input), options);
    decoder.decode_headers().map_err(failed)?;
    // The decoder takes components called R, G and B for colours, without asking JFIF.
    let found = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
    let space = match channels {
        1 => ColorSpace::Luma,
        3 if found == ColorSpace::YCbCr && !is_rgb(&markers) => ColorSpace::RGB,
        _ => found,
    };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    if decoder.output_buffer_size() != Some(image.pixels.len()) {
        return Err(Failure::new(Kind::Broken, "JPEG with contradicting headers"));
    }
    decoder.decode_into(&mut image.pixels).map_err(failed)?;
    if found == ColorSpace::RGB && !is_rgb(&markers) {
        for pixel in image.pixels.chunks_exact_mut(3) {
            pixel.copy_from_slice(&ycc_to_rgb(pixel[0], pixel[1], pixel[2]));
        }
    }
    if channels == 4 {
        cmyk_to_rgb(image, markers.adobe == Some(2));
    }
    Ok(())
}

/// libjpeg's rules for three components, `default_decompress_parms` in jdapimin.c.
fn is_rgb(markers: &JpegMarkers) -> bool {
    match markers.adobe {
        _ if markers.is_jfif => false,
        Some(transform) => transform == 0,
        None => markers.components == *b"RGB",
    }
}

/// Inverted CMYK or YCCK, as Adobe writes it and Pillow takes every file with four components.
fn cmyk_to_rgb(image: &mut Decoded, is_ycck: bool) {
    for pixel in image.pixels.chunks_exact_mut(4) {
        if is_ycck {
            let [r, g, b] = ycc_to_rgb(pixel[0], pixel[1], pixel[2]);
            (pixel[0], pixel[1], pixel[2]) = (255 - r, 255 - g, 255 - b);
        }
        // The stored values are 255 − ink, so white is 255 and black 0.
        let not_key = i32::from(pixel[3]);
        for value in &mut pixel[..3] {
            let scaled = i32::from(255 - *value) * not_key + 128;
            *value = (not_key - (((scaled >> 8) + scaled) >> 8)).clamp(0, 255) as u8;
        }
    }
    keep_channels(image, 4, 3);
}

/// libjpeg's conversion, jdcolor.c: 16 bits after the point.
fn ycc_to_rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let r = y + ((91_881 * cr + 32_768) >> 16);
    let g = y + ((-22_554 * cb - 46_802 * cr + 32_768) >> 16);
    let b = y + ((116_130 * cb + 32_768) >> 16);
    [r, g, b].map(|value| value.clamp(0, 255) as u8)
}

// PNG ---------------------------------------------------------------------------------------------

fn png_failure(error: png::DecodingError) -> Failure {
    let kind = match &error {
        png::DecodingError::IoError(io) if io.kind() == ErrorKind::UnexpectedEof => Kind::Truncated,
        png::DecodingError::LimitsExceeded => Kind::TooLarge,
        _ => Kind::Broken,
    };
    Failure::new(kind, format!("PNG: {error}"))
}

fn decode_png(input: &[u8], max_pixels: u32, image: &mut Decoded) -> Result<(), Failure> {
    use png::{BitDepth, ColorType, Transformations};
    let mut decoder = png::Decoder::new(Cursor::new(input));
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(png_failure)?;
    let size = (header.width, header.height);
    let is_deep_grey =
        header.bit_depth == BitDepth::Sixteen && header.color_type == ColorType::Grayscale;
    start(image, size, 1, max_pixels)?;
    // Pillow cuts grey of 16 bits at 255 ("I;16"), but takes the high byte of all other samples.
    let transformations = Transformations::EXPAND | Transformations::STRIP_16;
    decoder.set_transformations(if is_deep_grey {
        Transformations::IDENTITY
    } else {
        transformations
    });
    let mut reader = decoder.read_info().map_err(png_failure)?;
    image.orientation = reader.info().exif_metadata.as_deref().map_or(1, read_orientation);
    let length = reader
        .output_buffer_size()
        .ok_or_else(|| Failure::new(Kind::TooLarge, "PNG: more than fits in memory"))?;
    resize_buffer(&mut image.pixels, length)?;
    reader.next_frame(&mut image.pixels).map_err(png_failure)?;
    image.channels = match reader.output_color_type().0 {
        _ if is_deep_grey => {
            let count = image.pixels.len() / 2;
            for i in 0..count {
                let (high, low) = (image.pixels[i * 2], image.pixels[i * 2 + 1]);
                image.pixels[i] = if high > 0 { 255 } else { low };
            }
            image.pixels.truncate(count);
            1
        }
        ColorType::Grayscale => 1,
        ColorType::Rgb => 3,
        ColorType::GrayscaleAlpha => keep_channels(image, 2, 1),
        ColorType::Rgba => keep_channels(image, 4, 3),
        ColorType::Indexed => return Err(Failure::new(Kind::Broken, "PNG without its palette")),
    };
    Ok(())
}

// WebP --------------------------------------------------------------------------------------------

fn decode_webp(input: &[u8], max_pixels: u32, image: &mut Decoded) -> Result<(), Failure> {
    // Sniffing has seen 12 bytes.
    let riff = u64::from(u32::from_le_bytes([input[4], input[5], input[6], input[7]])) + 8;
    if riff > input.len() as u64 {
        let text = format!("the file ends at byte {}, {riff} were announced", input.len());
        return Err(Failure::new(Kind::Truncated, text));
    }
    let failed = |error: image_webp::DecodingError| {
        let kind = match &error {
            image_webp::DecodingError::IoError(io) if io.kind() == ErrorKind::UnexpectedEof => {
                Kind::Truncated
            }
            image_webp::DecodingError::ImageTooLarge => Kind::TooLarge,
            image_webp::DecodingError::MemoryLimitExceeded => Kind::TooLarge,
            image_webp::DecodingError::UnsupportedFeature(_) => Kind::Unsupported,
            _ => Kind::Broken,
        };
        Failure::new(kind, format!("WebP: {error}"))
    };
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(input)).map_err(failed)?;
    // No chunk is larger than the file, whatever it announces.
    decoder.set_memory_limit(input.len());
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    start(image, decoder.dimensions(), channels, max_pixels)?;
    if let Ok(Some(exif)) = decoder.exif_metadata() {
        image.orientation = read_orientation(&exif);
    }
    if decoder.is_animated() {
        decoder.read_frame(&mut image.pixels).map_err(failed)?;
    } else {
        decoder.read_image(&mut image.pixels).map_err(failed)?;
    }
    if channels == 4 {
        keep_channels(image, 4, 3);
    }
    Ok(())
}

// GIF ---------------------------------------------------------------------------------------------

fn decode_gif(input: &[u8], max_pixels: u32, image: &mut Decoded) -> Result<(), Failure> {
    let failed = |error: gif::DecodingError| {
        let kind = match &error {
            gif::DecodingError::UnexpectedEof => Kind::Truncated,
            gif::DecodingError::Io(io) if io.kind() == ErrorKind::UnexpectedEof => Kind::Truncated,
            gif::DecodingError::OutOfMemory => Kind::NoMemory,
            _ => Kind::Broken,
        };
        Failure::new(kind, format!("GIF: {error}"))
    };
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    let mut decoder = options.read_info(Cursor::new(input)).map_err(failed)?;
    let screen = (u32::from(decoder.width()), u32::from(decoder.height()));
    start(image, screen, 3, max_pixels)?;
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let Some(frame) = decoder.next_frame_info().map_err(failed)? else {
        return Err(Failure::new(Kind::Broken, "GIF without a picture"));
    };
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let background = frame.transparent.unwrap_or(0);
    let palette = frame.palette.clone().or(global).unwrap_or_default();
    check_size(width as u32, height as u32, max_pixels)?;
    resize_buffer(&mut image.spare, width * height)?;
    decoder.read_into_buffer(&mut image.spare).map_err(failed)?;
    // A file without a palette is grey.
    let color = |index: u8| match palette.get(usize::from(index) * 3..usize::from(index) * 3 + 3) {
        Some(rgb) => [rgb[0], rgb[1], rgb[2]],
        None if palette.is_empty() => [index; 3],
        None => [0; 3],
    };
    let (screen_width, screen_height) = (screen.0 as usize, screen.1 as usize);
    for y in 0..screen_height {
        for x in 0..screen_width {
            let is_inside = x >= left && x - left < width && y >= top && y - top < height;
            let index = match is_inside {
                true => image.spare[(y - top) * width + x - left],
                false => background,
            };
            image.pixels[(y * screen_width + x) * 3..][..3].copy_from_slice(&color(index));
        }
    }
    Ok(())
}

// BMP ---------------------------------------------------------------------------------------------

fn decode_bmp(input: &[u8], max_pixels: u32, image: &mut Decoded) -> Result<(), Failure> {
    let failed = |error: image::ImageError| {
        let kind = match &error {
            image::ImageError::IoError(io) if io.kind() == ErrorKind::UnexpectedEof => {
                Kind::Truncated
            }
            image::ImageError::Unsupported(_) => Kind::Unsupported,
            image::ImageError::Limits(_) => Kind::TooLarge,
            _ => Kind::Broken,
        };
        Failure::new(kind, format!("BMP: {error}"))
    };
    // The decoder has a limit of its own, in other words.
    if let Some(&[a, b, c, d, e, f, g, h]) = input.get(18..26) {
        let side = |bytes| i32::from_le_bytes(bytes).unsigned_abs();
        let (width, height) = (side([a, b, c, d]), side([e, f, g, h]));
        let is_core_header = input[14] == 12;
        if !is_core_header && width > 0 && height > 0 {
            check_size(width, height, max_pixels)?;
        }
    }
    let decoder = image::codecs::bmp::BmpDecoder::new(Cursor::new(input)).map_err(failed)?;
    let channels = usize::from(decoder.color_type().bytes_per_pixel());
    start(image, decoder.dimensions(), channels, max_pixels)?;
    decoder.read_image(&mut image.pixels).map_err(failed)?;
    if channels == 4 {
        keep_channels(image, 4, 3);
    }
    Ok(())
}
