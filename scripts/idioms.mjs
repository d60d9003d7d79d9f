// Counts ten turns of phrase that read as translated, in comments and pages.
//
// Prints each one as file:line and the rate per 1,000 words of each area. With arguments
// it reads only those files and folders: `node scripts/idioms.mjs src/cli README.md`.
// test/unit/idioms.test.ts limits the rate.
//
// Limits: it knows ten phrases, not style. A few uses are legitimate ("tell X from Y"),
// so the limit is a rate above zero. In sources it reads comments that have a line of
// their own, in pages everything except code. docs/dev/guards.md is generated from
// guards.txt and the names of tests, so it does not count as a page.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

const GENERATED = 'docs/dev/guards.md'

/** Each with a replacement that usually fits. */
const IDIOMS = [
  [/\bh(?:ang|angs|anging|ung) on\b/gi, 'depends on'],
  [/\b(?:stand|stands|standing|stood)\b/gi, 'is, reads'],
  [/\b(?:bear|bears|bearing|bore|borne)\b/gi, 'has, carries'],
  [/\b(?:nobody|somebody|whoever)\b/gi, 'no one, another process, anyone who'],
  [/\b(?:tell|tells|telling|told)\b/gi, 'reports, distinguishes'],
  [/\b(?:meanwhile|underway)\b/gi, 'in the meantime, in flight'],
  [/\bbesides?\b/gi, 'next to, concurrently with'],
  [/\b(?:anew|afresh)\b/gi, 'again'],
  [/\b(?:mend|mends|mended|mending)\b/gi, 'fix, repair'],
  [/\bin (?:its|their) place\b/gi, 'instead'],
]

const AREAS = {
  src: ['src', 'plugins'],
  test: ['test'],
  lab: ['lab'],
  scripts: ['scripts'],
  bench: ['bench'],
  pages: ['README.md', 'SECURITY.md', 'CHANGELOG.md', 'docs', 'config/dane.ini'],
}

/** The idioms in these files and folders, and their number of words. */
function count(paths) {
  const places = []
  let words = 0
  for (const file of paths.flatMap(filesUnder)) {
    for (const { line, text } of prose(file, readFileSync(path.join(ROOT, file), 'utf8'))) {
      words += text.match(/[A-Za-z][\w'-]*/g)?.length ?? 0
      for (const [pattern, instead] of IDIOMS) {
        for (const [found] of text.matchAll(pattern)) places.push({ file, line, found, instead })
      }
    }
  }
  return { places, words, perThousand: words === 0 ? 0 : (places.length / words) * 1000 }
}

function filesUnder(name) {
  const full = path.join(ROOT, name)
  if (!statSync(full).isDirectory()) return [name]
  return readdirSync(full, { recursive: true, encoding: 'utf8' })
    .map((each) => path.join(name, each))
    .filter((each) => /\.(?:[cm]?ts|[cm]js|md|txt)$/.test(each))
    .filter((each) => each !== GENERATED || name === GENERATED)
    .toSorted()
}

/** The lines written for a reader, without code and link targets. */
function prose(file, content) {
  const lines = content.split('\n')
  const pick = file.endsWith('.md') ? pageLine() : commentLine(file)
  return lines.flatMap((line, index) => {
    const text = pick(line)
    return text === undefined ? [] : [{ line: index + 1, text }]
  })
}

function pageLine() {
  let isCode = false
  return (line) => {
    if (line.startsWith('```')) isCode = !isCode
    return isCode ? undefined : line.replace(/`[^`]*`/g, '').replace(/\]\([^)]*\)/g, ']')
  }
}

function commentLine(file) {
  const start = /\.(?:txt|ini)$/.test(file) ? /^\s*[;#](.*)$/ : /^\s*(?:\/\/|\/?\*+)(.*)$/
  return (line) => start.exec(line)?.[1]?.replace(/`[^`]*`/g, '')
}

const asked = process.argv.slice(2)
const areas = asked.length > 0 ? asked.map((name) => [name, [name]]) : Object.entries(AREAS)
const counted = areas.map(([name, paths]) => [name, count(paths)])
for (const [, { places }] of counted) {
  for (const { file, line, found, instead } of places) {
    console.log(`${file}:${line} ${found} (${instead})`)
  }
}
for (const [name, { places, words, perThousand }] of counted) {
  console.log(`${name}: ${places.length} in ${words} words, ${perThousand.toFixed(1)} per 1,000`)
}
