/** The query of a page: as for JSON, with fewer rows unless the URL says how many. Pure. */
import { domainToASCII } from 'node:url'
import type { StatusQuery } from '../status-model.js'
import { parseQuery } from '../status-query.js'

/** Rows of one page; 100 are about 80 kB of HTML. */
export const DEFAULT_ROWS = 100

export function parsePageQuery(parameters: URLSearchParams): StatusQuery {
  const query = parseQuery(withALabels(parameters))
  return parameters.has('limit') ? query : { ...query, limit: DEFAULT_ROWS }
}

/** A search for U-labels finds the A-labels, once a label is complete. */
function withALabels(parameters: URLSearchParams): URLSearchParams {
  const text = parameters.get('q')?.trim().slice(0, 253) ?? ''
  if (/^[!-~]*$/.test(text)) return parameters
  const changed = new URLSearchParams(parameters)
  changed.set('q', domainToASCII(text))
  return changed
}

/** The list as it is without any parameters. */
export const EVERYTHING: StatusQuery = parsePageQuery(new URLSearchParams())
