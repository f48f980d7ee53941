import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** The cluster's topics, configs and groups: made on either side, and the same on the other. */
final class Cluster implements AutoCloseable {
    /** Of topics that have more than one. */
    static final Map<String, Integer> PARTITIONS = Map.of("plain", 3, "txn", 2);
    private static final String SEGMENT_BYTES = "1048576";

    private final Admin admin;

    Cluster(String bootstrap) {
        admin = Admin.create(Map.<String, Object>of("bootstrap.servers", bootstrap, "default.api.timeout.ms", 60_000));
    }

    @Override
    public void close() {
        admin.close(java.time.Duration.ofSeconds(5));
    }

    /** The topics of the whole run. */
    void create(Ledger ledger) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        for (String codec : Work.CODECS) {
            topics.add(topic(ledger, codec.equals("none") ? "plain" : codec, Ledger.Rule.KEPT, Map.of("segment.ms", "3000")));
        }
        topics.add(topic(ledger, "stamped", Ledger.Rule.KEPT, Map.of("message.timestamp.type", "LogAppendTime")));
        topics.add(topic(ledger, "trimmed", Ledger.Rule.KEPT, Map.of()));
        topics.add(topic(ledger, "sequences", Ledger.Rule.KEPT, Map.of("segment.ms", "5000")));
        topics.add(topic(ledger, "txn", Ledger.Rule.KEPT, Map.of("segment.ms", "2000")));
        topics.add(topic(ledger, "load", Ledger.Rule.GROWING, Map.of()));
        for (String name : List.of("latest", "latest-txn")) {
            topics.add(topic(ledger, name, Ledger.Rule.COMPACTED, Map.of(
                "cleanup.policy", "compact", "segment.ms", "100", "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "3000")));
        }
        admin.createTopics(topics).all().get();
    }

    private static NewTopic topic(Ledger ledger, String name, Ledger.Rule rule, Map<String, String> configs) {
        ledger.topic(name, rule);
        Map<String, String> all = new HashMap<>(configs);
        all.put("segment.bytes", SEGMENT_BYTES);
        all.put("retention.ms", "-1");
        return new NewTopic(name, PARTITIONS.getOrDefault(name, 1), (short) 1).configs(all);
    }

    /** One topic more, one changed, one with a partition more, one less; a default of all brokers; records deleted. */
    void turn(int turn) throws Exception {
        var made = new NewTopic("made-" + turn, 1 + turn % 3, (short) 1);
        admin.createTopics(List.of(made.configs(Map.of("retention.ms", Integer.toString(1_000_000 + turn))))).all().get();
        Set<String> names = names();
        String changed = "made-" + (turn - 1);
        String wider = "made-" + (turn - 2);
        String gone = "made-" + (turn - 3);
        if (names.contains(changed)) {
            set(new ConfigResource(ConfigResource.Type.TOPIC, changed), "max.message.bytes", Integer.toString(500_000 + turn));
        }
        if (names.contains(wider)) {
            int partitions = describe().get(wider).partitions().size() + 1;
            admin.createPartitions(Map.of(wider, NewPartitions.increaseTo(partitions))).all().get();
        }
        if (names.contains(gone)) admin.deleteTopics(List.of(gone)).all().get();
        set(new ConfigResource(ConfigResource.Type.BROKER, ""), "log.retention.ms", Integer.toString(700_000_000 + turn));
    }

    /** Deletes the records of a partition before an offset. */
    void trim(TopicPartition partition, long before) throws Exception {
        admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(before))).all().get();
    }

    private void set(ConfigResource resource, String name, String value) throws Exception {
        var change = new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
    }

    private Set<String> names() throws Exception {
        return admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
    }

    private Map<String, TopicDescription> describe() throws Exception {
        return admin.describeTopics(names()).allTopicNames().get();
    }

    /** The partitions of a topic. */
    List<TopicPartition> partitions(String topic) {
        List<TopicPartition> partitions = new ArrayList<>();
        for (int i = 0; i < PARTITIONS.getOrDefault(topic, 1); i++) partitions.add(new TopicPartition(topic, i));
        return partitions;
    }

    /** A line for everything that the metadata says: cluster, topics with ids and partitions, configs that were set. */
    Map<String, String> metadata() throws Exception {
        Map<String, String> lines = new TreeMap<>();
        lines.put("cluster", admin.describeCluster().clusterId().get());
        List<ConfigResource> resources = new ArrayList<>(List.of(new ConfigResource(ConfigResource.Type.BROKER, "")));
        for (TopicDescription topic : describe().values()) {
            lines.put("topic " + topic.name(), topic.topicId() + " internal " + topic.isInternal());
            for (var partition : topic.partitions()) {
                String leader = partition.leader() == null ? "none" : partition.leader().idString();
                lines.put(topic.name() + "-" + partition.partition(),
                    "leader " + leader + " replicas " + ids(partition.replicas()) + " isr " + ids(partition.isr()));
            }
            resources.add(new ConfigResource(ConfigResource.Type.TOPIC, topic.name()));
        }
        admin.describeConfigs(resources).all().get().forEach((resource, config) -> {
            for (ConfigEntry entry : config.entries()) {
                boolean set = entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG
                    || entry.source() == ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG;
                if (set) lines.put("config " + resource + " " + entry.name(), entry.value());
            }
        });
        return lines;
    }

    private static String ids(List<org.apache.kafka.common.Node> nodes) {
        return nodes.stream().map(org.apache.kafka.common.Node::idString).toList().toString();
    }

    /** The producers of a partition, as DescribeProducers lists them. */
    Set<String> producers(TopicPartition partition) throws Exception {
        Set<String> lines = new TreeSet<>();
        var states = admin.describeProducers(List.of(partition)).all().get().get(partition);
        states.activeProducers().forEach(state -> lines.add(state.toString()));
        return lines;
    }

    /** Commits offsets of a group without members. Apache Kafka only. */
    void commit(String group, Map<TopicPartition, OffsetAndMetadata> offsets) throws Exception {
        admin.alterConsumerGroupOffsets(group, offsets).all().get();
    }

    /** The offsets of a group. Apache Kafka only. */
    String committed(String group) throws Exception {
        return new TreeMap<>(Map.of(group, admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().toString()))
            .toString();
    }
}
