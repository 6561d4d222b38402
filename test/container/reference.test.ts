// The generated reference: every section and component is in the page; the JSON Schema's choices follow the names.
import { describe, expect, it } from 'vitest';
import { componentConfig, defineSchema } from '../../src/config/index.js';
import { configJsonSchema, configReference } from '../../src/container/index.js';
import { adamw, conformer, model } from './fixtures.js';

const section = {
  name: 'model',
  schema: defineSchema('Model', {
    encoder: { doc: 'The encoder.', format: componentConfig('encoder') },
    optim: { doc: 'The optimizer.', format: componentConfig('optimizer', { nameKey: 'name' }) },
  }),
};

describe('configReference', () => {
  it('has each section, kind and component, with its other names', () => {
    const page = configReference([section], [conformer, adamw, model]);
    const headings = page.split('\n').filter((line) => line.startsWith('#'));
    expect(headings).toEqual([
      '# Config reference',
      '## Sections',
      '### `model`',
      '## Components: encoder',
      '### ConformerEncoder',
      '## Components: optimizer',
      '### adamw',
      '## Components: model',
      '### TinyModel',
    ]);
    expect(page).toContain(
      'Also named `nemo.collections.asr.modules.ConformerEncoder`, `asr.modules.ConformerEncoder`.',
    );
    expect(page).toContain('| `lr` | a number | `required` | Learning rate. |');
  });
});

describe('configJsonSchema', () => {
  it('lets the name of a component choose its keys', () => {
    const json = configJsonSchema([section], [conformer, adamw, model]) as {
      properties: { model: { properties: { encoder: { anyOf: unknown[] } } } };
      $defs: Record<string, { anyOf: { properties: Record<string, unknown>; required: string[] }[] }>;
    };
    expect(json.properties.model.properties.encoder.anyOf[0]).toEqual({
      $ref: '#/$defs/encoder-by-_target_',
    });
    const [first, other] = json.$defs['encoder-by-_target_'].anyOf;
    expect(first.properties._target_).toEqual({
      enum: [
        'ConformerEncoder',
        'nemo.collections.asr.modules.ConformerEncoder',
        'asr.modules.ConformerEncoder',
      ],
    });
    expect(first.required).toEqual(['_target_', 'd_model']);
    expect(Object.keys(other.properties)).toEqual(['_target_']);
    expect(json.$defs['optimizer-by-name'].anyOf[0].properties.name).toEqual({ enum: ['adamw'] });
  });
});
