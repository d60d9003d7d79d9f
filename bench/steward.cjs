// A Haraka plugin that controls and measures a relay for the bench, from inside.
//
// It takes requests over a socket in the relay's own folder: deliver
// the queue and report wall-clock and CPU time, plan messages
// as Haraka would, report the memory, write a profile. It observes the outcome of
// messages and changes nothing; it is loaded in every measured relay, with
// DANE or without.
'use strict'
/* global exports */

const cluster = require('node:cluster')
const { EventEmitter } = require('node:events')
const fs = require('node:fs')
const inspector = require('node:inspector')
const net = require('node:net')
const path = require('node:path')
const { performance } = require('node:perf_hooks')
const readline = require('node:readline')
const v8 = require('node:v8')
const vm = require('node:vm')

exports.register = function () {
  // eslint-disable-next-line @typescript-eslint/no-this-alias -- required by Haraka's plugin API
  const plugin = this
  const who = () => ({ pid: process.pid, isWorker: cluster.isWorker ? 1 : 0 })
  const verbs = {
    deliver: deliverer(plugin),
    plan: planner(plugin),
    memory,
    ...profiler(),
    who,
  }
  listen(verbs)
}

/** Counts how messages are settled, and delivers a queue. */
function deliverer(plugin) {
  const ends = { delivered: 0, deferred: 0, bounced: 0 }
  const happened = new EventEmitter()
  const count = (what) => (next) => {
    ends[what] += 1
    happened.emit('end')
    next()
  }
  for (const [hook, what] of [
    ['delivered', 'delivered'],
    ['deferred', 'deferred'],
    ['bounce', 'bounced'],
  ]) {
    plugin[`note_${what}`] = count(what)
    plugin.register_hook(hook, `note_${what}`)
  }

  /** Loads the queue as Haraka does at start, and waits until this many messages are settled. */
  return async function deliver({ messages }) {
    const queue = plugin.haraka_require('outbound/queue')
    Object.assign(ends, { delivered: 0, deferred: 0, bounced: 0 })
    const cpu = process.cpuUsage()
    const startedAt = performance.now()
    const all = new Promise((resolve) => {
      happened.on('end', function end() {
        if (ends.delivered + ends.deferred + ends.bounced < messages) return
        happened.off('end', end)
        resolve(performance.now())
      })
    })
    await queue.init_queue(cluster.isWorker ? process.pid : undefined)
    const endedAt = await all
    // The last ones are still sending QUIT and removing their files.
    while (queue.get_stats() !== '0/0/0') await pause(5)
    const { user, system } = process.cpuUsage(cpu)
    return { ...ends, seconds: (endedAt - startedAt) / 1000, cpuSeconds: (user + system) / 1e6 }
  }
}

/** Times the planning of messages. */
function planner(plugin) {
  plugin.note_start = (next, hmail) => {
    hmail.startedAt = performance.now()
    next()
  }

  /** Starts timing a plan after the hooks of other plugins; our own hook is timed separately. */
  function stampBeforeDane({ registered_hooks }) {
    const hooks = registered_hooks.get_mx
    if (hooks.some(({ method }) => method === 'note_start')) return
    const at = hooks.findIndex(({ plugin: name }) => name === 'dane')
    const { method } = hooks[at]
    hooks.splice(at, 0, { ...hooks[at], plugin: plugin.name, method: 'note_start' })
    const { dane } = plugin.haraka_require('plugins').registered_plugins
    const answer = dane[method]
    dane[method] = function (next, hmail, ...rest) {
      const askedAt = performance.now()
      const noted = (...result) => {
        hmail.answeredAfter = performance.now() - askedAt
        next(...result)
      }
      return answer.call(this, noted, hmail, ...rest)
    }
  }

  /** Times from the get_mx hook to the list of hosts that Haraka receives, for each domain. */
  return async function plan({ domains, atOnce = 1, isTimed = false }) {
    const plugins = plugin.haraka_require('plugins')
    if (isTimed) stampBeforeDane(plugins)
    const HMailItem = plugin.haraka_require('outbound/hmail')
    const { cfg } = plugin.haraka_require('outbound/config')
    const rcpt_to = []
    const microseconds = new Array(domains.length)
    const ownMicroseconds = new Array(domains.length)
    const cpu = process.cpuUsage()
    let refused = 0
    let at = 0
    const one = (index) =>
      new Promise((resolve) => {
        const hmail = Object.create(HMailItem.prototype)
        const done = (isPlan) => {
          microseconds[index] = (performance.now() - hmail.startedAt) * 1000
          ownMicroseconds[index] = (hmail.answeredAfter ?? 0) * 1000
          if (!isPlan) refused += 1
          // Tells the plugin that the attempt has ended, as Haraka does.
          hmail.next_cb?.()
          resolve()
        }
        Object.assign(hmail, {
          cfg,
          name: 'outbound',
          todo: { domain: domains[index], rcpt_to, uuid: `PLAN-${index}` },
          found_mx: () => done(true),
          temp_fail: () => done(false),
          bounce: () => done(false),
        })
        hmail.startedAt = performance.now()
        plugins.run_hooks('get_mx', hmail, domains[index])
      })
    const take = async () => {
      while (at < domains.length) await one(at++)
    }
    await Promise.all(Array.from({ length: atOnce }, take))
    const { user, system } = process.cpuUsage(cpu)
    return { microseconds, ownMicroseconds, refused, cpuSeconds: (user + system) / 1e6 }
  }
}

async function memory() {
  v8.setFlagsFromString('--expose-gc')
  const collect = vm.runInNewContext('gc')
  for (let i = 0; i < 3; i++) {
    collect()
    await pause(50)
  }
  return process.memoryUsage()
}

function profiler() {
  let session
  const post = (method) =>
    new Promise((resolve, reject) => {
      session.post(`Profiler.${method}`, (error, result) =>
        error ? reject(error) : resolve(result),
      )
    })

  async function startProfile() {
    session = new inspector.Session()
    session.connect()
    await post('enable')
    await post('start')
    return {}
  }

  async function stopProfile({ file }) {
    const { profile } = await post('stop')
    session.disconnect()
    fs.writeFileSync(file, JSON.stringify(profile))
    return {}
  }

  return { startProfile, stopProfile }
}

/** Answers requests on a socket in the relay's folder, one JSON object per line. */
function listen(verbs) {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined)
    readline.createInterface({ input: socket }).on('line', async (line) => {
      const { verb, ...rest } = JSON.parse(line)
      try {
        const result = await verbs[verb](rest)
        socket.write(`${JSON.stringify({ result })}\n`)
      } catch (error) {
        socket.write(`${JSON.stringify({ error: String(error?.stack ?? error) })}\n`)
      }
    })
  })
  const place = path.join(process.env.HARAKA, `steward-${process.pid}`)
  server.listen({ path: place, exclusive: true })
  server.unref()
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
