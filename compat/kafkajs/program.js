// kafkajs: produces (it reads in groups alone). The command line is in ../README.md.
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
const zstd = require('@bokuweb/zstd-wasm')
const { PARTITIONS, Records, Digest } = require('./records')

const BATCH = 5000
const TYPES = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

// kafkajs itself knows only gzip; these compress and never decompress, as nothing is read here.
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({ compress: encoder => lz4.compressFrame(encoder.buffer) })
CompressionCodecs[CompressionTypes.ZSTD] = () => ({ compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)) })

async function produce(bootstrap, topic, count, codec, seed) {
  await zstd.init()
  const kafka = new Kafka({ brokers: bootstrap.split(','), clientId: 'kafkajs', logLevel: logLevel.ERROR })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false })
  await producer.connect()
  const records = new Records(seed)
  const digest = new Digest()
  for (let from = 0; from < count; from += BATCH) {
    const messages = []
    for (let index = from; index < Math.min(from + BATCH, count); index++) {
      const record = records.record(index)
      const partition = index % PARTITIONS
      messages.push({ partition, key: record.key, value: record.value, headers: Object.fromEntries(record.headers) })
      digest.add(partition, Math.floor(index / PARTITIONS), record)
    }
    await producer.send({ topic, messages, acks: -1, compression: TYPES[codec] })
  }
  await producer.disconnect()
  console.log(String(digest))
}

const [verb, bootstrap, topic, count, codec, seed] = process.argv.slice(2)
if (verb !== 'produce') throw new Error(`no verb ${verb}`)
produce(bootstrap, topic, Number(count), codec, Number(seed)).catch(error => {
  console.error(error)
  process.exit(1)
})
