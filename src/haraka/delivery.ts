/** What enforced and untouched delivery have in common: the methods that Haraka calls, and its own. */
import type { Hmail, Mx, Socket } from './host.js'

/** What Haraka calls on an hmail to deliver it. */
export type Delivery = {
  readonly foundMx: (mxs: Mx[]) => void
  readonly tryDeliver: () => void
  readonly onSocket: (mx: Mx, host: string, port: number, socket: Socket) => void
  readonly forceTls: (mx: Mx) => boolean
  /** A host has accepted the message. */
  readonly onDelivered: () => void
}

/** Haraka's own methods. */
export type Original = Pick<
  Hmail,
  'found_mx' | 'try_deliver' | 'try_deliver_host_on_socket' | 'get_force_tls'
>
