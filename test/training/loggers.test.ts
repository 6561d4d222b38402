import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CsvLogger, TensorBoardLogger } from '../../src/training/index.js';
import { temporaryFolder } from './helpers.js';

/** Metrics are named after manifests, and these as their owner likes. */
const names = ['val_loss/a,b', 'val_loss/say "c"', 'val_loss/two\nlines', 'val_loss/"'];

describe('the table of metrics', () => {
  it('keeps names of all kinds apart, also when a run goes on', async () => {
    const path = join(temporaryFolder(), 'metrics.csv');
    const first = new CsvLogger(path);
    await first.start(0);
    for (const [i, name] of names.entries()) await first.log(i + 1, { [name]: i + 0.5 });
    const before = readFileSync(path, 'utf8');
    // As Python's csv module writes and reads it.
    expect(before).toBe(
      'step,"val_loss/a,b","val_loss/say ""c""","val_loss/two\nlines","val_loss/"""\n' +
        '1,0.5,,,\n2,,1.5,,\n3,,,2.5,\n4,,,,3.5\n',
    );
    appendFileSync(path, '5,"cut');
    await new CsvLogger(path).start(3);
    expect(readFileSync(path, 'utf8')).toBe(before.replace('4,,,,3.5\n', ''));
  });
});

describe('a text for TensorBoard, which reads Markdown', () => {
  it('is a block of code: lines stay, markup and controls show', async () => {
    const folder = temporaryFolder();
    const logger = new TensorBoardLogger(folder);
    await logger.start(0);
    await logger.text(1, 'samples', 'a.wav\n  reference: <img src=x> *b*\r\u202e\n\nb.wav');
    await logger.close();
    const [events] = readdirSync(folder);
    expect(readFileSync(join(folder, events), 'utf8')).toContain(
      '    a.wav\n      reference: <img src=x> *b*\\x0d\\u202e\n    \n    b.wav',
    );
  });
});
