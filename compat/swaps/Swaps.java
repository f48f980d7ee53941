import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * One directory, served by Apache Kafka and by Ottla in turn, seen by a client that lives through all of it.
 *
 * <p>Reads from standard input: {@code turn NUMBER apache|ottla clean|kill} once a broker serves, with
 * the end of the one before it. What it holds is compared with the
 * ledger and with what the broker before it said last; then more is written, and what the broker says at the end is kept.
 * Answers {@code ok FIGURES}, or {@code wrong} after a line on standard error for each difference.
 */
final class Swaps {
    private static final ConcurrentLinkedQueue<String> WRONG = new ConcurrentLinkedQueue<>();

    private final String bootstrap;
    private final Path data;
    private final Ledger ledger = new Ledger();
    private final Cluster cluster;
    private final Work work;
    private Map<String, String> metadata;
    private final Map<TopicPartition, Said> said = new HashMap<>();
    private final Map<String, String> groups = new TreeMap<>();
    private long records;

    /** What a broker said of a partition at the end of its turn. */
    private record Said(long latest, long stable, long earliest, String largestTimestamp, Set<String> producers, List<Wire.EpochEnd> epochs) {}

    private Swaps(String bootstrap, Path data) {
        this.bootstrap = bootstrap;
        this.data = data;
        this.cluster = new Cluster(bootstrap);
        this.work = new Work(bootstrap, ledger);
    }

    static void fail(String what) {
        WRONG.add(what);
    }

    public static void main(String[] arguments) throws Exception {
        Swaps swaps = new Swaps(arguments[0], Path.of(arguments[1]));
        var commands = new BufferedReader(new InputStreamReader(System.in));
        for (String command = commands.readLine(); command != null; command = commands.readLine()) {
            String[] words = command.split(" ");
            try {
                swaps.turn(Integer.parseInt(words[1]), words[2].equals("apache"), words[3].equals("clean"));
            } catch (Exception error) {
                error.printStackTrace();
                fail(error.toString());
            }
            int count = WRONG.size();
            for (String wrong = WRONG.poll(); wrong != null; wrong = WRONG.poll()) {
                System.err.println("WRONG turn " + words[1] + " " + words[2] + ": " + wrong.substring(0, Math.min(2000, wrong.length())));
            }
            System.out.println(count == 0 ? "ok " + swaps.records + " records read" : "wrong " + count);
        }
        swaps.work.close();
        System.exit(0);
    }

    private void turn(int turn, boolean apache, boolean clean) throws Exception {
        records = 0;
        if (metadata == null) cluster.create(ledger);
        else check(apache, clean);
        work.turn(turn, apache);
        cluster.turn(turn);
        TopicPartition trimmed = new TopicPartition("trimmed", 0);
        cluster.trim(trimmed, ledger.of(trimmed).lastKey() - 40);
        if (apache) commit(turn);
        awaitCompaction();
        read(true);
        read(false);
        remember();
    }

    /** Everything that the broker before this one had. */
    private void check(boolean apache, boolean clean) throws Exception {
        compare("metadata", metadata, cluster.metadata());
        try (Wire wire = new Wire(bootstrap)) {
            for (TopicPartition partition : said.keySet()) {
                Said before = said.get(partition);
                Said now = say(wire, partition);
                if (!partition.topic().equals("load")) {
                    compare(partition + " latest", before.latest, now.latest);
                    compare(partition + " last stable", before.stable, now.stable);
                    compareProducers(partition, before, now, clean);
                    if (!partition.topic().startsWith("latest") && now.earliest == before.earliest) {
                        compare(partition + " largest timestamp", before.largestTimestamp, now.largestTimestamp);
                    }
                }
                compareStart(partition, before.earliest, now.earliest, clean);
                compareEpochs(partition, before, now);
            }
        }
        read(false);
        read(true);
        if (apache) {
            for (var group : groups.entrySet()) compare("group " + group.getKey(), group.getValue(), cluster.committed(group.getKey()));
        }
    }

    /** After a kill Kafka forgets those that wrote only before a log start in the middle of a segment. */
    private static void compareProducers(TopicPartition partition, Said before, Said now, boolean clean) {
        boolean forgets = !clean && before.earliest > 0;
        if (forgets ? !before.producers.containsAll(now.producers) : !before.producers.equals(now.producers)) {
            fail(partition + " producers: " + now.producers + " instead of " + before.producers);
        }
    }

    /** The begin of a log is written down once a minute and at a clean stop: after a kill records come back that were deleted. */
    private static void compareStart(TopicPartition partition, long before, long now, boolean clean) {
        if (clean ? now != before : now > before) fail(partition + " earliest: " + now + " instead of " + before);
    }

    private static void compare(String what, Object before, Object now) {
        if (before instanceof Map<?, ?> map && now instanceof Map<?, ?> other) {
            map.forEach((key, value) -> {
                if (!value.equals(other.get(key))) fail(what + " " + key + ": " + other.get(key) + " instead of " + value);
            });
            other.keySet().stream().filter(key -> !map.containsKey(key)).forEach(key -> fail(what + " " + key + " is new"));
        } else if (!before.equals(now)) {
            fail(what + ": " + now + " instead of " + before);
        }
    }

    /**
     * Each epoch that has records ended where it did; the newest one may have had more since, in the partition of the load.
     * One that ended before the log began may end earlier once records are back from before that begin.
     */
    private static void compareEpochs(TopicPartition partition, Said saidBefore, Said saidNow) {
        List<Wire.EpochEnd> before = saidBefore.epochs, now = saidNow.epochs;
        long end = 0;
        if (now.size() < before.size()) {
            fail(partition + " knows " + now.size() + " epochs instead of " + before.size());
            return;
        }
        for (int i = 0; i < before.size(); i++) {
            Wire.EpochEnd one = before.get(i);
            boolean newest = i + 1 == before.size();
            boolean empty = one.epoch() == one.asked() && one.endOffset() == end;
            end = one.endOffset();
            if (partition.topic().equals("load") && newest) continue;
            long nowEnd = now.get(i).endOffset();
            boolean isBack = one.endOffset() <= saidBefore.earliest && saidNow.earliest <= nowEnd && nowEnd <= saidBefore.earliest;
            if (saidNow.earliest < saidBefore.earliest && isBack) continue;
            if (one.endOffset() != now.get(i).endOffset() || !empty && one.epoch() != now.get(i).epoch()) {
                fail(partition + " epoch " + i + ": " + now.get(i) + " instead of " + one);
            }
        }
    }

    private Said say(Wire wire, TopicPartition partition) throws Exception {
        return new Said(
            wire.listOffset(partition, -1, false).offset(), wire.listOffset(partition, -1, true).offset(),
            wire.listOffset(partition, -2, false).offset(), wire.listOffset(partition, -3, false).toString(), cluster.producers(partition), wire.epochEnds(partition));
    }

    private void remember() throws Exception {
        metadata = cluster.metadata();
        try (Wire wire = new Wire(bootstrap)) {
            for (String topic : ledger.topics()) {
                for (TopicPartition partition : cluster.partitions(topic)) said.put(partition, say(wire, partition));
            }
        }
    }

    private void commit(int turn) throws Exception {
        var offsets = Map.of(new TopicPartition("plain", 1), new OffsetAndMetadata(turn, "turn " + turn));
        cluster.commit(Work.GROUP, offsets);
        for (String group : List.of(Work.GROUP, Work.GROUP + "-txn")) groups.put(group, cluster.committed(group));
    }

    /** Waits until the dirty part of the compacted topic was compacted, so that both do it. */
    private void awaitCompaction() throws Exception {
        long until = ledger.of(new TopicPartition("latest", 0)).lastKey() - 10;
        for (long deadline = System.nanoTime() + 200_000_000_000L;; Thread.sleep(50)) {
            for (String line : Files.readAllLines(data.resolve("cleaner-offset-checkpoint"))) {
                if (line.startsWith("latest 0 ") && Long.parseLong(line.substring(9)) >= until) return;
            }
            if (System.nanoTime() > deadline) throw new IllegalStateException("not compacted up to " + until);
        }
    }

    /** Reads every topic whole and compares it with the ledger. */
    private void read(boolean committed) throws Exception {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("isolation.level", committed ? "read_committed" : "read_uncommitted");
        config.put("auto.offset.reset", "none");
        config.put("max.partition.fetch.bytes", committed ? 20_000 : 1_000_000);
        config.put("fetch.max.wait.ms", 50);
        List<TopicPartition> partitions = new ArrayList<>();
        Map<TopicPartition, TreeMap<Long, Ledger.Entry>> acknowledged = new HashMap<>();
        Map<TopicPartition, List<Ledger.Found>> found = new HashMap<>();
        for (String topic : ledger.topics()) partitions.addAll(cluster.partitions(topic));
        for (TopicPartition partition : partitions) {
            acknowledged.put(partition, ledger.of(partition));
            found.put(partition, new ArrayList<>());
        }
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> starts = consumer.beginningOffsets(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long deadline = System.nanoTime() + 200_000_000_000L;
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                if (System.nanoTime() > deadline) throw new IllegalStateException("no end is reached in 200 s");
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    var partition = new TopicPartition(record.topic(), record.partition());
                    String digest = Ledger.digest(record.key(), record.value(), record.headers(), record.timestamp());
                    String key = record.key() == null ? "" : new String(record.key(), StandardCharsets.UTF_8);
                    if (record.offset() < ends.get(partition)) {
                        found.get(partition).add(new Ledger.Found(record.offset(), digest, key, record.value() == null));
                        records++;
                    }
                }
            }
            for (TopicPartition partition : partitions) {
                ledger.compare(partition, acknowledged.get(partition), found.get(partition), starts.get(partition),
                    committed).forEach(Swaps::fail);
            }
        }
    }
}
