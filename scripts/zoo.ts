/**
 * `npm run zoo`: real mail servers and resolvers, as far as they are there.
 *
 * Postfix, Exim and OpenSMTPD as MX hosts, see lab/zoo/mail.ts. Then the domains of
 * lab/zoo/names.ts at each resolver, once believed and once validated here: the same
 * plans as at Unbound, or the resolver is not used. Mail servers are unpacked from their Debian packages; nothing
 * is installed and no service started. What is not there is named and left out. Ends
 * with 1 if anything is not as expected.
 */
import path from 'node:path'
import { createAuthority, startLaboratory } from '../lab/laboratory.js'
import type { Laboratory } from '../lab/laboratory.js'
import { judgeGuest, prepareGuest } from '../lab/zoo/mail.js'
import type { MailGuest } from '../lab/zoo/mail.js'
import { MAIL_SERVERS } from '../lab/zoo/mail-servers.js'
import { namespaceFault, unpack } from '../lab/zoo/namespace.js'
import { toRow, zooNames } from '../lab/zoo/names.js'
import type { ZooName } from '../lab/zoo/names.js'
import { differences, plansAt, waits } from '../lab/zoo/plans.js'
import type { Plans, Validation } from '../lab/zoo/plans.js'
import { programOf, RESOLVERS, startResolver } from '../lab/zoo/resolvers.js'
import type { Expected, ResolverKind, Surroundings } from '../lab/zoo/resolvers.js'
import { isUsable } from '../src/lookup.js'
import { errorText } from '../src/text.js'
import { runCommand } from './run-command.js'

runCommand(main)

async function main(): Promise<number> {
  const guests: MailGuest[] = []
  const names: ZooName[] = []
  const { laboratory } = await startLaboratory(async (port) => {
    const { ca } = await createAuthority()
    guests.push(
      ...(await Promise.all(
        MAIL_SERVERS.map((kind, index) => prepareGuest(kind, index, port, ca)),
      )),
    )
    names.push(...zooNames(port))
    return [...guests.flatMap(({ rows }) => rows.map(({ row }) => row)), ...names.map(toRow)]
  })
  try {
    const wrong = (await mailServers(laboratory, guests)) + (await resolvers(laboratory, names))
    console.log(wrong === 0 ? 'all as expected' : `${wrong} WRONG`)
    return wrong === 0 ? 0 : 1
  } finally {
    await laboratory.stop()
  }
}

/** @returns how many results are wrong */
async function mailServers(laboratory: Laboratory, guests: readonly MailGuest[]): Promise<number> {
  const fault = await namespaceFault()
  if (fault !== undefined) {
    console.log(`mail servers: left out, ${fault}`)
    return 0
  }
  let wrong = 0
  const relay = await laboratory.startRelay('dane')
  for (const guest of guests) {
    const { name, packages } = guest.kind
    const missing = await unpack(packages)
    if (missing !== undefined) {
      console.log(`${name}: left out, ${missing}`)
      continue
    }
    const { results, fault } = await judgeGuest(guest, laboratory, relay)
    if (fault !== undefined) console.log(`${name}: no client has a handshake with it (${fault})`)
    for (const { what, wanted, happened, complaints } of results) {
      const end = complaints.length === 0 ? 'ok' : 'WRONG'
      console.log(columns([name, 12], [what, 36], [wanted, 10], [happened, 46], [end, 0]))
      for (const complaint of complaints) console.log(`  ${complaint}`)
      wrong += complaints.length > 0 ? 1 : 0
    }
  }
  await relay.stop()
  return wrong
}

/** @returns how many plans are wrong */
async function resolvers(laboratory: Laboratory, names: readonly ZooName[]): Promise<number> {
  const plain = await laboratory.names.startResolver({ isPlain: true })
  const bogus = names.find(({ domain }) => domain.startsWith('zoo-expired'))?.domain ?? ''
  const anchorFile = path.join(laboratory.folder, 'zones/trust-anchor')
  const plansOf = (port: number, validation: Validation): Promise<Plans> =>
    plansAt({ port, validation, anchorFile, bogusName: `mx.${bogus}` }, names, laboratory.smtpPort)
  const { unboundPort } = laboratory.names
  const reference = await plansOf(unboundPort, 'resolver')
  console.log(`\nUnbound, believed: ${names.length} domains`)
  for (const { domain, what } of names)
    console.log(columns([domain, 32], [what, 50], [reference.plans.get(domain)?.words ?? '', 0]))
  console.log('')
  const context = { names, reference, plansOf }
  let wrong = isUsable(reference.probe) ? 0 : 1
  wrong += report(context, 'Unbound', 'own', {}, await plansOf(unboundPort, 'own'))
  const around = {
    folder: laboratory.folder,
    guests: laboratory.guests,
    nsdPort: laboratory.names.nsdPort,
    plainPort: plain.port,
  }
  for (const kind of RESOLVERS) wrong += await resolver(kind, around, context)
  return wrong
}

type Context = {
  readonly names: readonly ZooName[]
  readonly reference: Plans
  readonly plansOf: (port: number, validation: Validation) => Promise<Plans>
}

async function resolver(
  kind: ResolverKind,
  around: Surroundings,
  context: Context,
): Promise<number> {
  if (programOf(kind) === undefined) {
    console.log(`${kind.name}: left out, not installed (Debian package ${kind.debian})`)
    return 0
  }
  let wrong = 0
  for (const validation of ['resolver', 'own'] as const) {
    // Each with an empty cache.
    const started = await startResolver(kind, around).catch((error: unknown) => errorText(error))
    if (typeof started === 'string') {
      console.log(`${kind.name}: left out, it does not start here: ${started}`)
      return wrong
    }
    try {
      const plans = await context.plansOf(started.port, validation)
      wrong += report(context, kind.name, validation, kind[validation], plans)
    } finally {
      await started.child.stop()
    }
  }
  return wrong
}

/** Prints how its plans differ; @returns how many are wrong. */
function report(
  { names, reference }: Context,
  name: string,
  validation: Validation,
  { otherwise = {}, unusable }: Expected = {},
  plans: Plans,
): number {
  const who = `${name}, ${validation === 'own' ? 'validated here' : 'believed'}`
  const { probe } = plans
  if (!isUsable(probe)) {
    const detail = probe !== undefined && 'detail' in probe ? probe.detail : ''
    const isExpected = unusable !== undefined && names.every(({ domain }) => isHeld(plans, domain))
    console.log(
      `${who}: not used: ${probe?.kind ?? 'not probed'} (${detail}); ${isExpected ? 'ok' : 'WRONG'}`,
    )
    return isExpected ? 0 : 1
  }
  let wrong = unusable === undefined ? 0 : 1
  const found = differences(names, reference, plans)
  const lines = found.map(({ name: { domain }, comparison, plan }) => {
    const why = otherwise[domain.split('.')[0] ?? '']
    const isExpected = comparison === 'other reason' || (why !== undefined && waits(plan))
    if (!isExpected) wrong++
    const note = why === undefined ? comparison : `${comparison}: ${why}, its mail waits`
    return `  ${isExpected ? '' : 'WRONG '}${domain}: ${note}\n    ${plan.words}; ${plan.details}`
  })
  const same = names.length - found.length
  const end = wrong === 0 ? 'ok' : 'WRONG'
  console.log(`${who}: ${same} of ${names.length} plans as at Unbound; ${end}`)
  for (const line of lines) console.log(line)
  return wrong
}

function isHeld({ plans }: Plans, domain: string): boolean {
  const plan = plans.get(domain)
  return plan !== undefined && waits(plan)
}

function columns(...cells: readonly (readonly [string, number])[]): string {
  return cells.map(([text, width]) => text.padEnd(width)).join('  ')
}
