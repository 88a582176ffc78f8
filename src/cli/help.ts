import { variablesOf, type Command } from "./command.ts";
import { optionGroups } from "./option.ts";
import { asTyped, type Program } from "./program.ts";
import { flagOf, optionOf, variables, type OptionName } from "./options.ts";

/** Columns that no line of a help text goes beyond. */
const columns = 80;
const indent = "  ";

/** `kpush --help`, where `main` is the command that an image name alone runs. */
export function mainHelp(main: Command, commands: readonly Command[], program: Program): string {
  const listed = commands.filter(({ reserved }) => !reserved);
  return joined([
    ...head(main, program),
    section("Commands", inColumns(listed.map(({ name, summary }) => [name, summary]))),
    ...optionSections(main, [...main.options, "version"]),
    ...foot(main),
    asTyped("kpush COMMAND --help describes a command.\n", program),
  ]);
}

/** `kpush COMMAND --help` */
export function commandHelp(command: Command, program: Program): string {
  return joined([
    ...head(command, program),
    ...optionSections(command, command.options),
    ...foot(command),
  ]);
}

function head({ description, usage, examples }: Command, program: Program): string[] {
  const example = ([command, does]: readonly [string, string]) => [
    indent + asTyped(command, program),
    `${indent}    ${does}`,
  ];
  return [
    ...description.map((paragraph) => `${wrap(asTyped(paragraph, program), "")}\n`),
    section(
      "Usage",
      usage.map((line) => indent + asTyped(line, program)),
    ),
    section("Examples", examples.flatMap(example)),
  ];
}

function foot(command: Command): string[] {
  const concerned = variablesOf(command);
  const known = variables.filter(({ option }) => concerned.includes(option));
  const rows = known.map(({ variable, option }) => [variable, `--${option}`] as const);
  return [section("Variables, where the option is not given", inColumns(rows))];
}

/** One section for each group; the second column is in line from the first to the last. */
function optionSections({ help = {}, switches }: Command, names: readonly OptionName[]): string[] {
  const left = Math.max(...names.map((name) => flags(name, switches).length)) + 2;
  return optionGroups.map((group) => {
    const own = names.filter((name) => optionOf(name).group === group);
    const rows = own.map(
      (name) => [flags(name, switches), help[name] ?? optionOf(name).help] as const,
    );
    return section(group, inColumns(rows, left));
  });
}

/** `-n, --namespace NAME` */
function flags(name: OptionName, switches: readonly OptionName[] | undefined): string {
  const { short } = optionOf(name);
  return `${short === undefined ? "    " : `-${short}, `}${flagOf(name, switches)}`;
}

function joined(texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join("\n");
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}:\n${lines.join("\n")}\n`;
}

/** Two columns, the second in line, wrapped. */
function inColumns(rows: readonly (readonly [string, string])[], left?: number): string[] {
  const width = left ?? Math.max(0, ...rows.map(([first]) => first.length)) + 2;
  return rows.map(([first, second]) => {
    const hanging = " ".repeat(indent.length + width);
    return `${indent}${first.padEnd(width)}${wrap(second, hanging).slice(hanging.length)}`;
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
