/**
 * What can come of sending a query to a server?
 *
 * The one shape of datagram.ts and stream.ts. Types only; pure.
 */

/** What one attempt brought. */
export type Exchange =
  | { readonly kind: 'reply'; readonly bytes: Buffer }
  /** `strays`: messages that came and answered something else. */
  | { readonly kind: 'timeout'; readonly strays: number }
  | { readonly kind: 'network'; readonly detail: string }

/** Sends a query to one server and waits at most `timeoutMs` for bytes that `isReply` accepts. */
export type Transport = (
  query: Buffer,
  isReply: (bytes: Buffer) => boolean,
  timeoutMs: number,
) => Promise<Exchange>
