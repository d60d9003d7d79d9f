/**
 * A counter's policy and result as text, which names the counter in memory and in stores.
 *
 * Equal policies and results have equal texts. `parseCounter` validates: stores can be
 * written by others. Pure.
 */
import { isIP } from 'node:net'
import { nameFromWire } from '../name.js'
import type { DomainName } from '../name.js'
import { RESULT_TYPES } from './counts.js'
import type { FailureDetail, ReportPolicy, ResultType } from './counts.js'

export type Counter = {
  readonly policy: ReportPolicy
  /** Undefined: successes. */
  readonly detail: FailureDetail | undefined
}

export function policyText(policy: ReportPolicy): string {
  return policy.kind === 'tlsa'
    ? JSON.stringify(['tlsa', policy.domain, ...policy.records])
    : JSON.stringify(['none', policy.domain])
}

export function detailText(detail: FailureDetail | undefined): string {
  if (detail === undefined) return '[]'
  return JSON.stringify([
    detail.resultType,
    detail.sendingMtaIp ?? '',
    detail.receivingMxHostname ?? '',
    detail.receivingMxHelo ?? '',
    detail.receivingIp ?? '',
    detail.reasonCode ?? '',
    detail.additionalInformation ?? '',
  ])
}

/** @param policy of `policyText`. @param detail of `detailText` */
export function counterText(policy: string, detail: string): string {
  return `${policy}\t${detail}`
}

export function parseCounter(text: string): Counter | undefined {
  if (text.length > MAX_COUNTER) return undefined
  // JSON has no tab within a text.
  const [first = '', second = ''] = text.split('\t', 2)
  const policy = toPolicy(listOf(first))
  const detail = toDetail(listOf(second))
  if (policy === undefined || detail === undefined) return undefined
  return { policy, detail: detail === 'success' ? undefined : detail }
}

function toPolicy(list: readonly string[] | undefined): ReportPolicy | undefined {
  const [kind, name = '', ...records] = list ?? []
  const domain = toName(name)
  if (domain === undefined) return undefined
  if (kind === 'none') {
    return records.length === 0 ? { kind: 'no-policy-found', domain } : undefined
  }
  const isSound = records.every((record) => RECORD.test(record))
  return kind === 'tlsa' && isSound ? { kind: 'tlsa', domain, records } : undefined
}

function toDetail(list: readonly string[] | undefined): FailureDetail | 'success' | undefined {
  if (list?.length === 0) return 'success'
  if (list?.length !== 7) return undefined
  const [type = '', local = '', mx = '', helo = '', remote = '', reason = '', more = ''] = list
  if (!isResultType(type)) return undefined
  const isSound =
    [local, remote].every((address) => address === '' || isIP(address) !== 0) &&
    [mx, helo].every((name) => name === '' || toName(name) !== undefined) &&
    /^[a-z-]{0,64}$/.test(reason) &&
    /^[ -~]{0,1024}$/.test(more)
  if (!isSound) return undefined
  return {
    resultType: type,
    sendingMtaIp: local || undefined,
    receivingMxHostname: mx || undefined,
    receivingMxHelo: helo || undefined,
    receivingIp: remote || undefined,
    reasonCode: reason || undefined,
    additionalInformation: more || undefined,
  }
}

function listOf(text: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isTexts(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function toName(text: string): DomainName | undefined {
  const name = nameFromWire(text)
  return name === text ? name : undefined
}

function isResultType(text: string): text is ResultType {
  return RESULT_TYPES.some((type) => type === text)
}

/** `3 1 1 HEX`, or what is too short for that (RFC 3597 §5). */
const RECORD = /^(?:\d{1,3} \d{1,3} \d{1,3}(?: [0-9a-f]+)?|\\# \d( [0-9a-f]{1,4})?)$/
/** Characters: sixteen records of 512 octets and a detail are less. */
const MAX_COUNTER = 32_768
