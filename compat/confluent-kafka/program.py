"""confluent-kafka-python (librdkafka): produces, reads by assignment, creates and deletes topics. The command line is in ../README.md."""
import sys

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from records import PARTITIONS, Digest, Records

STALLED_S = 60


def produce(bootstrap, topic, count, codec, seed):
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": codec,
        "linger.ms": 5,
        "queue.buffering.max.messages": 100000,
    })
    records, digest, delivered = Records(int(seed)), Digest(), [0]

    def on_delivery(error, _message):
        if error:
            sys.exit("not delivered: %s" % error)
        delivered[0] += 1

    for index in range(int(count)):
        key, value, headers = records.record(index)
        while True:
            try:
                producer.produce(topic, value, key, index % PARTITIONS, on_delivery=on_delivery, headers=headers)
                break
            except BufferError:
                producer.poll(1)
        producer.poll(0)
        digest.add(index % PARTITIONS, index // PARTITIONS, key, value, headers)
    producer.flush(STALLED_S)
    if delivered[0] != int(count):
        sys.exit("%d of %s records delivered" % (delivered[0], count))
    print(digest)


def consume(bootstrap, topic, count):
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "unused",  # librdkafka wants a name, though nothing is joined and nothing committed
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
    })
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, p), STALLED_S)[1] for p in range(PARTITIONS)]
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    digest, total = Digest(), sum(ends)
    while digest.count < total:
        messages = consumer.consume(min(10000, total - digest.count), STALLED_S)
        if not messages:
            sys.exit("no record for %d s after %d" % (STALLED_S, digest.count))
        for m in messages:
            if m.error() is None:
                digest.add(m.partition(), m.offset(), m.key(), m.value(), m.headers() or [])
            elif m.error().code() != KafkaError._UNSUPPORTED_FEATURE:  # a broker without groups: librdkafka reports that it looked for one
                sys.exit("not read: %s" % m.error())
    consumer.close()
    print(digest)
    if digest.count != int(count):
        sys.exit("%d records instead of %s" % (digest.count, count))


def create(bootstrap, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)], operation_timeout=30)[topic].result(STALLED_S)


def delete(bootstrap, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([topic], operation_timeout=30)[topic].result(STALLED_S)


if __name__ == "__main__":
    {"produce": produce, "consume": consume, "create": create, "delete": delete}[sys.argv[1]](*sys.argv[2:])
