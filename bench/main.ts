/**
 * What does DANE cost? `npm run bench [-- FIGURE...] [--quick] [--json FILE] [--profile FOLDER]`
 *
 * Prints each figure next to its rival, after the machine and the versions it was taken
 * with; see docs/dev/bench.md. Everything runs on loopback in one laboratory.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Bench, Figure, Size } from './figure.js'
import { measureGrowth } from './figures/growth.js'
import { measurePlan } from './figures/plan.js'
import { countQuestions } from './figures/questions.js'
import { measureReports } from './figures/reports.js'
import { measureStatus } from './figures/status.js'
import { measureThroughput } from './figures/throughput.js'
import { measureValidation } from './figures/validation.js'
import { measureVerify } from './figures/verify.js'
import { surroundings, surroundingsText } from './surroundings.js'
import { measureZones } from './figures/zones.js'
import { startWorld } from './world.js'

const FIGURES: Readonly<Record<string, (bench: Bench) => Promise<Figure>>> = {
  throughput: measureThroughput,
  plan: measurePlan,
  questions: countQuestions,
  verify: measureVerify,
  growth: measureGrowth,
  status: measureStatus,
  reports: measureReports,
  validation: measureValidation,
  zones: measureZones,
}

const FULL: Size = { pairs: 7, messages: 1000, samples: 2000, destinations: [1e3, 1e4, 1e5] }
const QUICK: Size = { pairs: 2, messages: 300, samples: 200, destinations: [1e3] }

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      profile: { type: 'string' },
      pairs: { type: 'string' },
      messages: { type: 'string' },
    },
  })
  const names = positionals.length > 0 ? positionals : Object.keys(FIGURES)
  const unknown = names.find((name) => !Object.hasOwn(FIGURES, name))
  if (unknown !== undefined) {
    throw new Error(`no figure ${unknown}; there are: ${Object.keys(FIGURES).join(', ')}`)
  }
  if (values.profile !== undefined) mkdirSync(values.profile, { recursive: true })
  const usual = values.quick ? QUICK : FULL
  const size = {
    ...usual,
    pairs: count(values.pairs) ?? usual.pairs,
    messages: count(values.messages) ?? usual.messages,
  }
  const circumstances = await surroundings()
  console.log(surroundingsText(circumstances))
  const startedAt = performance.now()
  const note = (text: string): void => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
    console.error(`  [${seconds} s] ${text}`)
  }
  const world = await startWorld(Math.max(size.messages, size.samples))
  const figures: Record<string, unknown> = {}
  try {
    const bench = { world, size, profiles: values.profile, note }
    for (const name of names) {
      const figure = await FIGURES[name]?.(bench)
      if (figure === undefined) continue
      figures[name] = figure.data
      console.log(`\n${name}: ${figure.text}`)
    }
  } finally {
    await world.stop()
  }
  if (values.json !== undefined) {
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    const all = { ...circumstances, isQuick: values.quick, seconds, figures }
    writeFileSync(values.json, `${JSON.stringify(all, undefined, 2)}\n`)
  }
}

function count(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${text}: expected a number from 1`)
  return number
}

for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(1))
main()
  .catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
  })
  // Everything that a failed figure has left running ends with this process.
  .finally(() => process.exit())
