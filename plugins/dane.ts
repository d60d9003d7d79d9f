/**
 * The plugin file that Haraka loads: it registers hooks; everything else is in src/haraka.
 *
 * Haraka copies what is exported here onto its plugin object, which is `this` below.
 */
import type { Hmail, HttpHost, Next, Plugin } from '../src/haraka/host.js'
import { startDane } from '../src/haraka/plugin.js'
import type { Dane } from '../src/haraka/plugin.js'

type Self = Plugin & { dane: Dane }

/** First at send_email, so that every message gets our overrides; last at get_mx, so that other routes win. */
export function register(this: Self): void {
  this.dane = startDane(this)
  this.register_hook('send_email', 'dane_send_email', -100)
  this.register_hook('get_mx', 'dane_get_mx', 100)
  this.register_hook('init_master', 'dane_init')
  // Before slow hooks of other plugins: Haraka adds its catch-all route without waiting for them.
  this.register_hook('init_http', 'dane_init_http', -100)
  if (this.dane.outcomes === undefined && this.dane.reports === undefined) return
  // First, because the hook of another plugin may end the chain, or make a DSN of a report.
  for (const hook of ['delivered', 'deferred', 'bounce']) {
    this.register_hook(hook, `dane_${hook}`, -100)
  }
}

/** All plugins are loaded: run the start check. */
export function dane_init(this: Self, next: Next): void {
  this.dane.checkStart()
  next()
}

export function dane_init_http(this: Self, next: Next, server: HttpHost): void {
  this.dane.initHttp(server)
  next()
}

/** Haraka exits. */
export function shutdown(this: Self): void {
  this.dane.stop()
}

export function dane_send_email(this: Self, next: Next, hmail: Hmail): void {
  this.dane.sendEmail(next, hmail)
}

export function dane_get_mx(this: Self, next: Next, hmail: Hmail): void {
  this.dane.getMx(next, hmail)
}

export function dane_delivered(this: Self, next: Next, hmail: Hmail, parameters: unknown): void {
  this.dane.outcomes?.delivered(hmail, parameters)
  if (this.dane.reports) this.dane.reports.delivery.delivered(next, hmail, parameters)
  else next()
}

export function dane_deferred(this: Self, next: Next, hmail: Hmail, parameters: unknown): void {
  this.dane.outcomes?.deferred(hmail, parameters)
  if (this.dane.reports) this.dane.reports.delivery.deferred(next, hmail, parameters)
  else next()
}

export function dane_bounce(this: Self, next: Next, hmail: Hmail, error: unknown): void {
  this.dane.outcomes?.bounce(hmail, error)
  if (this.dane.reports) this.dane.reports.delivery.bounced(next, hmail, error)
  else next()
}
