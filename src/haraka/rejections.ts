/**
 * Handles promises that Haraka does not await.
 *
 * Haraka calls its methods without awaiting what they return, and another plugin may have
 * replaced one by an async function. An unhandled rejection would end the process.
 */
import { types } from 'node:util'

/** Calls `onRejected` if `result` is a promise and is rejected later. */
export function catchRejection(result: unknown, onRejected: (error: unknown) => void): void {
  if (types.isPromise(result)) result.catch(onRejected)
}
