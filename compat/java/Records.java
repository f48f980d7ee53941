import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** The records that every client here sends, and their digest: defined in ../README.md, in Python in ../records/records.py. */
final class Records {
    static final int PARTITIONS = 3;
    private static final int POOL_SIZE = 16384;
    private static final int LONGEST_VALUE = 300;

    private final int seed;
    private final byte[] pool;

    Records(int seed) {
        this.seed = seed;
        this.pool = pool(seed);
    }

    record One(byte[] key, byte[] value, List<Header> headers) {}

    One record(int index) {
        int mixed = index * (int) 2654435761L + seed;
        int start = Integer.remainderUnsigned(mixed, POOL_SIZE - LONGEST_VALUE);
        byte[] value = Arrays.copyOfRange(pool, start, start + (mixed >>> 16) % (LONGEST_VALUE + 1));
        byte[] key = null;
        if (index % 97 != 13) {
            key = utf8(index % 89 == 17 ? "" : Integer.toString(index));
            if (index % 101 == 7) value = null;
        }
        List<Header> headers = new ArrayList<>(2);
        if (index % 7 == 3) {
            headers.add(new RecordHeader("index", utf8(Integer.toString(index))));
            if (index % 14 == 10) headers.add(new RecordHeader("größe", new byte[0]));
        }
        return new One(key, value, headers);
    }

    /** The bytes that all values are cut from: the top bytes of a 32-bit xorshift. */
    private static byte[] pool(int seed) {
        int state = seed ^ 0x9E3779B9;
        if (state == 0) state = 1;
        byte[] out = new byte[POOL_SIZE];
        for (int at = 0; at < POOL_SIZE; at++) {
            state ^= state << 13;
            state ^= state >>> 17;
            state ^= state << 5;
            out[at] = (byte) (state >>> 24);
        }
        return out;
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** SHA-256 of each partition's records in the order they were added, and of those hashes together. */
    static final class Digest {
        int count;
        private final MessageDigest[] hashes = new MessageDigest[PARTITIONS];
        private final ByteBuffer scratch = ByteBuffer.allocate(4096);

        Digest() throws GeneralSecurityException {
            for (int p = 0; p < PARTITIONS; p++) hashes[p] = MessageDigest.getInstance("SHA-256");
        }

        void add(int partition, long offset, byte[] key, byte[] value, Iterable<Header> headers) {
            scratch.clear().putLong(offset);
            putSized(key);
            putSized(value);
            int countAt = scratch.position();
            scratch.putInt(0);
            int headerCount = 0;
            for (Header header : headers) {
                putSized(utf8(header.key()));
                putSized(header.value());
                headerCount++;
            }
            scratch.putInt(countAt, headerCount).flip();
            hashes[partition].update(scratch);
            count++;
        }

        private void putSized(byte[] content) {
            scratch.putInt(content == null ? -1 : content.length);
            if (content != null) scratch.put(content);
        }

        String line() throws GeneralSecurityException {
            MessageDigest whole = MessageDigest.getInstance("SHA-256");
            for (MessageDigest hash : hashes) whole.update(hash.digest());
            return "sha256=" + HexFormat.of().formatHex(whole.digest()) + " count=" + count;
        }
    }
}
