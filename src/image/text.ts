const unsafe =
  // eslint-disable-next-line no-control-regex -- control characters are what this removes
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/**
 * Makes untrusted text safe to show: control characters (line breaks and tabs become spaces) and
 * the bidirectional overrides that can reorder a terminal line are removed, and it is cut at `most`.
 */
export function plain(text: string, most = 2000): string {
  const clean = text
    .slice(0, most * 2)
    .replace(/[\r\n\t]+/g, " ")
    .replace(unsafe, "")
    .trim();
  return clean.length > most ? `${clean.slice(0, most)}…` : clean;
}
