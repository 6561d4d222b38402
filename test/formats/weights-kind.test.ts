// A file of weights is known by its beginning, whatever the length of its header begins with.
import { describe, expect, it } from 'vitest';
import { encodeSafetensors, memorySource, readWeights } from '../../src/formats/index.js';

describe('a safetensors file', () => {
  it.each([0x08, 0x78, 0x80, 0x18, 0x50])(
    'is one with a header of %i bytes and a multiple of 256',
    async (low) => {
      // A name of the length that makes the header's length end so; 0x80 is how a pickle begins, 0x50 a zip.
      let found = false;
      for (let length = 1; length < 300 && !found; length++) {
        const name = 'w'.repeat(length);
        const bytes = encodeSafetensors([
          [name, { dtype: 'F32', shape: [1], data: Float32Array.of(length) }],
        ]);
        if (bytes[0] !== low) continue;
        found = true;
        const weights = await readWeights(memorySource(bytes));
        expect((await weights.read(name)).data[0]).toBe(length);
      }
      expect(found).toBe(true);
    },
  );
});
