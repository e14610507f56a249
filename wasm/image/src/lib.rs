//! Photographs to float32 tensors, in one call: decode, turn upright, resize, crop, normalise.
//!
//! The host (`wasm/image.ts`) writes a file to `input`, a [`Request`] and a table of 256 values for
//! each channel, calls `prepare`, and reads a [`Response`]. Nothing is imported from the host.
//!
//! ```text
//! input: file ─► decode ─► pixels (1 or 3 bytes each) ─► orient ─► resize, only what the crop
//!                keeps ─► window ─► tables ─► output: float32
//! ```
//!
//! All buffers are kept for the next image.

mod decode;
mod orient;
mod resize;

use decode::{Decoded, Failure, Kind};
use resize::{Filter, Window};

/// What to do, written by the host. `wasm/image.ts` repeats the order of the fields.
#[repr(C)]
pub struct Request {
    /// 0 none, 1 shortest side to `resize_width`, 2 exactly `resize_width` × `resize_height`.
    resize: u32,
    resize_width: u32,
    resize_height: u32,
    /// The long side: 0 cut off (torchvision), 1 rounded half to even.
    round_long_side: u32,
    filter: u32,
    /// 0 × 0 is no crop.
    crop_width: u32,
    crop_height: u32,
    /// Half a pixel of offset: 0 rounded half to even (torchvision), 1 cut off.
    truncate_offset: u32,
    /// 1 or 3.
    channels: u32,
    is_bgr: u32,
    is_channels_last: u32,
    max_pixels: u32,
    /// Not 0: the input is no file but `pixels_width` × `pixels_height` pixels of 1 or 3 bytes.
    pixels_channels: u32,
    pixels_width: u32,
    pixels_height: u32,
}

/// What came of it. `wasm/image.ts` repeats the order of the fields.
#[repr(C)]
pub struct Response {
    data: *const f32,
    width: u32,
    height: u32,
    /// Of the upright image, before resizing.
    original_width: u32,
    original_height: u32,
    /// Index in `FORMATS` of `wasm/image.ts`, plus 1; 0 when unknown.
    format: u32,
    /// UTF-8: what was wrong; after a panic, too.
    message: *const u8,
    message_length: u32,
}

struct State {
    request: Request,
    response: Response,
    tables: [f32; 3 * 256],
    input: Vec<u8>,
    output: Vec<f32>,
    message: String,
    decoded: Decoded,
    scratch: resize::Scratch,
}

static mut STATE: Option<Box<State>> = None;

/// The state of this instance, which has one thread and no way to be entered twice.
#[allow(clippy::deref_addrof)]
fn state() -> &'static mut State {
    // SAFETY: WebAssembly without threads, and no export calls another or the host.
    let slot = unsafe { &mut *(&raw mut STATE) };
    slot.get_or_insert_with(|| {
        std::panic::set_hook(Box::new(|info| {
            let text = info.to_string();
            report(&text);
        }));
        // SAFETY: all-zero is a valid value of both structs.
        let (request, response) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        Box::new(State {
            request,
            response,
            tables: [0.0; 3 * 256],
            input: Vec::new(),
            output: Vec::new(),
            message: String::new(),
            decoded: Decoded::default(),
            scratch: resize::Scratch::default(),
        })
    })
}

/// Leaves a message for the host.
fn report(text: &str) {
    let state = state();
    state.message.clear();
    state.message.push_str(text);
    state.response.message = state.message.as_ptr();
    state.response.message_length = state.message.len() as u32;
}

/// Address of the [`Request`].
#[no_mangle]
pub extern "C" fn request() -> *mut Request {
    &mut state().request
}

/// Address of the [`Response`].
#[no_mangle]
pub extern "C" fn response() -> *const Response {
    &state().response
}

/// Address of 3 × 256 float32: the value of each pixel in each channel, in the order R, G, B.
#[no_mangle]
pub extern "C" fn tables() -> *mut f32 {
    state().tables.as_mut_ptr()
}

/// Address of `length` bytes for a file; 0 when there is no memory.
#[no_mangle]
pub extern "C" fn input(length: usize) -> *mut u8 {
    let input = &mut state().input;
    if decode::resize_buffer(input, length).is_err() {
        return std::ptr::null_mut();
    }
    input.as_mut_ptr()
}

/// Does what the request says with the file in the input.
///
/// Returns 0, or the number of a [`Kind`] and leaves a message.
#[no_mangle]
pub extern "C" fn prepare() -> u32 {
    let state = state();
    state.response.message_length = 0;
    state.response.format = 0;
    match run(state) {
        Ok(()) => 0,
        Err(failure) => {
            report(&failure.message);
            failure.kind as u32
        }
    }
}

fn run(state: &mut State) -> Result<(), Failure> {
    let State { request, response, decoded, .. } = state;
    if request.pixels_channels == 0 {
        response.format = decode::sniff(&state.input)? as u32;
        decode::decode(&mut state.input, request.max_pixels, decoded)?;
    } else {
        let size = (request.pixels_width, request.pixels_height);
        decode::take(&state.input, size, request.pixels_channels as usize, decoded)?;
    }
    if request.channels == 1 && decoded.channels == 3 {
        decode::to_grey(decoded);
    }
    orient::turn_upright(decoded)?;
    response.original_width = decoded.width;
    response.original_height = decoded.height;

    let (width, height) = resized_size(request, decoded.width, decoded.height)?;
    let (crop_width, crop_height) = match (request.crop_width, request.crop_height) {
        (0, _) | (_, 0) => (width, height),
        size => size,
    };
    check_size("resize", width, height, request.max_pixels)?;
    check_size("crop", crop_width, crop_height, request.max_pixels)?;
    response.width = crop_width;
    response.height = crop_height;

    let across = place(width, crop_width, request.truncate_offset == 1);
    let down = place(height, crop_height, request.truncate_offset == 1);
    let window =
        Window { left: across.source, top: down.source, width: across.length, height: down.length };
    let filter = Filter::from_number(request.filter);
    let pixels = resize::resize(decoded, width, height, window, filter, &mut state.scratch)?;

    let channels = request.channels as usize;
    let area = crop_width as usize * crop_height as usize;
    if state.output.len() < area * channels {
        let missing = area * channels - state.output.len();
        state
            .output
            .try_reserve_exact(missing)
            .map_err(|_| Failure::no_memory(area * channels * 4))?;
        state.output.resize(area * channels, 0.0);
    }
    let output = &mut state.output[..area * channels];
    for channel in 0..channels {
        let source = if request.is_bgr == 1 { channels - 1 - channel } else { channel };
        let table: &[f32; 256] = state.tables[channel * 256..][..256].try_into().unwrap();
        let (start, step) =
            if request.is_channels_last == 1 { (channel, channels) } else { (channel * area, 1) };
        // Outside of the image lies what torchvision pads with: pixels of 0.
        if window.width < crop_width as usize || window.height < crop_height as usize {
            for value in output[start..].iter_mut().step_by(step).take(area) {
                *value = table[0];
            }
        }
        let source = if decoded.channels == 1 { 0 } else { source };
        for y in 0..window.height {
            let row =
                &pixels[y * window.width * decoded.channels..][..window.width * decoded.channels];
            let first = (y + down.target) * crop_width as usize + across.target;
            let target = output[start + first * step..].iter_mut().step_by(step);
            for (value, pixel) in target.zip(row.iter().skip(source).step_by(decoded.channels)) {
                *value = table[*pixel as usize];
            }
        }
    }
    response.data = output.as_ptr();
    Ok(())
}

fn resized_size(request: &Request, width: u32, height: u32) -> Result<(u32, u32), Failure> {
    if request.resize == 0 {
        return Ok((width, height));
    }
    if request.resize == 2 {
        return Ok((request.resize_width, request.resize_height));
    }
    let size = request.resize_width;
    let (short, long) = (width.min(height), width.max(height));
    let new_long = if request.round_long_side == 1 {
        // As Python computes it: round(long * (size / short)).
        (f64::from(long) * (f64::from(size) / f64::from(short))).round_ties_even() as u64
    } else {
        u64::from(size) * u64::from(long) / u64::from(short)
    };
    let new_long = u32::try_from(new_long).unwrap_or(u32::MAX);
    Ok(if width <= height { (size, new_long) } else { (new_long, size) })
}

fn check_size(what: &str, width: u32, height: u32, max_pixels: u32) -> Result<(), Failure> {
    if u64::from(width) * u64::from(height) <= u64::from(max_pixels) {
        return Ok(());
    }
    Err(Failure::new(
        Kind::TooLarge,
        format!("{width} × {height} pixels after {what}, {max_pixels} are allowed"),
    ))
}

/// Where a centre crop takes from and puts to, along one axis.
struct Placement {
    source: usize,
    target: usize,
    length: usize,
}

fn place(size: u32, crop: u32, truncate: bool) -> Placement {
    let (size, crop) = (size as usize, crop as usize);
    if crop > size {
        return Placement { source: 0, target: (crop - size) / 2, length: size };
    }
    let margin = size - crop;
    // Python's round() of margin / 2: halves go to the even number.
    let source = if truncate { margin / 2 } else { (margin + (margin / 2) % 2) / 2 };
    Placement { source, target: 0, length: crop }
}
