/**
 * The interface of datagram.ts and stream.ts.
 *
 * Types only; pure.
 */

/** The result of one attempt. */
export type Exchange =
  | { readonly kind: 'reply'; readonly bytes: Buffer }
  /** `strays`: messages received that answered other questions. */
  | { readonly kind: 'timeout'; readonly strays: number }
  | { readonly kind: 'network'; readonly detail: string }

/** Sends a query to one server and waits at most `timeoutMs` for bytes that `isReply` accepts. */
export type Transport = (
  query: Buffer,
  isReply: (bytes: Buffer) => boolean,
  timeoutMs: number,
) => Promise<Exchange>
