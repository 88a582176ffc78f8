import type { KpushEvent } from "../events.ts";
import { layerLines } from "./layer-lines.ts";
import { doneText, imageLabel, objectText, registryText, stepLine, warningText } from "./lines.ts";
import type { Shown } from "./reporter.ts";
import { pad, widthOf } from "./width.ts";

/** Turns events into the lines that stay, with their line breaks; undefined where there is none. */
export function stepLines(shown: Shown): (event: KpushEvent) => string | undefined {
  const { style, symbols, labelWidth } = shown;
  const started = shown.now();
  const done = (label: string, text: string) => doneLine(shown, label, text);
  const debug = (text: string) => {
    if (!shown.verbose) return undefined;
    const seconds = ((shown.now() - started) / 1000).toFixed(3);
    return `${style.faint(`${symbols.debug} ${seconds} s  ${text}`)}\n`;
  };
  const there = ({ context }: KpushEvent) => (context === undefined ? "" : `${context}: `);
  const layers = (event: Extract<KpushEvent, { type: "layers" }>) => {
    const all = event.layers;
    const before = `${symbols.debug} ${pad(imageLabel(event), labelWidth - 2)}  `;
    const { isTTY, columns } = shown.stderr;
    const left = isTTY && columns ? Math.max(20, columns - widthOf(before)) : undefined;
    return layerLines(all, left)
      .filter((line) => line !== "")
      .map((line) => `${style.faint(before + line)}\n`)
      .join("");
  };
  return (event) => {
    switch (event.type) {
      case "registry":
        return done("registry", registryText(event));
      case "engine":
        return done("engine", event.name);
      case "plan":
        return debug(`${imageLabel(event)}: route ${event.route}: ${event.reason}`);
      case "restart":
        return warningText(`${imageLabel(event)} starts over: ${event.reason}`, undefined, style);
      case "done":
        return done(imageLabel(event.image), doneText(event.image));
      case "failed":
        if (!shown.several) return undefined;
        return `${stepLine(style.bad(symbols.failed), imageLabel(event), "failed", labelWidth)}\n`;
      case "warning":
        return warningText(there(event) + event.message, event.hint, style);
      case "debug":
        return debug(there(event) + event.message);
      case "phase":
        return debug(there(event) + event.text);
      case "layers":
        return layers(event);
      case "object":
        return done(event.action, objectText(event));
      case "step":
        return done(event.label, event.text);
      case "progress":
      case "layer":
      case "bytes":
      case "fact":
        return undefined;
    }
  };
}

/** A line that says that something was done. */
export function doneLine(shown: Shown, label: string, text: string): string {
  const { style, symbols, labelWidth } = shown;
  return `${stepLine(style.good(symbols.done), label, text, labelWidth)}\n`;
}
