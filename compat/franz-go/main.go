// franz-go: produces, reads by assignment, creates and deletes topics. The command line is in ../README.md.
//
// As franz-go shows the codec of the batch that a record came in, consume adds `codec=<names>` to its line.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"ottla/compat/records"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const stalled = 60 * time.Second

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

var codecNames = []string{"none", "gzip", "snappy", "lz4", "zstd"}

func main() {
	log.SetFlags(0)
	verb, bootstrap, topic := os.Args[1], os.Args[2], os.Args[3]
	switch verb {
	case "produce":
		produce(bootstrap, topic, number(os.Args[4]), os.Args[5], number(os.Args[6]))
	case "consume":
		consume(bootstrap, topic, number(os.Args[4]))
	case "create", "delete":
		administer(verb, bootstrap, topic)
	default:
		log.Fatalf("no verb %s", verb)
	}
}

func produce(bootstrap, topic string, count int, codec string, seed int) {
	ctx := context.Background()
	client := connect(bootstrap,
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordDeliveryTimeout(stalled),
	)
	source, digest := records.New(uint32(seed)), records.NewDigest()
	var delivered atomic.Int64
	for index := range count {
		record := source.Record(index)
		partition := index % records.Partitions
		client.Produce(ctx, toKafka(record, partition), func(_ *kgo.Record, err error) {
			check(err)
			delivered.Add(1)
		})
		digest.Add(partition, int64(index/records.Partitions), record)
	}
	check(client.Flush(ctx))
	client.Close()
	if delivered.Load() != int64(count) {
		log.Fatalf("%d of %d records delivered", delivered.Load(), count)
	}
	fmt.Println(digest)
}

func toKafka(record records.Record, partition int) *kgo.Record {
	out := &kgo.Record{Key: record.Key, Value: record.Value, Partition: int32(partition)}
	for _, header := range record.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Content})
	}
	return out
}

func consume(bootstrap, topic string, count int) {
	offsets := map[int32]kgo.Offset{}
	for p := range int32(records.Partitions) {
		offsets[p] = kgo.NewOffset().AtStart()
	}
	client := connect(bootstrap, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
	total := 0
	ends, err := kadm.NewClient(client).ListEndOffsets(context.Background(), topic)
	check(err)
	check(ends.Error())
	ends.Each(func(end kadm.ListedOffset) { total += int(end.Offset) })

	digest, seen := records.NewDigest(), [5]bool{}
	for digest.Count < total {
		ctx, cancel := context.WithTimeout(context.Background(), stalled)
		fetches := client.PollFetches(ctx)
		cancel()
		check(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			digest.Add(int(r.Partition), r.Offset, fromKafka(r))
			seen[r.Attrs.CompressionType()] = true
		})
	}
	client.Close()
	var names []string
	for codec, name := range codecNames {
		if seen[codec] {
			names = append(names, name)
		}
	}
	fmt.Printf("%s codec=%s\n", digest, strings.Join(names, "+"))
	if digest.Count != count {
		log.Fatalf("%d records instead of %d", digest.Count, count)
	}
}

func fromKafka(r *kgo.Record) records.Record {
	out := records.Record{Key: r.Key, Value: r.Value}
	for _, header := range r.Headers {
		out.Headers = append(out.Headers, records.Header{Name: header.Key, Content: header.Value})
	}
	return out
}

func administer(verb, bootstrap, topic string) {
	ctx, cancel := context.WithTimeout(context.Background(), stalled)
	defer cancel()
	admin := kadm.NewClient(connect(bootstrap))
	defer admin.Close()
	if verb == "create" {
		_, err := admin.CreateTopic(ctx, records.Partitions, 1, nil, topic)
		check(err)
	} else {
		_, err := admin.DeleteTopic(ctx, topic)
		check(err)
	}
}

func connect(bootstrap string, options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(strings.Split(bootstrap, ",")...))...)
	check(err)
	return client
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
