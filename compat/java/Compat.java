import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Apache's Java client: produces, reads by assignment, creates and deletes topics. The command line is in ../README.md. */
final class Compat {
    private static final Duration STALLED = Duration.ofSeconds(60);

    public static void main(String[] args) throws Exception {
        String bootstrap = args[1];
        String topic = args[2];
        switch (args[0]) {
            case "produce" -> produce(bootstrap, topic, Integer.parseInt(args[3]), args[4], Integer.parseUnsignedInt(args[5]));
            case "consume" -> consume(bootstrap, topic, Integer.parseInt(args[3]));
            case "create", "delete" -> administer(args[0], bootstrap, topic);
            default -> throw new IllegalArgumentException("no verb " + args[0]);
        }
    }

    private static void produce(String bootstrap, String topic, int count, String codec, int seed) throws Exception {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("acks", "all");
        config.put("enable.idempotence", true);
        config.put("compression.type", codec);
        config.put("linger.ms", 5);
        config.put("batch.size", 65536);
        Records records = new Records(seed);
        Records.Digest digest = new Records.Digest();
        AtomicInteger delivered = new AtomicInteger();
        AtomicReference<Exception> failure = new AtomicReference<>();
        try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int index = 0; index < count; index++) {
                int partition = index % Records.PARTITIONS;
                Records.One one = records.record(index);
                producer.send(new ProducerRecord<>(topic, partition, one.key(), one.value(), one.headers()), (metadata, error) -> {
                    if (error == null) delivered.incrementAndGet();
                    else failure.compareAndSet(null, error);
                });
                digest.add(partition, index / Records.PARTITIONS, one.key(), one.value(), one.headers());
            }
            producer.flush();
        }
        if (failure.get() != null) throw failure.get();
        if (delivered.get() != count) throw new IllegalStateException(delivered + " of " + count + " records delivered");
        System.out.println(digest.line());
    }

    private static void consume(String bootstrap, String topic, int count) throws Exception {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("enable.auto.commit", false);
        config.put("auto.offset.reset", "none");
        config.put("max.poll.records", 10000);
        List<TopicPartition> partitions =
            IntStream.range(0, Records.PARTITIONS).mapToObj(p -> new TopicPartition(topic, p)).toList();
        Records.Digest digest = new Records.Digest();
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long total = consumer.endOffsets(partitions).values().stream().mapToLong(Long::longValue).sum();
            while (digest.count < total) {
                ConsumerRecords<byte[], byte[]> polled = consumer.poll(STALLED);
                if (polled.isEmpty()) throw new IllegalStateException("no record for " + STALLED + " after " + digest.count);
                for (ConsumerRecord<byte[], byte[]> r : polled) digest.add(r.partition(), r.offset(), r.key(), r.value(), r.headers());
            }
        }
        System.out.println(digest.line());
        if (digest.count != count) throw new IllegalStateException(digest.count + " records instead of " + count);
    }

    private static void administer(String verb, String bootstrap, String topic) throws Exception {
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", bootstrap))) {
            if (verb.equals("create")) admin.createTopics(List.of(new NewTopic(topic, Records.PARTITIONS, (short) 1))).all().get();
            else admin.deleteTopics(List.of(topic)).all().get();
        }
    }
}
