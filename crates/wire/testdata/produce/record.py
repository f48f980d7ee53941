#!/usr/bin/env python3
"""Asks a broker what it makes of good and bad record batches, and prints a table of its answers.

    python3 record.py 127.0.0.1:9092 > answers.txt

Run it against Apache Kafka 4.3.0 (one node, leader epoch 0). Needs nothing but Python. One line a case, fields
separated by tabs: name, topic, produce version, records in hex, error code, base offset given back, log append time,
log start offset, record errors as index:message joined by " | ", error message, records as they were stored in hex.
"""
import gzip
import socket
import struct
import sys
import time
import zlib

TOPICS = {
    "plain": {},
    "small": {"max.message.bytes": "300"},
    "smallgzip": {"max.message.bytes": "300", "compression.type": "gzip"},
    "smalluncompressed": {"max.message.bytes": "300", "compression.type": "uncompressed"},
    "compact": {"cleanup.policy": "compact"},
    "append": {"message.timestamp.type": "LogAppendTime"},
    "appendgzip": {"message.timestamp.type": "LogAppendTime", "compression.type": "gzip"},
    "window": {"message.timestamp.before.max.ms": "3600000", "message.timestamp.after.max.ms": "3600000"},
    "compactwindow": {"cleanup.policy": "compact", "message.timestamp.before.max.ms": "3600000"},
    "gzip": {"compression.type": "gzip"},
    "snappy": {"compression.type": "snappy"},
    "lz4": {"compression.type": "lz4"},
    "zstd": {"compression.type": "zstd"},
    "uncompressed": {"compression.type": "uncompressed"},
    "segment": {"max.message.bytes": "3000000", "segment.bytes": "1048576"},
    "large": {"max.message.bytes": "2000000"},
}
NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)


# ---- numbers and checksums

def crc_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def xxh32(data):
    """For inputs below 16 bytes only."""
    p1, p2, p3, p4, p5 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1
    mask = 0xFFFFFFFF
    rotl = lambda x, r: (x << r | x >> 32 - r) & mask
    assert len(data) < 16
    h = p5 + len(data) & mask
    while len(data) >= 4:
        h = rotl(h + int.from_bytes(data[:4], "little") * p3 & mask, 17) * p4 & mask
        data = data[4:]
    for byte in data:
        h = rotl(h + byte * p5 & mask, 11) * p1 & mask
    h = (h ^ h >> 15) * p2 & mask
    h = (h ^ h >> 13) * p3 & mask
    return h ^ h >> 16


def varint(value):
    raw = (value << 1) ^ (value >> 63)
    out = b""
    while raw > 127:
        out, raw = out + bytes([raw & 127 | 128]), raw >> 7
    return out + bytes([raw])


# ---- records and batches, honest unless told otherwise

def field(data):
    return varint(-1) if data is None else varint(len(data)) + data


def record(offset, ts=0, key=b"k", value=b"value", attributes=0, headers=(), length_add=0, tail=b"", raw_headers=None,
           raw_key=None, raw_value=None):
    body = struct.pack("b", attributes) + varint(ts) + varint(offset)
    body += (field(key) if raw_key is None else raw_key) + (field(value) if raw_value is None else raw_value)
    if raw_headers is None:
        raw_headers = varint(len(headers)) + b"".join(field(k) + field(v) for k, v in headers)
    body += raw_headers + tail
    return varint(len(body) + length_add) + body


def wordy(one):
    """The same record with its length and key length in more bytes than needed."""
    assert one[0] < 0x80 and one[4] < 0x80
    return bytes([one[0] + 4 | 0x80, 0]) + one[1:4] + bytes([one[4] | 0x80, 0x80, 0]) + one[5:]


def xerial(data, block=None):
    return (b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
            + (lambda b: struct.pack(">i", len(b)) + b)(snappy_block(data) if block is None else block))


def snappy_block(data):
    """Literals only."""
    out, n = b"", len(data)
    while True:
        out, n = out + bytes([n & 127 | (128 if n > 127 else 0)]), n >> 7
        if not n:
            break
    for at in range(0, len(data), 60):
        part = data[at:at + 60]
        out += bytes([len(part) - 1 << 2]) + part
    return out


def lz4_frame(data, flags=0x60, bd=0x40, hc=None, block_sum=None, tail=b"", end=b"\0\0\0\0", size=b"", field=None):
    """One stored block."""
    descriptor = bytes([flags, bd]) + size
    hc = xxh32(descriptor) >> 8 & 255 if hc is None else hc
    block = struct.pack("<I", len(data) | 1 << 31 if field is None else field) + data
    return (b"\x04\x22\x4d\x18" + descriptor + bytes([hc]) + block
            + (b"" if block_sum is None else struct.pack("<I", block_sum)) + end + tail)


def zstd_frame(data):
    """One raw block, window of 128 KiB, no content size."""
    return b"\x28\xb5\x2f\xfd" + bytes([0x00, 7 << 3]) + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def compress(codec, data):
    return [lambda d: d, lambda d: gzip.compress(d, mtime=0), xerial, lz4_frame, zstd_frame][codec](data)


def batch(records, codec=NONE, attributes=0, magic=2, base=0, epoch=-1, count=None, last=None, ts=None, max_ts=None,
          pid=-1, pepoch=-1, seq=-1, crc_xor=0, length_add=0, payload=None):
    ts = NOW if ts is None else ts
    n = len(records)
    payload = compress(codec, b"".join(records)) if payload is None else payload
    tail = struct.pack(">hiqqqhii", attributes | codec, n - 1 if last is None else last, ts,
                       ts if max_ts is None else max_ts, pid, pepoch, seq, n if count is None else count) + payload
    body = struct.pack(">ibI", epoch, magic, crc32c(tail) ^ crc_xor) + tail
    return struct.pack(">qi", base, len(body) + length_add) + body


def old_message(magic, value=b"v"):
    body = struct.pack("bb", magic, 0) + (struct.pack(">q", NOW) if magic else b"")
    body += struct.pack(">i", -1) + struct.pack(">i", len(value)) + value
    body = struct.pack(">I", zlib.crc32(body)) + body
    return struct.pack(">qi", 0, len(body)) + body


NOW = int(time.time() * 1000)
HOUR = 3600 * 1000


def cases():
    """(name, topic, records[, produce version])"""
    two = [record(0), record(1)]
    good = batch(two)
    for name in ["plain", "small", "compact", "append", "window"]:
        yield "good", name, good
    yield "no bytes", "plain", b""
    yield "null records", "plain", None
    yield "some bytes", "plain", good[:10]
    yield "16 bytes", "plain", good[:16]
    yield "header only", "plain", good[:61]
    yield "last byte missing", "plain", good[:-1]
    yield "length one more", "plain", batch(two, length_add=1)
    yield "length one less", "plain", batch(two, length_add=-1)
    yield "length 48", "plain", good[:8] + struct.pack(">i", 48) + good[12:60]
    yield "length 14", "plain", good[:8] + struct.pack(">i", 14) + good[12:26]
    yield "length 13", "plain", good[:8] + struct.pack(">i", 13) + good[12:]
    yield "length 0", "plain", good[:8] + struct.pack(">i", 0) + good[12:]
    yield "length negative", "plain", good[:8] + struct.pack(">i", -1) + good[12:]
    yield "length greatest", "plain", good[:8] + struct.pack(">i", 2**31 - 1) + good[12:]
    yield "length negative, 12 bytes", "plain", good[:8] + struct.pack(">i", -1)
    yield "two batches", "plain", good + good
    yield "trailing 5 zeros", "plain", good + b"\0" * 5
    yield "trailing 16 zeros", "plain", good + b"\0" * 16
    yield "trailing 20 zeros", "plain", good + b"\0" * 20
    yield "trailing half batch", "plain", good + good[:40]
    yield "trailing 61 of a batch", "plain", good + good[:61]
    yield "trailing unknown magic", "plain", good + good[:16] + b"\7" + good[17:]
    for magic in [0, 1]:
        yield "magic %d" % magic, "plain", old_message(magic)
        yield "v2 then magic %d" % magic, "plain", good + old_message(magic)
    for magic in [0, 1, 3, -1, 127]:
        yield "v2 claiming magic %d" % magic, "plain", batch(two, magic=magic)
    yield "bad checksum", "plain", batch(two, crc_xor=1)
    yield "bad checksum, too large", "small", batch([record(0, value=b"x" * 400)], crc_xor=1)
    yield "base offset 5", "plain", batch(two, base=5)
    yield "base offset -1", "plain", batch(two, base=-1)
    yield "base offset 5, too large", "small", batch([record(0, value=b"x" * 400)], base=5)
    yield "too large", "small", batch([record(0, value=b"x" * 400)])
    yield "largest", "small", batch([record(0, value=b"x" * (300 - 61 - 10))])
    yield "one above largest", "small", batch([record(0, value=b"x" * (301 - 61 - 10))])
    yield "above the segment", "segment", batch([record(0, value=b"x" * 1100000)])
    yield "leader epoch set", "plain", batch(two, epoch=77)
    yield "control", "plain", batch([record(0, key=b"\0\0\0\1", value=b"\0\0\0\0\0\0")], attributes=32)
    yield "control with producer without sequence", "plain", batch([record(0)], attributes=32, pid=1, pepoch=0)
    yield "transactional", "plain", batch(two, attributes=16)
    yield "transactional with producer", "plain", batch(two, attributes=16, pid=4000, pepoch=0, seq=0)
    yield "delete horizon", "plain", batch(two, attributes=64)
    yield "unused attribute bits", "plain", batch(two, attributes=0x3f80)
    yield "all unused attribute bits", "plain", batch(two, attributes=-128)
    for codec in [5, 6, 7]:
        yield "codec %d" % codec, "plain", batch(two, attributes=codec)
        yield "codec %d, bad checksum" % codec, "plain", batch(two, attributes=codec, crc_xor=1)
        yield "codec %d, two batches" % codec, "plain", batch(two, attributes=codec) * 2
    yield "producer without sequence", "plain", batch(two, pid=4000, pepoch=0)
    yield "producer -2", "plain", batch(two, pid=-2, pepoch=0, seq=-1)
    yield "producer", "plain", batch(two, pid=4001, pepoch=0, seq=0)
    yield "sequence without producer", "plain", batch(two, seq=3)
    yield "producer with sequence -5", "plain", batch(two, pid=4000, pepoch=0, seq=-5)
    # counts
    yield "no record", "plain", batch([])
    yield "no record, last 0", "plain", batch([], last=0)
    yield "count 0", "plain", batch(two, count=0)
    yield "count -1", "plain", batch(two, count=-1)
    yield "count 1, last 1", "plain", batch(two, count=1)
    yield "count 3, last 1", "plain", batch(two, count=3)
    yield "last -1", "plain", batch(two, last=-1)
    yield "last -5", "plain", batch(two, last=-5)
    yield "last greatest", "plain", batch(two, last=2**31 - 1)
    yield "count and last greatest", "plain", batch(two, last=2**31 - 2, count=2**31 - 1)
    for codec in range(5):
        n = ["none", "gzip", "snappy", "lz4", "zstd"][codec]
        make = lambda recs, codec=codec, **kw: batch(recs, codec=codec, **kw)
        yield n + ": good", "plain", make(two)
        yield n + ": headers", "plain", make([record(0, headers=[(b"a", b"1"), (b"", None), (b"a", b"")])])
        yield n + ": one record fewer than said", "plain", make(two, count=3, last=2)
        yield n + ": one record more than said", "plain", make(two, count=1, last=0)
        yield n + ": byte after the records", "plain", make(two + [b"\0"], count=2, last=1)
        yield n + ": count 0, last 0", "plain", make(two, count=0, last=0)
        yield n + ": control", "plain", make([record(0, key=b"\0\0\0\1", value=b"\0\0\0\0\0\0")], attributes=32)
        # offsets inside
        yield n + ": offsets 1 2", "plain", make([record(1), record(2)])
        yield n + ": offsets 0 0", "plain", make([record(0), record(0)])
        yield n + ": offsets 1 0", "plain", make([record(1), record(0)])
        yield n + ": offsets 0 5", "plain", make([record(0), record(5)])
        yield n + ": offsets 0 5, last 5", "plain", make([record(0), record(5)], last=5)
        yield n + ": offsets -1 0", "plain", make([record(-1), record(0)])
        # records
        yield n + ": record attributes", "plain", make([record(0, attributes=3), record(1, attributes=-1)])
        yield n + ": null key and value", "plain", make([record(0, key=None, value=None)])
        yield n + ": key length -5", "plain", make([record(0, raw_key=varint(-5))])
        yield n + ": value length -5", "plain", make([record(0, raw_value=varint(-5))])
        yield n + ": key beyond record", "plain", make([record(0, raw_key=varint(100) + b"k"), record(1)])
        yield n + ": key beyond batch", "plain", make([record(0, raw_key=varint(100000) + b"k"), record(1)])
        yield n + ": value beyond record", "plain", make([record(0, raw_value=varint(10) + b"v"), record(1)])
        yield n + ": value beyond batch", "plain", make([record(0, raw_value=varint(2**31 - 1) + b"v"), record(1)])
        yield n + ": length one more", "plain", make([record(0, length_add=1), record(1)])
        yield n + ": last length one more", "plain", make([record(0), record(1, length_add=1)])
        yield n + ": length one less", "plain", make([record(0, length_add=-1), record(1)])
        yield n + ": length negative", "plain", make([b"\x01" + record(0)[1:], record(1)])
        yield n + ": length 0", "plain", make([b"\x00", record(1)])
        yield n + ": length greatest", "plain", make([varint(2**31 - 1) + record(0)[1:], record(1)])
        yield n + ": length of six bytes", "plain", make([b"\x80\x80\x80\x80\x80\x01" + record(0)[1:], record(1)])
        yield n + ": timestamp of eleven bytes", "plain", make([
            b"\x20\0" + b"\x80" * 10 + b"\1" + b"\0\1\1\0", record(1)])
        yield n + ": byte after the headers", "plain", make([record(0, tail=b"x"), record(1)])
        yield n + ": header count -1", "plain", make([record(0, raw_headers=varint(-1)), record(1)])
        yield n + ": header count 1000", "plain", make([record(0, raw_headers=varint(1000)), record(1)])
        yield n + ": header count 3 of 1", "plain", make([record(0, raw_headers=varint(3) + field(b"a") + field(b"b")), record(1)])
        yield n + ": header key null", "plain", make([record(0, raw_headers=varint(1) + varint(-1) + varint(-1)), record(1)])
        yield n + ": header key too long", "plain", make([record(0, raw_headers=varint(1) + varint(50) + b"x"), record(1)])
        yield n + ": header value -7", "plain", make([record(0, raw_headers=varint(1) + field(b"a") + varint(-7)), record(1)])
        yield n + ": header value too long", "plain", make([record(0, raw_headers=varint(1) + field(b"a") + varint(70)), record(1)])
        yield n + ": header key no text", "plain", make([record(0, headers=[(b"\xff\xfe", b"1")])])
        # keys on a compacted topic
        yield n + ": keys", "compact", make(two)
        yield n + ": tombstone", "compact", make([record(0, value=None)])
        yield n + ": empty key", "compact", make([record(0, key=b"")])
        yield n + ": one key missing", "compact", make([record(0), record(1, key=None), record(2)])
        yield n + ": five keys missing", "compact", make([record(i, key=None) for i in range(5)])
        yield n + ": key length -5", "compact", make([record(0, raw_key=varint(-5))])
        yield n + ": key missing, then malformed", "compact", make([record(0, key=None), record(1, length_add=9)])
        # timestamps
        future = [record(0), record(1, ts=2 * HOUR), record(2, ts=3 * HOUR)]
        yield n + ": future", "plain", make(future)
        yield n + ": future", "append", make(future)
        yield n + ": past", "plain", make([record(0, ts=-NOW), record(1, ts=-2 * HOUR)])
        yield n + ": past", "window", make([record(0), record(1, ts=-2 * HOUR)])
        yield n + ": past", "append", make([record(0), record(1, ts=-2 * HOUR)])
        yield n + ": future max timestamp only", "plain", make(two, max_ts=NOW + 5 * HOUR)
        yield n + ": no timestamps", "window", make(two, ts=-1)
        yield n + ": no timestamp among others", "window", make([record(0), record(1, ts=-NOW - 1)], max_ts=NOW)
        yield n + ": timestamp -2", "plain", make([record(0)], ts=-2)
        yield n + ": timestamp -2", "window", make([record(0)], ts=-2)
        yield n + ": timestamp least", "plain", make([record(0)], ts=-2**63)
        yield n + ": timestamp greatest", "plain", make([record(0)], ts=2**63 - 1)
        yield n + ": timestamp overflow", "plain", make([record(0, ts=10)], ts=2**63 - 1)
        yield n + ": max timestamp wrong", "plain", make([record(0, ts=3), record(1, ts=1)])
        yield n + ": max timestamp -1", "plain", make(two, max_ts=-1)
        yield n + ": log append time said", "plain", make(two, attributes=8)
        yield n + ": log append time said", "append", make(two, attributes=8)
        yield n + ": log append time said, max -1", "plain", make(two, attributes=8, max_ts=-1)
        yield n + ": log append time said, max past", "window", make(two, attributes=8, max_ts=NOW - 2 * HOUR)
        yield n + ": log append time said, max future", "plain", make(two, attributes=8, max_ts=NOW + 2 * HOUR)
        yield n + ": delete horizon", "plain", make(two, attributes=64)
        yield n + ": key and time wrong", "compactwindow", make([record(0, key=None, ts=-2 * HOUR), record(1, ts=-3 * HOUR), record(2, key=None)])
        # other codecs asked for by the topic
        for topic in ["gzip", "snappy", "lz4", "zstd", "uncompressed", "appendgzip"]:
            yield n + ": good", topic, make([record(0, ts=1), record(1, ts=0, headers=[(b"h", b"v")])])
            yield n + ": offsets 1 2", topic, make([record(1), record(2)])
        yield n + ": control", "lz4", make([record(0, key=b"\0\0\0\1", value=b"\0\0\0\0\0\0")], attributes=32)
        yield n + ": producer", "lz4", make(two, pid=5000 + codec, pepoch=2, seq=0)
        yield n + ": record attributes", "lz4", make([record(0, attributes=3)])
        yield n + ": delete horizon", "lz4", make(two, attributes=64)
        yield n + ": unused attribute bits", "lz4", make(two, attributes=0x3f80)
        yield n + ": log append time said", "lz4", make(two, attributes=8)
        yield n + ": no timestamps", "lz4", make(two, ts=-1)
        yield n + ": leader epoch set", "lz4", make(two, epoch=77)
        yield n + ": length one more", "lz4", make([record(0, length_add=1), record(1)])
        yield n + ": length one less", "lz4", make([record(0, length_add=-1), record(1)])
        yield n + ": length greatest", "lz4", make([varint(2**31 - 1) + record(0)[1:], record(1)])
        yield n + ": length negative", "lz4", make([b"\x01" + record(0)[1:], record(1)])
        yield n + ": key beyond record", "lz4", make([record(0, raw_key=varint(100) + b"k"), record(1)])
        yield n + ": last length one more", "lz4", make([record(0), record(1, length_add=1)])
        yield n + ": length 0", "lz4", make([b"\x00", record(1)])
        yield n + ": length of six bytes", "lz4", make([b"\x80\x80\x80\x80\x80\x01" + record(0)[1:], record(1)])
        yield n + ": timestamp of eleven bytes", "lz4", make([
            b"\x20\0" + b"\x80" * 10 + b"\1" + b"\0\1\1\0", record(1)])
        yield n + ": header count -1", "lz4", make([record(0, raw_headers=varint(-1)), record(1)])
        yield n + ": header count 1000", "lz4", make([record(0, raw_headers=varint(1000)), record(1)])
        yield n + ": one record more than said", "lz4", make(two, count=1, last=0)
        yield n + ": wordy numbers", "lz4", make([wordy(record(0)), wordy(record(1))])
        yield n + ": wordy numbers", "plain", make([wordy(record(0)), wordy(record(1))])
        yield n + ": byte after the headers", "lz4", make([record(0, tail=b"x"), record(1)])
        yield n + ": byte after the records", "lz4", make(two + [b"\0"], count=2, last=1)
        yield n + ": one record fewer than said", "lz4", make(two, count=3, last=2)
        yield n + ": header key null", "lz4", make([record(0, raw_headers=varint(1) + varint(-1) + varint(-1)), record(1)])
        yield n + ": header key no text", "lz4", make([record(0, headers=[(b"\xff\xfe", b"1")])])
        yield n + ": key length -5", "lz4", make([record(0, raw_key=varint(-5))])
        yield n + ": compressible, too large only uncompressed", "smallgzip", make([record(0, value=b"x" * 400)])
        yield n + ": too large only uncompressed", "smalluncompressed", make([record(0, value=b"x" * 400)])
        if codec:
            yield n + ": garbage", "plain", make(two, payload=bytes(range(100, 150)))
            yield n + ": nothing", "plain", make(two, payload=b"")
            whole = compress(codec, b"".join(two))
            yield n + ": truncated in the middle", "plain", make(two, payload=whole[:-len(two[1]) - 8])
            yield n + ": last byte missing", "plain", make(two, payload=whole[:-1])
            yield n + ": trailing garbage", "plain", make(two, payload=whole + b"garbage")
            yield n + ": trailing zero", "plain", make(two, payload=whole + b"\0")
            yield n + ": two frames", "plain", make(two, payload=compress(codec, two[0]) + compress(codec, two[1]))
            yield n + ": two frames, the second empty", "plain", make(two, payload=whole + compress(codec, b""))
            yield n + ": first byte wrong", "plain", make(two, payload=bytes([whole[0] ^ 1]) + whole[1:])
            yield n + ": garbage", "uncompressed", make(two, payload=bytes(range(100, 150)))
            yield n + ": trailing garbage", "uncompressed", make(two, payload=whole + b"garbage")
    joined = b"".join(two)
    whole = gzip.compress(joined, mtime=0)
    yield "gzip: wrong inner checksum", "plain", batch(two, GZIP, payload=whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    yield "gzip: wrong inner length", "plain", batch(two, GZIP, payload=whole[:-1] + b"\1")
    yield "gzip: with a name", "plain", batch(two, GZIP, payload=whole[:3] + b"\x08" + whole[4:10] + b"name\0" + whole[10:])
    yield "gzip: with extra", "plain", batch(two, GZIP, payload=whole[:3] + b"\x04" + whole[4:10] + b"\2\0ab" + whole[10:])
    yield "gzip: reserved flag", "plain", batch(two, GZIP, payload=whole[:3] + b"\x20" + whole[4:])
    yield "gzip: wrong header checksum", "plain", batch(two, GZIP, payload=whole[:3] + b"\x02" + whole[4:10] + b"xx" + whole[10:])
    right = struct.pack("<H", zlib.crc32(whole[:3] + b"\x02" + whole[4:10]) & 0xffff)
    yield "gzip: right header checksum", "plain", batch(two, GZIP, payload=whole[:3] + b"\x02" + whole[4:10] + right + whole[10:])
    yield "gzip: deflate method 9", "plain", batch(two, GZIP, payload=whole[:2] + b"\x09" + whole[3:])
    yield "gzip: zlib instead", "plain", batch(two, GZIP, payload=zlib.compress(joined))
    yield "snappy: without framing", "plain", batch(two, SNAPPY, payload=snappy_block(joined))
    yield "snappy: without framing, short", "plain", batch([record(0, key=None, value=None)], SNAPPY, payload=snappy_block(record(0, key=None, value=None)))
    yield "snappy: without framing, trailing byte", "plain", batch(two, SNAPPY, payload=snappy_block(joined) + b"\0")
    yield "snappy: without framing, length too small", "plain", batch(two, SNAPPY, payload=b"\x05" + snappy_block(joined)[1:])
    yield "snappy: version 0", "plain", batch(two, SNAPPY, payload=xerial(joined)[:8] + struct.pack(">ii", 0, 0) + xerial(joined)[16:])
    yield "snappy: version 2, compatible 2", "plain", batch(two, SNAPPY, payload=xerial(joined)[:8] + struct.pack(">ii", 2, 2) + xerial(joined)[16:])
    yield "snappy: version 7, compatible 1", "plain", batch(two, SNAPPY, payload=xerial(joined)[:8] + struct.pack(">ii", 7, 1) + xerial(joined)[16:])
    yield "snappy: empty chunk first", "plain", batch(two, SNAPPY, payload=xerial(b"")[:16] + struct.pack(">i", 1) + b"\0" + xerial(joined)[16:])
    yield "snappy: zero chunk first", "plain", batch(two, SNAPPY, payload=xerial(b"")[:16] + struct.pack(">i", 0) + xerial(joined)[16:])
    yield "snappy: negative chunk", "plain", batch(two, SNAPPY, payload=xerial(joined)[:16] + struct.pack(">i", -1) + xerial(joined)[20:])
    yield "snappy: chunk too long", "plain", batch(two, SNAPPY, payload=xerial(joined)[:16] + struct.pack(">i", 10000) + xerial(joined)[20:])
    yield "snappy: chunk greatest", "plain", batch(two, SNAPPY, payload=xerial(joined)[:16] + struct.pack(">i", 2**31 - 1) + xerial(joined)[20:])
    far = b"\x40" + bytes([0]) + b"a" + bytes([2 | 59 << 2, 255, 255])
    yield "snappy: copy from before the begin", "plain", batch(two, SNAPPY, payload=xerial(b"", far))
    yield "snappy: claims 2 GiB", "plain", batch(two, SNAPPY, payload=xerial(b"", b"\xff\xff\xff\xff\x07" + snappy_block(joined)[1:]))
    yield "snappy: claims 2 GiB without framing", "plain", batch(two, SNAPPY, payload=b"\xff\xff\xff\xff\x07" + snappy_block(joined)[1:])
    yield "lz4: wrong header checksum", "plain", batch(two, LZ4, payload=lz4_frame(joined, hc=1))
    yield "lz4: dependent blocks", "plain", batch(two, LZ4, payload=lz4_frame(joined, flags=0x40))
    yield "lz4: version 0", "plain", batch(two, LZ4, payload=lz4_frame(joined, flags=0x20))
    yield "lz4: reserved flag", "plain", batch(two, LZ4, payload=lz4_frame(joined, flags=0x62))
    yield "lz4: dictionary flag", "plain", batch(two, LZ4, payload=lz4_frame(joined, flags=0x61))
    yield "lz4: block size 3", "plain", batch(two, LZ4, payload=lz4_frame(joined, bd=0x30))
    yield "lz4: block size 7", "plain", batch(two, LZ4, payload=lz4_frame(joined, bd=0x70))
    yield "lz4: reserved bits of block size", "plain", batch(two, LZ4, payload=lz4_frame(joined, bd=0x41))
    yield "lz4: content size", "plain", batch(two, LZ4, payload=lz4_frame(joined, flags=0x68, size=struct.pack("<q", len(joined))))
    yield "lz4: wrong content size", "plain", batch(two, LZ4, payload=lz4_frame(joined, flags=0x68, size=struct.pack("<q", 5)))
    yield "lz4: content checksum absent", "plain", batch(two, LZ4, payload=lz4_frame(joined, flags=0x64))
    yield "lz4: wrong content checksum", "plain", batch(two, LZ4, payload=lz4_frame(joined, flags=0x64, tail=b"abcd"))
    yield "lz4: wrong block checksum", "plain", batch(two, LZ4, payload=lz4_frame(joined, flags=0x70, block_sum=1))
    one = [record(0, key=None, value=b"a")]
    yield "lz4: right block checksum", "plain", batch(one, LZ4, payload=lz4_frame(one[0], flags=0x70, block_sum=xxh32(one[0])))
    yield "lz4: no end mark", "plain", batch(two, LZ4, payload=lz4_frame(joined, end=b""))
    yield "lz4: block longer than its greatest size", "plain", batch(two, LZ4, payload=lz4_frame(joined, field=70000 | 1 << 31))
    yield "lz4: block beyond the end", "plain", batch(two, LZ4, payload=lz4_frame(joined, field=6000 | 1 << 31))
    yield "lz4: stored block taken for compressed", "plain", batch(two, LZ4, payload=lz4_frame(joined, field=len(joined)))
    yield "zstd: version 7", "plain", batch(two, ZSTD), 7
    for version in [3, 6]:
        yield "zstd: version %d" % version, "plain", batch(two, ZSTD), version
    yield "zstd: version 6, two batches", "plain", batch(two, ZSTD) * 2, 6
    yield "zstd: version 6, bad checksum", "plain", batch(two, ZSTD, crc_xor=1), 6
    yield "zstd: skippable frame first", "plain", batch(two, ZSTD, payload=b"\x50\x2a\x4d\x18\2\0\0\0ab" + zstd_frame(joined))
    yield "zstd: window of 256 MiB", "plain", batch(two, ZSTD, payload=zstd_frame(joined)[:5] + bytes([18 << 3]) + zstd_frame(joined)[6:])
    yield "zstd: window of 128 MiB", "plain", batch(two, ZSTD, payload=zstd_frame(joined)[:5] + bytes([17 << 3]) + zstd_frame(joined)[6:])
    yield "good", "plain", good, 3


# ---- the wire

def string(text):
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text)) + text.encode()


class Connection:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), 30)
        self.correlation = 0

    def take(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data

    def call(self, key, version, body):
        self.correlation += 1
        message = struct.pack(">hhi", key, version, self.correlation) + string("record") + body
        self.socket.sendall(struct.pack(">i", len(message)) + message)
        answer = self.take(struct.unpack(">i", self.take(4))[0])
        assert struct.unpack(">i", answer[:4])[0] == self.correlation
        return Cursor(answer[4:])


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def get(self, form):
        form = ">" + form
        self.at += struct.calcsize(form)
        return struct.unpack(form, self.data[self.at - struct.calcsize(form):self.at])[0]

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def string(self):
        length = self.get("h")
        return None if length < 0 else self.take(length).decode()


def create_topics(connection):
    body = struct.pack(">i", len(TOPICS))
    for name, configs in TOPICS.items():
        body += string("records-" + name) + struct.pack(">ihii", 1, 1, 0, len(configs))
        body += b"".join(string(k) + string(v) for k, v in configs.items())
    answer = connection.call(19, 2, body + struct.pack(">ib", 30000, 0))
    answer.get("i")
    for _ in range(answer.get("i")):
        name, code, message = answer.string(), answer.get("h"), answer.string()
        assert code in (0, 36), (name, code, message)


def produce(connection, topic, records, version):
    body = string(None) + struct.pack(">hii", -1, 10000, 1) + string(topic) + struct.pack(">ii", 1, 0)
    body += struct.pack(">i", -1) if records is None else struct.pack(">i", len(records)) + records
    answer = connection.call(0, version, body)
    answer.get("i"), answer.string(), answer.get("i"), answer.get("i")
    code, base, time_ms = answer.get("h"), answer.get("q"), answer.get("q")
    start = answer.get("q") if version >= 5 else ""
    errors, message = [], None
    if version >= 8:
        errors = [(answer.get("i"), answer.string()) for _ in range(answer.get("i"))]
        message = answer.string()
    return code, base, time_ms, start, errors, message


def stored(connection, topic, offset):
    body = struct.pack(">iiiibi", -1, 1000, 1, 1 << 20, 0, 1) + string(topic) + struct.pack(">iiqi", 1, 0, offset, 1 << 20)
    answer = connection.call(1, 4, body)
    answer.get("i"), answer.get("i"), answer.string(), answer.get("i"), answer.get("i")
    code, _, _ = answer.get("h"), answer.get("q"), answer.get("q")
    for _ in range(max(0, answer.get("i"))):
        answer.take(16)
    data = answer.take(max(0, answer.get("i")))
    return data if code == 0 else b"error %d" % code


def main():
    connection = Connection(sys.argv[1])
    create_topics(connection)
    time.sleep(2)
    print("# What Apache Kafka 4.3.0 answers to record batches; made by record.py, which says what the fields are.")
    for name, topic, records, *version in cases():
        version = version[0] if version else 8
        hexed = "null" if records is None else records.hex()
        if len(hexed) > 20000:
            hexed = "zlib:" + zlib.compress(records).hex()
        try:
            code, base, time_ms, start, errors, message = produce(connection, "records-" + topic, records, version)
            data = stored(connection, "records-" + topic, base) if code == 0 and base >= 0 else b""
        except (ConnectionError, TimeoutError) as error:
            print("\t".join([name, topic, str(version), hexed, "closed", "", "", "", "", "", ""]))
            connection = Connection(sys.argv[1])
            continue
        errors = " | ".join("%d:%s" % (index, text) for index, text in errors)
        message = "null" if message is None else message
        print("\t".join(map(str, [name, topic, version, hexed, code, base, time_ms, start, errors, message, data.hex()])))


main()
