// A reporter for the test runner: one line for each failed test, none for its
// parents.
import path from 'node:path'

export default async function* failedTests(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:fail' || data.details.error.failureType === 'subtestsFailed') continue
    const file = path.basename(data.file ?? data.name).replace(/\.js$/, '.ts')
    const isFile = path.isAbsolute(data.name)
    yield `${file}: ${isFile ? 'the file as a whole' : data.name}\n`
  }
}
