// The recipes' prepare steps without their audio packages: how their texts are read, and that their fixed
// splits overlap nowhere.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parsePromptList } from '../../examples/asterisk/prepare.js';
import { parsePrompts } from '../../examples/festvox-ru/prepare.js';
import { spokenForm } from '../../examples/lib/text.js';
import { mapLimited, needPath } from '../../examples/lib/tools.js';

const json = async (path: string) =>
  JSON.parse(await readFile(new URL(`../../examples/${path}`, import.meta.url), 'utf8')) as Record<
    string,
    unknown
  >;

describe('texts', () => {
  it.each([
    ['Please enter a new extension, followed by pound.', 'please enter a new extension followed by pound'],
    ["C’è una chiamata; quell'operatore…", "c'è una chiamata quell'operatore"],
    ["say 'yes' -- or dash [-]", 'say yes or dash'],
    ['Кто-то зовёт, - лететь!', 'кто то зовёт лететь'],
    ['  ', ''],
  ])('%s', (written, spoken) => {
    expect(spokenForm(written).replace(/'(?= )/g, '')).toBe(spoken);
  });

  it('festvox-ru prompts lose their stress marks', () => {
    const text = '( ru_0017 "Багровые п+олосы заката." )\nnot a prompt\n( ru_0018 "Да?" )\n';
    expect(parsePrompts(text)).toEqual([
      { id: 'ru_0017', text: 'багровые полосы заката' },
      { id: 'ru_0018', text: 'да' },
    ]);
  });

  it('prompt lists have comments, folders and colons in texts', () => {
    const text = '; Core sounds: English\n\nactivated: Activated.\ndigits/0: zero\nx: a: b\n';
    expect(parsePromptList(text)).toEqual([
      { id: 'activated', text: 'activated' },
      { id: 'digits/0', text: 'zero' },
      { id: 'x', text: 'a b' },
    ]);
  });
});

describe('splits', () => {
  it('festvox-ru: 33 and 69 sentences, none twice', async () => {
    const split = (await json('festvox-ru/split.json')) as { dev: string; test: string };
    const [dev, test] = [split.dev.split(' '), split.test.split(' ')];
    expect([dev.length, test.length]).toEqual([33, 69]);
    expect(new Set([...dev, ...test]).size).toBe(102);
  });

  it('asterisk: no prompt on two sides', async () => {
    const splits = (await json('asterisk/split.json')) as Record<string, Record<string, string>>;
    expect(Object.keys(splits)).toEqual(['en', 'es', 'fr', 'it', 'ru']);
    for (const split of Object.values(splits)) {
      const all = [split['dev'], split['test'], split['left_out']].flatMap((ids) => ids.split(' '));
      expect(new Set(all).size).toBe(all.length);
      expect(split['test'].split(' ').length).toBeGreaterThan(40);
    }
  });
});

describe('tools', () => {
  it('missing data is one line that says what to install', async () => {
    await expect(needPath('/nowhere/at/all', ['festvox-ru'])).rejects.toThrow(/apt-get install.*festvox-ru/);
  });

  it('limited maps keep order and limit', async () => {
    let running = 0;
    let most = 0;
    const doubled = await mapLimited([1, 2, 3, 4, 5], 2, async (x) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5 - x));
      running--;
      return 2 * x;
    });
    expect(doubled).toEqual([2, 4, 6, 8, 10]);
    expect(most).toBe(2);
  });
});
