import { posix } from "node:path";
import ts from "typescript";

/** What one source file takes from outside itself. */
export interface Source {
  /** Path below src, with `/`. */
  file: string;
  imports: Import[];
  /** Whether it uses the global `process`, or imports it. */
  touchesProcess: boolean;
}

export interface Import {
  /** File below src. */
  to: string;
  /** It vanishes when the types do. */
  onlyTypes: boolean;
  /** By `import()`: it is loaded when it is needed. */
  lazy: boolean;
}

/** @param file - path below src, with `/` */
export function readSource(file: string, text: string): Source {
  const source: Source = { file, imports: [], touchesProcess: false };
  const add = (specifier: ts.Node | undefined, kind: { onlyTypes?: boolean; lazy?: boolean }) => {
    if (!specifier || !ts.isStringLiteral(specifier)) return;
    if (/^(node:)?process$/.test(specifier.text)) source.touchesProcess = true;
    if (!specifier.text.startsWith(".")) return;
    const to = posix.join(posix.dirname(file), specifier.text);
    source.imports.push({ to, onlyTypes: false, lazy: false, ...kind });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const onlyTypes = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      add(node.moduleSpecifier, { onlyTypes });
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, { onlyTypes: node.isTypeOnly });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, { onlyTypes: true });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], { lazy: true });
    } else if (ts.isIdentifier(node) && node.text === "process" && !isMember(node)) {
      source.touchesProcess = true;
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true));
  return source;
}

/** In `x.process` and `{ process: … }` it is another one's; `globalThis.process` is the one meant. */
function isMember(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) {
    return parent.name === node && parent.expression.getText() !== "globalThis";
  }
  return ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent);
}
