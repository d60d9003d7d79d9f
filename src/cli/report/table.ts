/**
 * The table of many domains.
 *
 * A `Row` is what is kept of a report, so that a list of any length costs one line of
 * memory per domain. The table is sorted by domain and ends with totals, by verdict,
 * by what becomes of mail and by reason. Pure.
 */
import type { DomainName } from '../../name.js'
import { phraseOf } from '../../reason.js'
import type { Reason } from '../../reason.js'
import type { DomainVerdict, MailAction, MailOutcome, Report } from './report.js'

export type Row = {
  readonly domain: DomainName
  readonly verdict: DomainVerdict
  readonly reason: Reason | undefined
  readonly where: string | undefined
  readonly policy: string
  readonly opportunistic: OutcomeWord
  readonly mandatory: OutcomeWord
}

/** `*`: another host takes mail without DANE if the preferred ones are blocked. */
type OutcomeWord = MailAction | `${MailAction}*`

export function toRow({ question, verdict, cause, mail }: Report): Row {
  return {
    domain: question.domain,
    verdict,
    reason: cause?.reason,
    where: cause?.host,
    policy: question.policy.policy,
    opportunistic: outcomeWord(mail.opportunistic),
    mandatory: outcomeWord(mail.mandatory),
  }
}

/** The lines of the table, column headings first, without totals. */
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
    row.where ?? '',
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

/** Counts by verdict, by what becomes of mail, then by reason, the most frequent first. */
export function totalLines(rows: readonly Row[], badLines: number): readonly string[] {
  const verdicts = count(rows.map(({ verdict }) => verdict))
  const reasons = count(rows.flatMap(({ reason }) => (reason === undefined ? [] : [reason])))
  const isMarked = rows.some(({ opportunistic }) => opportunistic.endsWith('*'))
  return [
    `${rows.length} domains: ${verdicts.map(([verdict, times]) => `${times} ${verdict}`).join(', ') || 'none'}`,
    ...mailLines(rows),
    ...reasons.map(([reason, times]) => `  ${times} ${reason} (${phraseOf(reason)})`),
    ...(isMarked
      ? ['* another host of the domain takes mail without DANE if the preferred ones are blocked']
      : []),
    ...(badLines > 0 ? [`${badLines} lines were not domain names and were skipped`] : []),
  ]
}

/** What becomes of mail under each policy, in the words of the table. */
function mailLines(rows: readonly Row[]): readonly string[] {
  if (rows.length === 0) return []
  return (['opportunistic', 'mandatory'] as const).map((policy) => {
    const words = count(rows.map((row) => row[policy].replace('*', '')))
    return `mail under ${policy}: ${words.map(([word, times]) => `${times} ${word}`).join(', ')}`
  })
}

function outcomeWord({ action, exposure }: MailOutcome): OutcomeWord {
  return exposure ? `${action}*` : action
}

/** The most frequent first, equals by name: domains finish in any order. */
function count<T extends string>(words: readonly T[]): readonly (readonly [T, number])[] {
  const counts = new Map<T, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].sort(([a, most], [b, other]) => other - most || (a < b ? -1 : 1))
}

const HEAD = ['DOMAIN', 'VERDICT', 'POLICY', 'OPPORTUNISTIC', 'MANDATORY', 'REASON', 'WHERE']
