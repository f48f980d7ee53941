"""aiokafka: produces, and reads by assignment. The command line is in ../README.md."""
import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from records import PARTITIONS, Digest, Records

STALLED_S = 60
BEFORE_WAITING = 10000


async def produce(bootstrap, topic, count, codec, seed):
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type=None if codec == "none" else codec,
        max_batch_size=65536,
        linger_ms=5,
    )
    await producer.start()
    records, digest, sent = Records(int(seed)), Digest(), []
    for index in range(int(count)):
        key, value, headers = records.record(index)
        sent.append(await producer.send(topic, value, key, index % PARTITIONS, headers=headers))
        digest.add(index % PARTITIONS, index // PARTITIONS, key, value, headers)
        if len(sent) == BEFORE_WAITING:
            await asyncio.gather(*sent)
            sent.clear()
    await asyncio.gather(*sent)
    await producer.stop()
    print(digest)


async def consume(bootstrap, topic, count):
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=1 << 22,
    )
    await consumer.start()
    partitions = [TopicPartition(topic, p) for p in range(PARTITIONS)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning()
    total = sum((await consumer.end_offsets(partitions)).values())
    digest = Digest()
    while digest.count < total:
        polled = await consumer.getmany(timeout_ms=STALLED_S * 1000, max_records=10000)
        if not polled:
            sys.exit("no record for %d s after %d" % (STALLED_S, digest.count))
        for messages in polled.values():
            for m in messages:
                digest.add(m.partition, m.offset, m.key, m.value, m.headers)
    await consumer.stop()
    print(digest)
    if digest.count != int(count):
        sys.exit("%d records instead of %s" % (digest.count, count))


if __name__ == "__main__":
    asyncio.run({"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:]))
