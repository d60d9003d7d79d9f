/**
 * Serves the delivery status on Haraka's HTTP server: the page, its style and script, and
 * the JSON.
 *
 * Only reads: GET and HEAD alone. The page loads nothing from elsewhere and runs no script
 * but its own (Content-Security-Policy), and no other site can read or frame it. Everything
 * else of the server is left to other routes.
 *
 * Promises: nothing in here throws into Haraka or delays mail; a failure is an answer.
 */
import { detailPage } from '../../status/page/detail.js'
import { listPage } from '../../status/page/list.js'
import type { Place } from '../../status/page/links.js'
import { unavailablePage, unknownPage } from '../../status/page/notice-page.js'
import { Admission, RETRY_AFTER_SECONDS } from '../../status/page/admission.js'
import { readRequest } from '../../status/page/request.js'
import type { PageRequest } from '../../status/page/request.js'
import type { StatusSource } from '../../status/status-source.js'
import type { StatusSettings } from '../../settings/settings.js'
import { errorText } from '../../text.js'
import { member } from '../host.js'
import type { HttpHost } from '../host.js'
import type { ProcessLog } from '../log/process-log.js'
import { readAssets } from './assets.js'
import type { Assets } from './assets.js'
import { answerJson } from './json-endpoint.js'
import { Reply } from './reply.js'

/** Must be called while Haraka sets up its HTTP server. Throws if the page's files are missing. */
export function addStatusPages(
  server: HttpHost,
  settings: StatusSettings,
  source: StatusSource,
  log: Pick<ProcessLog, 'loginfo'>,
): void {
  const web = new StatusWeb(settings, source, readAssets())
  const pipelines = new Pipelines()
  server.http.app.use((request, response, next) => {
    const headers = member(request, 'headers')
    const asked = readRequest(
      {
        method: String(member(request, 'method')),
        url: String(member(request, 'url')),
        host: textOf(member(headers, 'host')),
        site: textOf(member(headers, 'sec-fetch-site')),
        mode: textOf(member(headers, 'sec-fetch-mode')),
        dest: textOf(member(headers, 'sec-fetch-dest')),
      },
      settings.path,
      settings.hosts,
    )
    if (asked.kind === 'elsewhere') {
      next()
      return
    }
    const reply = new Reply(response, takesGzip(headers))
    if (!pipelines.admit(member(request, 'socket'), reply.closed)) {
      response.destroy()
      return
    }
    web.answer(asked, request, reply).catch(() => {
      // The client has closed the connection.
    })
  })
  log.loginfo(`the delivery status is at ${settings.path} of Haraka's HTTP server`)
}
/**
 * Answers that each connection waits for. Browsers and proxies send the next request when
 * they have the answer to the last one; a client that sends more, and reads nothing, would
 * fill the memory with answers.
 */
class Pipelines {
  private readonly unanswered = new WeakMap<object, number>()

  /** False: the connection has too many already. */
  admit(socket: unknown, closed: Promise<void>): boolean {
    if (typeof socket !== 'object' || socket === null) return false
    const change = (by: number): number => {
      const count = (this.unanswered.get(socket) ?? 0) + by
      this.unanswered.set(socket, count)
      return count
    }
    const end = (): unknown => change(-1)
    closed.then(end, end)
    return change(1) <= MOST_UNANSWERED
  }
}

class StatusWeb {
  private readonly settings: StatusSettings
  private readonly source: StatusSource
  private readonly assets: Assets
  private readonly admission = new Admission()

  constructor(settings: StatusSettings, source: StatusSource, assets: Assets) {
    this.settings = settings
    this.source = source
    this.assets = assets
  }

  async answer(asked: PageRequest, request: unknown, reply: Reply): Promise<void> {
    switch (asked.kind) {
      case 'elsewhere':
        return
      case 'wrong-host':
        await reply.text(421, UNKNOWN_NAME)
        return
      case 'wrong-method':
        await reply.text(405, 'Only GET and HEAD are allowed.\n', { Allow: 'GET, HEAD' })
        return
      case 'other-site':
        await reply.text(403, 'Pages of other sites may link to this one, and not load it.\n')
        return
      case 'slash':
        await reply.text(308, '', { Location: `../${this.place('').name}` })
        return
      case 'asset': {
        const { type, text, packed } = this.assets.files[asked.extension]
        const isCurrent = asked.version === this.assets.version
        const cached = isCurrent ? 'private, max-age=86400, immutable' : 'no-store'
        await reply.send(200, text, { 'Content-Type': type, 'Cache-Control': cached }, packed)
        return
      }
      case 'json':
      case 'list':
      case 'destination':
        if (!this.admission.enter(Date.now())) {
          await reply.text(503, 'Too many views at once, try again later.\n', RETRY_LATER)
          return
        }
        try {
          if (asked.kind === 'json') await answerJson(request, reply.forJson(), this.source)
          else await this.view(asked, reply)
        } finally {
          // An answer that no one reads takes memory, so it counts until it has left.
          const leave = (): void => {
            this.admission.leave()
          }
          reply.closed.then(leave, leave)
        }
    }
  }

  private async view(
    asked: Extract<PageRequest, { kind: 'list' | 'destination' }>,
    reply: Reply,
  ): Promise<void> {
    const place = this.place(asked.kind === 'list' ? '' : '../')
    const [status, page] = await this.pageOf(asked, place).catch(
      (error: unknown) => [503, unavailablePage(errorText(error), place)] as const,
    )
    const later = status === 503 ? RETRY_LATER : {}
    await reply.send(status, page, { ...HTML, ...later })
  }

  private async pageOf(
    asked: Extract<PageRequest, { kind: 'list' | 'destination' }>,
    place: Place,
  ): Promise<readonly [number, string]> {
    const { query } = asked
    if (asked.kind === 'list') {
      return [200, listPage(await this.source.currentStatus(query), { place, query })]
    }
    const detail = await this.source.destination(asked.destination)
    return detail
      ? [200, detailPage(detail, { place, query })]
      : [404, unknownPage(asked.destination, place, query)]
  }

  private place(up: Place['up']): Place {
    const name = this.settings.path.slice(this.settings.path.lastIndexOf('/') + 1)
    return { name, up, version: this.assets.version }
  }
}

function takesGzip(headers: unknown): boolean {
  return /\bgzip\b/.test(textOf(member(headers, 'accept-encoding')) ?? '')
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Of one connection. */
const MOST_UNANSWERED = 4

const HTML = { 'Content-Type': 'text/html; charset=utf-8' }
const RETRY_LATER = { 'Retry-After': String(RETRY_AFTER_SECONDS) }
const UNKNOWN_NAME =
  'The delivery status is not served under this name. An operator can add it to dane.ini: [status] host[] = NAME\n'
