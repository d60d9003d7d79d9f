/** How does the gate meet a connection of Haraka's without Haraka? */
import { EventEmitter } from 'node:events'
import { Socket as NetSocket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Socket, UpgradeCallback } from '../../src/haraka/host.js'

/** As much of a TLS connection as the gate looks at. */
const cleartext = Object.assign(new TLSSocket(new NetSocket()), {
  getProtocol: () => 'TLSv1.3',
  getCipher: () => ({ name: 'TLS_AES_256_GCM_SHA384' }),
  getPeerX509Certificate: () => ({ raw: Buffer.from('leaf') }),
})

/** As much of Haraka's stream as the gate touches. */
export class Wire extends EventEmitter {
  cleartext = cleartext
  isDestroyed = false
  handshakeDone: UpgradeCallback = () => undefined
  upgrade: Socket['upgrade'] = (_, callback) => {
    if (callback) this.handshakeDone = callback
  }
  isSecure = (): boolean => false
  isEncrypted = (): boolean => true
  write = (): boolean => true
  destroy = (): void => {
    this.isDestroyed = true
  }
}
