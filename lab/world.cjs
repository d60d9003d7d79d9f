// Confines a Haraka process to the laboratory when it is started with
// `--require` of this file: Haraka's own lookups go to the laboratory's resolver and
// its own connections to port 25 to the laboratory's port. Needed for mail that the
// plugin does not handle (policy none and audit), where our settings do not apply. A test
// can also move its clock, make the sender of TLS reports look more often, and have
// connections to an address of its choice arrive on loopback. No file of Haraka is changed.
'use strict'

const dns = require('node:dns')
const fs = require('node:fs')
const net = require('node:net')
const { performance } = require('node:perf_hooks')

const { LAB_CLOCK, LAB_HASTE, LAB_LOOPBACK, LAB_RESOLVER, LAB_SMTP_PORT } = process.env

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

// An address that the plugin resolved and checked is exchanged when the socket connects, so
// that the checks are those of a relay on the Internet.
if (LAB_LOOPBACK) {
  const { connect } = net.Socket.prototype
  const onLoopback = (answer) =>
    answer === LAB_LOOPBACK ? { address: '127.0.0.1', family: 4 } : undefined
  net.Socket.prototype.connect = function (...args) {
    const [options] = Array.isArray(args[0]) ? args[0] : args
    const lookup = options && typeof options === 'object' ? options.lookup : undefined
    if (typeof lookup === 'function') {
      options.lookup = (host, wanted, callback) =>
        lookup(host, wanted, (error, found, family) => {
          if (Array.isArray(found)) {
            callback(
              error,
              found.map((each) => onLoopback(each.address) ?? each),
            )
            return
          }
          const other = onLoopback(found)
          callback(error, other?.address ?? found, other?.family ?? family)
        })
    }
    return connect.apply(this, args)
  }
}

// The sender of TLS reports waits for seconds between two looks at what is due.
if (LAB_HASTE) {
  const { setTimeout: unhurried } = globalThis
  const isLook = (delay) => delay >= 2_500 && new Error().stack.includes('sender-loop')
  const hurried = (callback, delay, ...args) =>
    unhurried(callback, isLook(delay) ? delay / Number(LAB_HASTE) : delay, ...args)
  globalThis.setTimeout = Object.defineProperties(
    hurried,
    Object.getOwnPropertyDescriptors(unhurried),
  )
}

// The file has the milliseconds by which the clock is ahead; a test can change it at any
// time. Timers and certificates are not affected.
if (LAB_CLOCK) {
  const RealDate = Date
  let ahead = 0
  let readAt = -Infinity
  const now = () => {
    if (performance.now() - readAt > 20) {
      readAt = performance.now()
      ahead = Number(fs.readFileSync(LAB_CLOCK, 'utf8'))
    }
    return RealDate.now() + ahead
  }
  globalThis.Date = class Date extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(now())
      else super(...args)
    }

    static now() {
      return now()
    }
  }
}
