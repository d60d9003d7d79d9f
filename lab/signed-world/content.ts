/** What a zone of the signed world holds: the records that mail needs, and what surrounds them. */
import type { Random } from './random.js'

/**
 * Lines of a zone file with absolute names. `others` are the origins of zones with
 * hosts, for aliases that leave the zone.
 */
export function recordsOf(
  origin: string,
  others: readonly string[],
  random: Random,
): readonly string[] {
  const own = (label: string): string => (label === '' ? `${origin}.` : `${label}.${origin}.`)
  const other = (label: string): string => {
    const target = others.length === 0 ? origin : random.pick(others)
    return label === '' ? `${target}.` : `${label}.${target}.`
  }
  const address = (): string => `10.${[0, 0, 0].map(() => random.below(256)).join('.')}`
  const address6 = (): string => `fd00::${(1 + random.below(0xfffe)).toString(16)}`
  const digest = (): string =>
    Array.from({ length: 32 }, () => random.below(256).toString(16).padStart(2, '0')).join('')
  const tlsa = (): string => `TLSA ${random.pick(['3 1 1', '2 0 1', '3 0 1'])} ${digest()}`

  const groups: readonly (() => readonly string[])[] = [
    () => [`${own('')} A ${address()}`, `${own('')} AAAA ${address6()}`],
    () => [
      `${own('mx2')} A ${address()}`,
      random.chance(0.5)
        ? `${own('_25._tcp.mx2')} CNAME ${own('_dane')}`
        : `${own('_25._tcp.mx2')} CNAME ${other('_25._tcp.mx1')}`,
      `${own('_dane')} ${tlsa()}`,
      `${own('_dane')} ${tlsa()}`,
    ],
    () => [`${own('www')} CNAME ${own('')}`],
    () => [`${own('ext')} CNAME ${other('mx1')}`],
    () => [`${own('far')} CNAME ${other('ext')}`, `${own('further')} CNAME ${own('far')}`],
    () => [`${own('gone')} CNAME ${own('nothing')}`, `${own('lost')} CNAME ${other('nothing')}`],
    () => [
      `${own('*.wild')} A ${address()}`,
      `${own('*.wild')} MX 5 ${own('mx1')}`,
      `${own('host.wild')} AAAA ${address6()}`,
    ],
    () => [`${own('wtlsa')} A ${address()}`, `${own('*._tcp.wtlsa')} ${tlsa()}`],
    () => [`${own('*.wc')} CNAME ${random.chance(0.5) ? own('mx1') : other('mx1')}`],
    () => [`${own('a.b.ent')} A ${address()}`],
    () => [`${own('*.went.deep')} MX 10 ${own('mx1')}`, `${own('*.went.deep')} ${tlsa()}`],
    () => [`${own('dn')} DNAME ${other('')}`],
    () => [`${own('dnown')} DNAME ${own('wild')}`],
    () => [`${own('*.dnwild')} DNAME ${own('ent')}`],
    () => [`${own('null')} MX 0 .`],
    () => [
      `${own('MiXeD')} A ${address()}`,
      `${own('MiXeD')} MX 10 ${own('mx1').toUpperCase()}`,
      `${own('MiXeD')} MX 10 ${own('Mx2')}`,
      `${own('CaSe')} CNAME ${own('MX1')}`,
    ],
    () => [`${own('many')} A 10.9.8.7`, ...[1, 2, 3, 4].map(() => `${own('many')} A ${address()}`)],
    () => [`${own('*')} A ${address()}`],
  ]
  const chosen = groups.filter((_, index) =>
    random.chance(index === groups.length - 1 ? 0.15 : 0.65),
  )
  return [
    `${own('')} MX 10 ${own('mx1')}`,
    ...(random.chance(0.6) ? [`${own('')} MX 20 ${own('mx2')}`] : []),
    ...(random.chance(0.4) ? [`${own('')} MX 30 ${other('mx1')}`] : []),
    `${own('mx1')} A ${address()}`,
    ...(random.chance(0.6) ? [`${own('mx1')} AAAA ${address6()}`] : []),
    `${own('_25._tcp.mx1')} ${tlsa()}`,
    ...(random.chance(0.3) ? [`${own('_25._tcp.mx1')} ${tlsa()}`] : []),
    ...chosen.flatMap((group) => group()),
  ]
}
