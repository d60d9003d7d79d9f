// Makes a laboratory the world for a Haraka process that is started with
// `--require` of this file: Haraka's own lookups go to the laboratory's resolver and
// its own connections to port 25 to the laboratory's port. Used for mail that the
// plugin leaves alone (policy none and audit), where no setting of ours reaches. No
// file of Haraka is changed.
'use strict'

const dns = require('node:dns')
const net = require('node:net')

const { LAB_RESOLVER, LAB_SMTP_PORT } = process.env

if (LAB_RESOLVER) {
  dns.setServers([LAB_RESOLVER])
  const { Resolver } = dns.promises
  dns.promises.Resolver = class extends Resolver {
    constructor(...args) {
      super(...args)
      this.setServers([LAB_RESOLVER])
    }
  }
}

if (LAB_SMTP_PORT) {
  const { connect } = net.Socket.prototype
  net.Socket.prototype.connect = function (...args) {
    const [options] = Array.isArray(args[0]) ? args[0] : args
    if (options && typeof options === 'object' && Number(options.port) === 25) {
      options.port = Number(LAB_SMTP_PORT)
    }
    return connect.apply(this, args)
  }
}
