/**
 * What many destinations cost where the plugin validates: memory, and CPU time of each.
 *
 * Every destination is in a signed zone of its own, whose DS and DNSKEY RRsets are
 * validated with its MX, address and TLSA records. The relay's memory is compared with that
 * before, after some hundred others, so that what is compiled once is not counted.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { serveManyZones } from '../../lab/signed-world/many-zones.js'
import type { Bench, Figure } from '../figure.js'
import { tableText } from '../statistics.js'

/** Planned before, and not counted. */
const BEFORE = 500
const AT_ONCE = 50

type Row = {
  readonly destinations: number
  readonly overEmptyBytes: number
  readonly coldMilliseconds: number
  readonly inProcessMilliseconds: number
}

export async function measureZones(bench: Bench): Promise<Figure> {
  const rows: Row[] = []
  for (const destinations of bench.size.destinations) {
    const row = await grow(bench, destinations)
    rows.push(row)
    bench.note(`zones: ${destinations}, ${megabytes(row.overEmptyBytes)} MB`)
  }
  return {
    data: { rows },
    text: [
      'destinations validated here, each in a zone of its own',
      tableText([
        ['', 'over empty MB', 'cold CPU ms', 'in process CPU ms'],
        ...rows.map((row) => [
          String(row.destinations),
          megabytes(row.overEmptyBytes),
          row.coldMilliseconds.toFixed(2),
          row.inProcessMilliseconds.toFixed(2),
        ]),
      ]),
    ].join('\n'),
  }
}

async function grow({ world }: Bench, destinations: number): Promise<Row> {
  const zones = await serveManyZones(world.laboratory.smtpPort)
  const anchors = path.join(world.laboratory.folder, `anchors-${destinations}`)
  writeFileSync(anchors, `${zones.anchors}\n`)
  const relay = await world.startRelay({
    daneIni: [
      '[cache]',
      `entries = ${4 * (destinations + BEFORE)}`,
      '[resolver]',
      `server[] = 127.0.0.1:${zones.port}`,
    ],
    resolverPort: zones.port,
    resolverLines: ['validation = own', `trust_anchors = ${anchors}`],
  })
  try {
    const cost = async (from: number, count: number): Promise<number> => {
      const domains = Array.from({ length: count }, (_, i) => zones.domainAt(from + i))
      const { refused, cpuSeconds } = await relay.plan(domains, AT_ONCE)
      assert.equal(refused, 0)
      return (cpuSeconds * 1000) / count
    }
    await cost(0, BEFORE)
    const before = await relay.residentBytes()
    const coldMilliseconds = await cost(BEFORE, destinations)
    const overEmptyBytes = (await relay.residentBytes()) - before
    const inProcessMilliseconds = await cost(BEFORE, destinations)
    return { destinations, overEmptyBytes, coldMilliseconds, inProcessMilliseconds }
  } finally {
    await relay.haraka.stop()
    zones.close()
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
