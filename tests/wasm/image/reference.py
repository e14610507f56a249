"""Write the images and the expected values of the tests beside this file.

    pip install pillow==13.0.0 numpy==2.4.6
    python reference.py                          images/ and images.json
    python reference.py ../../../../shared/data  photos.json: numbers about photographs that stay there
    npx -y deno@2 fmt .

Expected is what Pillow does: ImageOps.exif_transpose, convert("RGB") or convert("L"), resize, and crop
with torchvision's rules (transforms.Resize, transforms.CenterCrop on PIL images). torchvision itself is
not needed: `shortest` and `center_crop` are its formulas (transforms/functional.py, 0.2x).

All images in images/ are computed here, from formulas: no rights of others, Apache-2.0 as the project.
"""
import base64, io, json, os, struct, sys, zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def scene(width, height, channels=3):
    """Smooth colours, an edge and some grain, the same on every machine."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    planes = []
    for c in range(channels):
        smooth = (x * (3 + c) * 255 // (width * 3) + y * (5 - c) * 255 // (height * 5)) % 256
        edge = ((x * 7 + y * (3 + c) * 2) // 40 % 2) * 60
        grain = (x * x * 31 + y * y * 17 + x * y * (11 + c)) % 13
        planes.append(np.clip(smooth * 2 // 3 + edge + grain, 0, 255))
    return np.stack(planes, -1).astype(np.uint8)


def shortest(width, height, size, rounding="truncate"):
    if rounding == "round":  # data/efficientnet-lite0/reference.py
        ratio = size / min(width, height)
        return round(width * ratio), round(height * ratio)
    short, long = min(width, height), max(width, height)
    new_long = int(size * long / short)
    return (size, new_long) if width <= height else (new_long, size)


def center_crop(image, width, height, rounding="round"):
    if width > image.width or height > image.height:
        left = (width - image.width) // 2 if width > image.width else 0
        top = (height - image.height) // 2 if height > image.height else 0
        wide = Image.new(image.mode, (max(width, image.width), max(height, image.height)))
        wide.paste(image, (left, top))
        image = wide
    half = (lambda margin: int(round(margin / 2.0))) if rounding == "round" else (lambda margin: margin // 2)
    top, left = half(image.height - height), half(image.width - width)
    return image.crop((left, top, left + width, top + height))


def prepare(image, options):
    resize, crop = options.get("resize"), options.get("crop")
    if resize:
        size = (resize["width"], resize["height"]) if "width" in resize else shortest(
            *image.size, resize["shortest"], resize.get("rounding", "truncate"))
        image = image.resize(size, RESAMPLE[options.get("interpolation", "bilinear")])
    if crop:
        image = center_crop(image, crop["width"], crop["height"], crop.get("rounding", "round"))
    return image


def describe(image):
    """Size, CRC-32 of the bytes, mean and 64 values of each channel on a grid of 8 × 8."""
    pixels = np.asarray(image)
    pixels = pixels.reshape(image.height, image.width, -1)
    rows = [(2 * i + 1) * image.height // 16 for i in range(8)]
    columns = [(2 * i + 1) * image.width // 16 for i in range(8)]
    grid = pixels[np.ix_(rows, columns)]
    return {
        "width": image.width, "height": image.height, "crc32": zlib.crc32(pixels.tobytes()),
        "mean": [round(float(value), 4) for value in pixels.mean((0, 1))],
        "grid": base64.b64encode(grid.tobytes()).decode(),
    }


def expect(data, cases):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    rgb = image.convert("RGB")
    result = {"rgb": describe(rgb), "grey": describe(image.convert("L")), "cases": []}
    for options in cases:
        result["cases"].append({"options": options, **describe(prepare(rgb, options))})
    return result


CROP_224 = {"width": 224, "height": 224}
PHOTO_CASES = [
    {"resize": {"shortest": 256}, "crop": CROP_224},
    {"resize": {"shortest": 256, "rounding": "round"}, "crop": {**CROP_224, "rounding": "truncate"}},
    {"resize": {"shortest": 232}, "crop": CROP_224, "interpolation": "bicubic"},
    {"resize": {"width": 299, "height": 299}, "interpolation": "bilinear"},
    {"resize": {"shortest": 64}, "interpolation": "lanczos"},
]
# Every filter, up and down, odd margins, and a crop larger than the image: on a file without loss.
EXACT_CASES = [
    {"resize": {"width": w, "height": h}, "interpolation": name}
    for name in RESAMPLE for w, h in [(20, 31), (97, 53), (120, 9), (61, 77), (1, 1)]
] + [
    {"resize": {"shortest": s, "rounding": r}, "crop": {"width": w, "height": h, "rounding": c}}
    for r in ("truncate", "round") for c in ("truncate", "round")
    for s, w, h in [(37, 30, 30), (30, 27, 24), (50, 25, 20), (20, 33, 27)]
] + [{"crop": {"width": 22, "height": 30}}, {"crop": {"width": 100, "height": 20}}]


def save(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def png(width, height, depth, color, rows, extra=b"", interlace=0):
    chunk = lambda name, body: struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def adam7(pixels):
    """Rows of the seven passes; `pixels` is height × width × bytes of a pixel."""
    out = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        part = pixels[y0::dy, x0::dx]
        if part.shape[1]:
            out += b"".join(b"\0" + row.tobytes() for row in part)
    return out


def bmp(width, height, bits, compression, palette, body, masks=b""):
    offset = 14 + 40 + len(masks) + len(palette)
    return (b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset)
            + struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 2835, 2835, len(palette) // 4, 0)
            + masks + palette + body)


def self_made():
    W, H = 61, 77
    rgb = Image.fromarray(scene(W, H))
    grey = rgb.convert("L")
    rgba = Image.fromarray(scene(W, H, 4))
    small = rgb.crop((0, 0, 40, 30))
    files = {}
    for quality, sampling, name in [(90, 0, "444"), (90, 1, "422"), (90, 2, "420")]:
        files[f"jpeg_{name}.jpg"] = save(rgb, "JPEG", quality=quality, subsampling=sampling)
    files["jpeg_progressive.jpg"] = save(rgb, "JPEG", quality=90, progressive=True)
    files["jpeg_restart.jpg"] = save(rgb, "JPEG", quality=90, restart_marker_blocks=2)
    files["jpeg_grey.jpg"] = save(grey, "JPEG", quality=90)
    files["jpeg_rgb.jpg"] = save(small, "JPEG", quality=90, keep_rgb=True)
    cmyk = Image.fromarray(scene(40, 30, 4), "CMYK")
    files["jpeg_cmyk.jpg"] = save(cmyk, "JPEG", quality=90)
    # The same coefficients, declared as YCCK: other colours, decoded by the other rule.
    files["jpeg_ycck.jpg"] = files["jpeg_cmyk.jpg"].replace(b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\2")
    assert files["jpeg_ycck.jpg"] != files["jpeg_cmyk.jpg"]
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        files[f"jpeg_exif{orientation}.jpg"] = save(small, "JPEG", quality=90, subsampling=0, exif=exif)
    exif = Image.Exif()
    exif[0x0112] = 6
    files["png_exif6.png"] = save(small, "PNG", exif=exif)
    files["webp_exif6.webp"] = save(small, "WEBP", lossless=True, exif=exif)

    files["png_rgb.png"] = save(rgb, "PNG")
    files["png_grey.png"] = save(grey, "PNG")
    files["png_rgba.png"] = save(rgba, "PNG")
    files["png_grey_alpha.png"] = save(rgba.convert("LA"), "PNG")
    files["png_palette.png"] = save(rgb.quantize(23, dither=0), "PNG")
    files["png_palette_transparent.png"] = save(small.quantize(16, dither=0), "PNG", transparency=bytes([0, 128] * 8))
    for bits in (1, 2, 4):
        rows = b"".join(b"\0" + bytes((x * 37 + y * 11) % 256 for x in range(-(-29 * bits // 8))) for y in range(13))
        files[f"png_grey{bits}.png"] = png(29, 13, bits, 0, rows)
        palette = b"PLTE" + bytes((i * 53 + c * 91) % 256 for i in range(2 ** bits) for c in range(3))
        extra = struct.pack(">I", len(palette) - 4) + palette + struct.pack(">I", zlib.crc32(palette))
        files[f"png_palette{bits}.png"] = png(29, 13, bits, 3, rows, extra)
    values = (np.arange(32 * 24 * 4, dtype=np.int64) * 7919 % 65536).astype(">u2").reshape(24, 32, 4)
    values[0, :8] = (np.arange(250, 282).reshape(8, 4)).astype(">u2")
    for name, color, channels in [("grey16", 0, 1), ("rgb16", 2, 3), ("grey_alpha16", 4, 2), ("rgba16", 6, 4)]:
        rows = b"".join(b"\0" + row.tobytes() for row in values[..., :channels])
        files[f"png_{name}.png"] = png(32, 24, 16, color, rows)
    files["png_interlaced.png"] = png(W, H, 8, 2, adam7(np.asarray(rgb)), interlace=1)
    files["png_one.png"] = save(rgb.crop((0, 0, 1, 1)), "PNG")

    files["webp_lossy.webp"] = save(rgb, "WEBP", quality=80)
    files["webp_lossless.webp"] = save(rgb, "WEBP", lossless=True)
    files["webp_alpha.webp"] = save(rgba, "WEBP", lossless=True, exact=True)
    files["webp_lossy_alpha.webp"] = save(rgba, "WEBP", quality=80, exact=True)
    frames = [Image.fromarray(scene(40, 30)), Image.fromarray(255 - scene(40, 30))]
    files["webp_animated.webp"] = save(frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:])
    paletted = [frame.quantize(32, dither=0) for frame in frames]
    files["gif_animated.gif"] = save(paletted[0], "GIF", save_all=True, append_images=paletted[1:])
    files["gif_interlaced.gif"] = save(paletted[0], "GIF", interlace=1)
    files["gif_transparent.gif"] = save(paletted[0], "GIF", transparency=3)
    # A frame smaller than the screen, after the palette of the screen.
    whole = save(Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) % 4, "P"), "GIF")
    header = b"GIF89a" + struct.pack("<HHBBB", 9, 7, 0x81, 2, 0) + bytes([250, 0, 0, 0, 250, 0, 0, 0, 250, 90, 90, 90])
    frame = b"," + struct.pack("<HHHHB", 3, 2, 4, 3, 0)
    lzw = lzw_uncompressed([i % 4 for i in range(12)])
    files["gif_small_frame.gif"] = header + frame + lzw + b";"
    files["gif_small_frame_transparent.gif"] = header + b"!\xf9\4\1\0\0\2\0" + frame + lzw + b";"

    files["bmp_rgb.bmp"] = save(small, "BMP")
    files["bmp_palette.bmp"] = save(small.quantize(32, dither=0), "BMP")
    files["bmp_grey.bmp"] = save(small.convert("L"), "BMP")
    files["bmp_one_bit.bmp"] = save(small.convert("1"), "BMP")
    files["bmp_rgba.bmp"] = save(Image.fromarray(scene(20, 15, 4)), "BMP")
    files["bmp_555.bmp"] = bmp(15, 9, 16, 0, b"", (np.arange(16 * 9) * 911 % 32768).astype("<u2").tobytes())
    files["bmp_565.bmp"] = bmp(15, 9, 16, 3, b"", (np.arange(16 * 9) * 911 % 65536).astype("<u2").tobytes(), struct.pack("<III", 0xF800, 0x07E0, 0x001F))
    palette = bytes((i * 37 + c * 71) % 256 if c < 3 else 0 for i in range(256) for c in range(4))
    rle = b"".join(bytes([5, y * 7, 0, 4, y, y + 9, y + 30, 77, 3, 200 - y, 0, 0]) for y in range(8)) + b"\0\1"
    files["bmp_rle8.bmp"] = bmp(12, 8, 8, 1, palette, rle)
    return files


def lzw_uncompressed(indices):
    """GIF's LZW, minimum code size 2, with a clear code after every two pixels."""
    codes = []
    for i in range(0, len(indices), 2):
        codes += [4, *indices[i:i + 2]]
    codes.append(5)
    bits = sum(code << (3 * i) for i, code in enumerate(codes))
    data = bits.to_bytes(-(-3 * len(codes) // 8), "little")
    return bytes([2, len(data)]) + data + b"\0"


def dump(name, value):
    with open(os.path.join(HERE, name), "w") as out:
        json.dump({"pillow": PIL.__version__, "numpy": np.__version__, "images": value}, out, separators=(",", ":"))
        out.write("\n")


def main():
    if len(sys.argv) > 1:
        images = {}
        for folder in ("photos", "imagenet-sample"):
            names = sorted(os.listdir(os.path.join(sys.argv[1], folder)))
            for name in names if folder == "photos" else names[::25]:
                with open(os.path.join(sys.argv[1], folder, name), "rb") as file:
                    images[f"{folder}/{name}"] = expect(file.read(), PHOTO_CASES)
        return dump("photos.json", images)
    folder = os.path.join(HERE, "images")
    os.makedirs(folder, exist_ok=True)
    images = {}
    for name, data in self_made().items():
        with open(os.path.join(folder, name), "wb") as out:
            out.write(data)
        exact = name in ("png_rgb.png", "png_grey.png")
        images[name] = expect(data, EXACT_CASES if exact else [{"resize": {"shortest": 24}, "crop": {"width": 20, "height": 20}}])
    dump("images.json", images)
    total = sum(os.path.getsize(os.path.join(folder, name)) for name in images)
    print(len(images), "images,", total, "bytes")


main()
