/**
 * What BIND's `delv` says: a validator of its own that asks through any resolver.
 *
 * A process for each question, so it is asked about a sample.
 */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { startChild } from '../child.js'
import type { SignedWorld } from './build.js'
import type { Question } from './questions.js'
import { side } from './references.js'
import type { Status } from './references.js'
import { anchorsForBind } from './servers.js'

export async function statusesByDelv(
  folder: string,
  { anchorDs }: SignedWorld,
  resolver: number,
  questions: readonly Question[],
): Promise<readonly Status[]> {
  const anchors = path.join(folder, 'anchors.delv')
  await writeFile(anchors, anchorsForBind(anchorDs))
  const server = ['@127.0.0.1', '-p', String(resolver), '-a', anchors, '+root=.', '+nomultiline']
  return side(questions, 3, async ({ name, type }) => {
    const child = startChild('delv', [...server, `${name}.`, type])
    await child.exited
    return statusIn(child.output(), type)
  })
}

/** An answer along aliases has a remark wherever the security changes. */
function statusIn(output: string, type: string): Status {
  const [, why = ''] = /resolution failed: (.*)/.exec(output) ?? []
  const remarks = Array.from(
    output.matchAll(/(fully validated|unsigned answer)$/gm),
    ([all]) => all,
  )
  if (remarks.length === 0 || (why !== '' && !why.startsWith('ncache'))) return 'bogus'
  const security = remarks.includes('unsigned answer') ? 'insecure' : 'secure'
  if (output.includes(';-$NXDOMAIN')) return `${security} nxdomain`
  if (output.includes(';-$NXRRSET')) return `${security} nodata`
  const isFound = new RegExp(`^[^;\\s]\\S*\\s+\\d+\\s+IN\\s+${type}\\s`, 'm').test(output)
  return isFound ? `${security} found` : 'bogus'
}
