"""Reads a statistics file of Plimsoll (docs/plim.md) with nothing but Python's own library.

Usage: python3 read_plim.py FILE        prints the header without the outline, and sums of each tensor and layer input
"""
import hashlib
import json
import struct
import sys
from fractions import Fraction

MAGIC = b"\x89PLIM\r\n\x1a"


def varints(data):
    """LEB128 integers: seven bits a byte, low ones first, the top bit says that more follow."""
    value = shift = 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0


def bins(data):
    """(number, n, sum of r, sum of r squared) of each bin."""
    numbers, number = varints(data), 0
    for step in numbers:
        number += step
        yield number, next(numbers), next(numbers), next(numbers)


def sums(data):
    """Exact sum and sum of squares of the elements of a histogram."""
    total = squares = Fraction(0)
    for number, n, r1, r2 in bins(data):
        sign = -1 if number >> 16 else 1
        exponent, k = number >> 8 & 255, number & 255
        base = (0 if exponent == 0 else 1 << 23) + (k << 15)
        ulp = Fraction(2) ** (max(exponent, 1) - 150)
        total += sign * ulp * (n * base + r1)
        squares += ulp**2 * (n * base**2 + 2 * base * r1 + r2)
    return total, squares


def read(data):
    """The header as a dict, the bytes of the bins by tensor, and the sums of channels by layer input."""
    assert data[:8] == MAGIC, "another kind of file"
    version, length = struct.unpack_from("<II", data, 8)
    assert version in (3, 4), f"version {version}"
    assert hashlib.sha256(data[:-32]).digest() == data[-32:], "damaged or cut off"
    header = json.loads(data[16 : 16 + length])
    offset, bodies = 16 + length, {}
    for tensor in header["tensors"]:
        bodies[tensor["tensor"]] = data[offset : offset + tensor["bytes"]]
        offset += tensor["bytes"] + tensor.get("heldOut", {}).get("bytes", 0)
    channels = {}
    for layer in header["channels"]:
        count = layer["channels"] or 0
        sums = [
            int.from_bytes(data[at : at + 16], "little", signed=True)
            for at in range(offset, offset + 32 * count, 16)
        ]
        channels[layer["tensor"]] = sums[:count], sums[count:]
        offset += 32 * count
    assert offset == len(data) - 32, "bytes after the last sum"
    return header, bodies, channels


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        header, bodies, channels = read(file.read())
    result = {"data": header["data"], "tensors": {}, "channels": {}}
    for name, body in bodies.items():
        total, squares = sums(body)
        result["tensors"][name] = {"sum": float(total), "squares": float(squares)}
    for name, (totals, squares) in channels.items():
        result["channels"][name] = {
            "sum": float(Fraction(sum(totals), 2**64)),
            "squares": float(Fraction(sum(squares), 2**64)),
        }
    json.dump(result, sys.stdout)
