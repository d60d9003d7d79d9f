/**
 * The skin that Haraka sees: hooks in, everything else in src/haraka. Decides nothing.
 *
 * Haraka copies what is exported here onto its plugin object, which is `this` below.
 */
import type { Hmail, HttpHost, Next, Plugin } from '../src/haraka/host.js'
import { startDane } from '../src/haraka/plugin.js'
import type { Dane } from '../src/haraka/plugin.js'

type Self = Plugin & { dane: Dane }

/** First at send_email, so that every message is armed; last at get_mx, so that other routes win. */
export function register(this: Self): void {
  this.dane = startDane(this)
  this.register_hook('send_email', 'dane_send_email', -100)
  this.register_hook('get_mx', 'dane_get_mx', 100)
  this.register_hook('init_master', 'dane_init')
  // Before others that take their time: Haraka does not wait for them with its own last route.
  this.register_hook('init_http', 'dane_init_http', -100)
}

/** All plugins are loaded: look around. */
export function dane_init(this: Self, next: Next): void {
  this.dane.checkStart()
  next()
}

export function dane_init_http(this: Self, next: Next, server: HttpHost): void {
  this.dane.initHttp(server)
  next()
}

/** Haraka ends. */
export function shutdown(this: Self): void {
  this.dane.stop()
}

export function dane_send_email(this: Self, next: Next, hmail: Hmail): void {
  this.dane.sendEmail(next, hmail)
}

export function dane_get_mx(this: Self, next: Next, hmail: Hmail): void {
  this.dane.getMx(next, hmail)
}
