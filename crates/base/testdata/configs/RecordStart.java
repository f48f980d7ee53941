// Offers server.properties to Apache Kafka's own config class, without starting anything, and prints what it says.
//
//   java -cp "$(apache-kafka jars)/*" RecordStart.java < start.txt > start.new
//
// In: lines `key=value[ & key=value]…`, each laid over BASE; `-key` takes a key out of it. Whatever stands after ` => `
// is replaced by Kafka's answer: the listeners it understood, unless they are
// BASE's, or the sentence it refuses with. Recorded from 4.3.0.

import java.util.*;
import java.util.stream.Collectors;
import kafka.server.KafkaConfig;
import org.apache.kafka.common.Endpoint;

public class RecordStart {
    static final Map<String, String> BASE = Map.of(
            "process.roles", "broker,controller",
            "node.id", "1",
            "listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
            "controller.listener.names", "CONTROLLER",
            "controller.quorum.voters", "1@127.0.0.1:9093");

    public static void main(String[] args) {
        Properties base = new Properties();
        base.putAll(BASE);
        String plain = answer(base);
        Scanner in = new Scanner(System.in, "UTF-8");
        while (in.hasNextLine()) {
            String line = in.nextLine();
            if (line.isBlank() || line.startsWith("#")) { System.out.println(line); continue; }
            String input = line.split(" =>", 2)[0];
            Properties props = (Properties) base.clone();
            for (String one : input.split(" & ")) {
                if (one.startsWith("-")) { props.remove(one.substring(1)); continue; }
                String[] kv = one.split("=", 2);
                props.put(kv[0], kv[1]);
            }
            String answer = answer(props);
            System.out.println(input + " => " + (answer.equals(plain) ? "as BASE" : answer));
        }
    }

    static String answer(Properties props) {
        try {
            KafkaConfig config = KafkaConfig.fromProps(props, false);
            return "listeners " + text(scala.jdk.javaapi.CollectionConverters.asJava(config.listeners()))
                    + " advertised " + text(scala.jdk.javaapi.CollectionConverters.asJava(config.effectiveAdvertisedBrokerListeners()))
                    + " inter-broker " + config.interBrokerListenerName().value();
        } catch (Throwable e) {
            return "refused: " + String.valueOf(e.getMessage()).replace("\n", "\\n");
        }
    }

    static String text(Collection<Endpoint> endpoints) {
        return endpoints.stream()
                .map(e -> e.listener() + "(" + e.securityProtocol() + ")://" + e.host() + ":" + e.port())
                .collect(Collectors.joining(","));
    }
}
