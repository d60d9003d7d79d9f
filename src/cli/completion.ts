/**
 * Completion of commands and options for bash and zsh, as scripts for these shells.
 *
 * Made from the table that the parser uses. zsh runs the script of bash by its own
 * emulation. Pure.
 */
import { COMMANDS, OPTIONS } from './command-options.js'
import { SHOWS } from '../status/status-model.js'
import { UsageError } from './usage.js'

export function completionScript(shell: string | undefined): string {
  if (shell === 'bash') return BASH
  if (shell === 'zsh') {
    return `#compdef haraka-dane\nautoload -U +X bashcompinit && bashcompinit\n${BASH}`
  }
  throw new UsageError('expected completion bash or completion zsh')
}

/** Words after a command, before its arguments. */
const WORDS: Readonly<Record<string, string>> = {
  cache: 'show purge',
  tlsrpt: 'show preview send log',
  completion: 'bash zsh',
  help: COMMANDS.join(' '),
}

function wordsOf(command: keyof typeof OPTIONS): string {
  const options = Object.keys(OPTIONS[command]).map((name) => `--${name}`)
  return [...options, '--help', ...(WORDS[command]?.split(' ') ?? [])].join(' ')
}

const BASH = `_haraka_dane() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words
  case "$previous" in
    --policy) COMPREPLY=($(compgen -W "opportunistic mandatory" -- "$current")); return ;;
    --show) COMPREPLY=($(compgen -W "${SHOWS.join(' ')}" -- "$current")); return ;;
    --config) COMPREPLY=($(compgen -d -- "$current")); return ;;
    --file) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${COMMANDS.join(' ')} help --help --version"
  else
    case "\${COMP_WORDS[1]}" in
${COMMANDS.map((command) => `      ${command}) words="${wordsOf(command)}" ;;`).join('\n')}
      help) words="${WORDS['help'] ?? ''}" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ "\${COMP_WORDS[1]}" = tlsa ]; then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -F _haraka_dane haraka-dane`
