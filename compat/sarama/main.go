// sarama: produces, and reads by assignment. The command line is in ../README.md.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"ottla/compat/records"

	"github.com/IBM/sarama"
)

const stalled = 60 * time.Second

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func main() {
	log.SetFlags(0)
	verb, bootstrap, topic, count := os.Args[1], os.Args[2], os.Args[3], number(os.Args[4])
	switch verb {
	case "produce":
		produce(bootstrap, topic, count, os.Args[5], number(os.Args[6]))
	case "consume":
		consume(bootstrap, topic, count)
	default:
		log.Fatalf("no verb %s", verb)
	}
}

func produce(bootstrap, topic string, count int, codec string, seed int) {
	config := newConfig()
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1 // what sarama asks for with idempotence
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Compression = codecs[codec]
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.Flush.Frequency = 5 * time.Millisecond
	producer, err := sarama.NewAsyncProducer(strings.Split(bootstrap, ","), config)
	check(err)

	delivered := make(chan int)
	go func() {
		n := 0
		for range producer.Successes() {
			n++
		}
		delivered <- n
	}()
	go func() {
		for failure := range producer.Errors() {
			log.Fatal(failure)
		}
	}()
	source, digest := records.New(uint32(seed)), records.NewDigest()
	for index := range count {
		record := source.Record(index)
		partition := index % records.Partitions
		producer.Input() <- toKafka(topic, record, partition)
		digest.Add(partition, int64(index/records.Partitions), record)
	}
	producer.AsyncClose()
	if n := <-delivered; n != count {
		log.Fatalf("%d of %d records delivered", n, count)
	}
	fmt.Println(digest)
}

func toKafka(topic string, record records.Record, partition int) *sarama.ProducerMessage {
	out := &sarama.ProducerMessage{Topic: topic, Partition: int32(partition)}
	// A nil slice in an Encoder would be an empty key, so nil stays nil.
	if record.Key != nil {
		out.Key = sarama.ByteEncoder(record.Key)
	}
	if record.Value != nil {
		out.Value = sarama.ByteEncoder(record.Value)
	}
	for _, header := range record.Headers {
		out.Headers = append(out.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Content})
	}
	return out
}

func consume(bootstrap, topic string, count int) {
	config := newConfig()
	config.Consumer.Return.Errors = true
	config.Consumer.Fetch.Default = 4 << 20
	client, err := sarama.NewClient(strings.Split(bootstrap, ","), config)
	check(err)
	consumer, err := sarama.NewConsumerFromClient(client)
	check(err)
	digest := records.NewDigest()
	for p := range int32(records.Partitions) {
		end, err := client.GetOffset(topic, p, sarama.OffsetNewest)
		check(err)
		if end > 0 {
			read(consumer, topic, p, end, digest)
		}
	}
	check(consumer.Close())
	fmt.Println(digest)
	if digest.Count != count {
		log.Fatalf("%d records instead of %d", digest.Count, count)
	}
}

// read adds one partition's records up to end, exclusive.
func read(consumer sarama.Consumer, topic string, p int32, end int64, digest *records.Digest) {
	partition, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
	check(err)
	stall := time.NewTimer(stalled)
	for next := int64(0); next < end; {
		select {
		case m := <-partition.Messages():
			next = m.Offset + 1
			digest.Add(int(p), m.Offset, fromKafka(m))
			stall.Reset(stalled)
		case err := <-partition.Errors():
			log.Fatal(err)
		case <-stall.C:
			log.Fatalf("no record for %v after %d", stalled, digest.Count)
		}
	}
	check(partition.Close())
}

func fromKafka(m *sarama.ConsumerMessage) records.Record {
	out := records.Record{Key: m.Key, Value: m.Value}
	for _, header := range m.Headers {
		out.Headers = append(out.Headers, records.Header{Name: string(header.Key), Content: header.Value})
	}
	return out
}

func newConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	return config
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	check(err)
	return n
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
