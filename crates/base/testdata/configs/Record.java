// Asks a running Apache Kafka about its configs and prints the answers that the tests of base::config compare with.
//
//   java -cp "$(apache-kafka jars)/*" Record.java 127.0.0.1:PORT definitions               > definitions.txt
//   java -cp "$(apache-kafka jars)/*" Record.java 127.0.0.1:PORT refusals  < refusals.txt  > refusals.new
//   java -cp "$(apache-kafka jars)/*" Record.java 127.0.0.1:PORT resolution                > resolution.txt
//
// `definitions` and `refusals` want a node with nothing set but what it needs; `resolution` wants the node that
// resolution.txt names in its head. Recorded from 4.3.0.

import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.ConfigResource.Type;
import org.apache.kafka.common.protocol.Errors;

public class Record {
    public static void main(String[] args) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            switch (args[1]) {
                case "definitions" -> definitions(admin);
                case "refusals" -> refusals(admin);
                case "resolution" -> resolution(admin);
                default -> throw new IllegalArgumentException(args[1]);
            }
        }
    }

    // resource | name | type | default | ro or rw | sensitive or open | doc or nodoc
    static void definitions(Admin admin) throws Exception {
        create(admin, "recorded", Map.of());
        for (ConfigResource resource : List.of(
                new ConfigResource(Type.BROKER, "1"),
                new ConfigResource(Type.TOPIC, "recorded"),
                new ConfigResource(Type.GROUP, "recorded"),
                new ConfigResource(Type.CLIENT_METRICS, "recorded"))) {
            for (ConfigEntry e : describe(admin, resource)) {
                if (e.type() == ConfigEntry.ConfigType.UNKNOWN) continue;
                System.out.println(String.join(" | ", resource.type().name().toLowerCase(Locale.ROOT), e.name(),
                        e.type().name().toLowerCase(Locale.ROOT), defaultOf(e), e.isReadOnly() ? "ro" : "rw",
                        e.isSensitive() ? "sensitive" : "open", e.documentation() == null ? "nodoc" : "doc"));
            }
        }
        delete(admin, "recorded");
    }

    static String defaultOf(ConfigEntry e) {
        for (ConfigEntry.ConfigSynonym s : e.synonyms())
            if (s.source() == ConfigEntry.ConfigSource.DEFAULT_CONFIG) return String.valueOf(s.value());
        return e.source() == ConfigEntry.ConfigSource.DEFAULT_CONFIG ? String.valueOf(e.value()) : "-";
    }

    // In: lines `config=value[ & config=value]…`, whatever stands after ` => ` is replaced by Kafka's answer.
    static void refusals(Admin admin) throws Exception {
        Scanner in = new Scanner(System.in, "UTF-8");
        while (in.hasNextLine()) {
            String line = in.nextLine();
            if (line.isBlank() || line.startsWith("#")) { System.out.println(line); continue; }
            String input = line.split(" =>", 2)[0];
            Map<String, String> configs = new LinkedHashMap<>();
            for (String one : input.split(" & ")) {
                String[] kv = one.split("=", 2);
                configs.put(kv[0], kv[1]);
            }
            System.out.println(input + " => " + answer(admin, configs));
        }
    }

    static String answer(Admin admin, Map<String, String> configs) throws Exception {
        try {
            admin.createTopics(List.of(new NewTopic("refused", 1, (short) 1).configs(configs)),
                    new CreateTopicsOptions().validateOnly(true)).all().get();
            return "NONE";
        } catch (ExecutionException e) {
            return Errors.forException(e.getCause()) + ": " + e.getCause().getMessage().replace("\n", "\\n");
        }
    }

    // what | name | value | source | ro or rw | sensitive or open | synonyms as source:name=value
    static void resolution(Admin admin) throws Exception {
        ConfigResource broker = new ConfigResource(Type.BROKER, "1"), cluster = new ConfigResource(Type.BROKER, "");
        admin.incrementalAlterConfigs(Map.of(
                broker, List.of(set("log.retention.ms", "99999"), set("log.segment.bytes", "4000000"), set("log.cleaner.threads", "2")),
                cluster, List.of(set("log.retention.ms", "88888"), set("log.roll.ms", "555555"), set("message.max.bytes", "1234567")))).all().get();
        Thread.sleep(2000);
        Map<String, String> overrides = Map.of("segment.bytes", "2097152", "flush.messages", " 7 ", "min.cleanable.dirty.ratio", ".250");
        create(admin, "resolved", overrides).forEach(e -> print("created", e));
        Thread.sleep(2000);
        describe(admin, new ConfigResource(Type.TOPIC, "resolved")).forEach(e -> print("topic", e));
        describe(admin, broker).forEach(e -> print("broker", e));
        describe(admin, cluster).forEach(e -> print("cluster", e));
        delete(admin, "resolved");
    }

    static void print(String what, ConfigEntry e) {
        String synonyms = e.synonyms().stream().map(s -> s.source() + ":" + s.name() + "=" + s.value()).collect(Collectors.joining("; "));
        System.out.println(String.join(" | ", what, e.name(), String.valueOf(e.value()), e.source().name(),
                e.isReadOnly() ? "ro" : "rw", e.isSensitive() ? "sensitive" : "open", synonyms));
    }

    static AlterConfigOp set(String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
    }

    static List<ConfigEntry> create(Admin admin, String topic, Map<String, String> configs) throws Exception {
        CreateTopicsResult result = admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(configs)));
        return sorted(result.config(topic).get());
    }

    static void delete(Admin admin, String topic) throws Exception {
        admin.deleteTopics(List.of(topic)).all().get();
    }

    static List<ConfigEntry> describe(Admin admin, ConfigResource resource) throws Exception {
        DescribeConfigsOptions all = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        return sorted(admin.describeConfigs(List.of(resource), all).all().get().get(resource));
    }

    static List<ConfigEntry> sorted(Config config) {
        return config.entries().stream().sorted(Comparator.comparing(ConfigEntry::name)).toList();
    }
}
