const themes = {
  light: {
    window: "#ffffff",
    edge: "#d0d7de",
    bar: "#f6f8fa",
    buttons: "#d0d7de",
    title: "#59636e",
    text: "#1f2328",
    faint: "#6e7781",
    red: "#cf222e",
    green: "#1a7f37",
    yellow: "#9a6700",
    blue: "#0969da",
    magenta: "#8250df",
    cyan: "#1b7c83",
  },
  dark: {
    window: "#0d1117",
    edge: "#3d444d",
    bar: "#151b23",
    buttons: "#3d444d",
    title: "#9198a1",
    text: "#e6edf3",
    faint: "#8b949e",
    red: "#ff7b72",
    green: "#3fb950",
    yellow: "#d29922",
    blue: "#58a6ff",
    magenta: "#bc8cff",
    cyan: "#39c5cf",
  },
};
const size = { font: 14, column: 8.4, row: 21, bar: 34, padding: 18 };
const fonts =
  "ui-monospace, SFMono-Regular, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace";

/**
 * A terminal's window. Where motion is welcome it plays once and stays at the end; elsewhere it shows the end.
 *
 * @param frames - screens, each with the millisecond from which on it is seen
 */
export function svg(frames, { columns, rows, steps }, theme) {
  const { window, edge, bar, buttons, title, text, faint, ...colors } = themes[theme];
  const width = Math.ceil(columns * size.column + 2 * size.padding);
  const height = size.bar + rows * size.row + 2 * size.padding - 6;
  const spans = spansOf(frames, rows);
  const length = frames.at(-1).at + 400;
  const changing = spans.filter(({ from, to }) => from > 0 || to !== undefined);
  const names = new Map(
    [...new Set(changing.map(nameOf))].map((span, index) => [span, `t${index}`]),
  );
  const percent = (at) => `${round((100 * at) / length)}%`;
  const motion = [...names].map(([key, name]) => {
    const [from, to] = key.split("-").map(Number);
    const end = Number.isNaN(to) ? "" : `${percent(to)}{opacity:0}`;
    const start = from > 0 ? `0%{opacity:0}${percent(from)}{opacity:1}` : "0%{opacity:1}";
    return `@keyframes ${name}{${start}${end}}.${name}{animation:${name} ${length}ms step-end both}`;
  });
  const circle = (x) => `<circle cx="${x}" cy="${size.bar / 2}" r="5.5" fill="${buttons}"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">
<title id="title">kpush in a terminal</title>
<desc id="desc">${escape(describe(frames, steps))}</desc>
<style>
text{font:${size.font}px ${fonts};fill:${text};white-space:pre}
.title{font:12px system-ui,sans-serif;fill:${title};text-anchor:middle}
.bold{font-weight:600}.faint{fill:${faint}}.gone{opacity:0}
${Object.entries(colors)
  .map(([name, color]) => `.${name}{fill:${color}}`)
  .join("")}
@media (prefers-reduced-motion:no-preference){
${motion.join("\n")}
}
</style>
<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="9.5" fill="${window}" stroke="${edge}"/>
<path d="M1 ${size.bar}V10a9 9 0 0 1 9-9H${width - 10}a9 9 0 0 1 9 9V${size.bar}z" fill="${bar}"/>
<path d="M1 ${size.bar + 0.5}H${width - 1}" stroke="${edge}"/>
${[20, 40, 60].map(circle).join("")}
<text class="title" x="${width / 2}" y="${size.bar / 2 + 4}">kpush</text>
${spans.map((span) => drawSpan(span, names)).join("\n")}
</svg>
`;
}

/** How long each row shows the same; `to` is undefined at the end. */
function spansOf(frames, rows) {
  const spans = [];
  for (let row = 0; row < rows; row++) {
    let open;
    for (const { at, screen } of frames) {
      const runs = screen[row];
      if (open && JSON.stringify(open.runs) === JSON.stringify(runs)) continue;
      if (open) open.to = at;
      open = { row, runs, from: at, to: undefined };
      if (runs.length > 0) spans.push(open);
    }
  }
  return spans;
}

function drawSpan({ row, runs, from, to }, names) {
  const name = names.get(nameOf({ from, to }));
  const classes = [name, to !== undefined && "gone"].filter(Boolean).join(" ");
  const y = size.bar + size.padding + row * size.row + 13;
  const parts = runs.flatMap(({ x, style, text }) =>
    // Each stretch without wide gaps stands at its own column: not every renderer keeps spaces.
    [...text.matchAll(/\S+(?: \S+)*/g)].map(({ index, 0: words }) => {
      const at = round(size.padding + (x + index) * size.column);
      const look = style === "" ? "" : ` class="${style}"`;
      const length = round(words.length * size.column);
      return `<tspan x="${at}" textLength="${length}"${look}>${escape(words)}</tspan>`;
    }),
  );
  return `<text y="${y}"${classes && ` class="${classes}"`}>${parts.join("")}</text>`;
}

/** The end in words, for whoever cannot see it. */
function describe(frames, steps) {
  const lines = frames
    .at(-1)
    .screen.map((runs) => runs.reduce((line, { x, text }) => line.padEnd(x) + text, ""));
  return `${steps.length} commands and what they print: ${lines.filter(Boolean).join("; ")}`;
}

function nameOf({ from, to }) {
  return `${from}-${to}`;
}

function round(number) {
  return Number(number.toFixed(2));
}

function escape(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
