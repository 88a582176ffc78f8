/** What takes no column: combining marks, joiners and variation selectors. */
const zeroWidth = /^(?:\p{M}|[\u200b-\u200f\u2060\ufeff])$/u;

/** What takes two columns: East Asian wide and fullwidth forms, and emoji (UAX #11, W and F). */
const doubleWidth =
  /^[\u1100-\u115f\u231a\u231b\u23e9-\u23ec\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

// The expressions need a table lookup each; nearly all text is this.
const plainAscii = /^[\x20-\x7e]*$/;

/**
 * Columns that a text takes in a terminal; it must hold no escape sequences. Not `Intl.Segmenter`,
 * which takes longer to start than an unchanged push may take.
 */
export function widthOf(text: string): number {
  if (plainAscii.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += widthOfCharacter(character);
  return width;
}

/** Cuts a text to so many columns, with an ellipsis where something was lost. */
export function truncate(text: string, columns: number): string {
  if (columns <= 0) return "";
  if (widthOf(text) <= columns) return text;
  let kept = "";
  let width = 0;
  for (const character of text) {
    width += widthOfCharacter(character);
    if (width > columns - 1) break;
    kept += character;
  }
  return `${kept.trimEnd()}…`;
}

/** Cuts a name to so many columns, in its middle: what sets it off from others may stand at either end. */
export function shorten(name: string, columns: number): string {
  if (columns <= 0) return "";
  if (widthOf(name) <= columns) return name;
  const start = truncate(name, Math.ceil(columns / 2));
  let end = "";
  let width = widthOf(start);
  for (const character of Array.from(name).reverse()) {
    width += widthOfCharacter(character);
    if (width > columns) break;
    end = character + end;
  }
  return start + end.trimStart();
}

/** Fills up with spaces to so many columns; a longer text stays as it is. */
export function pad(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - widthOf(text)));
}

function widthOfCharacter(character: string): number {
  if (zeroWidth.test(character)) return 0;
  return doubleWidth.test(character) ? 2 : 1;
}
