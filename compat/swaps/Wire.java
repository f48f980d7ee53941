import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.InitProducerIdRequestData;
import org.apache.kafka.common.message.ListOffsetsRequestData;
import org.apache.kafka.common.message.OffsetForLeaderEpochRequestData;
import org.apache.kafka.common.message.OffsetForLeaderEpochResponseData;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.message.ProduceResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.InitProducerIdRequest;
import org.apache.kafka.common.requests.InitProducerIdResponse;
import org.apache.kafka.common.requests.ListOffsetsRequest;
import org.apache.kafka.common.requests.ListOffsetsResponse;
import org.apache.kafka.common.requests.OffsetsForLeaderEpochRequest;
import org.apache.kafka.common.requests.OffsetsForLeaderEpochResponse;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.requests.RequestHeader;

/** Single requests on a connection of their own, for what no client lets one say: sequences, epochs, offsets of epochs. */
final class Wire implements AutoCloseable {
    private final Socket socket;
    private int correlation;

    Wire(String bootstrap) throws IOException {
        int colon = bootstrap.lastIndexOf(':');
        socket = new Socket(bootstrap.substring(0, colon), Integer.parseInt(bootstrap.substring(colon + 1)));
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(30_000);
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }

    AbstractResponse call(ApiKeys api, short version, AbstractRequest request) throws IOException {
        RequestHeader header = new RequestHeader(api, version, "swaps", correlation++);
        ByteBuffer sent = request.serializeWithHeader(header);
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        out.writeInt(sent.remaining());
        out.write(sent.array(), sent.arrayOffset() + sent.position(), sent.remaining());
        out.flush();
        DataInputStream in = new DataInputStream(socket.getInputStream());
        byte[] received = new byte[in.readInt()];
        in.readFully(received);
        return AbstractResponse.parseResponse(ByteBuffer.wrap(received), header);
    }

    /** A producer id that nobody had before. */
    long initProducerId() throws IOException {
        var data = new InitProducerIdRequestData().setTransactionalId(null).setTransactionTimeoutMs(60_000);
        var request = new InitProducerIdRequest.Builder(data).build((short) 4);
        var response = (InitProducerIdResponse) call(ApiKeys.INIT_PRODUCER_ID, (short) 4, request);
        if (response.error() != Errors.NONE) throw new IllegalStateException("InitProducerId: " + response.error());
        return response.data().producerId();
    }

    /** What a batch was answered with. */
    record Produced(Errors error, long baseOffset) {}

    Produced produce(TopicPartition to, long producer, short epoch, int sequence, SimpleRecord... records) throws IOException {
        MemoryRecords batch = MemoryRecords.withIdempotentRecords(Compression.NONE, producer, epoch, sequence, records);
        var topic = new ProduceRequestData.TopicProduceData().setName(to.topic());
        topic.partitionData().add(new ProduceRequestData.PartitionProduceData().setIndex(to.partition()).setRecords(batch));
        var data = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(30_000);
        data.topicData().add(topic);
        var response = (ProduceResponse) call(ApiKeys.PRODUCE, (short) 9, new ProduceRequest(data, (short) 9));
        ProduceResponseData.PartitionProduceResponse answer =
            response.data().responses().iterator().next().partitionResponses().get(0);
        return new Produced(Errors.forCode(answer.errorCode()), answer.baseOffset());
    }

    /** An answer of ListOffsets. */
    record Listed(long offset, long timestamp) {}

    /** What ListOffsets gives for a time, or for one of its named places. */
    Listed listOffset(TopicPartition of, long timestamp, boolean committed) throws IOException {
        var partition = new ListOffsetsRequestData.ListOffsetsPartition().setPartitionIndex(of.partition()).setTimestamp(timestamp);
        var topic = new ListOffsetsRequestData.ListOffsetsTopic().setName(of.topic()).setPartitions(List.of(partition));
        var isolation = committed
            ? org.apache.kafka.common.IsolationLevel.READ_COMMITTED : org.apache.kafka.common.IsolationLevel.READ_UNCOMMITTED;
        var request = ListOffsetsRequest.Builder.forConsumer(true, isolation).setTargetTimes(List.of(topic)).build((short) 8);
        var response = (ListOffsetsResponse) call(ApiKeys.LIST_OFFSETS, (short) 8, request);
        var answer = response.topics().get(0).partitions().get(0);
        if (answer.errorCode() != 0) throw new IllegalStateException(of + ": ListOffsets answers error " + answer.errorCode());
        return new Listed(answer.offset(), answer.timestamp());
    }

    /** An answer to "where did this epoch end". */
    record EpochEnd(int asked, int epoch, long endOffset) {}

    /** Where each of the epochs ended, up to the newest. */
    List<EpochEnd> epochEnds(TopicPartition of) throws IOException {
        List<EpochEnd> ends = new ArrayList<>();
        for (int epoch = 0;; epoch++) {
            var partition = new OffsetForLeaderEpochRequestData.OffsetForLeaderPartition()
                .setPartition(of.partition()).setCurrentLeaderEpoch(-1).setLeaderEpoch(epoch);
            var topic = new OffsetForLeaderEpochRequestData.OffsetForLeaderTopic().setTopic(of.topic())
                .setPartitions(List.of(partition));
            var topics = new OffsetForLeaderEpochRequestData.OffsetForLeaderTopicCollection();
            topics.add(topic);
            var request = OffsetsForLeaderEpochRequest.Builder.forConsumer(topics).build((short) 4);
            var response = (OffsetsForLeaderEpochResponse) call(ApiKeys.OFFSET_FOR_LEADER_EPOCH, (short) 4, request);
            OffsetForLeaderEpochResponseData.EpochEndOffset answer =
                response.data().topics().iterator().next().partitions().get(0);
            if (answer.errorCode() != 0) throw new IllegalStateException(of + " epoch " + epoch + ": error " + answer.errorCode());
            if (answer.leaderEpoch() < 0) return ends;
            ends.add(new EpochEnd(epoch, answer.leaderEpoch(), answer.endOffset()));
        }
    }
}
