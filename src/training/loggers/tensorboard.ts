// Metrics for TensorBoard.
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AnemoneError, printableLines } from '../../errors/index.js';
import { type EventOutline, EventWriter, filterEvents } from '../../formats/index.js';
import { writing } from '../io-error.js';
import { replaceFile } from '../replace-file.js';
import type { LoggedAtStep, MetricsLogger } from './logger.js';

const EVENT_FILE = /^events\.out\.tfevents\./;

/**
 * Scalars and texts for TensorBoard. A resumed run writes a new event file beside the old ones, whose events of
 * steps that are trained again are dropped.
 */
export class TensorBoardLogger implements MetricsLogger {
  private writer: EventWriter | undefined;

  constructor(readonly directory: string) {}

  async start(step: number, logged?: LoggedAtStep): Promise<void> {
    if (this.writer) return;
    const files = await eventFiles(this.directory);
    const keep = eventsUntil(step, logged);
    for (const name of files) await cut(join(this.directory, name), keep);
    const restartAt = files.length === 0 ? undefined : step + 1;
    this.writer = new EventWriter(this.directory, { after: files.at(-1), restartAt });
  }

  async log(step: number, metrics: Readonly<Record<string, number>>): Promise<void> {
    for (const [tag, value] of Object.entries(metrics)) this.writer?.scalar(tag, value, step);
  }

  async text(step: number, tag: string, text: string): Promise<void> {
    this.writer?.text(tag, asCode(text), step);
  }

  async close(): Promise<void> {
    this.writer?.close();
    this.writer = undefined;
  }
}

/**
 * TensorBoard shows texts as Markdown, which would join the lines, and load the pictures that a transcript names. As a
 * block of code they show as they are.
 */
function asCode(text: string): string {
  return printableLines(text)
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

/**
 * Names of the event files in the order in which TensorBoard reads them. Half-rewritten ones that a killed run left
 * are removed.
 */
async function eventFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((e) => e.isFile() && EVENT_FILE.test(e.name)).map((e) => e.name);
  for (const name of names.filter(isPartial)) await writing(name, () => rm(join(directory, name)));
  return names.filter((name) => !isPartial(name)).sort();
}

function isPartial(name: string): boolean {
  return name.endsWith('.partial');
}

/** Asked event by event, over all files in order. */
function eventsUntil(last: number, logged: LoggedAtStep | undefined): (event: EventOutline) => boolean {
  let scalars = logged?.values ?? Number.POSITIVE_INFINITY;
  let texts = logged?.texts ?? Number.POSITIVE_INFINITY;
  return (event) => {
    if (event.step !== last) return event.step < last;
    if (event.scalars > 0) return scalars-- > 0;
    return event.texts === 0 || texts-- > 0;
  };
}

async function cut(path: string, keep: (event: EventOutline) => boolean): Promise<void> {
  const bytes = await readFile(path);
  let keptBytes: Uint8Array | undefined;
  try {
    keptBytes = filterEvents(bytes, keep);
  } catch (error) {
    // A damaged file stays as it is, for whoever wants to save something of it.
    if (error instanceof AnemoneError) return;
    throw error;
  }
  if (keptBytes === bytes) return;
  if (keptBytes) await replaceFile(path, keptBytes);
  else await writing(path, () => rm(path));
}
