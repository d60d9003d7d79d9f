/** All rows of the demo: those of the gateways' tables and those beyond them. */
import { beyondRows } from './beyond-rows.js'
import { createAuthority } from './laboratory.js'
import { tableRows } from './rows.js'
import type { Row } from './rows.js'

export async function allRows(port: number): Promise<readonly Row[]> {
  const authority = await createAuthority()
  return [...(await tableRows(port, authority)), ...(await beyondRows(port, authority))]
}
