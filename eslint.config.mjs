// The rules of this project that a linter can enforce: no `any`, no floating promises,
// short files and functions, and the import arrows of docs/dev/design.md between folders.
import js from '@eslint/js'
import tseslint from 'typescript-eslint'

/** Modules with side effects. A pure file may import none of them. */
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

/** c-ares cannot report the AD bit (RFC 7672 §2.1.1), so no file may use it. */
const FORBIDDEN = ['dns', 'node:dns', 'dns/promises', 'node:dns/promises']

/** Parsing IP addresses has no side effect. */
const ONLY_ADDRESSES = {
  name: 'node:net',
  allowImportNames: ['BlockList', 'isIP', 'SocketAddress'],
  message: 'effects stay at the rim: see docs/dev/design.md',
}

const forbiddenPaths = (names, message) =>
  names.map((name) => ({ name, message, allowTypeImports: true }))

/** Forbidden imports of files matching `files`: folders by pattern, and effects unless allowed. */
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
                  ...forbiddenPaths(EFFECTS, 'effects stay at the rim: see docs/dev/design.md'),
                ]),
          ],
          patterns: folders.map((folder) => ({
            regex: `(^|/)${folder}(/|\\.js$|$)`,
            message: `the arrows of docs/dev/design.md do not lead to ${folder}`,
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

const RIM = [
  'assemble',
  'open-member',
  'system',
  'assemble-reports',
  'enforce',
  'haraka',
  'cli',
  'plugins',
  'lab',
  'scripts',
  'test',
  'bench',
]

const VERBS = [
  'discover',
  'verify',
  'session',
  'cache',
  'dns',
  'metrics',
  'status',
  'tlsrpt',
  'validate',
]

/** The folders that `folder` must not import: other verbs, settings, and everything above them. */
function othersThan(folder) {
  // The cache takes the Redis settings.
  const settings = folder === 'cache' ? 'settings(?!/redis-settings\\.js$)' : 'settings'
  return [...VERBS.filter((verb) => verb !== folder), settings, ...RIM]
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
      // Destructured only to omit it from the rest.
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_$' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { allowDefaultCaseForExhaustiveSwitch: false, requireDefaultForNonUnion: true },
      ],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
    },
  },
  { files: ['**/*.mjs', '**/*.cjs', 'page/*.js'], ...tseslint.configs.disableTypeChecked },
  {
    // A script for browsers; its types are checked by page/tsconfig.json.
    files: ['page/*.js'],
    rules: {
      '@typescript-eslint/explicit-function-return-type': 'off',
      'no-undef': 'off',
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: {
        clearTimeout: 'readonly',
        console: 'readonly',
        process: 'readonly',
        require: 'readonly',
        setTimeout: 'readonly',
      },
    },
    rules: { 'no-restricted-exports': 'off', '@typescript-eslint/no-require-imports': 'off' },
  },
  {
    files: ['test/**/*.ts', 'lab/**/*.ts', 'scripts/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // node:test returns promises that the test runner awaits.
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
  {
    files: ['src/**/*.ts', 'plugins/**/*.ts'],
    rules: {
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
    },
  },
  // Nouns import only each other.
  arrow(['src/*.ts', 'src/x509/**'], { folders: [...VERBS, 'settings', ...RIM] }),
  arrow(['src/settings/**'], { folders: [...VERBS, ...RIM] }),
  arrow(
    ['src/settings/config-folder.ts', 'src/settings/open-ports.ts', 'src/settings/resolv-conf.ts'],
    {
      folders: [...VERBS, ...RIM],
      effects: true,
    },
  ),
  // The only files that import every part.
  arrow(['src/assemble.ts', 'src/assemble-reports.ts', 'src/open-member.ts', 'src/system.ts'], {
    folders: ['discover', 'verify', 'enforce', 'metrics', 'haraka', 'cli', 'plugins'],
    effects: true,
  }),
  // Where discover and verify meet, for both hosts.
  arrow(['src/enforce/**'], {
    folders: [
      ...VERBS.filter((verb) => verb !== 'discover' && verb !== 'verify'),
      'settings',
      ...RIM.filter((folder) => folder !== 'enforce'),
    ],
    effects: true,
  }),
  // discover and verify know plan.ts and verdict.ts, not each other; cache and dns in lookup.ts only.
  ...VERBS.map((folder) =>
    arrow([`src/${folder}/**`], { folders: othersThan(folder), counts: folder === 'metrics' }),
  ),
  // Node's TLS, on a fake connection.
  arrow(['src/session/rehearsal.ts'], { folders: othersThan('session'), effects: true }),
  arrow(['src/cache/redis-client.ts'], { folders: othersThan('cache'), effects: true }),
  arrow(['src/dns/datagram.ts', 'src/dns/stream.ts'], {
    folders: othersThan('dns'),
    effects: true,
  }),
  arrow(['src/status/queue-files.ts'], { folders: othersThan('status'), effects: true }),
  arrow(['src/tlsrpt/post.ts'], { folders: othersThan('tlsrpt'), effects: true }),
  // Counts without Redis.
  arrow(['src/tlsrpt/file-*.ts'], { folders: othersThan('tlsrpt'), effects: true }),
  // The hosts import everything except each other, and parts only through assemble and enforce.
  arrow(['src/haraka/**'], {
    folders: ['dns', 'cache', 'discover', 'verify', 'cli', 'plugins', 'lab', 'scripts', 'test'],
    effects: true,
  }),
  arrow(['src/cli/**'], {
    folders: [
      'dns',
      'cache',
      'discover',
      'verify',
      'metrics',
      'haraka',
      'plugins',
      'lab',
      'scripts',
      'test',
    ],
    effects: true,
  }),
  // The report and its renderers: they receive all results and look nothing up.
  arrow(['src/cli/report/**'], {
    folders: [
      'dns',
      'cache',
      'discover',
      'verify',
      'enforce',
      'metrics',
      'haraka',
      'plugins',
      'lab',
      'scripts',
      'test',
      'assemble',
      'settings',
    ],
  }),
  arrow(['plugins/**'], {
    folders: [
      'dns',
      'cache',
      'discover',
      'verify',
      'enforce',
      'metrics',
      'cli',
      'lab',
      'scripts',
      'test',
      'assemble',
    ],
    effects: true,
  }),
)
