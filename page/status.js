// @ts-check
/**
 * Keeps the delivery status live, and follows its links without loading a new document.
 *
 * The page works without this script. With it, the same address is fetched again every
 * five seconds, and what differs is changed in place, so that focus, selection and scroll
 * position stay. Stops while the tab is hidden or paused; after a failure it waits twice
 * as long each time, up to a minute, and says since when the page is not live.
 *
 * Sends nothing but GET, and only to where it comes from.
 */
'use strict'
;(() => {
  const INTERVAL_MS = 5_000
  const LONGEST_MS = 60_000
  const PATIENCE_MS = 20_000
  const TYPING_MS = 250

  const script =
    document.currentScript instanceof HTMLScriptElement ? document.currentScript.src : ''
  const base = new URL(script).pathname.replace(/\.js$/, '')
  const root = document.documentElement

  let wait = INTERVAL_MS
  let timer = 0
  let typingTimer = 0
  let isTyping = false
  let isPaused = false
  let held = heldText(document)
  /** @type {AbortController | undefined} */
  let running

  /** @param {string} id */
  const byId = (id) => document.getElementById(id)

  /** @param {string} text */
  function say(text) {
    const status = byId('say')
    if (status) status.textContent = text
  }

  /** @param {Document} of */
  function heldText(of) {
    return of.querySelector('.sums div:nth-child(2) dd')?.textContent?.trim() ?? ''
  }

  /** What the head of the page says about itself. */
  function showState(/** @type {'live' | 'late' | 'paused'} */ state) {
    root.classList.remove('live', 'late', 'paused')
    root.classList.add(state)
    const live = byId('live')
    if (live) live.textContent = { live: 'live, ', late: 'not live, ', paused: 'paused, ' }[state]
    const pause = byId('pause')
    if (!pause) return
    pause.hidden = false
    pause.textContent = isPaused ? 'Resume' : 'Pause'
  }

  /**
   * The document at `url`; throws if it is not one of ours.
   * @param {string} url
   */
  async function load(url) {
    running?.abort()
    const own = (running = new AbortController())
    const giveUp = setTimeout(() => own.abort(), PATIENCE_MS)
    try {
      const response = await fetch(url, { signal: own.signal, headers: { accept: 'text/html' } })
      const isPage = response.headers.get('content-type')?.startsWith('text/html')
      if (response.status === 503) {
        throw new Failure(Number(response.headers.get('retry-after') ?? 0) * 1_000)
      }
      if (!isPage || (response.status !== 200 && response.status !== 404)) throw new Failure(0)
      const text = await response.text()
      if (own !== running) return undefined
      return new DOMParser().parseFromString(text, 'text/html')
    } catch (error) {
      // Another request took its place.
      if (own !== running) return undefined
      throw error
    } finally {
      clearTimeout(giveUp)
    }
  }

  class Failure extends Error {
    /** @param {number} pause */
    constructor(pause) {
      super('not available')
      this.pause = pause
    }
  }

  /** @param {Document} next */
  function show(next) {
    const isOtherVersion =
      next.querySelector('script')?.getAttribute('src')?.split('?')[1] !== script.split('?')[1]
    if (isOtherVersion) {
      location.reload()
      return
    }
    const active = document.activeElement
    document.title = next.title
    morph(document.body, next.body)
    if (active instanceof HTMLElement && active !== document.activeElement && active.isConnected) {
      active.focus({ preventScroll: true })
    }
    if (root.classList.contains('late')) say('The page is live again')
    showState(isPaused ? 'paused' : 'live')
    wait = INTERVAL_MS
  }

  /**
   * From now on it asks less often.
   * @param {unknown} error
   */
  function fail(error) {
    wait = Math.min(Math.max(wait * 2, error instanceof Failure ? error.pause : 0), LONGEST_MS)
    if (!root.classList.contains('late')) say('The page is not live')
    showState('late')
  }

  /** The same address again. */
  async function refresh() {
    clearTimeout(timer)
    try {
      const next = await load(location.href)
      if (next === undefined) return
      show(next)
      const heldNow = heldText(document)
      if (heldNow !== held && heldNow !== '') say(`Held by DANE: ${heldNow}`)
      held = heldNow
    } catch (error) {
      fail(error)
    }
    plan()
  }

  function plan() {
    clearTimeout(timer)
    if (!isPaused && !document.hidden) timer = setTimeout(refresh, wait)
  }

  /**
   * Another view. If it cannot be fetched, the browser loads it and shows what is wrong.
   * @param {string} url
   * @param {() => void} record notes it in the history
   * @param {() => void} [after] the new content is there
   * @param {(error: unknown) => void} [failed] what to do instead of loading it
   */
  async function go(url, record, after, failed = () => location.assign(url)) {
    clearTimeout(timer)
    try {
      const next = await load(url)
      if (next === undefined) return
      record()
      show(next)
      after?.()
      held = heldText(document)
      say(byId('count')?.textContent ?? '')
    } catch (error) {
      failed(error)
      return
    }
    plan()
  }

  /** Remembers where the reader is, for the way back. */
  function keepPosition() {
    const active = document.activeElement
    const id = active?.closest('[id]')?.id
    history.replaceState({ y: scrollY, id }, '')
  }

  /** @param {string} url */
  function push(url) {
    const before = location.pathname
    const record = () => {
      keepPosition()
      history.pushState(null, '', url)
    }
    void go(url, record, () => {
      if (location.pathname === before) return
      scrollTo(0, 0)
      byId('h')?.focus({ preventScroll: true })
    })
  }

  /** The search as the form would send it. */
  function search(/** @type {HTMLFormElement} */ form) {
    const url = new URL(form.action)
    const given = [...new FormData(form)].filter(([, value]) => value !== '')
    url.search = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString()
    return url.href
  }

  document.addEventListener('click', (event) => {
    const { target } = event
    if (!(target instanceof Element) || event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    if (target.id === 'pause') {
      isPaused = !isPaused
      showState(isPaused ? 'paused' : 'live')
      if (isPaused) clearTimeout(timer)
      else void refresh()
      return
    }
    const link = target.closest('a[href]')
    if (!(link instanceof HTMLAnchorElement) || link.hash !== '') return
    const isOurs = link.pathname === base || link.pathname.startsWith(`${base}/`)
    if (link.origin !== location.origin || !isOurs) return
    event.preventDefault()
    push(link.href)
  })

  document.addEventListener('submit', (event) => {
    if (!(event.target instanceof HTMLFormElement)) return
    event.preventDefault()
    clearTimeout(typingTimer)
    push(search(event.target))
  })

  // Typing is one step in the history, however many letters it has.
  document.addEventListener('input', (event) => {
    const { target } = event
    if (!(target instanceof HTMLInputElement) || !target.form) return
    const { form } = target
    clearTimeout(typingTimer)
    typingTimer = setTimeout(() => {
      const url = search(form)
      if (url === location.href) return
      const record = () => {
        if (isTyping) history.replaceState(null, '', url)
        else {
          keepPosition()
          history.pushState(null, '', url)
        }
        isTyping = true
      }
      // Who types must not lose the page: the search is asked for again.
      void go(url, record, undefined, (error) => {
        record()
        fail(error)
        plan()
      })
    }, TYPING_MS)
  })
  document.addEventListener('focusout', ({ target }) => {
    if (target instanceof HTMLInputElement) isTyping = false
  })

  addEventListener('popstate', ({ state }) => {
    isTyping = false
    const nothing = () => undefined
    void go(location.href, nothing, () => {
      const input = byId('q')
      if (input instanceof HTMLInputElement) input.value = input.defaultValue
      const left = state?.id ? byId(state.id) : null
      const to = left?.matches('a, input, button') ? left : left?.querySelector('a')
      ;(to ?? byId('h'))?.focus({ preventScroll: true })
      scrollTo(0, state?.y ?? 0)
    })
  })

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) clearTimeout(timer)
    else if (!isPaused) void refresh()
  })

  // The reader's own time.
  document.addEventListener('pointerover', ({ target }) => {
    const time = target instanceof Element ? target.closest('time') : null
    if (time) time.title = new Date(time.dateTime).toLocaleString(undefined, LOCAL)
  })
  /** @type {Intl.DateTimeFormatOptions} */
  const LOCAL = { dateStyle: 'medium', timeStyle: 'long' }

  /**
   * Makes `have` like `want` with as few changes as possible. Elements with the same id are
   * the same element; what belongs to this script stays.
   * @param {Node} have
   * @param {Node} want
   */
  function morph(have, want) {
    if (!(have instanceof Element && want instanceof Element)) {
      if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue
      return
    }
    if (have.hasAttribute('data-own')) return
    const state = have.getAttribute('data-s')
    for (const { name } of [...have.attributes]) {
      if (!want.hasAttribute(name)) have.removeAttribute(name)
    }
    for (const { name, value } of want.attributes) {
      if (have.getAttribute(name) !== value) have.setAttribute(name, value)
    }
    if (state !== have.getAttribute('data-s')) have.classList.add('changed')
    if (have instanceof HTMLInputElement) {
      if (have !== document.activeElement) have.value = have.defaultValue
      return
    }
    morphChildren(have, want)
  }

  /**
   * @param {Element} have
   * @param {Element} want
   */
  function morphChildren(have, want) {
    const byKey = new Map(
      [...have.children].filter(({ id }) => id).map((child) => [child.id, child]),
    )
    let at = have.firstChild
    for (const next of want.childNodes) {
      const key = next instanceof Element ? next.id : ''
      const same = key ? byKey.get(key) : at && isAlike(at, next) ? at : undefined
      if (same && same.nodeName === next.nodeName) {
        if (same === at) at = at.nextSibling
        else have.insertBefore(same, at)
        morph(same, next)
      } else have.insertBefore(document.importNode(next, true), at)
    }
    while (at) {
      const last = at
      at = at.nextSibling
      last.remove()
    }
  }

  /**
   * @param {Node} have
   * @param {Node} want
   */
  function isAlike(have, want) {
    return have.nodeName === want.nodeName && !(have instanceof Element && have.id)
  }

  // Its address is relative to that of the document, which changes.
  const icon = document.head.querySelector('link[rel=icon]')
  if (icon instanceof HTMLLinkElement) icon.setAttribute('href', icon.href)

  history.scrollRestoration = 'manual'
  showState('live')
  plan()
})()
