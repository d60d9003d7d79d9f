/** `npm run stress`: lab/stress.ts with 5,000 messages and ten kills, or the two numbers given. */
import { stress, stressText } from '../lab/stress.js'
import { runCommand } from './run-command.js'

async function main(): Promise<number> {
  const [messages = 5_000, kills = 10] = process.argv.slice(2).map(Number)
  const result = await stress({
    messages,
    kills,
    log: (line) => {
      console.error(line)
    },
  })
  console.log(stressText(result))
  for (const complaint of result.complaints.slice(0, 50)) console.log(`WRONG ${complaint}`)
  console.log(`${result.complaints.length} wrong`)
  return result.complaints.length === 0 ? 0 : 1
}

runCommand(main)
