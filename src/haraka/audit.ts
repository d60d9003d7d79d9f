/**
 * What would DANE have done with this message?
 *
 * Under `policy = audit` everything is looked up and judged while Haraka delivers as
 * if the plugin were not there: no wait for lookups, no word to any hook, no change
 * to a connection. Each line begins with `audit:` and says that nothing was enforced.
 *
 * Promises: mail flows as without the plugin, whatever goes wrong in here.
 */
import type { HostPlan, Plan } from '../policy.js'
import { phraseOf } from '../reason.js'
import type { Reason } from '../reason.js'
import { peerChain } from '../session/handshake.js'
import { createPreamble } from '../session/preamble.js'
import { errorText, printable } from '../text.js'
import type { PeerChain } from '../verdict.js'
import { verify, verifyNothing } from '../verify/verify.js'
import type { Attempt, Environment } from './attempt.js'
import { decideByDiscovery, demandsTls, discoverInTime } from './delivery.js'
import type { Hmail, Mx, Socket } from './host.js'
import { logPlan } from './log.js'

export type Audit = {
  /** Watches one connection that Haraka makes on its own. */
  observe(mx: Mx, socket: Socket): void
}

/** Begins to find out; returns at once. */
export function createAudit(env: Environment, hmail: Hmail, attempt: Attempt): Audit {
  const discovered = forecast().catch((error: unknown) => {
    env.plugin.logerror(`audit: unexpected error, mail flows on: ${errorText(error)}`)
    return undefined
  })

  async function forecast(): Promise<Plan | undefined> {
    const { destination, parts } = attempt
    if (destination.kind !== 'domain') return undefined
    const discovery = await discoverInTime(parts, destination.name, 'opportunistic')
    if (discovery.kind === 'plan') logPlan(hmail, env.plugin, 'audit', discovery)
    const decision = decideByDiscovery(parts, discovery, destination.text)
    if (decision.kind !== 'deliver') {
      const { reason, host, detail } = decision.refusal
      say(
        decision.kind === 'defer' ? 'would be deferred' : 'would be returned',
        host,
        reason,
        detail,
      )
    }
    return discovery.kind === 'plan' ? discovery : undefined
  }

  function observe(mx: Mx, socket: Socket): void {
    const preamble = createPreamble()
    let isSettled = false
    const settle = (judge: (host: HostPlan) => void): void => {
      if (isSettled) return
      isSettled = true
      discovered
        .then((plan) => {
          const host = plan?.hosts.find(({ exchange }) => exchange === mx.from_dns?.toLowerCase())
          if (host && demandsTls(host.policy)) judge(host)
        })
        .catch((error: unknown) => {
          env.plugin.logerror(`audit: unexpected error, mail flows on: ${errorText(error)}`)
        })
    }

    socket.prependListener('data', (bytes) => {
      if (isSettled || !Buffer.isBuffer(bytes)) return
      const step = preamble.read(bytes)
      if (step.kind !== 'refuse') return
      settle(({ exchange }) => {
        say('host would be refused', exchange, step.reason, step.detail)
      })
    })
    const upgrade = socket.upgrade.bind(socket)
    socket.upgrade = (options, callback) => {
      upgrade(options, (...result) => {
        const chain = shownChain(socket)
        settle((host) => {
          judge(host, chain)
        })
        callback?.(...result)
      })
    }
  }

  function judge({ exchange, policy }: HostPlan, chain: PeerChain | undefined): void {
    if (policy.kind !== 'authenticate' && policy.kind !== 'encrypt') return
    const verdict = chain ? verify(policy, chain, env.now()) : verifyNothing()
    if (verdict.kind === 'refused') {
      say('host would be refused', exchange, verdict.reason, verdict.detail)
    } else {
      hmail.loginfo(env.plugin, `audit: host would be ${verdict.kind}`, { host: exchange })
    }
  }

  function say(what: string, host: string, reason: Reason, detail: string): void {
    hmail.loginfo(env.plugin, `audit: ${what}`, {
      host: printable(host),
      reason,
      meaning: phraseOf(reason),
      detail: printable(detail, 400),
    })
  }

  return { observe }
}

function shownChain({ cleartext }: Socket): PeerChain | undefined {
  try {
    return cleartext && peerChain(cleartext)
  } catch {
    return undefined // reported as no certificate; the connection is not ours to disturb
  }
}
