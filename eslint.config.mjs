// The rules of this project that a machine can hold: no `any`, no floating
// promise, and the arrows of docs/design.md between folders.
import js from '@eslint/js'
import tseslint from 'typescript-eslint'

/** Modules that reach the world. A pure file may import none of them. */
const EFFECTS = [
  'child_process',
  'cluster',
  'dgram',
  'fs',
  'fs/promises',
  'http',
  'https',
  'os',
  'readline',
  'timers',
  'timers/promises',
  'tls',
  'worker_threads',
].flatMap((name) => [name, `node:${name}`])

/** c-ares cannot report the AD bit (RFC 7672 §2.1.1), so no file at all may ask it. */
const FORBIDDEN = ['dns', 'node:dns', 'dns/promises', 'node:dns/promises']

/** What a text says about IP addresses is no effect. */
const ONLY_ADDRESSES = {
  name: 'node:net',
  allowImportNames: ['BlockList', 'isIP', 'SocketAddress'],
  message: 'effects stay at the rim: see docs/design.md',
}

const forbiddenPaths = (names, message) =>
  names.map((name) => ({ name, message, allowTypeImports: true }))

/** What files matching `files` may not import: folders by pattern, and effects unless allowed. */
function arrow(files, { folders, effects = false, counts = false }) {
  return {
    files,
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [
            ...forbiddenPaths(FORBIDDEN, 'node:dns cannot report the AD bit'),
            ...(counts ? [] : forbiddenPaths(['prom-client'], 'events are counted in metrics')),
            ...(effects
              ? []
              : [
                  ONLY_ADDRESSES,
                  ...forbiddenPaths(EFFECTS, 'effects stay at the rim: see docs/design.md'),
                ]),
          ],
          patterns: folders.map((folder) => ({
            regex: `(^|/)${folder}(/|\\.js$|$)`,
            message: `the arrows of docs/design.md do not lead to ${folder}`,
          })),
        },
      ],
      ...(effects
        ? { 'no-restricted-globals': 'off', 'no-restricted-syntax': 'off' }
        : {
            'no-restricted-globals': [
              'error',
              ...['setTimeout', 'setInterval', 'setImmediate', 'process', 'console', 'fetch'].map(
                (name) => ({ name, message: 'a pure file is given instants and bytes' }),
              ),
            ],
            'no-restricted-syntax': [
              'error',
              {
                selector: "MemberExpression[object.name='Date'][property.name='now']",
                message: 'a pure file is given an instant',
              },
              {
                selector: "NewExpression[callee.name='Date'][arguments.length=0]",
                message: 'a pure file is given an instant',
              },
              {
                selector: "MemberExpression[object.name='Math'][property.name='random']",
                message: 'a pure file is given its chance',
              },
            ],
          }),
    },
  }
}

const RIM = ['assemble', 'haraka', 'cli', 'plugins', 'lab', 'test', 'bench']

const VERBS = ['discover', 'verify', 'session', 'cache', 'dns', 'metrics']

/** The verbs that `folder` must not know, settings, and whoever stands above them all. */
function othersThan(folder) {
  return [...VERBS.filter((verb) => verb !== folder), 'settings', ...RIM]
}

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'node_modules/'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'type'],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      // Taken out of an object so that the rest goes without it.
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_$' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { allowDefaultCaseForExhaustiveSwitch: false, requireDefaultForNonUnion: true },
      ],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
    },
  },
  { files: ['**/*.mjs', '**/*.cjs'], ...tseslint.configs.disableTypeChecked },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: { globals: { console: 'readonly', process: 'readonly', require: 'readonly' } },
    rules: { 'no-restricted-exports': 'off', '@typescript-eslint/no-require-imports': 'off' },
  },
  {
    files: ['test/**/*.ts', 'lab/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // node:test returns promises that its runner awaits.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['test', 'it', 'describe', 'suite'], package: 'node:test' },
          ],
        },
      ],
    },
  },
  // Nouns: know only each other.
  arrow(['src/*.ts'], { folders: [...VERBS, ...RIM] }),
  arrow(['src/config-folder.ts'], {
    folders: [...VERBS, ...RIM],
    effects: true,
  }),
  // The one place that knows every part.
  arrow(['src/assemble.ts'], {
    folders: ['discover', 'verify', 'metrics', 'haraka', 'cli', 'plugins'],
    effects: true,
  }),
  // discover and verify meet in policy.ts only; cache and dns in lookup.ts only.
  ...VERBS.map((folder) =>
    arrow([`src/${folder}/**`], { folders: othersThan(folder), counts: folder === 'metrics' }),
  ),
  arrow(['src/cache/redis-client.ts'], { folders: othersThan('cache'), effects: true }),
  arrow(['src/dns/datagram.ts', 'src/dns/stream.ts'], {
    folders: othersThan('dns'),
    effects: true,
  }),
  // The hosts: everything but each other, and never round assemble.
  arrow(['src/haraka/**'], {
    folders: ['dns', 'cache', 'cli', 'plugins', 'lab', 'test'],
    effects: true,
  }),
  arrow(['src/cli/**'], {
    folders: ['dns', 'cache', 'metrics', 'haraka', 'plugins', 'lab', 'test'],
    effects: true,
  }),
  // What was found, and how it is told: given all of it.
  arrow(['src/cli/report/**'], {
    folders: ['dns', 'cache', 'haraka', 'plugins', 'lab', 'test', 'assemble', 'settings'],
  }),
  arrow(['plugins/**'], {
    folders: ['dns', 'cache', 'discover', 'verify', 'metrics', 'cli', 'lab', 'test', 'assemble'],
    effects: true,
  }),
)
