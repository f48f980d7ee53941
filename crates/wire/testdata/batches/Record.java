// Makes batches with the classes that Apache's producer and broker use, and prints them as "name<tab>hex" lines.
//
//   java -cp "$KAFKA_JARS/*" Record.java > batches.txt        (Apache Kafka 4.3.0)

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;

public class Record {
    static final long NOW = 1_700_000_000_000L;

    static Compression compression(CompressionType type) {
        return Compression.of(type).build();
    }

    static void print(String name, MemoryRecordsBuilder builder) {
        ByteBuffer buffer = builder.build().buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        System.out.println(name + "\t" + HexFormat.of().formatHex(bytes));
    }

    static byte[] text(int number, int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) bytes[i] = (byte) ('a' + (i / (number + 1) + number) % 26);
        return bytes;
    }

    static void three(MemoryRecordsBuilder builder) {
        Header[] headers = {
            new RecordHeader("trace", new byte[] {1, 2}), new RecordHeader("", null), new RecordHeader("trace", new byte[0])};
        builder.append(NOW, "key".getBytes(), "value".getBytes(), headers);
        builder.append(NOW + 5, null, new byte[0], new Header[0]);
        builder.append(NOW - 3, new byte[0], null, new Header[0]);
    }

    static void legacy(MemoryRecordsBuilder builder, byte magic) {
        long time = magic == 0 ? -1 : NOW;
        builder.append(time, "key".getBytes(), "value".getBytes());
        builder.append(magic == 0 ? -1 : time + 5, (byte[]) null, new byte[0]);
        builder.append(magic == 0 ? -1 : time - 3, new byte[0], (byte[]) null);
    }

    static MemoryRecordsBuilder control(short epoch) {
        return MemoryRecords.builder(ByteBuffer.allocate(1000), RecordBatch.MAGIC_VALUE_V2, Compression.NONE,
            TimestampType.CREATE_TIME, 7, NOW, 4000, epoch, -1, true, true, 3);
    }

    static MemoryRecordsBuilder quorum() {
        return MemoryRecords.builder(ByteBuffer.allocate(1000), RecordBatch.MAGIC_VALUE_V2, Compression.NONE,
            TimestampType.CREATE_TIME, 7, NOW, -1, (short) -1, -1, false, true, 3);
    }

    public static void main(String[] args) {
        for (CompressionType type : CompressionType.values()) {
            MemoryRecordsBuilder small = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), RecordBatch.MAGIC_VALUE_V2,
                compression(type), TimestampType.CREATE_TIME, 0, -1, 4000, (short) 2, 17, false, -1);
            three(small);
            print("three " + type.name, small);
            MemoryRecordsBuilder large = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), RecordBatch.MAGIC_VALUE_V2,
                compression(type), TimestampType.CREATE_TIME, 0, -1, -1, (short) -1, -1, false, -1);
            for (int i = 0; i < 3; i++) large.append(NOW + i, text(i, 3), text(i, 60_000));
            if (type != CompressionType.NONE) print("large " + type.name, large);
        }
        MemoryRecordsBuilder appended = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), RecordBatch.MAGIC_VALUE_V2,
            Compression.NONE, TimestampType.LOG_APPEND_TIME, 100, NOW + 99, 4000, (short) 2, 17, true, 5);
        three(appended);
        print("appended", appended);

        for (byte magic = 0; magic < 2; magic++) {
            for (CompressionType type : List.of(CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4)) {
                MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), magic,
                    compression(type), TimestampType.CREATE_TIME, 50);
                legacy(builder, magic);
                print("magic " + magic + " " + type.name, builder);
            }
        }
        MemoryRecordsBuilder wrapper = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), RecordBatch.MAGIC_VALUE_V1,
            Compression.gzip().build(), TimestampType.LOG_APPEND_TIME, 50, NOW + 99);
        legacy(wrapper, (byte) 1);
        print("magic 1 gzip appended", wrapper);

        MemoryRecordsBuilder builder = control((short) 2);
        builder.appendEndTxnMarker(NOW, new EndTransactionMarker(ControlRecordType.COMMIT, 11));
        print("commit", builder);
        builder = control((short) 2);
        builder.appendEndTxnMarker(NOW, new EndTransactionMarker(ControlRecordType.ABORT, 12));
        print("abort", builder);
        builder = quorum();
        builder.appendLeaderChangeMessage(NOW, new LeaderChangeMessage().setVersion((short) 0).setLeaderId(1)
            .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)))
            .setGrantingVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1))));
        print("leader change", builder);
        builder = quorum();
        builder.appendSnapshotHeaderMessage(NOW, new SnapshotHeaderRecord().setVersion((short) 0).setLastContainedLogTimestamp(NOW));
        print("snapshot header", builder);
        builder = quorum();
        builder.appendSnapshotFooterMessage(NOW, new SnapshotFooterRecord().setVersion((short) 0));
        print("snapshot footer", builder);
        builder = quorum();
        builder.appendKRaftVersionMessage(NOW, new KRaftVersionRecord().setVersion((short) 0).setKRaftVersion((short) 1));
        print("kraft version", builder);
        builder = quorum();
        builder.appendVotersMessage(NOW, new VotersRecord().setVersion((short) 0).setVoters(List.of(
            new VotersRecord.Voter().setVoterId(1).setVoterDirectoryId(new Uuid(1, 2)))));
        print("voters", builder);
    }
}
