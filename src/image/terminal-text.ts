/* eslint-disable no-control-regex -- control characters are what this removes */
import { StringDecoder } from "node:string_decoder";

// Colours, cursor moves (CSI) and titles, links, clipboard (OSC and the like), whole.
const sequences =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]*[0-Z\\^-~])/g;
const controls =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/**
 * Makes a program's output safe for a terminal as it comes: line breaks and tabs stay, a carriage
 * return becomes a line break, and all else that steers a terminal or reorders a line is removed.
 */
export function terminalText(): (chunk: Buffer) => string {
  const decoder = new StringDecoder("utf8");
  return (chunk) =>
    decoder.write(chunk).replace(sequences, "").replace(/\r\n?/g, "\n").replace(controls, "");
}
