// What the commands print. Names and texts come from files of strangers, so nothing that a terminal would obey goes
// out; files that commands write keep what there is.
import { printableJson, printableLines, readableLines } from '../errors/index.js';

/** Results, to stdout. */
export function show(text: string): void {
  process.stdout.write(printableLines(text));
}

/** Results as JSON, to stdout: parsed, they are what they were. */
export function showJson(json: string): void {
  process.stdout.write(printableJson(json));
}

/** What is told beside results, to stderr. */
export function tell(text: string): void {
  process.stderr.write(readableLines(text));
}
