import type { Command } from "./command.ts";
import { optionGroups, optionOf, variables, type OptionName } from "./options.ts";

/** Columns that no line of a help text goes beyond. */
const columns = 80;
const indent = "  ";

/** `kpush --help` where `main` is the command that an image name alone runs. */
export function mainHelp(main: Command, commands: readonly Command[]): string {
  return sections([
    [...main.description.map((paragraph) => wrap(paragraph, "")).map((text) => `${text}\n`)].join(
      "\n",
    ),
    section("Usage", main.usage.map((line) => `${indent}${line}`)),
    section("Examples", exampleLines(main)),
    section(
      "Commands",
      columnsOf(commands.map(({ name, summary }): [string, string] => [name, summary])),
    ),
    ...optionSections([...main.options, "version"]),
    section("Variables, for options that are not given", variableLines(main.options)),
    "kpush COMMAND --help describes a command.\n",
  ]);
}

/** `kpush COMMAND --help`. */
export function commandHelp(command: Command): string {
  return sections([
    [...command.description.map((paragraph) => `${wrap(paragraph, "")}\n`)].join("\n"),
    section("Usage", command.usage.map((line) => `${indent}${line}`)),
    section("Examples", exampleLines(command)),
    ...optionSections(command.options),
    section("Variables, for options that are not given", variableLines(command.options)),
  ]);
}

function sections(texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join("\n");
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}:\n${lines.join("\n")}\n`;
}

function exampleLines({ examples }: Command): string[] {
  return examples.flatMap(([command, does]) => [`${indent}${command}`, `${indent}    ${does}`]);
}

function optionSections(names: readonly OptionName[]): string[] {
  return optionGroups.map((group) => {
    const own = names.filter((name) => optionOf(name).group === group);
    return section(`${group} options`, columnsOf(own.map((name) => [flags(name), optionOf(name).help])));
  });
}

/** `-n, --namespace NAME` */
function flags(name: OptionName): string {
  const { short, value } = optionOf(name);
  const first = short === undefined ? "    " : `-${short}, `;
  return `${first}--${name}${value === undefined ? "" : ` ${value}`}`;
}

function variableLines(names: readonly OptionName[]): string[] {
  const known = variables.filter(({ option }) => names.includes(option));
  return columnsOf(known.map(({ variable, option }) => [variable, `--${option}`]));
}

/** Two columns, the second in line, wrapped. */
function columnsOf(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.max(0, ...rows.map(([first]) => first.length)) + 2;
  return rows.map(([first, second]) => {
    const hanging = " ".repeat(indent.length + left);
    return `${indent}${first.padEnd(left)}${wrap(second, hanging).slice(hanging.length)}`;
  });
}

/** Breaks at spaces; each line begins with `before`. */
function wrap(text: string, before: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && before.length + line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => before + one).join("\n");
}
