// The training step of every family of models is one whose places in memory are planned.
import { expect, it } from 'vitest';
import { OnnxEngine, valueAndGrads } from '../../src/engine/index.js';
import { runsAsWritten } from '../../src/engine/onnx/passes/foreseen-operators.js';
import { trace } from '../../src/engine/onnx/trace.js';
import { trainingPass } from '../../src/nn/index.js';
import { families, SMALL } from './families.js';

it.each(families)('nodes of a step of $name are run as written', async (family) => {
  const engine = new OnnxEngine({ threads: 1 });
  const { model, inputs } = await family.make(engine, SMALL);
  const parameters = [...model.parameters()].filter((parameter) => parameter.trainable);
  const traced = trace(
    (tensors) => {
      const { value, grads } = valueAndGrads(
        () => model.trainingStep(tensors, trainingPass).loss,
        parameters,
      );
      return { loss: value, ...Object.fromEntries(grads.map((grad, i) => [parameters[i].name, grad])) };
    },
    inputs,
    { callsAreNodes: true },
  );
  expect(traced.segments).toHaveLength(1);
  expect(runsAsWritten(traced.segments[0], (name) => traced.shapes.get(name))).toBe(true);
  await engine.dispose();
});
