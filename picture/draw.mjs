// Draws docs/picture/{light,dark}.svg from picture/recording.json; with --check, only compares them.
import { readFileSync, writeFileSync } from "node:fs";
import xterm from "@xterm/headless";
import { svg } from "./svg.mjs";

const url = (path) => new URL(path, import.meta.url);
const recording = JSON.parse(readFileSync(url("recording.json"), "utf8"));
/** Milliseconds that a reader gets to see a command before it runs, and its result before the next. */
const pauses = { command: 900, result: 1600 };

const frames = await play(recording);
let stale = false;
for (const theme of ["light", "dark"]) {
  const file = url(`../docs/picture/${theme}.svg`);
  const drawn = svg(frames, recording, theme);
  if (!process.argv.includes("--check")) writeFileSync(file, drawn);
  else stale ||= readFileSync(file, "utf8") !== drawn;
}
if (stale) {
  console.error("docs/picture is not what picture/draw.mjs draws: run npm run picture:draw");
  process.exitCode = 1;
}

/** What is on the screen, and from which millisecond on. */
async function play({ columns, rows, steps }) {
  // Higher than what is drawn, so that what is too long is seen to be, in place of scrolling away.
  const terminal = new xterm.Terminal({ cols: columns, rows: 2 * rows, allowProposedApi: true });
  const write = (text) => new Promise((resolve) => terminal.write(text, resolve));
  const frames = [];
  const show = (at) => {
    const screen = linesOf(terminal, 2 * rows);
    if (screen.splice(rows).some((runs) => runs.length > 0)) {
      throw new Error(`the commands need more than ${rows} rows: see picture/commands.json`);
    }
    if (JSON.stringify(screen) !== JSON.stringify(frames.at(-1)?.screen))
      frames.push({ at, screen });
  };
  let clock = 0;
  for (const [index, { command, output }] of steps.entries()) {
    await write(`${index > 0 ? "\r\n" : ""}\u001b[2m$\u001b[22m \u001b[1m${command}\u001b[22m`);
    show(clock);
    clock += pauses.command;
    await write("\r\n");
    let synchronized = false;
    for (const [at, text] of output) {
      await write(text);
      // Between these marks (DEC mode 2026) a terminal shows nothing new.
      const [begins, ends] = ["h", "l"].map((set) => text.lastIndexOf(`\u001b[?2026${set}`));
      if (begins !== ends) synchronized = begins > ends;
      if (!synchronized) show(clock + at);
    }
    clock += output.at(-1)[0] + pauses.result;
  }
  terminal.dispose();
  return frames;
}

/** Each row as runs of one style. */
function linesOf(terminal, rows) {
  return Array.from({ length: rows }, (_, y) => {
    const line = terminal.buffer.active.getLine(y);
    const runs = [];
    for (let x = 0; x < line.translateToString(true).length; x++) {
      const cell = line.getCell(x);
      const style = styleOf(cell);
      const last = runs.at(-1);
      if (last?.style === style) last.text += cell.getChars() || " ";
      else runs.push({ x, style, text: cell.getChars() || " " });
    }
    return runs;
  });
}

/** Classes of svg.mjs: the colour's name, bold, faint. */
function styleOf(cell) {
  const colors = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
  const color = cell.isFgPalette() ? colors[cell.getFgColor()] : undefined;
  return [color, cell.isBold() && "bold", cell.isDim() && "faint"].filter(Boolean).join(" ");
}
