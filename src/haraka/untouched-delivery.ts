/**
 * Delivers a message where no policy is enforced: as Haraka does without this plugin.
 *
 * For policy none and audit, `routes = skip`, and address literals under opportunistic
 * unless another plugin chooses the next hop. Under audit the attempt is observed, which
 * changes nothing.
 */
import type { Attempt } from './attempt/attempt.js'
import type { Audit } from './audit/audit.js'
import { showPrintable } from './connection/printable-peer.js'
import type { Delivery, Original } from './delivery.js'
import { catchRejection } from './rejections.js'

export function untouchedDelivery(
  attempt: Attempt,
  original: Original,
  audit: Audit | undefined,
): Delivery {
  const watch = (result: unknown): void => {
    catchRejection(result, (error) => {
      attempt.withhold(error)
    })
  }
  return {
    foundMx(mxs) {
      watch(original.found_mx(mxs))
    },
    tryDeliver() {
      audit?.trying(attempt.hmail.mxlist[0])
      watch(original.try_deliver())
    },
    forceTls(mx) {
      const result = original.get_force_tls(mx)
      watch(result)
      return Boolean(result)
    },
    onDelivered() {
      // Nothing was verified; Haraka logs the delivery.
    },
    onSocket(mx, host, port, socket) {
      audit?.connected(socket)
      showPrintable(socket)
      watch(original.try_deliver_host_on_socket(mx, host, port, socket))
    },
  }
}
