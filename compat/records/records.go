// Package records has the records that every client here sends, and their digest: defined in ../README.md, in Python in records.py.
package records

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"strconv"
)

// Partitions is how many partitions every topic has; record i goes to partition i modulo this.
const Partitions = 3

const (
	poolSize     = 16384
	longestValue = 300
)

// Header is one header of a record.
type Header struct {
	Name    string
	Content []byte
}

// Record is one record; a nil key or value is a null one.
type Record struct {
	Key, Value []byte
	Headers    []Header
}

// Records are the records of one seed.
type Records struct {
	seed uint32
	pool []byte
}

// New makes the records of seed.
func New(seed uint32) *Records { return &Records{seed, pool(seed)} }

// Record is the record at index.
func (r *Records) Record(index int) Record {
	mixed := uint32(index)*2654435761 + r.seed
	start := mixed % (poolSize - longestValue)
	record := Record{Value: r.pool[start : start+(mixed>>16)%(longestValue+1)]}
	if index%97 != 13 {
		record.Key = []byte{}
		if index%89 != 17 {
			record.Key = strconv.AppendInt(nil, int64(index), 10)
		}
		if index%101 == 7 {
			record.Value = nil
		}
	}
	if index%7 == 3 {
		record.Headers = append(record.Headers, Header{"index", strconv.AppendInt(nil, int64(index), 10)})
		if index%14 == 10 {
			record.Headers = append(record.Headers, Header{"größe", []byte{}})
		}
	}
	return record
}

// pool is the bytes that all values are cut from: the top bytes of a 32-bit xorshift.
func pool(seed uint32) []byte {
	state := seed ^ 0x9E3779B9
	if state == 0 {
		state = 1
	}
	out := make([]byte, poolSize)
	for at := range out {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		out[at] = byte(state >> 24)
	}
	return out
}

// Digest is SHA-256 of each partition's records in the order they were added, and of those hashes together.
type Digest struct {
	Count   int
	hashes  [Partitions]hash.Hash
	scratch []byte
}

// NewDigest makes a digest of nothing.
func NewDigest() *Digest {
	d := &Digest{}
	for p := range d.hashes {
		d.hashes[p] = sha256.New()
	}
	return d
}

// Add takes the next record of partition.
func (d *Digest) Add(partition int, offset int64, record Record) {
	out := binary.BigEndian.AppendUint64(d.scratch[:0], uint64(offset))
	out = appendSized(out, record.Key)
	out = appendSized(out, record.Value)
	out = binary.BigEndian.AppendUint32(out, uint32(len(record.Headers)))
	for _, header := range record.Headers {
		out = appendSized(out, []byte(header.Name))
		out = appendSized(out, header.Content)
	}
	d.hashes[partition].Write(out)
	d.scratch = out
	d.Count++
}

func (d *Digest) String() string {
	whole := sha256.New()
	for _, h := range d.hashes {
		whole.Write(h.Sum(nil))
	}
	return fmt.Sprintf("sha256=%x count=%d", whole.Sum(nil), d.Count)
}

func appendSized(out, content []byte) []byte {
	if content == nil {
		return binary.BigEndian.AppendUint32(out, 0xFFFFFFFF)
	}
	return append(binary.BigEndian.AppendUint32(out, uint32(len(content))), content...)
}
