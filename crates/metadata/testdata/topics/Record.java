// Records what Apache Kafka answers to requests that create and delete topics, in order, on a fresh node whose id is 1:
//   oracle/apache-kafka start DIR PORT num.partitions=3 (FORMAT_ARGS turns every feature off but metadata.version and
//   eligible.leader.replicas.version)
//   oracle/apache-kafka jars, then: java -cp "JARS/*" Record.java PORT > recorded.txt
// Each line: api, version, request and response as JSON, separated by tabs. Topic ids differ from run to run: the first
// that a response hands out is written as ID1, the second as ID2, and so on; requests use these names.
// Of the configs that CreateTopics answers, only those that were set are kept after the first topic.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.DataInputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.RequestUtils;

public class Record {
    static final ObjectMapper JSON = new ObjectMapper();
    static final Map<String, String> IDS = new LinkedHashMap<>();
    static Socket socket;

    public static void main(String[] arguments) throws Exception {
        socket = new Socket("127.0.0.1", Integer.parseInt(arguments[0]));
        String x249 = "x".repeat(249), x250 = "x".repeat(250);
        create(topic("a", 1, 1));
        create(topic("a", 1, 1));
        create(topic("b", -1, -1), topic("c", 2, -1), topic("d", -1, 1));
        create(topic("", 1, 1), topic(".", 1, 1), topic("..", 1, 1), topic("a b", 1, 1), topic("ä", 1, 1), topic("a/b", 1, 1));
        create(topic(x249, 1, 1), topic(x250, 1, 1));
        create(topic("e.f", 1, 1));
        create(topic("e_f", 1, 1), topic("e.f", 1, 1));
        create(topic("g.h", 1, 1), topic("g_h", 1, 1));
        create(topic("dup", 1, 1), topic("dup", 2, 1), topic("notdup", 1, 1), topic("dup", 1, 1));
        create(topic("__cluster_metadata", 1, 1), topic("__other", 1, 1));
        create(topic("p0", 0, 1), topic("pm2", -2, 1), topic("r0", 1, 0), topic("rm2", 1, -2), topic("both", 0, 0));
        create(topic("r2", 1, 2), topic("r3", 3, 3));
        create(topic("many", 10001, 1));
        create(topic("many1", 6000, 1), topic("many2", 6000, 1));
        create(topic("bad.name!", 20000, 1));
        create(assigned("as1", -1, -1, new int[][] {{0, 1}, {1, 1}}));
        create(assigned("as2", 2, -1, new int[][] {{0, 1}}), assigned("as3", -1, 1, new int[][] {{0, 1}}), assigned("as4", 1, 1, new int[][] {{0, 1}}));
        create(assigned("as5", -1, -1, new int[][] {{0, 1}, {0, 1}}), assigned("as6", -1, -1, new int[][] {{0, 1}, {2, 1}}), assigned("as7", -1, -1, new int[][] {{1, 1}}));
        create(assigned("as8", -1, -1, new int[][] {{0}}), assigned("as9", -1, -1, new int[][] {{0, 2}}), assigned("as10", -1, -1, new int[][] {{0, 1, 1}}));
        create(assigned("as11", -1, -1, new int[][] {{0, 1}, {1, 1, 2}}), assigned("as12", -1, -1, new int[][] {{0, 2, 1}}), assigned("as13", -1, -1, new int[][] {{-1, 1}}));
        create(config(topic("c1", 1, 1), "cleanup.policy", "compact", "retention.ms", "1000"));
        create(config(topic("c2", 1, 1), "nope", "1"), config(topic("c3", 1, 1), "retention.ms", "x"), config(topic("c4", 1, 1), "retention.ms", null));
        create(config(topic("c5", 1, 1), "retention.ms", null, "nope", null), config(topic("c6", 1, 1), "max.message.bytes", "-1"));
        create(config(topic("c7", 1, 1), "min.compaction.lag.ms", "100", "max.compaction.lag.ms", "10"), config(topic("c8", 0, 1), "retention.ms", "x"));
        create(config(topic("c10", 1, 1), "compression.type", "zstd", "compression.zstd.level", "5", "min.insync.replicas", "2"));
        createOnly(topic("v1", 2, 1), topic("a", 1, 1), topic("v2", 0, 1));
        createOnly(config(topic("v3", 2, 1), "retention.ms", "5"), topic("v1", 1, 1));
        createOnly(topic("most", 9999, 1));
        createOnly(topic("more", 10000, 1));
        createOnly(topic("half1", 5000, 1), topic("half2", 5000, 1), topic("none", 1, 1));
        createOnly(topic("half1", 5000, 1), topic("half2", 4998, 1));
        createOnly(topic("half1", 5000, 1), topic("half2", 4999, 1));
        create(topic("v1", 1, 1));
        for (short version = 2; version < 7; version++) createAs(version, topic("old" + version, 1, 1), topic("a", 1, 1), topic("-bad!", 1, 1));
        create();
        delete((short) 6, state("a", null), state(null, "ID2"), state("nope", null));
        delete((short) 6, state("b", "ID3"), state(null, null), state(null, "AAAAAAAAAAAAAAAAAAAAFQ"));
        delete((short) 6, state("c", null), state("c", null), state("d", null));
        delete((short) 6, state("e.f", null), state(null, "ID6"));
        delete((short) 6, state(null, "ID6"), state(null, "ID6"));
        deleteNames((short) 5, "c", "nope", "c1", "c1");
        deleteNames((short) 1, "e.f", "nope");
        deleteNames((short) 1);
        create(topic("e_f", 1, 1), topic("a", 1, 1));
    }

    static ObjectNode topic(String name, int partitions, int factor) {
        ObjectNode topic = JSON.createObjectNode();
        topic.put("name", name).put("numPartitions", partitions).put("replicationFactor", factor);
        topic.putArray("assignments");
        topic.putArray("configs");
        return topic;
    }

    static ObjectNode assigned(String name, int partitions, int factor, int[][] assignments) {
        ObjectNode topic = topic(name, partitions, factor);
        for (int[] assignment : assignments) {
            ObjectNode one = ((ArrayNode) topic.get("assignments")).addObject().put("partitionIndex", assignment[0]);
            ArrayNode brokers = one.putArray("brokerIds");
            for (int place = 1; place < assignment.length; place++) brokers.add(assignment[place]);
        }
        return topic;
    }

    static ObjectNode config(ObjectNode topic, String... pairs) {
        for (int place = 0; place < pairs.length; place += 2)
            ((ArrayNode) topic.get("configs")).addObject().put("name", pairs[place]).put("value", pairs[place + 1]);
        return topic;
    }

    static ObjectNode state(String name, String id) {
        return JSON.createObjectNode().put("name", name).put("topicId", id == null ? "AAAAAAAAAAAAAAAAAAAAAA" : id);
    }

    static void create(ObjectNode... topics) throws Exception { create((short) 7, false, topics); }
    static void createOnly(ObjectNode... topics) throws Exception { create((short) 7, true, topics); }
    static void createAs(short version, ObjectNode... topics) throws Exception { create(version, false, topics); }

    static void create(short version, boolean validateOnly, ObjectNode... topics) throws Exception {
        ObjectNode request = JSON.createObjectNode();
        request.putArray("topics").addAll(List.of(topics));
        request.put("timeoutMs", 30000).put("validateOnly", validateOnly);
        ask(ApiKeys.CREATE_TOPICS, version, request);
    }

    static void delete(short version, ObjectNode... topics) throws Exception {
        ObjectNode request = JSON.createObjectNode();
        request.putArray("topics").addAll(List.of(topics));
        request.put("timeoutMs", 30000);
        ask(ApiKeys.DELETE_TOPICS, version, request);
    }

    static void deleteNames(short version, String... names) throws Exception {
        ObjectNode request = JSON.createObjectNode();
        ArrayNode list = request.putArray("topicNames");
        for (String name : names) list.add(name);
        request.put("timeoutMs", 30000);
        ask(ApiKeys.DELETE_TOPICS, version, request);
    }

    static void ask(ApiKeys key, short version, ObjectNode request) throws Exception {
        String shown = request.toString();
        for (Map.Entry<String, String> id : IDS.entrySet()) shown = shown.replace("\"" + id.getValue() + "\"", "\"" + id.getKey() + "\"");
        JsonNode real = JSON.readTree(shown);
        Message body = key == ApiKeys.CREATE_TOPICS
            ? CreateTopicsRequestDataJsonConverter.read(real, version) : DeleteTopicsRequestDataJsonConverter.read(real, version);
        RequestHeader header = new RequestHeader(key, version, "record", 1);
        ByteBuffer bytes = RequestUtils.serialize(header.data(), header.headerVersion(), body, version);
        OutputStream out = socket.getOutputStream();
        out.write(ByteBuffer.allocate(4).putInt(bytes.remaining()).array());
        out.write(bytes.array(), bytes.position(), bytes.remaining());
        out.flush();
        DataInputStream in = new DataInputStream(socket.getInputStream());
        byte[] answer = new byte[in.readInt()];
        in.readFully(answer);
        ByteBufferAccessor accessor = new ByteBufferAccessor(ByteBuffer.wrap(answer));
        new ResponseHeaderData(accessor, key.responseHeaderVersion(version));
        JsonNode response = key == ApiKeys.CREATE_TOPICS
            ? CreateTopicsResponseDataJsonConverter.write(new CreateTopicsResponseData(accessor, version), version)
            : DeleteTopicsResponseDataJsonConverter.write(new DeleteTopicsResponseData(accessor, version), version);
        // Topics come back in no order; so that two runs can be compared, they are sorted.
        String list = key == ApiKeys.CREATE_TOPICS ? "topics" : "responses";
        List<JsonNode> topics = new ArrayList<>();
        response.get(list).forEach(topics::add);
        if (key == ApiKeys.CREATE_TOPICS) for (JsonNode topic : topics) name(topic);
        topics.sort((left, right) -> left.toString().compareTo(right.toString()));
        ((ObjectNode) response).putArray(list).addAll(topics);
        String text = response.toString();
        for (Map.Entry<String, String> id : IDS.entrySet()) text = text.replace("\"" + id.getKey() + "\"", "\"" + id.getValue() + "\"");
        System.out.println(key.name + "\t" + version + "\t" + request + "\t" + text);
    }

    static void name(JsonNode topic) {
        JsonNode configs = topic.get("configs");
        if (configs != null && !IDS.isEmpty()) {
            List<JsonNode> kept = new ArrayList<>();
            for (JsonNode config : configs) if (config.get("configSource").asInt() == 1) kept.add(config);
            ((ObjectNode) topic).putArray("configs").addAll(kept);
        }
        JsonNode id = topic.get("topicId");
        if (id != null && !id.asText().equals("AAAAAAAAAAAAAAAAAAAAAA")) IDS.putIfAbsent(id.asText(), "ID" + (IDS.size() + 1));
    }
}
