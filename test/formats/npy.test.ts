import { describe, expect, it } from 'vitest';
import { decodeNpy, encodeNpy } from '../../src/formats/index.js';

/** A version-1 file with the given header, padded as NumPy pads. */
function npy(header: string, data: Uint8Array): Uint8Array {
  const text = `${header.padEnd(117)}\n`;
  return Uint8Array.from([0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0, ...Buffer.from(text), ...data]);
}

describe('npy', () => {
  it('writes what numpy.save writes', () => {
    // numpy.save(f, numpy.array([[1, 2, 3]], dtype='<i4')) of NumPy 2.2.
    const expected = npy(
      "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 3), }",
      Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0),
    );
    expect(encodeNpy(Int32Array.of(1, 2, 3), [1, 3])).toEqual(expected);
  });

  it('reads back shapes of zero, one and three dimensions', () => {
    for (const shape of [[], [24], [2, 3, 4]]) {
      const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i / 7);
      expect(decodeNpy(encodeNpy(data, shape))).toEqual({ dtype: '<f8', shape, data });
    }
    const pooled = Buffer.from(encodeNpy(Float32Array.of(1, 2)));
    expect(decodeNpy(pooled).data).toEqual(Float32Array.of(1, 2));
    expect(decodeNpy(encodeNpy(Uint8Array.of(1, 0), [2], '|b1')).dtype).toBe('|b1');
  });

  it('turns column-major order around', () => {
    const bytes = npy(
      "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }",
      Uint8Array.of(1, 4, 2, 5, 3, 6),
    );
    expect([...(decodeNpy(bytes).data as Uint8Array)]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('refuses pickled objects, big-endian numbers, and cut files', () => {
    const code = (bytes: Uint8Array) => {
      try {
        decodeNpy(bytes, 'a.npy');
      } catch (error) {
        return (error as { code: string }).code;
      }
      return 'none';
    };
    const good = encodeNpy(Float32Array.of(1, 2));
    expect(code(good.subarray(0, good.length - 1))).toBe('npy.corrupt');
    expect(code(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", good))).toBe(
      'npy.unsupported',
    );
    expect(code(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", good))).toBe(
      'npy.unsupported',
    );
    expect(code(Uint8Array.of(1, 2, 3))).toBe('npy.corrupt');
    for (const type of ['toString', 'constructor', '__proto__', 'hasOwnProperty', 'valueOf']) {
      expect(code(npy(`{'descr': '${type}', 'fortran_order': False, 'shape': (1,), }`, good))).toBe(
        'npy.unsupported',
      );
    }
  });
});
