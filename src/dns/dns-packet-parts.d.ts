/** The parts of dns-packet that its published types leave out. */
import type { Answer } from 'dns-packet'

declare module 'dns-packet' {
  export const name: {
    decode: { (buffer: Buffer, offset: number): string; bytes: number }
  }
  export const answer: {
    decode: { (buffer: Buffer, offset: number): Answer; bytes: number }
  }
}
