import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;

/**
 * Everything that was acknowledged, by partition and offset: what a reader must find, whichever broker it asks. Nothing in
 * here was ever read from a broker but offsets and the timestamps of LogAppendTime, both from the acknowledgements.
 */
final class Ledger {
    /** How a transaction stands. Records without one have {@link #NONE}. */
    static final class Transaction {
        static final Transaction NONE = new Transaction(Outcome.COMMITTED);

        Outcome outcome;

        Transaction(Outcome outcome) {
            this.outcome = outcome;
        }
    }

    enum Outcome { OPEN, COMMITTED, ABORTED }

    /** What becomes of a topic's records with time. */
    enum Rule {
        /** All stay; those before the log's start are gone. */
        KEPT,
        /** Of each key the newest stays, but for tombstones. */
        COMPACTED,
        /** There may be more than was acknowledged: a producer is at work. */
        GROWING
    }

    record Entry(String digest, String key, boolean tombstone, Transaction transaction) {}

    /** A record as a reader found it. */
    record Found(long offset, String digest, String key, boolean tombstone) {}

    private final Map<String, Rule> rules = new TreeMap<>();
    private final Map<TopicPartition, TreeMap<Long, Entry>> entries = new HashMap<>();

    void topic(String name, Rule rule) {
        rules.put(name, rule);
    }

    Iterable<String> topics() {
        return rules.keySet();
    }

    synchronized void add(TopicPartition partition, long offset, Entry entry) {
        Entry before = entries.computeIfAbsent(partition, p -> new TreeMap<>()).put(offset, entry);
        if (before != null) throw new IllegalStateException(partition + " gave offset " + offset + " twice");
    }

    /** All that is acknowledged now; what is added later is not in it. */
    synchronized TreeMap<Long, Entry> of(TopicPartition partition) {
        return new TreeMap<>(entries.getOrDefault(partition, new TreeMap<>()));
    }

    /** The first offset of an open transaction; nothing from there on is stable. */
    private synchronized long firstOpen(TopicPartition partition) {
        for (var entry : entries.getOrDefault(partition, new TreeMap<>()).entrySet()) {
            if (entry.getValue().transaction.outcome == Outcome.OPEN) return entry.getKey();
        }
        return Long.MAX_VALUE;
    }

    /** What is wrong with what a reader found from {@code start} on; {@code acknowledged} is the ledger before it began. */
    List<String> compare(
        TopicPartition partition, TreeMap<Long, Entry> acknowledged, List<Found> found, long start, boolean committed
    ) {
        TreeMap<Long, Entry> expected = new TreeMap<>(acknowledged.tailMap(start));
        if (committed) {
            expected = new TreeMap<>(expected.headMap(firstOpen(partition)));
            expected.values().removeIf(entry -> entry.transaction.outcome != Outcome.COMMITTED);
        }
        List<String> wrong = new ArrayList<>();
        String where = partition + (committed ? " committed" : "");
        Rule rule = rules.get(partition.topic());
        long last = -1;
        for (Found record : found) {
            if (record.offset <= last) wrong.add(where + ": offset " + record.offset + " after " + last);
            last = record.offset;
            Entry entry = expected.get(record.offset);
            if (entry == null && rule != Rule.GROWING) wrong.add(where + ": nobody wrote the record at " + record.offset);
            if (entry != null && !entry.digest.equals(record.digest)) wrong.add(where + ": changed at " + record.offset);
        }
        if (rule != Rule.COMPACTED) {
            TreeMap<Long, Entry> lost = new TreeMap<>(expected);
            found.forEach(record -> lost.remove(record.offset));
            lost.keySet().forEach(offset -> wrong.add(where + ": lost the record at " + offset));
        } else if (committed) {
            compareNewest(where, expected, found, wrong);
        }
        return wrong;
    }

    /** Of each key the newest record must be there; the tombstone of a key may be gone with everything before it. */
    private static void compareNewest(String where, TreeMap<Long, Entry> expected, List<Found> found, List<String> wrong) {
        Map<String, Long> must = new TreeMap<>();
        Map<String, Long> has = new TreeMap<>();
        expected.forEach((offset, entry) -> {
            if (entry.tombstone) must.remove(entry.key);
            else must.put(entry.key, offset);
        });
        found.forEach(record -> {
            if (record.tombstone) has.remove(record.key);
            else has.put(record.key, record.offset);
        });
        if (!must.equals(has)) wrong.add(where + ": the newest of each key are " + has + " instead of " + must);
    }

    /** SHA-256 of everything of a record but its offset. */
    static String digest(byte[] key, byte[] value, Iterable<Header> headers, long timestamp) {
        try {
            MessageDigest hash = MessageDigest.getInstance("SHA-256");
            hash.update(ByteBuffer.allocate(8).putLong(0, timestamp));
            sized(hash, key);
            sized(hash, value);
            for (Header header : headers) {
                sized(hash, header.key().getBytes(StandardCharsets.UTF_8));
                sized(hash, header.value());
            }
            return HexFormat.of().formatHex(hash.digest(), 0, 16);
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static void sized(MessageDigest hash, byte[] content) {
        hash.update(ByteBuffer.allocate(4).putInt(0, content == null ? -1 : content.length));
        if (content != null) hash.update(content);
    }
}
