"""Reads a statistics file of Plimsoll (docs/plim.md) with nothing but Python's own library.

Usage: python3 read_plim.py FILE        prints the header without the outline, and sums of each tensor and layer input
"""
import hashlib
import json
import struct
import sys
from fractions import Fraction

MAGIC = b"\x89PLIM\r\n\x1a"


class Bits:
    """Integers of any width one behind the other, high bits first."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def read(self, width):
        start, self.at = self.at, self.at + width
        piece = int.from_bytes(self.data[start >> 3 : self.at + 7 >> 3], "big")
        return piece >> (-self.at & 7) & (1 << width) - 1


class Column:
    """An adaptive Rice code: a quotient by 2^k in ones and a zero, then k bits; long ones by their length."""

    def __init__(self, mean):
        self.sum = 16 * mean

    def read(self, bits, scale=0):
        k = min(48, scale + max(0, (self.sum * 11 // 256).bit_length() - 1))
        quotient = 0
        while quotient < 24 and bits.read(1):
            quotient += 1
        if quotient < 24:
            value = quotient << k | bits.read(k)
        else:
            length = bits.read(7)
            value = 1 << length - 1 | bits.read(length - 1)
        self.sum += min(1 << 44, value >> scale) - self.sum // 16
        return value


def unfold(value):
    """0, 1, 2, 3, 4 are 0, -1, 1, -2, 2."""
    return -(value + 1) // 2 if value & 1 else value // 2


def bins(data, count):
    """(number, n, sum of r, sum of r squared) of each bin."""
    bits, number, left, n = Bits(data), 0, 0, 1
    skipped, followers, counts, first, second = map(Column, (1, 64, 2, 1 << 14, 1 << 26))
    for _ in range(count):
        if left == 0:
            number += skipped.read(bits)
            left = followers.read(bits) + 1
        before = n - 1
        value = counts.read(bits, before.bit_length() // 2)
        n = 1 + (value if value > 2 * before else before + unfold(value))
        scale = (n - 1).bit_length() // 2
        excess = unfold(first.read(bits, scale))
        r1 = n * 32767 // 2 + excess
        if n == 1:
            r2 = r1**2
        elif n == 2:
            distance = 2 * bits.read(14) + (r1 & 1)
            r2 = (r1**2 + distance**2) // 2
        else:
            expected = n * 715795115 // 2 - 89478485 + 32767 * excess + excess**2 // n
            r2 = 2 * ((expected - r1) // 2 + unfold(second.read(bits, scale))) + r1
        yield number, n, r1, r2
        number, left = number + 1, left - 1


def bins_3(data):
    """The same of version 3: integers of seven bits a byte, low ones first, the top bit says that more follow."""
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value = shift = 0
    number = 0
    for step, *of_bin in zip(*[iter(values)] * 4):
        number += step
        yield number, *of_bin


def packed(data, count):
    """A list of integers that share their lowest zeros and their length; and how many bytes they take."""
    if count == 0:
        return [], 0
    low, high = data[:2]
    bits, sign = Bits(data[2:]), 1 << high - low >> 1
    numbers = (bits.read(high - low) for _ in range(count))
    return [(number ^ sign) - sign << low for number in numbers], 2 + (count * (high - low) + 7 >> 3)


def packed_3(data, count):
    """The same of version 3: 16 bytes each, low ones first."""
    ends = range(16, 16 * count + 1, 16)
    return [int.from_bytes(data[end - 16 : end], "little", signed=True) for end in ends], 16 * count


def sums(table):
    """Exact sum and sum of squares of the elements of a histogram."""
    total = squares = Fraction(0)
    for number, n, r1, r2 in table:
        sign = -1 if number >> 16 else 1
        exponent, k = number >> 8 & 255, number & 255
        base = (0 if exponent == 0 else 1 << 23) + (k << 15)
        ulp = Fraction(2) ** (max(exponent, 1) - 150)
        total += sign * ulp * (n * base + r1)
        squares += ulp**2 * (n * base**2 + 2 * base * r1 + r2)
    return total, squares


def read(data):
    """The header as a dict, the bins by tensor, and the sums of channels by layer input."""
    assert data[:8] == MAGIC, "another kind of file"
    version, length = struct.unpack_from("<II", data, 8)
    assert version in (3, 4), f"version {version}"
    assert hashlib.sha256(data[:-32]).digest() == data[-32:], "damaged or cut off"
    header = json.loads(data[16 : 16 + length])
    offset, bodies = 16 + length, {}
    for tensor in header["tensors"]:
        body = data[offset : offset + tensor["bytes"]]
        bodies[tensor["tensor"]] = bins_3(body) if version == 3 else bins(body, tensor["bins"])
        offset += tensor["bytes"] + tensor.get("heldOut", {}).get("bytes", 0)
    channels = {}
    for layer in header["channels"]:
        lists = []
        for _ in range(2):
            list_of = packed_3 if version == 3 else packed
            values, size = list_of(data[offset:], layer["channels"] or 0)
            lists.append(values)
            offset += size
        channels[layer["tensor"]] = lists
    assert offset == len(data) - 32, "bytes after the last sum"
    return header, bodies, channels


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        header, bodies, channels = read(file.read())
    result = {"data": header["data"], "tensors": {}, "channels": {}}
    for name, table in bodies.items():
        total, squares = sums(table)
        result["tensors"][name] = {"sum": float(total), "squares": float(squares)}
    for name, (totals, squares) in channels.items():
        result["channels"][name] = {
            "sum": float(Fraction(sum(totals), 2**64)),
            "squares": float(Fraction(sum(squares), 2**64)),
        }
    json.dump(result, sys.stdout)
