import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What is written in a turn. Everything that is acknowledged goes to the ledger. */
final class Work implements AutoCloseable {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final String GROUP = "swappers";
    private static final int KEYS = 40;

    private final String bootstrap;
    private final Ledger ledger;
    private final Random random = new Random(4);
    private final List<RawProducer> raw = new ArrayList<>();
    private final List<Open> open = new ArrayList<>();
    private final Load load;
    private int transactions;

    /** An idempotent producer whose every sequence is known here. */
    private static final class RawProducer {
        long id;
        short epoch;
        int next;
        int last;
        long lastOffset = -1;
    }

    /** A transaction that is left open over swaps; {@code turns} of Apache Kafka from now on it ends. */
    private static final class Open {
        KafkaProducer<byte[], byte[]> producer;
        String transactionalId;
        Ledger.Transaction transaction;
        int turns;
        boolean abandoned;
    }

    Work(String bootstrap, Ledger ledger) {
        this.bootstrap = bootstrap;
        this.ledger = ledger;
        this.load = new Load();
    }

    /** One turn's records. */
    void turn(int turn, boolean apache) throws Exception {
        for (String codec : CODECS) {
            try (var producer = producer(codec, Map.of())) {
                send(producer, codec.equals("none") ? "plain" : codec, 300, null);
                if (codec.equals("lz4")) send(producer, "stamped", 100, null);
                if (codec.equals("none")) send(producer, "trimmed", 100, null);
            }
        }
        compacted(turn);
        if (apache) transactional(turn);
        sequences(turn);
        if (!load.isAlive()) load.start();
    }

    /** Two rounds over the same keys, each in a segment of its own; every fifth record is a tombstone. */
    private void compacted(int turn) throws Exception {
        try (var producer = producer(CODECS.get(turn % CODECS.size()), Map.of())) {
            for (int round = 0; round < 2; round++) {
                send(producer, "latest", 120, null);
                Thread.sleep(200);
                send(producer, "latest", 1, null);
            }
        }
    }

    /** Committed, aborted and open ones, some of them in a compacted topic and with a group's offsets. */
    private void transactional(int turn) throws Exception {
        for (var iterator = open.iterator(); iterator.hasNext();) {
            Open one = iterator.next();
            if (--one.turns > 0) continue;
            iterator.remove();
            if (one.abandoned) {
                // As after a crash of the client: its successor ends what it left.
                one.producer.close(java.time.Duration.ZERO);
                try (var successor = producer("none", Map.of("transactional.id", one.transactionalId))) {
                    successor.initTransactions();
                }
                one.transaction.outcome = Ledger.Outcome.ABORTED;
            } else {
                send(one.producer, "txn", 3, one.transaction);
                one.producer.commitTransaction();
                one.producer.close();
                one.transaction.outcome = Ledger.Outcome.COMMITTED;
            }
        }
        String codec = CODECS.get(turn / 2 % CODECS.size());
        try (var committing = producer(codec, Map.of("transactional.id", "commits"));
             var aborting = producer(codec, Map.of("transactional.id", "aborts"))) {
            committing.initTransactions();
            aborting.initTransactions();
            for (int round = 0; round < 4; round++) {
                var committed = new Ledger.Transaction(Ledger.Outcome.OPEN);
                var aborted = new Ledger.Transaction(Ledger.Outcome.OPEN);
                committing.beginTransaction();
                aborting.beginTransaction();
                for (String topic : List.of("txn", "latest-txn")) {
                    send(committing, topic, 10, committed);
                    send(aborting, topic, 10, aborted);
                    send(committing, topic, 5, committed);
                }
                if (round == 2) {
                    var offsets = Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(turn * 10L));
                    committing.sendOffsetsToTransaction(offsets, new ConsumerGroupMetadata(GROUP + "-txn"));
                }
                aborting.abortTransaction();
                aborted.outcome = Ledger.Outcome.ABORTED;
                committing.commitTransaction();
                committed.outcome = Ledger.Outcome.COMMITTED;
                Thread.sleep(60);
            }
        }
        Open one = new Open();
        one.transactionalId = "open-" + transactions;
        one.turns = 1 + transactions % 3;
        one.abandoned = transactions % 2 == 1;
        one.transaction = new Ledger.Transaction(Ledger.Outcome.OPEN);
        one.producer = producer(codec, Map.of("transactional.id", one.transactionalId, "transaction.timeout.ms", 900_000));
        one.producer.initTransactions();
        one.producer.beginTransaction();
        send(one.producer, "txn", 7, one.transaction);
        open.add(one);
        transactions++;
        // Others go on behind it, and are not stable.
        try (var producer = producer("none", Map.of())) {
            send(producer, "txn", 10, null);
        }
    }

    /** The state of three producers: one that writes each turn, one that never does again, one whose epoch is raised. */
    private void sequences(int turn) throws Exception {
        TopicPartition to = new TopicPartition("sequences", 0);
        try (Wire wire = new Wire(bootstrap)) {
            if (raw.isEmpty()) {
                for (int i = 0; i < 3; i++) {
                    RawProducer producer = new RawProducer();
                    producer.id = wire.initProducerId();
                    raw.add(producer);
                    append(wire, to, producer);
                }
            }
            for (RawProducer producer : raw) {
                expect(produce(wire, to, producer, producer.last), Errors.NONE, producer.lastOffset, "a duplicate");
                expect(produce(wire, to, producer, producer.next + 7), Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, -1, "a gap");
            }
            append(wire, to, raw.get(0));
            RawProducer raised = raw.get(2);
            if (turn % 4 == 0) {
                raised.epoch++;
                raised.next = 0;
                append(wire, to, raised);
                raised.epoch--;
                expect(produce(wire, to, raised, raised.next + 2), Errors.INVALID_PRODUCER_EPOCH, -1, "an old epoch");
                raised.epoch++;
            }
        }
    }

    private void append(Wire wire, TopicPartition to, RawProducer producer) throws Exception {
        SimpleRecord[] records = records(producer, producer.next);
        Wire.Produced produced = wire.produce(to, producer.id, producer.epoch, producer.next, records);
        if (produced.error() != Errors.NONE) throw new IllegalStateException("the next sequence: " + produced.error());
        for (int i = 0; i < records.length; i++) {
            byte[] value = new byte[records[i].value().remaining()];
            records[i].value().duplicate().get(value);
            String digest = Ledger.digest(null, value, List.of(), records[i].timestamp());
            ledger.add(to, produced.baseOffset() + i, new Ledger.Entry(digest, "", false, Ledger.Transaction.NONE));
        }
        producer.last = producer.next;
        producer.lastOffset = produced.baseOffset();
        producer.next += records.length;
    }

    private static Wire.Produced produce(Wire wire, TopicPartition to, RawProducer producer, int sequence) throws Exception {
        return wire.produce(to, producer.id, producer.epoch, sequence, records(producer, sequence));
    }

    private static SimpleRecord[] records(RawProducer producer, int sequence) {
        SimpleRecord[] records = new SimpleRecord[5];
        for (int i = 0; i < records.length; i++) {
            String value = producer.id + " " + producer.epoch + " " + (sequence + i);
            records[i] = new SimpleRecord(System.currentTimeMillis(), null, value.getBytes(StandardCharsets.UTF_8));
        }
        return records;
    }

    private static void expect(Wire.Produced produced, Errors error, long offset, String what) {
        if (produced.error() != error || produced.baseOffset() != offset) {
            throw new IllegalStateException(what + " was answered " + produced + " instead of " + error + " at " + offset);
        }
    }

    private KafkaProducer<byte[], byte[]> producer(String codec, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.put("bootstrap.servers", bootstrap);
        config.put("compression.type", codec);
        config.put("linger.ms", 2);
        config.put("batch.size", 4096);
        config.put("delivery.timeout.ms", 120_000);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** Sends records, waits for their acknowledgements and writes them down. */
    private void send(KafkaProducer<byte[], byte[]> producer, String topic, int count, Ledger.Transaction in) throws Exception {
        int partitions = Cluster.PARTITIONS.getOrDefault(topic, 1);
        List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
        List<Future<RecordMetadata>> answers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            ProducerRecord<byte[], byte[]> record = record(topic, i % partitions);
            sent.add(record);
            answers.add(producer.send(record));
        }
        producer.flush();
        for (int i = 0; i < count; i++) note(ledger, sent.get(i), answers.get(i).get(), in);
    }

    static void note(Ledger ledger, ProducerRecord<byte[], byte[]> record, RecordMetadata at, Ledger.Transaction in) {
        // A duplicate is answered with the time of its batch, whatever the topic's timestamps are.
        long timestamp = record.topic().equals("stamped") ? at.timestamp() : record.timestamp();
        String digest = Ledger.digest(record.key(), record.value(), record.headers(), timestamp);
        String key = record.key() == null ? "" : new String(record.key(), StandardCharsets.UTF_8);
        var entry = new Ledger.Entry(digest, key, record.value() == null, in == null ? Ledger.Transaction.NONE : in);
        ledger.add(new TopicPartition(record.topic(), record.partition()), at.offset(), entry);
    }

    private ProducerRecord<byte[], byte[]> record(String topic, int partition) {
        boolean keyed = topic.startsWith("latest");
        byte[] key = keyed || random.nextInt(4) > 0 ? ("key " + random.nextInt(KEYS)).getBytes(StandardCharsets.UTF_8) : null;
        byte[] value = new byte[random.nextInt(topic.equals("trimmed") ? 6000 : 300)];
        random.nextBytes(value);
        if (key != null && random.nextInt(5) == 0) value = null;
        List<Header> headers = new ArrayList<>();
        for (int i = random.nextInt(3); i > 0; i--) headers.add(new RecordHeader("größe " + i, i == 1 ? null : new byte[i]));
        return new ProducerRecord<>(topic, partition, System.currentTimeMillis() - random.nextInt(50), key, value, headers);
    }

    @Override
    public void close() throws Exception {
        load.end = true;
        if (load.isAlive()) load.join();
        for (Open one : open) one.producer.close(java.time.Duration.ZERO);
    }

    /** One idempotent producer that never stops: it is at work when a broker is killed, and goes on with the next one. */
    private final class Load extends Thread {
        volatile boolean end;
        private final Map<String, Object> one = Map.of(
            "max.in.flight.requests.per.connection", 1, "delivery.timeout.ms", 600_000, "max.block.ms", 600_000,
            "reconnect.backoff.max.ms", 200);

        Load() {
            super("load");
            setDaemon(true);
        }

        @Override
        public void run() {
            Map<String, Object> config = new HashMap<>(one);
            config.put("bootstrap.servers", bootstrap);
            config.put("linger.ms", 5);
            try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
                for (long index = 0; !end; index++) {
                    byte[] value = Long.toString(index).getBytes(StandardCharsets.UTF_8);
                    var record = new ProducerRecord<byte[], byte[]>("load", 0, index, null, value);
                    producer.send(record, (at, error) -> {
                        if (error == null) note(ledger, record, at, null);
                        else Swaps.fail("the producer that goes on: " + error);
                    });
                    Thread.sleep(40);
                }
            } catch (Exception error) {
                Swaps.fail("the producer that goes on: " + error);
            }
        }
    }
}
