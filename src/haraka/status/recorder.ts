/**
 * Records what happens to the mail of this process, for the delivery status.
 *
 * Promises: nothing in here throws, waits or changes a message; a failure is logged once,
 * and the status misses that event.
 */
import type { LookupEvent } from '../../lookup.js'
import type { MailEvent } from '../../mail-event.js'
import { serverText } from '../../server-address.js'
import type { Settings } from '../../settings/settings.js'
import { DestinationFacts } from '../../status/facts.js'
import type { Outcome } from '../../status/facts.js'
import { HealthWatch } from '../../status/health.js'
import { destinationName } from '../../status/queue-name.js'
import { errorText } from '../../text.js'
import type { Hmail } from '../host.js'
import type { ProcessLog } from '../log/process-log.js'

type Message = Pick<Hmail, 'todo'>

export class Recorder {
  readonly facts = new DestinationFacts()
  readonly watch = new HealthWatch()
  /** Messages whose end at this attempt DANE is the cause of, or has vouched for. */
  private readonly told = new WeakSet<object>()
  private readonly log: ProcessLog
  private isFaulty = false

  constructor(log: ProcessLog) {
    this.log = log
  }

  /** The settings at the start, or after a reload. */
  settings({ resolver, redis }: Settings): void {
    this.guarded(() => {
      this.watch.reset(resolver.servers.map(serverText), redis !== undefined)
    })
  }

  lookup(event: LookupEvent): void {
    this.guarded(() => {
      this.watch.note(event)
    })
  }

  /** An attempt begins. */
  begin(hmail: Message): void {
    this.told.delete(hmail)
  }

  mail(hmail: Message, event: MailEvent): void {
    this.guarded(() => {
      if (event.kind === 'settled' || event.kind === 'delivered') this.told.add(hmail)
      this.facts.noteMail(destinationOf(hmail), event, Date.now())
    })
  }

  /** From Haraka's hooks, which say less than a mail event of the same attempt. */
  outcome(hmail: Message, outcomeOf: () => Outcome): void {
    this.guarded(() => {
      if (this.told.has(hmail)) return
      this.facts.noteOutcome(destinationOf(hmail), outcomeOf(), Date.now())
    })
  }

  /** Whatever goes wrong in `note` ends here. */
  guarded(note: () => void): void {
    try {
      note()
    } catch (error) {
      if (!this.isFaulty) {
        this.log.logerror(`the status misses events, mail is not affected: ${errorText(error)}`)
      }
      this.isFaulty = true
    }
  }
}

function destinationOf({ todo }: Message): string {
  return destinationName(String(todo.domain))
}
