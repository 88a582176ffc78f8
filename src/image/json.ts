/** More levels than any document has that kpush reads. */
const mostLevels = 100;

/**
 * `JSON.parse` for a text from outside. V8 reads any number of levels, but fails to write again what has too
 * many.
 *
 * @throws SyntaxError where it is no JSON, or lists and objects lie more than 100 deep in each other
 */
export function parseJson(text: string): unknown {
  let level = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') quoted = !quoted;
    else if (quoted && char === "\\") at += 1;
    else if (quoted) continue;
    else if (char === "[" || char === "{") level += 1;
    else if (char === "]" || char === "}") level -= 1;
    if (level > mostLevels) throw new SyntaxError(`it has more than ${mostLevels} levels`);
  }
  return JSON.parse(text);
}
