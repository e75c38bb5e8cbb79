"""The floor: what a bare blocking Python process costs that echoes MessagePack over its pipes.

Frames are a 4-byte big-endian length and a MessagePack list of an id and a text. An id of -1 asks
for as many frames as the text says.
"""

import os
import struct
import sys

import msgpack

LENGTH = struct.Struct(">I")


def read_exactly(count: int) -> bytes:
    data = os.read(0, count)
    if len(data) == count:
        return data
    parts = [data]
    missing = count - len(data)
    while missing:
        data = os.read(0, missing)
        if not data:
            sys.exit(0)
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def write(data: bytes) -> None:
    done = os.write(1, data)
    while done < len(data):
        done += os.write(1, data[done:])


def frame(number: int, text: str) -> bytes:
    body = msgpack.packb([number, text])
    return LENGTH.pack(len(body)) + body


while True:
    header = os.read(0, 4)
    if len(header) < 4:
        sys.exit(0)
    number, text = msgpack.unpackb(read_exactly(LENGTH.unpack(header)[0]))
    if number == -1:
        for index in range(int(text)):
            write(frame(index, "0123456789abcdef"))
    else:
        write(frame(number, text))
