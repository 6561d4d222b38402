// Pictures for the report of a run: the features of an example, and where a transducer aligns its text.
import type { HostTensor, HostTensors } from '../../engine/index.js';
import type { Batch, HeatMap } from '../../model/index.js';
import type { LatticeAlignment } from '../decoding/lattice-alignment.js';

/** One utterance of an evaluation set. */
export interface Example {
  readonly name: string;
  readonly text: string;
  /** As `Batch.inputs`, one item, padding kept. */
  readonly inputs: HostTensors;
}

/** The first utterance of a batch. */
export function firstExample(batch: Batch): Example {
  const inputs: Record<string, HostTensor> = {};
  for (const [name, { dtype, shape, data }] of Object.entries(batch.inputs)) {
    const size = shape.slice(1).reduce((a, b) => a * b, 1);
    inputs[name] = { dtype, shape: [1, ...shape.slice(1)], data: data.slice(0, size) };
  }
  return { name: batch.names[0], text: batch.texts?.[0] ?? '', inputs };
}

export function spectrogram({ name, text, inputs }: Example): HeatMap {
  const { features, featureLengths } = inputs;
  const [, , bins] = features.shape;
  const frames = featureLengths.data[0];
  const values = new Float32Array(bins * frames);
  for (let t = 0; t < frames; t++) {
    for (let f = 0; f < bins; f++) values[f * frames + t] = features.data[t * bins + f];
  }
  return {
    title: 'Spectrogram',
    caption: `Log-mel features of ${name}: “${text}”.`,
    rows: bins,
    columns: frames,
    values,
    xLabel: 'feature frame',
    yLabel: 'mel bin',
  };
}

export function latticePicture(
  { name, text }: Example,
  alignment: LatticeAlignment,
  tokens: readonly string[],
): HeatMap {
  return {
    title: 'Alignment in the transducer lattice',
    caption:
      `${name}: “${text}”. Colour: probability that the path passes through a point (encoder frame, tokens so far). ` +
      'Line: the most probable path; it goes up with each token and right with each frame.',
    rows: alignment.rows,
    columns: alignment.frames,
    values: alignment.posteriors,
    xLabel: 'encoder frame',
    yLabel: 'tokens emitted',
    rowNames: ['(start)', ...tokens],
    path: alignment.path.map(({ frame, row }) => [frame, row] as const),
  };
}
