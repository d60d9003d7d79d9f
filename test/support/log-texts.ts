/**
 * Collects the lines that the plugin can write into Haraka's log.
 *
 * Reads the sources of src/haraka: the texts passed to Haraka's log, or with
 * which the plugin refuses to start, with `…` for variable parts. A text that
 * a function computes cannot be read from the source; such calls are listed in
 * `MADE_ELSEWHERE`, and callers run the function to get those texts.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import { ROOT } from '../../lab/root.js'

export type LogText = {
  /** INFO, NOTICE, WARN, ERROR or CRIT; a line may have either of two. */
  readonly levels: readonly string[]
  readonly text: string
  /** File and line. */
  readonly place: string
}

/** Loops that log what these functions return. */
export const MADE_ELSEWHERE: readonly string[] = ['warnings', 'trustWarnings', 'lines']

export function logTexts(): readonly LogText[] {
  const folder = path.join(ROOT, 'src/haraka')
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const file = path.join(folder, name)
      const source = ts.createSourceFile(
        name,
        readFileSync(file, 'utf8'),
        ts.ScriptTarget.Latest,
        true,
      )
      return textsIn(source)
    })
}

function textsIn(source: ts.SourceFile): readonly LogText[] {
  const found: LogText[] = []
  const visit = (node: ts.Node): void => {
    const said = ts.isCallExpression(node) || ts.isNewExpression(node) ? saidBy(node) : undefined
    if (said) {
      const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1
      const place = `${source.fileName}:${line}`
      for (const text of textsOf(said.what)) found.push({ levels: said.levels, text, place })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The argument that becomes the line, if this call logs something. */
function saidBy(
  node: ts.CallExpression | ts.NewExpression,
): { readonly levels: readonly string[]; readonly what: ts.Expression } | undefined {
  const { expression } = node
  const args = node.arguments ?? []
  if (ts.isNewExpression(node)) {
    return expression.getText() === 'DaneStartError' && args[0]
      ? { levels: ['CRIT'], what: args[0] }
      : undefined
  }
  if (expression.getText() === 'logFault') {
    const [, , level, what] = args
    return level && what && { levels: levelsIn(level), what }
  }
  const name = ts.isPropertyAccessExpression(expression)
    ? expression.name
    : ts.isElementAccessExpression(expression)
      ? expression.argumentExpression
      : undefined
  const levels = name === undefined ? [] : levelsIn(name)
  // An hmail's log takes the plugin first, a plugin's own does not.
  const what = args[0]?.getText() === 'plugin' ? args[1] : args[0]
  return levels.length > 0 && what ? { levels, what } : undefined
}

function levelsIn(node: ts.Node): readonly string[] {
  return Array.from(node.getText().matchAll(/\blog(info|notice|warn|error|crit)\b/g), ([, level]) =>
    (level ?? '').toUpperCase(),
  )
}

/** Every possible text of the expression. */
function textsOf(node: ts.Expression): readonly string[] {
  if (ts.isStringLiteralLike(node)) return [node.text]
  if (ts.isParenthesizedExpression(node)) return textsOf(node.expression)
  if (ts.isConditionalExpression(node)) {
    return [...textsOf(node.whenTrue), ...textsOf(node.whenFalse)]
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return joined([partOf(node.left), partOf(node.right)])
  }
  if (ts.isTemplateExpression(node)) {
    const spans = node.templateSpans.flatMap(({ expression, literal }) => [
      partOf(expression),
      [literal.text],
    ])
    return joined([[node.head.text], ...spans])
  }
  if (ts.isIdentifier(node)) {
    const declared = declarationOf(node)
    if (declared === 'made-elsewhere') return []
    if (declared) return textsOf(declared)
  }
  if (ts.isCallExpression(node)) {
    const returned = returnedBy(node.expression.getText(), node.getSourceFile())
    if (returned.length > 0) return returned.flatMap(textsOf)
  }
  throw new Error(
    `cannot tell what is logged: ${node.getText()} in ${node.getSourceFile().fileName}`,
  )
}

/** A part of a longer text: constant, one of several, or variable. */
function partOf(node: ts.Expression): readonly string[] {
  if (isText(node)) return textsOf(node)
  const declared = ts.isIdentifier(node) ? declarationOf(node) : undefined
  if (declared === 'made-elsewhere') return []
  return typeof declared === 'object' && isText(declared) ? textsOf(declared) : ['…']
}

function isText(node: ts.Expression): boolean {
  return (
    ts.isStringLiteralLike(node) ||
    ts.isTemplateExpression(node) ||
    ts.isBinaryExpression(node) ||
    (ts.isConditionalExpression(node) && isText(node.whenTrue))
  )
}

function joined(parts: readonly (readonly string[])[]): readonly string[] {
  return parts.reduce(
    (heads, tails) => heads.flatMap((head) => tails.map((tail) => head + tail)),
    [''],
  )
}

/** The texts that a function of the same file returns. */
function returnedBy(name: string, source: ts.SourceFile): readonly ts.Expression[] {
  const found = source.statements.find(
    (each): each is ts.FunctionDeclaration =>
      ts.isFunctionDeclaration(each) && each.name?.text === name,
  )
  return (found?.body?.statements ?? []).flatMap((each) =>
    ts.isReturnStatement(each) && each.expression ? [each.expression] : [],
  )
}

/** The value of a name: the constant in the nearest enclosing block. */
function declarationOf(name: ts.Identifier): ts.Expression | 'made-elsewhere' | undefined {
  for (let scope: ts.Node = name.parent; ; scope = scope.parent) {
    if (ts.isForOfStatement(scope)) {
      const call = scope.expression.getText()
      if (MADE_ELSEWHERE.some((made) => new RegExp(`\\b${made}\\(`).test(call))) {
        return 'made-elsewhere'
      }
    }
    if (ts.isBlock(scope) || ts.isSourceFile(scope)) {
      for (const statement of scope.statements) {
        if (!ts.isVariableStatement(statement)) continue
        for (const each of statement.declarationList.declarations) {
          if (each.name.getText() === name.text && each.initializer) return each.initializer
        }
      }
    }
    if (ts.isSourceFile(scope)) return undefined
  }
}
