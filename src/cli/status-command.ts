/**
 * `haraka-dane status`: shows which destinations wait, and what DANE says of them.
 *
 * Asks the running relay of this config folder for the JSON of its status page, so it needs
 * neither the rights nor the memory of that process. Effects: reads files, network, standard
 * output.
 */
import path from 'node:path'
import { httpListeners } from '../http-listen.js'
import type { StatusSettings } from '../settings/settings.js'
import { SHOWS } from '../status/status-model.js'
import type { Show } from '../status/status-model.js'
import { printable } from '../text.js'
import { askRelay, urlText } from './relay-status.js'
import { readHttpIni, readSettingsOrDefaults } from './relay-settings.js'
import { detailLines, isHolding, statusLines } from './report/status-text.js'
import { toDomains, UsageError } from './usage.js'

export type StatusOptions = {
  readonly folder: string
  /** At most one. */
  readonly domains: readonly string[]
  readonly show: string | undefined
  readonly isJson: boolean
}

/** @returns 0 DANE holds no mail, 1 it does, 3 the relay could not be asked */
export async function runStatus({ folder, domains, show, isJson }: StatusOptions): Promise<number> {
  if (domains.length > 1) throw new UsageError('status takes one domain, or none')
  if (domains.length > 0 && show !== undefined) {
    throw new UsageError('give either a domain or --show, not both')
  }
  const domain = domains.length === 0 ? undefined : toDomains(domains)[0]
  const shown = toShow(show)
  const { status } = readSettingsOrDefaults(folder)
  const answer = await answerOf(folder, status, {
    // As many as one answer may have.
    parameters: domain === undefined ? { show: shown, limit: '1000' } : { d: domain },
  })
  if (answer.kind === 'failed') {
    console.error(printable(answer.text, 600))
    console.error(`do: ${printable(answer.todo, 600)}`)
    return 3
  }
  if (isJson) console.log(JSON.stringify(answer.value))
  else {
    const lines = domain === undefined ? statusLines(answer.value) : detailLines(answer.value)
    for (const line of lines) console.log(line)
  }
  return isHolding(answer.value) ? 1 : 0
}

function toShow(text = 'waiting'): Show {
  const show = SHOWS.find((each) => each === text)
  if (show === undefined) {
    throw new UsageError(`--show ${printable(text)}: expected one of ${SHOWS.join(', ')}`)
  }
  return show
}

type Answered =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly text: string; readonly todo: string }

async function answerOf(
  folder: string,
  status: StatusSettings | undefined,
  { parameters }: { readonly parameters: Readonly<Record<string, string>> },
): Promise<Answered> {
  if (status === undefined) {
    const file = path.join(folder, 'dane.ini')
    return failed(
      'the delivery status of this relay is off',
      `set enabled = yes under [status] in ${file}, and restart Haraka`,
    )
  }
  const [listener] = httpListeners(readHttpIni(folder))
  if (listener === undefined) {
    return failed(
      `${path.join(folder, 'http.ini')} has no listen=, so Haraka has no HTTP server`,
      'set listen=127.0.0.1:PORT there, run npm install express in the folder of Haraka, and restart it',
    )
  }
  const page = `${status.path}.json`
  const url = urlText(listener, page)
  const answer = await askRelay(listener, `${page}?${new URLSearchParams(parameters).toString()}`)
  if (answer.kind === 'failed') {
    return failed(
      `${url} does not answer: ${answer.detail}`,
      'check that Haraka runs, that it was started after the last change of http.ini, and that its log has no line about express',
    )
  }
  return valueOf(url, answer.status, answer.body)
}

function valueOf(url: string, status: number, body: string): Answered {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    value = undefined
  }
  const isObject = typeof value === 'object' && value !== null
  const error: unknown = isObject ? Reflect.get(Object(value), 'error') : undefined
  if (status === 200 && isObject) return { kind: 'value', value }
  if (typeof error === 'string')
    return failed(`${url}: ${error}`, 'try again later, or without a domain')
  return failed(
    `${url} answers with status ${status} and no delivery status`,
    'check [status] path in dane.ini, and restart Haraka: it reads that section only at its start',
  )
}

function failed(text: string, todo: string): Answered {
  return { kind: 'failed', text, todo }
}
