// The keys of the trainer that say how many ranks train, and how: `devices` and `strategy`, with the spellings of PyTorch
// Lightning and NeMo.
import { type ConfigNode, customFormat, type Format, isMapping } from '../config/index.js';

/** Ranks on each machine; `auto`: as many as were started. */
export type Devices = number | 'auto';

const COUNT = 'a count, a list of devices, -1 or auto';

/** `4`, `"4"`, `[0, 1]`, `"0,1"`, `-1`, `auto`. */
export const devices = customFormat<Devices, number | string | readonly (number | string)[]>(
  COUNT,
  (value) => {
    if (value === 'auto' || value === -1 || value === '-1') return 'auto';
    if (Array.isArray(value)) return listed(value);
    if (typeof value === 'string' && value.includes(','))
      return listed(value.split(',').filter((id) => id !== ''));
    const count = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    if (!Number.isInteger(count) || (count as number) < 1) throw new Error('1 or more');
    return count as number;
  },
  { type: ['integer', 'string', 'array'] },
);

function listed(ids: readonly unknown[]): number {
  const numbers = ids.map((id) => (typeof id === 'number' ? id : Number.parseInt(String(id), 10)));
  if (numbers.length === 0 || numbers.some((id) => !Number.isInteger(id) || id < 0))
    throw new Error('a list of devices has numbers from 0 up');
  if (new Set(numbers).size < numbers.length) throw new Error('a device is listed twice');
  return numbers.length;
}

/** What data parallel training is called in Lightning, by its releases and in notebooks. */
const DDP = /^ddp(_(spawn|fork|notebook))?(_find_unused_parameters_(true|false))?$/;
/** Classes of such strategies, whatever module they are in. */
const DDP_CLASSES = ['DDPStrategy', 'NLPDDPStrategy', 'DDPSpawnStrategy', 'SingleDeviceStrategy'];
const AUTO = ['auto', 'single_device', 'dp', null];

/** Always data parallel: there is no other strategy yet. */
export const strategy: Format<'ddp', string | ConfigNode> = {
  expected: 'ddp, auto, or a mapping with the _target_ of a DDPStrategy',
  accepts: (value) => typeof value === 'string' || isMapping(value),
  check: (value, at) => {
    const name = isMapping(value) ? String(value['_target_']).split('.').at(-1) : value;
    const isKnown = isMapping(value)
      ? DDP_CLASSES.includes(name as string)
      : AUTO.includes(name as string) || DDP.test(String(name));
    if (!isKnown) {
      at.report({
        message: `there is no strategy ${JSON.stringify(isMapping(value) ? value['_target_'] : value)}`,
        hint: 'use ddp: each rank has the whole model, and gradients are summed',
      });
    }
    return 'ddp';
  },
  jsonSchema: () => ({ type: ['string', 'object'] }),
};
