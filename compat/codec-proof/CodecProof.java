// Ottla's codecs against Apache Kafka's own classes.
//
// Every line of the input is one message that Ottla made, read and wrote:
//
//   NAME <tab> FROM <tab> JSON in version FROM <tab> TO <tab> hex bytes in version TO, or "refused" <tab> JSON in version TO
//
// Apache Kafka reads the JSON into its own object and writes it as TO: the bytes must be the same, or it must refuse too.
// Then it reads Ottla's bytes back, and what it prints of them must be the JSON that Ottla prints. With a second argument,
// one line per message and version goes there as Apache Kafka wrote it: the recorded encodings of Ottla's own tests.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.PrintWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

public class CodecProof {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HexFormat HEX = HexFormat.of();

    /** A message class with what its JSON converter does. */
    private record Codec(Class<?> type, Method read, Method write) {
        Message fromJson(JsonNode node, short version) throws Throwable {
            return (Message) call(read, node, version);
        }

        JsonNode toJson(Message message, short version) throws Throwable {
            return (JsonNode) call(write, message, version);
        }

        static Object call(Method method, Object... arguments) throws Throwable {
            try {
                return method.invoke(null, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }
    }

    public static void main(String[] arguments) throws Throwable {
        Map<String, Codec> codecs = codecs();
        Set<String> proven = new HashSet<>();
        Map<String, String> recorded = new TreeMap<>();
        Set<String> differing = new HashSet<>();
        int lines = 0;
        int wrong = 0;
        try (BufferedReader input = Files.newBufferedReader(Path.of(arguments[0]))) {
            for (String line = input.readLine(); line != null; line = input.readLine()) {
                String[] parts = line.split("\t", -1);
                Codec codec = codecs.get(parts[0]);
                if (codec == null) {
                    System.out.println("no class of Apache Kafka for " + parts[0]);
                    wrong++;
                    continue;
                }
                lines++;
                String problem = compare(codec, parts);
                if (problem != null) {
                    wrong++;
                    // One line for each message is enough to begin with.
                    if (differing.add(parts[0])) System.out.println(problem + "\n    " + line);
                } else {
                    proven.add(parts[0]);
                    if (parts[1].equals(parts[3]) && parts[4].length() < 1000) {
                        recorded.putIfAbsent(
                            String.format("%s %02d", parts[0], Short.parseShort(parts[1])), parts[2] + "\t" + parts[4]);
                    }
                }
            }
        }
        Set<String> unseen = new HashSet<>(codecs.keySet());
        unseen.removeAll(proven);
        System.out.printf("%d values of %d messages, %d differ%n", lines, proven.size(), wrong);
        System.out.println("classes of Apache Kafka that were not asked: " + unseen);
        if (arguments.length > 1) record(Path.of(arguments[1]), recorded);
        System.exit(wrong == 0 ? 0 : 1);
    }

    /** What is wrong, or null. */
    private static String compare(Codec codec, String[] parts) throws Throwable {
        short from = Short.parseShort(parts[1]);
        short to = Short.parseShort(parts[3]);
        Message message;
        try {
            message = codec.fromJson(JSON.readTree(parts[2]), from);
        } catch (Exception e) {
            return "Apache Kafka does not read it: " + e.getMessage();
        }
        String bytes;
        try {
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, to));
            message.write(new ByteBufferAccessor(buffer), cache, to);
            bytes = buffer.hasRemaining() ? "size is wrong" : HEX.formatHex(buffer.array());
        } catch (Exception e) {
            bytes = "refused";
        }
        if (!bytes.equals(parts[4])) return "Apache Kafka writes " + bytes;
        if (bytes.equals("refused")) return null;
        Message back = (Message) codec.type.getConstructor().newInstance();
        ByteBufferAccessor accessor = new ByteBufferAccessor(ByteBuffer.wrap(HEX.parseHex(parts[4])));
        back.read(accessor, to);
        if (accessor.remaining() > 0) return "Apache Kafka leaves " + accessor.remaining() + " bytes";
        String printed = codec.toJson(back, to).toString();
        // Through text on both sides, because ids and bytes are nodes of their own kinds in memory.
        return withoutRecords(printed).equals(withoutRecords(parts[5])) ? null : "Apache Kafka prints " + printed;
    }

    /** Apache Kafka prints no record batches: an empty text stands for whatever they are. */
    private static JsonNode withoutRecords(String text) throws Exception {
        JsonNode tree = JSON.readTree(text);
        for (String field : new String[] {"records", "unalignedRecords"}) {
            for (JsonNode parent : tree.findParents(field)) {
                if (!parent.get(field).isNull()) ((ObjectNode) parent).put(field, "");
            }
        }
        return tree;
    }

    private static void record(Path file, Map<String, String> recorded) throws Exception {
        try (PrintWriter output = new PrintWriter(Files.newBufferedWriter(file, StandardCharsets.UTF_8))) {
            output.print("# Messages as Apache Kafka 4.3.0 writes them: name, version, JSON, bytes. Made by compat/codec-proof/run.\n");
            recorded.forEach((name, rest) -> output.print(name.replace(' ', '\t') + "\t" + rest + "\n"));
        }
    }

    /** Every generated message class on the class path, by Ottla's name for it. */
    private static Map<String, Codec> codecs() throws Exception {
        Map<String, Codec> codecs = new HashMap<>();
        for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (!path.endsWith(".jar") || !new File(path).getName().startsWith("kafka")) continue;
            try (JarFile jar = new JarFile(path)) {
                for (JarEntry entry : java.util.Collections.list(jar.entries())) {
                    String name = entry.getName();
                    if (!name.endsWith("JsonConverter.class") || name.contains("$")) continue;
                    add(codecs, name.replace('/', '.').replace("JsonConverter.class", ""));
                }
            }
        }
        return codecs;
    }

    private static void add(Map<String, Codec> codecs, String name) throws Exception {
        Class<?> type = Class.forName(name);
        Class<?> converter = Class.forName(name + "JsonConverter");
        Method read = converter.getMethod("read", JsonNode.class, short.class);
        Method write = converter.getMethod("write", type, short.class);
        String simple = type.getSimpleName();
        Codec codec = new Codec(type, read, write);
        codecs.put(simple, codec);
        if (simple.matches(".*(Request|Response|Header)Data")) {
            codecs.remove(simple);
            codecs.put(simple.substring(0, simple.length() - 4), codec);
        }
    }
}
