"""The records that every client here sends, and the digest that every reader makes of what it read.

Both are defined in ../README.md, and written once in each language (records.go, java/Records.java, kafkajs/records.js).
Invariant: a digest covers key, value, headers, offset and partition of each record, so one record lost, doubled, changed
or out of order gives another digest.

  records.py COUNT SEED [SHAPE]     print the digest that COUNT records of SEED have, without any broker
"""
import hashlib
import struct
import sys

PARTITIONS = 3
POOL_SIZE = 16384
LONGEST_VALUE = 300
MASK = 0xFFFFFFFF


class Records:
    """The records of one seed: `record(index)` is (key, value, headers)."""

    def __init__(self, seed):
        self.seed = seed & MASK
        self.pool = pool(self.seed)

    def record(self, index):
        mixed = (index * 2654435761 + self.seed) & MASK
        start = mixed % (POOL_SIZE - LONGEST_VALUE)
        value = self.pool[start:start + (mixed >> 16) % (LONGEST_VALUE + 1)]
        if index % 97 == 13:
            key = None
        else:
            key = b"" if index % 89 == 17 else b"%d" % index
            if index % 101 == 7:
                value = None
        headers = []
        if index % 7 == 3:
            headers.append(("index", b"%d" % index))
            if index % 14 == 10:
                headers.append(("größe", b""))
        return key, value, headers


def pool(seed):
    """The bytes that all values are cut from: the top bytes of a 32-bit xorshift."""
    state = (seed ^ 0x9E3779B9) or 1
    out = bytearray()
    for _ in range(POOL_SIZE):
        state ^= (state << 13) & MASK
        state ^= state >> 17
        state ^= (state << 5) & MASK
        out.append(state >> 24)
    return bytes(out)


class Digest:
    """SHA-256 of each partition's records in the order they were added, and of those hashes together."""

    def __init__(self):
        self.hashes = [hashlib.sha256() for _ in range(PARTITIONS)]
        self.count = 0

    def add(self, partition, offset, key, value, headers):
        parts = [struct.pack(">q", offset), sized(key), sized(value), struct.pack(">i", len(headers))]
        for name, content in headers:
            parts.append(sized(name.encode()))
            parts.append(sized(content))
        self.hashes[partition].update(b"".join(parts))
        self.count += 1

    def __str__(self):
        whole = hashlib.sha256(b"".join(h.digest() for h in self.hashes))
        return "sha256=%s count=%d" % (whole.hexdigest(), self.count)


def sized(content):
    return b"\xff\xff\xff\xff" if content is None else struct.pack(">i", len(content)) + content


def kcat_record(records, index, count):
    """What kcat can send: one set of headers a process, no null value, and no record without any byte (see ../kcat/program.py)."""
    key, value, _ = records.record(index)
    return key if value else key or b"", value or b"", [("half", b"second")] if index >= count // 2 else []


def expected(count, seed, shape):
    records, digest = Records(seed), Digest()
    for index in range(count):
        one = kcat_record(records, index, count) if shape == "kcat" else records.record(index)
        digest.add(index % PARTITIONS, index // PARTITIONS, *one)
    return digest


if __name__ == "__main__":
    print(expected(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""))
