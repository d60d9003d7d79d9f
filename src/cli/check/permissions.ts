/**
 * Checks that Haraka's processes can still read dane.ini after they change their user.
 *
 * Haraka starts as root and reads its settings, then its processes run as `user` of
 * smtp.ini. If that user cannot read dane.ini, a change of it is not taken there. Limits:
 * looks at the file's mode, not at access control lists. Effects: reads files.
 */
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { printable } from '../../text.js'
import { ok, problem, unknown } from './finding.js'
import type { Finding } from './finding.js'
import type { HarakaIni } from './haraka-ini.js'

export function permissionFindings(folder: string, smtpIni: HarakaIni): readonly Finding[] {
  const user = smtpIni.value('', 'user')
  const file = path.join(folder, 'dane.ini')
  if (user === undefined || user === '') return []
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return []
  const account = accountOf(user, smtpIni.value('', 'group'))
  if (account === undefined) {
    return [
      unknown(
        TOPIC,
        `user=${printable(user, 40)} of smtp.ini is not in /etc/passwd: whether it can read dane.ini is not known`,
        'correct user= of smtp.ini',
      ),
    ]
  }
  if (allows(file, 4, account) && allows(folder, 1, account)) {
    return [ok(TOPIC, `user ${user} of smtp.ini can read dane.ini`)]
  }
  return [
    problem(
      TOPIC,
      `user ${user} of smtp.ini cannot read dane.ini: Haraka does not pick up changes to it, such as policy = none in an emergency`,
      `chgrp the file and the folder to a group of ${user} and chmod g+r (g+x for the folder), or chmod o+r; it holds secrets if it has [redis]`,
    ),
  ]
}

type Account = { readonly uid: number; readonly groups: ReadonlySet<number> }

function accountOf(user: string, group: string | undefined): Account | undefined {
  const [name, , id, gid] =
    entriesOf('/etc/passwd').find(([each, , uid]) => each === user || uid === user) ?? []
  if (id === undefined) return undefined
  const all = entriesOf('/etc/group')
  const [, , chosen = gid] = all.find(([each, , own]) => each === group || own === group) ?? []
  const member = all.filter(([, , , names = '']) => names.split(',').includes(name ?? ''))
  const groups = [chosen, ...member.map(([, , each]) => each)].map(Number)
  return { uid: Number(id), groups: new Set(groups) }
}

/** @param bit 4 to read, 1 to search */
function allows(place: string, bit: number, { uid, groups }: Account): boolean {
  if (uid === 0) return true
  const { mode, uid: owner, gid } = statSync(place)
  const shift = owner === uid ? 6 : groups.has(gid) ? 3 : 0
  return ((mode >> shift) & bit) !== 0
}

function entriesOf(file: string): readonly (readonly string[])[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length > 3)
}

const TOPIC = 'permissions'
