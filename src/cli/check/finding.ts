/**
 * One line of `haraka-dane check`: the state of one part of the set-up, and what to do.
 *
 * Plain data; pure.
 */

export type Finding = {
  /** unknown: it could not be checked. */
  readonly level: 'ok' | 'warning' | 'problem' | 'unknown'
  /** The part that it is about. */
  readonly topic: string
  readonly text: string
  /** What to do about it; undefined if all is well. */
  readonly todo?: string
}

export function ok(topic: string, text: string): Finding {
  return { level: 'ok', topic, text }
}

export function warning(topic: string, text: string, todo: string): Finding {
  return { level: 'warning', topic, text, todo }
}

/** Mail is not protected or not delivered, or something that was configured does not work. */
export function problem(topic: string, text: string, todo: string): Finding {
  return { level: 'problem', topic, text, todo }
}

export function unknown(topic: string, text: string, todo: string): Finding {
  return { level: 'unknown', topic, text, todo }
}

/** 1 there is a problem, 3 none but something could not be checked, 0 nothing but warnings. */
export function exitCode(findings: readonly Finding[]): number {
  const is = (wanted: Finding['level']): boolean => findings.some(({ level }) => level === wanted)
  return is('problem') ? 1 : is('unknown') ? 3 : 0
}
