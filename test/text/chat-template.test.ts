// Chat templates: conversations as jinja2 writes them, and templates that are broken or hostile.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AnemoneError } from '../../src/errors/index.js';
import { type ChatMessage, ChatTemplate, HuggingFaceTokenizer } from '../../src/text/index.js';

const user: ChatMessage = { role: 'user', content: 'Hi' };
const chatml =
  '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';

interface Golden {
  readonly name: string;
  readonly template: string;
  readonly messages: readonly ChatMessage[];
  readonly prompt: boolean;
  readonly text: string | null;
}
const golden = JSON.parse(
  readFileSync(new URL('../golden/chat_templates.json', import.meta.url), 'utf8'),
) as Golden[];
const tokens = { bos_token: '<BOS>', eos_token: '<EOS>' };

describe('a conversation is written as jinja2 does', () => {
  it.each(golden.map((c, i) => [`${c.name}, conversation ${i}${c.prompt ? ' and prompt' : ''}`, c] as const))(
    '%s',
    (_, c) => {
      const apply = () =>
        new ChatTemplate(c.template, { tokens }).apply(c.messages, { addGenerationPrompt: c.prompt });
      if (c.text === null) expect(apply).toThrow(/the chat template fails/);
      else expect(apply()).toBe(c.text);
    },
  );
});

describe('a generation prompt', () => {
  const asked = { addGenerationPrompt: true };
  it('that is missing is told, with what answers begin with', () => {
    const without = chatml.slice(0, chatml.indexOf('{% if'));
    expect(() => new ChatTemplate(without).apply([user], asked)).toThrow(
      /no generation prompt, though it begins answers with "<\|im_start\|>assistant\\n"/,
    );
    expect(new ChatTemplate(without).apply([user])).toBe('<|im_start|>user\nHi<|im_end|>\n');
  });
  it('that is not needed is not missed', () => {
    const mistral =
      "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}</s>{% endif %}{% endfor %}";
    expect(new ChatTemplate(mistral).apply([user], asked)).toBe('[INST] Hi [/INST]');
  });
  it('that is always there is not missed', () => {
    const always = `${chatml.slice(0, chatml.indexOf('{% if'))}<|im_start|>assistant\n`;
    expect(new ChatTemplate(always).apply([user], asked)).toContain('assistant');
  });
});

describe('a broken or hostile template ends in one line', () => {
  const cases: [string, string, RegExp][] = [
    ['that is no Jinja', '{% for %}', /the chat template fails/],
    ['that refuses', "{{ raise_exception('roles must alternate') }}", /fails: roles must alternate/],
    ['a loop of loops', `{% for i in range(1000) %}${'{% for j in range(1000) %}'.repeat(3)}{{ i }}${'{% endfor %}'.repeat(4)}`, /more than 5000000 steps|not ended/],
    ['a large range', '{% for i in range(10000000000) %}{% endfor %}', /range\(\) of 10000000000 numbers/],
    ['a text that doubles', '{% set n = namespace(x="aaaaaaaa") %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}', /a text of more than/],
    ['a list that doubles', '{% set n = namespace(x=[1, 2]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}', /a list of more than/],
    ['the way outside', '{{ messages.constructor.constructor("return process")() }}', /the chat template fails/],
  ]; // biome-ignore format: a table
  it.each(cases)('%s', (_, template, message) => {
    const apply = () => new ChatTemplate(template, { file: 'tokenizer_config.json' }).apply([user]);
    expect(apply).toThrow(AnemoneError);
    expect(apply).toThrow(message);
    expect(apply).toThrow(/^tokenizer_config\.json: [^\n]*$/);
  });

  it('messages without roles', () => {
    const template = new ChatTemplate(chatml);
    expect(() => template.apply([{ content: 'x' } as never])).toThrow(/messages\[0\]: a message has a role/);
    expect(() => template.apply([])).toThrow(/at least one message/);
  });
});

it('a tokenizer writes conversations with its special tokens', () => {
  const json = {
    model: { type: 'BPE', vocab: { a: 0 }, merges: [] },
    added_tokens: [{ id: 1, content: '<s>', special: true }],
  };
  const setting = {
    bos: '<s>',
    chatTemplate: '{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}',
  };
  const tokenizer = HuggingFaceTokenizer.fromJson(json, setting);
  expect(tokenizer.applyChatTemplate([{ role: 'user', content: 'a' }])).toBe('<s>a');
  expect(tokenizer.textToIds('<s>a')).toEqual([1, 0]);
  expect(() => HuggingFaceTokenizer.fromJson(json).applyChatTemplate([user])).toThrow(/has no chat template/);
});
