import { clearLine, cursorTo, moveCursor } from "node:readline";
import { Writable } from "node:stream";

/** A terminal that knows what stands on it: text, line breaks, and the sequences that ora uses. */
export class FakeTerminal extends Writable {
  readonly isTTY = true;
  columns = 80;
  rows = 24;
  /** All that was written, with its sequences. */
  raw = "";
  cursorVisible = true;
  private lines: string[] = [""];
  private row = 0;
  private column = 0;
  private waiting: { text: RegExp; resolve: () => void }[] = [];

  /** What stands on the terminal now, without colors. */
  screen(): string {
    const lines = this.lines.map((line) => line.trimEnd());
    while (lines.length > this.row + 1 && lines.at(-1) === "") lines.pop();
    return lines.join("\n");
  }

  /** Resolves as soon as the screen matches. */
  shows(text: RegExp): Promise<void> {
    if (text.test(this.screen())) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ text, resolve }));
  }

  cursorTo = (x: number) => cursorTo(this, x);
  moveCursor = (dx: number, dy: number) => moveCursor(this, dx, dy);
  clearLine = (direction: -1 | 0 | 1) => clearLine(this, direction);

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    const text = chunk.toString();
    this.raw += text;
    // eslint-disable-next-line no-control-regex -- escape sequences are what this reads
    for (const [part, parameters, final] of text.matchAll(/\u001b\[([?\d;]*)([A-Za-z])|[^]/gu)) {
      if (final === undefined) this.print(part);
      else this.control(parameters ?? "", final);
    }
    this.waiting = this.waiting.filter(({ text: wanted, resolve }) => {
      if (!wanted.test(this.screen())) return true;
      resolve();
      return false;
    });
    callback();
  }

  private print(character: string): void {
    if (character === "\n") {
      this.row += 1;
      this.column = 0;
      this.lines[this.row] ??= "";
      return;
    }
    if (character === "\r") {
      this.column = 0;
      return;
    }
    const line = Array.from((this.lines[this.row] ?? "").padEnd(this.column));
    line[this.column] = character;
    this.lines[this.row] = line.join("");
    this.column += 1;
  }

  private control(parameters: string, final: string): void {
    const number = parameters === "" ? 1 : Number(parameters);
    if (final === "G") this.column = number - 1;
    else if (final === "A") this.row = Math.max(0, this.row - number);
    else if (final === "B") this.row += number;
    else if (final === "C") this.column += number;
    else if (final === "D") this.column = Math.max(0, this.column - number);
    else if (final === "K") {
      const line = this.lines[this.row] ?? "";
      this.lines[this.row] = parameters === "2" ? "" : line.slice(0, this.column);
    } else if (parameters === "?25") this.cursorVisible = final === "h";
  }
}
