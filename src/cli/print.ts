// What the commands print. Names and texts come from files of strangers, so nothing that a terminal would obey goes
// out; files that commands write keep what there is.
import { printableJson, printableLines } from '../errors/index.js';

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
  process.stderr.write(printableLines(text).split('\n').map(shortened).join('\n'));
}

/** Characters of a line that somebody reads. A name in a file of a stranger's may have millions. */
const MAX_LINE = 4000;
/** Of its end, where the advice stands. */
const TAIL = 500;

function shortened(line: string): string {
  if (line.length <= MAX_LINE) return line;
  const left = line.length - MAX_LINE;
  return `${line.slice(0, MAX_LINE - TAIL)} … (${left} characters left out) … ${line.slice(-TAIL)}`;
}
