/**
 * `npm run compare-validators`: is this validator right? Unbound and BIND say so.
 *
 * Random zones, signed and broken, are asked about through a resolver that does not
 * validate; then replies are changed on the way, the same for all three; then replies are
 * damaged at random, in process. Prints how often they agree, each difference once with
 * the RFC that accounts for it, and exits with 1 if one is not accounted for or if
 * anything is secure here that is not secure there.
 *
 * `--seed NUMBER`, `--zones NUMBER`, `--questions NUMBER`, `--changed NUMBER`,
 * `--damaged NUMBER`, `--delv NUMBER`: of the questions, also to BIND's delv.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { compareChanged } from '../lab/signed-world/changed.js'
import type { ComparedChange } from '../lab/signed-world/changed.js'
import {
  compare,
  isEqual,
  isLooser,
  isWronglySecure,
  tableOf,
} from '../lab/signed-world/compare.js'
import type { Compared } from '../lab/signed-world/compare.js'
import { damageReplies } from '../lab/signed-world/damage.js'
import { statusesByDelv } from '../lab/signed-world/delv.js'
import { DEFAULT_ZONES } from '../lab/signed-world/generate.js'
import { startProxy } from '../lab/signed-world/proxy.js'
import { randomFrom } from '../lab/signed-world/random.js'
import { serveWorld } from '../lab/signed-world/world.js'
import type { ServedWorld } from '../lab/signed-world/world.js'
import { runCommand } from './run-command.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    zones: { type: 'string', default: String(DEFAULT_ZONES) },
    questions: { type: 'string', default: '10000' },
    changed: { type: 'string', default: '5000' },
    damaged: { type: 'string', default: '100000' },
    delv: { type: 'string', default: '500' },
  },
})
const seed = Number(values.seed)

runCommand(main)

async function main(): Promise<number> {
  const folder = await mkdtemp(path.join(tmpdir(), 'signed-world-'))
  try {
    const served = await serveWorld(folder, seed, Number(values.zones))
    try {
      const { zones } = served.world
      const signed = zones.filter(({ spec }) => spec.signing !== undefined).length
      console.log(`seed ${seed}: ${zones.length} zones, ${signed} of them signed`)
      const isRight = [
        await unchanged(folder, served),
        await changed(folder, served),
        await damaged(served),
      ]
      return isRight.every(Boolean) ? 0 : 1
    } finally {
      await served.stop()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function unchanged(folder: string, served: ServedWorld): Promise<boolean> {
  const questions = served.questions(Number(values.questions))
  const proxy = await startProxy(served.resolver, (_, parts) => parts)
  try {
    const upstream = { port: proxy.port, fetch: proxy.reply }
    const all = await compare(folder, served.world, upstream, questions)
    console.log(`\n${all.length} questions about zones as they are`)
    for (const line of tableOf(all)) console.log(`  ${line}`)
    const isRight = report(all, isDifferent)
    return (await byDelv(folder, served, all)) && isRight
  } finally {
    proxy.close()
  }
}

/** delv is slow: it is asked about some of the same questions. */
async function byDelv(
  folder: string,
  { world, resolver }: ServedWorld,
  all: readonly Compared[],
): Promise<boolean> {
  const some = randomFrom(seed).shuffled(all).slice(0, Number(values.delv))
  const asked = some.map(({ question }) => question)
  const statuses = await statusesByDelv(folder, world, resolver, asked)
  const sampled = some.map((each, index) => ({ ...each, bind: statuses[index] ?? 'failed' }))
  const different = sampled.filter(({ ours, bind }) => !isEqual(ours, bind))
  // As where opt-out covers a name (RFC 5155 §9.2), or an empty non-terminal is not denied.
  const agreed = different.filter(({ question }) =>
    some.some((each) => each.question === question && !isDifferent(each)),
  )
  const open = different.filter((each) => each.explanation === undefined && !agreed.includes(each))
  console.log(`  delv: ${sampled.length - different.length} of ${sampled.length} the same`)
  console.log(`    ${agreed.length} where named and Unbound agree with ours and delv does not`)
  console.log(`    ${open.length} not accounted for`)
  for (const each of open) console.log(`    delv in place of BIND: ${described(each)}`)
  return open.length === 0
}

async function changed(
  folder: string,
  { world, resolver, questions }: ServedWorld,
): Promise<boolean> {
  const count = Number(values.changed)
  const answers = questions(Math.ceil(count * 0.8), 1)
  const others = questions(Math.floor(count * 0.2), 2)
  const all: readonly ComparedChange[] = [
    ...(await compareChanged(folder, world, resolver, answers, 'answers')),
    ...(await compareChanged(folder, world, resolver, others, 'any')),
  ]
  console.log(`\n${all.length} questions with replies changed on the way`)
  for (const line of tableOf(all)) console.log(`  ${line}`)
  const stricter = all.filter(
    (each) => isDifferent(each) && !isLooser(each) && each.explanation === undefined,
  )
  console.log(`  stricter than a reference: ${stricter.length}`)
  for (const [kind, number] of counted(stricter.map(({ change }) => change ?? 'chain changed'))) {
    console.log(`    ${String(number).padStart(5)} ${kind}`)
  }
  for (const each of stricter.slice(0, 40)) console.log(`      ${described(each)}`)
  return report(all, isLooser)
}

async function damaged({ world, resolver, questions }: ServedWorld): Promise<boolean> {
  const proxy = await startProxy(resolver, (_, parts) => parts)
  try {
    const some = questions(300, 3)
    const random = randomFrom(seed)
    const weak = world.zones.flatMap(({ spec }) =>
      spec.signing?.denial.kind === 'nsec3' && spec.signing.denial.iterations > 150
        ? [spec.origin]
        : [],
    )
    const count = Number(values.damaged)
    const result = await damageReplies(world.anchorDs, proxy.reply, some, count, random, weak)
    const { threw, hung, believed } = result
    console.log(`\n${result.damaged} damaged replies`)
    for (const [status, count] of Object.entries(result.statuses)) {
      console.log(`  ${status.padEnd(18)} ${count}`)
    }
    console.log(`  threw ${threw.length}, hung ${hung.length}, believed ${believed.length}`)
    for (const each of [...threw, ...hung, ...believed].slice(0, 20)) console.log(`    ${each}`)
    return threw.length + hung.length + believed.length === 0
  } finally {
    proxy.close()
  }
}

function described(compared: Compared & { readonly change?: string | undefined }): string {
  const { question, ours, unbound, bind, detail, change = '' } = compared
  const said = `ours ${ours}, Unbound ${unbound}, BIND ${bind}`
  return `${question.name} ${question.type}: ${said}; ${change} ${detail}`
}

/** Whether every difference is accounted for. */
function report(
  all: readonly (Compared & { readonly change?: string | undefined })[],
  matters: (compared: Compared) => boolean,
): boolean {
  const different = all.filter(matters)
  const wrong = all.filter(isWronglySecure)
  const open = different.filter(({ explanation }) => explanation === undefined)
  console.log(`  the same: ${all.filter((each) => !isDifferent(each)).length}`)
  for (const [text, count] of counted(different.flatMap((each) => each.explanation ?? []))) {
    console.log(`  ${count} differ by ${text}`)
  }
  const unexplained = wrong.filter(({ explanation }) => explanation === undefined).length
  console.log(`  secure here and not there: ${wrong.length}, ${unexplained} without an explanation`)
  for (const [kind, count] of counted(wrong.flatMap(({ change }) => change ?? []))) {
    console.log(`    ${String(count).padStart(5)} ${kind}`)
  }
  const others = all.filter(({ isOtherContent }) => isOtherContent)
  console.log(`  secure with other records than there: ${others.length}`)
  console.log(`  differences not accounted for: ${open.length}`)
  for (const each of [...open, ...others]) console.log(`    ${described(each)}`)
  return unexplained === 0 && others.length === 0 && open.length === 0
}

function isDifferent({ ours, unbound, bind }: Compared): boolean {
  return !isEqual(ours, unbound) || !isEqual(ours, bind)
}

function counted(words: readonly string[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])
}
