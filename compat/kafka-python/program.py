"""kafka-python: produces, and reads by assignment. The command line is in ../README.md."""
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from records import PARTITIONS, Digest, Records

STALLED_S = 60


def produce(bootstrap, topic, count, codec, seed):
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type=None if codec == "none" else codec,
        batch_size=65536,
        linger_ms=5,
    )
    records, digest, failures = Records(int(seed)), Digest(), []
    for index in range(int(count)):
        key, value, headers = records.record(index)
        producer.send(topic, value, key, headers, index % PARTITIONS).add_errback(failures.append)
        digest.add(index % PARTITIONS, index // PARTITIONS, key, value, headers)
    producer.flush(STALLED_S)
    producer.close()
    if failures:
        sys.exit("%d records not delivered: %s" % (len(failures), failures[0]))
    print(digest)


def consume(bootstrap, topic, count):
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_poll_records=10000,
        max_partition_fetch_bytes=1 << 22,
    )
    partitions = [TopicPartition(topic, p) for p in range(PARTITIONS)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    total = sum(consumer.end_offsets(partitions).values())
    digest = Digest()
    while digest.count < total:
        polled = consumer.poll(timeout_ms=STALLED_S * 1000)
        if not polled:
            sys.exit("no record for %d s after %d" % (STALLED_S, digest.count))
        for messages in polled.values():
            for m in messages:
                digest.add(m.partition, m.offset, m.key, m.value, m.headers)
    consumer.close()
    print(digest)
    if digest.count != int(count):
        sys.exit("%d records instead of %s" % (digest.count, count))


if __name__ == "__main__":
    {"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
