// The records that every client here sends, and their digest: defined in ../README.md, in Python in ../records/records.py.
const { createHash } = require('crypto')

const PARTITIONS = 3
const POOL_SIZE = 16384
const LONGEST_VALUE = 300

// The records of one seed: `record(index)` is { key, value, headers }, headers being pairs of name and content.
class Records {
  constructor(seed) {
    this.seed = seed >>> 0
    this.pool = pool(this.seed)
  }

  record(index) {
    const mixed = (Math.imul(index, 2654435761) + this.seed) >>> 0
    const start = mixed % (POOL_SIZE - LONGEST_VALUE)
    let value = this.pool.subarray(start, start + ((mixed >>> 16) % (LONGEST_VALUE + 1)))
    let key = null
    if (index % 97 !== 13) {
      key = Buffer.from(index % 89 === 17 ? '' : String(index))
      if (index % 101 === 7) value = null
    }
    const headers = []
    if (index % 7 === 3) {
      headers.push(['index', Buffer.from(String(index))])
      if (index % 14 === 10) headers.push(['größe', Buffer.alloc(0)])
    }
    return { key, value, headers }
  }
}

// The bytes that all values are cut from: the top bytes of a 32-bit xorshift.
function pool(seed) {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1
  const out = Buffer.alloc(POOL_SIZE)
  for (let at = 0; at < POOL_SIZE; at++) {
    state = (state ^ (state << 13)) >>> 0
    state = (state ^ (state >>> 17)) >>> 0
    state = (state ^ (state << 5)) >>> 0
    out[at] = state >>> 24
  }
  return out
}

// SHA-256 of each partition's records in the order they were added, and of those hashes together.
class Digest {
  constructor() {
    this.hashes = Array.from({ length: PARTITIONS }, () => createHash('sha256'))
    this.count = 0
  }

  add(partition, offset, { key, value, headers }) {
    const head = Buffer.alloc(8)
    head.writeBigInt64BE(BigInt(offset))
    const parts = [head, ...sized(key), ...sized(value), size(headers.length)]
    for (const [name, content] of headers) parts.push(...sized(Buffer.from(name)), ...sized(content))
    this.hashes[partition].update(Buffer.concat(parts))
    this.count++
  }

  toString() {
    const whole = createHash('sha256')
    for (const hash of this.hashes) whole.update(hash.digest())
    return `sha256=${whole.digest('hex')} count=${this.count}`
  }
}

function sized(content) {
  return content === null ? [size(-1)] : [size(content.length), content]
}

function size(number) {
  const out = Buffer.alloc(4)
  out.writeInt32BE(number)
  return out
}

module.exports = { PARTITIONS, Records, Digest }
