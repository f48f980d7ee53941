import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * One round of input for the compacted topics of {@code compaction.sh}: records of few and of many keys in all codecs, with
 * tombstones, from idempotent producers and in transactions of both ends. Arguments: address and number of the round, from 1.
 */
final class Input {
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    /** The topics, with the configs in which they differ. In the first one tombstones and markers go in the next round. */
    private static final Map<String, Map<String, String>> TOPICS = Map.of(
        "short-lived", Map.of("delete.retention.ms", "1"),
        "long-lived", Map.of("delete.retention.ms", "86400000"),
        "small", Map.of("delete.retention.ms", "1", "segment.bytes", "1048576", "segment.ms", "400"));

    private final String bootstrap;
    private final int round;
    private final Random random;

    private Input(String bootstrap, int round) {
        this.bootstrap = bootstrap;
        this.round = round;
        this.random = new Random(round);
    }

    public static void main(String[] arguments) throws Exception {
        Input input = new Input(arguments[0], Integer.parseInt(arguments[1]));
        if (input.round == 1) input.create();
        for (String topic : TOPICS.keySet()) input.write(topic);
    }

    private void create() throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        TOPICS.forEach((name, configs) -> {
            Map<String, String> all = new HashMap<>(configs);
            all.put("cleanup.policy", "compact");
            all.put("min.cleanable.dirty.ratio", "0.001");
            all.putIfAbsent("segment.ms", "1500");
            topics.add(new NewTopic(name, 1, (short) 1).configs(all));
        });
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", bootstrap))) {
            admin.createTopics(topics).all().get();
        }
    }

    private void write(String topic) throws Exception {
        for (String codec : CODECS) {
            try (var plain = producer(codec, Map.of());
                 var commits = producer(codec, Map.of("transactional.id", "commits-" + topic));
                 var aborts = producer(codec, Map.of("transactional.id", "aborts-" + topic))) {
                commits.initTransactions();
                aborts.initTransactions();
                for (int part = 0; part < 3; part++) {
                    send(plain, topic, 120);
                    commits.beginTransaction();
                    aborts.beginTransaction();
                    send(commits, topic, 20);
                    send(aborts, topic, 20);
                    send(plain, topic, 20);
                    send(commits, topic, 5);
                    aborts.abortTransaction();
                    commits.commitTransaction();
                }
            }
        }
        // What comes later than segment.ms closes the segment before it, and stays in the one that is not compacted.
        Thread.sleep(1600);
        try (var last = producer("none", Map.of())) {
            last.send(new ProducerRecord<>(topic, 0, bytes("last"), bytes(Integer.toString(round)))).get();
        }
    }

    private void send(KafkaProducer<byte[], byte[]> producer, String topic, int count) {
        for (int i = 0; i < count; i++) {
            String key = i % 2 == 0 ? "few " + random.nextInt(30) : "many " + random.nextInt(3000);
            byte[] value = random.nextInt(6) == 0 ? null : bytes(round + " value ".repeat(random.nextInt(60)));
            producer.send(new ProducerRecord<>(topic, 0, bytes(key), value));
        }
        producer.flush();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private KafkaProducer<byte[], byte[]> producer(String codec, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.put("bootstrap.servers", bootstrap);
        config.put("compression.type", codec);
        config.put("batch.size", 2000);
        config.put("linger.ms", 1);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }
}
