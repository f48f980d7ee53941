"""kcat (librdkafka): feeds its input and parses its output. The command line is in ../README.md.

kcat takes its headers once for the whole process, and cannot send an empty and a null value side by side, so it sends
a shape of its own (records.kcat_record): the second half of the records has one and the same header, and null values
are empty instead. An empty line is no record to it, so where there is no value, there is a key, if an empty one. Its input is one partition's half at a time.
"""
import subprocess
import sys

from records import PARTITIONS, Digest, Records, kcat_record

# Long enough to be in no value, which are random bytes.
KEY_END = b"<key|value>"
RECORD_END = b"<record|record>"


def produce(bootstrap, topic, count, codec, seed):
    count, records, digest = int(count), Records(int(seed)), Digest()
    for partition in range(PARTITIONS):
        for half in (range(0, count // 2), range(count // 2, count)):
            indices = [index for index in half if index % PARTITIONS == partition]
            if indices:
                send(bootstrap, topic, codec, partition, [kcat_record(records, index, count) for index in indices])
            for index in indices:
                digest.add(partition, index // PARTITIONS, *kcat_record(records, index, count))
    print(digest)


def send(bootstrap, topic, codec, partition, messages):
    headers = messages[0][2]
    command = ["kcat", "-P", "-q", "-b", bootstrap, "-t", topic, "-p", str(partition), "-z", codec]
    command += ["-K", KEY_END.decode(), "-D", RECORD_END.decode(), "-X", "acks=all", "-X", "enable.idempotence=true"]
    for name, content in headers:
        command += ["-H", "%s=%s" % (name, content.decode())]
    lines = [value if key is None else key + KEY_END + value for key, value, _ in messages]
    # The end also follows the last one: an empty record at the very end would be none otherwise.
    subprocess.run(command, input=RECORD_END.join(lines) + RECORD_END, check=True)


def consume(bootstrap, topic, count):
    """Reads what `-f` prints: a line of partition, offset and the two sizes (-1 is null), then key, value and a line of headers."""
    command = ["kcat", "-C", "-q", "-e", "-b", bootstrap, "-t", topic, "-o", "beginning", "-f", "%p %o %K %S\n%k%s%h\n"]
    command += ["-X", "auto.offset.reset=error"]
    digest = Digest()
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=1 << 20) as kcat:
        while line := kcat.stdout.readline():
            partition, offset, key_size, value_size = map(int, line.split())
            key, value = read_sized(kcat.stdout, key_size), read_sized(kcat.stdout, value_size)
            digest.add(partition, offset, key, value, parse_headers(kcat.stdout.readline()[:-1]))
    print(digest)
    if kcat.returncode or digest.count != int(count):
        sys.exit("status %d, %d records instead of %s" % (kcat.returncode, digest.count, count))


def read_sized(stream, size):
    return None if size < 0 else stream.read(size)


def parse_headers(line):
    pairs = [pair.split(b"=", 1) for pair in line.split(b",")] if line else []
    return [(name.decode(), content) for name, content in pairs]


if __name__ == "__main__":
    {"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
