/**
 * How do many domains fit on a page?
 *
 * A `Row` is what is kept of a report, so that a list of any length costs a line a
 * domain and no more. The table is sorted by domain and ends with totals, by verdict
 * and by reason. Pure.
 */
import type { DomainName } from '../../name.js'
import { phraseOf } from '../../reason.js'
import type { Reason } from '../../reason.js'
import type { DomainVerdict, MailAction, MailFate, Report } from './report.js'

export type Row = {
  readonly domain: DomainName
  readonly verdict: DomainVerdict
  readonly reason: Reason | undefined
  readonly at: string | undefined
  readonly policy: string
  readonly opportunistic: Fate
  readonly mandatory: Fate
}

/** `*`: another host takes mail without DANE when the better ones are blocked. */
type Fate = MailAction | `${MailAction}*`

export function toRow({ question, verdict, cause, mail }: Report): Row {
  return {
    domain: question.domain,
    verdict,
    reason: cause?.reason,
    at: cause?.at,
    policy: question.policy.policy,
    opportunistic: fateWord(mail.opportunistic),
    mandatory: fateWord(mail.mandatory),
  }
}

/** Lines, the first of them the heads of columns; totals are apart. */
export function tableLines(
  rows: readonly Row[],
  paint: (text: string, verdict: DomainVerdict) => string,
): readonly string[] {
  const sorted = rows.toSorted((a, b) => (a.domain < b.domain ? -1 : a.domain > b.domain ? 1 : 0))
  const cells = sorted.map((row) => [
    row.domain,
    row.verdict,
    row.policy,
    row.opportunistic,
    row.mandatory,
    row.reason ?? '-',
    row.at ?? '',
  ])
  const widths = HEAD.map((head, column) =>
    cells.reduce((most, line) => Math.max(most, (line[column] ?? '').length), head.length),
  )
  const toLine = (line: readonly string[], verdict?: DomainVerdict): string =>
    line
      .map((cell, column) => {
        const padded = cell.padEnd(widths[column] ?? 0)
        return column === 1 && verdict ? paint(padded, verdict) : padded
      })
      .join('  ')
      .trimEnd()
  return [toLine(HEAD), ...cells.map((line, index) => toLine(line, sorted[index]?.verdict))]
}

/** Counts by verdict, then by reason, the most frequent first. */
export function totalLines(rows: readonly Row[], badLines: number): readonly string[] {
  const verdicts = count(rows.map(({ verdict }) => verdict))
  const reasons = count(rows.flatMap(({ reason }) => (reason === undefined ? [] : [reason])))
  const isMarked = rows.some(({ opportunistic }) => opportunistic.endsWith('*'))
  return [
    `${rows.length} domains: ${verdicts.map(([verdict, times]) => `${times} ${verdict}`).join(', ') || 'none'}`,
    ...reasons.map(([reason, times]) => `  ${times} ${reason} (${phraseOf(reason)})`),
    ...(isMarked
      ? ['* another host of the domain takes mail without DANE when the better ones are blocked']
      : []),
    ...(badLines > 0 ? [`${badLines} lines were not understood and left out`] : []),
  ]
}

function fateWord({ action, exposure }: MailFate): Fate {
  return exposure ? `${action}*` : action
}

function count<T>(words: readonly T[]): readonly (readonly [T, number])[] {
  const counts = new Map<T, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a)
}

const HEAD = ['DOMAIN', 'VERDICT', 'POLICY', 'OPPORTUNISTIC', 'MANDATORY', 'REASON', 'WHERE']
